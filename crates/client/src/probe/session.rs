//! A verified connection for questions of one's own.
//!
//! Invariants: no reply is taken for the answer to another question, so a session ends with the first one
//! that does not come; nothing that is handed out contains the password, if the server has not put it into
//! data.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use truename_resp::{ErrorReply, Limits, Reply};

use super::subject::Subject;
use crate::config::Credentials;
use crate::connect::{
    Connected, ConnectionFacts, Connector, KnownNode, Target, WireError, budget, handshake_cause,
    hide_secret, without_secret,
};
use crate::error::{Cause, NodeFailure, Phase};

/// A connection to a seed or node on which it proved everything that a client asks for, and was logged in to.
///
/// Nobody else uses it, and it is closed when it is dropped. Its questions may be any commands that are
/// answered once and leave the connection as it is, so not `MONITOR`, `SUBSCRIBE` or `CLIENT REPLY`. See the
/// [example](super::Probe#examples).
pub struct Session {
    connector: Arc<Connector>,
    target: Target,
    connected: Connected,
    /// Why there are no answers any more.
    over: Option<Cause>,
}

/// How much a reply may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Budget {
    /// 64 KiB and 1,024 values: more than `INFO` or `CLUSTER INFO` says.
    #[default]
    Small,
    /// As much as `CLUSTER SLOTS`, `SHARDS`, `NODES` and `LINKS` of the largest cluster take: about 400 MiB
    /// at most, so do not ask many nodes that you do not trust for so much at the same time.
    Topology,
}

/// What became of some questions. See the [example](super::Probe#examples).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Asked {
    /// The replies, in the order of the questions; fewer than these if one did not come. Errors are replies
    /// like any other; the password is not in their text.
    pub replies: Vec<Reply>,
    /// How long it took until the last reply was there, or none was waited for any more.
    pub took: Duration,
    /// Why no more replies came; `None` when all of them did. [`Cause::NotRedis`] is also what is said of a
    /// reply beyond the [`Budget`].
    pub end: Option<Cause>,
}

impl Budget {
    fn limits(self) -> Limits {
        match self {
            Self::Small => budget::greeting(),
            Self::Topology => budget::topology(),
        }
    }
}

impl Session {
    pub(super) fn new(connector: &Arc<Connector>, target: Target, connected: Connected) -> Self {
        Self { connector: Arc::clone(connector), target, connected, over: None }
    }

    /// What was learnt while the connection was made. See the [example](super::Probe#examples).
    pub fn facts(&self) -> &ConnectionFacts {
        &self.connected.facts
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Whether nothing is answered any more.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Sends these commands, each given as its words, and waits for their replies no longer than `until`.
    /// Nothing is sent after that time.
    ///
    /// The commands are sent together and are executed even if one of them fails. After a reply that did not
    /// come, or came too late, the session is over: whatever is asked then is not sent, and [`Asked::end`]
    /// says the same again. See the [example](super::Probe#examples).
    ///
    /// # Cancel safety
    /// Dropping the future ends the session, as what was asked may still be answered.
    pub async fn ask(&mut self, commands: &[&[&[u8]]], budget: Budget, until: Instant) -> Asked {
        let mut asked = self.ask_as_it_comes(commands, budget, until).await;
        if let Some(credentials) = self.credentials() {
            asked.replies.iter_mut().for_each(|reply| hide_in(reply, credentials));
        }
        asked
    }

    /// One question, and how long its reply took. It is as it came: what an error means is to be judged
    /// before anything in it is hidden.
    pub(super) async fn ask_one(
        &mut self,
        command: &[&[u8]],
        budget: Budget,
        until: Instant,
    ) -> (Result<Reply, Cause>, Duration) {
        let mut asked = self.ask_as_it_comes(&[command], budget, until).await;
        let reply = match (asked.replies.pop(), asked.end) {
            (Some(reply), None) => Ok(reply),
            (_, end) => Err(end.unwrap_or(Cause::ClosedByPeer)),
        };
        (reply, asked.took)
    }

    async fn ask_as_it_comes(&mut self, commands: &[&[&[u8]]], budget: Budget, until: Instant) -> Asked {
        let begun = Instant::now();
        let mut replies = Vec::with_capacity(commands.len());
        let end = match &self.over {
            Some(over) => Some(over.clone()),
            None if commands.is_empty() => None,
            None if until <= begun => Some(Cause::TimedOut),
            None => {
                // For the time of the exchange, in case that it is dropped.
                self.over = Some(Cause::Io("an earlier question was given up".to_owned()));
                self.over = self.exchange(commands, budget, until, &mut replies).await;
                self.over.clone()
            }
        };
        Asked { replies, took: begun.elapsed(), end }
    }

    /// Why it ended before there was a reply to every command.
    async fn exchange(
        &mut self,
        commands: &[&[&[u8]]],
        budget: Budget,
        until: Instant,
        replies: &mut Vec<Reply>,
    ) -> Option<Cause> {
        let wire = &mut self.connected.wire;
        let talk = async {
            wire.limit_replies(budget.limits());
            replies.push(wire.ask(commands).await?);
            while replies.len() < commands.len() {
                replies.push(wire.reply().await?);
            }
            Ok::<(), WireError>(())
        };
        let talked = tokio::time::timeout_at(until.into(), talk).await;
        match talked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(without_secret(handshake_cause(error).1, self.credentials())),
            Err(_) => Some(Cause::TimedOut),
        }
    }

    /// Whether this connection is what a new one to `subject` would be: dialled at the same address, to a
    /// peer that proved what is asked for and reported the node's id. If so, it is taken for one from now on,
    /// and a second connection is spared.
    ///
    /// It is false of a session that is over, and of a node that does not report its id. See the
    /// [example](super::Probe#examples).
    pub fn also_serves(&mut self, subject: &Subject) -> bool {
        let target = subject.target();
        let known = KnownNode::default();
        let serves =
            self.over.is_none() && self.connector.adopts(&mut self.connected, &self.target, &target, &known);
        if serves {
            self.target = target;
        }
        serves
    }

    /// The report of a question that was not answered as it should be, with what would help: the same that a
    /// client makes of such a failure. `elapsed` is how long the question took.
    ///
    /// ```no_run
    /// # async fn example(session: &mut truename::probe::Session) {
    /// use std::time::{Duration, Instant};
    /// use truename::error::Phase;
    /// use truename::probe::Budget;
    ///
    /// let asked = session.ask(&[&[b"PING"]], Budget::Small, Instant::now() + Duration::from_secs(1)).await;
    /// if let Some(cause) = asked.end {
    ///     eprintln!("{}", session.failure(Phase::Ping, cause, asked.took));
    /// }
    /// # }
    /// ```
    pub fn failure(&self, phase: Phase, cause: Cause, elapsed: Duration) -> NodeFailure {
        self.connector.failure_after(&self.target, self.facts(), phase, cause, elapsed)
    }

    fn credentials(&self) -> Option<&Credentials> {
        self.connector.env.login.credentials.as_ref()
    }
}

/// Without what is on its way, which may contain anything.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("node", &self.target.node.endpoint)
            .field("facts", self.facts())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

/// Takes the password out of a server's own words, which are errors and states, wherever they are in a reply.
fn hide_in(reply: &mut Reply, credentials: &Credentials) {
    match reply {
        Reply::Error(error) => {
            if let Some(hidden) = hidden(error.as_bytes(), credentials) {
                *error = ErrorReply::new(hidden);
            }
        }
        Reply::Simple(text) => {
            if let Some(hidden) = hidden(text, credentials) {
                *text = hidden;
            }
        }
        Reply::Array(items) | Reply::Set(items) => {
            items.iter_mut().for_each(|item| hide_in(item, credentials));
        }
        Reply::Map(pairs) => hide_in_pairs(pairs, credentials),
        Reply::Attributed(attributed) => {
            hide_in_pairs(&mut attributed.attributes, credentials);
            hide_in(&mut attributed.reply, credentials);
        }
        _ => {}
    }
}

fn hide_in_pairs(pairs: &mut [(Reply, Reply)], credentials: &Credentials) {
    for (key, value) in pairs {
        hide_in(key, credentials);
        hide_in(value, credentials);
    }
}

/// The text without the password, if that was in it.
fn hidden(text: &[u8], credentials: &Credentials) -> Option<Bytes> {
    let before = String::from_utf8_lossy(text);
    let mut after = before.clone().into_owned();
    hide_secret(&mut after, Some(credentials));
    (after != before).then(|| Bytes::from(after))
}

#[cfg(test)]
mod tests {
    use truename_resp::{Attributed, Verbatim};

    use super::*;

    fn error(text: &'static [u8]) -> Reply {
        Reply::Error(ErrorReply::new(text))
    }

    #[test]
    fn a_password_is_hidden_in_words_and_not_in_data() {
        let credentials = Credentials::user("bob", "sesame");
        let bulk = || Reply::Bulk("sesame".into());
        let verbatim = || Reply::Verbatim(Verbatim { format: *b"txt", text: "sesame".into() });
        let rows = [
            (error(b"ERR AUTH bob sesame"), error(b"ERR AUTH bob [hidden]")),
            (error(b"sesame"), error(b"[hidden]")),
            (error(b"ERR \xff sesame"), error("ERR \u{fffd} [hidden]".as_bytes())),
            (error(b"ERR \xff"), error(b"ERR \xff")),
            (Reply::Simple("open sesame".into()), Reply::Simple("open [hidden]".into())),
            // What a key or a client's name is may not be changed: somebody is going to read it.
            (bulk(), bulk()),
            (verbatim(), verbatim()),
            (
                Reply::Array(vec![bulk(), Reply::Set(vec![error(b"sesame")])]),
                Reply::Array(vec![bulk(), Reply::Set(vec![error(b"[hidden]")])]),
            ),
            (
                Reply::Map(vec![(bulk(), error(b"sesame")), (error(b"sesame"), bulk())]),
                Reply::Map(vec![(bulk(), error(b"[hidden]")), (error(b"[hidden]"), bulk())]),
            ),
            (
                Reply::Attributed(Box::new(Attributed {
                    attributes: vec![(bulk(), error(b"sesame"))],
                    reply: error(b"sesame"),
                })),
                Reply::Attributed(Box::new(Attributed {
                    attributes: vec![(bulk(), error(b"[hidden]"))],
                    reply: error(b"[hidden]"),
                })),
            ),
        ];
        for (mut reply, expected) in rows {
            hide_in(&mut reply, &credentials);
            assert_eq!(reply, expected);
        }
    }
}
