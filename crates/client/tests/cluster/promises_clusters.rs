//! Which cluster is meant, when addresses lead to several: the seeds decide it at the start, and a client that knows its
//! cluster leaves it only when its nodes are gone, or outvoted by the seeds.

use std::time::Duration;

use crate::support::{config, eventually, ids_of, key_of, known_ids, tell};
use truename::{Client, Config, Event, Events, Notice, cmd};
use truename_lab::{Announced, Ending, Fault, FaultProxy, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);

async fn cluster_of(shards: usize) -> Lab {
    let lab =
        Lab::builder(LabProfile::Plain).shards(shards).replicas(0).fault_proxies(true).password(Some("same"));
    lab.start().await.expect("the lab starts")
}

async fn cluster() -> Lab {
    cluster_of(3).await
}

/// A way of our own to a node of a lab.
async fn door_to(lab: &Lab, node: usize) -> FaultProxy {
    let any = "127.0.0.1:0".parse().expect("an address");
    FaultProxy::listen(&[any], lab.node(node).socket_addr()).await.expect("a port")
}

fn address_of(door: &FaultProxy) -> (String, u16) {
    let address = door.addresses()[0];
    (address.ip().to_string(), address.port())
}

/// Every connection through it ends, and the next ones lead elsewhere.
fn lead_elsewhere(door: &FaultProxy, lab: &Lab, node: usize) {
    door.retarget(lab.node(node).socket_addr());
    door.set(Fault::Reset);
    door.pass();
}

/// This many disagreements are reported, and no other topology is adopted.
async fn expect_mere_reports(events: &mut Events, many: usize) {
    let mut reported = 0;
    while reported < many {
        let notice = tokio::time::timeout(10 * SECOND, events.next()).await.expect("it is reported");
        let Some(Notice::Event(event)) = notice else { continue };
        assert!(!matches!(event, Event::TopologyChanged { .. }), "{event:?}");
        reported += usize::from(matches!(event, Event::Disagreement { .. }));
    }
}

fn slow(milliseconds: u64) -> Fault {
    Fault::Delay { by: Duration::from_millis(milliseconds), jitter: Duration::ZERO }
}

fn with_seeds(seeds: impl IntoIterator<Item = (String, u16)>) -> Config {
    Config::new().plaintext().password("same").seeds(seeds).command_timeout(2 * SECOND)
}

/// The first seed to answer was believed, and the nodes that it named confirmed what it had said: one address of three that
/// had been given to another cluster captured the client, if that cluster was the faster one. It is the fastest here, and one
/// of the others comes when two have answered already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_seed_to_answer_does_not_decide_which_cluster_is_meant() {
    let (ours, theirs) = tokio::join!(cluster(), cluster());
    ours.proxy(0).set(slow(20));
    ours.proxy(1).set(slow(150));
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
    let door = door_to(&ours, 0).await;
    let config = with_seeds([address_of(&door)]).refresh_interval(SECOND / 5);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let (ids, other_ids) = (ids_of(&ours), ids_of(&theirs));
    eventually("connected", 5 * SECOND, || async { known_ids(&client) == ids }).await;

    let mut events = client.events();
    lead_elsewhere(&door, &theirs, 0);
    let before: u64 = ours.proxies().iter().map(|proxy| proxy.traffic().accepted).sum();
    expect_mere_reports(&mut events, 10).await;
    assert_eq!(known_ids(&client), ids);
    // The connections to ask our nodes on are kept meanwhile.
    let after: u64 = ours.proxies().iter().map(|proxy| proxy.traffic().accepted).sum();
    assert!(after - before <= 6, "{} connections for ten refreshes", after - before);
    for shard in 0..3 {
        client.execute::<()>(cmd("SET").arg(key_of(shard)).arg("v")).await.expect("served");
    }

    ours.nodes().iter().for_each(|node| node.kill());
    eventually("the old nodes are gone", 10 * SECOND, || async { known_ids(&client) == other_ids }).await;
    let write = || async { client.execute::<()>(cmd("SET").arg("k").arg("v")).await.is_ok() };
    eventually("the seed's cluster is used", 5 * SECOND, write).await;
}

/// All lanes end in one moment, and the refresh that follows found no node connected: the seed, which leads elsewhere by
/// then, was the only one to be asked, and its cluster replaced one that had never been away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moment_without_connections_is_no_reason_to_follow_a_seed_elsewhere() {
    let (ours, theirs) = tokio::join!(cluster(), cluster());
    let door = door_to(&ours, 0).await;
    let client =
        Client::connect(&with_seeds([address_of(&door)])).await.unwrap_or_else(|error| panic!("{error}"));
    let ids = ids_of(&ours);
    eventually("connected", 5 * SECOND, || async { known_ids(&client) == ids }).await;
    let mut events = client.events();
    ours.proxies().iter().for_each(|proxy| proxy.set(slow(100)));
    lead_elsewhere(&door, &theirs, 0);
    ours.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Reset));
    expect_mere_reports(&mut events, 3).await;
    assert_eq!(known_ids(&client), ids);
}

/// Four addresses are given to another cluster, and a refresh asked three nodes: they were outvoted while five answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeds_that_lead_elsewhere_are_outvoted_by_all_nodes_that_answer() {
    let (ours, theirs) = tokio::join!(cluster_of(5), cluster_of(4));
    let mut doors = Vec::new();
    for node in 0..4 {
        doors.push(door_to(&ours, node).await);
    }
    let client = Client::connect(&with_seeds(doors.iter().map(address_of))).await;
    let client = client.unwrap_or_else(|error| panic!("{error}"));
    let ids = ids_of(&ours);
    // Up to four were asked to connect, and then all four which cluster is meant.
    eventually("the seeds have decided", 5 * SECOND, || async {
        let traffic: Vec<_> = doors.iter().map(FaultProxy::traffic).collect();
        traffic.iter().map(|door| door.accepted).sum::<u64>() > 4 && traffic.iter().all(|door| door.open == 0)
    })
    .await;
    assert_eq!(known_ids(&client), ids);
    let mut events = client.events();
    doors.iter().enumerate().for_each(|(node, door)| lead_elsewhere(door, &theirs, node));
    ours.proxy(4).end_open(Ending::Reset);
    expect_mere_reports(&mut events, 20).await;
    assert_eq!(known_ids(&client), ids);
}

/// A seed that lies about addresses and is the first to answer named its own doors to every node, each with the true id
/// of that node; they were then asked in place of the nodes, and confirmed the lie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_that_lies_about_addresses_is_corrected_by_two_that_do_not() {
    let ours = cluster().await;
    let mut doors = Vec::new();
    for node in 0..3 {
        doors.push(door_to(&ours, node).await);
    }
    let ports: Vec<(u16, u16)> = ours
        .nodes()
        .iter()
        .zip(&doors)
        .map(|(node, door)| (node.announced().1, address_of(door).1))
        .collect();
    let lie = move |announced: &Announced| {
        let mut shown = announced.clone();
        if let Some((_, evil)) = ports.iter().find(|(port, _)| *port == announced.port) {
            shown.port = *evil;
        }
        shown
    };
    doors.iter().for_each(|door| door.rewrite(lie.clone()));
    // Faster than the two others, of which one comes when two have answered already.
    ours.proxy(1).set(slow(20));
    ours.proxy(2).set(slow(150));
    let honest = ours.seeds().into_iter().skip(1).take(2);
    let seeds = std::iter::once(address_of(&doors[0])).chain(honest);
    let client = Client::connect(&with_seeds(seeds)).await.unwrap_or_else(|error| panic!("{error}"));
    let honest: Vec<u16> = ours.nodes().iter().map(|node| node.announced().1).collect();
    let is_honest = || async { client.nodes().iter().all(|node| honest.contains(&node.node.port())) };
    eventually("the lie is outvoted", 5 * SECOND, is_honest).await;
    eventually("its doors are left", 5 * SECOND, || async {
        doors[1..].iter().all(|door| door.traffic().open == 0)
    })
    .await;
    assert!(is_honest().await);
}

/// A refresh adopted what most nodes believed at that moment, and then nothing asked again for a minute: a replica that was
/// gone stayed on the map as long as the nodes that were asked had believed in it. Here all of them are wrong for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_heard_while_nodes_did_not_know_better_is_asked_for_again() {
    let lab = Lab::builder(LabProfile::Plain).shards(3).replicas(1).fault_proxies(true);
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
