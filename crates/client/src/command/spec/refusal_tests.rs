//! What is refused has a remedy that fits: the table of commands next to that of remedies.

use std::collections::HashSet;

use super::index::TABLE;
use super::routing::RouteRefusal;
use super::{Affinity, RequestPolicy, Spec};
use crate::error::{Instead, Remedy, RouteError, commands_with_remedies};

fn remedy(spec: &Spec, refusal: RouteRefusal) -> Option<Remedy> {
    let command = spec.name.to_owned();
    let refused = match refusal {
        RouteRefusal::ConnectionState => RouteError::ConnectionState { command },
        RouteRefusal::SeveralNodes => RouteError::SeveralNodes { command },
        RouteRefusal::Administrative => RouteError::Administrative { command },
        other => panic!("{}: {other:?}", spec.name),
    };
    refused.remedy().cloned()
}

#[test]
fn every_refused_command_is_told_what_does_its_work() {
    let mut refused = HashSet::new();
    for spec in &TABLE {
        let Some(refusal) = spec.reach().refusal(false) else { continue };
        refused.insert(spec.name);
        let remedy = remedy(spec, refusal).unwrap_or_else(|| panic!("{} has no remedy", spec.name));
        let fits = match (&remedy, refusal, spec.request) {
            // A connection of one's own helps only who is not refused there as well.
            (Remedy::Instead(Instead::Dedicated), RouteRefusal::ConnectionState, _) => !matches!(
                spec.affinity,
                Affinity::Subscription | Affinity::Stream | Affinity::Replies | Affinity::Debugger
            ),
            (Remedy::Instead(_), RouteRefusal::ConnectionState, _) => true,
            (Remedy::Instead(Instead::Scan), ..) => spec.name == "SCAN",
            (Remedy::AllPrimaries, RouteRefusal::SeveralNodes, policy) => policy == RequestPolicy::AllShards,
            // What administers one node may do so on each.
            (Remedy::EveryNode, RouteRefusal::SeveralNodes, policy) => policy == RequestPolicy::AllNodes,
            (Remedy::EveryNode | Remedy::ChooseNode, RouteRefusal::Administrative, _) => true,
            (Remedy::AllOrOne, RouteRefusal::SeveralNodes, _) => true,
            _ => false,
        };
        assert!(fits, "{}: {refusal:?}, {:?}, {remedy:?}", spec.name, spec.request);
    }
    for name in commands_with_remedies() {
        assert!(refused.contains(name), "{name} is not refused");
    }
}
