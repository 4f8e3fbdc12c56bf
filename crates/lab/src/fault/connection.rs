//! One connection through a proxy, and how it ends.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::orders::{Admission, Handle, Order};
use super::pump::{Flow, Pump};
use super::replies::ReplyTracker;
use super::shared::Shared;
use super::traffic::OpenConnection;
use super::{Direction, Ending, Fault};

/// How long a server may take to execute and answer what it was sent, once nobody listens any more.
const DRAIN: Duration = Duration::from_secs(1);

/// Forwards one connection until it ends.
pub(super) async fn run(client: TcpStream, shared: Arc<Shared>, admission: Admission) {
    let _open = OpenConnection::count(&shared.counters);
    let (requests, request_orders) = mpsc::unbounded_channel();
    let (replies, reply_orders) = mpsc::unbounded_channel();
    let (end, ends) = mpsc::unbounded_channel();
    let _registered = shared.register(Handle { requests, replies, end });
    let mut fault = shared.fault.subscribe();
    if *fault.borrow() == Fault::Reset {
        return reset(client);
    }
    // A black hole has no server behind it.
    let _ = fault.wait_for(|fault| *fault != Fault::Blackhole).await;
    let target = shared.target();
    let Ok(server) = TcpStream::connect(target).await else {
        tracing::debug!(%target, "the server does not accept");
        // As near to a refusal as a proxy gets.
        return reset(client);
    };
    for stream in [&client, &server] {
        // Only latency is lost without it.
        let _ = stream.set_nodelay(true);
    }
    forward(client, server, shared.clone(), admission, (request_orders, reply_orders, ends)).await;
}

type Orders =
    (mpsc::UnboundedReceiver<Order>, mpsc::UnboundedReceiver<Order>, mpsc::UnboundedReceiver<Ending>);

async fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    shared: Arc<Shared>,
    admission: Admission,
    orders: Orders,
) {
    let (request_orders, reply_orders, mut ends) = orders;
    let cut = |direction| admission.cut.filter(|cut| cut.direction() == direction);
    let ending = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let requests = Pump {
            direction: Direction::Requests,
            shared: shared.clone(),
            reader: from_client,
            writer: to_server,
            orders: request_orders,
            fault: shared.fault.subscribe(),
            cut: cut(Direction::Requests),
            rewriter: None,
            tracker: None,
        };
        let replies = Pump {
            direction: Direction::Replies,
            shared: shared.clone(),
            reader: from_server,
            writer: to_client,
            orders: reply_orders,
            fault: shared.fault.subscribe(),
            cut: cut(Direction::Replies),
            rewriter: admission.rewriter,
            tracker: Some(ReplyTracker::new()),
        };
        both(requests, replies, &mut ends).await
    };
    match ending {
        Ending::Reset => reset(client),
        Ending::Close | Ending::Silence => drop(client),
    }
    drain(server).await;
}

/// Runs both directions until they or the connection end.
async fn both(requests: Pump<'_>, replies: Pump<'_>, ends: &mut mpsc::UnboundedReceiver<Ending>) -> Ending {
    let (mut requests, mut replies) = (pin!(requests.run()), pin!(replies.run()));
    let (mut requests_flow, mut replies_flow) = (true, true);
    while requests_flow || replies_flow {
        let flow = tokio::select! {
            biased;
            Some(ending) = ends.recv() => return ending,
            flow = &mut requests, if requests_flow => {
                requests_flow = false;
                flow
            }
            flow = &mut replies, if replies_flow => {
                replies_flow = false;
                flow
            }
        };
        if let Flow::Cut(ending) = flow {
            return ending;
        }
    }
    Ending::Close
}

/// Ends a connection with an RST.
fn reset(stream: TcpStream) {
    // Lingering for no time at all is how a socket is told to reset.
    if let Err(error) = SockRef::from(&stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "the connection is closed, not reset");
    }
}

/// Lets the server finish: closing with unread replies would reset the connection, and the server might drop requests
/// that it has not read.
async fn drain(mut server: TcpStream) {
    let finish = async {
        server.shutdown().await?;
        tokio::io::copy(&mut server, &mut tokio::io::sink()).await
    };
    let _ = timeout(DRAIN, finish).await;
}
