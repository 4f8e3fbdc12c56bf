//! What the tasks of a connection are told: when it is accepted, and while it is open.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::rewrite::Rewriter;
use super::{Cut, Direction, Ending};

/// The ways to a connection's task.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) requests: mpsc::UnboundedSender<Order>,
    pub(super) replies: mpsc::UnboundedSender<Order>,
    pub(super) end: mpsc::UnboundedSender<Ending>,
}

impl Handle {
    pub(super) fn order(&self, direction: Direction, order: Order) {
        let orders = match direction {
            Direction::Requests => &self.requests,
            Direction::Replies => &self.replies,
        };
        // A connection that has ended needs no orders.
        let _ = orders.send(order);
    }
}

/// What was decided when the connection was accepted.
pub(super) struct Admission {
    pub(super) cut: Option<Cut>,
    pub(super) rewriter: Option<Rewriter>,
}

/// Something to do between two portions.
#[derive(Debug)]
pub(super) enum Order {
    Cut(Cut),
    Inject(Bytes),
    /// Nothing is read for this long.
    Hold(Duration),
    /// A FIN to the receiver; what still comes is not read.
    HalfClose,
}
