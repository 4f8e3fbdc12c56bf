//! Why a lane has no connection: the cause that every command it failed can name.

use std::fmt;
use std::io;
use std::time::Duration;

use truename_resp::{DecodeError, Untrusted};

use crate::connect::is_closed;
use crate::error::{Cause, NodeFailure, Remedy};

/// What ended a connection, or kept it from coming up.
#[derive(Debug)]
pub(crate) enum CloseCause {
    /// Connecting failed; every dial attempt of this round with its own cause.
    Connect(Vec<NodeFailure>),
    /// The socket failed.
    Io(io::Error),
    /// The server closed the connection.
    PeerClosed,
    /// The server was silent for this long while a command was outstanding.
    Stalled(Duration),
    /// The oldest reply had been overdue for this long.
    Overdue(Duration),
    /// The server broke the protocol.
    Protocol(String),
    /// A reply exceeds the limits.
    ReplyTooLarge(String),
    /// It had nothing in flight any more and is replaced, as [`Lane::renew`](super::Lane::renew) asked. Fails no command.
    Renewed,
    /// The TLS options were replaced, and the new ones refuse the peer for this reason.
    TrustChanged(Cause),
    /// The topology changed while the command waited for a connection: route it again.
    Recalled,
    /// The node left the topology, or the client was closed.
    Retired,
    /// The task that drives the connection is gone: its runtime was shut down, or the task panicked.
    Abandoned,
    /// The task that drives the connection panicked, in code of ours or of the user's, and goes on with another one.
    Panicked(String),
    /// The node lost the slot that a command was waiting on, and does not say what became of the command.
    SlotMoved,
    /// The server ended a command's wait, and said so: it was not executed. In the server's words.
    Unblocked(String),
}

impl CloseCause {
    /// A failed socket. A TLS peer that vanished without a goodbye closed the connection like any other.
    pub(super) fn of(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::PeerClosed } else { Self::Io(error) }
    }

    /// A reply that is not RESP, or that exceeds the limits.
    pub(super) fn of_reply(error: DecodeError) -> Self {
        match error.kind.is_limit() {
            true => Self::ReplyTooLarge(error.to_string()),
            false => Self::Protocol(error.to_string()),
        }
    }

    /// The server said something that nobody had asked for.
    pub(crate) fn unsolicited() -> Self {
        Self::Protocol("an unsolicited reply".to_owned())
    }

    /// What would keep it from happening again, where that is known and not part of the text.
    pub(crate) fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Stalled(_) => Some(Remedy::MorePatience),
            Self::ReplyTooLarge(_) => Some(Remedy::LargerReplies),
            _ => None,
        }
    }

    /// What a command that was sent and got no reply is told.
    pub(crate) fn no_reply(&self) -> String {
        format!("no reply came: {self}")
    }

    /// The table: what follows from each cause. It does not compile without a row for every one.
    fn traits(&self) -> Traits {
        match self {
            Self::Connect(failures) => {
                let is_transient = failures.iter().any(|failure| failure.cause.is_transient());
                Traits { is_transient, ..USUAL }
            }
            Self::Io(error) => Traits {
                is_by_server: is_closed(error),
                may_be_a_commands_doing: error.kind() == io::ErrorKind::TimedOut,
                ..USUAL
            },
            Self::PeerClosed => Traits { is_by_server: true, ..USUAL },
            Self::Stalled(_)
            | Self::Overdue(_)
            | Self::Protocol(_)
            | Self::ReplyTooLarge(_)
            | Self::Panicked(_) => Traits { may_be_a_commands_doing: true, ..USUAL },
            Self::Renewed | Self::TrustChanged(_) | Self::Recalled | Self::SlotMoved | Self::Unblocked(_) => {
                USUAL
            }
            Self::Retired | Self::Abandoned => Traits { is_transient: false, ..USUAL },
        }
    }

    /// Whether the server itself ended the connection, so that it reads nothing more from it.
    ///
    /// After any other end, such as a silence that we lost patience with, what was sent may still be under way:
    /// a frozen server reads it when it thaws, after commands that came on newer connections.
    pub(crate) fn is_by_server(&self) -> bool {
        self.traits().is_by_server
    }

    /// Whether a command may have caused it: one that is slow, or whose reply exceeds a limit or makes our code or the
    /// user's panic. Then the oldest one is suspected, and those after it are sent again at most once: another such command
    /// may be ahead of them.
    pub(crate) fn may_be_a_commands_doing(&self) -> bool {
        self.traits().may_be_a_commands_doing
    }

    /// Whether trying the same node again soon can help.
    pub(crate) fn is_transient(&self) -> bool {
        self.traits().is_transient
    }
}

/// What follows from a cause, each as the method of the same name says.
struct Traits {
    is_by_server: bool,
    may_be_a_commands_doing: bool,
    is_transient: bool,
}

/// Nobody in particular ended the connection, and another one may be better.
const USUAL: Traits = Traits { is_by_server: false, may_be_a_commands_doing: false, is_transient: true };

impl fmt::Display for CloseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(failures) => match NodeFailure::decisive(failures) {
                Some(failure) => write!(f, "{}", failure.summary()),
                None => write!(f, "not connected"),
            },
            Self::Io(error) => write!(f, "the connection failed: {}", Untrusted(&error.to_string())),
            Self::PeerClosed => write!(f, "the server closed the connection"),
            Self::Stalled(silence) => {
                write!(
                    f,
                    "the server was silent for {} ms, and the connection was closed",
                    silence.as_millis()
                )
            }
            Self::Overdue(late) => write!(
                f,
                "a reply was still incomplete {} ms after its deadline, and the connection was closed",
                late.as_millis()
            ),
            Self::Protocol(what) | Self::ReplyTooLarge(what) => {
                write!(f, "the server broke the protocol: {}", Untrusted(what))
            }
            Self::Renewed => write!(f, "the connection was replaced because the node asked for it"),
            Self::TrustChanged(cause) => {
                write!(f, "the connection was closed because the new TLS options refuse its peer: {cause}")
            }
            Self::Recalled => write!(f, "the topology changed before the command was sent"),
            Self::Abandoned => f.write_str(
                "the connection's task is gone: the runtime that it ran on was shut down, or it panicked",
            ),
            Self::Retired => write!(f, "the node is no longer part of the topology"),
            Self::Panicked(what) => f.write_str(what),
            Self::SlotMoved => {
                write!(f, "the slot moved to another node, and this one does not say whether it answered")
            }
            Self::Unblocked(how) => write!(f, "the server ended the wait: {}", Untrusted(how)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a panic, reads were sent again until their deadlines, each time to panic again and to fail the other commands
    /// on the connection.
    #[test]
    fn what_follows_from_each_cause() {
        let io = |kind: io::ErrorKind| CloseCause::Io(kind.into());
        // By the server? A command's doing? Another try?
        let rows = [
            (CloseCause::Connect(Vec::new()), false, false, false),
            (io(io::ErrorKind::TimedOut), false, true, true),
            (io(io::ErrorKind::ConnectionReset), true, false, true),
            (CloseCause::PeerClosed, true, false, true),
            (CloseCause::Stalled(Duration::ZERO), false, true, true),
            (CloseCause::Overdue(Duration::ZERO), false, true, true),
            (CloseCause::Protocol(String::new()), false, true, true),
            (CloseCause::ReplyTooLarge(String::new()), false, true, true),
            (CloseCause::Panicked(String::new()), false, true, true),
            (CloseCause::Renewed, false, false, true),
            (CloseCause::TrustChanged(Cause::CertificateRevoked), false, false, true),
            (CloseCause::Recalled, false, false, true),
            (CloseCause::SlotMoved, false, false, true),
            (CloseCause::Unblocked(String::new()), false, false, true),
            (CloseCause::Retired, false, false, false),
            (CloseCause::Abandoned, false, false, false),
        ];
        for (cause, by_server, is_suspect, is_transient) in rows {
            assert_eq!(cause.is_by_server(), by_server, "{cause:?}");
            assert_eq!(cause.may_be_a_commands_doing(), is_suspect, "{cause:?}");
            assert_eq!(cause.is_transient(), is_transient, "{cause:?}");
        }
    }

    /// The advice was a part of the text, and named calls of the library to users of the tool.
    #[test]
    fn what_would_help_is_not_in_the_text() {
        for (cause, remedy) in [
            (CloseCause::Stalled(Duration::from_secs(2)), Some(Remedy::MorePatience)),
            (CloseCause::ReplyTooLarge("an array of 5 elements".to_owned()), Some(Remedy::LargerReplies)),
            (CloseCause::Protocol("an unsolicited reply".to_owned()), None),
            (CloseCause::PeerClosed, None),
        ] {
            assert_eq!(cause.remedy(), remedy, "{cause}");
            assert!(!cause.to_string().contains("::"), "{cause}");
        }
    }
}
