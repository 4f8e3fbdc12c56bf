//! The elements of one hash, set or sorted set, as a stream.
//!
//! Their cursors, too, hold for the process that gave them. A value that fits into one reply needs no cursor, and no question
//! about processes either. For any other, all replies have to come from one process: it is asked who it is before the first
//! one and after the last one, on calls that go to one node and follow no redirect. If it is another one, or the slot has
//! moved, all elements are read again from there.

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
use truename_topology::{Endpoint, Slot};

use super::ask::process;
use super::witness::Process;
use crate::api::client::Client;
use crate::clock;
use crate::command::{Command, cmd};
use crate::error::{Error, InterruptedError};
use crate::from_reply::FromReply;

/// As for keys: a thousand keep a server busy for less than a millisecond.
const COUNT: u32 = 1000;
/// How often all elements are read again from the beginning.
const MOST_RESTARTS: u32 = 16;
/// The first and the longest pause before that.
const REST: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A scan of one hash, set or sorted set. Made by [`Client::hscan`], [`Client::sscan`] and [`Client::zscan`];
/// [`elements`](Self::elements) starts it. See the [example](Client::hscan).
#[must_use = "nothing is sent before the elements are polled"]
#[derive(Clone)]
pub struct ElementScan<T> {
    client: Client,
    wanted: Wanted,
    element: std::marker::PhantomData<fn() -> T>,
}

/// What is asked for.
#[derive(Clone)]
struct Wanted {
    command: &'static str,
    key: Bytes,
    pattern: Option<Bytes>,
    count: u32,
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
    /// that does not exist has no fields.
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
        Self { client: client.clone(), wanted, element: std::marker::PhantomData }
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

    /// Starts the scan. Nothing is sent before the stream is polled. See the [example](Client::hscan).
    pub fn elements(self) -> Elements<T> {
        let place = Place { client: self.client, wanted: Arc::new(self.wanted), restarts: 0 };
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

#[derive(Clone)]
struct Place {
    client: Client,
    wanted: Arc<Wanted>,
    restarts: u32,
}

/// What comes next.
#[derive(Clone)]
enum State {
    /// Perhaps all fits into one reply.
    First,
    /// Find the node, and ask who it is.
    Begin,
    Read(Run),
    /// See whether all replies came from one process.
    Check(Run),
    /// From the beginning.
    Again(Option<Error>),
    Over,
}

/// A process whose cursors are followed.
#[derive(Clone)]
struct Run {
    node: Endpoint,
    process: Option<Process>,
    cursor: u64,
}

impl Wanted {
    fn command(&self, cursor: u64) -> Command<'_> {
        let mut scan = cmd(self.command).arg(&self.key[..]).arg(cursor);
        if let Some(pattern) = &self.pattern {
            scan = scan.arg("MATCH").arg(&pattern[..]);
        }
        scan.arg("COUNT").arg(self.count)
    }
}

impl Place {
    async fn advance<T: FromReply>(self, state: State) -> Result<(Vec<T>, State), Error> {
        let Self { client, wanted, restarts } = &self;
        match state {
            State::First => {
                let (next, page) = client.execute::<(u64, Vec<T>)>(wanted.command(0)).await?;
                // What it says of the others means nothing to another process.
                Ok(if next == 0 { (page, State::Over) } else { (Vec::new(), State::Begin) })
            }
            State::Begin => {
                let slot = Slot::of_key(&wanted.key);
                let Some(node) = client.topology().primary(slot).map(|node| node.endpoint.clone()) else {
                    return Ok((Vec::new(), State::Again(None)));
                };
                Ok((
                    Vec::new(),
                    match process(client, &node).await {
                        Ok(process) => State::Read(Run { node, process, cursor: 0 }),
                        Err(error) => again(error)?,
                    },
                ))
            }
            State::Read(run) => {
                let scan = wanted.command(run.cursor).route_to(&run.node);
                match client.execute::<(u64, Vec<T>)>(scan).await {
                    Ok((0, page)) => Ok((page, State::Check(run))),
                    Ok((cursor, page)) => Ok((page, State::Read(Run { cursor, ..run }))),
                    Err(error) => Ok((Vec::new(), again(error)?)),
                }
            }
            State::Check(run) => Ok((
                Vec::new(),
                match process(client, &run.node).await {
                    Ok(process) if process.is_some() && process == run.process => State::Over,
                    Ok(_) => {
                        let why = "its elements did not all come from one process of the node";
                        let slot = Some(Slot::of_key(&wanted.key));
                        let error = InterruptedError::new(run.node, slot, why.to_owned(), restarts + 1);
                        State::Again(Some(Error::Interrupted(Box::new(error))))
                    }
                    Err(error) => again(error)?,
                },
            )),
            State::Again(Some(error)) if *restarts >= MOST_RESTARTS => Err(error),
            State::Again(_) => {
                client.router().cluster().hints.refresh();
                let rest = REST.1.min(REST.0 * (1 << (*restarts).min(10)));
                clock::sleep_until(Instant::now() + rest).await;
                // Without an owner, an ordinary call says so.
                let is_owned = client.topology().primary(Slot::of_key(&wanted.key)).is_some();
                Ok((Vec::new(), if is_owned { State::Begin } else { State::First }))
            }
            State::Over => Ok((Vec::new(), State::Over)),
        }
    }
}

/// Whether another node, or the same one later, may do better.
fn again(error: Error) -> Result<State, Error> {
    let may_pass = match &error {
        Error::Server(answer) => {
            error.is_retryable()
                || matches!(answer.reply.code(), "MOVED" | "ASK" | "BUSY" | "LOADING" | "MASTERDOWN")
        }
        Error::Connect(_) | Error::Route(_) | Error::Interrupted(_) | Error::Timeout(_) => true,
        _ => false,
    };
    if may_pass { Ok(State::Again(Some(error))) } else { Err(error) }
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
                    self.place.restarts += u32::from(matches!(state, State::Again(_)));
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
