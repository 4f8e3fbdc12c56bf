//! Peers that are no Redis server: silent, talking nonsense, hanging up. Plain sockets play them.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use support::{AUTHORITY, run, words};
use tokio::task::JoinSet;

/// The deadline that is given is 1.5 s; the rest is for starting processes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(5);

/// A listener that treats every connection in the same way, until it is dropped.
struct Peer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Keeps the connections that `treat` gives back, so that they stay open.
    fn new(treat: impl Fn(TcpStream) -> Option<TcpStream> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                kept.extend(treat(stream));
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    fn silent() -> Self {
        Self::new(Some)
    }

    /// Answers the first bytes with this text.
    fn saying(text: &'static str) -> Self {
        Self::new(move |mut stream| {
            let mut asked = [0; 1024];
            stream.read(&mut asked).ok().filter(|&read| read > 0)?;
            stream.write_all(text.as_bytes()).ok()?;
            Some(stream)
        })
    }

    fn hanging_up() -> Self {
        Self::new(|stream| {
            let _ = stream.shutdown(Shutdown::Both);
            None
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener; it may be gone already.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const HTTP: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn strange_peers_are_explained_within_the_deadline() {
    // A server that is full says this much and no more.
    let refusal = "-ERR no\r\n";
    let tls = format!("--cacert {AUTHORITY}");
    let rows: [(Peer, &str, u8, &[&str]); 7] = [
        (Peer::saying(HTTP), "--plain", 40, &["hello", "does not speak RESP", "check the port"]),
        (Peer::silent(), "--plain", 13, &["hello", "no answer in time", "frozen"]),
        (Peer::hanging_up(), "--plain", 14, &["hello", "closed the connection", "check that"]),
        (Peer::saying(refusal), "--plain", 41, &["hello", "refused the handshake: ERR no"]),
        (Peer::saying(HTTP), &tls, 22, &["tls", "something that is not TLS"]),
        (Peer::silent(), &tls, 13, &["tls", "no answer in time", "TLS port"]),
        (Peer::hanging_up(), &tls, 14, &["tls", "closed the connection", "check that"]),
    ];
    // All at once, because most of them only wait.
    let mut runs = JoinSet::new();
    for (peer, options, code, parts) in &rows {
        for command in ["ping", "doctor"] {
            let (address, code, parts) = (peer.address.to_string(), *code, parts.to_vec());
            let line = words(&[command, &address, options, "--connect-timeout 1500ms"]);
            runs.spawn(async move {
                run(&line, None).await.ends_with(code).says(&parts).says(&[&address]).within(DEADLINE);
            });
        }
    }
    runs.join_all().await;
}
