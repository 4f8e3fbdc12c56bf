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

use crate::support::scripted::{Scripted, bulk, node, slots};
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

/// One server that has all slots and says `said`, otherwise what servers say. With an empty text it ends the connection.
async fn alone(said: impl Fn(&[String]) -> Option<String> + Send + Sync + 'static) -> (Scripted, Client) {
    let peer = Scripted::listen("127.0.0.1:0", |_| None).await;
    let (at, id) = (peer.address, "a".repeat(40));
    peer.becomes(move |words| {
        let (name, second) = (words[0].as_str(), words.get(1).map_or("", String::as_str));
        let usual = || match (name, second) {
            ("CLUSTER", "NODES") => bulk(&format!("{id} {at}@1 myself,master - 0 0 1 connected 0-16383\n")),
            ("INFO", "server") => bulk(&format!("# Server\r\nrun_id:{}\r\n", "b".repeat(40))),
            ("INFO", _) => bulk("# Commandstats\r\n"),
            _ => node(words, &id, &slots(&[(0, 16_383, at, &id)])),
        };
        said(words).map_or_else(|| Some(usual()), |said| Some(said).filter(|said| !said.is_empty()))
    });
    let config = Config::new().seed(at.ip().to_string(), at.port()).plaintext();
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    (peer, client)
}

/// A server whose cursors go in a circle was asked for ever.
#[tokio::test]
async fn a_circle_of_cursors_ends_a_scan_with_an_error() {
    let (peer, client) = alone(|words| {
        let cursor: u64 = match words[0].as_str() {
            "SCAN" => words[1].parse().ok()?,
            "HSCAN" => words[2].parse().ok()?,
            _ => return None,
        };
        let next = if cursor < 50 { cursor + 1 } else { 20 };
        Some(format!("*2\r\n{}*2\r\n{}{}", bulk(&next.to_string()), bulk("k"), bulk("v")))
    })
    .await;
    let ended = tokio::time::timeout(10 * SECOND, async {
        let mut keys = client.scan().keys();
        let missing = loop {
            match keys.next().await.expect("not the end") {
                Ok(key) => assert!(key == "k" || key == "v"),
                Err(ScanError::Missing(missing)) => break missing,
                Err(other) => panic!("{other}"),
            }
        };
        assert!(keys.next().await.is_none() && !keys.is_complete());
        let mut fields = client.hscan("hash").elements();
        let error = loop {
            if let Err(error) = fields.next().await.expect("not the end") {
                break error;
            }
        };
        assert!(fields.next().await.is_none());
        (missing.to_string(), error.to_string())
    });
    let (missing, error) = ended.await.expect("it ends");
    for told in [&missing, &error] {
        assert!(told.contains("cursor") && told.contains("met before"), "{told}");
    }
    assert!(missing.contains("0-16383") && missing.contains(&peer.address.to_string()), "{missing}");
    assert!(peer.times("SCAN").len() < 300 && peer.times("HSCAN").len() < 300);
}

/// A server, or a proxy before it, that does not say which process it is or what moved: a scan failed at once.
#[tokio::test]
async fn a_server_that_does_not_say_which_process_it_is_is_scanned_on_one_connection() {
    const KEYS: u64 = 100;
    let page = |words: &[String]| {
        let cursor: u64 = words[1].parse().ok()?;
        let next = if cursor + 1 < KEYS { cursor + 1 } else { 0 };
        Some(format!("*2\r\n{}*1\r\n{}", bulk(&next.to_string()), bulk(&format!("key:{cursor}"))))
    };
    for says_info in [true, false] {
        let cut_at = Arc::new(AtomicUsize::new(0));
        let cut = cut_at.clone();
        let (peer, client) = alone(move |words| match words[0].as_str() {
            "INFO" if says_info => Some(bulk("# Server\r\nredis_version:7.4.0\r\n")),
            "INFO" => Some("-ERR unknown command 'INFO'\r\n".to_owned()),
            // Once, the connection ends: what answers after that may be another process.
            "SCAN" if words[1] == "50" && cut.fetch_add(1, Ordering::Relaxed) == 0 => Some(String::new()),
            "SCAN" => page(words),
            _ => None,
        })
        .await;
        let (mut keys, mut found) = (client.scan().keys(), BTreeMap::<String, usize>::new());
        while let Some(key) = keys.next().await {
            let key = key.unwrap_or_else(|error| panic!("{error}"));
            *found.entry(String::from_utf8(key.to_vec()).expect("text")).or_default() += 1;
        }
        assert!(keys.is_complete());
        assert_eq!((found.len() as u64, found["key:0"], found["key:99"]), (KEYS, 2, 1), "read anew");
        let asked = peer.times("SCAN").len() as u64;
        assert!((KEYS + 51..KEYS + 60).contains(&asked), "{asked}");
    }
}

/// Other nodes refused to confirm, and a minute passed until it was said that they had not answered.
#[tokio::test]
async fn a_refusal_at_other_nodes_is_told_at_once_with_its_node_and_what_to_allow() {
    let lab = lab(LabProfile::Plain).await;
    let client = connect(&lab).await;
    set(&client, &keys_of(0, "key").take(100).collect()).await;
    for node in 1..3 {
        tell(&lab, node, &["ACL", "SETUSER", "default", "-cluster|nodes"]).await;
    }
    let began = std::time::Instant::now();
    let (mut keys, mut found, mut missing) = (client.scan().keys(), 0, Vec::new());
    while let Some(key) = keys.next().await {
        match key {
            Ok(_) => found += 1,
            Err(ScanError::Missing(slots)) => missing.push(slots),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(began.elapsed() < 10 * SECOND && found == 100 && missing.len() == 3, "{missing:?}");
    for slots in &missing {
        let told = slots.to_string();
        let of = slots.node.as_ref().expect("a node").port();
        assert!(told.contains("NOPERM") && told.contains("+cluster|nodes"), "{told}");
        if of == lab.node(0).port {
            // It may be asked itself: the others may not.
            let others = [1, 2].map(|node| format!(":{}", lab.node(node).port));
            assert!(others.iter().any(|other| told.contains(other)), "{told}");
        }
    }
    for node in 1..3 {
        tell(&lab, node, &["ACL", "SETUSER", "default", "+cluster|nodes"]).await;
    }
    let rest = keys.cursor().expect("all is left");
    let mut keys = client.scan().resume(rest).keys();
    while let Some(key) = keys.next().await {
        key.expect("nothing is missing");
    }
    assert!(keys.is_complete());
}
