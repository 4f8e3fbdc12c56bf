//! What the client noticed: a stream of events that can neither block it nor grow without bound.
//!
//! Events are broadcast over a ring of [`CAPACITY`] entries. A receiver that is slower than that gets the number of
//! events that it missed; nothing waits for it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use truename_topology::{Disagreement, Dropped, Endpoint, Redirect, TopologyDiff};

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
    /// Nodes reported different topologies.
    Disagreement {
        /// What they disagree on, and what was kept. It calls views by their index.
        disagreement: Arc<Disagreement>,
        /// The same in words, with each view called by the node or seed that gave it.
        what: String,
    },
    /// There were more disagreements in one refresh than are reported one by one.
    MoreDisagreements {
        /// How many more.
        count: usize,
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
    /// A command took something for a caller that was gone by then, or may have: [`Config::on_orphan`](crate::Config::on_orphan)
    /// gets the reply.
    Orphaned {
        /// The node that had the command.
        node: Endpoint,
        /// The command's name.
        command: String,
        /// Whether there is a reply, and something in it. Otherwise the connection was lost, and nobody knows.
        is_certain: bool,
    },
    /// A node announces an invalid id, host name or zone. The node is used without it.
    MetadataIgnored {
        /// Which node, and what was ignored.
        dropped: Dropped,
    },
}

impl From<Outdated> for Event {
    fn from(Outdated { issuer, next_update }: Outdated) -> Self {
        Self::RevocationListOutdated { issuer, next_update }
    }
}

/// Sends events to whoever listens. Nothing waits for a listener.
#[derive(Debug, Clone)]
pub(crate) struct EventBus(broadcast::Sender<Event>);

impl EventBus {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    /// Sends an event, which is not even computed when nobody listens.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        self.emit_all(|| [event()]);
    }

    /// Sends several events, which are not even computed when nobody listens.
    pub(crate) fn emit_all<E: IntoIterator<Item = Event>>(&self, events: impl FnOnce() -> E) {
        if self.0.receiver_count() > 0 {
            for event in events() {
                // A send fails only when the last receiver left meanwhile.
                let _ = self.0.send(event);
            }
        }
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

/// A receiver of events: a [`Stream`]. See [`Client::events`](crate::Client::events).
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
pub struct Events(BroadcastStream<Event>);

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
    pub(crate) fn new(bus: &EventBus) -> Self {
        Self(BroadcastStream::new(bus.listen()))
    }

    /// Waits for the next event. `None` once the last clone of the client was dropped; [`Client::close`](crate::Client::close)
    /// alone does not end the stream. See the [example](Events#examples).
    ///
    /// # Cancel safety
    /// Dropping the future loses no event: the next call returns it.
    pub async fn next(&mut self) -> Option<Notice> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Notice;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notice>> {
        Pin::new(&mut self.0).poll_next(cx).map(|next| {
            next.map(|received| match received {
                Ok(event) => Notice::Event(event),
                Err(BroadcastStreamRecvError::Lagged(missed)) => Notice::Missed(missed),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(what: usize) -> Event {
        Event::RefreshFailed { cause: what.to_string() }
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_what_it_missed_and_a_stream_ends_with_the_bus() {
        let bus = EventBus::new();
        bus.emit(|| unreachable!("nobody listens"));
        let mut events = Events::new(&bus);
        bus.emit_all(|| (0..CAPACITY + 3).map(ignored));
        assert!(matches!(events.next().await, Some(Notice::Missed(3))));
        for n in 3..CAPACITY + 3 {
            match events.next().await {
                Some(Notice::Event(Event::RefreshFailed { cause })) => assert_eq!(cause, n.to_string()),
                other => panic!("{other:?}"),
            }
        }
        drop(bus);
        assert!(events.next().await.is_none());
    }
}
