//! What the client noticed: a stream of events that can neither block it nor grow without bound.
//!
//! Events are broadcast over a ring of [`CAPACITY`] entries. A receiver that is slower than that gets the number of
//! events that it missed; nothing waits for it.

use std::sync::Arc;

use tokio::sync::broadcast;
use truename_topology::{Endpoint, Redirect, TopologyDiff};

use crate::connect::ConnectionFacts;
use crate::tls::Outdated;

/// How many events a receiver may lag before it misses some.
pub const CAPACITY: usize = 1024;
/// A certificate with fewer whole days left than this is worth an event.
pub const CERTIFICATE_NOTICE_DAYS: i64 = 30;

/// Something that the client noticed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A connection to a node is up; the facts say where it was dialled and which name the node proved.
    Connected {
        /// The node as announced.
        node: Endpoint,
        /// What was learnt.
        facts: Arc<ConnectionFacts>,
    },
    /// A connection ended or could not be made.
    Disconnected {
        /// The node as announced.
        node: Endpoint,
        /// Why.
        cause: String,
    },
    /// There is a new topology.
    TopologyChanged {
        /// What differs from the one before.
        diff: Arc<TopologyDiff>,
    },
    /// A node sent a command elsewhere.
    Redirected {
        /// The node that was asked.
        from: Endpoint,
        /// Where the command belongs.
        redirect: Redirect,
    },
    /// A node's certificate expires within [`CERTIFICATE_NOTICE_DAYS`].
    CertificateExpiring {
        /// The node as announced.
        node: Endpoint,
        /// Whole days that are left.
        days_left: i64,
    },
    /// Nodes reported different topologies; the text says which one was kept.
    Disagreement {
        /// What they disagree on.
        what: String,
    },
    /// The topology could not be refreshed; the old one stays current.
    RefreshFailed {
        /// Why.
        cause: String,
    },
    /// A certificate revocation list is past its next update: it still counts, and certificates that were revoked since
    /// are accepted. Reported once per list; [`Client::replace_tls`](crate::Client::replace_tls) takes a new one.
    RevocationListOutdated {
        /// The authority that issued the list.
        issuer: String,
        /// When the next one was due, in seconds since 1970-01-01 00:00 UTC.
        next_update: i64,
    },
    /// A node announces an invalid id, host name or zone. The node is used without it.
    MetadataIgnored {
        /// Which node, and what was ignored.
        what: String,
    },
}

impl From<Outdated> for Event {
    fn from(Outdated { issuer, next_update }: Outdated) -> Self {
        Self::RevocationListOutdated { issuer, next_update }
    }
}

/// A receiver of events. See [`Client::events`](crate::Client::events).
///
/// # Examples
/// ```no_run
/// # async fn example(client: truename::Client) {
/// use truename::{Event, Notice};
///
/// let mut events = client.events();
/// tokio::spawn(async move {
///     while let Some(notice) = events.next().await {
///         match notice {
///             Notice::Event(Event::Disconnected { node, cause }) => eprintln!("{node}: {cause}"),
///             Notice::Event(Event::TopologyChanged { diff }) => println!("{diff}"),
///             Notice::Event(Event::CertificateExpiring { node, days_left }) => {
///                 eprintln!("{node}: its certificate expires in {days_left} days");
///             }
///             // A receiver that only counts or logs should hardly ever be too slow.
///             Notice::Missed(count) => eprintln!("{count} events were missed"),
///             _ => {}
///         }
///     }
/// });
/// # }
/// ```
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
}

/// What a receiver gets.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// The next event.
    Event(Event),
    /// The receiver was too slow and missed this many events.
    Missed(u64),
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { receiver }
    }

    /// Waits for the next event. `None` once the last clone of the client was dropped; [`Client::close`](crate::Client::close)
    /// alone does not end the stream. See the [example](Events#examples).
    ///
    /// # Cancel safety
    /// Dropping the future loses no event: the next call returns it.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.receiver.recv().await {
            Ok(event) => Some(Notice::Event(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Notice::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
