//! The listeners of a proxy, which disappear while connections are to be refused.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use super::shared::Shared;
use super::{Fault, connection};

/// Between attempts to listen again.
const RETRY: Duration = Duration::from_millis(20);

/// Accepts at one address until the task is aborted, which ends its connections too.
pub(super) async fn accept(address: SocketAddr, listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut fault = shared.fault.subscribe();
    let mut listener = Some(listener);
    loop {
        if *fault.borrow_and_update() == Fault::Refuse {
            listener = None;
            tokio::select! {
                _ = fault.changed() => {}
                Some(_) = connections.join_next() => {}
            }
            continue;
        }
        let Some(open) = &listener else {
            listener = listen_again(address).await;
            continue;
        };
        tokio::select! {
            _ = fault.changed() => {}
            accepted = open.accept() => match accepted {
                Ok((client, _)) => {
                    let admission = shared.admit();
                    connections.spawn(connection::run(client, Arc::clone(&shared), admission));
                }
                Err(error) => failed(&error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn listen_again(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            failed(&error).await;
            None
        }
    }
}

/// Out of file descriptors, or the peer gave up while queued: neither ends the proxy.
async fn failed(error: &io::Error) {
    tracing::debug!(%error, "accept failed");
    sleep(RETRY).await;
}
