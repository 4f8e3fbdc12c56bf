//! A unit of one or more commands, and its replies.
//!
//! A [`Unit`] is one contiguous run of bytes in the stream with one waiter: a command, `ASKING` and a
//! command, a transaction, or many commands of one batch. The pipeline counts its replies: the first ones may be
//! dropped, all others are collected, each in the [`Form`] that was asked for.
//!
//! What must stay true: however a unit of several commands ends, no reply is lost, and for each unanswered command it is
//! known whether it was sent ([`CutShort`]).

use truename_resp::{ErrorReply, RawFrame, Reply};

use super::failure::Failure;

/// In which form a reply is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a value.
    Decoded,
    /// As the bytes that came.
    Raw,
}

/// The replies that belong to what is submitted as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Replies still to come that are dropped.
    pub(super) preamble: u32,
    /// Replies still to come after those that are collected.
    pub(super) collected: u32,
    /// Whether the outcome is [`Received::Replies`].
    pub(super) is_plural: bool,
    pub(super) form: Form,
    /// One decoded reply and nothing else: what nearly every unit is, told by one comparison.
    pub(super) is_plain: bool,
}

impl Unit {
    /// One command.
    pub(crate) const fn command(form: Form) -> Self {
        let is_plain = matches!(form, Form::Decoded);
        Self { preamble: 0, collected: 1, is_plural: false, form, is_plain }
    }

    /// This many commands.
    pub(crate) const fn commands(count: u32, form: Form) -> Self {
        Self { preamble: 0, collected: count, is_plural: true, form, is_plain: false }
    }

    /// The same after commands whose replies are dropped.
    pub(crate) const fn after(self, preamble: u32) -> Self {
        Self { preamble, is_plain: false, ..self }
    }

    /// Whether the next reply is the whole outcome.
    #[inline(always)]
    pub(super) fn is_last(self) -> bool {
        self.is_plain || self.preamble == 0 && self.collected == 1 && !self.is_plural
    }
}

/// What came back for a unit.
#[derive(Debug)]
pub(crate) enum Received {
    /// The reply to a command.
    Reply(Reply),
    /// The same, as it came.
    Raw(RawFrame),
    /// The replies to several commands.
    Replies(Box<Replies>),
}

impl Received {
    /// The value, where one decoded reply was asked for.
    #[inline]
    pub(crate) fn into_reply(self) -> Reply {
        match self {
            Self::Reply(reply) => reply,
            Self::Raw(_) | Self::Replies(_) => unreachable!("one decoded reply was asked for"),
        }
    }

    /// The bytes, where one reply was asked for as it comes.
    #[inline]
    pub(crate) fn into_raw(self) -> RawFrame {
        match self {
            Self::Raw(frame) => frame,
            Self::Reply(_) | Self::Replies(_) => unreachable!("one raw reply was asked for"),
        }
    }

    /// The value without what a server says about it.
    pub(crate) fn without_attributes(self) -> Self {
        match self {
            Self::Reply(reply) => Self::Reply(reply.without_attributes()),
            other => other,
        }
    }

    /// The error that a server answered with.
    pub(crate) fn error(&self) -> Option<ErrorReply> {
        match self {
            Self::Reply(reply) => reply.as_error().cloned(),
            Self::Raw(frame) => frame.error(),
            Self::Replies(_) => None,
        }
    }
}

/// The replies to a unit of several commands, in order.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    pub(crate) received: Vec<Received>,
    /// Why there are no more.
    pub(crate) cut_short: Option<CutShort>,
}

impl Replies {
    pub(super) fn with_room(replies: usize) -> Box<Self> {
        Box::new(Self { received: Vec::with_capacity(replies), cut_short: None })
    }
}

/// Why a unit of several commands has fewer replies.
#[derive(Debug, Clone)]
pub(crate) struct CutShort {
    pub(super) failure: Failure,
    /// How many of the unit's bytes the transport had accepted.
    pub(super) accepted: u64,
    /// Whether the first command without a reply was the oldest one on the connection.
    pub(super) is_oldest: bool,
}

impl CutShort {
    /// The connection ended after so many bytes.
    #[cfg(test)]
    pub(crate) fn lost(cause: std::sync::Arc<super::CloseCause>, accepted: u64) -> Self {
        Self { failure: Failure::Lost(cause), accepted, is_oldest: true }
    }

    /// How a command without a reply ended. `end`: where its last byte is in the unit. `is_first`: all commands before it
    /// were answered.
    pub(crate) fn failure_of(&self, end: u64, is_first: bool) -> Failure {
        let was_sent = end <= self.accepted;
        match &self.failure {
            // What was encoded stays in the stream, and may be sent and executed later.
            Failure::TimedOut { .. } => self.failure.clone(),
            Failure::Unsent(cause) | Failure::Lost(cause) | Failure::LostAtHead(cause) => {
                match (was_sent, is_first && self.is_oldest) {
                    (false, _) => Failure::Unsent(cause.clone()),
                    (true, true) => Failure::LostAtHead(cause.clone()),
                    (true, false) => Failure::Lost(cause.clone()),
                }
            }
        }
    }
}
