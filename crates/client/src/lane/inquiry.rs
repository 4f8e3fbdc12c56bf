//! Asking on another connection whether a node that is silent on a lane is dead, or paused or busy.
//!
//! Any reply will do, even `BUSY`, `LOADING` or a refused greeting: the server is alive, and will come to what it
//! was sent before. The connection passes the same checks as every other one, so no stranger's answer counts. It is
//! kept while the silence lasts and asked again from time to time, so that a pause costs a node one handshake.
//!
//! Nothing here runs while servers answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::handle::Shared;
use crate::connect::{Connected, Connector, Explain, KnownNode, Target};

/// The pause after a question without an answer, such as one to a closed port.
const PAUSE: Duration = Duration::from_millis(100);
/// More time than an attempt to connect reserves for explaining itself.
const EXPLAINING: Duration = Duration::from_secs(1);

/// Which node to ask, and how often.
#[derive(Debug, Clone)]
pub(super) struct Inquirer {
    pub(super) connector: Arc<Connector>,
    pub(super) target: Arc<Target>,
    pub(super) known: Arc<KnownNode>,
    /// How long an answer may take, and how long after it the next question comes.
    pub(super) interval: Duration,
}

impl Inquirer {
    /// Asks until the lane's server is heard again, and notes every answer in the lane.
    pub(super) fn start(&self, shared: Arc<Shared>) -> Inquiry {
        let inquirer = self.clone();
        Inquiry(Some(Box::pin(async move {
            let mut kept = None;
            loop {
                let answered = inquirer.ask(&mut kept).await;
                let node = &inquirer.target.node.endpoint;
                tracing::debug!(%node, answered, "silent on a lane, so asked on another connection");
                {
                    let mut state = shared.lock();
                    if !state.pipeline.is_silent() {
                        return;
                    }
                    if answered {
                        state.pipeline.answered_elsewhere(Instant::now());
                    }
                }
                sleep(if answered { inquirer.interval } else { PAUSE.min(inquirer.interval) }).await;
            }
        })))
    }

    async fn ask(&self, kept: &mut Option<Connected>) -> bool {
        if let Some(mut asked) = kept.take()
            && self.connector.refuses(&self.target, &asked.facts).is_none()
            && let Ok(Ok(_)) = timeout(self.interval, asked.wire.round_trip(&[b"PING"])).await
        {
            *kept = Some(asked);
            return true;
        }
        // An attempt reserves time to explain itself; here it gets that in addition, since nothing is explained.
        let deadline = Instant::now() + self.interval + EXPLAINING;
        let connecting = self.connector.connect(&self.target, &self.known, Explain::Briefly, false, deadline);
        match timeout(self.interval, connecting).await {
            Ok(Ok(connected)) => {
                *kept = Some(connected);
                true
            }
            Ok(Err(failures)) => failures.iter().any(|failure| failure.cause.is_reply()),
            Err(_) => false,
        }
    }
}

/// A question under way, if any.
#[derive(Default)]
pub(super) struct Inquiry(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Inquiry {
    pub(super) fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// Goes on asking. `Ready` when there is nothing left to ask.
    #[cold]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(asking) = &mut self.0 else { return Poll::Ready(()) };
        let ended = asking.as_mut().poll(cx);
        if ended.is_ready() {
            self.0 = None;
        }
        ended
    }
}

impl fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inquiry").field(&self.is_under_way()).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Cause;

    #[test]
    fn what_counts_as_a_sign_of_life() {
        let stranger = Cause::WrongNode { announced: "a".to_owned(), answered: Some("b".to_owned()) };
        let rows = [
            (Cause::Loading, true),
            (Cause::ServerRefused("BUSY Redis is busy running a script".to_owned()), true),
            (Cause::ServerRefused("ERR max number of clients reached".to_owned()), true),
            (Cause::WrongCredentials, true),
            (Cause::AuthRequired, true),
            (Cause::TimedOut, false),
            (Cause::Refused, false),
            (Cause::ClosedByPeer, false),
            (Cause::NotRedis("HTTP".to_owned()), false),
            (Cause::NameMismatch, false),
            (stranger, false),
        ];
        for (cause, counts) in rows {
            assert_eq!(cause.is_reply(), counts, "{cause:?}");
        }
    }
}
