//! Saying who takes replies that nobody waits for any more.

use super::Config;
use super::orphan::{OnOrphan, Orphan};

impl Config {
    /// Takes what a command such as `BLPOP` popped for a call that had ended by then: its future was dropped, or its deadline
    /// had passed.
    ///
    /// When such a call ends early, the client ends its wait on the server and reads what comes back
    /// ([more](crate::manual::cancellation#commands-that-wait-on-the-server)). Nearly always that says that nothing was popped.
    /// Otherwise this function gets the reply, in a task of the client's runtime: it must not block. Without a function such
    /// replies are lost; [`Event::Orphaned`](crate::Event::Orphaned) and a counter show how often that happens.
    ///
    /// `BLPOP` names the key in its reply; `BLMOVE` answers with the element alone, and where that was moved to is among
    /// [`Orphan::keys`]. [`Client::shutdown`](crate::Client::shutdown) waits for orphans, but takes no more
    /// calls: what comes then is given back by another client, or found in the list that it was moved to, as in the example
    /// `job_queue` of the repository.
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
        self.on_orphan = Some(OnOrphan::new(take));
        self
    }
}
