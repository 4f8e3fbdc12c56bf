//! The Azure-like cluster with no more commands than Redis Enterprise has: everything a client can do without
//! `CLUSTER MYID`, `READONLY` and `ASKING` still holds, under load, through a failover and a redeployment.

use std::time::Duration;

use crate::support::history::History;
use crate::support::{connect, eventually, spread_keys};
use truename::cmd;
use truename_lab::{Lab, LabProfile};

const LIMIT: Duration = Duration::from_secs(15);

async fn enterprise() -> Lab {
    let lab = Lab::builder(LabProfile::Azure).enterprise_commands(true).node_timeout(Duration::from_secs(1));
    lab.start().await.expect("the lab starts")
}

#[tokio::test]
async fn without_node_ids_and_asking_nothing_is_lost_or_done_twice() {
    let mut lab = enterprise().await;
    let client = connect(&lab).await;
    for (command, reply) in [
        (cmd("READONLY"), "READONLY changes"),
        (cmd("CLUSTER").arg("MYID").route_to_any(), "NOPERM"),
        (cmd("CLUSTER").arg("COUNTKEYSINSLOT").arg(1), "NOPERM"),
    ] {
        let error = client.execute::<truename::Reply>(command).await.expect_err(reply);
        assert!(error.to_string().contains(reply), "{error}");
    }
    let nodes: String = client.execute(cmd("CLUSTER").arg("NODES").route_to_any()).await.expect("permitted");
    assert!(nodes.contains("myself"), "{nodes}");
    assert!(client.nodes().iter().all(|node| {
        let facts = node.facts.as_ref();
        facts.is_none_or(|facts| facts.identity.is_some() && facts.greeting.node_id.is_none())
    }));

    let history = History::start(&client, spread_keys("enterprise", 24));
    history.healthy_for(500, LIMIT).await;
    lab.failover(3).await.expect("failed over");
    history.healthy_for(1000, LIMIT).await;
    let before: Vec<_> = client.nodes().into_iter().map(|status| status.node).collect();
    lab.redeploy().await.expect("redeployed");
    history.healthy_for(1000, LIMIT).await;
    let outcome = history.finish().await;
    eprintln!("{}", outcome.summary());
    outcome.assert_sound();
    let moved_on = || async { client.nodes().iter().all(|status| !before.contains(&status.node)) };
    eventually("the old nodes are forgotten", LIMIT, moved_on).await;
}
