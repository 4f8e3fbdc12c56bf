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
use super::failure::Failure;
use super::pipeline::{Habit, Pipeline, PipelineBounds, Progress};
use super::received::{Form, Received, Replies, Unit};
use super::waiter::{RequestLimits, Ticket};

/// Every command is this long, so that the model knows its bytes.
const LEN: usize = 12;

const BOUNDS: PipelineBounds = PipelineBounds { commands: 12, bytes: 96 };
/// Commands of a unit.
const MOST: u32 = 4;

const HABIT: Habit = Habit { stall: Duration::from_secs(2), usual: Duration::from_secs(5) };

#[derive(Debug, Clone)]
enum Step {
    Submit {
        deadline_ms: u64,
        preamble: u32,
        commands: u32,
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
        5 => (1u64..400, 0u32..2, prop_oneof![3 => Just(1u32), 1 => 2..=MOST]).prop_map(
            |(deadline_ms, preamble, commands)| Step::Submit { deadline_ms, preamble, commands }),
        4 => any::<usize>().prop_map(Step::Poll),
        1 => any::<usize>().prop_map(Step::Abandon),
        3 => Just(Step::Take),
        3 => (0usize..60).prop_map(Step::Accept),
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

/// What was submitted, as the model sees it.
#[derive(Debug, Clone, Copy)]
struct Submitted {
    id: u64,
    deadline: Instant,
    preamble: u32,
    commands: u32,
}

impl Submitted {
    fn len(&self) -> u64 {
        u64::from(self.commands) * LEN as u64
    }

    fn unit(&self) -> Unit {
        let unit = match self.commands {
            1 => Unit::command(Form::Decoded),
            many => Unit::commands(many, Form::Decoded),
        };
        unit.after(self.preamble)
    }

    fn encode(&self, out: &mut BytesMut) {
        (0..self.commands).for_each(|_| {
            out.extend_from_slice(&self.id.to_be_bytes());
            out.extend_from_slice(&[0; LEN - 8]);
        });
    }
}

/// The same in the stream.
#[derive(Debug)]
struct Sent {
    what: Submitted,
    start: u64,
    preamble_left: u32,
    answered: u32,
}

impl Sent {
    fn end(&self) -> u64 {
        self.start + self.what.len()
    }
}

/// What a close must have told a submission: how many of its bytes were accepted, and whether it was the oldest.
#[derive(Debug, Clone, Copy, Default)]
struct Failed {
    accepted: u64,
    is_oldest: bool,
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
    failed: HashMap<u64, Failed>,
    /// What the deadline met: whether a connection could have taken some of it by then.
    timed_out: HashMap<u64, bool>,
    /// How many replies each got.
    answered: HashMap<u64, u32>,
    submitted: HashMap<u64, Submitted>,
}

impl Model {
    fn new() -> Self {
        Self {
            pipeline: Pipeline::new(BOUNDS, HABIT),
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
            timed_out: HashMap::new(),
            answered: HashMap::new(),
            submitted: HashMap::new(),
        }
    }

    fn note_encoded(&mut self, what: Submitted) {
        self.stream.push(Sent { what, start: self.appended, preamble_left: what.preamble, answered: 0 });
        self.appended += what.len();
    }

    fn submit(&mut self, what: Submitted, waker: &Waker) {
        let patience = Duration::from_secs(3600);
        let limits =
            RequestLimits { submitted: self.now, deadline: what.deadline, patience, unit: what.unit() };
        self.submitted.insert(what.id, what);
        let mut encoded = false;
        let ticket = self.pipeline.submit(limits, waker, |out| {
            what.encode(out);
            encoded = true;
        });
        if encoded {
            self.note_encoded(what);
        }
        self.open.push((what.id, ticket));
    }

    fn poll(&mut self, choice: usize, waker: &Waker, wake: &mut Vec<Waker>) {
        if self.open.is_empty() {
            return;
        }
        let position = choice % self.open.len();
        let (id, ticket) = self.open[position];
        match self.pipeline.poll_reply(ticket, waker) {
            Poll::Pending => {
                assert!(!self.failed.contains_key(&id), "{id} was failed and heard nothing");
                let answered = self.answered.get(&id).copied().unwrap_or_default();
                assert!(answered < self.submitted[&id].commands, "{id} was answered and heard nothing");
            }
            Poll::Ready(Progress::Encode) if self.submitted[&id].deadline <= self.now => {
                // Its caller does not send what comes too late.
                self.open.remove(position);
                self.pipeline.abandon(ticket, wake);
            }
            Poll::Ready(Progress::Encode) => {
                let what = self.submitted[&id];
                self.pipeline.submit_granted(ticket, waker, |out| what.encode(out));
                self.note_encoded(what);
            }
            Poll::Ready(Progress::Done(outcome)) => {
                self.open.remove(position);
                self.verify(id, &outcome);
            }
        }
    }

    fn verify(&self, id: u64, outcome: &Result<Received, Failure>) {
        let what = self.submitted[&id];
        match outcome {
            Ok(Received::Reply(reply)) => {
                assert_eq!(what.commands, 1);
                assert_eq!(reply.as_integer(), Some(id as i64), "a reply of somebody else");
                assert_eq!(self.answered.get(&id), Some(&1));
            }
            Ok(Received::Replies(replies)) => self.verify_replies(what, replies),
            Ok(Received::Raw(_)) => panic!("nobody asked for that"),
            Err(failure) => {
                assert_eq!(what.commands, 1, "what was answered is lost");
                self.verify_failure(what, failure, LEN as u64, true);
            }
        }
    }

    /// What was answered is there, in order, and of each other command it is said whether it was sent.
    fn verify_replies(&self, what: Submitted, replies: &Replies) {
        assert!(what.commands > 1);
        for reply in &replies.received {
            let Received::Reply(Reply::Integer(id)) = reply else { panic!("{reply:?}") };
            assert_eq!(*id, what.id as i64, "a reply of somebody else");
        }
        let answered = replies.received.len() as u32;
        let Some(cut_short) = &replies.cut_short else { return assert_eq!(answered, what.commands) };
        assert!(answered < what.commands);
        // After a time-out, replies may come that nobody reads.
        let came = self.answered.get(&what.id).copied().unwrap_or_default();
        let is_over = !matches!(cut_short.failure_of(0, true), Failure::TimedOut { .. });
        assert!(
            if is_over { came == answered } else { came >= answered },
            "{came} came, {answered} are there"
        );
        for command in answered..what.commands {
            let (end, is_first) = (u64::from(command + 1) * LEN as u64, command == answered);
            self.verify_failure(what, &cut_short.failure_of(end, is_first), end, is_first);
        }
    }

    fn verify_failure(&self, what: Submitted, failure: &Failure, end: u64, is_first: bool) {
        let failed = self.failed.get(&what.id).copied();
        let was_sent = failed.is_some_and(|failed| end <= failed.accepted);
        match failure {
            Failure::TimedOut { submitted } => {
                assert!(what.deadline <= self.now);
                assert_eq!(self.timed_out.get(&what.id), Some(submitted), "{what:?}");
            }
            Failure::Unsent(_) => assert!(failed.is_some() && !was_sent, "{what:?} was sent"),
            Failure::Lost(_) => assert!(was_sent, "{what:?} was not sent whole"),
            Failure::LostAtHead(_) => {
                assert!(was_sent && is_first, "{what:?}");
                assert!(failed.is_some_and(|failed| failed.is_oldest), "{what:?}");
            }
        }
    }

    /// The server answers the oldest command that it holds whole.
    fn reply(&mut self, wake: &mut Vec<Waker>) {
        let Some(head) = self.stream.first_mut() else { return };
        if head.start + u64::from(head.answered + 1) * LEN as u64 > self.accepted {
            return;
        }
        if head.preamble_left > 0 {
            head.preamble_left -= 1;
            self.pipeline.complete(Received::Reply(Reply::Nil), wake).expect("a command is outstanding");
            return;
        }
        head.answered += 1;
        let (id, is_over) = (head.what.id, head.answered == head.what.commands);
        *self.answered.entry(id).or_default() += 1;
        if is_over {
            self.stream.remove(0);
        }
        let reply = Received::Reply(Reply::Integer(id as i64));
        self.pipeline.complete(reply, wake).expect("a command is outstanding");
        self.pipeline.grant(wake);
    }

    /// Deadlines were looked at: what is in the stream of a connection may be executed, whether it was taken or not.
    fn note_timed_out(&mut self) {
        for (id, _) in &self.open {
            let what = self.submitted[id];
            let is_over = self.failed.contains_key(id) || self.answered.get(id) == Some(&what.commands);
            if what.deadline <= self.now && !is_over {
                let is_in_stream = self.stream.iter().any(|sent| sent.what.id == *id);
                self.timed_out.entry(*id).or_insert(self.is_open && is_in_stream);
            }
        }
    }

    fn close(&mut self, wake: &mut Vec<Waker>) {
        for (position, sent) in self.stream.drain(..).enumerate() {
            let accepted = self.accepted.clamp(sent.start, sent.end()) - sent.start;
            self.failed.insert(sent.what.id, Failed { accepted, is_oldest: position == 0 });
        }
        // Whatever was not in the stream waited for room, or is answered.
        for (id, _) in &self.open {
            if !self.answered.contains_key(id) {
                self.failed.entry(*id).or_default();
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
        let checked = self.checked;
        self.stream.retain(|sent| waits.contains(&sent.what.id) && sent.what.deadline > checked);
        self.appended = self.taken;
        for sent in &mut self.stream {
            sent.start = self.appended;
            self.appended = sent.end();
        }
        self.pipeline.open(self.now, wake);
        self.is_open = true;
    }

    fn run(&mut self, step: Step, waker: &Waker) {
        let mut wake = Vec::new();
        match step {
            Step::Submit { deadline_ms, preamble, commands } => {
                let (id, deadline) = (self.next_id, self.now + Duration::from_millis(deadline_ms));
                self.next_id += 1;
                self.submit(Submitted { id, deadline, preamble, commands }, waker);
            }
            Step::Poll(choice) => self.poll(choice, waker, &mut wake),
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
                    self.note_timed_out();
                }
            }
            Step::Close if self.is_open => self.close(&mut wake),
            Step::Open if !self.is_open => self.connect(&mut wake),
            Step::Take | Step::Accept(_) | Step::Reply | Step::Close | Step::Open => {}
        }
        wake.into_iter().for_each(Waker::wake);
        assert_eq!(self.pipeline.outstanding(), self.stream.len());
        let commands: u32 = self.stream.iter().map(|sent| sent.what.commands - sent.answered).sum();
        assert!((commands as usize) < BOUNDS.commands + MOST as usize, "{commands} are in flight");
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
                model.poll(position, &waker, &mut Vec::new());
            }
        }
        prop_assert!(model.open.is_empty(), "still open: {:?}", model.open);
        prop_assert_eq!(model.pipeline.in_use(), 0);
        for (id, times) in &model.answered {
            prop_assert!(*times <= model.submitted[id].commands, "{} was answered more than once", id);
        }
    }
}
