//! Where one command is to be read from, if its caller says so.
//!
//! What must stay true: it takes two words in a command, and a client's own preference costs no more than a comparison.

use crate::config::ReadFrom;

static PRIMARY: ReadFrom = ReadFrom::Primary;
static REPLICA: ReadFrom = ReadFrom::Replica;
static PREFER_REPLICA: ReadFrom = ReadFrom::PreferReplica;
static NEAREST: ReadFrom = ReadFrom::Nearest;

/// What a caller says about where a command is to be read from.
#[derive(Debug, Clone)]
pub(super) enum ReadBy {
    /// Nothing: the client's preference decides.
    Client,
    /// One of the preferences without a name in it.
    Fixed(&'static ReadFrom),
    /// One with a name.
    Named(Box<ReadFrom>),
}

impl ReadBy {
    pub(super) fn of(read_from: ReadFrom) -> Self {
        match read_from {
            ReadFrom::Primary => Self::Fixed(&PRIMARY),
            ReadFrom::Replica => Self::Fixed(&REPLICA),
            ReadFrom::PreferReplica => Self::Fixed(&PREFER_REPLICA),
            ReadFrom::Nearest => Self::Fixed(&NEAREST),
            named @ ReadFrom::Zone(_) => Self::Named(Box::new(named)),
        }
    }

    /// What was said.
    #[inline(always)]
    pub(super) fn said(&self) -> Option<&ReadFrom> {
        match self {
            Self::Client => None,
            Self::Fixed(read_from) => Some(read_from),
            Self::Named(read_from) => Some(read_from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd;

    #[test]
    fn what_was_said_is_what_counts() {
        let get = || cmd("GET").arg("k");
        assert_eq!(get().own_read_from(), None);
        for read_from in [
            ReadFrom::Primary,
            ReadFrom::Replica,
            ReadFrom::PreferReplica,
            ReadFrom::Nearest,
            ReadFrom::Zone("eu-west-1a".into()),
        ] {
            let command = get().read_from(read_from.clone());
            let (owned, same) = (command.clone().into_owned(), get().read_as(&command));
            for said in [command.borrowed().own_read_from(), same.own_read_from(), owned.own_read_from()] {
                assert_eq!(said, Some(&read_from));
            }
            assert_eq!(command.read_as_usual().own_read_from(), None);
        }
        assert!(size_of::<ReadBy>() <= 16);
    }
}
