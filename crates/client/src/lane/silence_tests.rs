//! What a pipeline makes of its server's silence, with time as an argument.

use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_resp::Reply;

use super::pipeline::{Concern, Habit, Pipeline, PipelineBounds};
use super::received::{Form, Received, Unit};
use super::waiter::RequestLimits;

const HABIT: Habit = Habit { stall: Duration::from_secs(2), usual: Duration::from_secs(5) };

fn limits(now: Instant) -> RequestLimits {
    RequestLimits {
        submitted: now,
        deadline: now + Duration::from_secs(3600),
        patience: HABIT.stall,
        unit: Unit::command(Form::Decoded),
    }
}

fn roomy() -> Pipeline {
    Pipeline::new(PipelineBounds { commands: 100, bytes: 1 << 20 }, HABIT)
}

#[test]
fn silence_is_measured_from_the_last_sign_of_life() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut wake = Vec::new();
    let mut pipeline = roomy();
    pipeline.open(start, &mut wake);
    let _first = pipeline.submit(limits(start), Waker::noop(), |out| out.extend_from_slice(b"a"));
    let _second = pipeline.submit(limits(start), Waker::noop(), |out| out.extend_from_slice(b"b"));
    assert_eq!(pipeline.next_check(), Some(at(1000)));
    pipeline.take_output(&mut BytesMut::new());
    pipeline.accept(2);
    pipeline.note_read(at(500));
    pipeline.complete(Received::Reply(Reply::Nil), &mut wake).expect("outstanding");
    assert!(pipeline.check(at(1000), true, &mut wake).is_none());
    assert_eq!(pipeline.next_check(), Some(at(1500)));
    assert_eq!(pipeline.check(at(1500), true, &mut wake), Some(Concern::Ask));
    assert_eq!(pipeline.next_check(), Some(at(2500)));
    let stalled = pipeline.check(at(2500), true, &mut wake);
    assert_eq!(stalled, Some(Concern::Stalled(Duration::from_secs(2))));
}

#[test]
fn an_answer_on_another_connection_is_a_sign_of_life() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut wake = Vec::new();
    let mut pipeline = roomy();
    pipeline.open(start, &mut wake);
    let _call = pipeline.submit(limits(start), Waker::noop(), |out| out.extend_from_slice(b"a"));
    assert_eq!(pipeline.check(at(1000), true, &mut wake), Some(Concern::Ask));
    assert!(pipeline.is_silent());
    pipeline.answered_elsewhere(at(1100));
    assert_eq!(pipeline.check(at(2000), true, &mut wake), None);
    assert_eq!(pipeline.next_check(), Some(at(2100)));
    pipeline.note_read(at(2050));
    assert!(!pipeline.is_silent());
}

#[test]
fn patience_ends_with_the_call_that_asked_for_it() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut wake = Vec::new();
    let long = Duration::from_secs(20);
    for is_dropped in [true, false] {
        let mut pipeline = roomy();
        pipeline.open(start, &mut wake);
        let deadline = if is_dropped { at(20_000) } else { at(3000) };
        let patient = RequestLimits { deadline, patience: long, ..limits(start) };
        let call = pipeline.submit(patient, Waker::noop(), |out| out.extend_from_slice(b"a"));
        pipeline.check(at(3000), true, &mut wake);
        if is_dropped {
            assert_eq!(pipeline.longest_patience(), long);
            assert!(pipeline.abandon(call, &mut wake), "the lane's task must look at the silence sooner");
            assert_eq!(pipeline.next_check(), Some(at(4000)));
            assert_eq!(pipeline.check(at(4000), true, &mut wake), Some(Concern::Ask));
        } else {
            assert_eq!(pipeline.next_check(), Some(at(4000)), "asked for while the check found out");
        }
        assert!(matches!(pipeline.check(at(5000), true, &mut wake), Some(Concern::Stalled(_))));
        assert_eq!(pipeline.longest_patience(), HABIT.stall);
    }
}

#[test]
fn a_long_command_that_the_server_goes_on_taking_is_no_silence() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut wake = Vec::new();
    let mut pipeline = roomy();
    pipeline.open(start, &mut wake);
    let _long = pipeline.submit(limits(start), Waker::noop(), |out| out.extend_from_slice(&[0; 100]));
    pipeline.take_output(&mut BytesMut::new());
    let rows = [(2000, 40, false), (4000, 40, false), (6000, 20, false), (7000, 0, true), (8000, 0, true)];
    for (ms, bytes, concerns) in rows {
        pipeline.accept(bytes);
        assert_eq!(pipeline.check(at(ms), true, &mut wake).is_some(), concerns, "after {ms} ms");
    }
}
