//! [`Disagreement`]: what views did not agree on, in words.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use truename_resp::Untrusted;

use crate::{AnnouncedNode, Endpoint, NodeId, SlotRange};

/// Something that the views did not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disagreement {
    /// A view describes another cluster and was not believed.
    Foreign {
        /// Index of the view.
        view: usize,
    },
    /// The seeds describe another cluster, which replaces the known one: all of them, or most at a client's start.
    Replaced,
    /// A view names no owner for any slot and was not counted.
    Empty {
        /// Index of the view.
        view: usize,
    },
    /// Views name different owners.
    Owner {
        /// The slots.
        range: SlotRange,
        /// The owner that was adopted.
        adopted: Option<Endpoint>,
        /// Every owner that was named, with the indexes of the views that named it, ascending.
        claims: Vec<(Option<Endpoint>, Vec<usize>)>,
    },
    /// Views announce a node differently, or too few of them announce what is not known yet.
    Address {
        /// The node's id, where it is reported.
        node: Option<NodeId>,
        /// What was adopted or kept; `None` for a node that is unknown as yet.
        adopted: Option<AnnouncedAs>,
        /// Everything that was said, with the indexes of the views that said it, ascending.
        claims: Vec<(AnnouncedAs, Vec<usize>)>,
    },
    /// Views do not agree on whether a node follows a primary.
    Replica {
        /// The primary.
        primary: Endpoint,
        /// The node in question, as the first view announces it.
        replica: Endpoint,
        /// Whether it counts as a replica.
        adopted: bool,
        /// The indexes of the views that name it, ascending.
        named_by: Vec<usize>,
        /// How many views were counted.
        views: usize,
    },
    /// Views do not agree on whether there is a primary that owns no slot.
    Primary {
        /// The primary.
        primary: Endpoint,
        /// Whether it counts as one.
        adopted: bool,
        /// The indexes of the views that name it, ascending.
        named_by: Vec<usize>,
        /// How many views were counted.
        views: usize,
    },
}

/// A node's address and names, as announced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnouncedAs {
    /// The address.
    pub endpoint: Endpoint,
    /// The host name announced with it.
    pub hostname: Option<Arc<str>>,
    /// The IP address announced with it.
    pub ip: Option<IpAddr>,
}

impl AnnouncedAs {
    pub(super) fn of(node: &AnnouncedNode) -> Self {
        Self { endpoint: node.endpoint.clone(), hostname: node.hostname.clone(), ip: node.ip }
    }
}

impl fmt::Display for AnnouncedAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.endpoint)?;
        self.hostname.iter().try_for_each(|hostname| write!(f, " ({})", Untrusted(hostname)))?;
        self.ip.iter().try_for_each(|ip| write!(f, " ({ip})"))
    }
}

impl Disagreement {
    /// In words, with each view called what `name` calls it, and not by its index.
    pub fn named(&self, name: impl Fn(usize) -> String) -> impl fmt::Display {
        Named { disagreement: self, name }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, name: &dyn Fn(usize) -> String) -> fmt::Result {
        match self {
            Self::Foreign { view } => write!(f, "{} describes another cluster", name(*view)),
            Self::Replaced => f.write_str("the seeds describe another cluster, which replaces the known one"),
            Self::Empty { view } => write!(f, "{} names no owner for any slot", name(*view)),
            Self::Owner { range, adopted, claims } => {
                let noun = if range.count() == 1 { "slot" } else { "slots" };
                write!(f, "{noun} {range}: {} adopted; claimed by", or_no_node(adopted.as_ref()))?;
                list(f, claims.iter().map(|(owner, views)| (or_no_node(owner.as_ref()), views.len())))
            }
            Self::Address { node, adopted, claims } => {
                match node {
                    Some(id) => write!(f, "node {id}: ")?,
                    None => f.write_str("a node without an id: ")?,
                }
                match adopted {
                    Some(adopted) => write!(f, "{adopted} is used; announced as")?,
                    None => f.write_str("not used yet; announced as")?,
                }
                list(f, claims.iter().map(|(claim, views)| (claim.to_string(), views.len())))
            }
            Self::Primary { primary, adopted, named_by, views } => {
                let verdict = if *adopted { "is used" } else { "is not used" };
                let named = named_by.len();
                write!(f, "{primary} {verdict} as a primary without slots; named by {named} of {views} views")
            }
            Self::Replica { primary, replica, adopted, named_by, views } => {
                let verdict = if *adopted { "is used" } else { "is not used" };
                let named = named_by.len();
                write!(f, "{replica} {verdict} as a replica of {primary}; named by {named} of {views} views")
            }
        }
    }
}

struct Named<'a, N> {
    disagreement: &'a Disagreement,
    name: N,
}

impl<N: Fn(usize) -> String> fmt::Display for Named<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disagreement.write(f, &self.name)
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &|view| format!("view {view}"))
    }
}

fn or_no_node(owner: Option<&Endpoint>) -> String {
    owner.map_or_else(|| "no node".to_owned(), Endpoint::to_string)
}

/// ` a (1 view), b (2 views)`.
fn list(f: &mut fmt::Formatter<'_>, claims: impl Iterator<Item = (String, usize)>) -> fmt::Result {
    for (position, (claim, views)) in claims.enumerate() {
        let comma = if position == 0 { "" } else { "," };
        let noun = if views == 1 { "view" } else { "views" };
        write!(f, "{comma} {claim} ({views} {noun})")?;
    }
    Ok(())
}
