//! How many of something may be in use at a time, and the waiting line for it: first come, first served.
//!
//! The next in line may be a future that is not polled for a long time, such as one in a `buffered` stream whose
//! consumer awaits something else. So a place is not reserved before it is taken. One that is free for [`OFFER_TIME`]
//! while others wait is open to the first that is polled, and those that did not take it go to the end of the line.
//!
//! Invariant: while a place is free and a future waits, one was woken for it, and an alarm is set.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::clock::{self, Reminder, Watched};
use crate::panics;

/// How long a place is kept for the next in line.
const OFFER_TIME: Duration = Duration::from_millis(50);

/// A number of places.
pub(super) struct Room(Mutex<State>);

struct State {
    free: usize,
    /// The waiting futures, each with a number of its own, in the order in which they came.
    waiting: VecDeque<(u64, Waker)>,
    came: u64,
    /// When the time of those that were woken for a free place is over.
    offer: Option<Reminder>,
    /// It is over.
    is_open: bool,
}

impl Room {
    pub(super) fn new(places: usize) -> Arc<Self> {
        let (waiting, came, offer, is_open) = (VecDeque::new(), 0, None, false);
        Arc::new(Self(Mutex::new(State { free: places, waiting, came, offer, is_open })))
    }

    /// Waits for a place. Cancel safe: a future that leaves the line loses its turn and does not block the others.
    pub(super) fn enter(self: &Arc<Self>) -> Entering {
        Entering { room: self.clone(), number: None }
    }

    /// Something changed: wakes the next in line.
    fn offer(self: &Arc<Self>, state: &mut State) -> Vec<Waker> {
        if state.free == 0 || state.waiting.is_empty() {
            (state.offer, state.is_open) = (None, false);
            return Vec::new();
        }
        if state.offer.is_none() {
            let this: Weak<Self> = Arc::downgrade(self);
            state.offer = Some(clock::look_at(Instant::now() + OFFER_TIME, this));
        }
        state.waiting.iter().take(state.free).map(|(_, waker)| waker.clone()).collect()
    }
}

impl State {
    fn is_next(&self, number: Option<u64>) -> bool {
        if self.is_open {
            return self.free > 0;
        }
        match number {
            Some(number) => self.waiting.iter().take(self.free).any(|(other, _)| *other == number),
            None => self.waiting.len() < self.free,
        }
    }

    /// What it returns must be dropped after the lock is released: the waker may be a task's last reference, and its
    /// future may wait here, too.
    #[must_use]
    fn leave(&mut self, number: Option<u64>) -> Option<(u64, Waker)> {
        let place = self.waiting.iter().position(|(other, _)| Some(*other) == number)?;
        self.waiting.remove(place)
    }
}

impl Watched for Room {
    fn look(self: Arc<Self>, _: Duration) {
        let mut state = self.0.lock();
        state.offer = None;
        if state.free == 0 || state.waiting.is_empty() {
            return;
        }
        let sleepers = state.free.min(state.waiting.len());
        state.waiting.rotate_left(sleepers);
        state.is_open = true;
        let wake: Vec<Waker> = state.waiting.iter().map(|(_, waker)| waker.clone()).collect();
        drop(state);
        panics::wake_all(wake);
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("free", &self.0.lock().free).finish_non_exhaustive()
    }
}

/// Waits in line.
#[derive(Debug)]
pub(super) struct Entering {
    room: Arc<Room>,
    number: Option<u64>,
}

impl Future for Entering {
    type Output = Place;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Place> {
        let this = &mut *self;
        let waker = cx.waker().clone();
        let mut state = this.room.0.lock();
        if state.is_next(this.number) {
            let left = state.leave(this.number.take());
            state.free -= 1;
            let wake = this.room.offer(&mut state);
            drop(state);
            drop(left);
            panics::wake_all(wake);
            return Poll::Ready(Place(this.room.clone()));
        }
        let replaced =
            match this.number.and_then(|number| state.waiting.iter().position(|(other, _)| *other == number))
            {
                Some(place) => Some(std::mem::replace(&mut state.waiting[place].1, waker)),
                None => {
                    state.came += 1;
                    this.number = Some(state.came);
                    let number = state.came;
                    state.waiting.push_back((number, waker));
                    None
                }
            };
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Entering {
    fn drop(&mut self) {
        if self.number.is_none() {
            return;
        }
        let mut state = self.room.0.lock();
        let left = state.leave(self.number.take());
        let wake = self.room.offer(&mut state);
        drop(state);
        drop(left);
        panics::wake_all(wake);
    }
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Room>);

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.free += 1;
        let wake = self.0.offer(&mut state);
        drop(state);
        panics::wake_all(wake);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn first_come_first_served_and_who_leaves_makes_way() {
        let room = Room::new(1);
        let place = room.enter().await;
        let [mut first, mut second, mut third] = [(); 3].map(|()| room.enter());
        for waits in [&mut first, &mut second, &mut third] {
            assert!(waits.now_or_never().is_none());
        }
        drop(place);
        assert!((&mut second).now_or_never().is_none(), "the first one is next");
        assert!(room.enter().now_or_never().is_none(), "nobody jumps the queue");
        drop(first);
        let place = (&mut second).now_or_never().expect("its turn");
        assert!((&mut third).now_or_never().is_none(), "there is one place");
        drop(place);
        drop((&mut third).now_or_never().expect("its turn"));
        assert_eq!(room.0.lock().free, 1);
        assert!(room.0.lock().waiting.is_empty() && room.0.lock().offer.is_none());
    }

    #[tokio::test]
    async fn a_place_that_nobody_takes_up_passes_on() {
        clock::start().expect("a thread");
        let room = Room::new(2);
        let (one, other) = (room.enter().await, room.enter().await);
        let mut sleepers = [(); 3].map(|()| room.enter());
        sleepers.iter_mut().for_each(|sleeper| assert!(sleeper.now_or_never().is_none()));
        let awake: Vec<_> = (0..10)
            .map(|_| {
                let room = room.clone();
                tokio::spawn(async move { drop(room.enter().await) })
            })
            .collect();
        tokio::task::yield_now().await;
        drop((one, other));
        for entered in awake {
            tokio::time::timeout(OFFER_TIME * 20, entered).await.expect("in time").expect("no panic");
        }
        for sleeper in sleepers {
            drop(tokio::time::timeout(OFFER_TIME * 20, sleeper).await.expect("when it is polled"));
        }
        assert_eq!(room.0.lock().free, 2);
        assert!(room.0.lock().waiting.is_empty() && !room.0.lock().is_open);
    }
}
