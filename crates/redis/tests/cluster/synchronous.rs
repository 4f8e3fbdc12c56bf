//! The connection without async: `Commands`, pipelines, scripts, iterators and transactions.

use std::collections::HashSet;
use std::time::Duration;

use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
use redis::{Commands, ConnectionLike, ErrorKind, ProtocolVersion, RedisResult, Script, Value, cmd, pipe};
use truename_lab::{Lab, LabProfile};
use truename_redis::cluster::{ClusterConnection, cluster_pipe};
use truename_redis::{may_have_executed, native_error};

use crate::support::{PROTOCOLS, builder, keys, lab};

fn connect(lab: &Lab, protocol: ProtocolVersion) -> ClusterConnection {
    let client = builder(lab).use_protocol(protocol).build().expect("usable options");
    client.get_connection().unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a program that blocks, beside the lab.
async fn blocking(program: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(program)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
}

/// As code does that is generic over the connection.
fn visits<C: ConnectionLike>(connection: &mut C, key: &str) -> RedisResult<i64> {
    connection.incr(key, 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_pipelines_scripts_and_iterators() {
    let lab = lab(LabProfile::Azure).await;
    blocking(move || {
        for protocol in PROTOCOLS {
            let mut c = connect(&lab, protocol);
            assert_eq!(visits(&mut c, "visits"), Ok(1));
            assert!(c.check_connection() && c.is_open() && c.get_db() == 0);
            let names = keys("sync", 100);
            let mut pipeline = pipe();
            names.iter().for_each(|key| _ = pipeline.set(key, key).ignore());
            let () = pipeline.query(&mut c).expect("of any slots");
            let values: Vec<String> = c.mget(&names).expect("of several slots");
            assert_eq!(values, names);
            let found: HashSet<String> =
                c.scan_match("sync:*").expect("begun").collect::<RedisResult<_>>().expect("all");
            assert_eq!(found.len(), 100);
            let script = Script::new("return redis.call('APPEND', KEYS[1], ARGV[1])");
            assert_eq!(script.key("sync:1").arg("!").invoke(&mut c), Ok(7));
            let both: (String, i64) =
                cluster_pipe().get("sync:1").incr("visits", 1).query(&mut c).expect("both");
            assert_eq!(both, ("sync:1!".to_owned(), 2));
            let atomic: (i64, i64) =
                pipe().atomic().incr("{v}a", 1).incr("{v}b", 2).query(&mut c).expect("executed");
            assert_eq!(atomic, (1, 2));
            let error = pipe().atomic().set("a", 1).set("b", 1).exec(&mut c).expect_err("two slots");
            assert!(!may_have_executed(&error), "{error}");
            // Encoded by the caller.
            assert_eq!(
                c.req_packed_command(&cmd("PING").get_packed_command()),
                Ok(Value::SimpleString("PONG".into()))
            );
            let broken = c.req_packed_command(b"*1\r\n$4\r\nPI").expect_err("cut off");
            assert!(broken.kind() == ErrorKind::Client && !may_have_executed(&broken), "{broken}");
            let everywhere = (MultipleNodeRoutingInfo::AllNodes, Some(ResponsePolicy::AllSucceeded));
            let pong = c.route_command(&cmd("PING"), RoutingInfo::MultiNode(everywhere));
            assert_eq!(pong, Ok(Value::SimpleString("PONG".into())));
            let () = cmd("FLUSHALL").query(&mut c).expect("everywhere");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_share_a_connection_and_transactions_lose_no_update() {
    const THREADS: u64 = 4;
    const EACH: u64 = 25;
    let lab = lab(LabProfile::Azure).await;
    blocking(move || {
        let mut connection = connect(&lab, PROTOCOLS[1]);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let mut c = connection.clone();
                scope.spawn(move || {
                    for _ in 0..EACH {
                        let _: (u64,) = redis::transaction(&mut c, &["count"], |c, pipe| {
                            let count: Option<u64> = c.get("count")?;
                            pipe.set("count", count.unwrap_or(0) + 1).ignore().get("count").query(c)
                        })
                        .unwrap_or_else(|error| panic!("{error}"));
                        let () = c.rpush("list", 1).expect("OK");
                    }
                });
            }
        });
        assert_eq!(connection.get::<_, u64>("count"), Ok(THREADS * EACH));
        assert_eq!(connection.llen::<_, u64>("list"), Ok(THREADS * EACH));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_the_same_and_a_thread_that_polls_tasks_is_refused() {
    let lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).response_timeout(Duration::from_millis(300)).build().expect("usable options");
    // Here, tasks are polled.
    let refused = client.get_connection().expect_err("it would block a thread that polls");
    assert_eq!(refused.kind(), ErrorKind::InvalidClientConfig, "{refused}");
    let of_task = client.clone();
    let mut c = tokio::task::spawn_blocking(move || of_task.get_connection())
        .await
        .expect("no panic")
        .expect("connected");
    let refused = c.set::<_, _, ()>("k", 1).expect_err("it would block a thread that polls");
    assert!(refused.kind() == ErrorKind::InvalidClientConfig && !may_have_executed(&refused), "{refused}");
    let owner = lab.primary_of_key(b"k").await.expect("an owner");
    blocking(move || {
        assert_eq!(c.get::<_, Option<String>>("k"), Ok(None));
        let () = c.set("k", "text").expect("OK");
        let error = c.lpush::<_, _, i64>("k", 1).expect_err("not a list");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Extension, Some("WRONGTYPE")));
        for refused in [c.set_read_timeout(None), c.set_write_timeout(Some(Duration::from_secs(1)))] {
            assert!(refused.expect_err("by name").to_string().contains("response_timeout"));
        }
        lab.node(owner).stop();
        let error = c.append::<_, _, i64>("k", "!").expect_err("the server is frozen");
        lab.node(owner).cont();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Extension, Some("MAYBEEXECUTED")), "{error}");
        assert!(may_have_executed(&error));
        c.client().close();
        assert!(!c.is_open() && !c.check_connection());
        let closed = c.get::<_, Value>("k").expect_err("closed");
        assert!(matches!(native_error(&closed), Some(truename::Error::Closed)), "{closed}");
    })
    .await;
}

/// The same with redis-rs 0.32.
#[cfg(feature = "v0_32")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_versions_have_it_too() {
    use redis_0_32::Commands as _;
    let lab = lab(LabProfile::Plain).await;
    let urls = crate::support::urls(&lab);
    blocking(move || {
        let _lab = lab;
        let client = truename_redis::v0_32::ClusterClient::new(urls).expect("usable");
        let mut c = client.get_connection().expect("connected");
        let () = c.set("k", 1).expect("OK");
        let counted: (i64,) = redis_0_32::transaction(&mut c, &["k"], |c, pipe| {
            let seen: i64 = c.get("k")?;
            pipe.set("k", seen + 1).ignore().get("k").query(c)
        })
        .expect("executed");
        assert_eq!(counted, (2,));
    })
    .await;
}

/// redis-rs sends no `UNWATCH` when the closure fails: whatever was watched stood in the way of all other slots for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_given_up_is_in_nobodys_way_for_long() {
    let lab = lab(LabProfile::Azure).await;
    blocking(move || {
        let mut connection = connect(&lab, PROTOCOLS[1]);
        let given_up: RedisResult<()> = redis::transaction(&mut connection, &["a"], |c, _| {
            c.hget::<_, _, Option<()>>("a", "field").and(Err((ErrorKind::Client, "given up").into()))
        });
        given_up.expect_err("given up");
        let count =
            |c: &mut _| redis::transaction(c, &["b"], |c, pipe| pipe.incr("b", 1).query::<Option<(u64,)>>(c));
        let refused = count(&mut connection).expect_err("another slot is watched");
        assert!(!may_have_executed(&refused), "{refused}");
        assert_eq!(count(&mut connection), Ok((1,)));
    })
    .await;
}
