//! `MONITOR`: a node's own account of what it executes, on a connection that nothing else uses.
//!
//! What must stay true: the connection belongs to a task of the client's runtime, which reads no further than its reader has
//! come, so that a slow reader costs no memory here; it ends with its reader, with the client, and when the TLS options
//! that are current then refuse what the node presented.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use truename_resp::Reply;
use truename_topology::Endpoint;

use super::attempts::Attempts;
use super::state::Router;
use crate::clock;
use crate::cluster::{Cluster, Node};
use crate::command::Route;
use crate::connect::{Connected, Explain, Target, WireError};
use crate::error::{Error, Execution, RouteError};

/// A command of the user's own, not one that every client sends.
const MONITOR: &[u8] = b"MONITOR";
/// Lines that are read ahead of the reader; what follows waits in the system's buffers and then at the node.
const READ_AHEAD: usize = 64;
/// How often a silent connection is looked at: the TLS options may have been replaced.
const LOOK: Duration = Duration::from_secs(1);

/// What comes of monitoring: lines, and why there are no more.
pub(crate) type Lines = mpsc::Receiver<Result<String, Error>>;

impl Router {
    /// Has a node tell what it executes, from now on. Ends within the time of an ordinary command.
    pub(crate) async fn monitor(&self, endpoint: &Endpoint) -> Result<Lines, Error> {
        let started = Instant::now();
        let _under_way = self.begin_call(None).await?;
        let (timeout, _) = self.times(None, None);
        let deadline = started + timeout;
        let Some(node) = self.cluster.node_soon(endpoint, deadline).await else {
            return Err(Error::Route(Box::new(RouteError::NoSuchNode { node: endpoint.clone() })));
        };
        let (begin, begun) = oneshot::channel();
        let monitored = Monitored { cluster: self.cluster.clone(), node, started, timeout };
        self.cluster.spawn(monitored.run(begin));
        match clock::timeout_at(deadline, begun).await {
            Some(Ok(begun)) => begun,
            // Its task has gone with the runtime.
            Some(Err(_)) => Err(Error::Closed),
            None => Err(Attempts::new(started, timeout, Route::NamedNode).timed_out(false)),
        }
    }
}

/// A node that is to be monitored.
struct Monitored {
    cluster: Arc<Cluster>,
    node: Arc<Node>,
    started: Instant,
    timeout: Duration,
}

impl Monitored {
    /// Begins, says how that went, and goes on until something ends it.
    async fn run(self, begin: oneshot::Sender<Result<Lines, Error>>) {
        let connected = match self.begin().await {
            Ok(connected) => connected,
            Err(error) => {
                let _ = begin.send(Err(error));
                return;
            }
        };
        let (sender, lines) = mpsc::channel(READ_AHEAD);
        if begin.send(Ok(lines)).is_err() {
            return;
        }
        let Self { cluster, node, .. } = self;
        // What a client leaves behind must not keep it alive.
        let (mut closing, connector) = (cluster.closing(), cluster.connector());
        drop(cluster);
        let refused = |facts: &_| connector.refuses(node.target(), facts);
        let Connected { mut wire, facts } = connected;
        let mut closed = pin!(closing.wait_for(|is_closed| *is_closed));
        let ended = loop {
            let line = tokio::select! {
                biased;
                _ = &mut closed => break Error::Closed,
                () = sender.closed() => return,
                line = tokio::time::timeout(LOOK, wire.reply()) => line,
            };
            if let Some(cause) = refused(&facts) {
                break ended(&node, &cause.to_string());
            }
            let line = match line {
                Err(_) => continue,
                // Servers escape whatever is not printable ASCII.
                Ok(Ok(Reply::Simple(line))) => String::from_utf8_lossy(&line).into_owned(),
                Ok(Ok(_)) => break ended(&node, "the node said something other than a line"),
                Ok(Err(error)) => break ended(&node, &said(error)),
            };
            tokio::select! {
                biased;
                _ = &mut closed => break Error::Closed,
                sent = sender.send(Ok(line)) => if sent.is_err() { return },
            }
        };
        let _ = sender.send(Err(ended)).await;
    }

    async fn begin(&self) -> Result<Connected, Error> {
        let (target, deadline): (&Target, _) = (self.node.target(), self.started + self.timeout);
        let connector = self.cluster.connector();
        let known = self.node.source().known;
        let connecting = connector.connect(target, &known, Explain::Briefly, false, deadline);
        let mut connected =
            connecting.await.map_err(|failures| Error::connect(failures, self.started.elapsed()))?;
        if let Some(cause) = connector.refuses(target, &connected.facts) {
            return Err(ended(&self.node, &cause.to_string()));
        }
        connected.wire.limit_replies(self.cluster.reply_limits());
        let attempts = Attempts::new(self.started, self.timeout, Route::NamedNode);
        match tokio::time::timeout_at(deadline, connected.wire.round_trip(&[MONITOR])).await {
            Ok(Ok(Reply::Error(error))) => Err(attempts.answer(error, Execution::Refused, &self.node)),
            Ok(Ok(_)) => Ok(connected),
            Ok(Err(error)) => Err(ended(&self.node, &said(error))),
            Err(_) => Err(attempts.timed_out(true)),
        }
    }
}

fn ended(node: &Node, cause: &str) -> Error {
    let node = node.endpoint().clone();
    Error::Route(Box::new(RouteError::MonitorEnded { node, cause: cause.to_owned() }))
}

/// Why a connection gave no line.
fn said(error: WireError) -> String {
    crate::connect::handshake_cause(error).1.to_string()
}
