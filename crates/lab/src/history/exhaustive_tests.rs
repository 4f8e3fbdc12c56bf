//! Every short history, judged twice: by the judge, and by a search through all states that the server may be in.

use std::collections::BTreeSet;

use super::{Counter, Fate, Findings, Register};

/// The states that a key may be in after calls that took effect in their turn, or never.
type States = BTreeSet<u64>;

/// The calls so far, to explain a failure.
type Trace = Vec<String>;

/// The judge agrees with the search about this answer. Returns whether the history goes on: a defect ends it.
fn agrees(findings: &Findings, states: &States, found: u64, trace: &Trace) -> bool {
    let is_possible = states.contains(&found);
    assert_eq!(findings.is_clean(), is_possible, "{trace:?} then {found}: {findings:?}");
    is_possible
}

/// Goes on with a call, then takes it back.
fn step(trace: &mut Trace, call: String, mut rest: impl FnMut(&mut Trace)) {
    trace.push(call);
    rest(trace);
    trace.pop();
}

#[test]
fn a_register_is_judged_as_a_search_would() {
    let mut histories = 0;
    registers(&Register::new("key"), 0, &States::from([0]), 7, &mut Trace::new(), &mut histories);
    assert!(histories > 30_000, "only {histories}");
}

fn registers(
    register: &Register,
    sent: u64,
    states: &States,
    calls: u32,
    trace: &mut Trace,
    histories: &mut u64,
) {
    *histories += 1;
    if calls == 0 {
        return;
    }
    for fate in [Fate::Acknowledged(()), Fate::Refused, Fate::Unknown] {
        let (mut next, sent) = (register.clone(), sent + 1);
        next.write();
        assert!(next.wrote(fate.clone()).is_clean());
        let mut after = states.clone();
        match fate {
            Fate::Acknowledged(()) => after = States::from([sent]),
            Fate::Unknown => {
                after.insert(sent);
            }
            _ => {}
        }
        step(trace, format!("{fate:?}"), |trace| registers(&next, sent, &after, calls - 1, trace, histories));
    }
    for found in 0..=sent + 1 {
        let mut next = register.clone();
        let findings = next.read(Fate::Acknowledged((found > 0).then(|| register.value(found))));
        if agrees(&findings, states, found, trace) {
            let after = States::from([found]);
            step(trace, format!("{found}"), |trace| {
                registers(&next, sent, &after, calls - 1, trace, histories)
            });
        }
    }
}

#[test]
fn a_counter_is_judged_as_a_search_would() {
    let mut histories = 0;
    counters(&Counter::new("key"), &States::from([0]), 7, &mut Trace::new(), &mut histories);
    assert!(histories > 30_000, "only {histories}");
}

fn counters(counter: &Counter, states: &States, calls: u32, trace: &mut Trace, histories: &mut u64) {
    *histories += 1;
    if calls == 0 {
        return;
    }
    let grown: States = states.iter().map(|state| state + 1).collect();
    let most = grown.last().map_or(0, |most| most + 1);
    for (fate, after) in [(Fate::Refused, states.clone()), (Fate::Unknown, states | &grown)] {
        let mut next = counter.clone();
        next.increment();
        assert!(next.incremented(fate.clone()).is_clean());
        step(trace, format!("{fate:?}"), |trace| counters(&next, &after, calls - 1, trace, histories));
    }
    for found in 0..=most {
        let after = States::from([found]);
        let mut next = counter.clone();
        if agrees(&next.read(Fate::Acknowledged(Some(found.to_string()))), states, found, trace) {
            step(trace, format!("{found}"), |trace| counters(&next, &after, calls - 1, trace, histories));
        }
        let mut next = counter.clone();
        next.increment();
        if agrees(&next.incremented(Fate::Acknowledged(found)), &grown, found, trace) {
            step(trace, format!("+{found}"), |trace| counters(&next, &after, calls - 1, trace, histories));
        }
    }
}
