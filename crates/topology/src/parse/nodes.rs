//! `CLUSTER NODES`: one line of text per node.
//!
//! ```text
//! <id> <ip:port@bus[,hostname]> <flags> <primary id or -> <ping> <pong> <config epoch> <link> <slot>...
//! ```
//!
//! The address is the node's ip and port whatever `cluster-preferred-endpoint-type` says. Where that is
//! not `ip`, these endpoints differ from those of `CLUSTER SLOTS` and of redirects: this view is for
//! reports, epochs and open slots; a client routes by `CLUSTER SLOTS` or `CLUSTER SHARDS`.

use std::collections::HashMap;

use super::{Said, checked, shape};
use crate::dropped::DropList;
use crate::view::{MigrationSide, OpenSlot, SkipReason, Skipped};
use crate::{
    AnnouncedNode, Health, Metadata, NodeId, Role, ShardView, Slot, SlotMap, SlotRange, View, ViewError,
};

/// One line of a reply to `CLUSTER NODES`, as it stands: for reports. [`parse_nodes`] makes a [`View`] of the
/// lines, in which a broken link and a suspicion have become one [`Health`].
///
/// Only numbers are checked. Texts are the server's words: print them through
/// [`Untrusted`](truename_resp::Untrusted).
///
/// # Examples
/// See [`parse_node_lines`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeLine<'a> {
    /// The node's id.
    pub id: &'a str,
    /// Its address; empty where the cluster does not know it.
    pub host: &'a str,
    /// The port for clients; 0 where the cluster does not know it, `None` if it is not a port.
    pub port: Option<u16>,
    /// The port of the cluster bus.
    pub bus_port: Option<u16>,
    /// The host name, which may be empty or `?`; `None` where the line has none, as before 7.0.
    pub hostname: Option<&'a str>,
    /// The flags, in their order: `myself`, `master`, `slave`, `fail?`, `fail`, `handshake`, `noaddr`,
    /// `nofailover`, `noflags`.
    pub flags: Vec<&'a str>,
    /// The id of the node's primary, on the line of a replica that has one.
    pub primary: Option<&'a str>,
    /// The node's config epoch.
    pub config_epoch: u64,
    /// The state of the link from the node that answered to this one: `connected` or `disconnected`.
    pub link: &'a str,
    /// The slots.
    pub ranges: Vec<SlotRange>,
    /// The slots that are on their way; only the node that answered tells its own.
    pub open: Vec<OpenLine<'a>>,
}

/// A slot on its way, as it stands on the line of the node at one end of the move. See [`parse_node_lines`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenLine<'a> {
    /// The slot.
    pub slot: Slot,
    /// Which end of the move the node is.
    pub side: MigrationSide,
    /// The id of the node at the other end.
    pub peer: &'a str,
}

/// Reads the lines of a reply to `CLUSTER NODES`, in their order.
///
/// # Examples
/// ```
/// use truename_topology::parse_node_lines;
///
/// let text = "07c3 10.0.0.4:6379@16379,node-1.test myself,master - 0 0 3 connected 0-5460 [7->-e7d1]\n\
///             e7d1 10.0.0.5:6379@16379 master,fail? - 0 0 2 disconnected 5461-16383\n";
/// let lines = parse_node_lines(text)?;
/// assert_eq!((lines[0].host, lines[0].port), ("10.0.0.4", Some(6379)));
/// assert_eq!(lines[0].hostname, Some("node-1.test"));
/// assert_eq!((lines[0].open[0].slot.value(), lines[0].open[0].peer), (7, "e7d1"));
/// // Two nodes that lost the link to each other, or one that is down: the flags of several nodes tell.
/// assert!(lines[1].has_flag("fail?") && lines[1].link == "disconnected");
/// # Ok::<(), truename_topology::ViewError>(())
/// ```
///
/// # Errors
/// [`ViewError`] for a line of another shape, and for more than [`SlotMap::MAX_NODES`] lines.
pub fn parse_node_lines(text: &str) -> Result<Vec<NodeLine<'_>>, ViewError> {
    // `vars` closes the file nodes.conf, which has the same lines.
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("vars "));
    let count = lines.clone().count();
    if count > SlotMap::MAX_NODES {
        return Err(ViewError::TooManyNodes(count));
    }
    lines.map(NodeLine::parse).collect()
}

/// Reads a reply to `CLUSTER NODES`.
///
/// `answered_by` is the host of the node that answered; it stands for addresses without a host,
/// which a node gives itself until a peer sent it its own. [`View::epoch`] becomes the highest config
/// epoch, [`View::myself`] the node that answered.
///
/// # Errors
/// [`ViewError`] for lines of another shape, and for a reply that contradicts itself.
pub fn parse_nodes(text: &str, answered_by: &str) -> Result<View, ViewError> {
    let (mut view, mut dropped) = (View::default(), DropList::default());
    let mut shard_of: HashMap<&str, usize> = HashMap::new();
    for line in parse_node_lines(text)? {
        view.epoch = view.epoch.max(Some(line.config_epoch));
        // Replicas name their primary, which may come later in the text.
        let owner = line.primary.unwrap_or(line.id);
        let shard = *shard_of.entry(owner).or_insert_with(|| {
            view.shards.push(ShardView::default());
            view.shards.len() - 1
        });
        view.shards[shard].ranges.extend(&line.ranges);
        view.open_slots.extend(line.open.iter().filter_map(OpenLine::with_valid_peer));
        let node = match line.node(answered_by, &mut dropped) {
            Ok(node) => node,
            Err(skipped) => {
                view.skipped.push(skipped);
                continue;
            }
        };
        if line.has_flag("myself") {
            view.myself = Some(node.clone());
        }
        match node.role {
            Role::Primary => view.shards[shard].primary = Some(node),
            Role::Replica => view.shards[shard].replicas.push(node),
        }
    }
    view.shards.retain(|shard| !shard.ranges.is_empty() || shard.nodes().next().is_some());
    view.dropped = dropped.into_vec();
    checked(view)
}

/// A node has a handful; a line is text from elsewhere.
const MOST_FLAGS: usize = 32;
/// Each slot by itself, and each on its way.
const MOST_SLOT_WORDS: usize = 2 * Slot::COUNT;

impl<'a> NodeLine<'a> {
    fn parse(text: &'a str) -> Result<Self, ViewError> {
        let mut fields = text.split_ascii_whitespace();
        let mut next =
            || fields.next().ok_or_else(|| shape("a node line of eight fields", format!("`{text}`")));
        let [id, address, flags, primary, _ping, _pong, epoch, link] =
            [next()?, next()?, next()?, next()?, next()?, next()?, next()?, next()?];
        let config_epoch = epoch.parse().map_err(|_| shape("a config epoch", format!("`{epoch}`")))?;
        let mut words = address.split(',');
        let address = words.next().unwrap_or_default();
        let (client, bus) = address.rsplit_once('@').unwrap_or((address, ""));
        let (host, port) = client.rsplit_once(':').unwrap_or((client, ""));
        let mut line = Self {
            id,
            host,
            port: port.parse().ok(),
            bus_port: bus.parse().ok(),
            // `,hostname` may be followed by `,key=value` pairs, and may be empty itself.
            hostname: words.next().filter(|word| !word.contains('=')),
            flags: flags.split(',').take(MOST_FLAGS + 1).collect(),
            primary: None,
            config_epoch,
            link,
            ranges: Vec::new(),
            open: Vec::new(),
        };
        if line.flags.len() > MOST_FLAGS {
            return Err(shape("at most 32 flags of a node", "more".to_owned()));
        }
        line.primary = Some(primary).filter(|&primary| line.role() == Role::Replica && primary != "-");
        line.read_slots(fields)?;
        Ok(line)
    }

    /// Whether the node has this flag. See the [example](parse_node_lines#examples).
    pub fn has_flag(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    fn role(&self) -> Role {
        if self.has_flag("slave") || self.has_flag("replica") { Role::Replica } else { Role::Primary }
    }

    fn node(&self, answered_by: &str, dropped: &mut DropList) -> Result<AnnouncedNode, Skipped> {
        let said = Said {
            host: Some(self.host),
            port: self.port,
            id: Some(self.id),
            role: self.role(),
            hostname: self.hostname,
            ip: None,
            zone: None,
            health: self.health(),
        };
        // Both flags come with an address that is empty or not confirmed.
        match () {
            () if self.has_flag("noaddr") => Err(said.skipped(SkipReason::NoAddress)),
            () if self.has_flag("handshake") => Err(said.skipped(SkipReason::Handshake)),
            () => said.node(answered_by, dropped),
        }
    }

    fn health(&self) -> Health {
        if self.has_flag("fail") {
            Health::Failed
        } else if self.has_flag("fail?") || self.link != "connected" {
            Health::Unknown
        } else {
            Health::Online
        }
    }

    /// Slots are `7`, `0-5460`, and on the line of `myself` also `[slot->-id]` and `[slot-<-id]`.
    fn read_slots(&mut self, words: impl Iterator<Item = &'a str>) -> Result<(), ViewError> {
        for (count, word) in words.enumerate() {
            if count == MOST_SLOT_WORDS {
                return Err(shape("no more ranges in a line than there are slots", "more".to_owned()));
            }
            let bad = || ViewError::Slots(word.to_owned());
            match word.strip_prefix('[') {
                Some(rest) => {
                    self.open.push(rest.strip_suffix(']').and_then(OpenLine::parse).ok_or_else(bad)?);
                }
                None => {
                    let (first, last) = word.split_once('-').unwrap_or((word, word));
                    let number = |digits: &str| digits.parse().map_err(|_| bad());
                    self.ranges.push(SlotRange::from_wire(number(first)?, number(last)?).ok_or_else(bad)?);
                }
            }
        }
        Ok(())
    }
}

impl<'a> OpenLine<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let migrating = text.split_once("->-").map(|parts| (parts, MigrationSide::Migrating));
        let importing = || text.split_once("-<-").map(|parts| (parts, MigrationSide::Importing));
        let ((slot, peer), side) = migrating.or_else(importing)?;
        Some(Self { slot: Slot::new(slot.parse().ok()?)?, side, peer })
    }

    /// The move, unless its other end has no valid id.
    fn with_valid_peer(&self) -> Option<OpenSlot> {
        let peer = Some(self.peer).filter(|peer| Metadata::NodeId.allows(peer)).map(NodeId::from)?;
        Some(OpenSlot { slot: self.slot, side: self.side, peer })
    }
}
