//! `WATCH` without a closure: for whoever reads, queues and executes in steps of their own.
//!
//! What must stay true: as in [`super::transaction`], except that nothing is done again here. Where the keys are watched no
//! more, or where they should not be, `EXEC` is not sent, and its caller is told what a lost race is told: nothing was
//! executed, read again. However it ends, the connection watches nothing when somebody else gets it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempts::Attempts;
use super::draft::{Draft, Queue, Watched, has_ended};
use super::held::NoValue;
use super::state::Router;
use super::transaction::Commit;
use crate::command::{Command, Route};
use crate::error::Error;

impl Router {
    /// Watches keys, within the time of an ordinary command; what is read afterwards ends within `limit`.
    pub(crate) async fn watch_keys(&self, watched: &Watched, limit: Duration) -> Result<Arc<Draft>, Error> {
        let started = Instant::now();
        let _under_way = self.begin_call(None).await?;
        let is_single = self.cluster.is_single();
        let place = watched.place(is_single)?;
        let (timeout, _) = self.times(None, None);
        let mut attempts = Attempts::new(started, timeout, Route::Slot(place.1));
        self.watch(watched, &place, is_single, started + timeout + limit, &mut attempts).await
    }

    /// Watches more keys on the same connection. Where the slot has gone elsewhere, or the connection is lost, that is told by
    /// [`execute_watched`](Self::execute_watched).
    pub(crate) async fn watch_more(
        &self,
        draft: &Draft,
        watched: &Watched,
        command: &Command<'_>,
    ) -> Result<(), Error> {
        if draft.is_over() {
            return Err(has_ended());
        }
        draft.admit_watched(watched)?;
        match draft.attempt_watch(self, command).await {
            Ok(_) | Err(NoValue { setback: Some(_), .. }) => Ok(()),
            Err(NoValue { error, setback: None }) => Err(error),
        }
    }

    /// Executes these commands, if no watched key was changed. Of two callers one has the connection.
    pub(crate) async fn execute_watched(
        &self,
        draft: &Draft,
        queue: Result<Queue, Error>,
    ) -> Result<Commit, Error> {
        let (ended, .., setback) = draft.end();
        let ended = ended.ok_or_else(has_ended)?;
        let mut attempts = self.attempts_of(draft);
        if self.cluster.is_closed() {
            return Err(Error::Closed);
        }
        let queue = match queue {
            Ok(queue) => queue,
            Err(error) => {
                self.let_go(ended, &attempts).await;
                return Err(error);
            }
        };
        if let Some(setback) = setback {
            return self.refused(setback, &ended.held, &mut attempts).await;
        }
        self.commit(ended, queue, &mut attempts).await
    }

    /// Nothing is to be executed.
    pub(crate) async fn unwatch(&self, draft: &Draft) {
        let attempts = self.attempts_of(draft);
        if let (Some(ended), .., None) = draft.end() {
            self.let_go(ended, &attempts).await;
        }
    }

    fn attempts_of(&self, draft: &Draft) -> Attempts {
        let (timeout, _) = self.times(None, None);
        Attempts::new(Instant::now(), timeout, Route::Slot(draft.slot()))
    }
}
