//! How the client behaves: what becomes of a command, what is promised, and what is not.
//!
//! | chapter | what it answers |
//! |---|---|
//! | [`redirects`] | Where does a command go? What happens on `MOVED`, `ASK` or `TRYAGAIN`, and when is the topology asked for? |
//! | [`several_nodes`] | What if keys are in several slots, or a command concerns all nodes? What if one of them fails? |
//! | [`retries`] | What is sent again? What does [`may_have_executed`](crate::Error::may_have_executed) mean? |
//! | [`identity`] | Which name must a node prove, behind NAT, private endpoints, tunnels, in Docker and Kubernetes? |
//! | [`ordering`] | In which order are commands executed? |
//! | [`cancellation`] | What happens when a future is dropped? |
//! | [`locks`] | How is a lock taken and given back, and what does it promise? |
//! | [`runtimes`] | Which runtimes may be used, and how does a program end? |
//! | [`bounds`] | How much may be in flight, how much memory is used, and which time-outs are there? |
//! | [`features`] | Cargo features, metrics, events and log lines |
//! | [`migrating`] | What are the names of redis-rs, fred and node-redis called here, and what does not exist yet? |
//!
//! Programs to start from are among the [examples] of the repository. They run against any cluster and survive a failover:
//!
//! | example | what it shows |
//! |---|---|
//! | `web_cache` | a cache in front of a slow source: locks, `MGET` over many slots with a part that fails, deadlines, stale values, a cluster that is down at the start |
//! | `job_queue` | jobs that are done at least once: pops that are dropped, workers that crash, orphans, an orderly end |
//! | `rate_limiter` | a sliding window: a script over keys with a hash tag, repeated safely, and read from replicas |
//!
//! The chapters explain; the items that they link to are the reference, and give units, defaults and errors. What is promised
//! has a test, which [docs/PROMISES.md] in the repository names; [SECURITY.md] is the threat model, with what the default
//! proves at each provider, and [ARCHITECTURE.md] is for readers of the source.
//!
//! [examples]: https://github.com/truename-rs/truename/tree/main/crates/client/examples
//! [docs/PROMISES.md]: https://github.com/truename-rs/truename/blob/main/docs/PROMISES.md
//! [SECURITY.md]: https://github.com/truename-rs/truename/blob/main/SECURITY.md
//! [ARCHITECTURE.md]: https://github.com/truename-rs/truename/blob/main/ARCHITECTURE.md

// What must stay true: the chapters say what the code does today, and promise nothing that has no test.

pub mod bounds;
pub mod cancellation;
pub mod features;
pub mod identity;
#[doc(alias = "distributed lock")]
#[doc(alias = "mutex")]
#[doc(alias = "redlock")]
pub mod locks;
#[doc(alias = "AsyncCommands")]
#[doc(alias = "Script")]
#[doc(alias = "pipe")]
#[doc(alias = "pipeline")]
#[doc(alias = "pubsub")]
pub mod migrating;
pub mod ordering;
pub mod redirects;
pub mod retries;
pub mod runtimes;
pub mod several_nodes;
