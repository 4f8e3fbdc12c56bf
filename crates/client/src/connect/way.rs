//! The ways to a node: the addresses to dial, and how each came about.

use truename_topology::{DialAddress, DialPlan};

/// How an address came to be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// It is the announced one.
    Announced,
    /// A rule, a map or the provider's profile says so.
    Ruled,
    /// The automatic fallback: the seed's host with the announced port, in case the node is there as well.
    Fallback,
}

/// One address to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) address: DialAddress,
    pub(super) via: Via,
}

/// The ways to a node, best first.
///
/// At the seed's host another node may have the same port, with the same certificate. So there is a fallback only to
/// a node whose id is known, as what answers there has to prove it. `first` is put in front.
pub(super) fn dial_candidates(plan: &DialPlan, has_id: bool, first: Option<&DialAddress>) -> Vec<Way> {
    let mut ways = match plan {
        DialPlan::Ruled(address) => vec![Way { address: address.clone(), via: Via::Ruled }],
        DialPlan::Detour(address) => {
            has_id.then(|| Way { address: address.clone(), via: Via::Fallback }).into_iter().collect()
        }
        DialPlan::Auto { announced, fallback } => {
            let fallback = fallback.clone().filter(|_| has_id);
            std::iter::once(Way { address: announced.clone(), via: Via::Announced })
                .chain(fallback.map(|address| Way { address, via: Via::Fallback }))
                .collect()
        }
    };
    if let Some(position) = first.and_then(|first| ways.iter().position(|way| way.address == *first)) {
        ways.swap(0, position);
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fallback_needs_a_node_id_and_what_is_known_comes_first() {
        let at = |host: &str| DialAddress::new(host, 1);
        let auto = DialPlan::Auto { announced: at("node"), fallback: Some(at("seed")) };
        let alone = DialPlan::Auto { announced: at("node"), fallback: None };
        let ruled = DialPlan::Ruled(at("rule"));
        let detour = DialPlan::Detour(at("seed"));
        let (seed, gone) = (at("seed"), at("gone"));
        type Row<'a> = (&'a DialPlan, bool, Option<&'a DialAddress>, &'a [(&'a str, Via)]);
        let rows: [Row<'_>; 9] = [
            (&auto, true, None, &[("node", Via::Announced), ("seed", Via::Fallback)]),
            (&auto, true, Some(&seed), &[("seed", Via::Fallback), ("node", Via::Announced)]),
            (&auto, true, Some(&gone), &[("node", Via::Announced), ("seed", Via::Fallback)]),
            (&auto, false, None, &[("node", Via::Announced)]),
            (&auto, false, Some(&seed), &[("node", Via::Announced)]),
            (&alone, true, None, &[("node", Via::Announced)]),
            (&ruled, false, None, &[("rule", Via::Ruled)]),
            (&detour, true, None, &[("seed", Via::Fallback)]),
            (&detour, false, None, &[]),
        ];
        for (plan, has_id, first, expected) in rows {
            let expected: Vec<Way> =
                expected.iter().map(|&(host, via)| Way { address: at(host), via }).collect();
            assert_eq!(dial_candidates(plan, has_id, first), expected, "{plan:?} {has_id} {first:?}");
        }
    }
}
