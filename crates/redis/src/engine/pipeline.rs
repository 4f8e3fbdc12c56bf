//! Many commands at once.
//!
//! What must stay true: each has a result of its own, in its place; a special one is run where it stands among the others.

use truename::{Command, Reply};

use super::calls::Engine;
use super::failure::Failure;
use super::special::Special;

/// The outcome of one command.
pub(crate) type Outcome = Result<Reply, Failure>;

impl Engine {
    /// Runs commands whatever their slots are; those of one slot in their order.
    pub(crate) async fn run_all(&self, commands: Vec<(Command<'_>, Option<Special>)>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(commands.len());
        let mut together = Vec::with_capacity(commands.len());
        for (command, special) in commands {
            match special {
                None => together.push((command, false)),
                Some(Special::EvalSha) => together.push((command, true)),
                Some(special) => {
                    self.run_together(std::mem::take(&mut together), &mut outcomes).await;
                    outcomes.push(Box::pin(self.run_special(special, command)).await);
                }
            }
        }
        self.run_together(together, &mut outcomes).await;
        outcomes
    }

    /// Runs commands of which none is special, except that a script may have to be sent with its body (`true`).
    async fn run_together(&self, commands: Vec<(Command<'_>, bool)>, outcomes: &mut Vec<Outcome>) {
        if commands.is_empty() {
            return;
        }
        let mut scripts = Vec::new();
        let mut batch = self.client.batch();
        for (position, (command, is_script)) in commands.into_iter().enumerate() {
            if is_script {
                scripts.push((position, command.clone()));
            }
            batch.add(command);
        }
        let first = outcomes.len();
        outcomes.extend(batch.execute().await.into_iter().map(|outcome| outcome.map_err(Failure::Native)));
        for (position, command) in scripts {
            let outcome = &mut outcomes[first + position];
            let Err(Failure::Native(error)) = outcome else { continue };
            if let Some(eval) = self.with_body(&command, error) {
                *outcome = self.client.execute(eval).await.map_err(Failure::Native);
            }
        }
    }
}
