//! The loop: submit, judge, follow, until there is a final outcome. It decides nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::attempts::Attempts;
use super::destination::{Destination, any_primary};
use super::directory::Says;
use super::judge::Setback;
use super::request::Request;
use super::state::Router;
use super::submit::submit;
use crate::command::Command;
use crate::error::Error;
use crate::from_reply::FromReply;

impl Router {
    /// Runs one command to its final outcome.
    ///
    /// Each round is one attempt: submit, judge, follow. Dropping the future at any point leaves a command that
    /// was submitted to be executed; its reply is discarded.
    ///
    /// The reply is converted here, too: another future around this one would cost as much as finding the slot.
    #[expect(clippy::manual_async_fn, reason = "it would keep the command twice in every call in flight")]
    pub(crate) fn execute<T: FromReply>(
        &self,
        command: Command<'_>,
    ) -> impl Future<Output = Result<T, Error>> {
        async move {
            let (mut request, route) = Request::new(&command, self.cluster.is_single())?;
            let (timeout, mut patience) = self.times(&request);
            let mut attempts = Attempts::new(Instant::now(), timeout, route);
            // What is rare is boxed: thousands of calls in flight should be small, and these paths are long.
            if request.spec.is_none() {
                if !self.recall(&mut request, &mut attempts)? {
                    Box::pin(self.ask_about(&mut request, &mut attempts)).await?;
                }
                if request.blocks.is_some() {
                    patience = patience.max(timeout);
                }
            }
            let mut destination = match self.choose(&request, &attempts) {
                Some(node) => Destination { node, asking: false },
                None => Box::pin(self.resolve(&request, &mut attempts)).await?,
            };
            loop {
                let now = attempts.begin();
                let outcome = if request.blocks.is_some() {
                    let attempt = self.attempt_blocking(&destination, &request, &attempts, patience);
                    Box::pin(attempt).await.map_err(|error| attempts.admit(error))?
                } else {
                    let lane = destination.node.lane(attempts.slot());
                    let times = (now, attempts.deadline(), patience);
                    submit(lane, &command, destination.asking, times).await
                };
                let node = destination.node;
                let setback = match Setback::or_value(outcome) {
                    Ok(value) => return Ok(T::from_reply(value)?),
                    Err(setback) => setback,
                };
                destination = Box::pin(self.follow(setback, node, &request, &mut attempts)).await?;
            }
        }
    }

    /// Uses what is already known about a command that the table lacks. False if a server must be asked.
    #[inline(never)]
    fn recall(&self, request: &mut Request<'_, '_>, attempts: &mut Attempts) -> Result<bool, Error> {
        let Some(says) = self.directory.known(request.command) else { return Ok(false) };
        if let Says::Described(learned) = says {
            request.learn(&learned, self.cluster.is_single(), attempts)?;
        }
        Ok(true)
    }

    /// Asks a server about a command that the table lacks.
    #[cold]
    async fn ask_about(&self, request: &mut Request<'_, '_>, attempts: &mut Attempts) -> Result<(), Error> {
        // First the node that the command would go to: trouble at another node must not delay it.
        let mut first = self.choose(request, attempts).filter(|node| node.is_up());
        loop {
            // Without a node to ask, the command fails by itself.
            let node = first.take().or_else(|| any_primary(&self.cluster.topology()));
            let Some(node) = node else { return Ok(()) };
            let says = self.directory.ask(request.command, &node, attempts.deadline()).await;
            match says {
                Some(Says::Described(learned)) => {
                    return request.learn(&learned, self.cluster.is_single(), attempts);
                }
                Some(Says::NoSuchCommand | Says::Nothing) => return Ok(()),
                None => attempts.back_off().await?,
            }
        }
    }

    /// How long a command may take, and how long the server may be silent meanwhile.
    #[inline]
    fn times(&self, request: &Request<'_, '_>) -> (Duration, Duration) {
        let timing = &self.cluster.timing;
        let blocks = request.blocks.unwrap_or_default();
        let own = request.command.own_timeout();
        // The server counts from later on, and takes its time to notice that the time is over.
        (
            own.unwrap_or(timing.command + blocks),
            own.map_or(timing.stall + blocks, |own| timing.stall.max(own)),
        )
    }
}
