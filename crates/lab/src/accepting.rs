//! Listening: a task for every connection, all of which end with the one that accepts them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// Between attempts: without descriptors every one of them fails at once.
pub(crate) const RETRY: std::time::Duration = std::time::Duration::from_millis(20);

/// Nothing of a lab listens where other machines could reach it.
pub(crate) fn on_loopback(address: SocketAddr) -> io::Result<()> {
    match address.ip().is_loopback() {
        true => Ok(()),
        false => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{address} is not a loopback address")))
        }
    }
}

/// Serves every connection in a task of its own. Aborting the result closes the listener and ends them all.
pub(crate) fn accept_each<C>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> C + Send + 'static,
) -> AbortHandle
where
    C: Future<Output = ()> + Send + 'static,
{
    let accepting = async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => {
                        connections.spawn(serve(client));
                    }
                    // Out of file descriptors, or the peer gave up while queued: neither ends the listener.
                    Err(error) => {
                        tracing::debug!(%error, "accept failed");
                        tokio::time::sleep(RETRY).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    };
    tokio::spawn(accepting).abort_handle()
}
