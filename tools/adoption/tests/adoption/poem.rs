//! poem's sessions, over redis-rs 0.32.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use poem::session::{CookieConfig, RedisStorage, ServerSession, Session, SessionStorage};
use poem::test::TestClient;
use poem::{EndpointExt, Route, handler};
use truename_redis::v0_32::ClusterClient;

use crate::support::{client, eventually, fail_over, lab, reshard};

#[handler]
fn visit(session: &Session) -> String {
    let visits = session.get::<u64>("visits").unwrap_or_default() + 1;
    session.set("visits", visits);
    visits.to_string()
}

/// A browser visits a page, with its cookie, while its session's primary is replaced and its slot moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_counts_every_visit_through_failover_and_resharding() {
    let lab = lab().await;
    let client = client!(&lab, truename_redis::v0_32::redis, ClusterClient);
    let connection = client.get_async_connection().await.expect("connected");
    let sessions =
        ServerSession::new(CookieConfig::default().secure(false), RedisStorage::new(connection.clone()));
    let browser = TestClient::new(Route::new().at("/", poem::get(visit)).with(sessions));
    let first = browser.get("/").send().await;
    first.assert_status_is_ok();
    let cookie = first.0.headers()["set-cookie"].to_str().expect("text").to_owned();
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let id = cookie.split_once('=').expect("a name and a value").1.to_owned();

    let (visits, stop) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicBool::new(false)));
    let visiting = tokio::spawn({
        let (visits, stop, cookie) = (visits.clone(), stop.clone(), cookie.clone());
        async move {
            while !stop.load(SeqCst) {
                let page = browser.get("/").header("cookie", &cookie).send().await;
                page.assert_status_is_ok();
                let counted = visits.fetch_add(1, SeqCst) + 1;
                page.assert_text(counted.to_string()).await;
            }
        }
    });
    let goes_on = || async {
        let since = visits.load(SeqCst);
        eventually("more visits", || async { visits.load(SeqCst) >= since + 100 }).await;
    };
    goes_on().await;
    let slot: u16 = {
        let mut c = connection.clone();
        let mut ask = truename_redis::v0_32::redis::cmd("CLUSTER");
        ask.arg("KEYSLOT").arg(&id).query_async(&mut c).await.expect("a slot")
    };
    fail_over(&lab, slot).await;
    goes_on().await;
    reshard(&lab, slot).await;
    goes_on().await;
    stop.store(true, SeqCst);
    visiting.await.expect("every visit was counted");
    let storage = RedisStorage::new(connection);
    let stored: BTreeMap<_, _> = storage.load_session(&id).await.expect("loaded").expect("it is there");
    assert_eq!(stored["visits"].as_u64(), Some(visits.load(SeqCst)));
    storage.remove_session(&id).await.expect("removed");
    assert!(storage.load_session(&id).await.expect("loaded").is_none());
}
