//! Which cluster is meant, when addresses lead to several: the seeds decide it at the start, and a client that knows its
//! cluster leaves it only when its nodes are gone, or outvoted by the seeds.

mod support;

use std::time::Duration;

use support::{config, eventually, ids_of, key_of, known_ids, tell};
use truename::{Client, Config, Event, Notice, cmd};
use truename_lab::{Ending, Fault, FaultProxy, Lab, Profile};

const SECOND: Duration = Duration::from_secs(1);

async fn cluster() -> Lab {
    let lab = Lab::builder(Profile::Plain).shards(3).replicas(0).fault_proxies(true).password(Some("same"));
    lab.start().await.expect("the lab starts")
}

fn with_seeds(seeds: impl IntoIterator<Item = (String, u16)>) -> Config {
    Config::new().plaintext().password("same").root_nodes(seeds).command_timeout(2 * SECOND)
}

/// The first seed to answer was believed, and the nodes that it named confirmed what it had said: one address of three that
/// had been given to another cluster captured the client, if that cluster was the faster one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_seed_to_answer_does_not_decide_which_cluster_is_meant() {
    let (ours, theirs) = tokio::join!(cluster(), cluster());
    let delay = Fault::Delay { by: SECOND / 20, jitter: Duration::ZERO };
    ours.proxies().iter().for_each(|proxy| proxy.set(delay));
    let seeds = theirs.seeds().into_iter().take(1).chain(ours.seeds().into_iter().take(2));
    let client = Client::connect(&with_seeds(seeds)).await.unwrap_or_else(|error| panic!("{error}"));
    let ids = ids_of(&ours);
    eventually("most seeds are heard", 5 * SECOND, || async { known_ids(&client) == ids }).await;
    for shard in 0..3 {
        client.execute::<()>(cmd("SET").arg(key_of(shard)).arg("v")).await.expect("served");
    }
    assert_eq!(known_ids(&client), ids);
    for node in 0..3 {
        assert_eq!(tell(&theirs, node, &["DBSIZE"]).await.as_integer(), Some(0));
    }
}

/// The address of the only seed is given to another cluster. While the known nodes answer, that replaced them within a
/// refresh; now it is reported, and they are used until they are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_that_leads_elsewhere_replaces_no_cluster_that_answers() {
    let (ours, theirs) = tokio::join!(cluster(), cluster());
    let any = "127.0.0.1:0".parse().expect("an address");
    let door = FaultProxy::listen(&[any], ours.node(0).socket_addr()).await.expect("a port");
    let seed = (door.addresses()[0].ip().to_string(), door.addresses()[0].port());
    let config = with_seeds([seed]).refresh_interval(SECOND / 5);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let (ids, other_ids) = (ids_of(&ours), ids_of(&theirs));
    eventually("connected", 5 * SECOND, || async { known_ids(&client) == ids }).await;

    let mut events = client.events();
    door.retarget(theirs.node(0).socket_addr());
    door.set(Fault::Reset);
    door.pass();
    let mut reported = 0;
    while reported < 10 {
        let notice = tokio::time::timeout(10 * SECOND, events.next()).await.expect("it is reported");
        let Some(Notice::Event(event)) = notice else { continue };
        assert!(!matches!(event, Event::TopologyChanged { .. }), "{event:?}");
        reported += usize::from(matches!(event, Event::Disagreement { .. }));
    }
    assert_eq!(known_ids(&client), ids);
    for shard in 0..3 {
        client.execute::<()>(cmd("SET").arg(key_of(shard)).arg("v")).await.expect("served");
    }

    ours.nodes().iter().for_each(|node| node.kill());
    eventually("the old nodes are gone", 10 * SECOND, || async { known_ids(&client) == other_ids }).await;
    let write = || async { client.execute::<()>(cmd("SET").arg("k").arg("v")).await.is_ok() };
    eventually("the seed's cluster is used", 5 * SECOND, write).await;
}

/// A refresh adopted what most nodes believed at that moment, and then nothing asked again for a minute: a replica that was
/// gone stayed on the map as long as the nodes that were asked had believed in it. Here all of them are wrong for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_heard_while_nodes_did_not_know_better_is_asked_for_again() {
    let lab = Lab::builder(Profile::Plain).shards(3).replicas(1).fault_proxies(true);
    let lab = lab.start().await.expect("the lab starts");
    let (host, port) = lab.nodes().last().expect("a replica").announced();
    let replica = format!("{host}:{port}");
    let announce_elsewhere = |node: usize| {
        let (host, port) = (host.clone(), port);
        lab.proxy(node).rewrite(move |announced| {
            let mut shown = announced.clone();
            if announced.host.as_deref() == Some(&host) && announced.port == port {
                shown.port = 1;
            }
            shown
        });
    };
    let nodes = 0..lab.nodes().len();
    nodes.clone().for_each(announce_elsewhere);
    let config = config(&lab).refresh_interval(600 * SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let is_known = || {
        let nodes = client.topology().nodes().to_vec();
        nodes.iter().any(|node| node.endpoint.to_string() == replica)
    };
    // A connection is lost, and the refresh that follows learns nothing new.
    let (mut events, mut is_lost) = (client.events(), false);
    lab.proxy(2).end_open(Ending::Reset);
    while !is_lost {
        let notice = tokio::time::timeout(5 * SECOND, events.next()).await.expect("it is noticed");
        is_lost = matches!(notice, Some(Notice::Event(Event::Disconnected { .. })));
    }
    tokio::time::sleep(SECOND / 2).await;
    assert!(!is_known());
    nodes.for_each(|node| lab.proxy(node).rewrite(Clone::clone));
    eventually("the views were asked for again", 10 * SECOND, || async { is_known() }).await;
}
