//! Single cases of the pipeline that the model of `pipeline_model_tests` does not single out.

use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_resp::Reply;

use super::failure::Failure;
use super::pipeline::{Habit, Pipeline, PipelineBounds, Progress};
use super::received::{Form, Received, Unit};
use super::waiter::{RequestLimits, Ticket};

const HABIT: Habit = Habit { stall: Duration::from_secs(2), usual: Duration::from_secs(5) };

fn limits(now: Instant) -> RequestLimits {
    let hour = Duration::from_secs(3600);
    let unit = Unit::command(Form::Decoded);
    RequestLimits { submitted: now, deadline: now + hour, patience: Duration::from_secs(2), unit }
}

fn integer(value: i64) -> Received {
    Received::Reply(Reply::Integer(value))
}

fn roomy() -> Pipeline {
    Pipeline::new(PipelineBounds { commands: 100, bytes: 1 << 20 }, HABIT)
}

#[test]
fn a_command_that_timed_out_before_the_connection_came_up_is_never_sent() {
    let start = Instant::now();
    let mut wake = Vec::new();
    let mut pipeline = roomy();
    let short = RequestLimits { deadline: start + Duration::from_millis(10), ..limits(start) };
    let late = pipeline.submit(short, Waker::noop(), |out| out.extend_from_slice(b"late"));
    let kept = pipeline.submit(limits(start), Waker::noop(), |out| out.extend_from_slice(b"kept"));
    pipeline.check(start + Duration::from_millis(10), false, &mut wake);
    let Poll::Ready(Progress::Done(Err(Failure::TimedOut { submitted }))) =
        pipeline.poll_reply(late, Waker::noop())
    else {
        panic!("not timed out")
    };
    assert!(!submitted);
    pipeline.open(start + Duration::from_millis(20), &mut wake);
    let mut out = BytesMut::new();
    pipeline.take_output(&mut out);
    assert_eq!(&out[..], b"kept");
    assert!(pipeline.complete(integer(0), &mut wake).is_err(), "a reply to what was not sent");
    pipeline.accept(out.len());
    pipeline.complete(integer(1), &mut wake).expect("outstanding");
    assert!(matches!(pipeline.poll_reply(kept, Waker::noop()), Poll::Ready(Progress::Done(Ok(_)))));
    assert_eq!(pipeline.in_use(), 0);
}

#[test]
fn a_reply_to_nobody_is_noticed() {
    let mut pipeline = roomy();
    pipeline.open(Instant::now(), &mut Vec::new());
    assert!(pipeline.complete(integer(0), &mut Vec::new()).is_err());
}

#[test]
fn room_that_dead_commands_took_is_granted_when_the_connection_is_up() {
    let start = Instant::now();
    let mut wake = Vec::new();
    let mut pipeline = Pipeline::new(PipelineBounds { commands: 2, bytes: 1 << 20 }, HABIT);
    let short = RequestLimits { deadline: start + Duration::from_millis(10), ..limits(start) };
    let [first, second] =
        [0, 1].map(|_| pipeline.submit(short, Waker::noop(), |out| out.extend_from_slice(b"late")));
    let waits = pipeline.submit(limits(start), Waker::noop(), |_| panic!("there is no room"));
    let later = start + Duration::from_millis(10);
    pipeline.check(later, false, &mut wake);
    for late in [first, second] {
        assert!(pipeline.poll_reply(late, Waker::noop()).is_ready());
    }
    pipeline.open(later, &mut wake);
    assert!(matches!(pipeline.poll_reply(waits, Waker::noop()), Poll::Ready(Progress::Encode)));
}

#[test]
fn callers_who_wait_for_room_do_not_exceed_the_bound_together() {
    let start = Instant::now();
    let mut wake = Vec::new();
    let mut pipeline = Pipeline::new(PipelineBounds { commands: 1000, bytes: 100 }, HABIT);
    pipeline.open(start, &mut wake);
    let value = [0; 60];
    let encode = |pipeline: &mut Pipeline| {
        pipeline.submit(limits(start), Waker::noop(), |out| out.extend_from_slice(&value))
    };
    let tickets: Vec<Ticket> = (0..20).map(|_| encode(&mut pipeline)).collect();
    let mut sent = 0;
    while sent < tickets.len() * value.len() {
        let mut out = BytesMut::new();
        pipeline.take_output(&mut out);
        assert!((60..160).contains(&out.len()), "{} bytes at a time", out.len());
        sent += out.len();
        pipeline.accept(out.len());
        pipeline.grant(&mut wake);
        for ticket in &tickets {
            if let Poll::Ready(Progress::Encode) = pipeline.poll_reply(*ticket, Waker::noop()) {
                pipeline.submit_granted(*ticket, Waker::noop(), |out| out.extend_from_slice(&value));
            }
        }
    }
    assert_eq!(pipeline.outstanding(), tickets.len());
}

/// A batch counts for as many commands as it holds.
#[test]
fn a_unit_takes_the_room_of_all_its_commands() {
    let start = Instant::now();
    let mut wake = Vec::new();
    let mut pipeline = Pipeline::new(PipelineBounds { commands: 4, bytes: 1 << 20 }, HABIT);
    pipeline.open(start, &mut wake);
    let four = RequestLimits { unit: Unit::commands(4, Form::Decoded), ..limits(start) };
    let unit = pipeline.submit(four, Waker::noop(), |out| {
        (0..4).for_each(|_| out.extend_from_slice(b"*1\r\n$4\r\nPING\r\n"));
    });
    let waits = pipeline.submit(limits(start), Waker::noop(), |_| panic!("there is no room"));
    let mut out = BytesMut::new();
    pipeline.take_output(&mut out);
    pipeline.accept(out.len());
    assert!(pipeline.poll_reply(waits, Waker::noop()).is_pending());
    pipeline.complete(integer(0), &mut wake).expect("outstanding");
    pipeline.grant(&mut wake);
    assert!(matches!(pipeline.poll_reply(waits, Waker::noop()), Poll::Ready(Progress::Encode)));
    for reply in 1..4 {
        pipeline.complete(integer(reply), &mut wake).expect("outstanding");
    }
    let Poll::Ready(Progress::Done(Ok(Received::Replies(replies)))) =
        pipeline.poll_reply(unit, Waker::noop())
    else {
        panic!("all replies came")
    };
    assert_eq!(replies.received.len(), 4);
    assert!(replies.cut_short.is_none());
}
