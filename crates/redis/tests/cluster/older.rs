//! The same for redis-rs 0.32: its traits, its values, its errors.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use redis_0_32::aio::ConnectionLike;
use redis_0_32::{
    AsyncCommands, ErrorKind, ProtocolVersion, RedisResult, Script, TlsCertificates, Value, cmd, pipe,
};
use truename::Error;
use truename_lab::{Lab, LabProfile};
use truename_redis::v0_32::cluster_async::ClusterConnection;
use truename_redis::v0_32::{ClusterClient, may_have_executed, native_error};

use crate::support::{lab, urls};

async fn connect(lab: &Lab, protocol: ProtocolVersion) -> ClusterConnection {
    let mut builder = ClusterClient::builder(urls(lab)).use_protocol(protocol);
    if let Some(pem) = lab.ca_pem() {
        builder =
            builder.certs(TlsCertificates { client_tls: None, root_cert: Some(pem.as_bytes().to_vec()) });
    }
    let resolved = lab.resolve();
    let builder = builder.response_timeout(Duration::from_secs(1)).configure(move |config| {
        resolved.iter().fold(config, |config, (host, port, ip)| config.resolve(host.clone(), *port, *ip))
    });
    let client = builder.build().expect("usable options");
    client.get_async_connection().await.unwrap_or_else(|error| panic!("{error}"))
}

/// As crates do that are generic over the connection.
async fn visits<C: ConnectionLike + Send + Sync + Clone + 'static>(
    connection: &C,
    key: &str,
) -> RedisResult<i64> {
    connection.clone().incr(key, 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_pipelines_scripts_and_iterators() {
    let lab = lab(LabProfile::Azure).await;
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let mut c = connect(&lab, protocol).await;
        assert_eq!(visits(&c, "visits").await, Ok(1));
        let () = c.hset_multiple("h", &[("a", 1), ("b", 2)]).await.expect("OK");
        let all: HashMap<String, i64> = c.hgetall("h").await.expect("a map");
        assert_eq!(all, HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
        let keys: Vec<String> = (0..100).map(|n| format!("older:{n}")).collect();
        let mut pipeline = pipe();
        keys.iter().for_each(|key| _ = pipeline.set(key, key).ignore());
        let () = pipeline.query_async(&mut c).await.expect("written");
        let values: Vec<String> = c.mget(&keys).await.expect("of several slots");
        assert_eq!(values, keys);
        let mut iter = c.scan_match::<_, String>("older:*").await.expect("begun");
        let mut seen = HashSet::new();
        while let Some(key) = iter.next_item().await {
            seen.insert(key);
        }
        drop(iter);
        assert_eq!(seen.len(), 100);
        let script = Script::new("return redis.call('APPEND', KEYS[1], ARGV[1])");
        assert_eq!(script.key("older:1").arg("!").invoke_async(&mut c).await, Ok(8));
        let () = cmd("FLUSHALL").query_async(&mut c).await.expect("everywhere");
        let () = cmd("SCRIPT").arg("FLUSH").query_async(&mut c).await.expect("everywhere");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_told_apart() {
    let lab = lab(LabProfile::Plain).await;
    let mut c = connect(&lab, ProtocolVersion::RESP2).await;
    let () = c.set("k", "text").await.expect("OK");
    let error = c.lpush::<_, _, i64>("k", 1).await.expect_err("not a list");
    assert_eq!((error.kind(), error.code()), (ErrorKind::ExtensionError, Some("WRONGTYPE")));
    let error = c.incr::<_, _, i64>("k", 1).await.expect_err("no number");
    assert_eq!(error.kind(), ErrorKind::ResponseError);
    let unknown = cmd("EVALSHA").arg("0".repeat(40)).arg(0).query_async::<()>(&mut c).await;
    assert_eq!(unknown.expect_err("no script").kind(), ErrorKind::NoScriptError);

    let owner = lab.primary_of_key(b"k").await.expect("an owner");
    lab.node(owner).stop();
    let error = c.append::<_, _, i64>("k", "!").await.expect_err("the server is frozen");
    lab.node(owner).cont();
    assert_eq!((error.kind(), error.code()), (ErrorKind::ExtensionError, Some("MAYBEEXECUTED")), "{error}");
    assert!(may_have_executed(&error));

    c.client().close();
    let closed = c.get::<_, Value>("k").await.expect_err("closed");
    assert!(closed.is_io_error() && !may_have_executed(&closed));
    assert!(matches!(native_error(&closed), Some(Error::Closed)));
    let refused = ClusterClient::builder(["redis://a.test"]).retries(1).build().expect_err("refused");
    assert!(refused.to_string().contains("retries: "), "{refused}");
}
