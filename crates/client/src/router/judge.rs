//! What to do about the outcome of one attempt: a pure decision, one row per case.
//!
//! | outcome | verdict | may it be sent again? |
//! |---|---|---|
//! | a reply | [`Verdict::Done`] | - |
//! | `MOVED` | [`Verdict::Moved`] | yes: refused |
//! | `ASK` | [`Verdict::Ask`] | yes: refused |
//! | `TRYAGAIN`, `CLUSTERDOWN`, `LOADING`, `MASTERDOWN` | [`Verdict::Wait`] | yes: refused |
//! | `READONLY` to a write | [`Verdict::Wait`] | yes: refused |
//! | `Unsent` | [`Verdict::Resend`] | yes: never executed |
//! | `Lost`, ended by the server | [`Verdict::Resend`] or [`Verdict::Interrupted`] | if repeatable |
//! | `Lost`, given up by us | [`Verdict::Resend`] or [`Verdict::Interrupted`] | if repeatable and harmless when late, once |
//! | `LostAtHead` | [`Verdict::Interrupted`] | no: it may be what the connection ended of |
//! | time is up | [`Verdict::TimedOut`] | - |
//! | another error | [`Verdict::Done`] | - |
//!
//! What was sent on a connection that *we* gave up may be executed at any later time: a server that was frozen reads
//! it when it thaws. A write that was sent again by then would be overtaken by its own first copy, and so would
//! every write that followed it and was acknowledged. So a write is then reported, not repeated.
//!
//! A script or transaction that ran partly can end in an error that looks like a refusal (scripts pass the codes
//! of inner errors on, server 7.0), so of those only redirects count: servers check the keys before they run it.

use truename_resp::Reply;
use truename_topology::{Redirect, RedirectError, parse_redirect};

use crate::connection::Failure;

/// What the judge must know of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// Executing it twice is as good as once.
    pub(crate) repeatable: bool,
    /// It does no harm when it is executed after commands that were sent later: it changes nothing.
    pub(crate) harmless_late: bool,
    /// It runs other commands: a script, a function, a transaction.
    pub(crate) compound: bool,
    /// It was lost before on a connection that some command may have brought down.
    pub(crate) was_bystander: bool,
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The outcome is the answer.
    Done,
    /// The slot lives elsewhere for good: note it, and send again there.
    Moved(Redirect),
    /// This key lives elsewhere for now: send again there behind `ASKING`.
    Ask(Redirect),
    /// The server refused for now: back off and route again.
    Wait,
    /// It was never executed, or may be executed again: route again.
    Resend,
    /// It may have been executed: the caller must decide.
    Interrupted,
    /// Time is up.
    TimedOut,
}

/// Decides about one outcome. `answered_by` is the host of the node that answered.
pub(crate) fn judge(
    outcome: &Result<Reply, Failure>,
    habits: impl Fn() -> Habits,
    answered_by: &str,
) -> Verdict {
    match outcome {
        Ok(reply) => match reply.as_error() {
            None => Verdict::Done,
            Some(error) => judge_error(error.message(), error.code(), habits, answered_by),
        },
        Err(Failure::Unsent(_)) => Verdict::Resend,
        Err(Failure::Lost(cause)) => {
            let Habits { repeatable, harmless_late, was_bystander, .. } = habits();
            let is_spent = was_bystander && cause.may_be_a_commands_doing();
            let may_repeat = repeatable && !is_spent && (harmless_late || cause.is_by_server());
            if may_repeat { Verdict::Resend } else { Verdict::Interrupted }
        }
        Err(Failure::LostAtHead(_)) => Verdict::Interrupted,
        Err(Failure::TimedOut { .. }) => Verdict::TimedOut,
    }
}

#[cold]
fn judge_error(text: &str, code: &str, habits: impl Fn() -> Habits, answered_by: &str) -> Verdict {
    match parse_redirect(text, answered_by) {
        Some(Ok(moved @ Redirect::Moved { .. })) => return Verdict::Moved(moved),
        Some(Ok(ask @ Redirect::Ask { .. })) => return Verdict::Ask(ask),
        // The node knows that it is not the owner and not who is: that is a topology in motion.
        Some(Err(RedirectError::UnknownEndpoint { .. })) => return Verdict::Wait,
        Some(Err(_)) | None => {}
    }
    if is_refusal(code) && !habits().compound { Verdict::Wait } else { Verdict::Done }
}

/// Whether an error with this code proves that the command was not executed, unless the command is compound.
pub(crate) fn is_refusal(code: &str) -> bool {
    matches!(code, "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use truename_resp::ErrorReply;
    use truename_topology::{Endpoint, Slot};

    use super::*;
    use crate::connection::CloseCause;

    const PLAIN: Habits =
        Habits { repeatable: false, harmless_late: false, compound: false, was_bystander: false };
    const REPEATABLE: Habits = Habits { repeatable: true, ..PLAIN };
    const READ: Habits = Habits { harmless_late: true, ..REPEATABLE };
    const BYSTANDER: Habits = Habits { was_bystander: true, ..READ };
    const SCRIPT: Habits = Habits { compound: true, ..PLAIN };

    fn error(text: &'static str) -> Result<Reply, Failure> {
        Ok(Reply::Error(ErrorReply::new(text)))
    }

    #[test]
    fn every_row_of_the_table() {
        let slot = Slot::new(3999).expect("in range");
        let to = Endpoint::new("10.0.0.5", 8502);
        let same_host = Endpoint::new("answerer", 8502);
        let cause = || Arc::new(CloseCause::PeerClosed);
        let io = |kind: io::ErrorKind| Arc::new(CloseCause::Io(kind.into()));
        let given_up = || Arc::new(CloseCause::Stalled(Duration::from_secs(2)));
        let rows: Vec<(Result<Reply, Failure>, Habits, Verdict)> = vec![
            (Ok(Reply::Nil), PLAIN, Verdict::Done),
            (
                error("MOVED 3999 10.0.0.5:8502"),
                PLAIN,
                Verdict::Moved(Redirect::Moved { slot, to: to.clone() }),
            ),
            (error("MOVED 3999 :8502"), PLAIN, Verdict::Moved(Redirect::Moved { slot, to: same_host })),
            (error("MOVED 3999 ?:8502"), PLAIN, Verdict::Wait),
            (
                error("MOVED 3999 10.0.0.5:8502"),
                SCRIPT,
                Verdict::Moved(Redirect::Moved { slot, to: to.clone() }),
            ),
            (error("ASK 3999 10.0.0.5:8502"), PLAIN, Verdict::Ask(Redirect::Ask { slot, to })),
            (error("TRYAGAIN Multiple keys request during rehashing of slot"), PLAIN, Verdict::Wait),
            (error("CLUSTERDOWN The cluster is down"), PLAIN, Verdict::Wait),
            (error("LOADING Redis is loading the dataset in memory"), PLAIN, Verdict::Wait),
            (error("MASTERDOWN Link with MASTER is down"), PLAIN, Verdict::Wait),
            (error("READONLY You can't write against a read only replica."), PLAIN, Verdict::Wait),
            (error("READONLY You can't write ... script: 1, on @user_script:1."), SCRIPT, Verdict::Done),
            (error("WRONGTYPE Operation against a key"), REPEATABLE, Verdict::Done),
            (Err(Failure::Unsent(cause())), PLAIN, Verdict::Resend),
            (Err(Failure::Lost(cause())), PLAIN, Verdict::Interrupted),
            (Err(Failure::Lost(cause())), REPEATABLE, Verdict::Resend),
            (Err(Failure::Lost(io(io::ErrorKind::ConnectionReset))), REPEATABLE, Verdict::Resend),
            // The system's own patience with a silent peer.
            (Err(Failure::Lost(io(io::ErrorKind::TimedOut))), REPEATABLE, Verdict::Interrupted),
            (Err(Failure::Lost(given_up())), REPEATABLE, Verdict::Interrupted),
            (Err(Failure::Lost(given_up())), READ, Verdict::Resend),
            // What one slow command, or one reply too large, costs all others on its connection, it costs them once.
            (Err(Failure::Lost(given_up())), BYSTANDER, Verdict::Interrupted),
            (Err(Failure::Lost(cause())), BYSTANDER, Verdict::Resend),
            (Err(Failure::LostAtHead(given_up())), READ, Verdict::Interrupted),
            (Err(Failure::Lost(Arc::new(CloseCause::Retired))), REPEATABLE, Verdict::Interrupted),
            (Err(Failure::Unsent(given_up())), PLAIN, Verdict::Resend),
            (Err(Failure::TimedOut { submitted: true }), REPEATABLE, Verdict::TimedOut),
        ];
        for (outcome, habits, verdict) in rows {
            assert_eq!(judge(&outcome, || habits, "answerer"), verdict, "{outcome:?}");
        }
    }
}
