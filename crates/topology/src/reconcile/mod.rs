//! [`reconcile`]: one slot map out of several nodes' opinions.
//!
//! Nodes learn of changes at different times, an address can be reused by another cluster, a partitioned node keeps
//! believing what was true before, and a node may lie: whoever is dialled is given the password. So:
//!
//! 1. **Foreign views are put aside.** A view that shares no node with the current map describes another
//!    cluster. It is believed only if every view from a configured seed is foreign, all of them agree, and they are
//!    more than the views that speak of the known cluster: then that one is gone and the user's own addresses lead to
//!    a new one. As long as its nodes answer, a seed alone replaces nothing. Without a current map, the views that
//!    share nodes with most others are believed; so they are at a client's start ([`reconcile_seeds`]), when the current map
//!    is what the first seed to answer said.
//! 2. **A view without any slot abstains**: a node that was just reset or has not joined yet knows nothing.
//! 3. **Nothing is taken over from a view as a whole.** Who owns a slot, where a node is and what it is called, and who
//!    follows whom are voted on one by one. Nodes are told apart by their ids.
//! 4. **A slot goes to the owner that most views name.** Ties go to the highest epoch, then to any owner over none,
//!    then to the current owner, then to a seed's view. What that leaves open stays as it is.
//! 5. **An address or name that is not known yet needs more than half of the views, and at least two.** A seed's view
//!    decides ties, and one seed's view alone is enough. Until then a known node keeps the address that is known, and an
//!    unknown node's slots stay where they are.
//! 6. **A replica is one of its shard if more than half of the views say so.** Ties go to the seed, then to what is known.
//! 7. **A host that was put in for one that nobody announced proves nothing**: such an address is compared by its port.
//!
//! So of four views one may say whatever it wants. The epoch only breaks ties, although it is a logical clock: replicas
//! raise `cluster_current_epoch` at every failed election, so the losing side of a partition can have the higher one.
//!
//! | module | question |
//! |---|---|
//! | `family` | which views speak of the cluster in question? |
//! | `ballot` | what does one view say, and how much support is enough? |
//! | `slots` | who owns a slot? |
//! | `nodes` | where is a node, and what is it called? |
//! | `shards` | who follows whom, and the map of it all |
//! | `standing` | what became of the known cluster |
//! | `disagreement` | what was disputed, in words |

use std::collections::HashSet;

mod ballot;
mod disagreement;
mod family;
mod nodes;
mod shards;
mod slots;
mod standing;

use ballot::{Ballot, Electorate, KnownMap};
pub use disagreement::{AnnouncedAs, Disagreement};
use family::Believed;
pub use standing::Standing;

use crate::{AnnouncedNode, SlotMap, View};

/// What became of several views.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Reconciled {
    /// The map to use from now on.
    pub map: SlotMap,
    /// The view that agrees most with the map. `None` if no view was believed and the map is the current one.
    pub chosen: Option<usize>,
    /// What became of the known cluster.
    pub standing: Standing,
    /// Everything the views did not agree on.
    pub disagreements: Vec<Disagreement>,
    /// How many views were counted: the others spoke of another cluster, or of no slot.
    pub counted: usize,
    /// Only one view was counted, and it names addresses that were not known: another view is worth waiting for.
    pub rests_on_one_view: bool,
}

/// Merges views into one map; see the [module](self) for the rules.
///
/// With no views at all, or none that is believed, the result is the current map.
pub fn reconcile(views: &[View], current: Option<&SlotMap>) -> Reconciled {
    let current = current.filter(|map| !map.nodes().is_empty());
    merge(views, current, family::of_the_known_cluster(views, current))
}

/// Merges the views of several seeds while it is undecided which cluster is meant: the one that most of them mean. The
/// current map says so only among equals; otherwise it counts as for [`reconcile`].
pub fn reconcile_seeds(views: &[View], current: Option<&SlotMap>) -> Reconciled {
    let current = current.filter(|map| !map.nodes().is_empty());
    merge(views, current, family::of_most(views, current))
}

fn merge(views: &[View], current: Option<&SlotMap>, believed: Believed) -> Reconciled {
    let Believed { views: believed, standing } = believed;
    let is_replaced = standing == Standing::Replaced;
    let mut disagreements = Vec::new();
    if is_replaced {
        disagreements.push(Disagreement::Replaced);
    }
    let foreign = (0..views.len()).filter(|view| !believed.contains(view));
    disagreements.extend(foreign.map(|view| Disagreement::Foreign { view }));
    let voters = family::exclude_empty(views, believed, &mut disagreements);
    if voters.is_empty() {
        let map = current.cloned().unwrap_or_default();
        return Reconciled {
            map,
            chosen: None,
            standing,
            disagreements,
            counted: 0,
            rests_on_one_view: false,
        };
    }
    let ballots: Vec<Ballot> = voters.iter().map(|&view| Ballot::new(view, &views[view])).collect();
    let electorate = Electorate::of(&ballots);
    // Nothing of a cluster that was replaced is worth defending.
    let known = KnownMap::of(current.filter(|_| !is_replaced));
    let nodes = nodes::settle(&ballots, &electorate, &known, &mut disagreements);
    let elected = slots::elect(&ballots, &known, &nodes, &mut disagreements);
    let chosen = slots::closest(&ballots, &elected, &nodes);
    let map = shards::assemble(&ballots, &electorate, &known, &nodes, &elected, chosen, &mut disagreements);
    let rests_on_one_view = ballots.len() == 1 && names_unknown_places(&ballots[0].map, current);
    let (chosen, counted) = (Some(ballots[chosen].view), ballots.len());
    Reconciled { map, chosen, standing, disagreements, counted, rests_on_one_view }
}

fn names_unknown_places(map: &SlotMap, current: Option<&SlotMap>) -> bool {
    let known = current.map(SlotMap::nodes).unwrap_or_default();
    let ports: HashSet<u16> = known.iter().map(|node| node.endpoint.port()).collect();
    let is_known = |node: &AnnouncedNode| {
        let at_its_address = || current.is_some_and(|map| map.node_at(&node.endpoint).is_some());
        if node.assumed_host { ports.contains(&node.endpoint.port()) } else { at_its_address() }
    };
    !map.nodes().iter().all(is_known)
}
