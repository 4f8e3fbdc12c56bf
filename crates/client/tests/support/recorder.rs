//! A listener that keeps every byte it is sent and never answers: for addresses that must not be dialled with credentials.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A listener on loopback, until it is dropped.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    connections: usize,
    bytes: Vec<u8>,
}

impl Recorder {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = heard.clone();
        let task = tokio::spawn(async move {
            let mut kept = tokio::task::JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                shared.lock().expect("no panic").connections += 1;
                let shared = shared.clone();
                kept.spawn(async move {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                        shared.lock().expect("no panic").bytes.extend_from_slice(&bytes[..read]);
                    }
                });
            }
        });
        Self { address, heard, task }
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.heard.lock().expect("no panic").connections
    }

    /// Everything that was sent, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().expect("no panic").bytes).into_owned()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}
