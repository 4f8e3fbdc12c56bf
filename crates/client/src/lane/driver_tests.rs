//! The driver over an in-memory stream with a scripted node, in paused time: no server, no socket, no sleep.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, Join, ReadBuf, WriteHalf, duplex, join,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use truename_resp::{Decoder, Limits, Reply, encode};
use truename_topology::Endpoint;

use super::closed::CloseCause;
use super::driver::{Driver, DriverOptions};
use super::failure::Failure;
use super::handle::Lane;
use super::pipeline::{Habit, PipelineBounds};
use super::received::{Form, Received, Unit};
use super::submission::request_limits;
use crate::connect::Carrier;
use crate::observe::NodeMeter;

const STALL: Duration = Duration::from_secs(2);
/// For calls that set no time themselves.
const USUAL: Duration = Duration::from_secs(5);
const HABIT: Habit = Habit { stall: STALL, usual: USUAL };
const KEEPALIVE: Duration = Duration::from_secs(10);

/// A lane whose driver talks to the other end of an in-memory stream.
pub(super) struct Scripted {
    pub(super) lane: Arc<Lane>,
    pub(super) node: DuplexStream,
    pub(super) driver: JoinHandle<Arc<CloseCause>>,
}

fn scripted(capacity: usize) -> Scripted {
    let (client, node) = duplex(capacity);
    scripted_over(client, node)
}

/// The same over a stream of the test's own making.
pub(super) fn scripted_over<S>(client: S, node: DuplexStream) -> Scripted
where
    S: AsyncRead + AsyncWrite + Carrier + Unpin + Send + 'static,
{
    let (lane, shared) = Lane::new(PipelineBounds { commands: 1000, bytes: 1 << 20 }, HABIT);
    shared.enter_open(Instant::now());
    let options =
        DriverOptions { keepalive: KEEPALIVE, habit: HABIT, bears: true, limits: Limits::default() };
    let meter = Arc::new(NodeMeter::new(&Endpoint::new("scripted", 1)));
    let decoder = Decoder::new(Limits::default());
    let driver = Driver::new(client, shared.clone(), decoder, BytesMut::new(), options, meter);
    let driver = tokio::spawn(async move {
        let cause = Arc::new(driver.await);
        shared.enter_down(cause.clone());
        cause
    });
    Scripted { lane: Arc::new(lane), node, driver }
}

pub(super) fn call(lane: &Arc<Lane>, args: &[&[u8]]) -> JoinHandle<Result<Reply, Failure>> {
    call_within(lane, args, Duration::from_secs(60))
}

fn call_within(lane: &Arc<Lane>, args: &[&[u8]], timeout: Duration) -> JoinHandle<Result<Reply, Failure>> {
    let mut encoded = BytesMut::new();
    encode::put_command(&mut encoded, args.iter().copied());
    let lane = lane.clone();
    tokio::spawn(async move {
        let now = Instant::now();
        let limits = request_limits(now, now + timeout, STALL, Unit::command(Form::Decoded));
        lane.submit(limits, |out: &mut BytesMut| out.extend_from_slice(&encoded))
            .await
            .map(Received::into_reply)
    })
}

pub(super) async fn expect(node: &mut DuplexStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    node.read_exact(&mut read).await.expect("the client writes");
    assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(bytes));
}

#[tokio::test(start_paused = true)]
async fn a_reply_in_pieces_reaches_its_caller() {
    let mut peer = scripted(1024);
    let get = call(&peer.lane, &[b"GET", b"k"]);
    expect(&mut peer.node, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n").await;
    for byte in b"$5\r\nhello\r\n" {
        peer.node.write_all(&[*byte]).await.expect("written");
        tokio::task::yield_now().await;
    }
    let reply = get.await.expect("no panic").expect("a reply");
    assert_eq!(reply.as_str(), Some("hello"));
}

/// Waking a caller runs its executor's code. When that panicked, the connection ended, and the callers to be woken next had
/// a reply and never woke up.
#[tokio::test(start_paused = true)]
async fn a_caller_that_panics_when_it_is_woken_is_nobody_elses_trouble() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a test's own panic");
        }
    }
    let mut peer = scripted(1024);
    let now = Instant::now();
    let limits = request_limits(now, now + USUAL, STALL, Unit::command(Form::Decoded));
    let lane = peer.lane.clone();
    let mut first =
        pin!(lane.submit(limits, |out: &mut BytesMut| out.extend_from_slice(b"*1\r\n$4\r\nPING\r\n")));
    let waker = Waker::from(Arc::new(Panics));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let others: Vec<_> = (0..2).map(|_| call(&peer.lane, &[b"PING"])).collect();
    for _ in 0..3 {
        expect(&mut peer.node, b"*1\r\n$4\r\nPING\r\n").await;
    }
    peer.node.write_all(b"+1\r\n+2\r\n+3\r\n").await.expect("written");
    for (other, expected) in others.into_iter().zip(["2", "3"]) {
        let reply = tokio::time::timeout(USUAL, other).await.expect("it is woken");
        assert_eq!(reply.expect("no panic").expect("a reply").as_str(), Some(expected));
    }
    assert_eq!(first.await.expect("a reply").into_reply().as_str(), Some("1"));
    assert!(!peer.driver.is_finished());
}

/// The recorder of metrics is the user's code, too. When it panicked, callers that got a reply by the same read were
/// never woken.
#[cfg(feature = "metrics")]
#[tokio::test(start_paused = true)]
async fn a_recorder_that_panics_leaves_nobody_waiting() {
    struct PanicsAtTheSecond(std::sync::atomic::AtomicUsize);
    impl metrics::HistogramFn for PanicsAtTheSecond {
        fn record(&self, _: f64) {
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert_ne!(count, 1, "a test's own panic");
        }
    }
    struct Recorder(Arc<PanicsAtTheSecond>);
    impl metrics::Recorder for Recorder {
        fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
        fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
        fn describe_histogram(
            &self,
            _: metrics::KeyName,
            _: Option<metrics::Unit>,
            _: metrics::SharedString,
        ) {
        }
        fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
            metrics::Counter::noop()
        }
        fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
            metrics::Gauge::noop()
        }
        fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
            self.0.clone().into()
        }
    }
    let recorder = Recorder(Arc::new(PanicsAtTheSecond(0.into())));
    let mut peer = metrics::with_local_recorder(&recorder, || scripted(1024));
    let calls: Vec<_> = (0..2).map(|_| call(&peer.lane, &[b"PING"])).collect();
    for _ in 0..2 {
        expect(&mut peer.node, b"*1\r\n$4\r\nPING\r\n").await;
    }
    peer.node.write_all(b"+1\r\n+2\r\n").await.expect("written");
    for (call, expected) in calls.into_iter().zip(["1", "2"]) {
        let reply = tokio::time::timeout(USUAL, call).await.expect("it is woken");
        assert_eq!(reply.expect("no panic").expect("a reply").as_str(), Some(expected));
    }
    assert!(peer.driver.await.is_err(), "the panic ended the connection, which its task survives");
}

#[tokio::test(start_paused = true)]
async fn reading_goes_on_while_writing_is_blocked() {
    // Both directions hold 64 bytes, so that each side can go on only while the other one reads.
    let peer = scripted(64);
    let value = vec![b'v'; 10_000];
    let calls: Vec<_> = (0..20).map(|_| call(&peer.lane, &[b"ECHO", &value])).collect();
    let (mut from_client, mut to_client) = tokio::io::split(peer.node);
    let echo = tokio::spawn(async move {
        let header = b"*2\r\n$4\r\nECHO\r\n".len();
        let bulk = b"$10000\r\n".len() + 10_000 + 2;
        let mut command = vec![0; header + bulk];
        for _ in 0..20 {
            from_client.read_exact(&mut command).await.expect("the client writes");
            to_client.write_all(&command[header..]).await.expect("the client reads");
        }
        (from_client, to_client)
    });
    for call in calls {
        assert_eq!(call.await.expect("no panic").expect("a reply").as_bytes(), Some(&value[..]));
    }
    echo.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn silence_closes_and_what_was_sent_is_lost() {
    let started = Instant::now();
    let mut peer = scripted(1024);
    let first = call(&peer.lane, &[b"INCR", b"k"]);
    let second = call(&peer.lane, &[b"INCR", b"l"]);
    expect(&mut peer.node, b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n").await;
    assert!(matches!(first.await.expect("no panic"), Err(Failure::LostAtHead(_))));
    assert!(matches!(second.await.expect("no panic"), Err(Failure::Lost(_))), "it waited for the first one");
    assert!(matches!(*peer.driver.await.expect("no panic"), CloseCause::Stalled(STALL)));
    assert!(started.elapsed() >= STALL && started.elapsed() < STALL + Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn what_the_transport_did_not_take_whole_is_unsent() {
    // The transport takes 30 bytes: the first command whole, the second in part, the third not at all.
    let peer = scripted(30);
    let sent = call(&peer.lane, &[b"INCR", b"a"]);
    let partly = call(&peer.lane, &[b"INCR", b"b"]);
    let queued = call(&peer.lane, &[b"INCR", b"c"]);
    tokio::time::sleep(Duration::from_millis(10)).await;
    drop(peer.node);
    assert!(matches!(sent.await.expect("no panic"), Err(Failure::LostAtHead(_))));
    assert!(matches!(partly.await.expect("no panic"), Err(Failure::Unsent(_))));
    assert!(matches!(queued.await.expect("no panic"), Err(Failure::Unsent(_))));
}

/// Passes a part on, and then fails without a word of it: as TLS does, which sends record by record.
struct FailsHalfway(WriteHalf<DuplexStream>);

impl AsyncWrite for FailsHalfway {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.0).poll_write(cx, &buf[..buf.len() / 2]))?;
        assert!(sent > 0);
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<R, W> Carrier for Join<R, W> {
    fn endure(&self, _: Duration) {}

    fn holds_unread(&self) -> io::Result<bool> {
        Ok(false)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_write_may_have_sent_is_lost() {
    let (client, node) = duplex(1024);
    let (reader, writer) = tokio::io::split(client);
    let peer = scripted_over(join(reader, FailsHalfway(writer)), node);
    let first = call(&peer.lane, &[b"INCR", b"a"]);
    let second = call(&peer.lane, &[b"INCR", b"b"]);
    assert!(matches!(first.await.expect("no panic"), Err(Failure::LostAtHead(_))), "its bytes did leave");
    assert!(matches!(second.await.expect("no panic"), Err(Failure::Lost(_))), "nobody can tell");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_does_not_blame_the_server() {
    let mut peer = scripted(1024);
    let get = call(&peer.lane, &[b"GET", b"k"]);
    expect(&mut peer.node, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n").await;
    // All timers ring at once and late, as after SIGSTOP; the server had no chance to answer within time.
    tokio::time::advance(STALL * 3).await;
    tokio::time::sleep(STALL / 2).await;
    peer.node.write_all(b"+v\r\n").await.expect("still connected");
    assert_eq!(get.await.expect("no panic").expect("a reply").as_str(), Some("v"));
    // Silence while it runs counts as usual.
    let get = call(&peer.lane, &[b"GET", b"k"]);
    assert!(matches!(get.await.expect("no panic"), Err(Failure::LostAtHead(_))));
}

#[tokio::test(start_paused = true)]
async fn a_surprise_in_the_stream_closes_it() {
    for surprise in [&b"+OK\r\n"[..], b"HTTP/1.1 400 Bad Request\r\n", b"$-5\r\n"] {
        let mut peer = scripted(1024);
        peer.node.write_all(surprise).await.expect("written");
        let cause = peer.driver.await.expect("no panic");
        assert!(matches!(*cause, CloseCause::Protocol(_)), "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_completes_nothing() {
    let mut peer = scripted(1024);
    let get = call(&peer.lane, &[b"GET", b"k"]);
    expect(&mut peer.node, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n").await;
    peer.node.write_all(b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n:7\r\n").await.expect("written");
    assert_eq!(get.await.expect("no panic").expect("a reply").as_integer(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_asked_for_a_sign_of_life() {
    let started = Instant::now();
    let mut peer = scripted(1024);
    expect(&mut peer.node, b"*1\r\n$4\r\nPING\r\n").await;
    assert_eq!(started.elapsed().as_secs(), KEEPALIVE.as_secs());
    peer.node.write_all(b"+PONG\r\n").await.expect("written");
    expect(&mut peer.node, b"*1\r\n$4\r\nPING\r\n").await;
    // This one is not answered.
    let cause = peer.driver.await.expect("no panic");
    assert!(matches!(*cause, CloseCause::Stalled(STALL)), "{cause}");
    assert!(started.elapsed() < KEEPALIVE * 2 + STALL * 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_does_not_shift_the_replies() {
    let mut peer = scripted(1024);
    let dropped = call(&peer.lane, &[b"GET", b"a"]);
    let kept = call(&peer.lane, &[b"GET", b"b"]);
    expect(&mut peer.node, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n").await;
    dropped.abort();
    assert!(dropped.await.expect_err("aborted").is_cancelled());
    peer.node.write_all(b"$1\r\nA\r\n$1\r\nB\r\n").await.expect("written");
    assert_eq!(kept.await.expect("no panic").expect("a reply").as_str(), Some("B"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_made_anew_first_gets_what_it_was_asked_for() {
    let mut peer = scripted(1024);
    let before = call(&peer.lane, &[b"GET", b"a"]);
    expect(&mut peer.node, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n").await;
    peer.lane.renew();
    let after = call(&peer.lane, &[b"GET", b"b"]);
    tokio::time::sleep(STALL / 2).await;
    assert!(!peer.driver.is_finished(), "a reply is outstanding");
    peer.node.write_all(b"$1\r\nA\r\n").await.expect("written");
    assert_eq!(before.await.expect("no panic").expect("a reply").as_str(), Some("A"));
    assert!(matches!(*peer.driver.await.expect("no panic"), CloseCause::Renewed));
    // The lane's task keeps it for the next connection; here it comes back as what it is.
    assert!(matches!(after.await.expect("no panic"), Err(Failure::Unsent(_))));
    let mut rest = Vec::new();
    peer.node.read_to_end(&mut rest).await.expect("closed");
    assert!(rest.is_empty(), "sent on the connection that was about to be closed");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_made_anew_at_once() {
    let peer = scripted(1024);
    tokio::task::yield_now().await;
    peer.lane.renew();
    assert!(matches!(*peer.driver.await.expect("no panic"), CloseCause::Renewed));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_drips_past_its_deadline_ends_the_connection() {
    let started = Instant::now();
    let mut peer = scripted(1024);
    let get = call_within(&peer.lane, &[b"GET", b"k"], Duration::from_secs(1));
    expect(&mut peer.node, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n").await;
    peer.node.write_all(b"$1000000\r\n").await.expect("written");
    while peer.node.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(started.elapsed() < Duration::from_secs(60), "it drips for ever");
    }
    assert!(matches!(get.await.expect("no panic"), Err(Failure::TimedOut { submitted: true })));
    let cause = peer.driver.await.expect("no panic");
    assert!(matches!(*cause, CloseCause::Overdue(_)), "{cause}");
    assert!(started.elapsed() < USUAL + STALL + Duration::from_secs(1), "{:?}", started.elapsed());
}

/// Takes everything it is given, always has a push to read, and runs something at one of the reads.
struct Chatty<F> {
    reads: usize,
    at_read: F,
}

impl<F: FnMut(usize) + Unpin> AsyncRead for Chatty<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        let reads = self.reads;
        (self.at_read)(reads);
        buf.put_slice(b">1\r\n+chatter\r\n");
        Poll::Ready(Ok(()))
    }
}

impl<F: Unpin> AsyncWrite for Chatty<F> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<F> Carrier for Chatty<F> {
    fn endure(&self, _: Duration) {}

    fn holds_unread(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// What the last round before a pause wrote was noted at the next round only, and there is none after a drop.
#[tokio::test(start_paused = true)]
async fn what_was_written_right_before_the_driver_is_dropped_is_lost_not_unsent() {
    for round in 1..=super::driver::ROUNDS_PER_POLL {
        let (lane, shared) = Lane::new(PipelineBounds { commands: 1000, bytes: 1 << 20 }, HABIT);
        shared.enter_open(Instant::now());
        let now = Instant::now();
        let limits = request_limits(now, now + USUAL, STALL, Unit::command(Form::Decoded));
        let mut incr = Box::pin(async move {
            lane.submit(limits, |out: &mut BytesMut| out.extend_from_slice(b"*1\r\n$4\r\nINCR\r\n")).await
        });
        let mut poll_incr = move || incr.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let options =
            DriverOptions { keepalive: KEEPALIVE, habit: HABIT, bears: true, limits: Limits::default() };
        let meter = Arc::new(NodeMeter::new(&Endpoint::new("scripted", 1)));
        let at_read = |reads| {
            if reads == round {
                assert!(poll_incr().is_pending());
            }
        };
        let stream = Chatty { reads: 0, at_read };
        let decoder = Decoder::new(Limits::default());
        let mut driver = Driver::new(stream, shared.clone(), decoder, BytesMut::new(), options, meter);
        assert!(Pin::new(&mut driver).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(driver);
        shared.enter_down(Arc::new(CloseCause::Abandoned));
        let Poll::Ready(Err(failure)) = poll_incr() else { panic!("it was failed") };
        assert!(matches!(failure, Failure::LostAtHead(_)), "round {round}: {failure:?}");
    }
}
