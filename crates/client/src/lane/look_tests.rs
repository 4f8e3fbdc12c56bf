//! What the driver does with a connection of whose end the system knows and the runtime does not yet. No server, no socket.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

use super::closed::CloseCause;
use super::driver_tests::{Scripted, call, expect, scripted_over};
use super::failure::Failure;
use super::look::PAUSE;
use crate::connect::Carrier;

const INCR: &[u8] = b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n";

/// One end of a stream whose reader is told of nothing until the system was asked so often.
struct Late {
    stream: DuplexStream,
    told_after: u32,
    asked: Arc<AtomicU32>,
    error: Option<io::ErrorKind>,
}

impl AsyncRead for Late {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.asked.load(Ordering::Relaxed) < self.told_after {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Late {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Carrier for Late {
    fn endure(&self, _: Duration) {}

    fn holds_unread(&self) -> io::Result<bool> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.error.map_or(Ok(true), |kind| Err(kind.into()))
    }
}

/// A connection whose server has said its last word, and still sees what it is sent.
async fn ended(told_after: u32, error: Option<io::ErrorKind>) -> (Scripted, Arc<AtomicU32>) {
    let (stream, mut node) = duplex(1024);
    node.shutdown().await.expect("in memory");
    let asked = Arc::new(AtomicU32::new(0));
    let client = Late { stream, told_after, asked: asked.clone(), error };
    let peer = scripted_over(client, node);
    // The driver has had its first turn.
    tokio::task::yield_now().await;
    (peer, asked)
}

async fn assert_nothing_was_sent(mut peer: Scripted) -> Arc<CloseCause> {
    tokio::time::advance(2 * PAUSE).await;
    let failure = call(&peer.lane, &[b"INCR", b"k"]).await.expect("no panic").expect_err("the end");
    assert!(matches!(failure, Failure::Unsent(_)), "{failure:?}");
    let cause = peer.driver.await.expect("no panic");
    let mut sent = Vec::new();
    peer.node.read_to_end(&mut sent).await.expect("in memory");
    assert_eq!(sent, b"");
    cause
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_nothing_is_written_before_the_end_was_read() {
    for told_after in 1..=4 {
        let (peer, asked) = ended(told_after, None).await;
        let cause = assert_nothing_was_sent(peer).await;
        assert!(matches!(*cause, CloseCause::PeerClosed), "{cause}");
        assert_eq!(asked.load(Ordering::Relaxed), told_after);
    }
}

/// The system tells of it once.
#[tokio::test(start_paused = true)]
async fn an_error_that_the_look_found_ends_the_connection() {
    let (peer, _) = ended(u32::MAX, Some(io::ErrorKind::ConnectionReset)).await;
    let cause = assert_nothing_was_sent(peer).await;
    assert!(
        matches!(&*cause, CloseCause::Io(error) if error.kind() == io::ErrorKind::ConnectionReset),
        "{cause}"
    );
}

#[tokio::test(start_paused = true)]
async fn calls_in_a_row_do_without_a_look() {
    let (mut peer, asked) = ended(u32::MAX, None).await;
    let _incr = call(&peer.lane, &[b"INCR", b"k"]);
    expect(&mut peer.node, INCR).await;
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_never_tells_delays_nobody_for_long() {
    let (mut peer, asked) = ended(u32::MAX, None).await;
    tokio::time::advance(2 * PAUSE).await;
    let _first = call(&peer.lane, &[b"INCR", b"k"]);
    expect(&mut peer.node, INCR).await;
    let looks = asked.load(Ordering::Relaxed);
    assert!(looks > 0);
    let _second = call(&peer.lane, &[b"INCR", b"k"]);
    expect(&mut peer.node, INCR).await;
    assert_eq!(asked.load(Ordering::Relaxed), looks, "once per pause");
}
