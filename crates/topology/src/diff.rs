//! [`TopologyDiff`]: what changed between two slot maps.
//!
//! Owners are compared by endpoint, not by index, so maps of different origin can be compared.

use std::fmt;

use crate::slot::runs;
use crate::{AnnouncedNode, Endpoint, Role, Slot, SlotMap, SlotRange};

/// The difference between an older and a newer [`SlotMap`].
///
/// # Examples
/// ```
/// use truename_topology::{AnnouncedNode, Endpoint, Role, Slot, SlotMap};
///
/// let older = SlotMap::single_node(AnnouncedNode::new(Endpoint::new("10.0.0.4", 7000), Role::Primary));
/// let newer = older.with_moved(Slot::of_key(b"city"), &Endpoint::new("10.0.0.5", 7000));
/// let diff = older.diff(&newer);
/// assert_eq!((diff.added.len(), diff.removed.len(), diff.moved_slots.len()), (1, 0, 1));
/// assert!(!diff.is_empty() && newer.diff(&newer).is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopologyDiff {
    /// Nodes of the newer map only. Another node id at a known address counts as another node.
    pub added: Vec<AnnouncedNode>,
    /// Nodes of the older map only.
    pub removed: Vec<AnnouncedNode>,
    /// Nodes of both maps whose role changed, with the new role.
    pub role_changes: Vec<(Endpoint, Role)>,
    /// Slots whose primary changed, in ascending order.
    pub moved_slots: Vec<MovedSlots>,
}

/// Consecutive slots that went from one primary to another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MovedSlots {
    /// The slots.
    pub range: SlotRange,
    /// The former primary; `None` if there was none.
    pub from: Option<Endpoint>,
    /// The new primary; `None` if there is none.
    pub to: Option<Endpoint>,
}

impl SlotMap {
    /// What changed from this map to `newer`. See the [example](TopologyDiff#examples).
    pub fn diff(&self, newer: &Self) -> TopologyDiff {
        TopologyDiff::between(self, newer)
    }
}

impl TopologyDiff {
    fn between(older: &SlotMap, newer: &SlotMap) -> Self {
        let mut diff = Self {
            added: missing_from(older, newer).cloned().collect(),
            removed: missing_from(newer, older).cloned().collect(),
            moved_slots: moved_slots(older, newer),
            ..Self::default()
        };
        for node in newer.nodes() {
            match counterpart(older, node) {
                Some(before) if before.role != node.role => {
                    diff.role_changes.push((node.endpoint.clone(), node.role));
                }
                _ => {}
            }
        }
        diff
    }

    /// Whether nothing changed. See the [example](TopologyDiff#examples).
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.role_changes.is_empty()
            && self.moved_slots.is_empty()
    }
}

/// The nodes of `map` that `other` does not have.
fn missing_from<'a>(other: &'a SlotMap, map: &'a SlotMap) -> impl Iterator<Item = &'a AnnouncedNode> {
    map.nodes().iter().filter(|node| counterpart(other, node).is_none())
}

/// The same node in another map.
fn counterpart<'a>(map: &'a SlotMap, node: &AnnouncedNode) -> Option<&'a AnnouncedNode> {
    let found = &map.nodes()[map.node_at(&node.endpoint)?.index()];
    found.may_be(node).then_some(found)
}

fn moved_slots(older: &SlotMap, newer: &SlotMap) -> Vec<MovedSlots> {
    let moves = Slot::all().filter_map(|slot| {
        let from = older.primary(slot).map(|node| &node.endpoint);
        let to = newer.primary(slot).map(|node| &node.endpoint);
        (from != to).then_some((slot, (from, to)))
    });
    runs(moves)
        .into_iter()
        .map(|(range, (from, to))| MovedSlots { range, from: from.cloned(), to: to.cloned() })
        .collect()
}

impl fmt::Display for MovedSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.range.count() == 1 { "slot" } else { "slots" };
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{noun} {}: {from} -> {to}", self.range),
            (None, Some(to)) => write!(f, "{noun} {} assigned to {to}", self.range),
            (Some(from), None) => write!(f, "{noun} {} lost by {from}", self.range),
            (None, None) => write!(f, "{noun} {} without an owner", self.range),
        }
    }
}

impl fmt::Display for TopologyDiff {
    /// One line, such as `+ replica 10.0.0.5:8502; 10.0.0.4:8502 is now primary; slots 0-5460: a:1 -> b:1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let added = self.added.iter().map(|node| format!("+ {node}"));
        let removed = self.removed.iter().map(|node| format!("- {node}"));
        let roles = self.role_changes.iter().map(|(endpoint, role)| format!("{endpoint} is now {role}"));
        let moved = self.moved_slots.iter().map(MovedSlots::to_string);
        let mut parts = added.chain(removed).chain(roles).chain(moved).peekable();
        if parts.peek().is_none() {
            return f.write_str("no change");
        }
        while let Some(part) = parts.next() {
            f.write_str(&part)?;
            if parts.peek().is_some() {
                f.write_str("; ")?;
            }
        }
        Ok(())
    }
}
