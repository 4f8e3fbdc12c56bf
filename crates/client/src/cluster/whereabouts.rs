//! Asking one node about a slot: its own view, as opposed to what a script's reply claims in its name.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use truename_topology::view::{MigrationSide, View};
use truename_topology::{Endpoint, NodeId, Slot};

use super::{Cluster, Node};
use crate::clock;

/// How long to wait for a newer map where a node does not answer.
const NEWER_MAP_WITHIN: Duration = Duration::from_secs(1);

/// Where a node sends the commands of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// Nowhere: they are its own.
    Here,
    /// To their owner.
    Owner(NodeId),
    /// Those whose keys have left it: to the node that takes the slot over, after `ASKING`.
    Importer(NodeId),
    /// It does not say.
    Unknown,
}

/// What the node's own view says about a slot.
pub(crate) fn whereabouts(view: &View, slot: Slot) -> Whereabouts {
    let leaving = |open: &&truename_topology::view::OpenSlot| {
        open.slot == slot && open.side == MigrationSide::Migrating
    };
    if let Some(open) = view.open_slots.iter().find(leaving) {
        return Whereabouts::Importer(open.peer.clone());
    }
    let owner = view.shards.iter().find(|shard| shard.ranges.iter().any(|range| range.contains(slot)));
    let owner = owner.and_then(|shard| shard.primary.as_ref()?.id.clone());
    let myself = view.myself.as_ref().and_then(|node| node.id.as_ref());
    match (owner, myself) {
        (Some(owner), Some(myself)) if owner == *myself => Whereabouts::Here,
        (Some(owner), Some(_)) => Whereabouts::Owner(owner),
        _ => Whereabouts::Unknown,
    }
}

impl Cluster {
    /// Where to send a command that `node` answered with the text of a redirect, which may be anybody's. What leads there
    /// is what the node says about itself, or a newer map; `to`, the target that the text names, is only compared with
    /// it. The answer says whether `ASKING` goes first. `None`: nothing confirms the text.
    pub(crate) async fn confirm(
        &self,
        node: &Arc<Node>,
        (slot, is_ask, to): (Slot, bool, Option<&Endpoint>),
        deadline: Instant,
    ) -> Option<(Arc<Node>, bool)> {
        let view = self.own_views.of(node, deadline).await;
        match view.as_ref().map_or(Whereabouts::Unknown, |view| whereabouts(view, slot)) {
            Whereabouts::Here => None,
            Whereabouts::Owner(id) => match self.node_with_id(&id) {
                Some(owner) => Some((owner, false)),
                None => Some((self.newer_owner(node, slot, deadline).await?, false)),
            },
            Whereabouts::Importer(id) if is_ask => match self.node_with_id(&id) {
                Some(importer) => Some((importer, true)),
                None => {
                    let to = to.filter(|to| is_address_of(&id, to, view.as_deref(), node))?;
                    if self.refuses_to_dial(to).is_some() {
                        return None;
                    }
                    self.hints.asked(to);
                    Some((self.node_soon(to, deadline).await?, true))
                }
            },
            Whereabouts::Unknown if !is_ask => Some((self.newer_owner(node, slot, deadline).await?, false)),
            Whereabouts::Importer(_) | Whereabouts::Unknown => None,
        }
    }

    fn node_with_id(&self, id: &NodeId) -> Option<Arc<Node>> {
        let topology = self.topology();
        topology.nodes().iter().find(|node| node.target().node.id.as_ref() == Some(id)).cloned()
    }

    /// Waits a while until the map says that the slot is another node's.
    async fn newer_owner(&self, node: &Node, slot: Slot, deadline: Instant) -> Option<Arc<Node>> {
        let deadline = deadline.min(Instant::now() + NEWER_MAP_WITHIN);
        let mut version = self.store.versions();
        loop {
            if let Some(owner) =
                self.topology().primary(slot).filter(|owner| owner.endpoint() != node.endpoint())
            {
                return Some(owner.clone());
            }
            self.hints.refresh();
            clock::timeout_at(deadline, version.changed()).await?.ok()?;
        }
    }
}

/// Whether a node that no map has yet is, by the view of the node that sends commands to it, at this address. A view names
/// addresses, redirects may name hosts, or none, which means the host of the node that redirects.
fn is_address_of(id: &NodeId, to: &Endpoint, view: Option<&View>, from: &Node) -> bool {
    let Some(announced) = view.and_then(|view| view.nodes().find(|node| node.id.as_ref() == Some(id))) else {
        return false;
    };
    let is_host = announced.hostname.as_deref() == Some(to.host()) || from.endpoint().host() == to.host();
    announced.endpoint == *to || is_host && announced.endpoint.port() == to.port()
}

#[cfg(test)]
mod tests {
    use truename_topology::parse_nodes;

    use super::*;

    fn view(mine: &str, other: &str) -> View {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!(
            "{a} 10.0.0.4:1@2 myself,master - 0 0 1 connected {mine}\n{b} 10.0.0.5:1@2 master - 0 0 2 connected {other}\n"
        );
        parse_nodes(&text, "host").expect("a view")
    }

    #[test]
    fn a_slot_is_where_the_nodes_own_line_says() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let slot = Slot::new(7).expect("in range");
        let leaving = format!("0-9 [7->-{b}]");
        let coming = format!("10-19 [7-<-{b}]");
        for (mine, other, expected) in [
            ("0-9", "10-19", Whereabouts::Here),
            ("10-19", "0-9", Whereabouts::Owner(NodeId::from(&*b))),
            (&*leaving, "10-19", Whereabouts::Importer(NodeId::from(&*b))),
            // A slot on its way in is not here yet.
            (&*coming, "0-9", Whereabouts::Owner(NodeId::from(&*b))),
            ("10-19", "20", Whereabouts::Unknown),
        ] {
            assert_eq!(whereabouts(&view(mine, other), slot), expected, "{mine} {a}");
        }
    }
}
