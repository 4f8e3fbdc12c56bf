//! A failed connection as a report: every node that was tried, how far it got, and what would help.
//!
//! Nothing secret enters these types: no password, no key, no bytes of a command.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use truename_topology::{DialAddress, Endpoint, Identity};

use super::case::Case;
use super::cause::Cause;
use super::phase::Phase;
use super::remedy::{Remedy, Spelling, Tell, Told, as_calls};
use super::text::shown;
use crate::certificate::Certificate;

/// The most failures that one error keeps: a report of thousands is useless and costs megabytes.
const MAX_FAILURES: usize = 20;

/// One dial attempt to one node that failed. See the [example](ConnectError#examples).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeFailure {
    /// The node as the cluster announced it, or the seed as it was configured.
    pub node: Endpoint,
    /// Whether the node is a configured seed.
    pub is_seed: bool,
    /// Where the connection was dialled, once that was known.
    pub dialled: Option<DialAddress>,
    /// The socket address that was tried last.
    pub peer: Option<SocketAddr>,
    /// How far the attempt got.
    pub phase: Phase,
    /// Why it ended there.
    pub cause: Cause,
    /// The names that were acceptable for this node.
    pub acceptable: Vec<Identity>,
    /// The certificate that the peer presented, if it came to that.
    pub certificate: Option<Arc<Certificate>>,
    /// What would fix it.
    pub remedy: Option<Remedy>,
    /// How long the attempt took.
    pub elapsed: Duration,
}

impl NodeFailure {
    /// The report of an attempt.
    pub(crate) fn new(case: &Case<'_>, cause: Cause, elapsed: Duration) -> Self {
        Self {
            node: case.node.endpoint.clone(),
            is_seed: case.is_seed,
            dialled: case.dialled.cloned(),
            peer: case.peer,
            phase: case.phase,
            acceptable: case.plan.map_or_else(Vec::new, |plan| plan.identities.clone()),
            certificate: case.certificate.cloned(),
            remedy: cause.remedy(case),
            cause,
            elapsed,
        }
    }

    /// The same report with other advice, which follows from more than this attempt.
    pub(crate) fn with_remedy(self, remedy: impl Into<Remedy>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The same report of an attempt at a node that could be reached before: whatever is wrong now, its address was right.
    pub(crate) fn after_success(self) -> Self {
        match self.remedy {
            Some(Remedy::DownOrHidden { .. } | Remedy::RuledAddress { .. }) => {
                let port = self.node.port();
                self.with_remedy(Remedy::WentDown { port })
            }
            _ => self,
        }
    }

    /// The same report of an attempt whose names and certificate were in order.
    pub(crate) fn after_tls(self) -> Self {
        Self { acceptable: Vec::new(), certificate: None, ..self }
    }

    /// The most informative of several failures: a name out of scope, whatever became of the detour in its place; otherwise
    /// the one that got furthest, the latest of those. A detour that led to another node was only a guess: any other failure
    /// says more. See the [example](ConnectError#examples).
    pub fn decisive<'a>(failures: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        failures.into_iter().max_by_key(|failure| failure.weight())
    }

    /// How much it says, next to others.
    fn weight(&self) -> impl Ord + use<> {
        (self.cause.decides(), !self.is_astray(), self.phase)
    }

    /// Whether a detour led to another node.
    fn is_astray(&self) -> bool {
        self.cause.is_wrong_node() && self.dialled.as_ref().is_some_and(|dialled| *dialled != self.node)
    }

    /// The failure in one line. See the [example](ConnectError#examples).
    pub fn summary(&self) -> String {
        let mut line = format!("{}", self.node);
        if let Some(dialled) = &self.dialled
            && *dialled != self.node
        {
            line.push_str(&format!(" (dialled {dialled})"));
        }
        format!("{line}: {}: {}", self.phase, self.cause)
    }

    /// The report with settings as somebody else spells them: see the [example of a remedy](Remedy::spelled).
    pub fn spelled(&self, spelling: Spelling) -> impl fmt::Display + '_ {
        Told { what: self, spelling }
    }
}

impl NodeFailure {
    /// The report; its advice only by the node whose report had the same before.
    fn tell_after(&self, earlier: &[Self], f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        self.tell_facts(f)?;
        let Some(remedy) = &self.remedy else { return Ok(()) };
        let said = |other: &&Self| other.remedy.as_ref().is_some_and(|told| remedy.repeats(told));
        match earlier.iter().find(said) {
            Some(other) => write!(f, "\n  remedy     as for {} above", other.node),
            None => write!(f, "\n  remedy     {}", shown(&remedy.spelled(spelling).to_string())),
        }
    }

    /// All of the report but its advice.
    fn tell_facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.is_seed { "seed" } else { "node" };
        writeln!(f, "{role} {}", self.node)?;
        if let Some(dialled) = &self.dialled {
            match self.peer {
                Some(peer) if peer.to_string() != dialled.to_string() => {
                    writeln!(f, "  dialled    {dialled} ({peer})")?;
                }
                _ => writeln!(f, "  dialled    {dialled}")?,
            }
        }
        writeln!(f, "  failed at  {} after {} ms", self.phase, self.elapsed.as_millis())?;
        write!(f, "  cause      {}", self.cause)?;
        if matches!(self.phase, Phase::Tls) && !self.acceptable.is_empty() {
            let names: Vec<String> = self
                .acceptable
                .iter()
                .map(|identity| format!("{} ({})", identity.name, identity.source))
                .collect();
            write!(f, "\n  acceptable {}", names.join(", "))?;
        }
        if let Some(certificate) = &self.certificate {
            write!(f, "\n  presented  {}", shown(&certificate.names_line()))?;
            write!(f, "\n  issuer     {}", shown(&certificate.issuer))?;
            write!(f, "\n  valid      {}", certificate.validity_line())?;
        }
        Ok(())
    }
}

impl Tell for NodeFailure {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        self.tell_after(&[], f, spelling)
    }
}

impl fmt::Display for NodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}

/// No usable connection could be made.
///
/// # Examples
/// ```no_run
/// # async fn example(config: truename::Config) {
/// use truename::error::NodeFailure;
/// use truename::{Client, Error};
///
/// let Err(Error::Connect(report)) = Client::connect(&config).await else { return };
/// // All of it, for a log that people read.
/// eprintln!("{report}");
/// // One line, and a code to count by.
/// if let Some(failure) = report.decisive() {
///     println!("{} {}", failure.cause.code(), failure.summary());
/// }
/// // The most informative failure of the seeds alone.
/// let seeds = report.failures.iter().filter(|failure| failure.is_seed);
/// println!("{:?}", NodeFailure::decisive(seeds).map(|failure| failure.phase.name()));
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectError {
    /// The attempts that failed, in the order in which they ended; of many, the twenty [most informative](NodeFailure::decisive)
    /// ones. Not empty in errors that a client returns.
    pub failures: Vec<NodeFailure>,
    /// How long the attempts to connect went on.
    pub elapsed: Duration,
    /// How many further attempts failed.
    pub omitted: usize,
}

impl ConnectError {
    pub(crate) fn new(mut failures: Vec<NodeFailure>, elapsed: Duration) -> Self {
        let omitted = failures.len().saturating_sub(MAX_FAILURES);
        if omitted > 0 {
            let mut best: Vec<usize> = (0..failures.len()).collect();
            best.sort_by_key(|&at| Reverse((failures[at].weight(), at)));
            let kept: HashSet<usize> = best.into_iter().take(MAX_FAILURES).collect();
            let mut position = 0..;
            failures.retain(|_| position.next().is_some_and(|at| kept.contains(&at)));
        }
        Self { failures, elapsed, omitted }
    }

    /// The [most informative](NodeFailure::decisive) failure. See the [example](ConnectError#examples).
    pub fn decisive(&self) -> Option<&NodeFailure> {
        NodeFailure::decisive(&self.failures)
    }
}

impl Tell for ConnectError {
    fn tell(&self, f: &mut fmt::Formatter<'_>, spelling: Spelling) -> fmt::Result {
        match self.failures.as_slice() {
            [] => write!(f, "no connection after {} ms", self.elapsed.as_millis()),
            [only] => write!(f, "cannot connect to {}", only.spelled(spelling)),
            several => {
                write!(
                    f,
                    "cannot connect: {} attempts failed in {} ms",
                    several.len() + self.omitted,
                    self.elapsed.as_millis()
                )?;
                for (index, failure) in several.iter().enumerate() {
                    f.write_str("\n")?;
                    failure.tell_after(&several[..index], f, spelling)?;
                }
                if self.omitted > 0 {
                    write!(f, "\n... and {} more that say no more than these", self.omitted)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, as_calls)
    }
}

/// Its text holds the whole report, so it has no source.
impl std::error::Error for ConnectError {}
