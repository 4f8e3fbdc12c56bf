//! What a driver makes of the stream: each reply in the form that was asked for, and pushes in their place, however the
//! bytes are cut.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;
use truename_resp::{Decoder, Limits, Push};
use truename_topology::Endpoint;

use super::closed::CloseCause;
use super::driver::{Driver, DriverOptions};
use super::handle::Lane;
use super::pipeline::{Habit, PipelineBounds};
use super::push::PushSink;
use super::received::{Form, Received, Unit};
use super::submission::request_limits;
use crate::observe::NodeMeter;

const SECOND: Duration = Duration::from_secs(1);
const HABIT: Habit = Habit { stall: SECOND, usual: SECOND };
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// What happened, in order.
type Log = Arc<Mutex<Vec<String>>>;

#[derive(Debug)]
struct LogTo(Log);

impl PushSink for LogTo {
    fn push(&self, push: Push) {
        self.0.lock().expect("not poisoned").push(format!("push {}", String::from_utf8_lossy(&push.kind)));
    }
}

struct Woken(Log, usize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.lock().expect("not poisoned").push(format!("reply {}", self.1));
    }
}

/// Callers of one lane whose driver is polled by hand.
struct Peer {
    log: Log,
    driver: Driver<DuplexStream>,
    node: DuplexStream,
}

impl Peer {
    fn new() -> (Lane, Self) {
        Self::after(Decoder::default(), BytesMut::new())
    }

    /// A handshake is over and has left this behind.
    fn after(decoder: Decoder, read: BytesMut) -> (Lane, Self) {
        let (client, node) = duplex(1 << 16);
        let (lane, shared) = Lane::new(PipelineBounds { commands: 100, bytes: 1 << 20 }, HABIT);
        shared.enter_open(Instant::now());
        let options =
            DriverOptions { keepalive: 10 * SECOND, habit: HABIT, bears: true, limits: Limits::default() };
        let meter = Arc::new(NodeMeter::new(&Endpoint::new("scripted", 1)));
        let log = Log::default();
        let driver = Driver::new(client, shared, decoder, read, options, meter)
            .pushing_to(Arc::new(LogTo(log.clone())));
        (lane, Self { log, driver, node })
    }

    /// Lets the driver go on until it waits.
    fn turn(&mut self) {
        if let Some(cause) = self.turn_to_end() {
            panic!("the connection ended: {cause}");
        }
    }

    /// The same; returns why the connection ended, if it did.
    fn turn_to_end(&mut self) -> Option<CloseCause> {
        let woken = Arc::new(Woken(Log::default(), 0));
        loop {
            let waker = Waker::from(woken.clone());
            let before = woken.0.lock().expect("not poisoned").len();
            if let Poll::Ready(cause) = Pin::new(&mut self.driver).poll(&mut Context::from_waker(&waker)) {
                return Some(cause);
            }
            if woken.0.lock().expect("not poisoned").len() == before {
                return None;
            }
        }
    }

    async fn say(&mut self, bytes: &[u8], cut: usize) {
        for part in bytes.chunks(cut) {
            self.node.write_all(part).await.expect("there is room");
            self.turn();
        }
    }
}

/// Submits one command for each form, has the peer say something, and returns what came back and what happened.
async fn exchange(forms: &[Form], said: &[u8], cut: usize) -> (Vec<Received>, Vec<String>) {
    let (lane, mut peer) = Peer::new();
    let mut calls: Vec<_> = forms
        .iter()
        .map(|form| {
            let now = Instant::now();
            let limits = request_limits(now, now + 60 * SECOND, SECOND, Unit::command(*form));
            Box::pin(lane.submit(limits, |out: &mut BytesMut| out.extend_from_slice(PING)))
        })
        .collect();
    let wakers: Vec<_> =
        (0..calls.len()).map(|index| Waker::from(Arc::new(Woken(peer.log.clone(), index)))).collect();
    for (call, waker) in calls.iter_mut().zip(&wakers) {
        assert!(call.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    peer.turn();
    peer.say(said, cut).await;
    let replies =
        calls.iter_mut().map(|call| match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome.expect("a reply"),
            Poll::Pending => panic!("a reply is missing"),
        });
    let replies = replies.collect();
    let log = peer.log.lock().expect("not poisoned").clone();
    (replies, log)
}

#[tokio::test(start_paused = true)]
async fn a_push_keeps_its_place_between_replies() {
    let said = b">1\r\n+a\r\n+0\r\n>2\r\n+b\r\n:1\r\n>1\r\n+c\r\n+1\r\n$1\r\n2\r\n>1\r\n+d\r\n";
    let expected = ["push a", "reply 0", "push b", "push c", "reply 1", "reply 2", "push d"];
    for form in [Form::Decoded, Form::Raw] {
        for cut in [said.len(), 7, 1] {
            let (_, log) = exchange(&[form; 3], said, cut).await;
            assert_eq!(log, expected, "{form:?}, {cut} bytes at a time");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_reply_has_the_form_that_was_asked_for() {
    let (d, r) = (Form::Decoded, Form::Raw);
    let said = b"*2\r\n:1\r\n$2\r\nab\r\n>1\r\n+x\r\n$5\r\nhello\r\n-ERR no\r\n%1\r\n+k\r\n*0\r\n";
    let frames = ["*2\r\n:1\r\n$2\r\nab\r\n", "$5\r\nhello\r\n", "-ERR no\r\n", "%1\r\n+k\r\n*0\r\n"];
    for forms in [[d, d, d, d], [r, r, r, r], [d, r, d, r], [r, d, d, r], [d, d, r, r], [r, r, d, d]] {
        for cut in [said.len(), 5, 1] {
            let (replies, log) = exchange(&forms, said, cut).await;
            for ((reply, form), frame) in replies.iter().zip(forms).zip(frames) {
                let mut decoded = BytesMut::from(frame);
                let expected = Decoder::default().decode(&mut decoded).expect("a frame");
                match (reply, form) {
                    (Received::Raw(raw), Form::Raw) => assert_eq!(raw.as_bytes(), frame.as_bytes()),
                    (Received::Reply(value), Form::Decoded) => {
                        assert_eq!(Some(truename_resp::Frame::Reply(value.clone())), expected);
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(log, ["reply 0", "push x", "reply 1", "reply 2", "reply 3"], "{forms:?} {cut}");
        }
    }
}

fn poll<F: Future + Unpin>(call: &mut F) -> Poll<F::Output> {
    Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
}

/// The rest of a push came when the next reply was wanted in the other form: the other reader took it for a frame of its own,
/// and raw replies went to the wrong callers from then on.
#[tokio::test(start_paused = true)]
async fn a_push_that_is_cut_is_ended_by_the_reader_that_began_it() {
    let push = b">3\r\n+invalidate\r\n*1\r\n$3\r\nkey\r\n:7\r\n";
    for (first, then) in [(Form::Raw, Form::Decoded), (Form::Decoded, Form::Raw)] {
        for cut in 1..push.len() {
            // A task that reads and writes without end is made to wait by its runtime.
            tokio::task::yield_now().await;
            let (lane, mut peer) = Peer::new();
            let call = |form| {
                let now = Instant::now();
                let limits = request_limits(now, now + 60 * SECOND, SECOND, Unit::command(form));
                Box::pin(lane.submit(limits, |out: &mut BytesMut| out.extend_from_slice(PING)))
            };
            let mut one = call(first);
            assert!(poll(&mut one).is_pending());
            peer.turn();
            peer.say(&[b"+1\r\n", &push[..cut]].concat(), 100).await;
            let mut next = [then, first].map(call);
            assert!(next.iter_mut().all(|call| poll(call).is_pending()));
            peer.turn();
            peer.say(&[&push[cut..], b"+2\r\n+3\r\n"].concat(), 100).await;
            for (mut call, expected) in
                [one].into_iter().chain(next).zip([(first, "1"), (then, "2"), (first, "3")])
            {
                let Poll::Ready(Ok(received)) = poll(&mut call) else { panic!("a reply is missing") };
                let (form, text) = match &received {
                    Received::Raw(frame) => (Form::Raw, frame.as_bytes().trim_ascii_end().strip_prefix(b"+")),
                    Received::Reply(value) => (Form::Decoded, value.as_bytes()),
                    Received::Replies(_) => panic!("a command was submitted"),
                };
                assert_eq!((form, text), (expected.0, Some(expected.1.as_bytes())), "{cut}");
            }
            assert_eq!(*peer.log.lock().expect("not poisoned"), ["push invalidate"]);
        }
    }
}

/// Half of a push came with the handshake; a caller who wanted its reply as it comes got the rest of it.
#[tokio::test(start_paused = true)]
async fn a_push_that_began_in_the_handshake_is_ended_by_the_decoder() {
    let push = b">2\r\n+invalidate\r\n:7\r\n";
    for cut in 1..push.len() {
        tokio::task::yield_now().await;
        let (mut decoder, mut read) = (Decoder::default(), BytesMut::from(&push[..cut]));
        assert_eq!(decoder.decode(&mut read).expect("no error"), None);
        let (lane, mut peer) = Peer::after(decoder, read);
        let now = Instant::now();
        let limits = request_limits(now, now + 60 * SECOND, SECOND, Unit::command(Form::Raw));
        let mut call = Box::pin(lane.submit(limits, |out: &mut BytesMut| out.extend_from_slice(PING)));
        assert!(poll(&mut call).is_pending());
        peer.turn();
        peer.say(&[&push[cut..], b"+1\r\n"].concat(), 100).await;
        let Poll::Ready(Ok(Received::Raw(frame))) = poll(&mut call) else { panic!("a reply is missing") };
        assert_eq!(frame.as_bytes(), b"+1\r\n", "{cut}");
        assert_eq!(*peer.log.lock().expect("not poisoned"), ["push invalidate"]);
    }
}

/// Part of a reply came while nobody waited; the next caller got the rest of it as its own reply, or a panic when it wanted
/// its reply as it comes.
#[tokio::test(start_paused = true)]
async fn half_a_reply_that_nobody_waits_for_ends_the_connection() {
    for said in ["*2\r\n:1\r\n", "$5\r\nhel", "+", "|1\r\n+ttl\r\n:7\r\n", ">1\r\n+a\r\n+O"] {
        for cut in [said.len(), 1] {
            let (_lane, mut peer) = Peer::new();
            let mut cause = None;
            for part in said.as_bytes().chunks(cut) {
                peer.node.write_all(part).await.expect("there is room");
                cause = cause.or(peer.turn_to_end());
                if cause.is_some() {
                    break;
                }
            }
            let cause = cause.expect("it ends").to_string();
            assert!(cause.contains("an unsolicited reply"), "{said:?}: {cause}");
        }
    }
    let (_lane, mut peer) = Peer::new();
    peer.say(b">2\r\n+invalid", 1).await;
    peer.say(b"ate\r\n:1\r\n", 1).await;
    assert_eq!(*peer.log.lock().expect("not poisoned"), ["push invalidate"]);
}

/// Small replies that arrived together are parts of one allocation.
#[tokio::test(start_paused = true)]
async fn raw_replies_are_slices_of_what_was_read() {
    let (replies, _) = exchange(&[Form::Raw; 3], b"+0\r\n$1\r\n1\r\n:2\r\n", 100).await;
    let starts = replies.iter().map(|reply| match reply {
        Received::Raw(frame) => frame.as_bytes().as_ptr() as usize,
        other => panic!("{other:?}"),
    });
    let starts: Vec<_> = starts.collect();
    assert_eq!([starts[1] - starts[0], starts[2] - starts[1]], [4, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_unit_gets_its_replies_in_order_and_in_its_form() {
    for form in [Form::Decoded, Form::Raw] {
        let (lane, mut peer) = Peer::new();
        let now = Instant::now();
        let limits = request_limits(now, now + 60 * SECOND, SECOND, Unit::commands(2, form).after(1));
        let mut unit = Box::pin(lane.submit(limits, |out: &mut BytesMut| {
            (0..3).for_each(|_| out.extend_from_slice(PING));
        }));
        assert!(unit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        peer.turn();
        peer.say(b"+dropped\r\n+1\r\n-ERR 2\r\n", 4).await;
        let Poll::Ready(Ok(Received::Replies(replies))) =
            unit.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("all replies came")
        };
        let shown = replies.received.into_iter().map(|reply| match reply {
            Received::Raw(frame) => String::from_utf8_lossy(frame.as_bytes()).into_owned(),
            other => other.error().map_or("a value".to_owned(), |error| error.message().to_owned()),
        });
        let expected = if form == Form::Raw { ["+1\r\n", "-ERR 2\r\n"] } else { ["a value", "ERR 2"] };
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }
}

/// A unit of which the transport had taken a part was completed by as many replies as it has commands.
#[tokio::test(start_paused = true)]
async fn replies_to_commands_that_were_not_sent_end_the_connection() {
    let (lane, mut peer) = Peer::new();
    let now = Instant::now();
    let limits = request_limits(now, now + 60 * SECOND, SECOND, Unit::commands(10_000, Form::Decoded));
    // The stream takes 64 KiB: less than half of it.
    let mut unit = Box::pin(lane.submit(limits, |out: &mut BytesMut| {
        (0..10_000).for_each(|_| out.extend_from_slice(PING));
    }));
    assert!(poll(&mut unit).is_pending());
    peer.turn();
    let mut cause = None;
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
        peer.node.write_all(b"+stray\r\n").await.expect("there is room");
        cause = cause.or(peer.turn_to_end());
        if cause.is_some() {
            break;
        }
    }
    assert!(cause.expect("it ends").to_string().contains("an unsolicited reply"));
}
