// A lock on one key of a cluster. The manual's chapter `locks` shows this file, and `tests/cluster/locks.rs` runs it.

use std::time::{Duration, Instant};

use truename::{Client, Error, Script, cmd};

/// Removes a lock that is still ours. KEYS: the lock. ARGV: our token.
const RELEASE: &str = "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('DEL', KEYS[1])";

pub(crate) struct Locks {
    client: Client,
    release_script: Script,
    /// How long a lock outlives a process that died with it: longer than the work takes.
    lifetime: Duration,
}

/// A lock that is ours.
pub(crate) struct Held {
    key: String,
    /// Nobody else's. What is random here need not be secret.
    token: String,
    /// By then the work has to have stopped.
    pub(crate) until: Instant,
}

impl Locks {
    pub(crate) fn new(client: Client, lifetime: Duration) -> Self {
        Self { client, release_script: Script::new(RELEASE), lifetime }
    }

    /// Acquires a lock; `None` if somebody has it.
    pub(crate) async fn acquire(&self, key: &str) -> Result<Option<Held>, Error> {
        let token = format!("{:032x}", fastrand::u128(..));
        // The server counts from a later moment.
        let until = Instant::now() + self.lifetime;
        let set = cmd("SET").arg(key).arg(&token).arg("NX").arg("GET").arg(("PX", self.lifetime.as_millis()));
        // If the answer is lost, it is sent again, and finds our own token.
        let before: Option<String> = self.client.execute(set.repeatable(true)).await?;
        let is_ours = before.is_none_or(|before| before == token);
        Ok(is_ours.then(|| Held { key: key.to_owned(), token, until }))
    }

    /// Releases a lock. If that fails, it expires.
    pub(crate) async fn release(&self, held: Held) -> Result<(), Error> {
        // The second time there is nothing to remove, or the lock of somebody else, which stays.
        self.release_script.key(&held.key).arg(&held.token).repeatable(true).run(&self.client).await
    }
}
