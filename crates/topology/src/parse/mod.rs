//! Replies to the `CLUSTER` commands, read into a [`View`].
//!
//! | module | command | since |
//! |---|---|---|
//! | `slots` | `CLUSTER SLOTS` | 3.0; metadata since 7.0 |
//! | `shards` | `CLUSTER SHARDS` | 7.0 |
//! | `nodes` | `CLUSTER NODES` | 3.0; host names since 7.0 |
//!
//! What holds for all three:
//! - One node that cannot be addressed is reported in [`View::skipped`]; it never spoils the rest.
//! - Metadata that is not valid is reported in [`View::dropped`]; the node stays without it.
//! - A reply that names more than [`SlotMap::MAX_NODES`] nodes is refused.
//! - Unknown fields and extra elements are ignored, so that newer servers stay readable.
//! - A reply of the wrong shape, or one that contradicts itself, is an error and never half a view.

pub(crate) mod nodes;
pub(crate) mod shards;
pub(crate) mod slots;

use std::net::IpAddr;

use truename_resp::Reply;

use crate::dropped::DropList;
use crate::endpoint::{is_announced_host, says_host};
use crate::view::{SkipReason, Skipped};
use crate::{AnnouncedNode, Endpoint, Health, Metadata, NodeId, Role, Slot, SlotMap, View, ViewError};

/// What a reply says about one node, before it is known whether that is an address.
struct Said<'a> {
    /// `None` for text that is not UTF-8 or no text at all; `""` for NULL.
    host: Option<&'a str>,
    port: Option<u16>,
    id: Option<&'a str>,
    role: Role,
    hostname: Option<&'a str>,
    ip: Option<&'a str>,
    zone: Option<&'a str>,
    health: Health,
}

impl Said<'_> {
    /// The node, or why it has to be skipped.
    fn node(&self, answered_by: &str, dropped: &mut DropList) -> Result<AnnouncedNode, Skipped> {
        let endpoint = self.endpoint(answered_by).map_err(|why| self.skipped(why))?;
        let name = endpoint.to_string();
        let mut valid = |part, text: Option<&'_ str>| {
            dropped.check(&name, part, text.unwrap_or_default()).unwrap_or_default().to_owned()
        };
        let id = valid(Metadata::NodeId, self.id);
        let zone = valid(Metadata::AvailabilityZone, self.zone);
        // `?` is how a server says that it does not know.
        let hostname = valid(Metadata::Hostname, self.hostname.filter(|hostname| *hostname != "?"));
        // `cluster-announce-ip` takes a host name too, so an "ip" that is not an address is a host name.
        let ip = self.ip.unwrap_or_default().parse::<IpAddr>();
        let stand_in = self.ip.filter(|host| ip.is_err() && hostname.is_empty() && *host != "?");
        let stand_in = valid(Metadata::Hostname, stand_in);
        let mut node = AnnouncedNode::new(endpoint, self.role)
            .with_availability_zone(&zone)
            .with_health(self.health)
            .with_assumed_host(self.host.is_some_and(|host| !says_host(host)));
        node.id = (!id.is_empty()).then(|| NodeId::new(id));
        node = node.with_hostname(if hostname.is_empty() { &stand_in } else { &hostname });
        Ok(match ip {
            Ok(ip) => node.with_ip(ip),
            Err(_) => node,
        })
    }

    fn skipped(&self, why: SkipReason) -> Skipped {
        let port = self.port.map_or_else(|| "?".to_owned(), |port| port.to_string());
        let announced = format!("{}:{port}", self.host.unwrap_or_default());
        Skipped { id: self.node_id(), announced, why }
    }

    fn node_id(&self) -> Option<NodeId> {
        self.id.filter(|id| Metadata::NodeId.allows(id)).map(NodeId::from)
    }

    fn endpoint(&self, answered_by: &str) -> Result<Endpoint, SkipReason> {
        let host = self.host.filter(|host| is_announced_host(host)).ok_or(SkipReason::BadHost)?;
        let port = self.port.filter(|&port| port != 0);
        // An unknown host explains more than the port that comes with it.
        match Endpoint::announced(host, port.unwrap_or_default(), answered_by) {
            None => Err(SkipReason::UnknownEndpoint),
            Some(_) if port.is_none() => Err(SkipReason::BadPort),
            Some(endpoint) => Ok(endpoint),
        }
    }
}

/// The elements of an array, or an error that says what was wanted.
fn array<'a>(reply: &'a Reply, wanted: &'static str) -> Result<&'a [Reply], ViewError> {
    match reply.as_error() {
        Some(error) => Err(ViewError::Refused(error.message().to_owned())),
        None => reply.as_array().ok_or_else(|| shape(wanted, reply.kind())),
    }
}

fn shape(wanted: &'static str, got: impl Into<String>) -> ViewError {
    ViewError::Shape { wanted, got: got.into() }
}

/// A host: text, or `""` for NULL. `None` for anything else.
fn host_word(reply: &Reply) -> Option<&str> {
    if reply.is_nil() { Some("") } else { reply.as_str() }
}

fn port_number(reply: &Reply) -> Option<u16> {
    u16::try_from(reply.as_integer()?).ok()
}

/// The view, if it does not contradict itself.
fn checked(view: View) -> Result<View, ViewError> {
    let nodes = view.nodes().count() + view.skipped.len();
    if nodes > SlotMap::MAX_NODES {
        return Err(ViewError::TooManyNodes(nodes));
    }
    let mut claimed = vec![false; Slot::COUNT];
    for range in view.shards.iter().flat_map(|shard| &shard.ranges) {
        for slot in range.slots() {
            if std::mem::replace(&mut claimed[slot.index()], true) {
                return Err(ViewError::Overlap { slot });
            }
        }
    }
    Ok(view)
}
