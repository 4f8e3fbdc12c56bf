//! The pipeline against a model: random submissions, partial writes, replies, drops, deadlines and closes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::time::Instant;
use truename_resp::Reply;

use super::closed::CloseCause;
use super::pipeline::{Habit, Pipeline, Progress, Room};
use super::waiter::{Failure, RequestLimits, Ticket};

/// Every command is this long, so that the model knows its bytes.
const LEN: usize = 8;

const HABIT: Habit = Habit { stall: Duration::from_secs(2), usual: Duration::from_secs(5) };

#[derive(Debug, Clone)]
enum Step {
    Submit {
        deadline_ms: u64,
        preamble: u8,
    },
    Poll(usize),
    Abandon(usize),
    /// The driver takes what is queued.
    Take,
    /// The transport accepts that many bytes of what was taken.
    Accept(usize),
    /// The server answers the oldest command that it holds whole.
    Reply,
    Advance(u64),
    /// The connection is lost; the next one is up after `Open`.
    Close,
    Open,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (1u64..400, 0u8..2).prop_map(|(deadline_ms, preamble)| Step::Submit { deadline_ms, preamble }),
        4 => any::<usize>().prop_map(Step::Poll),
        1 => any::<usize>().prop_map(Step::Abandon),
        3 => Just(Step::Take),
        3 => (0usize..40).prop_map(Step::Accept),
        5 => Just(Step::Reply),
        2 => (0u64..90).prop_map(Step::Advance),
        1 => Just(Step::Close),
        2 => Just(Step::Open),
    ];
    proptest::collection::vec(step, 0..200)
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A command as the model sees it.
#[derive(Debug)]
struct Sent {
    id: u64,
    end: u64,
    replies_left: u8,
}

struct Model {
    pipeline: Pipeline,
    is_open: bool,
    now: Instant,
    /// When deadlines were last looked at.
    checked: Instant,
    next_id: u64,
    /// Tickets that are neither redeemed nor given up, in submission order.
    open: Vec<(u64, Ticket)>,
    /// Commands in the stream whose reply is outstanding.
    stream: Vec<Sent>,
    appended: u64,
    taken: u64,
    accepted: u64,
    /// Commands that a close failed, with what they must get unless they timed out before.
    failed: HashMap<u64, bool>,
    answered: HashMap<u64, u64>,
    deadlines: HashMap<u64, Instant>,
    preambles: HashMap<u64, u8>,
}

impl Model {
    fn new() -> Self {
        Self {
            pipeline: Pipeline::new(Room { commands: 12, bytes: 64 }, HABIT),
            is_open: true,
            now: Instant::now(),
            checked: Instant::now(),
            next_id: 0,
            open: Vec::new(),
            stream: Vec::new(),
            appended: 0,
            taken: 0,
            accepted: 0,
            failed: HashMap::new(),
            answered: HashMap::new(),
            deadlines: HashMap::new(),
            preambles: HashMap::new(),
        }
    }

    fn note_encoded(&mut self, id: u64) {
        self.appended += LEN as u64;
        self.stream.push(Sent { id, end: self.appended, replies_left: self.preambles[&id] });
    }

    fn submit(&mut self, deadline_ms: u64, preamble: u8, waker: &Waker) {
        let id = self.next_id;
        self.next_id += 1;
        let deadline = self.now + Duration::from_millis(deadline_ms);
        let limits =
            RequestLimits { submitted: self.now, deadline, patience: Duration::from_secs(3600), preamble };
        self.deadlines.insert(id, deadline);
        self.preambles.insert(id, preamble);
        let mut encoded = false;
        let ticket = self.pipeline.submit(limits, waker, |out| {
            out.extend_from_slice(&id.to_be_bytes());
            encoded = true;
        });
        if encoded {
            self.note_encoded(id);
        }
        self.open.push((id, ticket));
    }

    fn poll(&mut self, choice: usize, waker: &Waker) {
        if self.open.is_empty() {
            return;
        }
        let position = choice % self.open.len();
        let (id, ticket) = self.open[position];
        match self.pipeline.poll_reply(ticket, waker) {
            Poll::Pending => {
                assert!(!self.failed.contains_key(&id), "{id} was failed and heard nothing");
                assert!(!self.answered.contains_key(&id), "{id} was answered and heard nothing");
            }
            Poll::Ready(Progress::Encode) => {
                self.pipeline.submit_granted(ticket, waker, |out| out.extend_from_slice(&id.to_be_bytes()));
                self.note_encoded(id);
            }
            Poll::Ready(Progress::Done(outcome)) => {
                self.open.remove(position);
                self.verify(id, &outcome);
            }
        }
    }

    fn verify(&self, id: u64, outcome: &Result<Reply, Failure>) {
        match outcome {
            Ok(reply) => {
                assert_eq!(reply.as_integer(), Some(id as i64), "a reply of somebody else");
                assert!(self.answered.contains_key(&id));
            }
            Err(Failure::TimedOut { .. }) => assert!(self.deadlines[&id] <= self.now),
            Err(Failure::Unsent(_)) => assert_eq!(self.failed.get(&id), Some(&true), "{id} was sent"),
            Err(Failure::Lost(_) | Failure::LostAtHead(_)) => {
                assert_eq!(self.failed.get(&id), Some(&false), "{id} was not sent whole")
            }
        }
    }

    fn reply(&mut self, wake: &mut Vec<Waker>) {
        let holds_head = self.stream.first().is_some_and(|head| head.end <= self.accepted);
        if !holds_head {
            return;
        }
        let head = &mut self.stream[0];
        if head.replies_left > 0 {
            head.replies_left -= 1;
            self.pipeline.complete(Reply::Nil, wake).expect("a command is outstanding");
            return;
        }
        let head = self.stream.remove(0);
        *self.answered.entry(head.id).or_default() += 1;
        self.pipeline.complete(Reply::Integer(head.id as i64), wake).expect("a command is outstanding");
        self.pipeline.grant(wake);
    }

    fn close(&mut self, wake: &mut Vec<Waker>) {
        for sent in self.stream.drain(..) {
            self.failed.insert(sent.id, sent.end > self.accepted);
        }
        // Whatever was not in the stream waited for room.
        for (id, _) in &self.open {
            if !self.answered.contains_key(id) {
                self.failed.entry(*id).or_insert(true);
            }
        }
        self.pipeline.close(&Arc::new(CloseCause::PeerClosed), wake);
        // The stream starts over after everything that was ever appended and taken.
        self.appended = self.taken;
        self.accepted = self.taken;
        self.is_open = false;
    }

    /// A new connection: what nobody waits for any more is not sent.
    fn connect(&mut self, wake: &mut Vec<Waker>) {
        let waits: HashSet<u64> = self.open.iter().map(|(id, _)| *id).collect();
        let deadlines = &self.deadlines;
        let checked = self.checked;
        self.stream.retain(|sent| waits.contains(&sent.id) && deadlines[&sent.id] > checked);
        for (position, sent) in self.stream.iter_mut().enumerate() {
            sent.end = self.taken + ((position + 1) * LEN) as u64;
        }
        self.appended = self.taken + (self.stream.len() * LEN) as u64;
        self.pipeline.open(self.now, wake);
        self.is_open = true;
    }

    fn run(&mut self, step: Step, waker: &Waker) {
        let mut wake = Vec::new();
        match step {
            Step::Submit { deadline_ms, preamble } => self.submit(deadline_ms, preamble, waker),
            Step::Poll(choice) => self.poll(choice, waker),
            Step::Abandon(choice) => {
                if !self.open.is_empty() {
                    let (_, ticket) = self.open.remove(choice % self.open.len());
                    self.pipeline.abandon(ticket, &mut wake);
                }
            }
            Step::Take if self.is_open => {
                let mut out = BytesMut::new();
                self.pipeline.take_output(&mut out);
                assert_eq!(out.len() as u64, self.appended - self.taken, "bytes and model agree");
                self.taken = self.appended;
                self.pipeline.grant(&mut wake);
            }
            Step::Accept(bytes) if self.is_open => {
                let bytes = (bytes as u64).min(self.taken - self.accepted);
                self.accepted += bytes;
                self.pipeline.accept(bytes as usize);
            }
            Step::Reply if self.is_open => self.reply(&mut wake),
            Step::Advance(ms) => {
                self.now += Duration::from_millis(ms);
                if self.pipeline.next_check().is_some_and(|at| at <= self.now) {
                    self.pipeline.check(self.now, self.is_open, &mut wake);
                    self.checked = self.now;
                }
            }
            Step::Close if self.is_open => self.close(&mut wake),
            Step::Open if !self.is_open => self.connect(&mut wake),
            Step::Take | Step::Accept(_) | Step::Reply | Step::Close | Step::Open => {}
        }
        wake.into_iter().for_each(Waker::wake);
        assert_eq!(self.pipeline.outstanding(), self.stream.len());
        assert!(!self.pipeline.is_wedged(), "somebody waits for room that is there");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn replies_go_where_they_belong_and_nothing_leaks(steps in steps()) {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count);
        let mut model = Model::new();
        for step in steps {
            model.run(step, &waker);
        }
        // The end: the connection is lost, everybody looks once more, and no waiter is left.
        model.run(Step::Open, &waker);
        model.run(Step::Close, &waker);
        for _ in 0..2 {
            for position in (0..model.open.len()).rev() {
                model.poll(position, &waker);
            }
        }
        prop_assert!(model.open.is_empty(), "still open: {:?}", model.open);
        prop_assert_eq!(model.pipeline.in_use(), 0);
        for (id, times) in &model.answered {
            prop_assert_eq!(*times, 1, "{} was answered more than once", id);
        }
    }
}

fn limits(now: Instant, preamble: u8) -> RequestLimits {
    let hour = Duration::from_secs(3600);
    RequestLimits { submitted: now, deadline: now + hour, patience: Duration::from_secs(2), preamble }
}

fn roomy() -> Pipeline {
    Pipeline::new(Room { commands: 100, bytes: 1 << 20 }, HABIT)
}

#[test]
fn a_command_that_timed_out_before_the_connection_came_up_is_never_sent() {
    let start = Instant::now();
    let mut wake = Vec::new();
    let mut pipeline = roomy();
    let short = RequestLimits { deadline: start + Duration::from_millis(10), ..limits(start, 0) };
    let late = pipeline.submit(short, Waker::noop(), |out| out.extend_from_slice(b"late"));
    let kept = pipeline.submit(limits(start, 0), Waker::noop(), |out| out.extend_from_slice(b"kept"));
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
    assert!(pipeline.complete(Reply::Integer(0), &mut wake).is_err(), "a reply to what was not sent");
    pipeline.accept(out.len());
    pipeline.complete(Reply::Integer(1), &mut wake).expect("outstanding");
    assert!(matches!(pipeline.poll_reply(kept, Waker::noop()), Poll::Ready(Progress::Done(Ok(_)))));
    assert_eq!(pipeline.in_use(), 0);
}

#[test]
fn a_reply_to_nobody_is_noticed() {
    let mut pipeline = roomy();
    pipeline.open(Instant::now(), &mut Vec::new());
    assert!(pipeline.complete(Reply::Nil, &mut Vec::new()).is_err());
}

#[test]
fn room_that_dead_commands_took_is_granted_when_the_connection_is_up() {
    let start = Instant::now();
    let mut wake = Vec::new();
    let mut pipeline = Pipeline::new(Room { commands: 2, bytes: 1 << 20 }, HABIT);
    let short = RequestLimits { deadline: start + Duration::from_millis(10), ..limits(start, 0) };
    let [first, second] =
        [0, 1].map(|_| pipeline.submit(short, Waker::noop(), |out| out.extend_from_slice(b"late")));
    let waits = pipeline.submit(limits(start, 0), Waker::noop(), |_| panic!("there is no room"));
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
    let mut pipeline = Pipeline::new(Room { commands: 1000, bytes: 100 }, HABIT);
    pipeline.open(start, &mut wake);
    let value = [0; 60];
    let encode = |pipeline: &mut Pipeline| {
        pipeline.submit(limits(start, 0), Waker::noop(), |out| out.extend_from_slice(&value))
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
