//! One look at a seed or node, on one connection: is it alive, and what does it think of the topology?

use std::time::Instant;

use truename_resp::Reply;
use truename_topology::{Endpoint, View};

use super::reach::Probe;
use super::report::NodeReport;
use super::session::{Budget, Session};
use super::subject::Subject;
use crate::cluster::{SLOTS, SourceAnswer, read_slots};
use crate::connect::Target;
use crate::error::{Cause, NodeFailure, Phase};

/// What was found out.
pub(super) struct Looked {
    pub(super) report: NodeReport,
    /// The connection, which may serve for another look.
    pub(super) session: Option<Session>,
    pub(super) told: Told,
}

/// What came of asking for the topology.
pub(super) enum Told {
    /// The report has a view, which came at this time.
    View(Instant),
    /// It is not a cluster node.
    NotACluster,
    /// Why there is no view.
    Nothing(Vec<NodeFailure>),
}

/// Looks at a seed or node on a new connection.
pub(super) async fn look_at(probe: &Probe, subject: &Subject, until: Instant) -> Looked {
    let reached = probe.reach(subject, until).await;
    match reached.session {
        Some(session) => look_on(session, reached.failures, until).await,
        None => Looked {
            report: blank(&subject.target(), reached.failures.clone()),
            session: None,
            told: Told::Nothing(reached.failures),
        },
    }
}

/// Looks at what a connection leads to. `failures` are those of the attempts before it.
pub(super) async fn look_on(mut session: Session, failures: Vec<NodeFailure>, until: Instant) -> Looked {
    let mut report = blank(session.target(), failures);
    report.facts = Some(session.facts().clone());
    let (pong, took) = session.ask_one(&[b"PING"], Budget::Small, until).await;
    let answered = pong.and_then(|pong| ping_refusal(&pong).map_or(Ok(took), Err));
    let told = match answered {
        Ok(took) => {
            report.ping = Some(took);
            ask_for_view(&mut session, &mut report, until).await
        }
        Err(cause) => {
            let failure = session.failure(Phase::Ping, cause, took);
            report.failures.push(failure.clone());
            match session.is_over() {
                true => Told::Nothing(vec![failure]),
                false => ask_for_view(&mut session, &mut report, until).await,
            }
        }
    };
    Looked { report, session: Some(session), told }
}

/// What the node thinks of the topology. Where it does not say, that does not count as a fault of the node.
async fn ask_for_view(session: &mut Session, report: &mut NodeReport, until: Instant) -> Told {
    let (reply, took) = session.ask_one(&SLOTS, Budget::Topology, until).await;
    match reply.and_then(|reply| read_slots(&reply, session.target())) {
        Ok(SourceAnswer::View(view)) => {
            report.view = Some(*view);
            Told::View(Instant::now())
        }
        Ok(SourceAnswer::NotACluster) => Told::NotACluster,
        Err(cause) => Told::Nothing(vec![session.failure(Phase::Topology, cause, took)]),
    }
}

/// The view that came first, and the seed that gave it; `None` if there is none, and somebody says that there
/// is no cluster. Otherwise why nobody gave one.
pub(super) fn first_view(looked: &[Looked]) -> Result<Option<(Endpoint, View)>, Vec<NodeFailure>> {
    let views = looked.iter().filter_map(|looked| match looked.told {
        Told::View(came) => Some((came, &looked.report.node.endpoint, looked.report.view.as_ref()?)),
        _ => None,
    });
    if let Some((_, seed, view)) = views.min_by_key(|(came, ..)| *came) {
        return Ok(Some((seed.clone(), view.clone())));
    }
    let mut failures = Vec::new();
    for looked in looked {
        match &looked.told {
            Told::Nothing(why) => failures.extend(why.iter().cloned()),
            Told::NotACluster | Told::View(_) => return Ok(None),
        }
    }
    Err(failures)
}

fn blank(target: &Target, failures: Vec<NodeFailure>) -> NodeReport {
    NodeReport {
        node: target.node.clone(),
        is_seed: target.is_seed,
        facts: None,
        ping: None,
        failures,
        view: None,
    }
}

/// A server that refuses `PING` to this user is alive all the same.
fn ping_refusal(reply: &Reply) -> Option<Cause> {
    let error = reply.as_error().filter(|error| error.code() != "NOPERM")?;
    Some(Cause::ServerRefused(error.message().to_owned()))
}
