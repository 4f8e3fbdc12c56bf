//! What a caller says about where to send: redis-rs's routing, read back.
//!
//! What must stay true: a routing that cannot be followed exactly is an error.

use std::hash::{Hash, Hasher};

use truename::command::{Arguments, Flags, lookup};
use truename::topology::{Endpoint, Slot};
use truename::{Command, Reply};

use super::version::redis::cluster_routing::{
    AggregateOp, LogicalAggregateOp, MultiSlotArgPattern, MultipleNodeRoutingInfo, ResponsePolicy, Route,
    RoutingInfo, SingleNodeRoutingInfo, SlotAddr,
};
use crate::engine::{Engine, Failure, Join, To, complete};

const UNKNOWN: Failure = Failure::Unsupported("a routing that this version of truename-redis does not know");
const UNSERVED: Failure = Failure::Misused("no node serves the slot of the route");
const REPLICA: Failure = Failure::Unsupported(
    "SlotAddr::ReplicaRequired of a client that reads from primaries alone: build it with read_from_replicas",
);

/// Runs a command where the caller says. `is_watching`: on behalf of a handle that watches keys.
pub(super) async fn run(
    engine: &Engine,
    command: Command<'_>,
    routing: RoutingInfo,
    is_watching: bool,
) -> Result<Reply, Failure> {
    if let RoutingInfo::SingleNode(single) = &routing {
        let place = place(engine, single)?.of_a_handle(is_watching);
        return Ok(engine.client().execute(place.of(command)).await?);
    }
    let RoutingInfo::MultiNode((nodes, policy)) = routing else { return Err(UNKNOWN) };
    if let MultipleNodeRoutingInfo::MultiSlot((parts, pattern)) = nodes {
        return run_parts(engine, &command, &parts, &pattern, policy, is_watching).await;
    }
    let to = match nodes == MultipleNodeRoutingInfo::AllNodes {
        true => To::AllNodes,
        false if nodes == MultipleNodeRoutingInfo::AllMasters => To::Primaries,
        false => return Err(UNKNOWN),
    };
    let join = join_of(policy)?;
    join.join(engine.on_nodes(to, &command).await?, is_read(&command))
}

/// Whether the command changes nothing, as far as is known.
fn is_read(command: &Command<'_>) -> bool {
    let spec = lookup(command.at(0).unwrap_or_default(), command.at(1));
    spec.is_some_and(|spec| spec.flags.contains(Flags::READONLY))
}

/// Where one command goes.
#[derive(Clone)]
pub(super) enum Place {
    AnyPrimary,
    /// Its primary or a replica.
    Slot(Slot),
    Replica(Slot),
    Primary(Slot),
    Node(Endpoint),
}

impl Place {
    /// The same for a handle, which reads from no replica while it watches keys, unless its caller wants just that.
    pub(super) fn of_a_handle(self, is_watching: bool) -> Self {
        match self {
            Self::Slot(slot) if is_watching => Self::Primary(slot),
            place => place,
        }
    }

    /// The command, to be sent there.
    pub(super) fn of<'c>(&self, command: Command<'c>) -> Command<'c> {
        match self {
            Self::AnyPrimary => command.route_to_any(),
            Self::Slot(slot) | Self::Replica(slot) => command.route_by_slot(*slot),
            Self::Primary(slot) => command.route_to_primary(*slot),
            Self::Node(node) => command.route_to(node),
        }
    }
}

/// The place that a routing means.
pub(super) fn place(engine: &Engine, single: &SingleNodeRoutingInfo) -> Result<Place, Failure> {
    if let SingleNodeRoutingInfo::ByAddress { host, port } = single {
        return Ok(Place::Node(Endpoint::new(host.as_str(), *port)));
    }
    if let SingleNodeRoutingInfo::SpecificNode(route) = single {
        return place_of_route(engine, route);
    }
    let is_any = matches!(single, SingleNodeRoutingInfo::Random | SingleNodeRoutingInfo::RandomPrimary);
    if is_any { Ok(Place::AnyPrimary) } else { Err(UNKNOWN) }
}

fn place_of_route(engine: &Engine, route: &Route) -> Result<Place, Failure> {
    let (slot, address) = read(route).ok_or(UNKNOWN)?;
    match address {
        SlotAddr::ReplicaRequired if !engine.reads_from_replicas() => Err(REPLICA),
        SlotAddr::ReplicaRequired => Ok(Place::Replica(slot)),
        SlotAddr::Master => Ok(Place::Primary(slot)),
        _ => Ok(Place::Slot(slot)),
    }
}

/// Slot and address of a route, which has no getters: but its hash feeds on them, and whether they were understood is checked
/// by comparing.
fn read(route: &Route) -> Option<(Slot, SlotAddr)> {
    let mut heard = Listener(None);
    route.hash(&mut heard);
    let slot = heard.0?;
    let addresses = [SlotAddr::Master, SlotAddr::ReplicaOptional, SlotAddr::ReplicaRequired];
    let address = addresses.into_iter().find(|address| Route::new(slot, *address) == *route)?;
    Some((Slot::new(slot)?, address))
}

/// Notes the first number of 16 bits that it is fed with.
struct Listener(Option<u16>);

impl Hasher for Listener {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u16(&mut self, number: u16) {
        self.0.get_or_insert(number);
    }
}

/// How the replies of several nodes become one; without a policy, each is told by its node.
fn join_of(policy: Option<ResponsePolicy>) -> Result<Join, Failure> {
    let Some(policy) = policy else { return Ok(Join::PerNode) };
    let rows = [
        (ResponsePolicy::OneSucceeded, Join::OneSucceeded),
        (ResponsePolicy::FirstSucceededNonEmptyOrAllEmpty, Join::AnyValue),
        (ResponsePolicy::AllSucceeded, Join::AllSucceeded),
        (ResponsePolicy::AggregateLogical(LogicalAggregateOp::And), Join::And),
        (ResponsePolicy::Aggregate(AggregateOp::Sum), Join::Sum),
        (ResponsePolicy::Aggregate(AggregateOp::Min), Join::Least),
        (ResponsePolicy::CombineArrays, Join::Elements),
        (ResponsePolicy::CombineMaps, Join::Counts),
        (ResponsePolicy::Special, Join::PerNode),
    ];
    rows.into_iter().find(|(known, _)| *known == policy).map(|(_, join)| join).ok_or(UNKNOWN)
}

/// Runs a command in parts: each has some of its arguments and goes to a slot.
async fn run_parts(
    engine: &Engine,
    command: &Command<'_>,
    parts: &[(Route, Vec<usize>)],
    pattern: &MultiSlotArgPattern,
    policy: Option<ResponsePolicy>,
    is_watching: bool,
) -> Result<Reply, Failure> {
    // Whatever can be wrong with the routing is found before anything is sent.
    let join = join_of(policy)?;
    let places: Option<Vec<_>> = match policy {
        Some(ResponsePolicy::CombineArrays) => {
            let places = parts.iter().map(|(_, indices)| places(indices, pattern));
            Some(places.collect::<Option<_>>().ok_or(UNKNOWN)?)
        }
        _ => None,
    };
    let name = command.at(0).unwrap_or_default();
    let map = engine.topology().await?;
    let mut nodes = Vec::with_capacity(parts.len());
    let mut batch = engine.client().batch();
    for (route, indices) in parts {
        let (slot, _) = read(route).ok_or(UNKNOWN)?;
        nodes.push(map.primary(slot).ok_or(UNSERVED)?.endpoint.clone());
        let arguments = indices.iter().filter_map(|index| command.at(index + 1));
        let place = place_of_route(engine, route)?.of_a_handle(is_watching);
        batch.add(place.of(Command::new(name).args(arguments)));
    }
    let outcomes = batch.execute::<Reply>().await;
    let outcomes = nodes.into_iter().zip(outcomes).collect();
    let Some(places) = places else { return join.join(outcomes, is_read(command)) };
    let mut placed = Vec::new();
    for ((_, reply), places) in complete(outcomes, is_read(command))?.into_iter().zip(places) {
        match reply.without_attributes() {
            Reply::Array(items) if items.len() == places.len() => {
                placed.extend(places.into_iter().zip(items))
            }
            _ => return Err(Failure::Unexpected("a part's reply has not one element for each of its keys")),
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    Ok(Reply::Array(placed.into_iter().map(|(_, item)| item).collect()))
}

/// Which of the keys of the whole command each element of a part's reply is about.
fn places(indices: &[usize], pattern: &MultiSlotArgPattern) -> Option<Vec<usize>> {
    let each = |step: usize| Some(indices.iter().step_by(step).map(|index| index / step).collect());
    if *pattern == MultiSlotArgPattern::KeysAndLastArg {
        return Some(indices.split_last()?.1.to_vec());
    }
    let steps = [
        (MultiSlotArgPattern::KeysOnly, 1),
        (MultiSlotArgPattern::KeyValuePairs, 2),
        (MultiSlotArgPattern::KeyWithTwoArgTriples, 3),
    ];
    steps.into_iter().find(|(known, _)| known == pattern).and_then(|(_, step)| each(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_read_back() {
        for slot in [0, 1, 8191, 16383] {
            for address in [SlotAddr::Master, SlotAddr::ReplicaOptional, SlotAddr::ReplicaRequired] {
                assert_eq!(read(&Route::new(slot, address)), Slot::new(slot).map(|slot| (slot, address)));
            }
        }
        assert_eq!(read(&Route::new(16384, SlotAddr::Master)), None);
    }

    #[test]
    fn elements_find_their_keys() {
        assert_eq!(places(&[0, 3], &MultiSlotArgPattern::KeysOnly), Some(vec![0, 3]));
        assert_eq!(places(&[2, 3, 6, 7], &MultiSlotArgPattern::KeyValuePairs), Some(vec![1, 3]));
        assert_eq!(places(&[0, 2, 4], &MultiSlotArgPattern::KeysAndLastArg), Some(vec![0, 2]));
        assert_eq!(
            places(&[3, 4, 5, 9, 10, 11], &MultiSlotArgPattern::KeyWithTwoArgTriples),
            Some(vec![1, 3])
        );
    }
}
