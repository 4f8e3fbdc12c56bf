//! What a fault proxy can be asked to do.

use std::time::Duration;

/// What happens to all traffic of a proxy until another fault is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    #[default]
    Pass,
    /// Every portion of bytes waits before it is forwarded, in both directions. The next one is read only then.
    Delay {
        /// The shortest wait.
        by: Duration,
        /// Up to this much more, at random.
        jitter: Duration,
    },
    /// At most this many bytes per second and direction.
    Throttle {
        /// Bytes per second, at least 1.
        bytes_per_second: u32,
    },
    /// Every portion is written in pieces of random size.
    Split {
        /// The largest piece, at least 1.
        most: usize,
    },
    /// One direction stands still: nothing is read, so its sender's buffers fill.
    Stall(Direction),
    /// Connections are accepted and stay open, and nothing passes in either direction: no FIN, no RST. What was held
    /// back goes on when the fault ends, as after a healed partition.
    Blackhole,
    /// What is sent in portions of more than this many bytes does not arrive, and what is smaller does: a path that
    /// drops large packets without a word. Behind a portion that is missing nothing arrives either, in its direction and
    /// on its connection, as TCP keeps the order; it all goes on when the fault ends.
    ///
    /// A portion is what the sender has written by the time the proxy reads, 64 KiB at most.
    LargerThan(usize),
    /// Nobody listens. Connections that exist are left alone.
    Refuse,
    /// Nobody answers who connects, as at a [`Silent`](crate::Silent) address. Connections that exist are left alone.
    Unanswered,
    /// Connections are reset, the present ones and every new one.
    Reset,
}

/// One of the two streams of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server.
    Requests,
    /// From the server to the client.
    Replies,
}

/// Where a connection is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutPoint {
    /// Once this many further bytes of the requests were forwarded; with 0, when the next one arrives.
    Request(u64),
    /// Once this many further bytes of the replies were forwarded; with 0, when the next one arrives.
    Reply(u64),
    /// After this many further whole replies, when the first byte of the next one arrives: the server has executed
    /// the command and the client is not told. Pushes are not replies. Plaintext only; never reached over TLS.
    AfterReplies(u64),
}

/// What a client sees of the end of a connection. The server sees a FIN in any case, and executes what it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A FIN.
    Close,
    /// An RST.
    Reset,
    /// Nothing: the connection stays open and no further byte passes in the direction of the cut.
    Silence,
}

/// A connection's end at an exact place of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Where.
    pub point: CutPoint,
    /// How.
    pub ending: Ending,
}

impl Cut {
    /// A cut at this point with this ending.
    #[must_use]
    pub const fn new(point: CutPoint, ending: Ending) -> Self {
        Self { point, ending }
    }

    pub(super) const fn direction(&self) -> Direction {
        match self.point {
            CutPoint::Request(_) => Direction::Requests,
            CutPoint::Reply(_) | CutPoint::AfterReplies(_) => Direction::Replies,
        }
    }
}

impl Fault {
    /// Whether a portion of this many bytes has to wait; with 0, whether any has.
    pub(super) fn holds_back(self, direction: Direction, portion: usize) -> bool {
        match self {
            Self::Blackhole => true,
            Self::Stall(stalled) => stalled == direction,
            Self::LargerThan(most) => portion > most,
            _ => false,
        }
    }
}
