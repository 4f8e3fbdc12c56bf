//! Live connections and whether they are still trusted: how a change of the TLS options reaches what was accepted before.
//!
//! Every driven connection of a TLS client is listed with what its peer presented. When the options change, all of them
//! are judged by the new ones, and the drivers of those that fail end before they read or write another octet. A
//! connection that was being made meanwhile is listed first and judged after that: one of the two sees it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::facts::ConnectionFacts;
use super::lane::Shared;
use super::target::Target;
use crate::error::Cause;

/// Whether one connection is still trusted; it never is again once it was not.
#[derive(Debug, Default)]
pub(crate) struct Trust(OnceLock<Cause>);

impl Trust {
    /// Why the connection must not be used any more.
    pub(super) fn withdrawn(&self) -> Option<&Cause> {
        self.0.get()
    }
}

/// The connections that are driven now.
#[derive(Debug, Default)]
pub(crate) struct LiveConnections {
    listed: Mutex<Listed>,
}

#[derive(Debug, Default)]
struct Listed {
    next: u64,
    connections: HashMap<u64, Live>,
}

/// A connection with what it takes to judge and to end it.
#[derive(Debug, Clone)]
struct Live {
    trust: Arc<Trust>,
    lane: Arc<Shared>,
    target: Arc<Target>,
    facts: Arc<ConnectionFacts>,
}

impl LiveConnections {
    /// Lists a connection until what is returned is dropped.
    pub(super) fn list(
        &self,
        lane: &Arc<Shared>,
        target: &Arc<Target>,
        facts: &Arc<ConnectionFacts>,
    ) -> ListedConnection<'_> {
        let trust = Arc::new(Trust::default());
        let live =
            Live { trust: trust.clone(), lane: lane.clone(), target: target.clone(), facts: facts.clone() };
        let mut listed = self.listed.lock();
        let id = listed.next;
        listed.next += 1;
        listed.connections.insert(id, live);
        ListedConnection { all: self, id, trust }
    }

    /// Ends all connections for which `refuses` returns a cause.
    pub(super) fn judge(&self, refuses: impl Fn(&Target, &ConnectionFacts) -> Option<Cause>) {
        let all: Vec<Live> = self.listed.lock().connections.values().cloned().collect();
        for live in all {
            if let Some(cause) = refuses(&live.target, &live.facts) {
                // Before the driver is woken: it looks when it runs.
                let _ = live.trust.0.set(cause);
                live.lane.wake_task();
            }
        }
    }
}

/// A connection's entry among the live ones.
#[derive(Debug)]
pub(super) struct ListedConnection<'a> {
    all: &'a LiveConnections,
    id: u64,
    pub(super) trust: Arc<Trust>,
}

impl Drop for ListedConnection<'_> {
    fn drop(&mut self) {
        self.all.listed.lock().connections.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::time::Duration;

    use bytes::BytesMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, timeout};
    use truename_resp::{Decoder, Limits};
    use truename_topology::Endpoint;

    use super::*;
    use crate::connection::closed::CloseCause;
    use crate::connection::driver::{Driver, DriverOptions};
    use crate::connection::lane::{Lane, terms};
    use crate::connection::pipeline::{Habit, Room};
    use crate::connection::waiter::Failure;
    use crate::observe::NodeMeter;

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    const SECOND: Duration = Duration::from_secs(1);

    /// What the peer had answered by then is discarded, and what was to be written is not sent.
    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_trust_is_withdrawn_reads_and_writes_no_more() {
        let habit = Habit { stall: 2 * SECOND, usual: 5 * SECOND };
        let (lane, shared) = Lane::new(Room { commands: 10, bytes: 1 << 20 }, habit);
        shared.enter_open(Instant::now());
        let target = Arc::new(Target::seed(&Endpoint::new("scripted", 1)));
        let all = LiveConnections::default();
        let listed = all.list(&shared, &target, &Arc::default());
        let (client, mut node) = duplex(1024);
        let options = DriverOptions { keepalive: 10 * SECOND, habit, bears: true, limits: Limits::default() };
        let meter = Arc::new(NodeMeter::new(&target.node.endpoint));
        let decoder = Decoder::new(Limits::default());
        let driver = Driver::new(client, shared.clone(), decoder, BytesMut::new(), options, meter);
        let driver = tokio::spawn(driver.trusting(listed.trust.clone()));
        let terms = || terms(Instant::now(), Instant::now() + 60 * SECOND, 2 * SECOND, 0);
        let ping = |out: &mut BytesMut| out.extend_from_slice(PING);

        let mut sent = lane.submit(terms(), ping);
        assert!(timeout(SECOND / 10, &mut sent).await.is_err());
        node.read_exact(&mut [0; PING.len()]).await.expect("written");
        all.judge(|_, _| None);
        assert!(timeout(SECOND / 10, &mut sent).await.is_err(), "others' connections live on");

        // All of this before the driver runs again.
        node.write_all(b"+PONG\r\n").await.expect("read");
        let mut unsent = lane.submit(terms(), ping);
        let polled =
            std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut unsent).poll(cx)));
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
        assert!(all.listed.lock().connections.is_empty());
    }
}
