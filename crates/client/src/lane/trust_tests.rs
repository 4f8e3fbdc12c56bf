//! A driver whose connection is trusted no more.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, timeout};
use truename_resp::{Decoder, Limits};
use truename_topology::Endpoint;

use super::closed::CloseCause;
use super::driver::{Driver, DriverOptions};
use super::failure::Failure;
use super::handle::Lane;
use super::pipeline::{Habit, PipelineBounds};
use super::received::{Form, Unit};
use super::submission::request_limits;
use crate::connect::{LiveConnections, Target};
use crate::error::Cause;
use crate::observe::NodeMeter;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// What the peer had answered by then is discarded, and what was to be written is not sent.
#[tokio::test(start_paused = true)]
async fn a_connection_whose_trust_is_withdrawn_reads_and_writes_no_more() {
    let habit = Habit { stall: 2 * SECOND, usual: 5 * SECOND };
    let (lane, shared) = Lane::new(PipelineBounds { commands: 10, bytes: 1 << 20 }, habit);
    shared.enter_open(Instant::now());
    let target = Arc::new(Target::seed(&Endpoint::new("scripted", 1)));
    let all = LiveConnections::default();
    let listed = all.list(shared.clone(), &target, &Arc::default());
    let (client, mut node) = duplex(1024);
    let options = DriverOptions { keepalive: 10 * SECOND, habit, bears: true, limits: Limits::default() };
    let meter = Arc::new(NodeMeter::new(&target.node.endpoint));
    let decoder = Decoder::new(Limits::default());
    let driver = Driver::new(client, shared.clone(), decoder, BytesMut::new(), options, meter);
    let driver = tokio::spawn(driver.trusting(listed.trust.clone()));
    let limits = || {
        request_limits(Instant::now(), Instant::now() + 60 * SECOND, 2 * SECOND, Unit::command(Form::Decoded))
    };
    let ping = |out: &mut BytesMut| out.extend_from_slice(PING);

    let mut sent = lane.submit(limits(), ping);
    assert!(timeout(SECOND / 10, &mut sent).await.is_err());
    node.read_exact(&mut [0; PING.len()]).await.expect("written");
    all.judge(|_, _| None);
    assert!(timeout(SECOND / 10, &mut sent).await.is_err(), "others' connections live on");

    // All of this before the driver runs again.
    node.write_all(b"+PONG\r\n").await.expect("read");
    let mut unsent = lane.submit(limits(), ping);
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut unsent).poll(cx)));
    assert!(polled.await.is_pending());
    all.judge(|_, _| Some(Cause::CertificateRevoked));

    let cause = driver.await.expect("no panic");
    assert!(matches!(cause, CloseCause::TrustChanged(Cause::CertificateRevoked)), "{cause:?}");
    let mut rest = Vec::new();
    node.read_to_end(&mut rest).await.expect("closed");
    assert!(rest.is_empty(), "{rest:?}");
    shared.enter_down(Arc::new(cause));
    assert!(matches!(sent.await, Err(Failure::LostAtHead(_))));
    assert!(matches!(unsent.await, Err(Failure::Unsent(_))));
    drop(listed);
    assert!(all.is_empty());
}
