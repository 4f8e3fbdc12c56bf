use truename_topology::Slot;

use super::super::slots::slots;
use super::super::witness::{Primary, Process};
use super::*;
use crate::error::Error;

pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster of two nodes, whatever the client thinks of it.
pub(super) struct Cluster {
    pub(super) a: SlotSet,
    pub(super) b: SlotSet,
    pub(super) open: SlotSet,
    pub(super) scans_slots: bool,
    pub(super) runs: (u8, u8),
    pub(super) epoch: u64,
    pub(super) moved: u64,
}

impl Cluster {
    pub(super) fn new() -> Self {
        let (a, b) = (slots(0, 8191), slots(8192, 16_383));
        Self { a, b, open: SlotSet::empty(), scans_slots: false, runs: (1, 2), epoch: 1, moved: 0 }
    }

    pub(super) fn owners(&self) -> Owners {
        let nodes = vec![(node("a"), self.a.clone()), (node("b"), self.b.clone())];
        let unowned = SlotSet::all().without(&self.a).without(&self.b);
        Owners { nodes, unowned }
    }

    pub(super) fn says(&self, name: &str) -> Witness {
        let run = if name == "a" { self.runs.0 } else { self.runs.1 };
        let primary = |id: &str, slots: &SlotSet| Primary {
            id: id.to_owned(),
            epoch: self.epoch,
            slots: slots.clone(),
            has_failed: false,
        };
        let primaries = vec![primary("a", &self.a), primary("b", &self.b)];
        let claims = Claims { myself: name.to_owned(), primaries, open: self.open.clone() };
        let (process, connection) = (Process([run; 20]), u64::from(run));
        Witness { process, connection, scans_slots: self.scans_slots, moved: Some(self.moved), claims }
    }

    /// What a node says at the end of a pass, and what the other one says then.
    pub(super) fn says_at_end(&self, name: &str) -> (Witness, Vec<Claims>) {
        let other = if name == "a" { "b" } else { "a" };
        (self.says(name), vec![self.says(other).claims])
    }
}

pub(super) fn node(name: &str) -> Endpoint {
    Endpoint::new(name, 1)
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn plan() -> Plan {
    Plan::new(None, 16, PATIENCE)
}

/// All keys of a page of `SCAN` were handed out.
pub(super) fn handed_out(plan: &mut Plan, id: PassId, next: u64) -> Next {
    plan.delivered(id, &Came::All(next), next == 0)
}

/// Reads a whole pass of one page and ends it.
pub(super) fn pass(plan: &mut Plan, cluster: &Cluster, (id, node): &(PassId, Endpoint), now: Duration) {
    if plan.asked(*id, Ok(cluster.says(node.host())), now) == Next::Read {
        assert_eq!(plan.read(*id), Some((node.clone(), Request::All(0))));
        assert!(plan.arrived(*id, &Came::All(0)).is_some());
        assert_eq!(handed_out(plan, *id, 0), Next::End);
        plan.ended(*id, Ok(cluster.says_at_end(node.host())), now);
    }
}

pub(super) fn hosts(step: &Step) -> Vec<&str> {
    step.ask.iter().map(|(_, node)| node.host()).collect()
}

#[test]
fn a_quiet_cluster_is_scanned_once() {
    let (mut plan, cluster) = (plan(), Cluster::new());
    let step = plan.step(&cluster.owners(), seconds(0));
    assert_eq!(hosts(&step), ["a", "b"]);
    for ask in &step.ask {
        assert!(!plan.is_over());
        pass(&mut plan, &cluster, ask, seconds(1));
    }
    assert!(plan.is_complete());
    assert!(plan.step(&cluster.owners(), seconds(2)).ask.is_empty());
}

#[test]
fn no_more_nodes_than_allowed_are_scanned_at_a_time() {
    let (mut plan, cluster) = (Plan::new(None, 1, PATIENCE), Cluster::new());
    let step = plan.step(&cluster.owners(), seconds(0));
    assert_eq!(hosts(&step), ["a"]);
    assert!(plan.step(&cluster.owners(), seconds(0)).ask.is_empty());
    pass(&mut plan, &cluster, &step.ask[0], seconds(0));
    assert_eq!(hosts(&plan.step(&cluster.owners(), seconds(0))), ["b"]);
}

#[test]
fn a_reader_that_takes_nothing_stops_the_requests() {
    let (mut plan, cluster) = (plan(), Cluster::new());
    let (id, _) = plan.step(&cluster.owners(), seconds(0)).ask[0];
    assert_eq!(plan.asked(id, Ok(cluster.says("a")), seconds(0)), Next::Read);
    for cursor in 0..AHEAD as u64 {
        assert_eq!(plan.read(id), Some((node("a"), Request::All(cursor))));
        assert_eq!(plan.read(id), None, "one at a time");
        plan.arrived(id, &Came::All(cursor + 1));
    }
    assert_eq!(plan.read(id), None, "two pages are unread");
    assert_eq!(handed_out(&mut plan, id, 1), Next::Read);
    assert_eq!(plan.read(id), Some((node("a"), Request::All(2))));
}

#[test]
fn slots_that_moved_are_scanned_again_at_their_new_owner() {
    let (mut plan, mut cluster) = (plan(), Cluster::new());
    let stale = cluster.owners();
    let step = plan.step(&stale, seconds(0));
    let (a, b) = (step.ask[0].0, step.ask[1].0);
    // B is done before 100 slots come to it from A, whose pass is under way.
    pass(&mut plan, &cluster, &step.ask[1], seconds(0));
    assert_eq!(plan.asked(a, Ok(cluster.says("a")), seconds(0)), Next::Read);
    plan.read(a);
    plan.arrived(a, &Came::All(0));
    cluster.a = slots(0, 8091);
    cluster.b = slots(8092, 16_383);
    assert_eq!(handed_out(&mut plan, a, 0), Next::End);
    plan.ended(a, Ok(cluster.says_at_end("a")), seconds(1));
    assert!(!plan.is_over());
    // The client does not know yet: A says that it does not have them.
    let step = plan.step(&stale, seconds(2));
    assert_eq!(hosts(&step), ["a"]);
    pass(&mut plan, &cluster, &step.ask[0], seconds(2));
    assert!(!plan.is_over());
    let step = plan.step(&cluster.owners(), seconds(4));
    assert_eq!(hosts(&step), ["b"]);
    let again = step.ask[0].0;
    assert_ne!(again, b);
    assert_eq!(plan.asked(again, Ok(cluster.says("b")), seconds(4)), Next::Read);
    plan.read(again);
    assert_eq!(
        plan.arrived(again, &Came::All(0)),
        Some((&Arc::new(slots(8092, 8191)), true)),
        "and nothing else of B"
    );
    handed_out(&mut plan, again, 0);
    plan.ended(again, Ok(cluster.says_at_end("b")), seconds(4));
    assert!(plan.is_complete());
}

#[test]
fn slots_that_are_on_their_way_are_waited_for_and_reported_when_they_never_arrive() {
    for arrives in [true, false] {
        let (mut plan, mut cluster) = (plan(), Cluster::new());
        cluster.open = slots(7, 7);
        let (mut now, mut missing) = (Duration::ZERO, Vec::new());
        while !plan.is_over() {
            assert!(now < seconds(20), "it ends");
            if arrives && now > seconds(3) {
                cluster.open = SlotSet::empty();
            }
            let step = plan.step(&cluster.owners(), now);
            missing.extend(step.missing.iter().map(|missing| {
                assert!(matches!(missing.cause, MissingCause::Moving), "{missing}");
                missing.slots.clone()
            }));
            for ask in &step.ask {
                pass(&mut plan, &cluster, ask, now);
            }
            now = step.look_again.unwrap_or(now + Duration::from_millis(1));
        }
        assert_eq!(plan.is_complete(), arrives);
        assert_eq!(missing, if arrives { vec![] } else { vec![slots(7, 7).ranges()] });
        assert_eq!(plan.snapshot().todo, if arrives { SlotSet::empty() } else { slots(7, 7) });
    }
}

#[test]
fn a_restart_starts_that_node_anew() {
    let (mut plan, mut cluster) = (plan(), Cluster::new());
    let step = plan.step(&cluster.owners(), seconds(0));
    let a = step.ask[0].0;
    pass(&mut plan, &cluster, &step.ask[1], seconds(0));
    plan.asked(a, Ok(cluster.says("a")), seconds(0));
    plan.read(a);
    plan.arrived(a, &Came::All(5));
    assert_eq!(handed_out(&mut plan, a, 5), Next::Read);
    plan.read(a);
    cluster.runs.0 = 9;
    plan.arrived(a, &Came::All(0));
    assert_eq!(handed_out(&mut plan, a, 0), Next::End);
    plan.ended(a, Ok(cluster.says_at_end("a")), seconds(0));
    let step = plan.step(&cluster.owners(), seconds(1));
    assert_eq!(hosts(&step), ["a"]);
    pass(&mut plan, &cluster, &step.ask[0], seconds(1));
    assert!(plan.is_complete());
}

#[test]
fn a_scan_goes_on_where_it_was_if_the_process_is_still_there() {
    for same_process in [true, false] {
        for through_a_cursor in [true, false] {
            let (mut plan, mut cluster) = (plan(), Cluster::new());
            let step = plan.step(&cluster.owners(), seconds(0));
            let a = step.ask[0].0;
            pass(&mut plan, &cluster, &step.ask[1], seconds(0));
            plan.asked(a, Ok(cluster.says("a")), seconds(0));
            plan.read(a);
            plan.arrived(a, &Came::All(5));
            plan.read(a);
            plan.arrived(a, &Came::All(6));
            handed_out(&mut plan, a, 5);
            // The page that was not handed out is asked for again.
            if through_a_cursor {
                let snapshot = plan.snapshot();
                assert_eq!((snapshot.parked.len(), snapshot.todo.is_empty()), (1, true));
                plan = Plan::new(Some(snapshot), 16, PATIENCE);
            } else {
                plan.failed(
                    a,
                    MissingCause::Failed(Error::Route(Box::new(crate::error::RouteError::NoNodes))),
                    seconds(0),
                );
                assert_eq!(handed_out(&mut plan, a, 6), Next::Nothing, "a page of a pass that is over");
                assert_eq!(plan.snapshot().parked.len(), 1);
            }
            cluster.runs.0 += u8::from(!same_process);
            let step = plan.step(&cluster.owners(), seconds(1));
            assert_eq!(hosts(&step), ["a"]);
            let a = step.ask[0].0;
            assert_eq!(plan.asked(a, Ok(cluster.says("a")), seconds(1)), Next::Read);
            assert_eq!(plan.read(a), Some((node("a"), Request::All(if same_process { 5 } else { 0 }))));
            plan.arrived(a, &Came::All(0));
            handed_out(&mut plan, a, 0);
            plan.ended(a, Ok(cluster.says_at_end("a")), seconds(1));
            assert!(plan.is_complete());
            assert_eq!(plan.snapshot(), Snapshot { parked: vec![], todo: SlotSet::empty() });
        }
    }
}

/// It went on where it was and was found to count for nothing at its end, after all keys were read for nothing.
#[test]
fn a_pass_whose_epoch_is_over_is_begun_anew_and_not_resumed() {
    for epoch in [1, 2] {
        let (mut plan, mut cluster) = (plan(), Cluster::new());
        let step = plan.step(&cluster.owners(), seconds(0));
        let a = step.ask[0].0;
        plan.asked(a, Ok(cluster.says("a")), seconds(0));
        plan.read(a);
        plan.arrived(a, &Came::All(0));
        assert_eq!(handed_out(&mut plan, a, 0), Next::End);
        // Slots went away and came back before the end was judged, or not.
        cluster.epoch = epoch;
        let mut plan = Plan::new(Some(plan.snapshot()), 16, PATIENCE);
        let step = plan.step(&cluster.owners(), seconds(0));
        let a = step.ask[0].0;
        let next = plan.asked(a, Ok(cluster.says("a")), seconds(0));
        if epoch == 1 {
            assert_eq!(next, Next::End, "there is nothing left to read");
            plan.ended(a, Ok(cluster.says_at_end("a")), seconds(0));
            assert!(slots(0, 8191).common(&plan.snapshot().todo).is_empty());
        } else {
            assert_eq!(next, Next::Read);
            assert_eq!(plan.read(a), Some((node("a"), Request::All(0))));
        }
    }
}

/// The end of a pass is judged by what it had begun with, not by what was found when it went on.
#[test]
fn a_move_that_was_taken_back_between_two_halves_of_a_scan_is_noticed() {
    let (mut plan, mut cluster) = (plan(), Cluster::new());
    let step = plan.step(&cluster.owners(), seconds(0));
    let a = step.ask[0].0;
    plan.asked(a, Ok(cluster.says("a")), seconds(0));
    plan.read(a);
    plan.arrived(a, &Came::All(0));
    assert_eq!(handed_out(&mut plan, a, 0), Next::End);
    cluster.moved = 2;
    let mut plan = Plan::new(Some(plan.snapshot()), 16, PATIENCE);
    let step = plan.step(&cluster.owners(), seconds(0));
    let a = step.ask[0].0;
    assert_eq!(plan.asked(a, Ok(cluster.says("a")), seconds(0)), Next::End, "there is nothing left to read");
    plan.ended(a, Ok(cluster.says_at_end("a")), seconds(0));
    assert!(slots(0, 8191).without(&plan.snapshot().todo).is_empty(), "all of A is to do again");
}

#[test]
fn a_scan_of_a_client_that_was_closed_is_given_up_as_a_whole() {
    let (mut plan, cluster) = (plan(), Cluster::new());
    let step = plan.step(&cluster.owners(), seconds(0));
    pass(&mut plan, &cluster, &step.ask[1], seconds(0));
    let a = step.ask[0].0;
    plan.asked(a, Ok(cluster.says("a")), seconds(0));
    plan.read(a);
    plan.arrived(a, &Came::All(5));
    handed_out(&mut plan, a, 5);
    let missing = plan.abandon(MissingCause::Failed(Error::Closed)).expect("A is missing");
    assert_eq!(missing.slots, cluster.a.ranges());
    assert!(plan.abandon(MissingCause::Failed(Error::Closed)).is_none(), "it is said once");
    assert!(plan.is_over() && !plan.is_complete());
    let snapshot = plan.snapshot();
    assert!(matches!(&snapshot.parked[..], [parked] if parked.position == Position::At(5)), "{snapshot:?}");
}

#[test]
fn where_the_server_can_few_slots_are_scanned_one_by_one() {
    for scans_slots in [true, false] {
        let mut cluster = Cluster::new();
        cluster.scans_slots = scans_slots;
        let mut todo = slots(5, 6);
        todo.add(&slots(9, 9));
        let mut plan = Plan::new(Some(Snapshot { parked: vec![], todo }), 16, PATIENCE);
        let (a, _) = plan.step(&cluster.owners(), seconds(0)).ask[0];
        assert_eq!(plan.asked(a, Ok(cluster.says("a")), seconds(0)), Next::Read);
        if !scans_slots {
            assert_eq!(plan.read(a), Some((node("a"), Request::All(0))));
            continue;
        }
        let slot = |number| Slot::new(number).expect("a slot");
        let cursor = || Some("fp-{a}-1".to_owned());
        let pages = [
            (5, None, cursor()),
            (5, cursor(), None),
            (6, None, None),
            (9, None, cursor()),
            (9, cursor(), None),
        ];
        for (at, (number, from, to)) in pages.into_iter().enumerate() {
            assert_eq!(plan.read(a), Some((node("a"), Request::Slot(slot(number), from))), "{at}");
            let came = Came::Slot(slot(number), to);
            let is_last = plan.arrived(a, &came).expect("the pass").1;
            assert_eq!(is_last, at == 4);
            assert_eq!(plan.delivered(a, &came, is_last), if is_last { Next::End } else { Next::Read });
            assert_eq!(plan.snapshot().parked.len(), usize::from(at > 0), "what was handed out is kept");
        }
        plan.ended(a, Ok(cluster.says_at_end("a")), seconds(0));
        assert!(plan.is_complete());
    }
}

#[test]
fn a_server_that_refuses_to_scan_single_slots_is_scanned_as_a_whole() {
    let mut cluster = Cluster::new();
    cluster.scans_slots = true;
    let mut plan = Plan::new(Some(Snapshot { parked: vec![], todo: slots(5, 5) }), 16, PATIENCE);
    let (a, _) = plan.step(&cluster.owners(), seconds(0)).ask[0];
    plan.asked(a, Ok(cluster.says("a")), seconds(0));
    assert!(matches!(plan.read(a), Some((_, Request::Slot(..)))));
    plan.refused_slot(a);
    let step = plan.step(&cluster.owners(), seconds(1));
    pass(&mut plan, &cluster, &step.ask[0], seconds(1));
    assert!(plan.is_complete());
}
