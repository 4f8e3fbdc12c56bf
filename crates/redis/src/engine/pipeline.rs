//! Many commands at once.
//!
//! What must stay true: each has a result of its own, in its place; a special one is run where it stands among the others, and so
//! is one that the client sends to several nodes; no command is run after one that stands behind it in its slot; all of it ends
//! within the time of one call and what its commands ask the server to wait.

use std::time::{Duration, Instant};

use truename::command::{Arguments, lookup};
use truename::{Command, Error, Reply};

use super::calls::Engine;
use super::failure::{Failure, discarded};
use super::pin::{Exec, Pinned, live, take_live};
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
        for (command, special) in commands {
            match special {
                // It may have to go to the connection that watches.
                None if live(pinned).is_some() => {
                    self.run_together(std::mem::take(&mut together), &mut outcomes, &mut budget).await;
                    let (is_waiting, command) = (blocks(&command), budget.within(command));
                    let run = self.run_plain(pinned, command);
                    outcomes.push(budget.spend(is_waiting, run).await);
                }
                None => together.push(command),
                Some(Special::EvalSha) => {
                    // When the server says that it lacks the script, commands that follow have been executed.
                    let whole = self.whole_script(&command);
                    together.push(whole.unwrap_or(command));
                }
                Some(special) => {
                    self.run_together(std::mem::take(&mut together), &mut outcomes, &mut budget).await;
                    let (is_waiting, command) = (blocks(&command), budget.within(command));
                    let run = Box::pin(self.run_special(special, command, budget.left(), pinned));
                    outcomes.push(budget.spend(is_waiting, run).await);
                }
            }
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
        let Some(pin) = take_live(pinned) else { return self.run_unwatched(commands).await.map(Some) };
        match pin.exec(commands).await? {
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
        let is_waiting = commands.iter().any(blocks);
        let mut batch = self.client.batch();
        batch.extend(commands.into_iter().map(|command| budget.within(command)));
        let ran = budget.spend(is_waiting, batch.execute()).await;
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

    /// The command, with what is left. One that asks the server to wait has a time of its own.
    fn within<'c>(&self, command: Command<'c>) -> Command<'c> {
        match self.left() {
            Some(left) if !blocks(&command) => command.timeout(left),
            _ => command,
        }
    }

    /// Awaits something. What waits on the server costs nothing.
    async fn spend<T>(&mut self, is_waiting: bool, run: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = run.await;
        let spent = if is_waiting { Duration::ZERO } else { started.elapsed() };
        self.spent = Some(self.spent.unwrap_or_default() + spent);
        done
    }
}

/// Whether a command asks the server to wait.
fn blocks(command: &Command<'_>) -> bool {
    let spec = command.at(0).and_then(|name| lookup(name, command.at(1)));
    spec.is_some_and(|spec| spec.blocks(command))
}
