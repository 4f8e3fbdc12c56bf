//! A pool of connections.

use redis::AsyncCommands;
use truename_lab::LabProfile;

use crate::support::{builder, lab};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_hands_out_connections_that_work() {
    let lab = lab(LabProfile::Azure).await;
    let client = builder(&lab).build().expect("usable options");
    let pool = bb8::Pool::builder().max_size(2).build(client).await.expect("a pool");
    let tasks = (0..8).map(|_| {
        let pool = pool.clone();
        tokio::spawn(
            async move { pool.get().await.expect("a connection").incr::<_, _, i64>("visits", 1).await },
        )
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic").expect("counted");
    }
    let visits: i64 = pool.get().await.expect("a connection").get("visits").await.expect("a number");
    assert_eq!(visits, 8);
    assert!(pool.state().connections <= 2);
}
