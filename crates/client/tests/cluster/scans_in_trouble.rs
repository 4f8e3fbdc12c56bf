//! Scans where something is in the way: replicas that lag, several processes behind one address, slots that get stuck, users who
//! may not ask.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use truename::scan::ScanError;
use truename::topology::Slot;
use truename::{Client, Config, Error, ReadFrom, cmd};
use truename_lab::{Lab, LabProfile};

use crate::support::{config, connect, eventually, key_of, keys_of, lab, one_node, tell};

const SECOND: Duration = Duration::from_secs(1);

async fn set(client: &Client, keys: &BTreeSet<String>) {
    let mut batch = client.batch();
    batch.extend(keys.iter().map(|key| cmd("SET").arg(key).arg("v")));
    assert!(batch.execute::<()>().await.into_iter().all(|outcome| outcome.is_ok()));
}

fn fields(count: usize) -> impl Iterator<Item = [String; 2]> {
    (0..count).map(|n| [format!("f{n}"), n.to_string()])
}

async fn fill_hash(client: &Client, key: &str, count: usize) {
    client.run(cmd("HSET").arg(key).args(fields(count).flatten())).await.expect("a number");
}

/// A replica has a part of two hashes, and its primary all of them: what is read from a replica is short.
#[tokio::test]
async fn values_are_read_from_the_primary_whatever_the_client_prefers() {
    let lab = Lab::builder(LabProfile::Plain).shards(1).replicas(1).start().await.expect("the lab starts");
    let writer = connect(&lab).await;
    for (key, count) in [("small", 3), ("large", 2000)] {
        fill_hash(&writer, key, count).await;
    }
    assert_eq!(tell(&lab, 0, &["WAIT", "1", "10000"]).await.as_integer(), Some(1), "the replica has that");
    let replica = lab.replicas()[0].index;
    tell(&lab, replica, &["CONFIG", "SET", "masterauth", "no longer right"]).await;
    tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "replica"]).await;
    for (key, count) in [("small", 6), ("large", 4000)] {
        fill_hash(&writer, key, count).await;
    }
    let reader = Client::connect(&config(&lab).read_from(ReadFrom::Replica)).await.expect("connected");
    eventually("the replica is connected", 5 * SECOND, || async {
        reader.execute::<usize>(cmd("HLEN").arg("small")).await.is_ok_and(|length| length == 3)
    })
    .await;
    for (key, count) in [("small", 6), ("large", 4000), ("nobody", 0)] {
        let (mut found, mut elements) = (BTreeMap::new(), reader.hscan(key).elements());
        while let Some(field) = elements.next().await {
            found.extend([field.expect("a pair")]);
        }
        assert_eq!(found.len(), count, "{key}");
    }
}

/// One address that leads to one of several servers: what a load balancer is, or a host whose server is replaced.
struct Switch {
    address: SocketAddr,
    chosen: Arc<AtomicUsize>,
    cut: Arc<Notify>,
    task: AbortHandle,
}

impl Switch {
    async fn between(servers: Vec<(String, u16)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (chosen, cut) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
        let (choice, cuts) = (chosen.clone(), cut.clone());
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (mut client, _) = tokio::select! {
                    accepted = listener.accept() => accepted.expect("a connection"),
                    () = cuts.notified() => {
                        open.abort_all();
                        continue;
                    }
                };
                let server = servers[choice.load(Ordering::Relaxed)].clone();
                open.spawn(async move {
                    let mut server = TcpStream::connect(server).await.expect("the server listens");
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, chosen, cut, task: task.abort_handle() }
    }

    /// From now on another server answers; what is connected is cut.
    fn choose(&self, server: usize) {
        self.chosen.store(server, Ordering::Relaxed);
        self.cut.notify_one();
    }

    async fn client(&self) -> Client {
        let config = Config::new().seed(self.address.ip().to_string(), self.address.port()).plaintext();
        Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Both servers have the same data, at other places of their tables.
async fn two_servers_behind_one_address() -> (Vec<Lab>, Switch) {
    let mut labs = Vec::new();
    for _ in 0..2 {
        let lab = Lab::builder(LabProfile::Plain).no_cluster().tls(false).password(None);
        labs.push(lab.start().await.expect("the lab starts"));
    }
    let addresses = labs.iter().map(Lab::seed).collect();
    (labs, Switch::between(addresses).await)
}

/// The first and the last question about the process were answered by the same one, and the pages between came from another.
#[tokio::test]
async fn a_cursor_is_not_followed_in_another_process_at_the_same_address() {
    let (labs, switch) = two_servers_behind_one_address().await;
    let keys: BTreeSet<String> = (0..8000).map(|n| format!("key:{n}")).collect();
    for lab in &labs {
        set(&connect(lab).await, &keys).await;
    }
    let client = switch.client().await;
    let (mut scan, mut found) = (client.scan().count(50).keys(), BTreeSet::new());
    for taken in 1.. {
        let Some(key) = scan.next().await else { break };
        found.insert(String::from_utf8(key.expect("nothing is missing").to_vec()).expect("text"));
        match taken {
            1000 => switch.choose(1),
            4000 => switch.choose(0),
            _ => {}
        }
    }
    assert!(scan.is_complete());
    assert_eq!(keys.difference(&found).count(), 0, "all that was there throughout, in both");
}

#[tokio::test]
async fn a_value_is_not_read_from_two_processes_at_the_same_address() {
    const FIELDS: usize = 6000;
    let (labs, switch) = two_servers_behind_one_address().await;
    for lab in &labs {
        fill_hash(&connect(lab).await, "hash", FIELDS).await;
    }
    let client = switch.client().await;
    let (mut elements, mut found) = (client.hscan("hash").count(50).elements(), BTreeMap::new());
    for taken in 1.. {
        let Some(field) = elements.next().await else { break };
        found.extend([field.expect("a pair")]);
        match taken {
            1000 => switch.choose(1),
            3000 => switch.choose(0),
            _ => {}
        }
    }
    assert_eq!(found.len(), FIELDS);
}

/// A slot that stays between its owners while keys move with it made every pass of both of them come to nothing.
#[tokio::test]
async fn a_stuck_slot_costs_its_own_keys_alone() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let (mut keys, slot) =
        ((0..3000).map(|n| format!("key:{n}")).collect::<BTreeSet<_>>(), Slot::of_key(b"stuck"));
    keys.retain(|key| Slot::of_key(key.as_bytes()) != slot);
    set(&client, &keys).await;
    set(&client, &(0..4000).map(|n| format!("{{stuck}}{n}")).collect()).await;
    let from = lab.primary_of_slot(slot.value()).await.expect("an owner");
    let to = (from + 1) % 3;
    lab.begin_migration(slot.value(), from, to).await.expect("begun");
    let mut scan = client.scan().count(20).patience(SECOND).keys();
    let (mut found, mut missing) = (BTreeSet::new(), Vec::new());
    let reading = async {
        while let Some(key) = scan.next().await {
            match key {
                Ok(key) => drop(found.insert(String::from_utf8(key.to_vec()).expect("text"))),
                Err(error) => missing.push(error.to_string()),
            }
        }
    };
    let moving = async {
        loop {
            lab.migrate_keys(slot.value(), from, to, 1).await.expect("moved");
        }
    };
    tokio::select! {
        () = reading => {}
        () = moving => {}
    }
    let expected = format!("keys of slots {slot} are missing");
    assert!(missing.len() == 1 && missing[0].starts_with(&expected), "{missing:?}");
    assert!(keys.is_subset(&found) && !scan.is_complete());
}

/// Whoever could know that a node was replaced is silent: that passed for consent.
#[tokio::test]
async fn a_pass_counts_once_somebody_confirms_that_its_node_was_not_replaced() {
    const KEYS: usize = 3000;
    let lab = Lab::builder(LabProfile::Plain).replicas(0).node_timeout(30 * SECOND);
    let lab = lab.start().await.expect("the lab starts");
    let client = connect(&lab).await;
    set(&client, &keys_of(0, "only").take(KEYS).collect()).await;
    let mut scan = client.scan().count(50).keys();
    for taken in 0..KEYS {
        scan.next().await.expect("a key").expect("nothing is missing");
        // The others, which have nothing, are done by then.
        if taken < KEYS / 2 && taken % 10 == 0 {
            client.run(cmd("PING").route_by_key(key_of(1))).await.expect("PONG");
        }
        if taken == KEYS / 2 {
            (1..3).for_each(|node| lab.node(node).stop());
        }
    }
    let ended = tokio::time::timeout(2 * SECOND, scan.next()).await;
    assert!(ended.is_err() && !scan.is_complete(), "{ended:?}");
    (1..3).for_each(|node| lab.node(node).cont());
    assert!(scan.next().await.is_none() && scan.is_complete(), "nothing had to be read again");
}

/// The order makes the counts enclose the views of the slots, and the process is asked for at both ends.
#[tokio::test]
async fn what_tells_of_moves_is_asked_around_the_pages() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    set(&client, &(0..10).map(|n| format!("key:{n}")).collect()).await;
    tell(&lab, 0, &["CONFIG", "SET", "slowlog-log-slower-than", "0"]).await;
    let mut scan = client.scan().keys();
    while let Some(key) = scan.next().await {
        key.expect("nothing is missing");
    }
    assert!(scan.is_complete());
    let log = tell(&lab, 0, &["SLOWLOG", "GET", "100"]).await;
    let mut said: Vec<String> = log
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| {
            entry.as_array()?.get(3)?.as_array()?.iter().take(2).map(|word| word.as_str()).collect()
        })
        .map(|words: Vec<&str>| words.join(" "))
        .filter(|words| ["INFO", "CLUSTER NODES", "SCAN"].iter().any(|name| words.starts_with(name)))
        .collect();
    said.reverse();
    let expected = [
        "INFO server",
        "INFO commandstats",
        "CLUSTER NODES",
        "SCAN 0",
        "CLUSTER NODES",
        "INFO commandstats",
        "INFO server",
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn who_may_not_ask_is_told_what_to_allow_at_once() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    fill_hash(&client, "small", 3).await;
    fill_hash(&client, "large", 5000).await;
    tell(&lab, 0, &["ACL", "SETUSER", "default", "-info"]).await;
    let began = std::time::Instant::now();
    let mut keys = client.scan().keys();
    let Some(Err(ScanError::Missing(missing))) = keys.next().await else { panic!("INFO is refused") };
    assert!(missing.to_string().contains("NOPERM") && missing.to_string().contains("+info +cluster|nodes"));
    assert!(keys.next().await.is_none() && !keys.is_complete());
    let mut elements = client.hscan("large").elements();
    let error = elements.next().await.expect("an error").expect_err("INFO is refused");
    assert!(matches!(&error, Error::Server(answer) if answer.code() == "NOPERM"), "{error}");
    assert!(
        error.remedy().is_some_and(|remedy| remedy.to_string().contains("+info +cluster|nodes")),
        "{error}"
    );
    assert!(elements.next().await.is_none());
    assert!(began.elapsed() < 5 * SECOND, "it does not wait for what nobody changes");
    // What fits into one reply needs no question.
    let (mut elements, mut count) = (client.hscan("small").elements(), 0);
    while let Some(field) = elements.next().await {
        field.expect("a pair");
        count += 1;
    }
    assert_eq!(count, 3);
    tell(&lab, 0, &["ACL", "SETUSER", "default", "+info"]).await;
}
