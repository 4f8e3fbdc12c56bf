//! Every fault against a server that answers each line with `+` and that line.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::*;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// Long enough for anything on loopback, short enough for what must not happen.
const MOMENT: Duration = Duration::from_millis(100);

struct Site {
    proxy: FaultProxy,
    /// Lines that the server has read.
    executed: Arc<AtomicUsize>,
}

impl Site {
    async fn new() -> Self {
        let listener = TcpListener::bind(ANY).await.unwrap();
        let server = listener.local_addr().unwrap();
        let executed = Arc::new(AtomicUsize::new(0));
        let count = executed.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, count.clone()));
            }
        });
        Self { proxy: FaultProxy::listen(&[ANY], server).await.unwrap(), executed }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy.addresses()[0]).await.unwrap()
    }

    /// A connection that has been used, so the proxy knows it.
    async fn established(&self) -> TcpStream {
        let mut stream = self.connect().await;
        assert_eq!(ask(&mut stream, "hello").await, "+hello\r\n");
        stream
    }

    async fn eventually(&self, reached: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !reached(self) {
            assert!(started.elapsed() < Duration::from_secs(5), "{:?}", self.proxy.traffic());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn answer(stream: TcpStream, executed: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line.ends_with('\n') {
            executed.fetch_add(1, Ordering::Relaxed);
            stream.write_all(format!("+{line}").as_bytes()).await?;
        }
    }
}

async fn ask(stream: &mut TcpStream, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    let mut answer = vec![0; line.len() + 3];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Everything that comes until the end of the connection, and how it ended.
async fn rest(stream: &mut TcpStream) -> (String, Result<(), ErrorKind>) {
    let mut bytes = Vec::new();
    let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await.expect("it ends");
    (String::from_utf8(bytes).unwrap(), end.map(drop).map_err(|error| error.kind()))
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(MOMENT, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn passing_changes_nothing_and_counts() {
    let site = Site::new().await;
    let stream = site.established().await;
    let traffic = site.proxy.traffic();
    assert_eq!((traffic.accepted, traffic.open), (1, 1));
    assert_eq!((traffic.from_clients, traffic.to_server), (7, 7));
    assert_eq!((traffic.from_server, traffic.to_clients), (8, 8));
    drop(stream);
    site.eventually(|site| site.proxy.traffic().open == 0).await;
}

#[tokio::test]
async fn a_black_hole_keeps_connections_and_ends() {
    let site = Site::new().await;
    let mut old = site.established().await;
    site.proxy.set(Fault::Blackhole);
    let mut new = site.connect().await;
    for stream in [&mut old, &mut new] {
        stream.write_all(b"lost?\r\n").await.unwrap();
        assert!(is_silent(stream).await);
    }
    assert_eq!(site.executed.load(Ordering::Relaxed), 1);
    site.proxy.pass();
    for stream in [&mut old, &mut new] {
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"+lost?\r\n");
    }
}

#[tokio::test]
async fn what_is_large_is_lost_with_all_behind_it_until_the_path_is_sound() {
    let site = Site::new().await;
    let (mut stuck, mut small) = (site.established().await, site.established().await);
    // The answer has one byte more.
    site.proxy.set(Fault::LargerThan(1400));
    assert_eq!(ask(&mut small, &"s".repeat(1397)).await.len(), 1400);
    let long = "x".repeat(1398);
    stuck.write_all(format!("{long}\r\n").as_bytes()).await.unwrap();
    site.eventually(|site| site.executed.load(Ordering::Relaxed) == 4).await;
    assert!(is_silent(&mut stuck).await);
    stuck.write_all(b"behind\r\n").await.unwrap();
    site.eventually(|site| site.executed.load(Ordering::Relaxed) == 5).await;
    assert!(is_silent(&mut stuck).await, "replies keep their order");
    assert_eq!(ask(&mut small, "short").await, "+short\r\n");
    // A request that is too large is not executed.
    small.write_all(format!("{long}xx\r\n").as_bytes()).await.unwrap();
    assert!(is_silent(&mut small).await);
    assert_eq!(site.executed.load(Ordering::Relaxed), 6);
    site.proxy.pass();
    let mut all = vec![0; 1401 + 9];
    stuck.read_exact(&mut all).await.unwrap();
    assert_eq!(String::from_utf8(all).unwrap(), format!("+{long}\r\n+behind\r\n"));
    let mut late = vec![0; 1403];
    small.read_exact(&mut late).await.unwrap();
    assert_eq!(site.executed.load(Ordering::Relaxed), 7);
}

#[tokio::test]
async fn refusing_spares_what_is_connected() {
    let site = Site::new().await;
    let mut old = site.established().await;
    site.proxy.set(Fault::Refuse);
    let started = Instant::now();
    while let Ok(stream) = TcpStream::connect(site.proxy.addresses()[0]).await {
        assert!(started.elapsed() < Duration::from_secs(5));
        drop(stream);
    }
    assert_eq!(ask(&mut old, "still").await, "+still\r\n");
    site.proxy.pass();
    let started = Instant::now();
    while TcpStream::connect(site.proxy.addresses()[0]).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn who_connects_is_not_answered_and_what_is_connected_goes_on() {
    let site = Site::new().await;
    let address = site.proxy.addresses()[0];
    let mut old = site.established().await;
    site.proxy.set(Fault::Unanswered);
    let started = Instant::now();
    while let Ok(at_once) = timeout(2 * MOMENT, TcpStream::connect(address)).await {
        assert!(started.elapsed() < Duration::from_secs(5), "{at_once:?}");
    }
    assert_eq!(ask(&mut old, "still").await, "+still\r\n");
    assert!(timeout(2 * MOMENT, TcpStream::connect(address)).await.is_err());
    site.proxy.pass();
    let started = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(5));
    }
    site.established().await;
}

#[tokio::test]
async fn resets_are_resets_and_closes_are_closes() {
    let site = Site::new().await;
    let mut stream = site.established().await;
    site.proxy.end_open(Ending::Close);
    assert_eq!(rest(&mut stream).await, (String::new(), Ok(())));
    let mut stream = site.established().await;
    site.proxy.set(Fault::Reset);
    assert_eq!(rest(&mut stream).await.1, Err(ErrorKind::ConnectionReset));
    let mut stream = site.connect().await;
    assert_eq!(rest(&mut stream).await.1, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn one_direction_can_end_alone() {
    let site = Site::new().await;
    let mut stream = site.established().await;
    site.proxy.half_close_open(Direction::Replies);
    assert_eq!(rest(&mut stream).await, (String::new(), Ok(())));
    stream.write_all(b"one more\r\n").await.unwrap();
    site.eventually(|site| site.executed.load(Ordering::Relaxed) == 2).await;
}

#[tokio::test]
async fn a_cut_of_requests_forwards_exactly_its_bytes() {
    let site = Site::new().await;
    for bytes in 0..=14 {
        site.executed.store(0, Ordering::Relaxed);
        let before = site.proxy.traffic().to_server;
        site.proxy.cut_next(Cut::new(CutPoint::Request(bytes), Ending::Close));
        let mut stream = site.connect().await;
        stream.write_all(b"first\r\nsecond\r\n").await.unwrap();
        assert_eq!(rest(&mut stream).await.1.unwrap_or(()), ());
        site.eventually(|site| site.proxy.traffic().open == 0).await;
        assert_eq!(site.proxy.traffic().to_server - before, bytes);
        let whole = usize::from(bytes >= 7);
        assert_eq!(site.executed.load(Ordering::Relaxed), whole, "after {bytes} bytes");
    }
}

#[tokio::test]
async fn a_cut_of_replies_comes_after_their_execution() {
    let site = Site::new().await;
    let mut stream = site.established().await;
    site.proxy.cut_open(Cut::new(CutPoint::AfterReplies(2), Ending::Reset));
    for line in ["one", "two"] {
        assert_eq!(ask(&mut stream, line).await, format!("+{line}\r\n"));
    }
    stream.write_all(b"three\r\n").await.unwrap();
    assert_eq!(rest(&mut stream).await, (String::new(), Err(ErrorKind::ConnectionReset)));
    assert_eq!(site.executed.load(Ordering::Relaxed), 4);

    site.proxy.cut_every(Some(Cut::new(CutPoint::Reply(4), Ending::Close)));
    let mut stream = site.connect().await;
    stream.write_all(b"four\r\n").await.unwrap();
    assert_eq!(rest(&mut stream).await, ("+fou".to_owned(), Ok(())));
    site.proxy.cut_every(None);
    site.established().await;
}

#[tokio::test]
async fn silence_is_an_end_that_nobody_is_told_of() {
    let site = Site::new().await;
    let mut stream = site.established().await;
    site.proxy.end_open(Ending::Silence);
    stream.write_all(b"anyone?\r\n").await.unwrap();
    assert!(is_silent(&mut stream).await);
    assert_eq!(site.executed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn held_connections_go_on_later_and_others_at_once() {
    let site = Site::new().await;
    let mut held = site.established().await;
    site.proxy.hold_open(4 * MOMENT);
    held.write_all(b"late\r\n").await.unwrap();
    assert!(is_silent(&mut held).await);
    site.established().await;
    // A close leaves what was sent on its way.
    drop(held);
    assert_eq!(site.executed.load(Ordering::Relaxed), 2);
    site.eventually(|site| site.executed.load(Ordering::Relaxed) == 3).await;
}

#[tokio::test]
async fn delays_throttles_and_splits_keep_the_stream() {
    let site = Site::new().await;
    let mut stream = site.established().await;
    let long = "x".repeat(1000);
    let delay = Fault::Delay { by: Duration::from_millis(30), jitter: Duration::from_millis(5) };
    let throttle = Fault::Throttle { bytes_per_second: 10_000 };
    let rows = [
        (delay, Duration::from_millis(60)),
        (throttle, Duration::from_millis(150)),
        (Fault::Split { most: 3 }, Duration::ZERO),
    ];
    for (fault, least) in rows {
        site.proxy.set(fault);
        let started = Instant::now();
        assert_eq!(ask(&mut stream, &long).await, format!("+{long}\r\n"));
        assert!(started.elapsed() >= least, "{fault:?} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_stalled_direction_holds_its_sender_back() {
    let site = Site::new().await;
    let mut stream = site.established().await;
    site.proxy.set(Fault::Stall(Direction::Requests));
    let flood = async {
        loop {
            stream.write_all(&[b'x'; 65_536]).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_millis(300), flood).await.is_err());
    let before = site.proxy.traffic();
    assert!(before.from_clients <= 7 + 2 * 65_536, "{before:?}");
    assert_eq!(before.to_server, 7);
}

#[tokio::test]
async fn injected_bytes_arrive_and_retargeting_is_for_the_next() {
    let (site, other) = (Site::new().await, Site::new().await);
    let mut stream = site.established().await;
    site.proxy.inject("-OOPS\r\n");
    let mut injected = [0; 7];
    stream.read_exact(&mut injected).await.unwrap();
    assert_eq!(&injected, b"-OOPS\r\n");
    site.proxy.retarget(other.proxy.addresses()[0]);
    assert_eq!(ask(&mut stream, "same").await, "+same\r\n");
    site.established().await;
    assert_eq!(other.executed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn dropping_a_proxy_ends_its_connections() {
    let site = Site::new().await;
    let mut stream = site.established().await;
    drop(site);
    assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
}
