//! What a scan could not return, and why.

use std::fmt;

use truename_topology::{Endpoint, SlotRange};

use crate::error::Error;

/// What a scan says in the place of keys.
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) {
/// use truename::scan::ScanError;
///
/// let mut keys = client.scan().keys();
/// while let Some(key) = keys.next().await {
///     match key {
///         Ok(key) => println!("{}", key.escape_ascii()),
///         Err(ScanError::Missing(missing)) => {
///             eprintln!("{missing}");
///             let slots: usize = missing.slots.iter().map(|range| range.count()).sum();
///             eprintln!("that is {slots} slots of {:?}: {:?}", missing.node, missing.cause);
///         }
///         Err(other) => eprintln!("{other}"),
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum ScanError {
    /// Not all keys of these slots were returned. The scan goes on with the others.
    Missing(Box<MissingSlots>),
    /// The cursor is of a scan with another pattern or type, so its end would not mean that all keys were returned. The
    /// scan ends.
    OtherScan,
}

/// Slots of which a scan did not return all keys.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MissingSlots {
    /// The slots.
    pub slots: Vec<SlotRange>,
    /// The node that should have been scanned, if there is one.
    pub node: Option<Endpoint>,
    /// Why it was not, or not to its end.
    pub cause: MissingCause,
}

/// Why keys are missing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum MissingCause {
    /// The node did not answer, or refused.
    Failed(Error),
    /// No node serves the slots.
    Unassigned,
    /// The slots moved, or were between two nodes, whenever they were looked at.
    Moving,
    /// The node was restarted or replaced each time before it was scanned to its end.
    Restarting,
    /// The node is cut off from most others, so another one may have its slots by now.
    CutOff,
    /// The other primaries did not say whether the node was replaced, as far as they could be asked.
    Unconfirmed,
    /// The node does not say what it has.
    Silent,
}

impl fmt::Display for MissingCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error}"),
            Self::Unassigned => f.write_str("no node serves them"),
            Self::Moving => f.write_str("they moved or were between two nodes for too long"),
            Self::Restarting => f.write_str("the node was restarted or replaced again and again"),
            Self::CutOff => f.write_str("the node is cut off from most others, and may have been replaced"),
            Self::Unconfirmed => {
                f.write_str("too few other primaries answered whether the node was replaced (CLUSTER NODES)")
            }
            Self::Silent => f.write_str(
                "the node does not say what it has (CLUSTER NODES), without which nobody can tell whether all keys were returned; \
                 connect to the servers themselves, not to a proxy that answers in their place",
            ),
        }
    }
}

impl fmt::Display for MissingSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        f.write_str("keys of slots ")?;
        for (place, range) in self.slots.iter().take(SHOWN).enumerate() {
            write!(f, "{}{range}", if place == 0 { "" } else { ", " })?;
        }
        if self.slots.len() > SHOWN {
            write!(f, " and {} more ranges", self.slots.len() - SHOWN)?;
        }
        f.write_str(" are missing")?;
        if let Some(node) = &self.node {
            write!(f, ", which {node} should have")?;
        }
        write!(f, ": {}", self.cause)
    }
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) => write!(f, "{missing}"),
            Self::OtherScan => f.write_str(
                "the cursor is of a scan with another pattern or type; resume it with the same ones",
            ),
        }
    }
}

/// The text, as `main` prints an error that it returns; with `{:#?}` the structure.
impl fmt::Debug for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) if f.alternate() => f.debug_tuple("Missing").field(missing).finish(),
            Self::OtherScan if f.alternate() => f.write_str("OtherScan"),
            told => write!(f, "{told}"),
        }
    }
}

/// Without a source: its text holds all that is known.
impl std::error::Error for ScanError {}

/// Without a source: its text holds all that is known.
impl std::error::Error for MissingSlots {}

#[cfg(test)]
mod tests {
    use super::super::slots::slots;
    use super::*;

    #[test]
    fn the_text_names_slots_node_and_cause() {
        let missing = |slots, node, cause| {
            ScanError::Missing(Box::new(MissingSlots { slots, node, cause })).to_string()
        };
        assert_eq!(
            missing(
                slots(0, 5460).ranges(),
                Some(Endpoint::new("10.0.0.4", 7000)),
                MissingCause::Failed(Error::Closed)
            ),
            "keys of slots 0-5460 are missing, which 10.0.0.4:7000 should have: the client is closed"
        );
        assert_eq!(format!("{:?}", ScanError::OtherScan), ScanError::OtherScan.to_string());
        assert_eq!(format!("{:#?}", ScanError::OtherScan), "OtherScan");
        let every_other: Vec<SlotRange> =
            (0..20u16).filter_map(|n| truename_topology::Slot::new(n * 2)).map(SlotRange::from).collect();
        assert_eq!(
            missing(every_other, None, MissingCause::Unassigned),
            "keys of slots 0, 2, 4, 6, 8, 10, 12, 14 and 12 more ranges are missing: no node serves them"
        );
    }
}
