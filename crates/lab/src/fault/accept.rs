//! The listeners of a proxy, which disappear while connections are to be refused or not to be answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use super::shared::Shared;
use super::{Fault, connection};
use crate::silent::Silent;

/// Between attempts to listen again.
const RETRY: Duration = Duration::from_millis(20);

/// Accepts at one address until the task is aborted, which ends its connections too.
pub(super) async fn accept(address: SocketAddr, listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut fault = shared.fault.subscribe();
    let mut listener = Some(listener);
    loop {
        let present = *fault.borrow_and_update();
        if matches!(present, Fault::Refuse | Fault::Unanswered) {
            drop(listener.take());
            let _silent = match present {
                Fault::Unanswered => silence(address).await,
                _ => None,
            };
            until_changed(&mut fault, &mut connections).await;
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

/// Whatever is set to happen goes on until something else is set.
async fn until_changed(fault: &mut watch::Receiver<Fault>, connections: &mut JoinSet<()>) {
    loop {
        tokio::select! {
            _ = fault.changed() => return,
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Without an answer at `address`; where that cannot be had, who connects is refused.
async fn silence(address: SocketAddr) -> Option<Silent> {
    match Silent::listen(address).await {
        Ok(silent) => Some(silent),
        Err(error) => {
            tracing::warn!(%error, %address, "connections are refused, not left without an answer");
            None
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
