//! What the decoder hands out: a reply, or a push.
//!
//! The two must stay different variants: replies answer commands in order, pushes answer nothing.

use bytes::Bytes;

use crate::Reply;

/// One complete unit of the stream from the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The answer to the oldest command that has none yet.
    Reply(Reply),
    /// Out-of-band data that answers no command.
    Push(Push),
}

/// An out-of-band message (RESP3 `>`): pub/sub messages, invalidations, `MONITOR` lines.
///
/// RESP2 has no pushes; there the same messages are plain arrays.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Push {
    /// The first element, which names the kind of message, for example `message` or `invalidate`.
    pub kind: Bytes,
    /// The elements after the first.
    pub items: Vec<Reply>,
}

impl Push {
    /// A push of this kind with these further elements.
    pub fn new(kind: impl Into<Bytes>, items: Vec<Reply>) -> Self {
        Self { kind: kind.into(), items }
    }
}
