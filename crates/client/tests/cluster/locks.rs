//! The lock that the manual shows, at work.

use std::time::{Duration, Instant};

use crate::support::{config, connect, eventually, lab, proxied_server, tell};
use lock::Locks;
use truename::{Client, cmd};
use truename_lab::{Direction, Fault, LabProfile};

#[path = "../../examples/support/lock.rs"]
mod lock;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_has_one_holder_who_alone_releases_it() {
    let lab = lab(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let locks = Locks::new(client.clone(), 60 * SECOND);
    let hasty = Locks::new(connect(&lab).await, Duration::from_millis(100));
    for n in 0..10 {
        let key = format!("lock:{n}");
        let held = locks.acquire(&key).await.expect("an answer").expect("nobody had it");
        assert!(held.until > Instant::now() + 30 * SECOND);
        assert!(hasty.acquire(&key).await.expect("an answer").is_none(), "somebody has it");
        locks.release(held).await.expect("released");
        let expires = hasty.acquire(&key).await.expect("an answer").expect("nobody had it");
        let asked = Instant::now();
        let next = loop {
            if let Some(held) = locks.acquire(&key).await.expect("an answer") {
                break held;
            }
            assert!(asked.elapsed() < 5 * SECOND, "it does not expire");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(expires.until <= Instant::now(), "its holder knew");
        // Too late: it is somebody else's, and stays.
        hasty.release(expires).await.expect("an answer");
        assert!(client.execute::<bool>(cmd("EXISTS").arg(&key)).await.expect("a number"));
        locks.release(next).await.expect("released");
        assert!(!client.execute::<bool>(cmd("EXISTS").arg(&key)).await.expect("a number"));
    }
}

#[tokio::test]
async fn who_lost_the_answer_has_the_lock_all_the_same() {
    let lab = proxied_server().await;
    let client = Client::connect(&config(&lab).command_timeout(10 * SECOND)).await.expect("connected");
    let locks = Locks::new(client, 60 * SECOND);
    lab.proxy(0).set(Fault::Stall(Direction::Replies));
    let acquiring = locks.acquire("lock");
    let losing = async {
        let is_taken = || async { tell(&lab, 0, &["EXISTS", "lock"]).await.as_integer() == Some(1) };
        eventually("it was executed", 5 * SECOND, is_taken).await;
        lab.proxy(0).set(Fault::Reset);
        lab.proxy(0).pass();
    };
    let (taken, ()) = tokio::join!(acquiring, losing);
    let held = taken.expect("an answer in the end").expect("it is ours");
    locks.release(held).await.expect("released");
    assert_eq!(tell(&lab, 0, &["EXISTS", "lock"]).await.as_integer(), Some(0));
}
