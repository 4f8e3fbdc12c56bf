//! Reaching a seed or node: every way to it, one after the other.

use std::sync::Arc;
use std::time::Instant;

use truename_topology::NodePlan;

use super::session::Session;
use super::subject::Subject;
use crate::config::Config;
use crate::connect::Connector;
use crate::error::{Error, NodeFailure};
use crate::runtime::{off_the_runtime, runtime_here};

/// Makes connections as a client with this configuration would, to look at one seed or node at a time.
///
/// Plans, names, certificates, login and greeting are a client's; a connection comes up if and only if a
/// client's would. Nothing is remembered between connections but the ids that nodes reported, and TLS
/// sessions.
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), truename::Error> {
/// use std::time::{Duration, Instant};
/// use truename::probe::{Budget, Probe, Subject};
/// use truename::topology::{Endpoint, parse_slots};
/// use truename::{Config, Reply};
///
/// let config = Config::from_url("rediss://:password@my-redis.example.net:10000")?;
/// let probe = Probe::new(&config).await?;
/// let until = Instant::now() + Duration::from_secs(5);
///
/// let seed = Endpoint::new("my-redis.example.net", 10000);
/// let mut reached = probe.reach(&Subject::Seed(seed.clone()), until).await;
/// // Every way that did not work, also when a later one did.
/// reached.failures.iter().for_each(|failure| eprintln!("{failure}"));
/// let Some(mut session) = reached.session.take() else { return Ok(()) };
/// println!("TLS took {:?} of {:?}", session.facts().tls, session.facts().elapsed);
///
/// let slots: &[&[u8]] = &[b"CLUSTER", b"SLOTS"];
/// let asked = session.ask(&[slots], Budget::Topology, until).await;
/// let Some(view) = asked.replies.first().and_then(|reply| parse_slots(reply, seed.host()).ok()) else {
///     return Ok(());
/// };
/// for node in view.nodes() {
///     let subject = Subject::Announced { node: node.clone(), told_by: seed.clone() };
///     println!("{node} would be dialled at {:?}", probe.plan(&subject).map(|plan| plan.dial));
///     // The seed may be that very node.
///     if session.also_serves(&subject) {
///         let asked = session.ask(&[&[b"INFO", b"memory"]], Budget::Small, until).await;
///         println!("{node} says {:?}", asked.replies.first().and_then(Reply::as_str));
///         // What could break a connection gets one of its own.
///         let another = probe.again(&session, until).await;
///         println!("a second connection: {:?}", another.map(|session| session.facts().elapsed));
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Probe {
    connector: Arc<Connector>,
}

/// What came of reaching a seed or node. See the [example](Probe#examples).
#[derive(Debug)]
#[non_exhaustive]
pub struct Reached {
    /// The connection, if one came up.
    pub session: Option<Session>,
    /// Every attempt that failed, including those before one that succeeded; and why the announced name was
    /// not dialled. Failed TLS handshakes come with the certificates that were presented.
    pub failures: Vec<NodeFailure>,
    /// Where it was dialled and who had to answer; `None` if there is no such plan.
    pub plan: Option<NodePlan>,
}

impl Probe {
    /// Gets everything ready: loads certificates, on a thread that may block. Must be called within a tokio
    /// runtime, on which the connections will live. See the [example](Probe#examples).
    ///
    /// # Errors
    /// [`Error::Config`] only, also outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn new(config: &Config) -> Result<Self, Error> {
        let owned = config.clone();
        let connector = off_the_runtime(&runtime_here()?, move || Connector::build(&owned)).await?;
        Ok(Self { connector: Arc::new(connector) })
    }

    /// Where a seed or node would be dialled, and which names it may prove. Nothing is dialled. See the
    /// [example](Probe#examples).
    ///
    /// # Errors
    /// Why there is no plan: its name is out of scope, no rule leads to an address, or the user's own address
    /// map panicked.
    pub fn plan(&self, subject: &Subject) -> Result<NodePlan, Box<NodeFailure>> {
        self.connector.plan(&subject.target())
    }

    /// Dials the ways of the plan one after the other until one works, as far as the greeting. All of them
    /// together have [`Config::node_connect_timeout`], of which a silent one takes no more than its share,
    /// and end by `until`. See the [example](Probe#examples).
    ///
    /// # Cancel safety
    /// Dropping the future closes its connections.
    pub async fn reach(&self, subject: &Subject, until: Instant) -> Reached {
        let target = subject.target();
        match self.connector.plan(&target) {
            Err(failure) => Reached { session: None, failures: vec![*failure], plan: None },
            Ok(plan) => {
                let (connected, failures) = self.connector.examine(&target, &plan, until.into()).await;
                let session = connected.map(|connected| Session::new(&self.connector, target, connected));
                Reached { session, failures, plan: Some(plan) }
            }
        }
    }

    /// One more connection like this one, by the way that worked. It has [`Config::node_connect_timeout`],
    /// and ends by `until`. See the [example](Probe#examples).
    ///
    /// # Errors
    /// Why it failed this time.
    ///
    /// # Cancel safety
    /// Dropping the future closes its connection.
    pub async fn again(&self, session: &Session, until: Instant) -> Result<Session, Box<NodeFailure>> {
        let (target, way) = (session.target(), session.facts().dialled.as_ref());
        let connected = self.connector.examine_again(target, way, until.into()).await?;
        Ok(Session::new(&self.connector, target.clone(), connected))
    }
}
