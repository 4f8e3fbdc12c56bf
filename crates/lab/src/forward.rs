//! The front door: a plain TCP forwarder, as a load balancer or NAT gateway in front of a managed cluster.
//!
//! Bytes pass unchanged, so TLS is end to end. Each connection goes to the first target that accepts; targets can be
//! changed at any time and connections that exist stay with theirs.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::accepting::accept_each;

/// A listening forwarder; dropping it closes the listener and every connection through it.
#[derive(Debug)]
pub struct Forwarder {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    targets: Mutex<Vec<SocketAddr>>,
    accepted: AtomicU64,
    open: AtomicU64,
}

impl Forwarder {
    /// Listens on `address` and forwards to the first of `targets` that accepts. Must be called within a tokio
    /// runtime, and works as long as that runtime does.
    ///
    /// # Errors
    /// When `address` cannot be bound.
    pub async fn listen(address: SocketAddr, targets: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            targets: Mutex::new(targets),
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
        });
        let for_clients = Arc::clone(&shared);
        let accepting = accept_each(listener, move |client| {
            for_clients.accepted.fetch_add(1, Ordering::Relaxed);
            forward(client, Arc::clone(&for_clients))
        });
        Ok(Self { shared, address, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends connections made from now on to these targets, the first that accepts.
    pub fn retarget(&self, targets: Vec<SocketAddr>) {
        *self.shared.targets.lock().unwrap_or_else(PoisonError::into_inner) = targets;
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut client: TcpStream, shared: Arc<Shared>) {
    let _open = OpenConnection::count(&shared);
    let targets = shared.targets.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(mut server) = connect_first(&targets).await else {
        tracing::debug!(?targets, "no target accepts");
        return;
    };
    for stream in [&client, &server] {
        // Only latency is lost without it.
        let _ = stream.set_nodelay(true);
    }
    // How a connection ends is between the client and the server; there is nothing to report here.
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

async fn connect_first(targets: &[SocketAddr]) -> Option<TcpStream> {
    for target in targets {
        if let Ok(stream) = TcpStream::connect(target).await {
            return Some(stream);
        }
    }
    None
}

/// Counts a connection for as long as it lives, even when its task is aborted.
struct OpenConnection<'a>(&'a AtomicU64);

impl<'a> OpenConnection<'a> {
    fn count(shared: &'a Shared) -> Self {
        shared.open.fetch_add(1, Ordering::Relaxed);
        Self(&shared.open)
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    /// A server that greets every connection with one letter and then echoes.
    async fn greeter(letter: u8) -> SocketAddr {
        let listener = TcpListener::bind(ANY).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    stream.write_all(&[letter]).await.unwrap();
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    async fn refusing() -> SocketAddr {
        TcpListener::bind(ANY).await.unwrap().local_addr().unwrap()
    }

    async fn greeted(stream: &mut TcpStream) -> u8 {
        stream.read_u8().await.unwrap()
    }

    #[tokio::test]
    async fn connections_stay_with_their_target_and_new_ones_follow_the_retarget() {
        let (a, b) = (greeter(b'a').await, greeter(b'b').await);
        let door = Forwarder::listen(ANY, vec![refusing().await, a]).await.unwrap();
        let mut first = TcpStream::connect(door.address()).await.unwrap();
        assert_eq!(greeted(&mut first).await, b'a');
        door.retarget(vec![b]);
        let mut second = TcpStream::connect(door.address()).await.unwrap();
        assert_eq!(greeted(&mut second).await, b'b');
        first.write_all(b"x").await.unwrap();
        assert_eq!(first.read_u8().await.unwrap(), b'x');
        assert_eq!((door.accepted(), door.open()), (2, 2));
    }

    #[tokio::test]
    async fn dropping_the_door_closes_its_connections() {
        let door = Forwarder::listen(ANY, vec![greeter(b'a').await]).await.unwrap();
        let mut client = TcpStream::connect(door.address()).await.unwrap();
        assert_eq!(greeted(&mut client).await, b'a');
        drop(door);
        assert!(matches!(client.read(&mut [0]).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn without_a_living_target_the_client_sees_a_closed_connection() {
        let door = Forwarder::listen(ANY, vec![refusing().await]).await.unwrap();
        let mut client = TcpStream::connect(door.address()).await.unwrap();
        assert!(matches!(client.read(&mut [0]).await, Ok(0) | Err(_)));
    }
}
