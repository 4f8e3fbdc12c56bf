//! A small web server with a slow source, and the cluster as a cache between them.
//!
//! - The server starts while its cluster is down ([`Client::lazy`]), and no call waits for the cluster for long.
//! - A page is one `MGET` of keys in many slots. Where a node is in trouble, its keys are missing and no others
//!   ([`Error::Partial`]).
//! - Of many that miss an item, one loads it: the one whose `SET … NX PX` came first. It stores the item and gives the lock back
//!   in one step, by a script, and only if the lock is still its own.
//! - Lifetimes vary at random, so that what was loaded together does not expire together.
//! - Whoever changes items removes them and their locks with one `UNLINK`, of any slots: what is being loaded is then not stored.
//! - Without an answer from the cache, an item is what this process saw last, stale as it may be, or else what the source says.
//!
//! Run `truename lab up`, copy the lines that it prints, then `cargo run --example web_cache --features metrics`.

#[path = "support/arguments.rs"]
mod arguments;
#[path = "support/http.rs"]
mod http;
#[path = "support/source.rs"]
mod source;
#[path = "support/visitors.rs"]
mod visitors;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use parking_lot::Mutex;
use source::Source;
use tokio::net::TcpListener;
use tokio::time::sleep;
use truename::{Client, Config, Error, Script, cmd};

const ITEMS: u64 = 200;
const PAGE: u64 = 20;
/// How long a page waits for the cache.
const PATIENCE: Duration = Duration::from_millis(150);
/// How long an item counts as fresh, and may be out of date if an `UNLINK` was lost.
const LIFETIME: Duration = Duration::from_millis(1000);
/// How long a lock is kept by a process that died: longer than loading takes.
const LOCK: Duration = Duration::from_millis(2000);

/// Gives a lock back if it is (still) ours, and stores the item if there is one. KEYS: the lock, the item. ARGV: what we put
/// into the lock, the text, its lifetime.
const RELEASE: &str = "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    if ARGV[2] then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
    return redis.call('DEL', KEYS[1])";

struct Cache {
    client: Client,
    /// What is slow, and must not be asked more often than needed.
    source: Source,
    release: Script,
    /// What this process saw last. A real service would bound it.
    seen: Mutex<HashMap<u64, String>>,
    /// Where items came from, and what went wrong.
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

fn key(item: u64) -> String {
    format!("item:{item}")
}

fn lock(item: u64) -> String {
    format!("lock:{{{}}}", key(item))
}

impl Cache {
    fn count(&self, what: &'static str) {
        *self.counts.lock().entry(what).or_default() += 1;
    }

    /// The texts of these items.
    async fn page(&self, items: &[u64]) -> Vec<String> {
        let found = self.look_up(items).await;
        join_all(items.iter().zip(found).map(|(item, answer)| self.item(*item, answer))).await
    }

    /// What the cache answers for each item, if it does: its text, or that it has none.
    async fn look_up(&self, items: &[u64]) -> Vec<Option<Option<String>>> {
        let keys: Vec<String> = items.iter().copied().map(key).collect();
        match self.client.execute::<Vec<Option<String>>>(cmd("MGET").args(&keys)).await {
            Ok(texts) => texts.into_iter().map(Some).collect(),
            Err(Error::Partial(partial)) => {
                self.count("partial");
                partial.values_in_order().into_iter().map(Result::ok).collect()
            }
            Err(_) => vec![None; items.len()],
        }
    }

    async fn item(&self, item: u64, answer: Option<Option<String>>) -> String {
        let text = match answer {
            Some(Some(text)) => {
                self.count("hits");
                text
            }
            Some(None) => self.fill(item).await,
            None => self.without_cache(item).await,
        };
        self.seen.lock().insert(item, text.clone());
        text
    }

    async fn without_cache(&self, item: u64) -> String {
        let seen = self.seen.lock().get(&item).cloned();
        if let Some(text) = seen {
            self.count("stale");
            return text;
        }
        self.count("bypassed");
        self.source.load(item).await
    }

    /// Loads an item into the cache, or waits for somebody else to do it.
    async fn fill(&self, item: u64) -> String {
        let (key, lock, ours) = (key(item), lock(item), format!("{:x}", fastrand::u128(..)));
        let end = Instant::now() + 3 * PATIENCE;
        let is_ours = loop {
            let take = cmd("SET").arg(&lock).arg(&ours).arg("NX").arg(("PX", LOCK.as_millis()));
            let Ok(is_ours) = self.client.execute::<bool>(take).await else { break false };
            // With the lock, too: whoever had it before us has stored the item.
            if let Ok(Some(text)) = self.client.execute(cmd("GET").arg(&key)).await {
                if is_ours {
                    // If that fails, the lock expires.
                    let _ =
                        self.release.key(&lock).key(&key).arg(&ours).repeatable(true).run(&self.client).await;
                }
                self.count("awaited");
                return text;
            }
            if is_ours || Instant::now() > end {
                break is_ours;
            }
            sleep(Duration::from_millis(10)).await;
        };
        if !is_ours {
            return self.without_cache(item).await;
        }
        self.count("loaded");
        let text = self.source.load(item).await;
        let lifetime = LIFETIME.as_millis() as u64 + fastrand::u64(..LIFETIME.as_millis() as u64 / 4);
        let release = self.release.key(&lock).key(&key).arg(&ours).arg(&text).arg(lifetime);
        // If it is not stored, somebody loads it again.
        let _ = release.repeatable(true).run(&self.client).await;
        text
    }

    /// Removes items that have changed. Returns once they are removed.
    async fn invalidate(&self, items: &[u64]) {
        let both = items.iter().flat_map(|item| [key(*item), lock(*item)]);
        let mut keys: Vec<Vec<u8>> = both.map(String::into_bytes).collect();
        loop {
            // More patient than a page: it matters more, and nobody waits.
            match self.client.execute::<u64>(cmd("UNLINK").args(&keys).timeout(Duration::from_secs(1))).await
            {
                Ok(_) | Err(Error::Closed) => return,
                // Only what is left.
                Err(Error::Partial(partial)) => {
                    keys =
                        partial.failed().flat_map(|(part, _)| &part.keys).map(|key| key.to_vec()).collect();
                }
                Err(_) => {}
            }
            self.count("unlinked again");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// What the server answers to `GET /page/3` and `PUT /items/60,61`; `None` to everything else.
    async fn answer(&self, method: &str, path: &str) -> Option<String> {
        if let ("GET", Some(page)) = (method, path.strip_prefix("/page/")) {
            let page: u64 = page.parse().ok()?;
            let items: Vec<u64> = (page * PAGE % ITEMS..).take(PAGE as usize).collect();
            let texts = self.page(&items).await;
            Some(items.iter().zip(texts).map(|(item, text)| format!("{item} {text}\n")).collect())
        } else if let ("PUT", Some(items)) = (method, path.strip_prefix("/items/")) {
            let items: Vec<u64> = items.split(',').filter_map(|item| item.parse().ok()).collect();
            let versions = self.source.change(&items);
            self.invalidate(&items).await;
            Some(items.iter().zip(versions).map(|(item, version)| format!("{item} {version}\n")).collect())
        } else {
            None
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [seconds, visitors, port] = arguments::numbers(
        "A web server with a cache, and visitors that read its pages while items change.",
        [
            ("--seconds", 3, "how long the visitors come"),
            ("--visitors", 8, "how many come at a time"),
            ("--port", 0, "serve GET /page/3 and PUT /items/60,61 here until Ctrl-C, without visitors"),
        ],
    );
    // Before the client is made. A service would install the recorder of its monitoring here.
    let recorder = DebuggingRecorder::new();
    let metrics = recorder.snapshotter();
    recorder.install()?;

    let config = Config::from_env()?.command_timeout(PATIENCE);
    let cache = Arc::new(Cache {
        client: Client::lazy(&config).await?,
        source: Source::default(),
        release: Script::new(RELEASE),
        seen: Mutex::default(),
        counts: Mutex::default(),
    });
    let listener = TcpListener::bind(("127.0.0.1", u16::try_from(port)?)).await?;
    let address = listener.local_addr()?;
    println!("http://{address}/page/0");
    let answering = Arc::clone(&cache);
    let answer = move |method: String, path: String| {
        let cache = Arc::clone(&answering);
        async move { cache.answer(&method, &path).await }
    };
    let failed = if port == 0 {
        let visits = visitors::come(address, visitors, Duration::from_secs(seconds), ITEMS, ITEMS / PAGE);
        let visits = http::serve(listener, answer, visits).await;
        println!("pages {}, failed {}, outdated {}", visits.pages, visits.failed, visits.outdated);
        visits.failed
    } else {
        http::serve(listener, answer, tokio::signal::ctrl_c()).await?;
        0
    };
    // Nobody asks any more; what is under way is finished.
    let has_ended = cache.client.shutdown(Duration::from_secs(2)).await;

    println!("items: {:?}", cache.counts.lock());
    println!("ended in good order: {has_ended}");
    for (key, _, _, value) in metrics.snapshot().into_vec() {
        if let DebugValue::Counter(value @ 1..) = value {
            let labels = key.key().labels().map(|label| format!(" {}={}", label.key(), label.value()));
            println!("{}{} {value}", key.key().name(), labels.collect::<String>());
        }
    }
    if failed > 0 { Err("some pages were not served".into()) } else { Ok(()) }
}
