//! How a scan ends where something does not work: after its patience, and with the slots named.

use truename_topology::Slot;

use super::super::slots::slots;
use super::super::troubles::LEAST_PASSES;
use super::tests::{Cluster, PATIENCE, handed_out, node, pass, plan, seconds};
use super::*;
use crate::error::Error;

#[test]
fn what_is_gone_is_reported_once_and_the_others_go_on() {
    let (mut plan, cluster) = (plan(), Cluster::new());
    let gone = || MissingCause::Failed(Error::connect(Vec::new(), Duration::ZERO));
    let (mut now, mut missing, mut attempts) = (Duration::ZERO, Vec::new(), 0);
    while !plan.is_over() {
        let step = plan.step(&cluster.owners(), now);
        missing.extend(step.missing);
        for ask in &step.ask {
            match ask.1.host() {
                "a" => pass(&mut plan, &cluster, ask, now),
                _ => {
                    attempts += 1;
                    plan.failed(ask.0, gone(), now);
                }
            }
        }
        now = step.look_again.unwrap_or(now);
    }
    assert!(!plan.is_complete() && (10..40).contains(&attempts), "{attempts}");
    assert_eq!(missing.len(), 1);
    assert_eq!((missing[0].slots.clone(), missing[0].node.clone()), (cluster.b.ranges(), Some(node("b"))));
    assert!(now >= PATIENCE && now < PATIENCE + seconds(2), "{now:?}");
    assert_eq!(plan.snapshot().todo, cluster.b, "another scan may try again");
}

#[test]
fn some_answers_are_final_and_some_slots_have_no_node() {
    let (mut plan, mut cluster) = (plan(), Cluster::new());
    cluster.b = slots(8192, 16_000);
    let step = plan.step(&cluster.owners(), seconds(0));
    plan.failed(step.ask[0].0, MissingCause::Failed(Error::Closed), seconds(0));
    plan.failed(step.ask[1].0, MissingCause::Silent, seconds(0));
    let step = plan.step(&cluster.owners(), seconds(0));
    let causes: Vec<_> = step.missing.iter().map(ToString::to_string).collect();
    assert_eq!(causes.len(), 2, "{causes:?}");
    assert!(
        causes[0].contains("the client is closed") && causes[1].contains("does not say what it has"),
        "{causes:?}"
    );
    let mut step = Step::default();
    for now in (0..).map(seconds) {
        if !step.missing.is_empty() {
            break;
        }
        step = plan.step(&cluster.owners(), now);
    }
    assert!(
        step.missing[0].to_string().contains("16001-16383 are missing: no node serves them"),
        "{:?}",
        step.missing
    );
    assert!(plan.is_over() && !plan.is_complete());
}

#[test]
fn a_node_that_restarts_for_ever_does_not_keep_a_scan_for_ever() {
    let (mut plan, mut cluster) = (plan(), Cluster::new());
    let (mut now, mut passes, mut missing) = (Duration::ZERO, 0, Vec::new());
    while !plan.is_over() {
        let step = plan.step(&cluster.owners(), now);
        missing.extend(step.missing);
        for ask in &step.ask {
            plan.asked(ask.0, Ok(cluster.says(ask.1.host())), now);
            plan.read(ask.0);
            plan.arrived(ask.0, &Came::All(0));
            handed_out(&mut plan, ask.0, 0);
            if ask.1.host() == "a" {
                cluster.runs.0 += 1;
                passes += 1;
            }
            plan.ended(ask.0, Ok(cluster.says_at_end(ask.1.host())), now);
        }
        now = step.look_again.unwrap_or(now) + seconds(60);
    }
    assert_eq!(passes, LEAST_PASSES);
    assert!(matches!(missing[..], [MissingSlots { cause: MissingCause::Restarting, .. }]), "{missing:?}");
}

/// Sixteen passes over few keys came to nothing within a second, and the patience meant nothing.
#[test]
fn passes_that_come_to_nothing_are_spread_over_the_patience() {
    let (mut plan, mut cluster) = (plan(), Cluster::new());
    let (mut now, mut passes, mut given_up) = (Duration::ZERO, 0, None);
    while !plan.is_over() {
        let step = plan.step(&cluster.owners(), now);
        given_up = step.missing.first().map(|_| now).or(given_up);
        for ask in &step.ask {
            plan.asked(ask.0, Ok(cluster.says(ask.1.host())), now);
            plan.read(ask.0);
            plan.arrived(ask.0, &Came::All(0));
            handed_out(&mut plan, ask.0, 0);
            if ask.1.host() == "a" {
                // Something is moved and taken back in every pass.
                (cluster.moved, passes) = (cluster.moved + 2, passes + 1);
            }
            plan.ended(ask.0, Ok(cluster.says_at_end(ask.1.host())), now);
        }
        assert!(passes < 100, "it rests");
        now = step.look_again.unwrap_or(now + Duration::from_millis(1));
    }
    let given_up = given_up.expect("some are missing");
    assert!(given_up >= PATIENCE && given_up < PATIENCE + seconds(3), "{given_up:?}");
    assert!((LEAST_PASSES..30).contains(&passes), "{passes}");
}

/// Slots that were scanned before one that always fails counted as progress of that one: such a scan never ended.
#[test]
fn a_slot_that_always_fails_ends_a_scan_slot_by_slot() {
    let mut cluster = Cluster::new();
    cluster.scans_slots = true;
    let mut plan = Plan::new(Some(Snapshot { parked: vec![], todo: slots(5, 7) }), 16, PATIENCE);
    let (mut now, mut missing) = (Duration::ZERO, Vec::new());
    while !plan.is_over() {
        assert!(now < PATIENCE + seconds(5), "it ends");
        let step = plan.step(&cluster.owners(), now);
        missing.extend(step.missing);
        for (id, _) in step.ask {
            let mut next = plan.asked(id, Ok(cluster.says("a")), now);
            while let Some((_, Request::Slot(slot, _))) = plan.read(id) {
                if slot.value() == 7 {
                    plan.failed(id, MissingCause::Failed(Error::connect(Vec::new(), Duration::ZERO)), now);
                    break;
                }
                let came = Came::Slot(slot, None);
                let is_last = plan.arrived(id, &came).expect("the pass").1;
                next = plan.delivered(id, &came, is_last);
            }
            if next == Next::End {
                plan.ended(id, Ok(cluster.says_at_end("a")), now);
            }
        }
        now = step.look_again.unwrap_or(now + Duration::from_millis(1));
    }
    assert!(matches!(&missing[..], [missing] if missing.slots == slots(7, 7).ranges()), "{missing:?}");
    assert_eq!(plan.snapshot(), Snapshot { parked: vec![], todo: slots(7, 7) });
}

/// The slots before it are not scanned again, nor in another scan that goes on.
#[test]
fn slots_that_were_handed_out_one_by_one_are_kept_when_the_next_one_fails() {
    let mut cluster = Cluster::new();
    cluster.scans_slots = true;
    let mut plan = Plan::new(Some(Snapshot { parked: vec![], todo: slots(5, 7) }), 16, PATIENCE);
    let (id, _) = plan.step(&cluster.owners(), seconds(0)).ask[0];
    plan.asked(id, Ok(cluster.says("a")), seconds(0));
    plan.read(id);
    let came = Came::Slot(Slot::new(5).expect("a slot"), None);
    plan.arrived(id, &came);
    plan.delivered(id, &came, false);
    let snapshot = plan.snapshot();
    let [parked] = &snapshot.parked[..] else { panic!("{snapshot:?}") };
    assert_eq!(
        (parked.position, &parked.targets, &snapshot.todo),
        (Position::End, &slots(5, 5), &slots(6, 7))
    );
    plan.failed(id, MissingCause::Failed(Error::connect(Vec::new(), Duration::ZERO)), seconds(0));
    assert_eq!(plan.snapshot(), snapshot);
}

/// Silence was taken for consent: a node that was replaced unnoticed passed for the owner.
#[test]
fn a_pass_that_nobody_confirms_is_neither_done_nor_read_again() {
    let (mut plan, cluster) = (plan(), Cluster::new());
    let step = plan.step(&cluster.owners(), seconds(0));
    pass(&mut plan, &cluster, &step.ask[1], seconds(0));
    let id = step.ask[0].0;
    plan.asked(id, Ok(cluster.says("a")), seconds(0));
    plan.read(id);
    plan.arrived(id, &Came::All(0));
    handed_out(&mut plan, id, 0);
    let (mut now, mut id, mut missing) = (Duration::ZERO, id, Vec::new());
    while !plan.is_over() {
        plan.ended(id, Ok((cluster.says("a"), vec![])), now);
        assert!(!plan.is_complete());
        let step = plan.step(&cluster.owners(), now);
        missing.extend(step.missing);
        now = step.look_again.unwrap_or(now);
        for ask in &step.ask {
            id = ask.0;
            assert_eq!(plan.asked(id, Ok(cluster.says("a")), now), Next::End, "all was read");
        }
    }
    assert!(now >= PATIENCE && now < PATIENCE + seconds(3), "{now:?}");
    assert!(matches!(missing[..], [MissingSlots { cause: MissingCause::Unconfirmed, .. }]), "{missing:?}");
    assert!(matches!(&plan.snapshot().parked[..], [parked] if parked.position == Position::End));
}

/// A migration that was stuck, with keys that moved now and then, made every pass of both nodes come to nothing.
#[test]
fn a_stuck_migration_costs_its_own_slot_alone() {
    let (mut plan, mut cluster) = (plan(), Cluster::new());
    cluster.open = slots(7, 7);
    let (mut now, mut passes) = (Duration::ZERO, 0);
    while !plan.is_over() {
        let step = plan.step(&cluster.owners(), now);
        for ask in &step.ask {
            passes += usize::from(ask.1.host() == "b" || step.ask.len() == 2);
            if plan.asked(ask.0, Ok(cluster.says(ask.1.host())), now) == Next::Read {
                plan.read(ask.0);
                plan.arrived(ask.0, &Came::All(0));
                handed_out(&mut plan, ask.0, 0);
                cluster.moved += 1;
                plan.ended(ask.0, Ok(cluster.says_at_end(ask.1.host())), now);
            }
        }
        now = step.look_again.unwrap_or(now + Duration::from_millis(1));
    }
    assert_eq!((passes, plan.snapshot().todo), (2, slots(7, 7)));
}
