//! A peer that answers each command with bytes that a test chose: for what no real server does.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use truename_resp::{Decoder, Frame, Limits};

/// What a peer says to a command; `None` ends the connection.
pub(crate) type Answer = dyn Fn(&[String]) -> Option<String> + Send + Sync;

/// The answer, which a test may replace.
type Script = Arc<Mutex<Arc<Answer>>>;
/// The commands that arrived, and when.
type Heard = Arc<Mutex<Vec<(Instant, Vec<String>)>>>;

/// A listener on loopback, until it is dropped.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    answer: Script,
    heard: Heard,
    _tasks: JoinSet<()>,
}

impl Scripted {
    /// Listens at `address`; port 0 takes a free one.
    pub(crate) async fn listen(
        address: &str,
        answer: impl Fn(&[String]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port of loopback");
        let answer: Script = Arc::new(Mutex::new(Arc::new(answer)));
        let heard = Heard::default();
        let mut tasks = JoinSet::new();
        let (address, scripts, log) = (listener.local_addr().expect("bound"), answer.clone(), heard.clone());
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, scripts.clone(), log.clone()));
            }
        });
        Self { address, answer, heard, _tasks: tasks }
    }

    /// Answers otherwise from now on.
    pub(crate) fn becomes(&self, answer: impl Fn(&[String]) -> Option<String> + Send + Sync + 'static) {
        *self.answer.lock() = Arc::new(answer);
    }

    /// When commands of this name arrived.
    pub(crate) fn times(&self, name: &str) -> Vec<Instant> {
        let heard = self.heard.lock();
        heard.iter().filter(|(_, words)| words[0].eq_ignore_ascii_case(name)).map(|(at, _)| *at).collect()
    }
}

async fn serve(mut stream: TcpStream, answer: Script, heard: Heard) {
    let mut decoder = Decoder::new(Limits::default());
    let mut inbound = BytesMut::new();
    loop {
        while let Ok(Some(Frame::Reply(command))) = decoder.decode(&mut inbound) {
            let words: Vec<String> = command
                .as_array()
                .unwrap_or_default()
                .iter()
                .map(|word| String::from_utf8_lossy(word.as_bytes().unwrap_or_default()).into_owned())
                .collect();
            heard.lock().push((Instant::now(), words.clone()));
            let script = answer.lock().clone();
            let Some(said) = script(&words) else { return };
            if stream.write_all(said.as_bytes()).await.is_err() {
                return;
            }
        }
        if !matches!(stream.read_buf(&mut inbound).await, Ok(1..)) {
            return;
        }
    }
}

/// A bulk string on the wire.
pub(crate) fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// What a node of a cluster says: `id` to `CLUSTER MYID`, `slots` to `CLUSTER SLOTS`, an echo of the key to `GET`.
pub(crate) fn node(words: &[String], id: &str, slots: &str) -> String {
    let name = words[0].to_ascii_uppercase();
    let second = words.get(1).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    match (name.as_str(), second.as_str()) {
        ("HELLO", _) => "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n".to_owned(),
        ("CLUSTER", "MYID") => bulk(id),
        ("CLUSTER", "SLOTS") => slots.to_owned(),
        ("CLIENT", "INFO") => bulk("id=7 addr=127.0.0.1:5 user=default"),
        ("GET", _) => bulk(&words[1]),
        ("CLUSTER", _) => format!("-ERR unknown subcommand '{second}'\r\n"),
        ("PING", _) => "+PONG\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    }
}

/// A `CLUSTER SLOTS` reply: ranges with the address and id of their primary.
pub(crate) fn slots(ranges: &[(u16, u16, SocketAddr, &str)]) -> String {
    let mut text = format!("*{}\r\n", ranges.len());
    for (first, last, at, id) in ranges {
        let host = bulk(&at.ip().to_string());
        text += &format!("*3\r\n:{first}\r\n:{last}\r\n*3\r\n{host}:{}\r\n{}", at.port(), bulk(id));
    }
    text
}
