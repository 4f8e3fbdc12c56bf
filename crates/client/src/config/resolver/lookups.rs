//! Lookups by the system's resolver, `getaddrinfo`, which blocks a thread and cannot be cancelled.
//!
//! One name is looked up once at a time: later callers share the answer, and a caller that gives up leaves the lookup
//! running. So a resolver that hangs holds as many threads as there are names, up to a bound, and not as many
//! as there are attempts.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

/// How many names of one client are looked up at a time. A tokio runtime has 512 threads for all blocking work.
const LOOKUPS: usize = 64;

/// Looks a host up; the port is filled in later.
type Ask = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;
/// The outcome of a lookup. Operating-system errors cannot be cloned.
type Answer = Result<Vec<SocketAddr>, (io::ErrorKind, String)>;
type InFlight = Mutex<HashMap<String, watch::Receiver<Option<Answer>>>>;

/// The lookups of one client.
pub(super) struct Lookups {
    in_flight: Arc<InFlight>,
    permits: Arc<Semaphore>,
    ask: Arc<Ask>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self::by(|host| Ok((host, 0).to_socket_addrs()?.collect()))
    }
}

impl Lookups {
    fn by(ask: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self { in_flight: Arc::default(), permits: Arc::new(Semaphore::new(LOOKUPS)), ask: Arc::new(ask) }
    }

    /// All addresses of a host. Must be called on a tokio runtime.
    pub(super) async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut answer = self.join(host);
        let answered = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        let found = answered.unwrap_or_else(|| {
            Err((io::ErrorKind::Interrupted, "the runtime of the lookup was shut down".to_owned()))
        });
        let mut addresses = found.map_err(|(kind, text)| io::Error::new(kind, text))?;
        addresses.iter_mut().for_each(|address| address.set_port(port));
        Ok(addresses)
    }

    /// The lookup of this host that is under way, or a new one.
    fn join(&self, host: &str) -> watch::Receiver<Option<Answer>> {
        let mut in_flight = self.in_flight.lock();
        if let Some(answer) = in_flight.get(host) {
            return answer.clone();
        }
        let (sender, answer) = watch::channel(None);
        in_flight.insert(host.to_owned(), answer.clone());
        drop(in_flight);
        let flight = Flight { in_flight: self.in_flight.clone(), host: host.to_owned() };
        let (permits, ask) = (self.permits.clone(), self.ask.clone());
        tokio::spawn(async move {
            let permit = permits.acquire_owned().await;
            let host = flight.host.clone();
            let asked = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                ask(&host)
            });
            let answer = match asked.await {
                Ok(answer) => answer.map_err(|error| (error.kind(), error.to_string())),
                Err(error) => Err((io::ErrorKind::Other, error.to_string())),
            };
            // Whoever asks from now on wants a new answer.
            drop(flight);
            sender.send_replace(Some(answer));
        });
        answer
    }
}

/// A lookup under way, which nobody may join any more once it has ended, however it ended.
struct Flight {
    in_flight: Arc<InFlight>,
    host: String,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&self.host);
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").field("in_flight", &self.in_flight.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use parking_lot::Condvar;

    use super::*;

    /// A resolver that answers nothing until it is told to.
    #[derive(Default)]
    struct Hanging {
        asked: AtomicUsize,
        answers: Mutex<bool>,
        changed: Condvar,
    }

    impl Hanging {
        fn lookups(self: &Arc<Self>) -> Lookups {
            let service = self.clone();
            Lookups::by(move |_| {
                service.asked.fetch_add(1, Ordering::SeqCst);
                let mut answers = service.answers.lock();
                while !*answers {
                    service.changed.wait(&mut answers);
                }
                Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
            })
        }

        fn answer(&self) {
            *self.answers.lock() = true;
            self.changed.notify_all();
        }

        async fn asked(&self, count: usize) {
            while self.asked.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn attempts_that_time_out_leave_one_lookup_and_the_next_shares_its_answer() {
        let service = Arc::<Hanging>::default();
        let lookups = service.lookups();
        for _ in 0..100 {
            let given_up = tokio::time::timeout(Duration::from_millis(1), lookups.lookup("a.test", 1)).await;
            assert!(given_up.is_err());
        }
        service.asked(1).await;
        let (first, second, ()) =
            tokio::join!(lookups.lookup("a.test", 7), lookups.lookup("a.test", 8), async {
                service.answer()
            });
        assert_eq!(first.expect("an address"), [SocketAddr::from(([127, 0, 0, 1], 7))]);
        assert_eq!(second.expect("an address"), [SocketAddr::from(([127, 0, 0, 1], 8))]);
        assert_eq!(service.asked.load(Ordering::SeqCst), 1);
        lookups.lookup("a.test", 7).await.expect("an address");
        assert_eq!(service.asked.load(Ordering::SeqCst), 2, "an old answer was given");
        assert!(lookups.in_flight.lock().is_empty());
    }

    #[tokio::test]
    async fn names_that_hang_hold_a_bounded_number_of_threads() {
        let service = Arc::<Hanging>::default();
        let lookups = service.lookups();
        let names: Vec<String> = (0..3 * LOOKUPS).map(|n| format!("{n}.test")).collect();
        let all = futures_util::future::join_all(names.iter().map(|name| lookups.lookup(name, 1)));
        let release = async {
            service.asked(LOOKUPS).await;
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            assert_eq!(service.asked.load(Ordering::SeqCst), LOOKUPS);
            service.answer();
        };
        let (found, ()) = tokio::join!(all, release);
        assert!(found.iter().all(Result::is_ok));
        assert_eq!(service.asked.load(Ordering::SeqCst), names.len());
    }

    #[test]
    fn a_lookup_ends_with_its_runtime_and_is_begun_anew_on_another() {
        let service = Arc::<Hanging>::default();
        let lookups = service.lookups();
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let first = runtime();
        first.block_on(async {
            let given_up = tokio::time::timeout(Duration::from_millis(1), lookups.lookup("a.test", 1)).await;
            assert!(given_up.is_err());
        });
        first.shutdown_background();
        service.answer();
        runtime().block_on(lookups.lookup("a.test", 1)).expect("an address");
    }
}
