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
use crate::view::{MigrationSide, OpenSlot, SkipReason};
use crate::{Health, Metadata, NodeId, Role, ShardView, Slot, SlotRange, View, ViewError};

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
    // `vars` closes the file nodes.conf, which has the same lines.
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("vars "));
    for line in lines {
        let line = Line::parse(line)?;
        view.epoch = view.epoch.max(Some(line.config_epoch));
        // Replicas name their primary, which may come later in the text.
        let owner = line.primary.unwrap_or(line.id);
        let shard = *shard_of.entry(owner).or_insert_with(|| {
            view.shards.push(ShardView::default());
            view.shards.len() - 1
        });
        line.read_slots(&mut view.shards[shard].ranges, &mut view.open_slots)?;
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

/// The fields of one line.
struct Line<'a> {
    id: &'a str,
    address: &'a str,
    flags: &'a str,
    /// The primary's id, on the line of a replica.
    primary: Option<&'a str>,
    config_epoch: u64,
    link: &'a str,
    slots: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Result<Self, ViewError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [id, address, flags, primary, _ping, _pong, epoch, link, slots @ ..] = fields.as_slice() else {
            return Err(shape("a node line of eight fields", format!("`{text}`")));
        };
        let config_epoch = epoch.parse().map_err(|_| shape("a config epoch", format!("`{epoch}`")))?;
        let is_replica = flags.split(',').any(|flag| matches!(flag, "slave" | "replica"));
        let primary = Some(*primary).filter(|&primary| is_replica && primary != "-");
        Ok(Self { id, address, flags, primary, config_epoch, link, slots: slots.to_vec() })
    }

    fn has_flag(&self, flag: &str) -> bool {
        self.flags.split(',').any(|candidate| candidate == flag)
    }

    fn role(&self) -> Role {
        if self.has_flag("slave") || self.has_flag("replica") { Role::Replica } else { Role::Primary }
    }

    fn node(
        &self,
        answered_by: &str,
        dropped: &mut DropList,
    ) -> Result<crate::AnnouncedNode, crate::view::Skipped> {
        let (address, rest) = self.address.split_once(',').unwrap_or((self.address, ""));
        // `,hostname` may be followed by `,key=value` pairs, and may be empty itself.
        let hostname = rest.split(',').next().filter(|word| !word.contains('='));
        let (client, _bus) = address.rsplit_once('@').unwrap_or((address, ""));
        let (host, port) = client.rsplit_once(':').unwrap_or((client, ""));
        let said = Said {
            host: Some(host),
            port: port.parse().ok(),
            id: Some(self.id),
            role: self.role(),
            hostname,
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
    fn read_slots(&self, ranges: &mut Vec<SlotRange>, open: &mut Vec<OpenSlot>) -> Result<(), ViewError> {
        for word in &self.slots {
            let bad = || ViewError::Slots((*word).to_owned());
            match word.strip_prefix('[') {
                Some(rest) => open.extend(rest.strip_suffix(']').and_then(open_slot).ok_or_else(bad)?),
                None => {
                    let (first, last) = word.split_once('-').unwrap_or((word, word));
                    let number = |digits: &str| digits.parse().map_err(|_| bad());
                    ranges.push(SlotRange::from_wire(number(first)?, number(last)?).ok_or_else(bad)?);
                }
            }
        }
        Ok(())
    }
}

/// `Some(None)` for a move whose other end has no valid id.
fn open_slot(text: &str) -> Option<Option<OpenSlot>> {
    let migrating = text.split_once("->-").map(|parts| (parts, MigrationSide::Migrating));
    let importing = || text.split_once("-<-").map(|parts| (parts, MigrationSide::Importing));
    let ((slot, peer), side) = migrating.or_else(importing)?;
    let slot = Slot::new(slot.parse().ok()?)?;
    let peer = Some(peer).filter(|peer| Metadata::NodeId.allows(peer)).map(NodeId::from);
    Some(peer.map(|peer| OpenSlot { slot, side, peer }))
}
