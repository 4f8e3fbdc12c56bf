//! Scans of the whole cluster by redis-rs's iterators.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::BytesMut;
use redis::{AsyncCommands, ErrorKind, ScanOptions};
use truename::resp::{Decoder, Frame, Limits};
use truename_lab::LabProfile;
use truename_redis::{ClusterClient, may_have_executed};

use crate::support::{PROTOCOLS, connect, keys, lab};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_iterator_sees_every_key_of_every_shard() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let mut connection = connect(&lab, protocol).await;
        let keys = keys("scan", 2000);
        let mut pipeline = redis::pipe();
        keys.iter().for_each(|key| _ = pipeline.set(key, 1).ignore());
        let () = pipeline.query_async(&mut connection).await.expect("written");
        let () = connection.sadd("other", "x").await.expect("written");

        let mut seen = HashSet::new();
        let mut iter = connection.scan_match::<_, String>("scan:*").await.expect("begun");
        while let Some(key) = iter.next_item().await {
            seen.insert(key.expect("a key"));
        }
        drop(iter);
        assert_eq!(seen, keys.iter().cloned().collect());

        let options = ScanOptions::default().with_count(100).with_type("set");
        let mut of_type = connection.scan_options::<String>(options).await.expect("begun");
        let mut sets = Vec::new();
        while let Some(key) = of_type.next_item().await {
            sets.push(key.expect("a key"));
        }
        drop(of_type);
        assert_eq!(sets, ["other"]);
        let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("emptied");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_cursor_is_an_error_and_never_an_end() {
    let lab = lab(LabProfile::Plain).await;
    let mut connection = connect(&lab, PROTOCOLS[0]).await;
    let mut pipeline = redis::pipe();
    keys("cursor", 500).iter().for_each(|key| _ = pipeline.set(key, 1).ignore());
    let () = pipeline.query_async(&mut connection).await.expect("written");
    let scan = |cursor: u64| {
        let mut connection = connection.clone();
        async move { redis::cmd("SCAN").arg(cursor).query_async::<(u64, Vec<String>)>(&mut connection).await }
    };
    let error = scan(42).await.expect_err("no such cursor");
    assert!(error.kind() == ErrorKind::Client && !may_have_executed(&error), "{error}");
    // A step can be repeated, as its reply may not have come.
    let (first, _) = scan(0).await.expect("begun");
    let (_, second) = scan(first).await.expect("goes on");
    let (next, again) = scan(first).await.expect("repeated");
    assert_eq!(second, again);
    let (_, _) = scan(next).await.expect("goes on");
    scan(first).await.expect_err("that is too long ago");
}

/// A server alone whose cursors go in a circle, as no real one's do: where it is, and how often it was asked for a page.
fn circling() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port of loopback");
    let (at, pages) = (listener.local_addr().expect("bound"), Arc::new(AtomicUsize::new(0)));
    let counted = pages.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let pages = counted.clone();
            std::thread::spawn(move || answer(stream, &pages));
        }
    });
    (at, pages)
}

fn answer(mut stream: TcpStream, pages: &AtomicUsize) {
    let (mut decoder, mut inbound, mut buffer) =
        (Decoder::new(Limits::default()), BytesMut::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        inbound.extend_from_slice(&buffer[..count]);
        while let Ok(Some(Frame::Reply(command))) = decoder.decode(&mut inbound) {
            let words: Vec<&str> =
                command.as_array().unwrap_or_default().iter().filter_map(|word| word.as_str()).collect();
            let said = match words[..] {
                ["CLUSTER", ..] => "-ERR This instance has cluster support disabled\r\n".to_owned(),
                ["SCAN", cursor, ..] => {
                    pages.fetch_add(1, Relaxed);
                    let cursor: u64 = cursor.parse().expect("a number");
                    let next = if cursor < 50 { cursor + 1 } else { 20 }.to_string();
                    format!("*2\r\n${}\r\n{next}\r\n*1\r\n$1\r\nk\r\n", next.len())
                }
                _ => "+OK\r\n".to_owned(),
            };
            if stream.write_all(said.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// Its steps went on for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circle_of_cursors_is_an_error() {
    let (at, pages) = circling();
    let client = ClusterClient::builder([format!("redis://{at}")]).use_protocol(PROTOCOLS[0]).build();
    let client = client.expect("usable options");
    let mut connection = client.get_async_connection().await.unwrap_or_else(|error| panic!("{error}"));
    let ended = tokio::time::timeout(Duration::from_secs(10), async {
        let mut keys = connection.scan::<String>().await.expect("begun");
        while let Some(key) = keys.next_item().await {
            match key {
                Ok(key) => assert_eq!(key, "k"),
                Err(error) => return error.to_string(),
            }
        }
        panic!("it is not through")
    });
    let error = ended.await.expect("it ends");
    assert!(error.contains("met before") && error.contains(&at.to_string()), "{error}");
    assert!(pages.load(Relaxed) < 300);
}
