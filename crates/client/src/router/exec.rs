//! What the replies to `MULTI`, the commands after it, and `EXEC` mean: a pure decision.
//!
//! | replies | [`Exec`] |
//! |---|---|
//! | an array | `Done`: all of them were executed |
//! | nil | `Raced`: none of them was |
//! | an error, of `EXEC` itself or of a command while it was queued | `Refused`: none of them was |
//! | the same, and `MULTI` was refused, too | `Loose`: they were executed one by one, or not |
//! | the connection ended, after a command was refused while it was queued | `Unsent`: the transaction was void |
//! | the connection ended before `EXEC` was sent | `Unsent`: none of them was executed |
//! | the connection ended, or time was up, after it was sent | `Unknown` |

use std::sync::Arc;

use truename_resp::{ErrorReply, Reply};

use crate::lane::{CloseCause, Failure, Received};

pub(super) const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
pub(super) const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// What servers say before the reason why they discard a transaction at `EXEC` (7.0).
const BECAUSE_OF: &str = "EXECABORT Transaction discarded because of: ";

/// What became of a transaction that was sent.
#[derive(Debug)]
pub(super) enum Exec {
    /// It was executed. The replies to its commands.
    Done(Vec<Reply>),
    /// A watched key was changed: nothing was executed.
    Raced,
    /// Nothing was executed, and this is why.
    Refused(ErrorReply),
    /// There was no transaction, so its commands were executed as they came, unless they were refused, too.
    Loose(ErrorReply),
    /// Nothing was executed: the connection ended.
    Unsent(Arc<CloseCause>),
    /// Nobody knows.
    Unknown(Failure),
    /// No server answers `EXEC` like this.
    Strange,
}

/// The replies that came for a unit of this length in bytes, and why there are no more. Whoever has the last byte has `EXEC`;
/// which of the commands was the oldest one makes no difference.
pub(super) fn replies_of(
    outcome: Result<Received, Failure>,
    length: impl FnOnce() -> u64,
) -> (Vec<Reply>, Option<Failure>) {
    match outcome {
        Ok(Received::Replies(replies)) => {
            let failure = replies.cut_short.map(|cut_short| cut_short.failure_of(length(), true));
            (replies.received.into_iter().map(Received::into_reply).collect(), failure)
        }
        Ok(_) => unreachable!("a unit was submitted"),
        Err(failure) => (Vec::new(), Some(failure)),
    }
}

/// Decides. `replies`: those to `MULTI`, to the commands and to `EXEC`, as far as they came; `failure`: why the last one did
/// not.
pub(super) fn judge_exec(mut replies: Vec<Reply>, failure: Option<Failure>) -> Exec {
    let last = if failure.is_none() { replies.pop().map(Reply::without_attributes) } else { None };
    let mut errors = replies.into_iter().map(Reply::without_attributes).enumerate();
    let first_error = errors.find_map(|(position, reply)| Some((position, reply.as_error()?.clone())));
    match (first_error, last) {
        (Some((0, error)), _) => Exec::Loose(error),
        (_, Some(Reply::Array(replies))) => Exec::Done(replies),
        (_, Some(Reply::Nil)) => Exec::Raced,
        (Some((_, reason)), Some(Reply::Error(_))) => Exec::Refused(reason),
        (None, Some(Reply::Error(error))) => Exec::Refused(reason(error)),
        (_, Some(_)) => Exec::Strange,
        (refused, None) => match failure {
            Some(Failure::Lost(cause) | Failure::LostAtHead(cause)) if refused.is_some() => {
                Exec::Unsent(cause)
            }
            Some(Failure::Unsent(cause)) => Exec::Unsent(cause),
            Some(failure) => Exec::Unknown(failure),
            None => Exec::Strange,
        },
    }
}

/// The reason that an error of `EXEC` names, or the error.
fn reason(error: ErrorReply) -> ErrorReply {
    match error.message().strip_prefix(BECAUSE_OF) {
        Some(reason) => ErrorReply::new(reason.to_owned()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &'static str) -> Reply {
        Reply::Error(ErrorReply::new(text))
    }

    #[test]
    fn what_the_replies_prove() {
        let ok = || Reply::Simple("OK".into());
        let queued = || Reply::Simple("QUEUED".into());
        let moved = || error("MOVED 7 10.0.0.4:1");
        let abort = || error("EXECABORT Transaction discarded because of previous errors.");
        let because = || error("EXECABORT Transaction discarded because of: READONLY You can't write.");
        let cause = || Arc::new(CloseCause::PeerClosed);
        let (lost, unsent) = (|| Some(Failure::Lost(cause())), || Some(Failure::Unsent(cause())));
        let late = || Some(Failure::TimedOut { submitted: true });
        let rows: [(Vec<Reply>, Option<Failure>, &str); 15] = [
            (vec![ok(), queued(), Reply::Array(vec![ok()])], None, "done"),
            (vec![ok(), queued(), Reply::Array(vec![error("WRONGTYPE x")])], None, "done"),
            (vec![ok(), queued(), Reply::Nil], None, "raced"),
            (vec![ok(), moved(), abort()], None, "refused MOVED"),
            (vec![ok(), queued(), moved()], None, "refused MOVED"),
            (vec![ok(), queued(), because()], None, "refused READONLY"),
            (vec![ok(), queued(), abort()], None, "refused EXECABORT"),
            (vec![error("NOPERM multi"), ok(), error("ERR EXEC without MULTI")], None, "loose NOPERM"),
            (vec![error("NOPERM multi"), ok()], lost(), "loose NOPERM"),
            (vec![ok(), queued()], lost(), "unknown"),
            (vec![], lost(), "unknown"),
            (vec![ok(), queued()], late(), "unknown"),
            (vec![ok(), queued()], unsent(), "unsent"),
            // It is void whatever else happens.
            (vec![ok(), moved()], lost(), "unsent"),
            (vec![ok(), queued(), ok()], None, "strange"),
        ];
        for (position, (replies, failure, expected)) in rows.into_iter().enumerate() {
            let found = match judge_exec(replies, failure) {
                Exec::Done(replies) => format!("done{}", if replies.len() == 1 { "" } else { "?" }),
                Exec::Raced => "raced".to_owned(),
                Exec::Refused(error) => format!("refused {}", error.code()),
                Exec::Loose(error) => format!("loose {}", error.code()),
                Exec::Unsent(_) => "unsent".to_owned(),
                Exec::Unknown(_) => "unknown".to_owned(),
                Exec::Strange => "strange".to_owned(),
            };
            assert_eq!(found, expected, "row {position}");
        }
    }
}
