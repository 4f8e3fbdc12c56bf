//! What a client does with a reply for which nobody waits any more, although something was taken for it.

use std::fmt;
use std::sync::Arc;

use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

use super::Config;
use crate::error::Error;
use crate::panics;

/// What became of a command that took something from a key for a caller that is gone. See [`Config::on_orphan`].
#[non_exhaustive]
pub struct Orphan {
    /// The command's name: `BLPOP`.
    pub command: String,
    /// The node that executed it.
    pub node: Endpoint,
    /// The slot of the command's keys.
    pub slot: Option<Slot>,
    /// What it answered, never nil. If it is an error, the connection was lost: nobody knows whether anything was taken.
    pub reply: Result<Reply, Error>,
}

/// Replies may be secrets.
impl fmt::Debug for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orphan")
            .field("command", &self.command)
            .field("node", &self.node)
            .field("slot", &self.slot)
            .field("error", &self.reply.as_ref().err())
            .finish_non_exhaustive()
    }
}

/// Who takes orphans.
#[derive(Clone)]
pub(crate) struct OnOrphan(Arc<dyn Fn(Orphan) + Send + Sync>);

impl fmt::Debug for OnOrphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnOrphan")
    }
}

impl OnOrphan {
    /// Hands one over. The user's code may panic.
    pub(crate) fn take(&self, orphan: Orphan) {
        if let Err(panicked) = panics::catch("the function of Config::on_orphan", || (self.0)(orphan)) {
            tracing::warn!(%panicked);
        }
    }
}

impl Config {
    /// Takes what a command such as `BLPOP` popped for a call that had ended by then: its future was dropped, or its deadline
    /// had passed.
    ///
    /// When such a call ends early, the client ends its wait on the server and reads what comes back
    /// ([more](crate::manual::cancellation#commands-that-wait-on-the-server)). Nearly always that says that nothing was
    /// popped. Otherwise this function gets the reply, in a task of the client's runtime: it must not block. Without a function such
    /// replies are lost; [`Event::Orphaned`](crate::Event::Orphaned) and a counter tell how often that happens.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example() -> Result<(), truename::Error> {
    /// use truename::{Client, Config, cmd};
    ///
    /// let (orphans, mut returned) = tokio::sync::mpsc::unbounded_channel();
    /// let config = Config::new().seed("redis.example.net", 6379).on_orphan(move |orphan| {
    ///     let _ = orphans.send(orphan);
    /// });
    /// let client = Client::connect(&config).await?;
    /// tokio::spawn(async move {
    ///     while let Some(orphan) = returned.recv().await {
    ///         match orphan.reply {
    ///             // Whoever waits next gets it.
    ///             Ok(reply) => {
    ///                 let popped = reply.as_array().and_then(|popped| popped.first()?.as_str().zip(popped.get(1)));
    ///                 if let Some((queue, item)) = popped {
    ///                     let push = cmd("RPUSH").arg(queue).arg(item.as_bytes().unwrap_or_default());
    ///                     if let Err(error) = client.run(push).await {
    ///                         eprintln!("{}: {error}", orphan.command);
    ///                     }
    ///                 }
    ///             }
    ///             Err(error) => eprintln!("{} at {}: {error}", orphan.command, orphan.node),
    ///         }
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_orphan(mut self, take: impl Fn(Orphan) + Send + Sync + 'static) -> Self {
        self.on_orphan = Some(OnOrphan(Arc::new(take)));
        self
    }
}
