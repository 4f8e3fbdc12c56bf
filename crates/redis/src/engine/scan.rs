//! `SCAN` of the whole cluster with a cursor of 64 bits, as redis-rs's iterators have it. Where a scan is, a table says: a
//! node's own cursor does not tell which node it is of.
//!
//! What must stay true: a cursor that the table lacks is an error and never an end; the table is bounded, and what nobody goes
//! on with leaves it; one scan's steps push no other scan out. A step that failed can be repeated, and a
//! node whose cursors go in a circle is not asked for ever.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use truename::error::TypeError;
use truename::scan::Walk;
use truename::topology::{Endpoint, Role, Slot, SlotMap};

/// How many scans may be under way at a time; the one that was used longest ago gives way.
const SCANS: usize = 1024;
/// How long a scan is kept that nobody goes on with.
const KEPT: Duration = Duration::from_secs(600);

/// The scans that are under way.
#[derive(Default)]
pub(crate) struct Scans {
    table: Mutex<HashMap<u32, Scan>>,
}

/// One scan: where its last two steps began, so that the last one can be repeated.
struct Scan {
    used: Instant,
    step: u32,
    places: [Option<Place>; 2],
}

/// How far a scan is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The topology as it was when these nodes were listed.
    listed: Arc<SlotMap>,
    /// Nodes that are still to be asked. The first one is being asked.
    nodes: Vec<Endpoint>,
    /// The first node's own cursor.
    cursor: u64,
    /// Where its cursors have led so far.
    walk: Walk,
}

impl Scans {
    /// Notes that a scan goes on, and returns its next cursor. `from` is the cursor that this step began with.
    pub(crate) fn go_on(&self, from: u64, place: Place, now: Instant) -> u64 {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|_, scan| now.duration_since(scan.used) < KEPT);
        let id = match from {
            0 => new_id(&mut table),
            _ => (from >> 32) as u32,
        };
        let step = (from as u32).wrapping_add(1);
        let scan = table.entry(id).or_insert(Scan { used: now, step, places: [None, None] });
        (scan.used, scan.step) = (now, step);
        scan.places[step as usize % 2] = Some(place);
        u64::from(id) << 32 | u64::from(step)
    }

    /// Where the step with this cursor begins; `None` if nobody knows.
    pub(crate) fn place(&self, cursor: u64, now: Instant) -> Option<Place> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let scan = table.get(&((cursor >> 32) as u32))?;
        let step = cursor as u32;
        let is_kept = now.duration_since(scan.used) < KEPT;
        let is_recent = step == scan.step || step.wrapping_add(1) == scan.step;
        if is_kept && is_recent { scan.places[step as usize % 2].clone() } else { None }
    }

    /// Forgets a scan that is through.
    pub(crate) fn end(&self, cursor: u64) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&((cursor >> 32) as u32));
    }
}

/// A number that no scan has, and that nobody guesses by counting. Makes room for it.
fn new_id(table: &mut HashMap<u32, Scan>) -> u32 {
    if table.len() >= SCANS {
        let oldest = table.iter().min_by_key(|(_, scan)| scan.used).map(|(id, _)| *id);
        oldest.and_then(|id| table.remove(&id));
    }
    loop {
        let id = RandomState::new().hash_one(table.len()) as u32;
        // The cursor 0 means a beginning, and its upper half must not be mistaken for one.
        if id != 0 && !table.contains_key(&id) {
            return id;
        }
    }
}

impl Place {
    /// The beginning of a scan.
    pub(crate) fn start(map: &Arc<SlotMap>) -> Self {
        Self { listed: map.clone(), nodes: primaries(map), cursor: 0, walk: Walk::new(0) }
    }

    /// The node to ask, with its own cursor. Passes over nodes that are no primaries any more: what they had is asked for
    /// where it is now. `None`: the scan is through.
    pub(crate) fn next(&mut self, map: &Arc<SlotMap>) -> Option<(Endpoint, u64)> {
        loop {
            let Some(node) = self.nodes.first() else {
                self.nodes = gained(&self.listed, map);
                self.listed = map.clone();
                if self.nodes.is_empty() {
                    return None;
                }
                continue;
            };
            if is_primary(map, node) {
                return Some((node.clone(), self.cursor));
            }
            self.leave();
        }
    }

    /// Notes what the node answered. An error if its cursors go in a circle.
    pub(crate) fn advance(&mut self, cursor: u64) -> Result<(), TypeError> {
        match cursor {
            0 => self.leave(),
            _ => {
                self.walk.step(cursor)?;
                self.cursor = cursor;
            }
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.nodes.remove(0);
        (self.cursor, self.walk) = (0, Walk::new(0));
    }
}

/// The nodes that serve slots. A server that is no cluster serves all.
fn primaries(map: &SlotMap) -> Vec<Endpoint> {
    let owners = map.owners().into_iter().map(|shard| &map.nodes()[shard.primary().index()]);
    owners.map(|node| node.endpoint.clone()).collect()
}

/// A slot that no node serves: what it holds cannot be asked for.
pub(crate) fn unserved(map: &SlotMap) -> Option<Slot> {
    (0..Slot::COUNT).filter_map(|slot| Slot::new(slot as u16)).find(|slot| map.primary(*slot).is_none())
}

fn is_primary(map: &SlotMap, node: &Endpoint) -> bool {
    map.node_at(node).is_some_and(|ix| map.nodes()[ix.index()].role == Role::Primary)
}

/// The nodes that serve slots by `now` which other nodes served before, or none: keys of theirs may have been missed.
fn gained(before: &SlotMap, now: &SlotMap) -> Vec<Endpoint> {
    let mut gained = HashSet::new();
    let mut nodes = Vec::new();
    for (range, _) in now.ranges() {
        for slot in range.slots() {
            let Some(new) = now.primary(slot) else { continue };
            let is_as_before = before.primary(slot).is_some_and(|old| old.endpoint == new.endpoint);
            if !is_as_before && gained.insert(&new.endpoint) {
                nodes.push(new.endpoint.clone());
            }
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use truename::topology::AnnouncedNode;

    use super::*;

    fn map() -> Arc<SlotMap> {
        Arc::new(SlotMap::single_node(AnnouncedNode::new(Endpoint::new("10.0.0.1", 1), Role::Primary)))
    }

    #[test]
    fn an_unknown_cursor_is_no_place() {
        let (scans, now) = (Scans::default(), Instant::now());
        assert!(scans.place(7, now).is_none());
        let first = scans.go_on(0, Place::start(&map()), now);
        let second = scans.go_on(first, Place::start(&map()), now);
        // The last step can be repeated, and the one before it, whose reply may not have come.
        assert!(scans.place(first, now).is_some() && scans.place(second, now).is_some());
        let third = scans.go_on(second, Place::start(&map()), now);
        assert!(scans.place(first, now).is_none() && scans.place(second, now).is_some());
        assert!(scans.place(third + 1, now).is_none());
        assert!(scans.place(third, now + KEPT).is_none(), "it expired");
        scans.end(third);
        assert!(scans.place(third, now).is_none());
    }

    #[test]
    fn the_table_is_bounded_and_steps_push_nobody_out() {
        let (scans, now) = (Scans::default(), Instant::now());
        let slow = scans.go_on(0, Place::start(&map()), now);
        let mut quick = scans.go_on(0, Place::start(&map()), now);
        for _ in 0..10 * SCANS {
            quick = scans.go_on(quick, Place::start(&map()), now);
        }
        assert!(scans.place(slow, now).is_some());
        for _ in 0..SCANS {
            scans.go_on(0, Place::start(&map()), now + Duration::from_secs(1));
        }
        assert!(scans.place(slow, now).is_none());
        assert!(scans.table.lock().expect("no panic").len() <= SCANS);
    }

    #[test]
    fn what_moved_is_scanned_again() {
        let before = map();
        let node = |n| Endpoint::new("10.0.0.1", n);
        let mut place = Place::start(&before);
        assert_eq!(place.next(&before), Some((node(1), 0)));
        place.advance(17).expect("it leads on");
        assert_eq!(place.next(&before), Some((node(1), 17)));
        let after = Arc::new(before.with_moved(Slot::of_key(b"k"), &node(2)));
        place.advance(0).expect("it leads on");
        assert_eq!(place.next(&after), Some((node(2), 0)));
        place.advance(0).expect("it leads on");
        assert_eq!(place.next(&after), None);
    }

    #[test]
    fn each_node_is_walked_by_itself() {
        let mut place = Place::start(&map());
        place.nodes.push(Endpoint::new("10.0.0.1", 2));
        let mut leads_on = |cursor| place.advance(cursor).is_ok();
        assert!([7, 9, 0, 7, 9].into_iter().all(&mut leads_on));
        assert!(![9; 3].into_iter().all(&mut leads_on));
    }

    #[test]
    fn a_slot_that_got_its_owner_later_is_scanned() {
        let slot = Slot::of_key(b"k");
        let node = Endpoint::new("10.0.0.1", 1);
        let nothing = Arc::new(SlotMap::empty());
        let some = Arc::new(nothing.with_moved(slot, &node));
        assert_eq!(unserved(&some), Slot::new(0));
        assert_eq!(unserved(&map()), None);
        assert_eq!(Place::start(&nothing).next(&some), Some((node, 0)));
    }
}
