//! From a step that failed to the report of the whole attempt.

use std::time::Duration;

use truename_topology::NodePlan;

use super::facts::ConnectionFacts;
use super::{Target, remedy};
use crate::error::{Cause, NodeFailure, Phase};

/// The report of an attempt that learnt `facts` before it failed. Without a plan nothing was dialled.
pub(super) fn report(
    target: &Target,
    plan: Option<&NodePlan>,
    facts: &ConnectionFacts,
    (phase, cause): (Phase, Cause),
    elapsed: Duration,
) -> NodeFailure {
    NodeFailure {
        node: target.node.endpoint.clone(),
        is_seed: target.is_seed,
        dialled: facts.dialled.clone(),
        peer: facts.peer,
        phase,
        acceptable: plan.map_or_else(Vec::new, |plan| plan.identities.clone()),
        certificate: facts.certificate.clone(),
        remedy: match plan {
            Some(plan) => remedy::advise(target, plan, facts, phase, &cause),
            None => remedy::before_dialling(&cause),
        },
        cause,
        elapsed,
    }
}
