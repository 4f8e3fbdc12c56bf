//! Trouble with real processes: killed, frozen and replaced nodes, under load and with a history checker.

use std::time::Duration;

use crate::support::history::History;
use crate::support::{config, connect, eventually, spread_keys};
use tokio::time::Instant;
use truename::{Client, cmd};
use truename_lab::{Lab, LabProfile};

async fn replicated(profile: LabProfile) -> Lab {
    let lab = Lab::builder(profile).node_timeout(Duration::from_secs(1));
    lab.start().await.expect("the lab starts")
}

/// Commands to a primary that was killed or frozen succeed again once its replica took over.
async fn survives(hurt: impl Fn(&truename_lab::LabNode), limit: Duration) {
    let lab = replicated(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let history = History::start(&client, spread_keys("fault", 24));
    history.healthy_for(500, Duration::from_secs(10)).await;
    let started = Instant::now();
    hurt(lab.node(0));
    // Failures begin a moment later; wait for the replica's promotion as the servers see it.
    let promoted =
        || async { lab.command(1, &["CLUSTER", "NODES"]).await.is_ok_and(|nodes| took_over(&nodes, &lab)) };
    eventually("the replica takes over", Duration::from_secs(15), promoted).await;
    let promoted_after = started.elapsed();
    history.healthy_for(1000, limit).await;
    let recovered_after = started.elapsed();
    let outcome = history.finish().await;
    eprintln!(
        "promoted after {promoted_after:?}, recovered after {recovered_after:?}, {} of {} calls failed: {:?}",
        outcome.failed, outcome.calls, outcome.failures
    );
    outcome.assert_sound_but_for_losses();
    assert!(outcome.slowest < Duration::from_millis(5500), "a call took {:?}", outcome.slowest);
    lab.node(0).cont();
}

fn took_over(nodes: &truename::Reply, lab: &Lab) -> bool {
    let text = nodes.as_str().unwrap_or_default();
    let failed = lab.node(0).id.as_str();
    let is_out = text.lines().any(|line| line.starts_with(failed) && line.contains("fail"));
    let primaries = text.lines().filter(|line| line.contains("master") && !line.contains("fail")).count();
    is_out && primaries == 3
}

#[tokio::test]
async fn a_killed_primary_is_replaced() {
    survives(|node| node.kill(), Duration::from_secs(8)).await;
}

#[tokio::test]
async fn a_frozen_primary_is_replaced() {
    survives(|node| node.stop(), Duration::from_secs(8)).await;
}

#[tokio::test]
async fn a_redeploy_under_load_loses_nothing() {
    let mut lab = replicated(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let history = History::start(&client, spread_keys("redeploy", 24));
    history.healthy_for(500, Duration::from_secs(10)).await;
    let before: Vec<_> = client.nodes().into_iter().map(|status| status.node).collect();
    lab.redeploy().await.expect("redeployed");
    history.healthy_for(1000, Duration::from_secs(15)).await;
    let outcome = history.finish().await;
    eprintln!("{} of {} calls failed: {:?}", outcome.failed, outcome.calls, outcome.failures);
    outcome.assert_sound();
    let moved_on = || async { client.nodes().iter().all(|status| !before.contains(&status.node)) };
    eventually("the old nodes are forgotten", Duration::from_secs(10), moved_on).await;
}

#[tokio::test]
async fn an_abrupt_redeploy_is_found_again_through_the_seed() {
    let mut lab = Lab::builder(LabProfile::Azure).replicas(0).start().await.expect("the lab starts");
    let client = connect(&lab).await;
    client.execute::<()>(cmd("SET").arg("old").arg(1)).await.expect("OK");
    lab.redeploy_abrupt().await.expect("redeployed");
    let started = Instant::now();
    let works = || async {
        let set = client.execute::<()>(cmd("SET").arg("new").arg(1).timeout(Duration::from_millis(500)));
        set.await.is_ok()
    };
    eventually("the new cluster is used", Duration::from_secs(10), works).await;
    eprintln!("found again after {:?}", started.elapsed());
    for key in spread_keys("after", 12) {
        client.execute::<()>(cmd("SET").arg(&key).arg(1)).await.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test]
async fn every_call_ends_within_its_deadline_when_everything_is_frozen() {
    let lab = Lab::builder(LabProfile::Azure).replicas(0).start().await.expect("the lab starts");
    let client =
        Client::connect(&config(&lab).command_timeout(Duration::from_millis(1500))).await.expect("connected");
    for node in lab.nodes() {
        node.stop();
    }
    let calls = spread_keys("frozen", 12).into_iter().map(|key| {
        let client = client.clone();
        tokio::spawn(async move {
            let started = Instant::now();
            let error = client.execute::<()>(cmd("SET").arg(&key).arg(1)).await.expect_err("frozen");
            (started.elapsed(), error)
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (elapsed, error) = call.await.expect("no panic");
        assert!(elapsed < Duration::from_millis(2000), "{elapsed:?}: {error}");
    }
    for node in lab.nodes() {
        node.cont();
    }
    let works = || async {
        client.execute::<String>(cmd("GET").arg("frozen")).await.is_ok()
            || client.execute::<()>(cmd("SET").arg("frozen").arg(1)).await.is_ok()
    };
    eventually("service resumes", Duration::from_secs(10), works).await;
}
