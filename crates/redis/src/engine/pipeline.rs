//! Many commands at once.
//!
//! What must stay true: each has a result of its own, in its place; a special one is run where it stands among the others, and so
//! is one that the client sends to several nodes, and one that waits on the server; no command is run after one that stands behind
//! it in its slot; all of it ends within the time of one call and what its commands ask the server to wait. `WAIT` at the end goes
//! out with all that is before it, which it is about, or not at all.

use std::time::{Duration, Instant};

use truename::command::{Affinity, Arguments, BlockTime, lookup};
use truename::{Command, Error, Reply};

use super::calls::Engine;
use super::failure::{Failure, discarded};
use super::pin::{Exec, Pinned};
use super::special::Special;

const NOTHING: Failure = Failure::Misused("a transaction without commands");

/// All but the name.
fn arguments<'c>(command: &'c Command<'_>) -> impl Iterator<Item = &'c [u8]> {
    (1..command.len()).filter_map(|index| command.at(index))
}

/// The outcome of one command.
pub(crate) type Outcome = Result<Reply, Failure>;

impl Engine {
    /// Runs commands whatever their slots are; those of one slot in their order. On behalf of a handle.
    pub(crate) async fn run_all(
        &self,
        commands: Vec<(Command<'_>, Option<Special>)>,
        pinned: &mut Pinned,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(commands.len());
        let mut together = Vec::with_capacity(commands.len());
        let mut budget = Budget { limit: self.call_limit, spent: None };
        let last = commands.len().saturating_sub(1);
        for (place, (command, special)) in commands.into_iter().enumerate() {
            let is_watching = pinned.live().is_some();
            let is_about_all = place == last && place > 0 && outcomes.is_empty() && !is_watching;
            let is_apart = match special {
                _ if is_about_all && confirms(&command) => false,
                // It may have to go to the connection that watches.
                None | Some(Special::EvalSha) => is_watching || waits(&command).is_some(),
                Some(Special::Placed) => waits(&command).is_some(),
                Some(_) => true,
            };
            if !is_apart {
                // When the server says that it lacks the script, commands that follow have been executed.
                let whole = special.filter(|special| *special == Special::EvalSha);
                let whole = whole.and_then(|_| self.whole_script(&command));
                together.push(whole.unwrap_or(command));
                continue;
            }
            self.run_together(std::mem::take(&mut together), &mut outcomes, &mut budget).await;
            let wait = waits(&command).unwrap_or_default();
            let command = budget.within(command, wait);
            let left = budget.left();
            let outcome = match special {
                Some(special) => {
                    let run = Box::pin(self.run_special(special, command, left, pinned));
                    budget.spend(wait, run).await
                }
                None => budget.spend(wait, self.run_plain(pinned, command)).await,
            };
            outcomes.push(outcome);
        }
        self.run_together(together, &mut outcomes, &mut budget).await;
        outcomes
    }

    /// Runs commands as one transaction; `None` if a key that the handle watched was changed, so that none was executed. An error
    /// means that none was, unless it says otherwise; the commands' own errors are among the outcomes.
    pub(crate) async fn run_atomic(
        &self,
        commands: Vec<(Command<'_>, bool)>,
        pinned: &mut Pinned,
    ) -> Result<Option<Vec<Outcome>>, Failure> {
        // In a transaction it would be too late to find out that the server does not have the script.
        let whole = commands.iter().map(|(command, is_script)| match is_script {
            true => self.whole_script(command),
            false => None,
        });
        let wholes: Vec<_> = whole.collect();
        if wholes.iter().all(Option::is_none) {
            drop(wholes);
            return self.run_unit(commands.into_iter().map(|(command, _)| command), pinned).await;
        }
        let commands = wholes.into_iter().zip(&commands).map(|(whole, (command, _))| {
            whole.unwrap_or_else(|| Command::new(command.at(0).unwrap_or_default()).args(arguments(command)))
        });
        self.run_unit(commands, pinned).await
    }

    async fn run_unit<'c>(
        &self,
        commands: impl Iterator<Item = Command<'c>>,
        pinned: &mut Pinned,
    ) -> Result<Option<Vec<Outcome>>, Failure> {
        let Some(pin) = pinned.take_live() else { return self.run_unwatched(commands).await.map(Some) };
        match pin.exec(commands, self.call_limit).await? {
            Exec::Done(replies) => Ok(Some(replies.into_iter().map(Ok).collect())),
            Exec::Nothing => Ok(None),
        }
    }

    async fn run_unwatched<'c>(
        &self,
        commands: impl Iterator<Item = Command<'c>>,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut batch = self.client.batch().atomic();
        batch.extend(commands);
        let outcomes = batch.execute::<Reply>().await;
        let is_of_all = |outcome: &Result<Reply, Error>| match outcome {
            Ok(_) => false,
            Err(Error::Server(error)) => error.is_refusal(),
            Err(_) => true,
        };
        if !outcomes.is_empty() && outcomes.iter().all(is_of_all) {
            return Err(outcomes.into_iter().find_map(Result::err).map_or(NOTHING, discarded));
        }
        Ok(outcomes.into_iter().map(|outcome| outcome.map_err(Failure::Native)).collect())
    }

    /// Runs commands of which none is special.
    async fn run_together(
        &self,
        commands: Vec<Command<'_>>,
        outcomes: &mut Vec<Outcome>,
        budget: &mut Budget,
    ) {
        if commands.is_empty() {
            return;
        }
        let mut batch = self.client.batch();
        batch.extend(commands.into_iter().map(|command| budget.within(command, Duration::ZERO)));
        let ran = budget.spend(Duration::ZERO, batch.execute()).await;
        outcomes.extend(ran.into_iter().map(|outcome| outcome.map_err(Failure::Native)));
    }
}

/// The time that the commands of one pipeline have together. What goes out first has all of it.
struct Budget {
    limit: Duration,
    /// What those before have taken; `None` if there were none.
    spent: Option<Duration>,
}

impl Budget {
    /// What is left for those that follow; `None` if it is all.
    fn left(&self) -> Option<Duration> {
        self.spent.map(|spent| self.limit.saturating_sub(spent))
    }

    /// The command, with what is left and what it asks the server to wait.
    fn within<'c>(&self, command: Command<'c>, wait: Duration) -> Command<'c> {
        match self.left() {
            Some(left) => command.timeout(left.saturating_add(wait)),
            None => command,
        }
    }

    /// Awaits something that asks the server to wait for so long, which costs nothing.
    async fn spend<T>(&mut self, wait: Duration, run: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = run.await;
        let spent = self.spent.unwrap_or_default() + started.elapsed().saturating_sub(wait);
        self.spent = Some(spent);
        done
    }
}

/// Whether a command is about the writes before it.
fn confirms(command: &Command<'_>) -> bool {
    let spec = command.at(0).and_then(|name| lookup(name, command.at(1)));
    spec.is_some_and(|spec| spec.affinity(command) == Affinity::EarlierWrites)
}

/// How long a command asks the server to wait, if it does.
fn waits(command: &Command<'_>) -> Option<Duration> {
    let spec =
        command.at(0).and_then(|name| lookup(name, command.at(1))).filter(|spec| spec.blocks(command))?;
    Some(match spec.block_time(command) {
        Some(BlockTime::AtMost(time)) => time,
        Some(BlockTime::Forever) => Duration::MAX,
        None => Duration::ZERO,
    })
}
