//! The handle of a fault proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::accept::accept;
use super::orders::Order;
use super::rewrite::{Announced, Rule};
use super::shared::Shared;
use super::traffic::Traffic;
use super::{Cut, Direction, Ending, Fault};

/// A TCP proxy in front of one server that does harm on demand; dropping it ends everything.
///
/// Whatever is asked for happens as soon as the proxy's tasks run, not before the call returns. Every order is for
/// either all connections that are open now or for those that are accepted later, as its name says.
///
/// ```
/// use truename_lab::{Cut, CutPoint, Ending, Fault, FaultProxy};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let proxy = FaultProxy::listen(&["127.0.0.1:0".parse().unwrap()], server.local_addr()?).await?;
/// proxy.set(Fault::Split { most: 3 });
/// proxy.cut_next(Cut::new(CutPoint::AfterReplies(4), Ending::Reset));
/// assert_eq!(proxy.traffic().accepted, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    accept_loops: Vec<AbortHandle>,
}

impl FaultProxy {
    /// Listens on all `addresses` and forwards to `target`. Needs a tokio runtime, and works as long as that does.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub async fn listen(addresses: &[SocketAddr], target: SocketAddr) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(target));
        let mut proxy = Self { shared, addresses: Vec::new(), accept_loops: Vec::new() };
        for address in addresses {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            let accepting = tokio::spawn(accept(address, listener, Arc::clone(&proxy.shared)));
            proxy.addresses.push(address);
            proxy.accept_loops.push(accepting.abort_handle());
        }
        Ok(proxy)
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Sends connections made from now on to another server.
    pub fn retarget(&self, target: SocketAddr) {
        self.shared.plan().target = target;
    }

    /// Applies a fault to all traffic, in place of the one before.
    pub fn set(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
        if fault == Fault::Reset {
            self.end_open(Ending::Reset);
        }
    }

    /// Ends the present fault.
    pub fn pass(&self) {
        self.set(Fault::Pass);
    }

    /// Ends all open connections. [`Ending::Silence`] makes them black holes, whatever is set later.
    pub fn end_open(&self, ending: Ending) {
        for handle in self.shared.handles() {
            if ending == Ending::Silence {
                for point in [super::CutPoint::Request(0), super::CutPoint::Reply(0)] {
                    let cut = Cut::new(point, ending);
                    handle.order(cut.direction(), Order::Cut(cut));
                }
            } else {
                let _ = handle.end.send(ending);
            }
        }
    }

    /// Sends a FIN in one direction of all open connections, and reads no more in that direction.
    pub fn half_close_open(&self, direction: Direction) {
        self.shared.handles().iter().for_each(|handle| handle.order(direction, Order::HalfClose));
    }

    /// Holds all open connections back for this long, and no other: a path that is slow for those who are on it. What
    /// they were sent goes on afterwards, even when the client has closed them meanwhile, unless it reset them.
    pub fn hold_open(&self, time: Duration) {
        for handle in self.shared.handles() {
            handle.order(Direction::Requests, Order::Hold(time));
            handle.order(Direction::Replies, Order::Hold(time));
        }
    }

    /// Cuts every open connection at a point that is counted from now on.
    pub fn cut_open(&self, cut: Cut) {
        for handle in self.shared.handles() {
            handle.order(cut.direction(), Order::Cut(cut));
        }
    }

    /// Cuts the next connection that is accepted. Called again before that, it is for the one after.
    pub fn cut_next(&self, cut: Cut) {
        self.shared.plan().next_cuts.push_back(cut);
    }

    /// Cuts every connection accepted from now on, except those of [`cut_next`](Self::cut_next); `None` ends that.
    pub fn cut_every(&self, cut: Option<Cut>) {
        self.shared.plan().every_cut = cut;
    }

    /// Puts bytes that the server never sent into the reply streams of all open connections.
    pub fn inject(&self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        for handle in self.shared.handles() {
            handle.order(Direction::Replies, Order::Inject(bytes.clone()));
        }
    }

    /// On connections accepted from now on, replaces every endpoint in `CLUSTER SLOTS`, `MOVED` and `ASK`. Plaintext
    /// only: over TLS nothing changes.
    pub fn rewrite(&self, rule: impl Fn(&Announced) -> Announced + Send + Sync + 'static) {
        self.shared.plan().rewrite = Some(Rule(Arc::new(rule)));
    }

    /// What has been counted so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.counters.snapshot()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // The connections live in a `JoinSet` of these tasks, so they end with them.
        self.accept_loops.iter().for_each(AbortHandle::abort);
    }
}
