//! [`Scan`]: what to scan for, and how.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::ask::Wanted;
use super::cursor::ScanCursor;
use super::digest::Digest;
use super::keys::Keys;
use crate::api::client::Client;

/// How many keys a server looks at for a page, unless the caller says otherwise. Servers' own default of 10 costs a round trip
/// for ten keys; a thousand keep a server busy for less than a millisecond.
const COUNT: u32 = 1000;
const PARALLELISM: usize = 16;
const PATIENCE: Duration = Duration::from_secs(60);

/// A scan of the keys of the whole cluster. Made by [`Client::scan`]; [`keys`](Self::keys) starts it.
///
/// # What holds
/// - **Every key that is there from the beginning of the scan to its end is returned at least once**, or its slot is reported
///   as missing: through failovers, restarts, slots that move, and a scan that is dropped and [resumed](Self::resume).
///   The [module](super) says why. Keys that come or go meanwhile may be returned or not. What becomes of writes that were
///   acknowledged and are lost in a failover is not for a scan to say.
/// - A key may be returned several times: while tables are resized, as with `SCAN` itself, and where a node has to be scanned
///   again. A caller that must handle each key once has to remember which it has seen.
/// - **Nothing is passed off as complete.** Slots that could not be scanned are an error in the stream, which names them and
///   then goes on with the others; [`Keys::is_complete`] says at the end whether there were any.
/// - A slow reader stops the requests: at most two pages of each node are kept.
/// - Every scan ends, no later than when its [patience](Self::patience) is over, unless its reader takes nothing.
///
/// The user needs the rights for `SCAN`, `INFO` and `CLUSTER NODES` ([more](super#what-a-user-must-be-allowed)).
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use truename::cmd;
///
/// let mut keys = client.scan().matching("session:*").of_type("hash").keys();
/// while let Some(key) = keys.next().await {
///     match key {
///         Ok(key) => client.run(cmd("UNLINK").arg(key)).await?,
///         // Which slots, of which node, and why. The scan goes on with the others.
///         Err(missing) => eprintln!("{missing}"),
///     }
/// }
/// if !keys.is_complete() {
///     eprintln!("some are left; go on later at {}", keys.cursor().expect("there is more"));
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent before the keys are polled"]
#[derive(Clone)]
pub struct Scan {
    client: Client,
    wanted: Wanted,
    parallelism: usize,
    patience: Duration,
    from: Option<ScanCursor>,
}

/// A pattern may be a secret.
impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("count", &self.wanted.count)
            .field("parallelism", &self.parallelism)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Begins a scan of the keys of the whole cluster. See its [example](Scan#examples).
    pub fn scan(&self) -> Scan {
        let wanted = Wanted { count: Some(COUNT), ..Wanted::default() };
        let (parallelism, patience) = (PARALLELISM, PATIENCE);
        Scan { client: self.clone(), wanted, parallelism, patience, from: None }
    }
}

impl Scan {
    /// Only keys that match this pattern (`MATCH`). See the [example](Scan#examples).
    pub fn matching(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.wanted.pattern = Some(Bytes::copy_from_slice(pattern.as_ref()));
        self
    }

    /// Only keys whose values are of this type, as the command `TYPE` names it. See the [example](Scan#examples).
    pub fn of_type(mut self, name: impl Into<String>) -> Self {
        self.wanted.kind = Some(name.into());
        self
    }

    /// About how many keys a server looks at for a page (`COUNT`); 1000 by default. More is faster, and keeps the server from
    /// others for longer at a time.
    ///
    /// # Examples
    /// ```no_run
    /// # fn example(client: truename::Client) {
    /// use std::time::Duration;
    ///
    /// // Gently: two nodes at a time, a hundred keys at a time, and with patience.
    /// let scan = client.scan().count(100).parallelism(2).patience(Duration::from_secs(300));
    /// # }
    /// ```
    pub fn count(mut self, keys: u32) -> Self {
        self.wanted.count = Some(keys.max(1));
        self
    }

    /// How many nodes are scanned at a time; 16 by default. See the [example](Self::count).
    pub fn parallelism(mut self, nodes: usize) -> Self {
        self.parallelism = nodes.max(1);
        self
    }

    /// How long slots may be without progress before they are reported missing, because their node is gone, because they are
    /// between two nodes, or because passes over them come to nothing; a minute by default. A failover should fit into it.
    /// However short it is, slots are tried several times. See the [example](Self::count).
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(crate::config::FOREVER);
        self
    }

    /// Goes on where another scan with the same pattern and type stopped, which may have been in another process. What holds
    /// for one scan then holds for both together. The cursor has to be of the same cluster and database, which is
    /// not checked: nothing in it says which they were. See the [example](ScanCursor#examples).
    pub fn resume(mut self, cursor: ScanCursor) -> Self {
        self.from = Some(cursor);
        self
    }

    /// Starts the scan. Nothing is sent before the stream is polled. See the [example](Scan#examples).
    pub fn keys(self) -> Keys {
        let mut digest = Digest::new();
        for part in [self.wanted.pattern.as_deref(), self.wanted.kind.as_ref().map(String::as_bytes)] {
            digest.add(&part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            digest.add(part.unwrap_or_default());
        }
        let limits = (self.parallelism, self.patience);
        Keys::new(self.client, self.wanted, digest.value(), self.from, limits)
    }
}
