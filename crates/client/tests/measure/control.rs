//! What the machine itself costs: two threads of their own that exchange a byte over loopback, at the same pace as the calls.
//! Where even they are late, it says nothing about the client that its calls are.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Runs until it is dropped.
pub(crate) struct Control {
    latencies: Arc<Mutex<Vec<Duration>>>,
    /// Closing it ends both threads.
    socket: TcpStream,
}

impl Control {
    /// Two round trips per interval, as a write and a read are.
    #[expect(clippy::disallowed_methods, reason = "the pace of the calls is what it is to have")]
    pub(crate) fn start(interval: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut near = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (mut far, _) = listener.accept().expect("accepted");
        near.set_nodelay(true).expect("a socket");
        far.set_nodelay(true).expect("a socket");
        let socket = near.try_clone().expect("a handle");
        let latencies = Arc::new(Mutex::new(Vec::new()));
        thread::spawn(move || {
            let mut byte = [0];
            while far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)).is_ok() {}
        });
        let log = latencies.clone();
        thread::spawn(move || {
            let (mut byte, mut due) = ([0], Instant::now());
            loop {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                for _ in 0..2 {
                    if near.write_all(&byte).and_then(|()| near.read_exact(&mut byte)).is_err() {
                        return;
                    }
                }
                log.lock().push(due.elapsed());
                due += interval;
            }
        });
        Self { latencies, socket }
    }

    /// The 99th percentile since the last time.
    pub(crate) fn lap(&self) -> Duration {
        let mut latencies = std::mem::take(&mut *self.latencies.lock());
        latencies.sort_unstable();
        latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The peer may have ended already.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}
