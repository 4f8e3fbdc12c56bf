//! From a step that failed to the report of the whole attempt.

use std::time::Duration;

use truename_topology::{NodeId, NodePlan};

use super::Target;
use super::facts::ConnectionFacts;
use crate::error::{Case, Cause, NodeFailure, Phase};

/// The report of an attempt that learnt `facts` before it failed. `expected` is the id that had to answer, be it known from the
/// announcement or from the node itself. Without a plan nothing was dialled.
pub(super) fn report(
    target: &Target,
    expected: Option<&NodeId>,
    plan: Option<&NodePlan>,
    facts: &ConnectionFacts,
    (phase, cause): (Phase, Cause),
    elapsed: Duration,
) -> NodeFailure {
    let case = Case {
        node: &target.node,
        seed: &target.seed,
        is_seed: target.is_seed,
        has_id: expected.is_some(),
        plan,
        dialled: facts.dialled.as_ref(),
        peer: facts.peer,
        certificate: facts.certificate.as_ref(),
        phase,
    };
    NodeFailure::new(&case, cause, elapsed)
}
