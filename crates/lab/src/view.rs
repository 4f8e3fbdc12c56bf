//! What one node believes about the cluster: its `CLUSTER NODES`, `CLUSTER INFO` and `CLUSTER SLOTS`, read just far
//! enough for the lab to know when a change has arrived everywhere.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use truename_resp::Reply;

use crate::LabError;
use crate::admin::AdminConnection;

/// One node as another one sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) id: String,
    flags: Vec<String>,
    /// The node it replicates.
    pub(crate) primary: Option<String>,
    slots: Vec<RangeInclusive<u16>>,
}

impl Peer {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let id = words.next()?.to_owned();
        let flags = words.nth(1)?.split(',').map(str::to_owned).collect();
        let primary = Some(words.next()?).filter(|id| *id != "-").map(str::to_owned);
        let slots = words.skip(4).filter_map(parse_slots).collect();
        Some(Self { id, flags, primary, slots })
    }

    pub(crate) fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.is("master")
    }

    pub(crate) const fn has_slots(&self) -> bool {
        !self.slots.is_empty()
    }
}

fn parse_slots(word: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// The cluster as one node sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// Whether the node says `cluster_state:ok`.
    pub(crate) ok: bool,
    pub(crate) current_epoch: u64,
    /// The text of `CLUSTER NODES`.
    pub(crate) text: String,
    peers: Vec<Peer>,
    /// The ids that `CLUSTER SLOTS` hands to clients.
    pub(crate) listed: BTreeSet<String>,
}

impl View {
    /// Asks a node for its view.
    pub(crate) async fn of(connection: &mut AdminConnection) -> Result<Self, LabError> {
        let info = connection.text(&["CLUSTER", "INFO"]).await?;
        let text = connection.text(&["CLUSTER", "NODES"]).await?;
        let slots = connection.expect(&["CLUSTER", "SLOTS"]).await?;
        Ok(Self::parse(&info, text, &slots))
    }

    fn parse(info: &str, text: String, slots: &Reply) -> Self {
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
        let ok = field("cluster_state:").is_some_and(|state| state.trim() == "ok");
        let current_epoch =
            field("cluster_current_epoch:").and_then(|epoch| epoch.trim().parse().ok()).unwrap_or(0);
        let peers = text.lines().filter_map(Peer::parse).collect();
        Self { ok, current_epoch, text, peers, listed: listed_ids(slots) }
    }

    pub(crate) fn peer(&self, id: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.id == id)
    }

    /// The node that serves a slot.
    pub(crate) fn owner(&self, slot: u16) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.slots.iter().any(|range| range.contains(&slot)))
    }

    pub(crate) fn is_primary(&self, id: &str) -> bool {
        self.peer(id).is_some_and(Peer::is_primary)
    }

    pub(crate) fn is_replica_of(&self, id: &str, primary: &str) -> bool {
        self.peer(id).is_some_and(|peer| peer.primary.as_deref() == Some(primary) && !peer.is("handshake"))
    }
}

/// `CLUSTER SLOTS` is a list of `[first slot, last slot, node, node...]`, a node is `[endpoint, port, id, metadata]`.
fn listed_ids(slots: &Reply) -> BTreeSet<String> {
    let ranges = slots.as_array().unwrap_or_default();
    ranges
        .iter()
        .flat_map(|range| range.as_array().unwrap_or_default().iter().skip(2))
        .filter_map(|node| node.as_array()?.get(2)?.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "aa 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-5460 9000 [93->-bb]\n\
                         bb 127.0.0.1:3@4,b.test master - 0 1 2 connected 5461-8999\n\
                         cc 127.0.0.1:5@6,,shard-id=ff slave aa 0 1 1 connected\n\
                         dd :0@0 handshake - 0 0 0 disconnected\n";

    fn slots() -> Reply {
        let node = |id: &'static str| {
            Reply::Array(vec![Reply::Bulk("127.0.0.1".into()), Reply::Integer(1), Reply::Bulk(id.into())])
        };
        let range = vec![Reply::Integer(0), Reply::Integer(5460), node("aa"), node("cc")];
        Reply::Array(vec![Reply::Array(range)])
    }

    #[test]
    fn roles_slots_and_epochs_are_read() {
        let info = "cluster_state:ok\r\ncluster_current_epoch:7\r\n";
        let view = View::parse(info, NODES.to_owned(), &slots());
        assert!(view.ok);
        assert_eq!(view.current_epoch, 7);
        assert_eq!(view.owner(9000).unwrap().id, "aa");
        assert_eq!(view.owner(5461).unwrap().id, "bb");
        assert!(view.owner(9001).is_none(), "a slot in migration is not a range");
        assert!(view.is_primary("bb") && !view.is_primary("cc"));
        assert!(view.is_replica_of("cc", "aa") && !view.is_replica_of("bb", "aa"));
        assert!(!view.peer("dd").unwrap().has_slots());
        assert_eq!(view.listed, BTreeSet::from(["aa".to_owned(), "cc".to_owned()]));
    }

    #[test]
    fn a_failed_cluster_is_not_ok() {
        assert!(!View::parse("cluster_state:fail\r\n", String::new(), &Reply::Nil).ok);
        assert!(!View::parse("", String::new(), &Reply::Nil).ok);
    }
}
