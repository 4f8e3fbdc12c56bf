//! How often the driver calls its stream: polled by hand, so that every turn is counted. No server, no socket, no sleep.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::Instant;
use truename_resp::{Decoder, Limits};
use truename_topology::Endpoint;

use super::driver::{Driver, DriverOptions};
use super::failure::Failure;
use super::handle::Lane;
use super::pipeline::{Habit, PipelineBounds};
use super::received::{Form, Received, Unit};
use super::submission::{Submission, request_limits};
use crate::connect::Carrier;
use crate::observe::NodeMeter;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const PONG: &[u8] = b"+PONG\r\n";
const PATIENCE: Duration = Duration::from_secs(60);
const HABIT: Habit = Habit { stall: PATIENCE, usual: PATIENCE };
const CALLERS: usize = 64;

/// What was asked of a stream.
#[derive(Debug, Default)]
struct Calls {
    /// Those that brought bytes: a socket without any is not read.
    reads: AtomicUsize,
    writes: AtomicUsize,
}

/// One end of an in-memory stream, which counts.
struct Counted(DuplexStream, Arc<Calls>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        if read.is_ready() {
            self.1.reads.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.1.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Carrier for Counted {
    fn endure(&self, _: Duration) {}

    fn holds_unread(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// Counts how often the driver was to have a turn.
#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A driver that has a turn only when the test gives it one, and the node at the other end.
struct ByHand {
    driver: Driver<Counted>,
    node: DuplexStream,
    calls: Arc<Calls>,
    wakes: Arc<Wakes>,
}

impl ByHand {
    /// The driver has had its first turn and waits for work.
    fn new() -> (Lane, Self) {
        let (client, node) = duplex(1 << 20);
        let (lane, shared) = Lane::new(PipelineBounds { commands: 1000, bytes: 1 << 20 }, HABIT);
        shared.enter_open(Instant::now());
        let calls = Arc::new(Calls::default());
        let stream = Counted(client, calls.clone());
        let options =
            DriverOptions { keepalive: PATIENCE, habit: HABIT, bears: true, limits: Limits::default() };
        let meter = Arc::new(NodeMeter::new(&Endpoint::new("scripted", 1)));
        let decoder = Decoder::new(Limits::default());
        let driver = Driver::new(stream, shared, decoder, BytesMut::new(), options, meter);
        let mut peer = Self { driver, node, calls, wakes: Arc::default() };
        assert!(!peer.turn(), "there is nothing to do");
        (lane, peer)
    }

    /// One turn of the driver; whether it asked for another one at once.
    fn turn(&mut self) -> bool {
        let before = self.wakes();
        let waker = Waker::from(self.wakes.clone());
        let ended = Pin::new(&mut self.driver).poll(&mut Context::from_waker(&waker));
        assert!(ended.is_pending(), "{ended:?}");
        self.wakes() > before
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    fn writes(&self) -> usize {
        self.calls.writes.load(Ordering::Relaxed)
    }

    fn reads(&self) -> usize {
        self.calls.reads.load(Ordering::Relaxed)
    }

    async fn answer(&mut self, count: usize) {
        let mut commands = vec![0; count * PING.len()];
        self.node.read_exact(&mut commands).await.expect("the client has written");
        assert_eq!(commands, PING.repeat(count));
        self.node.write_all(&PONG.repeat(count)).await.expect("there is room");
    }
}

fn submit(lane: &Lane) -> Submission<'_, impl Fn(&mut BytesMut) + use<>> {
    let now = Instant::now();
    let mut call = lane.submit(
        request_limits(now, now + PATIENCE, PATIENCE, Unit::command(Form::Decoded)),
        |out: &mut BytesMut| {
            out.extend_from_slice(PING);
        },
    );
    assert!(reply(&mut call).is_pending());
    call
}

fn reply(call: &mut (impl Future<Output = Result<Received, Failure>> + Unpin)) -> Poll<String> {
    let polled = Pin::new(call).poll(&mut Context::from_waker(Waker::noop()));
    polled.map(|outcome| outcome.expect("a reply").into_reply().as_str().expect("text").to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_lone_caller_is_written_at_once() {
    let (lane, mut peer) = ByHand::new();
    for round in 1..=3 {
        let woken = peer.wakes();
        let mut call = submit(&lane);
        assert_eq!(peer.wakes(), woken + 1, "the call wakes the driver");
        assert!(!peer.turn(), "one turn is enough");
        assert_eq!(peer.writes(), round, "written whole, in that turn");
        peer.answer(1).await;
        peer.turn();
        assert_eq!(peer.reads(), round);
        assert_eq!(reply(&mut call), Poll::Ready("PONG".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn callers_of_one_turn_share_one_write_and_one_read() {
    let (lane, mut peer) = ByHand::new();
    for round in 1..=3 {
        let woken = peer.wakes();
        let mut calls: Vec<_> = (0..CALLERS).map(|_| submit(&lane)).collect();
        assert_eq!(peer.wakes(), woken + 1, "only the first call wakes the driver");
        while peer.turn() {}
        assert_eq!(peer.writes(), round);
        peer.answer(CALLERS).await;
        peer.turn();
        assert_eq!(peer.reads(), round);
        for call in &mut calls {
            assert_eq!(reply(call), Poll::Ready("PONG".to_owned()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_ready_one_turn_later_joins_the_write() {
    let (lane, mut peer) = ByHand::new();
    let _early = [submit(&lane), submit(&lane)];
    assert!(peer.turn(), "the driver lets others go first");
    assert_eq!(peer.writes(), 0);
    let _late = submit(&lane);
    while peer.turn() {}
    assert_eq!(peer.writes(), 1);
    peer.answer(3).await;
}
