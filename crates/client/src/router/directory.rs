//! What servers say about commands that the table lacks, asked once per name and client, and again when that is old.
//!
//! What must stay true: if the question fails, the command is sent by a guess and never refused because of that;
//! answers are bounded in number, and none is kept for ever, since a single node gave it for all callers and all nodes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::Instant;
use truename_resp::{ErrorReply, Reply};

use super::judge::is_refusal;
use crate::clock;
use crate::cluster::Node;
use crate::command::{Arguments, Command, Learned, lookup};

/// How many names are remembered.
const MOST: usize = 1024;
/// Longer names are not asked for.
const LONGEST_NAME: usize = 128;
/// How long a negative answer, or the lack of one, is kept.
const NOTHING_LASTS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));
/// How long a description is kept; a minute at most where calls are refused because of it.
const DESCRIPTION_LASTS: Duration = Duration::from_secs(600);
/// How long one question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

type Name = SmallVec<[u8; 32]>;
/// Belongs to its askers: it holds the node, which may leave the topology.
type Question = Shared<BoxFuture<'static, Option<Says>>>;

/// What a server says.
#[derive(Debug, Clone)]
pub(super) enum Says {
    /// This about the command.
    Described(Arc<Learned>),
    /// It has no such command; others may.
    NoSuchCommand,
    /// It does not answer that.
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    known: Mutex<HashMap<Name, (Says, Instant)>>,
    asked: Mutex<HashMap<Name, WeakShared<BoxFuture<'static, Option<Says>>>>>,
}

impl Directory {
    /// What is known about a command; `None` if a server must be asked.
    pub(super) fn known(&self, command: &Command<'_>) -> Option<Says> {
        let Some(name) = name_of(command) else { return Some(Says::Nothing) };
        let known = self.known.lock();
        let (says, since) = known.get(&name)?;
        let lasts = match says {
            Says::Described(learned) if learned.may_refuse() => NOTHING_LASTS.1,
            Says::Described(_) => DESCRIPTION_LASTS,
            Says::NoSuchCommand => NOTHING_LASTS.0,
            Says::Nothing => NOTHING_LASTS.1,
        };
        (since.elapsed() < lasts).then(|| says.clone())
    }

    /// Asks a node, once for all concurrent callers with the same question. `None`: ask again later, or another one.
    pub(super) async fn ask(
        &self,
        command: &Command<'_>,
        node: &Arc<Node>,
        deadline: Instant,
    ) -> Option<Says> {
        let name = name_of(command)?;
        let question = self.question(&name, node);
        let answer = clock::timeout_at(deadline, question).await?;
        let mut asked = self.asked.lock();
        if asked.get(&name).is_some_and(|question| question.upgrade().is_none()) {
            asked.remove(&name);
        }
        drop(asked);
        let says = answer?;
        let mut known = self.known.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name, (says.clone(), Instant::now()));
        Some(says)
    }

    /// The question that others wait for, or a new one.
    fn question(&self, name: &Name, node: &Arc<Node>) -> Question {
        let mut asked = self.asked.lock();
        if let Some(question) = asked.get(name).and_then(WeakShared::upgrade) {
            return question;
        }
        if asked.len() >= MOST {
            asked.clear();
        }
        let question = question(node.clone(), name.clone()).boxed().shared();
        if let Some(weak) = question.downgrade() {
            asked.insert(name.clone(), weak);
        }
        question
    }
}

/// The name to ask for, in upper case: with its subcommand if only that is unknown.
fn name_of(command: &Command<'_>) -> Option<Name> {
    let first = command.at(0)?;
    let mut name = Name::from_slice(first);
    if lookup(first, None).is_some() {
        name.push(b'|');
        name.extend_from_slice(command.at(1)?);
    }
    name.make_ascii_uppercase();
    (name.len() <= LONGEST_NAME).then_some(name)
}

async fn question(node: Arc<Node>, name: Name) -> Option<Says> {
    read(&node.ask(&[b"COMMAND", b"INFO", &name], ANSWER_WITHIN).await.ok()?)
}

/// Reads a reply to `COMMAND INFO` about one command. `None`: the node cannot say at the moment.
fn read(reply: &Reply) -> Option<Says> {
    if let Some(error) = reply.as_error() {
        return (!is_passing(error)).then_some(Says::Nothing);
    }
    Some(match reply.as_array() {
        Some([entry]) if entry.is_nil() => Says::NoSuchCommand,
        Some([entry]) => {
            Learned::parse(entry).map_or(Says::Nothing, |learned| Says::Described(Arc::new(learned)))
        }
        _ => Says::Nothing,
    })
}

fn is_passing(error: &ErrorReply) -> bool {
    is_refusal(error.code()) || error.code() == "BUSY"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd;

    #[test]
    fn names_are_those_that_the_table_lacks() {
        for (command, expected) in [
            (cmd("json.set").arg("k"), Some("JSON.SET")),
            (cmd("client").arg("frob").arg("x"), Some("CLIENT|FROB")),
            (cmd("NEW").arg("SUB"), Some("NEW")),
            (cmd("x".repeat(LONGEST_NAME + 1)), None),
        ] {
            let name = name_of(&command).map(|name| String::from_utf8(name.to_vec()).expect("text"));
            assert_eq!(name.as_deref(), expected);
        }
    }

    /// A description was kept for the life of the client: one node that lied about a command kept it from all others.
    #[tokio::test(start_paused = true)]
    async fn no_answer_is_believed_for_ever() {
        let described = |category: &str| {
            let words = |word: &str| Reply::Array(vec![Reply::Bulk(word.to_owned().into())]);
            let number = || Reply::Integer(1);
            let fields = vec![
                Reply::Bulk("x".into()),
                number(),
                words("fast"),
                number(),
                number(),
                number(),
                words(category),
            ];
            read(&Reply::Array(vec![Reply::Array(fields)])).expect("an answer")
        };
        for (says, seconds) in [
            (described("@write"), 600),
            (described("@connection"), 60),
            (Says::Nothing, 60),
            (Says::NoSuchCommand, 10),
        ] {
            let (directory, command) = (Directory::default(), cmd("X.Y"));
            let name = name_of(&command).expect("a name");
            directory.known.lock().insert(name, (says.clone(), Instant::now()));
            tokio::time::advance(Duration::from_secs(seconds - 1)).await;
            assert!(directory.known(&command).is_some(), "{says:?}");
            tokio::time::advance(Duration::from_secs(2)).await;
            assert!(directory.known(&command).is_none(), "{says:?}");
        }
    }

    #[test]
    fn answers_that_say_nothing_are_told_from_those_that_say_later() {
        let error = |text: &'static str| read(&Reply::Error(ErrorReply::new(text)));
        assert!(error("LOADING Redis is loading the dataset in memory").is_none());
        assert!(error("BUSY Redis is busy running a script").is_none());
        assert!(matches!(error("NOPERM this user has no permissions"), Some(Says::Nothing)));
        assert!(matches!(error("ERR unknown command 'COMMAND'"), Some(Says::Nothing)));
        assert!(matches!(read(&Reply::Array(vec![Reply::Nil])), Some(Says::NoSuchCommand)));
        assert!(matches!(read(&Reply::Array(vec![])), Some(Says::Nothing)));
        assert!(matches!(read(&Reply::Nil), Some(Says::Nothing)));
    }
}
