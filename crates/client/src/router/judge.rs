//! What to do about an attempt that returned no value: a pure decision, one row per case.
//!
//! | outcome | verdict | may it be sent again? |
//! |---|---|---|
//! | `MOVED` of the command's own slot to another node | [`Verdict::Moved`] | yes: refused |
//! | `ASK`, likewise | [`Verdict::Ask`] | yes: refused |
//! | either of them to the node that answered | [`Verdict::Reconnect`] | yes: refused |
//! | either of them of another slot, or to nowhere | [`Verdict::Wait`] | yes: refused |
//! | either of them, or `READONLY`, to a command for one node and no other | [`Verdict::Answer`] | - |
//! | `TRYAGAIN`, `CLUSTERDOWN`, `LOADING`, `MASTERDOWN`, `READONLY` | [`Verdict::Wait`] | yes: refused |
//! | the servers' own words of `TRYAGAIN`, from a compound command with several keys | [`Verdict::Wait`] | yes: refused |
//! | the text of a redirect from a compound command | [`Verdict::Doubt`] | once per node, if the node confirms it |
//! | `CLUSTERDOWN` and the like, from a compound command that may be repeated | [`Verdict::Retry`] | yes; it may have run |
//! | `CROSSSLOT`, from any other command | [`Verdict::Answer`]: refused | - |
//! | another error | [`Verdict::Answer`] | - |
//! | `Unsent` | [`Verdict::Resend`] | yes: never executed |
//! | `Lost`, ended by the server | [`Verdict::Resend`] or [`Verdict::Interrupted`] | as [`Repeat`] says |
//! | `Lost`, given up by us | [`Verdict::Resend`] or [`Verdict::Interrupted`] | as [`Repeat`] says, once |
//! | `LostAtHead` | as `Lost` if the server ended the connection, for the first two times; else [`Verdict::Interrupted`] | it may be why the connection ended |
//! | time is up | [`Verdict::TimedOut`] | - |
//!
//! What was sent on a connection that *we* gave up may be executed at any later time: a server that was frozen reads
//! it when it thaws. A write that was sent again by then would be overtaken by its own first copy, and so would
//! every write that followed it and was acknowledged. So a write is then reported, not repeated.
//!
//! An error from a compound command (a script, a function, any command that the table lacks) proves nothing: it can have
//! any text, and was made while the command ran. Two exceptions, for which each kind of server has one text: scripts that a
//! server does not have do not run, nor does what names several keys of a slot that is on its way and not all of them there;
//! what a script itself calls is refused in other words. A script can say them all the same: they count only where a server may
//! have said them, to keys that differ.
//!
//! Where it may be executed twice, what looks like a refusal is waited out; it is the result all the same if time runs out.
//!
//! What must stay true: no reply of a compound command leads to a node that only the reply names.

use std::sync::Arc;

use truename_resp::{ErrorReply, Reply};
use truename_topology::{Endpoint, Redirect, RedirectError, Slot, parse_redirect};

use crate::command::Repeat;
use crate::error::Execution;
use crate::lane::{CloseCause, Failure, Received};

/// What servers say about a script that they do not know: Redis 7.0 and 8.0; Valkey 8.1 and 9.1.
pub(super) const NO_SCRIPT: [&str; 2] =
    ["NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT No matching script."];

/// What servers say to several keys of a slot that is on its way (`clusterRedirectClient` in 7.0, 8.0 and Valkey 8.1).
const TRY_AGAIN: &str = "TRYAGAIN Multiple keys request during rehashing of slot";

/// An attempt that returned no value.
#[derive(Debug, Clone)]
pub(crate) enum Setback {
    Error(ErrorReply),
    Failure(Failure),
}

impl Setback {
    /// Sorts an outcome: a value is the answer.
    #[inline(always)]
    pub(crate) fn or_value(outcome: Result<Received, Failure>) -> Result<Received, Self> {
        match outcome {
            Ok(received) if !may_be_error(&received) => Ok(received),
            rare => Self::or_rare_value(rare),
        }
    }

    #[inline(never)]
    fn or_rare_value(outcome: Result<Received, Failure>) -> Result<Received, Self> {
        let received = outcome.map_err(Self::Failure)?;
        match received.error() {
            Some(error) => Err(Self::Error(error)),
            None => Ok(received.without_attributes()),
        }
    }
}

/// Whether it takes a closer look to tell a value from an error.
#[inline(always)]
pub(super) fn may_be_error(received: &Received) -> bool {
    match received {
        Received::Reply(reply) => matches!(reply, Reply::Error(_) | Reply::Attributed(_)),
        Received::Raw(frame) => matches!(frame.as_bytes().first(), Some(b'-' | b'!' | b'|')),
        Received::Replies(_) => false,
    }
}

/// What the judge must know about a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryTraits {
    /// Whether it is sent again when it is unknown whether it was executed.
    pub(crate) repeat: Repeat,
    /// It runs code from elsewhere: its errors prove nothing.
    pub(crate) compound: bool,
    /// It names a script by its digest, so the server may not have it.
    pub(crate) names_script: bool,
    /// The slot of its own keys.
    pub(crate) slot: Option<Slot>,
    /// It is unknown where its keys are.
    pub(crate) slot_is_guessed: bool,
    /// It names two keys that differ.
    pub(crate) has_several_keys: bool,
    /// It is for one node and no other.
    pub(crate) is_for_one_node: bool,
    /// It was lost before on a connection that some command may have brought down.
    pub(crate) was_bystander: bool,
    /// How often it was the oldest command on a connection that ended.
    pub(crate) times_oldest: u32,
}

impl RetryTraits {
    /// Those of a command of this slot that is sent once.
    pub(super) fn once(slot: Option<Slot>) -> Self {
        Self {
            repeat: Repeat::Never,
            compound: false,
            names_script: false,
            slot,
            slot_is_guessed: false,
            has_several_keys: false,
            is_for_one_node: false,
            was_bystander: false,
            times_oldest: 0,
        }
    }
}

/// How often a command may be the oldest one on a connection that the server ended, and be sent again: a server that closes
/// over a reply, such as one beyond its output buffer limit, does so every time.
const TIMES_OLDEST: u32 = 2;

/// What happens next.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The error is the answer.
    Answer { error: ErrorReply, execution: Execution },
    /// The slot lives elsewhere for good: note it, and send again there.
    Moved(Redirect),
    /// This key lives elsewhere for now: send it there after `ASKING`.
    Ask(Redirect),
    /// The node sends the command to itself, which is how managed services ask for a new connection.
    Reconnect(ErrorReply),
    /// The server refused for now: back off and route again.
    Wait(ErrorReply),
    /// It looks like a refusal and may be a result, but to execute the command twice does no harm: back off and route again.
    Retry(ErrorReply),
    /// It looks like a redirect and may be anything: see what the node itself says about the slot.
    Doubt { error: ErrorReply, hint: Hint },
    /// It was never executed, or may be executed again: route again. `is_lost`: its fate is unknown.
    Resend { cause: Arc<CloseCause>, is_lost: bool },
    /// It may have been executed: the caller must decide.
    Interrupted(Arc<CloseCause>),
    /// Time is up.
    TimedOut { submitted: bool },
}

/// What a redirect claims that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) slot: Slot,
    pub(crate) is_ask: bool,
    /// Compared with what the topology says, and never used by itself.
    pub(crate) to: Option<Endpoint>,
}

/// Decides about one setback. `answered_by` is the node that answered.
#[cold]
pub(crate) fn judge(setback: Setback, traits: RetryTraits, answered_by: &Endpoint) -> Verdict {
    match setback {
        Setback::Error(error) if traits.compound => judge_compound(error, traits, answered_by),
        Setback::Error(error) if traits.is_for_one_node && is_of_another(&error) => {
            Verdict::Answer { error, execution: Execution::Refused }
        }
        Setback::Error(error) => judge_error(error, traits.slot, answered_by),
        Setback::Failure(Failure::Unsent(cause)) => Verdict::Resend { cause, is_lost: false },
        Setback::Failure(Failure::LostAtHead(cause))
            if cause.may_be_a_commands_doing() || traits.times_oldest >= TIMES_OLDEST =>
        {
            Verdict::Interrupted(cause)
        }
        Setback::Failure(Failure::Lost(cause) | Failure::LostAtHead(cause)) => {
            let is_spent = traits.was_bystander && cause.may_be_a_commands_doing();
            let may_repeat = match traits.repeat {
                Repeat::Never => false,
                Repeat::IfServerEnded => cause.is_by_server(),
                Repeat::Always => true,
            };
            if may_repeat && !is_spent {
                Verdict::Resend { cause, is_lost: true }
            } else {
                Verdict::Interrupted(cause)
            }
        }
        Setback::Failure(Failure::TimedOut { submitted }) => Verdict::TimedOut { submitted },
    }
}

fn judge_error(error: ErrorReply, own: Option<Slot>, answered_by: &Endpoint) -> Verdict {
    match parse_redirect(error.message(), answered_by.host()) {
        Some(Ok(redirect)) if Some(redirect.slot()) != own => Verdict::Wait(error),
        Some(Ok(redirect)) if redirect.to() == answered_by => Verdict::Reconnect(error),
        Some(Ok(moved @ Redirect::Moved { .. })) => Verdict::Moved(moved),
        Some(Ok(ask @ Redirect::Ask { .. })) => Verdict::Ask(ask),
        // The node knows that it is not the owner and not who is: that is a topology in motion.
        Some(Err(_)) => Verdict::Wait(error),
        None if is_refusal(error.code()) => Verdict::Wait(error),
        // Servers look at the slots of all keys first (7.0).
        None if error.code() == "CROSSSLOT" => Verdict::Answer { error, execution: Execution::Refused },
        None => Verdict::Answer { error, execution: Execution::Possible },
    }
}

fn judge_compound(error: ErrorReply, traits: RetryTraits, answered_by: &Endpoint) -> Verdict {
    if traits.names_script && NO_SCRIPT.contains(&error.message()) {
        return Verdict::Answer { error, execution: Execution::Refused };
    }
    let is_of_own_keys = traits.has_several_keys && traits.slot.is_some() && !traits.slot_is_guessed;
    if error.message() == TRY_AGAIN && is_of_own_keys {
        return Verdict::Wait(error);
    }
    let is_ask = error.code() == "ASK";
    let hint = match parse_redirect(error.message(), answered_by.host()) {
        Some(Ok(redirect)) => Hint { slot: redirect.slot(), is_ask, to: Some(redirect.to().clone()) },
        Some(Err(RedirectError::UnknownEndpoint { slot })) => Hint { slot, is_ask, to: None },
        None if may_be_sent_again(&error, traits) => return Verdict::Retry(error),
        Some(Err(_)) | None => return Verdict::Answer { error, execution: Execution::Possible },
    };
    if !traits.is_for_one_node && (traits.slot_is_guessed || traits.slot == Some(hint.slot)) {
        Verdict::Doubt { error, hint }
    } else {
        Verdict::Answer { error, execution: Execution::Possible }
    }
}

/// Whether it may be a refusal, or a script's own words, and to execute the command twice does no harm. Whoever answered is done
/// with it: no copy of it is executed later.
fn may_be_sent_again(error: &ErrorReply, traits: RetryTraits) -> bool {
    let is_elsewhere = traits.is_for_one_node && is_of_another(error);
    traits.repeat != Repeat::Never && is_refusal(error.code()) && !is_elsewhere
}

/// Whether the error says that another node should have been asked.
fn is_of_another(error: &ErrorReply) -> bool {
    matches!(error.code(), "MOVED" | "ASK" | "READONLY")
}

/// Whether an error with this code is a refusal, unless the command is compound.
pub(super) fn is_refusal(code: &str) -> bool {
    matches!(code, "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    const OWN: u16 = 3999;

    fn slot(value: u16) -> Slot {
        Slot::new(value).expect("in range")
    }

    fn plain() -> RetryTraits {
        RetryTraits {
            repeat: Repeat::Never,
            compound: false,
            names_script: false,
            slot: Some(slot(OWN)),
            slot_is_guessed: false,
            has_several_keys: true,
            is_for_one_node: false,
            was_bystander: false,
            times_oldest: 0,
        }
    }

    fn script() -> RetryTraits {
        RetryTraits { compound: true, ..plain() }
    }

    fn repeat(repeat: Repeat) -> RetryTraits {
        RetryTraits { repeat, ..plain() }
    }

    /// The verdict in short.
    fn verdict(setback: Setback, traits: RetryTraits) -> String {
        let answered_by = Endpoint::new("answerer", 8501);
        match judge(setback, traits, &answered_by) {
            Verdict::Answer { execution, .. } => format!("answer {execution:?}"),
            Verdict::Moved(redirect) => format!("follow {redirect}"),
            Verdict::Ask(redirect) => format!("follow {redirect}"),
            Verdict::Reconnect(_) => "reconnect".into(),
            Verdict::Wait(_) => "wait".into(),
            Verdict::Retry(_) => "retry".into(),
            Verdict::Doubt { hint, .. } => format!("doubt {} {}", hint.slot, hint.is_ask),
            Verdict::Resend { is_lost, .. } => format!("resend {is_lost}"),
            Verdict::Interrupted(_) => "interrupted".into(),
            Verdict::TimedOut { submitted } => format!("timed out {submitted}"),
        }
    }

    #[test]
    fn every_error() {
        let guess = RetryTraits { slot_is_guessed: true, ..script() };
        let by_digest = RetryTraits { names_script: true, ..script() };
        let pinned = |traits| RetryTraits { is_for_one_node: true, ..traits };
        let keyless = |traits| RetryTraits { slot: None, ..traits };
        let harmless = |repeat| RetryTraits { repeat, ..script() };
        let (reading, repeatable) = (harmless(Repeat::IfServerEnded), harmless(Repeat::Always));
        for (text, traits, expected) in [
            ("MOVED 3999 10.0.0.5:8502", plain(), "follow MOVED 3999 10.0.0.5:8502"),
            ("MOVED 3999 :8502", plain(), "follow MOVED 3999 answerer:8502"),
            ("ASK 3999 10.0.0.5:8502", plain(), "follow ASK 3999 10.0.0.5:8502"),
            // Of another slot, or to where it comes from, or nowhere.
            ("MOVED 4000 10.0.0.5:8502", plain(), "wait"),
            ("ASK 4000 10.0.0.5:8502", plain(), "wait"),
            ("MOVED 3999 10.0.0.5:8502", keyless(plain()), "wait"),
            ("MOVED 3999 answerer:8501", plain(), "reconnect"),
            ("MOVED 3999 :8501", plain(), "reconnect"),
            ("ASK 3999 answerer:8501", plain(), "reconnect"),
            ("MOVED 4000 answerer:8501", plain(), "wait"),
            ("MOVED 3999 ?:8502", plain(), "wait"),
            ("MOVED 99999 a:1", plain(), "wait"),
            ("TRYAGAIN Multiple keys request during rehashing of slot", plain(), "wait"),
            ("CLUSTERDOWN The cluster is down", plain(), "wait"),
            ("LOADING Redis is loading the dataset in memory", plain(), "wait"),
            ("MASTERDOWN Link with MASTER is down", plain(), "wait"),
            ("READONLY You can't write against a read only replica.", plain(), "wait"),
            ("CROSSSLOT Keys in request don't hash to the same slot", plain(), "answer Refused"),
            ("WRONGTYPE Operation against a key", plain(), "answer Possible"),
            (NO_SCRIPT[0], plain(), "answer Possible"),
            // The caller named the node, and wants no other.
            ("MOVED 3999 10.0.0.5:8502", pinned(plain()), "answer Refused"),
            ("ASK 4000 10.0.0.5:8502", pinned(plain()), "answer Refused"),
            ("READONLY You can't write against a read only replica.", pinned(plain()), "answer Refused"),
            ("LOADING Redis is loading the dataset in memory", pinned(plain()), "wait"),
            ("MOVED 3999 10.0.0.5:8502", pinned(script()), "answer Possible"),
            // Compound commands: any text may be theirs.
            ("MOVED 3999 10.0.0.5:8502", script(), "doubt 3999 false"),
            ("ASK 3999 10.0.0.5:8502", script(), "doubt 3999 true"),
            ("MOVED 3999 ?:8502", script(), "doubt 3999 false"),
            ("MOVED 3999 answerer:8501", script(), "doubt 3999 false"),
            ("MOVED 5061 evil:1", script(), "answer Possible"),
            ("MOVED 5061 evil:1", guess, "doubt 5061 false"),
            ("MOVED 5061 evil:1", keyless(script()), "answer Possible"),
            ("MOVED x evil:1", script(), "answer Possible"),
            ("TRYAGAIN later", script(), "answer Possible"),
            (TRY_AGAIN, script(), "wait"),
            (TRY_AGAIN, guess, "answer Possible"),
            (TRY_AGAIN, keyless(script()), "answer Possible"),
            (TRY_AGAIN, RetryTraits { has_several_keys: false, ..script() }, "answer Possible"),
            (TRY_AGAIN, RetryTraits { has_several_keys: false, ..plain() }, "wait"),
            ("CROSSSLOT Keys in request don't hash to the same slot", script(), "answer Possible"),
            ("READONLY You can't write ... script: 1, on @user_script:1.", script(), "answer Possible"),
            ("LOADING", script(), "answer Possible"),
            ("CLUSTERDOWN", guess, "answer Possible"),
            ("MASTERDOWN", script(), "answer Possible"),
            (NO_SCRIPT[0], by_digest, "answer Refused"),
            (NO_SCRIPT[1], by_digest, "answer Refused"),
            (NO_SCRIPT[0], script(), "answer Possible"),
            ("NOSCRIPT of my own", by_digest, "answer Possible"),
            // To execute it twice does no harm.
            ("CLUSTERDOWN Hash slot not served", repeatable, "retry"),
            ("CLUSTERDOWN Hash slot not served", reading, "retry"),
            ("LOADING said the script", repeatable, "retry"),
            ("TRYAGAIN later", repeatable, "retry"),
            ("READONLY You can't write ... script: 1, on @user_script:1.", repeatable, "retry"),
            ("READONLY said the script", pinned(repeatable), "answer Possible"),
            ("LOADING said the script", pinned(repeatable), "retry"),
            ("MOVED 3999 10.0.0.5:8502", repeatable, "doubt 3999 false"),
            ("MOVED 5061 evil:1", repeatable, "answer Possible"),
            ("MOVED x evil:1", repeatable, "answer Possible"),
            ("ERR said the script", repeatable, "answer Possible"),
        ] {
            assert_eq!(verdict(Setback::Error(ErrorReply::new(text)), traits), expected, "{text} {traits:?}");
        }
    }

    #[test]
    fn every_failure() {
        use Failure::{Lost, LostAtHead, TimedOut, Unsent};
        use Repeat::{Always, IfServerEnded, Never};
        let closed = || Arc::new(CloseCause::PeerClosed);
        let io = |kind: io::ErrorKind| Arc::new(CloseCause::Io(kind.into()));
        let given_up = || Arc::new(CloseCause::Stalled(Duration::from_secs(2)));
        for (failure, repeats, expected) in [
            (Unsent(closed()), Never, "resend false"),
            (Unsent(given_up()), Never, "resend false"),
            (Lost(closed()), Never, "interrupted"),
            (Lost(closed()), IfServerEnded, "resend true"),
            (Lost(closed()), Always, "resend true"),
            (Lost(io(io::ErrorKind::ConnectionReset)), IfServerEnded, "resend true"),
            // The system's own patience with a silent peer.
            (Lost(io(io::ErrorKind::TimedOut)), IfServerEnded, "interrupted"),
            (Lost(given_up()), IfServerEnded, "interrupted"),
            (Lost(given_up()), Always, "resend true"),
            (Lost(Arc::new(CloseCause::Retired)), IfServerEnded, "interrupted"),
            (LostAtHead(given_up()), Always, "interrupted"),
            (TimedOut { submitted: true }, Always, "timed out true"),
            (TimedOut { submitted: false }, Always, "timed out false"),
        ] {
            let text = format!("{failure:?} {repeats:?}");
            assert_eq!(verdict(Setback::Failure(failure), repeat(repeats)), expected, "{text}");
        }
        // What one slow command, or one reply too large, costs all others on its connection, it costs them once.
        let oldest = |times_oldest| RetryTraits { times_oldest, ..repeat(Always) };
        for (times, expected) in [(0, "resend true"), (1, "resend true"), (2, "interrupted")] {
            assert_eq!(verdict(Setback::Failure(LostAtHead(closed())), oldest(times)), expected, "{times}");
        }
        assert_eq!(verdict(Setback::Failure(Lost(closed())), oldest(2)), "resend true");
        let bystander = RetryTraits { was_bystander: true, ..repeat(Always) };
        assert_eq!(verdict(Setback::Failure(Lost(given_up())), bystander), "interrupted");
        assert_eq!(verdict(Setback::Failure(Lost(closed())), bystander), "resend true");
    }

    #[test]
    fn a_value_is_the_answer() {
        let sorted = |reply| Setback::or_value(Ok(Received::Reply(reply))).map(Received::into_reply);
        assert_eq!(sorted(Reply::Nil).expect("a value"), Reply::Nil);
        let error = sorted(Reply::Error(ErrorReply::new("ERR x")));
        assert!(matches!(error, Err(Setback::Error(error)) if error.code() == "ERR"));
    }
}
