//! redis-rs's commands, family by family, as `AsyncCommands` and `AsyncTypedCommands` have them.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use redis::geo::{Coord, RadiusOptions, Unit};
use redis::streams::{StreamRangeReply, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, AsyncTypedCommands, Direction, ExpireOption, SetExpiry, SetOptions};
use truename_lab::{Lab, LabProfile};
use truename_redis::cluster_async::ClusterConnection;

use crate::support::{PROTOCOLS, connect, lab};

/// Runs a family over RESP2, then over RESP3, on a cluster that speaks TLS.
async fn over_both<F: Future<Output = redis::RedisResult<()>>>(family: impl Fn(ClusterConnection) -> F) {
    let lab: Lab = lab(LabProfile::Azure).await;
    for protocol in PROTOCOLS {
        let connection = connect(&lab, protocol).await;
        family(connection.clone()).await.unwrap_or_else(|error| panic!("{protocol:?}: {error}"));
        let mut connection = connection;
        let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.expect("emptied");
        assert_eq!(redis::cmd("DBSIZE").query_async::<i64>(&mut connection).await, Ok(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strings_and_keys() {
    over_both(|mut c| async move {
        let () = AsyncCommands::set(&mut c, "k", "v").await?;
        assert_eq!(AsyncCommands::get::<_, String>(&mut c, "k").await?, "v");
        assert_eq!(AsyncTypedCommands::get(&mut c, "k").await?.as_deref(), Some("v"));
        assert_eq!(AsyncTypedCommands::get(&mut c, "missing").await?, None);
        let options = SetOptions::default().conditional_set(redis::ExistenceCheck::NX);
        let won: bool = AsyncCommands::set_options(&mut c, "k", "w", options).await?;
        assert!(!won, "the key is there");
        let old: String = AsyncCommands::getset(&mut c, "k", "w").await?;
        assert_eq!(old, "v");
        assert_eq!(AsyncTypedCommands::incr(&mut c, "n", 5).await?, 5);
        assert_eq!(AsyncTypedCommands::decr(&mut c, "n", 2).await?, 3);
        let half: f64 = AsyncCommands::incr(&mut c, "f", 0.5).await?;
        assert!((half - 0.5).abs() < f64::EPSILON);
        assert_eq!(AsyncTypedCommands::append(&mut c, "k", "xyz").await?, 4);
        assert_eq!(AsyncTypedCommands::strlen(&mut c, "k").await?, 4);
        assert_eq!(AsyncTypedCommands::getrange(&mut c, "k", 1, 2).await?, "xy");
        assert_eq!(AsyncTypedCommands::setrange(&mut c, "k", 0, "ab").await?, 4);
        let () = AsyncCommands::set_ex(&mut c, "short", "x", 100).await?;
        let gone: Option<String> = AsyncCommands::get_del(&mut c, "short").await?;
        assert_eq!(gone.as_deref(), Some("x"));
        let bytes: Vec<u8> = vec![0, 1, 2, 255, b'\r', b'\n'];
        let () = AsyncCommands::set(&mut c, "raw", &bytes[..]).await?;
        assert_eq!(AsyncCommands::get::<_, Vec<u8>>(&mut c, "raw").await?, bytes);
        assert!(AsyncTypedCommands::exists(&mut c, "raw").await?);
        let kind: redis::ValueType = redis::cmd("TYPE").arg("raw").query_async(&mut c).await?;
        assert_eq!(kind, redis::ValueType::String);
        assert_eq!(AsyncTypedCommands::del(&mut c, "raw").await?, 1);
        // Several keys of one slot in one command.
        let () = AsyncCommands::mset(&mut c, &[("{t}1", "a"), ("{t}2", "b")]).await?;
        let both: Vec<String> = AsyncCommands::mget(&mut c, &["{t}1", "{t}2"]).await?;
        assert_eq!(both, ["a", "b"]);
        assert_eq!(AsyncTypedCommands::unlink(&mut c, &["{t}1", "{t}2"]).await?, 2);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry() {
    over_both(|mut c| async move {
        let options = SetOptions::default().with_expiration(SetExpiry::EX(100));
        let () = AsyncCommands::set_options(&mut c, "k", "v", options).await?;
        let ttl: i64 = AsyncCommands::ttl(&mut c, "k").await?;
        assert!((90..=100).contains(&ttl), "{ttl}");
        assert!(AsyncTypedCommands::expire(&mut c, "k", 200).await?);
        let pttl: i64 = AsyncCommands::pttl(&mut c, "k").await?;
        assert!((190_000..=200_000).contains(&pttl), "{pttl}");
        let later: i64 =
            redis::cmd("EXPIRE").arg("k").arg(10).arg(ExpireOption::GT).query_async(&mut c).await?;
        assert_eq!(later, 0);
        let at: i64 = AsyncCommands::expire_time(&mut c, "k").await?;
        assert!(at > 1_700_000_000, "{at}");
        assert!(AsyncTypedCommands::persist(&mut c, "k").await?);
        assert_eq!(AsyncCommands::ttl::<_, i64>(&mut c, "k").await?, -1);
        assert_eq!(AsyncCommands::ttl::<_, i64>(&mut c, "missing").await?, -2);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes() {
    over_both(|mut c| async move {
        assert_eq!(AsyncTypedCommands::hset(&mut c, "h", "name", "Ada").await?, 1);
        let () = AsyncCommands::hset_multiple(&mut c, "h", &[("city", "London"), ("born", "1815")]).await?;
        assert_eq!(AsyncTypedCommands::hget(&mut c, "h", "city").await?.as_deref(), Some("London"));
        let all: HashMap<String, String> = AsyncCommands::hgetall(&mut c, "h").await?;
        assert_eq!(all.len(), 3);
        let pairs: Vec<(String, String)> = AsyncCommands::hgetall(&mut c, "h").await?;
        assert_eq!(pairs.len(), 3);
        assert_eq!(AsyncCommands::hincr::<_, _, _, i64>(&mut c, "h", "born", 1).await?, 1816);
        let some: (Option<String>, Option<String>) =
            redis::cmd("HMGET").arg("h").arg("name").arg("nothing").query_async(&mut c).await?;
        assert_eq!(some, (Some("Ada".to_owned()), None));
        assert!(AsyncTypedCommands::hexists(&mut c, "h", "name").await?);
        assert_eq!(AsyncTypedCommands::hlen(&mut c, "h").await?, 3);
        let names: HashSet<String> = AsyncCommands::hkeys(&mut c, "h").await?;
        assert!(
            names.contains("born") && AsyncCommands::hvals::<_, Vec<String>>(&mut c, "h").await?.len() == 3
        );
        let mut found = Vec::new();
        let mut iter = AsyncCommands::hscan::<_, (String, String)>(&mut c, "h").await?;
        while let Some(pair) = iter.next_item().await {
            found.push(pair?);
        }
        drop(iter);
        assert_eq!(found.len(), 3);
        assert_eq!(AsyncTypedCommands::hdel(&mut c, "h", &["name", "city"]).await?, 2);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists() {
    over_both(|mut c| async move {
        assert_eq!(AsyncTypedCommands::rpush(&mut c, "{l}1", &["a", "b", "c"]).await?, 3);
        assert_eq!(AsyncTypedCommands::lpush(&mut c, "{l}1", "z").await?, 4);
        let all: Vec<String> = AsyncCommands::lrange(&mut c, "{l}1", 0, -1).await?;
        assert_eq!(all, ["z", "a", "b", "c"]);
        let popped: Vec<String> =
            AsyncCommands::lpop(&mut c, "{l}1", core::num::NonZeroUsize::new(2)).await?;
        assert_eq!(popped, ["z", "a"]);
        let moved: String =
            AsyncCommands::lmove(&mut c, "{l}1", "{l}2", Direction::Left, Direction::Right).await?;
        assert_eq!(moved, "b");
        assert_eq!(AsyncTypedCommands::llen(&mut c, "{l}2").await?, 1);
        let position: Option<i64> =
            AsyncCommands::lpos(&mut c, "{l}1", "c", redis::LposOptions::default()).await?;
        assert_eq!(position, Some(0));
        let () = AsyncCommands::lset(&mut c, "{l}1", 0, "d").await?;
        assert_eq!(AsyncCommands::linsert_before::<_, _, _, i64>(&mut c, "{l}1", "d", "c").await?, 2);
        assert_eq!(AsyncCommands::lrem::<_, _, i64>(&mut c, "{l}1", 0, "d").await?, 1);
        // It waits on a connection of its own, while others go on.
        let mut waiting = c.clone();
        let pop = tokio::spawn(async move {
            AsyncCommands::blpop::<_, (String, String)>(&mut waiting, "later", 10.0).await
        });
        let deadline = Instant::now() + Duration::from_secs(9);
        loop {
            assert!(Instant::now() < deadline, "nobody waits");
            let () = AsyncCommands::set(&mut c, "{later}other", 1).await?;
            let clients: String = {
                use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
                let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                format!("{:?}", c.route_command(redis::cmd("INFO").arg("clients").take(), everywhere).await?)
            };
            if clients.contains("blocked_clients:1") {
                break;
            }
        }
        let () = AsyncCommands::rpush(&mut c, "later", "value").await?;
        assert_eq!(pop.await.expect("no panic")?, ("later".to_owned(), "value".to_owned()));
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sets_and_sorted_sets() {
    over_both(|mut c| async move {
        assert_eq!(AsyncTypedCommands::sadd(&mut c, "{s}1", &["a", "b", "c"]).await?, 3);
        assert_eq!(AsyncTypedCommands::sadd(&mut c, "{s}2", &["b", "c", "d"]).await?, 3);
        let both: HashSet<String> = AsyncCommands::sinter(&mut c, &["{s}1", "{s}2"]).await?;
        assert_eq!(both, HashSet::from(["b".to_owned(), "c".to_owned()]));
        assert_eq!(AsyncCommands::sunionstore::<_, _, i64>(&mut c, "{s}3", &["{s}1", "{s}2"]).await?, 4);
        assert!(AsyncTypedCommands::sismember(&mut c, "{s}3", "d").await?);
        let are: Vec<bool> = AsyncCommands::smismember(&mut c, "{s}1", &["a", "x"]).await?;
        assert_eq!(are, [true, false]);
        assert_eq!(AsyncTypedCommands::scard(&mut c, "{s}3").await?, 4);
        assert!(AsyncTypedCommands::smove(&mut c, "{s}1", "{s}2", "a").await?);
        let members: HashSet<String> = AsyncCommands::smembers(&mut c, "{s}2").await?;
        assert!(members.contains("a"));

        assert_eq!(AsyncTypedCommands::zadd(&mut c, "z", "one", 1).await?, 1);
        let pairs = [(2.5, "two"), (3.0, "three")];
        assert_eq!(AsyncTypedCommands::zadd_multiple(&mut c, "z", &pairs).await?, 2);
        assert_eq!(AsyncTypedCommands::zscore(&mut c, "z", "two").await?, Some(2.5));
        assert_eq!(AsyncTypedCommands::zrank(&mut c, "z", "three").await?, Some(2));
        let ranged: Vec<(String, f64)> = AsyncCommands::zrange_withscores(&mut c, "z", 0, 1).await?;
        assert_eq!(ranged, [("one".to_owned(), 1.0), ("two".to_owned(), 2.5)]);
        let by_score: Vec<String> = AsyncCommands::zrangebyscore(&mut c, "z", 2, "+inf").await?;
        assert_eq!(by_score, ["two", "three"]);
        let sum: f64 = AsyncCommands::zincr(&mut c, "z", "one", 9).await?;
        assert!((sum - 10.0).abs() < f64::EPSILON);
        let most: Vec<(String, f64)> = AsyncCommands::zpopmax(&mut c, "z", 1).await?;
        assert_eq!(most, [("one".to_owned(), 10.0)]);
        assert_eq!(AsyncTypedCommands::zcard(&mut c, "z").await?, 2);
        assert_eq!(AsyncTypedCommands::zrem(&mut c, "z", "two").await?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams() {
    over_both(|mut c| async move {
        let () = AsyncCommands::xgroup_create_mkstream(&mut c, "x", "workers", "$").await?;
        let id: String = AsyncCommands::xadd(&mut c, "x", "*", &[("step", "paid"), ("by", "card")]).await?;
        let () = AsyncCommands::xadd(&mut c, "x", "*", &[("step", "sent")]).await?;
        assert_eq!(AsyncCommands::xlen::<_, usize>(&mut c, "x").await?, 2);
        let options = StreamReadOptions::default().group("workers", "one").count(1);
        let read: StreamReadReply = AsyncCommands::xread_options(&mut c, &["x"], &[">"], &options).await?;
        assert_eq!((read.keys.len(), read.keys[0].ids.len()), (1, 1));
        assert_eq!(read.keys[0].ids[0].get::<String>("step").as_deref(), Some("paid"));
        assert_eq!(read.keys[0].ids[0].id, id);
        assert_eq!(AsyncCommands::xack::<_, _, _, i64>(&mut c, "x", "workers", &[&id]).await?, 1);
        let range: StreamRangeReply = AsyncCommands::xrange_all(&mut c, "x").await?;
        assert_eq!(range.ids.len(), 2);
        // Nothing comes: it waits, and ends with nothing.
        let options = StreamReadOptions::default().block(20);
        let none: Option<StreamReadReply> =
            AsyncCommands::xread_options(&mut c, &["x"], &["$"], &options).await?;
        assert!(none.is_none_or(|reply| reply.keys.is_empty()));
        assert_eq!(AsyncCommands::xdel::<_, _, i64>(&mut c, "x", &[&id]).await?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_logs_and_bits() {
    over_both(|mut c| async move {
        let added: i64 = AsyncCommands::geo_add(
            &mut c,
            "g",
            &[
                (Coord::lon_lat(13.361389, 38.115556), "Palermo"),
                (Coord::lon_lat(15.087269, 37.502669), "Catania"),
            ],
        )
        .await?;
        assert_eq!(added, 2);
        let distance: f64 =
            AsyncCommands::geo_dist(&mut c, "g", "Palermo", "Catania", Unit::Kilometers).await?;
        assert!((166.0..167.0).contains(&distance), "{distance}");
        let near: Vec<String> = AsyncCommands::geo_radius(
            &mut c,
            "g",
            15.0,
            37.0,
            100.0,
            Unit::Kilometers,
            RadiusOptions::default(),
        )
        .await?;
        assert_eq!(near, ["Catania"]);
        let places: Vec<Coord<f64>> = AsyncCommands::geo_pos(&mut c, "g", &["Palermo"]).await?;
        assert!((places[0].latitude - 38.11).abs() < 0.01);

        assert!(AsyncTypedCommands::pfadd(&mut c, "{p}1", &["a", "b", "c"]).await?);
        assert!(AsyncTypedCommands::pfadd(&mut c, "{p}2", &["c", "d"]).await?);
        let () = AsyncCommands::pfmerge(&mut c, "{p}3", &["{p}1", "{p}2"]).await?;
        assert_eq!(AsyncTypedCommands::pfcount(&mut c, "{p}3").await?, 4);

        let () = AsyncCommands::setbit(&mut c, "{b}1", 7, true).await?;
        let () = AsyncCommands::setbit(&mut c, "{b}2", 3, true).await?;
        assert!(AsyncTypedCommands::getbit(&mut c, "{b}1", 7).await?);
        assert_eq!(AsyncCommands::bit_or::<_, _, i64>(&mut c, "{b}3", &["{b}1", "{b}2"]).await?, 1);
        assert_eq!(AsyncTypedCommands::bitcount(&mut c, "{b}3").await?, 2);
        Ok(())
    })
    .await;
}
