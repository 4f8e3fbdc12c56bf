//! [`Dropped`]: metadata of a node that is not what it claims to be, and was left out when it was parsed. The node itself
//! stays, without the part; so does the rest of the view.

// Must stay true: whatever a peer writes into an id, a host name or a zone, what a view holds of it is printable ASCII of
// bounded length.

use std::fmt;

use truename_resp::Untrusted;

use crate::endpoint::is_announceable;

/// What is kept of dropped metadata in one view: a hostile reply must not cost more than an honest one.
const MOST: usize = 20;

/// A part of a node's description that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Dropped {
    /// The address of the node, as announced.
    pub node: String,
    /// Which part.
    pub part: Metadata,
    /// What was announced in its place.
    pub announced: String,
}

/// A part of a node's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metadata {
    /// The node id: 1 to 64 printable ASCII characters without spaces. 40 hexadecimal digits on open-source servers.
    NodeId,
    /// The host name: one that could be looked up, of at most 255 characters.
    Hostname,
    /// The availability zone: 1 to 64 printable ASCII characters.
    AvailabilityZone,
}

impl Metadata {
    /// Whether text can be this.
    pub fn allows(self, text: &str) -> bool {
        match self {
            Self::NodeId => {
                (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
            }
            Self::Hostname => is_announceable(text),
            Self::AvailabilityZone => {
                (1..=64).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
            }
        }
    }
}

/// Collects what is dropped, once each and up to a bound.
#[derive(Debug, Default)]
pub(crate) struct DropList(Vec<Dropped>);

impl DropList {
    /// The text, if it can be this part of a node's description. An empty one says nothing.
    pub(crate) fn check<'t>(&mut self, node: &str, part: Metadata, text: &'t str) -> Option<&'t str> {
        if text.is_empty() {
            return None;
        }
        if part.allows(text) {
            return Some(text);
        }
        let dropped = Dropped { node: node.to_owned(), part, announced: text.to_owned() };
        if self.0.len() < MOST && !self.0.contains(&dropped) {
            self.0.push(dropped);
        }
        None
    }

    pub(crate) fn into_vec(self) -> Vec<Dropped> {
        self.0
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Metadata::NodeId => "node id",
            Metadata::Hostname => "host name",
            Metadata::AvailabilityZone => "availability zone",
        };
        let (node, announced) = (Untrusted(&self.node), Untrusted(&self.announced).up_to(64));
        write!(f, "{node}: `{announced}` is not a valid {part} and was ignored")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_an_id_a_name_or_a_zone() {
        use Metadata::*;
        for (part, text, allowed) in [
            (NodeId, "0123456789abcdef0123456789abcdef01234567", true),
            (NodeId, "1", true),
            (NodeId, "node-1:shard/2", true),
            (NodeId, "", false),
            (NodeId, "two words", false),
            (NodeId, "\u{1b}[2J", false),
            (NodeId, "\u{202e}id", false),
            (NodeId, &"x".repeat(64), true),
            (NodeId, &"x".repeat(65), false),
            (Hostname, "node-1.example.net", true),
            (Hostname, "redis_1", true),
            (Hostname, "2001:db8::7", true),
            (Hostname, "a/b", false),
            (Hostname, "b\u{fc}cher.example", false),
            (Hostname, &"x".repeat(256), false),
            (AvailabilityZone, "us-east-1a", true),
            (AvailabilityZone, "rack 7", true),
            (AvailabilityZone, "a\nb", false),
        ] {
            assert_eq!(part.allows(text), allowed, "{part:?} {text:?}");
        }
    }
}
