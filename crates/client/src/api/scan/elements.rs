//! The elements of one hash, set or sorted set, as a stream: what users see of it. [`value`](super::value) says what it asks.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec::IntoIter;

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::Instant;

use super::value::{Place, State, Wanted};
use crate::api::client::Client;
use crate::error::Error;
use crate::from_reply::FromReply;

/// As for keys: a thousand keep a server busy for less than a millisecond.
const COUNT: u32 = 1000;
const PATIENCE: Duration = Duration::from_secs(60);

/// A scan of one hash, set or sorted set. Made by [`Client::hscan`], [`Client::sscan`] and [`Client::zscan`];
/// [`elements`](Self::elements) starts it. See the [example](Client::hscan).
#[must_use = "nothing is sent before the elements are polled"]
#[derive(Clone)]
pub struct ElementScan<T> {
    client: Client,
    wanted: Wanted,
    patience: Duration,
    element: std::marker::PhantomData<fn() -> T>,
}

/// Keys and patterns may be secrets.
impl<T> fmt::Debug for ElementScan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElementScan").field("command", &self.wanted.command).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins a scan of the fields and values of a hash (`HSCAN`).
    ///
    /// Every field that is there from the beginning to the end is returned at least once, whatever becomes of the node and
    /// the slot meanwhile; one that is there for a part of the time may be. A field may be returned several times. A key
    /// that does not exist has no fields. All is read from the primary, wherever the client reads otherwise
    /// ([`Config::read_from`](crate::Config::read_from)): a replica may lack what was there from the beginning.
    ///
    /// A value that does not fit into one reply takes more than `HSCAN`, since its cursor holds for one process alone: the
    /// node is asked who it is before and after (`INFO`, `CLUSTER NODES`), so the user must be allowed that, and so is every
    /// value where the client reads from replicas. What is wrong there is an error at once, with what to allow.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
    /// let mut fields = client.hscan("user:42").matching("address:*").elements();
    /// while let Some(field) = fields.next().await {
    ///     let (name, value) = field?;
    ///     println!("{} = {}", name.escape_ascii(), value.escape_ascii());
    /// }
    ///
    /// let mut members = client.sscan("online").count(100).elements();
    /// while let Some(member) = members.next().await {
    ///     println!("{}", member?.escape_ascii());
    /// }
    ///
    /// let mut scores = client.zscan("scores").elements();
    /// while let Some(scored) = scores.next().await {
    ///     let (member, score) = scored?;
    ///     println!("{}: {score}", member.escape_ascii());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn hscan(&self, key: impl AsRef<[u8]>) -> ElementScan<(Bytes, Bytes)> {
        ElementScan::new(self, "HSCAN", key.as_ref())
    }

    /// Begins a scan of the members of a set (`SSCAN`), as [`hscan`](Self::hscan) does for hashes. See its
    /// [example](Self::hscan).
    pub fn sscan(&self, key: impl AsRef<[u8]>) -> ElementScan<Bytes> {
        ElementScan::new(self, "SSCAN", key.as_ref())
    }

    /// Begins a scan of the members and scores of a sorted set (`ZSCAN`), as [`hscan`](Self::hscan) does for hashes. See its
    /// [example](Self::hscan).
    pub fn zscan(&self, key: impl AsRef<[u8]>) -> ElementScan<(Bytes, f64)> {
        ElementScan::new(self, "ZSCAN", key.as_ref())
    }
}

impl<T: FromReply + Send + 'static> ElementScan<T> {
    fn new(client: &Client, command: &'static str, key: &[u8]) -> Self {
        let wanted = Wanted { command, key: Bytes::copy_from_slice(key), pattern: None, count: COUNT };
        Self { client: client.clone(), wanted, patience: PATIENCE, element: std::marker::PhantomData }
    }

    /// Only elements that match this pattern (`MATCH`). See the [example](Client::hscan).
    pub fn matching(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.wanted.pattern = Some(Bytes::copy_from_slice(pattern.as_ref()));
        self
    }

    /// About how many elements the server looks at for a reply (`COUNT`); 1000 by default. See the
    /// [example](Client::hscan).
    pub fn count(mut self, elements: u32) -> Self {
        self.wanted.count = elements.max(1);
        self
    }

    /// How long it may take, from the first attempt that came to nothing on, until all elements came from one process that
    /// had the key all the time; a minute by default. A failover should fit into it.
    ///
    /// ```no_run
    /// # fn example(client: truename::Client) {
    /// let members = client.sscan("online").patience(std::time::Duration::from_secs(300)).elements();
    /// # }
    /// ```
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(crate::config::FOREVER);
        self
    }

    /// Starts the scan. Nothing is sent before the stream is polled. See the [example](Client::hscan).
    pub fn elements(self) -> Elements<T> {
        let place = Place::new(self.client, Arc::new(self.wanted), self.patience);
        Elements { place, state: State::First, page: Vec::new().into_iter(), step: None }
    }
}

/// The elements of a scan, as a [`Stream`]. Made by [`ElementScan::elements`].
///
/// One reply is kept at a time, and the next one asked for when all of it was taken. After an error the stream ends.
#[must_use = "streams do nothing unless they are polled"]
pub struct Elements<T> {
    place: Place,
    state: State,
    page: IntoIter<T>,
    step: Option<Step<T>>,
}

type Step<T> = Pin<Box<dyn Future<Output = Result<(Vec<T>, State), Error>> + Send>>;

/// Elements may be secrets.
impl<T> fmt::Debug for Elements<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements").field("command", &self.place.wanted.command).finish_non_exhaustive()
    }
}

impl<T: FromReply + Send + 'static> Elements<T> {
    /// Waits for the next element; `None` at the end, when every element that was there throughout was returned. See the
    /// [example](Client::hscan).
    ///
    /// # Errors
    /// As [`Client::execute`]: [`Error::Server`] where the key has a value of another type, for example. The stream then ends.
    ///
    /// # Cancel safety
    /// Dropping the future loses no element: the next call returns it.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        poll_fn(|cx| self.poll_element(cx)).await
    }

    fn poll_element(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        loop {
            if let Some(element) = self.page.next() {
                return Poll::Ready(Some(Ok(element)));
            }
            if matches!(self.state, State::Over) {
                return Poll::Ready(None);
            }
            let (place, state) = (&self.place, &self.state);
            let step = self.step.get_or_insert_with(|| Box::pin(place.clone().advance(state.clone())));
            let ended = ready!(step.as_mut().poll(cx));
            self.step = None;
            match ended {
                Ok((page, state)) => {
                    if matches!(state, State::Again(_)) {
                        self.place.failed(Instant::now());
                    }
                    self.page = page.into_iter();
                    self.state = state;
                }
                Err(error) => {
                    self.state = State::Over;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl<T> Unpin for Elements<T> {}

impl<T: FromReply + Send + 'static> Stream for Elements<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_element(cx)
    }
}
