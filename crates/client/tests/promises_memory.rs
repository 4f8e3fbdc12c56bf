//! What a hostile server can make this process hold for one reply is bounded, by limits that hold across all nesting.

#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "measure/process.rs"]
mod process;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use process::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use truename::resp::{Decoder, Frame, Limits};
use truename::{Client, Config, Error, Reply, cmd};

const SECOND: Duration = Duration::from_secs(1);
/// Where the other process finds the server.
const PORT: &str = "TRUENAME_TEST_PORT";
/// The address space of the other process in KiB, which an endless reply without a budget fills within seconds.
const ADDRESS_SPACE: u64 = 700 * 1024;

/// 160 MB of values at most, and 64 MiB of text.
fn limits() -> Limits {
    Limits::default().with_values(1_000_000).with_bytes(32 << 20)
}

/// Floods that were begun, and those that went on until the client hung up.
#[derive(Default)]
struct Floods {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// A standalone server, for all it says. Every key is the beginning of an endless reply, `slow` of one of 5 MB/s.
async fn server(floods: Arc<Floods>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, floods.clone()));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, floods: Arc<Floods>) {
    let (mut decoder, mut inbound) = (Decoder::new(Limits::default()), BytesMut::new());
    while let Ok(1..) = stream.read_buf(&mut inbound).await {
        while let Ok(Some(Frame::Reply(command))) = decoder.decode(&mut inbound) {
            let word =
                |at: usize| command.as_array().and_then(|words| words.get(at)?.as_str()).unwrap_or_default();
            let answer: &[u8] = match (word(0), word(1)) {
                ("HELLO", _) => b"%1\r\n+mode\r\n+standalone\r\n",
                ("CLIENT", "INFO") => b"+id=1\r\n",
                ("CLIENT", _) => b"+OK\r\n",
                ("CLUSTER", _) => b"-ERR This instance has cluster support disabled\r\n",
                ("PING", _) => b"+PONG\r\n",
                ("GET", key) => {
                    floods.begun.fetch_add(1, Ordering::Relaxed);
                    flood(&mut stream, key == "slow").await;
                    floods.ended.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                _ => b":0\r\n",
            };
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// `*4096` of `*4096` of integers, for as long as somebody reads.
async fn flood(stream: &mut TcpStream, is_slow: bool) {
    let piece = format!("*4096\r\n{}", ":1\r\n".repeat(4096));
    let mut sent = stream.write_all(b"*4096\r\n*4096\r\n*4096\r\n").await;
    while sent.is_ok() {
        if is_slow {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        sent = stream.write_all(piece.as_bytes()).await;
    }
}

/// 14 MB/s of nested arrays took 160 MB/s, past the deadline of the call, until the process was aborted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_replies_do_not_exhaust_an_address_space() {
    let floods = Arc::new(Floods::default());
    let port = server(floods.clone()).await.port();
    let prelude = format!("ulimit -v {ADDRESS_SPACE};");
    let child = Role::start("role_a_client_in_a_small_address_space", &prelude, &[(PORT, port.to_string())]);
    child.passed(60 * SECOND).await;
    let (begun, ended) = (floods.begun.load(Ordering::Relaxed), floods.ended.load(Ordering::Relaxed));
    assert!(begun >= 4, "{begun} floods");
    // Each had its connection closed; the last one, at the latest, with the process.
    assert!(ended + 1 >= begun, "{ended} of {begun} floods ended");
}

/// The other process. Whatever it allocates in vain aborts it.
#[tokio::test]
#[ignore = "a role of another test"]
async fn role_a_client_in_a_small_address_space() {
    let port = std::env::var(PORT).expect("the server's port").parse().expect("a port");
    assert!(limits().memory() < (ADDRESS_SPACE as usize) << 9, "the bound itself must fit, twice");
    let config = Config::new().plaintext().seed("127.0.0.1", port).reply_limits(limits());
    let client = Client::connect(&config.command_timeout(10 * SECOND)).await.expect("connected");
    let started = Instant::now();
    let mut refused = 0;
    while started.elapsed() < 2 * SECOND || refused < 3 {
        let error = client.execute::<Reply>(cmd("GET").arg("fast")).await.expect_err("endless");
        assert!(matches!(error, Error::Protocol(_)), "{error}");
        assert!(error.to_string().contains("values in total"), "{error}");
        refused += 1;
        client.execute::<()>(cmd("PING")).await.expect("alive, on another connection");
    }
    // What comes slowly enough to stay within every budget for minutes ends with its deadline.
    let config = Config::new().plaintext().seed("127.0.0.1", port).stall_timeout(SECOND);
    let client = Client::connect(&config.command_timeout(SECOND)).await.expect("connected");
    client.execute::<Reply>(cmd("GET").arg("slow")).await.expect_err("endless");
    let deadline = Instant::now() + 8 * SECOND;
    while client.execute::<()>(cmd("PING")).await.is_err() {
        assert!(Instant::now() < deadline, "the connection is not given up");
    }
}
