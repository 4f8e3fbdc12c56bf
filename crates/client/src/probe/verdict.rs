//! The verdict on a cluster, beyond what each node's own report says. Pure.

use truename_topology::view::SkipReason;
use truename_topology::{Disagreement, Skipped, Slot, SlotMap, View, reconcile};

use super::report::NodeReport;
use crate::error::{Check, NodeFailure, Remedy};

/// Slots without a node to send a command to.
pub(super) fn slots_without_owner(map: &SlotMap) -> usize {
    Slot::all().filter(|slot| map.primary(*slot).is_none()).count()
}

/// What the nodes' own views do not agree on. The first one is the view that was used.
pub(super) fn disagreements<'a>(views: impl IntoIterator<Item = &'a View>) -> Vec<Disagreement> {
    let views: Vec<View> = views.into_iter().cloned().collect();
    if views.len() < 2 { Vec::new() } else { reconcile(&views, None).disagreements }
}

/// A node that refuses connections where its neighbours answer is down: a rule for where to dial would not help it.
pub(super) fn tell_the_dead_from_the_hidden(nodes: &mut [NodeReport]) {
    let answering: Vec<(String, bool)> = nodes.iter().filter_map(way).collect();
    let has_company = |failure: &NodeFailure| {
        let Some(dialled) = &failure.dialled else { return false };
        let as_announced = *dialled == failure.node;
        answering.iter().any(|(host, announced)| host == dialled.host() || (as_announced && *announced))
    };
    // What is out of scope is to be fixed as such, whatever became of the detour.
    let is_decided = |node: &NodeReport| node.failures.iter().any(|failure| failure.cause.decides());
    for node in nodes.iter_mut().filter(|node| !node.is_healthy() && !is_decided(node)) {
        if !node.failures.iter().any(|failure| is_unreachable(failure) && has_company(failure)) {
            continue;
        }
        let is_led = node
            .failures
            .iter()
            .all(|failure| failure.dialled.as_ref().is_some_and(|dialled| *dialled != failure.node));
        let remedy = match is_led {
            true => Remedy::from(Check::NodeOrItsRule),
            false => Remedy::Down { port: node.node.endpoint.port() },
        };
        for failure in node.failures.iter_mut().filter(|failure| is_unreachable(failure)) {
            failure.remedy = Some(remedy.clone());
        }
    }
}

/// The host at which a node was reached, and whether it is the announced address.
fn way(node: &NodeReport) -> Option<(String, bool)> {
    let dialled = node.facts.as_ref()?.dialled.as_ref()?;
    Some((dialled.host().to_owned(), *dialled == node.node.endpoint))
}

fn is_unreachable(failure: &NodeFailure) -> bool {
    failure.cause.is_unreachable(failure.phase)
}

/// What would make nodes addressable that are not.
pub(super) fn remedy_for_skipped(skipped: &[Skipped]) -> Option<Remedy> {
    let is_nameless = |skipped: &Skipped| skipped.why == SkipReason::UnknownEndpoint;
    skipped.iter().any(is_nameless).then(|| Check::AnnouncedNames.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use truename_topology::{AnnouncedNode, DialAddress, Endpoint, Role};

    use super::*;
    use crate::connect::ConnectionFacts;
    use crate::error::{Case, Cause, Phase};

    fn report(announced: &str, failures: Vec<NodeFailure>, reached: Option<DialAddress>) -> NodeReport {
        let facts = reached.map(|at| ConnectionFacts { dialled: Some(at), ..ConnectionFacts::default() });
        NodeReport {
            node: AnnouncedNode::new(Endpoint::new(announced, 1), Role::Primary),
            is_seed: false,
            ping: facts.as_ref().map(|_| Duration::ZERO),
            facts,
            failures,
            view: None,
        }
    }

    fn failed(announced: &str, dialled: &DialAddress, phase: Phase, cause: Cause) -> NodeFailure {
        let node = AnnouncedNode::new(Endpoint::new(announced, 1), Role::Primary);
        let case = Case { dialled: Some(dialled), ..Case::of(&node, phase) };
        NodeFailure::new(&case, cause, Duration::ZERO)
    }

    /// A node whose name is out of scope, and which is not at the seed's host either, was said to be down.
    #[test]
    fn what_is_out_of_scope_is_not_said_to_be_down() {
        let seed = DialAddress::new("seed", 1);
        let refused = |name| failed(name, &seed, Phase::Tcp, Cause::Refused);
        let out_of_scope = NodeFailure::new(
            &Case::of(&AnnouncedNode::new(Endpoint::new("evil", 1), Role::Primary), Phase::Plan),
            Cause::OutOfScope("evil".to_owned()),
            Duration::ZERO,
        );
        let trust = out_of_scope.remedy.clone();
        let mut nodes = [
            report("one", Vec::new(), Some(DialAddress::new("seed", 2))),
            report("evil", vec![refused("evil"), out_of_scope], None),
            report("dead", vec![refused("dead")], None),
        ];
        let before = nodes[1].failures[0].remedy.clone();
        tell_the_dead_from_the_hidden(&mut nodes);
        assert_eq!(nodes[1].failures[0].remedy, before);
        assert_eq!(nodes[1].failures[1].remedy, trust);
        assert_eq!(nodes[2].failures[0].remedy, Some(Check::NodeOrItsRule.into()));
    }
}
