//! Peers that are not Redis servers: silent, talking nonsense, hanging up. Plain sockets play them.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::peers::peer;
use crate::support::{AUTHORITY, run, words};
use tokio::task::JoinSet;

/// The deadline that is given is 1.5 s; the rest is for starting processes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(5);

fn silent() -> SocketAddr {
    peer(|mut stream| stay(&mut stream))
}

/// Answers the first bytes with this text.
fn saying(text: &'static str) -> SocketAddr {
    peer(move |mut stream| {
        let asked = stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0);
        if asked && stream.write_all(text.as_bytes()).is_ok() {
            stay(&mut stream);
        }
    })
}

fn hanging_up() -> SocketAddr {
    peer(drop)
}

/// Keeps the connection until the client is gone.
fn stay(stream: &mut TcpStream) {
    let _ = io::copy(stream, &mut io::sink());
}

const HTTP: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn strange_peers_are_explained_within_the_deadline() {
    // A server that is full says this much and no more.
    let refusal = "-ERR no\r\n";
    let tls = format!("--cacert {AUTHORITY}");
    let rows: [(SocketAddr, &str, u8, &[&str]); 7] = [
        (saying(HTTP), "--plain", 40, &["hello", "does not speak RESP", "check the port"]),
        (silent(), "--plain", 13, &["hello", "no answer in time", "frozen"]),
        (hanging_up(), "--plain", 14, &["hello", "closed the connection", "check that"]),
        (saying(refusal), "--plain", 41, &["hello", "refused the handshake: ERR no"]),
        (saying(HTTP), &tls, 22, &["tls", "something that is not TLS"]),
        (silent(), &tls, 13, &["tls", "no answer in time", "TLS port"]),
        (hanging_up(), &tls, 14, &["tls", "closed the connection", "check that"]),
    ];
    // All at once, because most of them only wait.
    let mut runs = JoinSet::new();
    for (peer, options, code, parts) in &rows {
        for command in ["ping", "doctor"] {
            let (address, code, parts) = (peer.to_string(), *code, parts.to_vec());
            let line = words(&[command, &address, options, "--connect-timeout 1500ms"]);
            runs.spawn(async move {
                run(&line, None).await.ends_with(code).says(&parts).says(&[&address]).within(DEADLINE);
            });
        }
    }
    runs.join_all().await;
}
