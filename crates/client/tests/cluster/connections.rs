//! How connections are used, kept and given up: blocking commands, idle ones, dropped clients, resumed sessions.

use std::time::Duration;

use crate::support::info::info;
use crate::support::{config, connect, eventually, lab, one_node, proxied_server, spread_keys, tell};
use tokio::time::Instant;
use truename::{Client, Credentials, Event, Notice, Protocol, cmd};
use truename_lab::{Lab, LabProfile};

#[tokio::test]
async fn a_blocking_command_delays_nobody_and_outlives_the_stall_time() {
    let lab = one_node(LabProfile::Plain).await;
    let stall = Duration::from_millis(300);
    let client = Client::connect(&config(&lab).stall_timeout(stall)).await.expect("connected");
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.execute::<(String, String)>(cmd("BLPOP").arg("queue").arg(0)).await }
    });
    let blocked = || async { info(&lab, 0, "clients", "blocked_clients").await == 1 };
    eventually("BLPOP blocks", Duration::from_secs(5), blocked).await;
    let started = Instant::now();
    while started.elapsed() < stall * 3 {
        client.execute::<()>(cmd("SET").arg("other").arg(1)).await.expect("not blocked");
    }
    client.execute::<()>(cmd("RPUSH").arg("queue").arg("item")).await.expect("pushed");
    let popped = waiting.await.expect("no panic").expect("popped");
    assert_eq!(popped, ("queue".to_owned(), "item".to_owned()));
}

#[tokio::test]
async fn a_dropped_blocking_call_takes_nothing() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    for round in 0..20 {
        let pop = client.execute::<Option<(String, String)>>(cmd("BLPOP").arg("queue").arg(0));
        assert!(tokio::time::timeout(Duration::from_millis(20), pop).await.is_err(), "nothing was pushed");
        let gone = || async { info(&lab, 0, "clients", "blocked_clients").await == 0 };
        eventually("the server forgets the caller", Duration::from_secs(5), gone).await;
        client.execute::<()>(cmd("RPUSH").arg("queue").arg(round)).await.expect("pushed");
        let left: i64 = client.execute(cmd("LPOP").arg("queue")).await.expect("still there");
        assert_eq!(left, round);
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_client() {
    let lab = lab(LabProfile::Azure).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let clients = || async { info(&lab, 0, "clients", "connected_clients").await };
    let connected_before = clients().await;
    for _ in 0..5 {
        let client = connect(&lab).await;
        for key in spread_keys("drop", 6) {
            client.execute::<()>(cmd("SET").arg(&key).arg(1)).await.expect("OK");
        }
    }
    eventually("tasks end", Duration::from_secs(5), || async { tasks() <= before }).await;
    let closed = || async { clients().await <= connected_before };
    eventually("connections end", Duration::from_secs(5), closed).await;
}

#[tokio::test]
async fn a_closed_client_says_so() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    client.close();
    let error = client.execute::<()>(cmd("SET").arg("a").arg(1)).await.expect_err("closed");
    assert!(matches!(error, truename::Error::Closed), "{error}");
    assert!(!error.may_have_executed());
}

/// The seed was dialled twice, once to ask it and once to use it.
#[tokio::test]
async fn the_connection_that_a_seed_answers_on_is_the_connection_to_its_node() {
    // By the addresses that are announced, over TLS and without, and where there is no cluster.
    let labs = [
        Lab::builder(LabProfile::Plain).replicas(0),
        Lab::builder(LabProfile::Plain).replicas(0).tls(false),
        Lab::builder(LabProfile::Plain).no_cluster(),
        Lab::builder(LabProfile::PerNodeCerts).replicas(0),
    ];
    for lab in labs {
        let lab = lab.start().await.expect("the lab starts");
        let (host, port) = lab.node(0).announced();
        // Servers number connections in turn, and each of these is a new one.
        let before = tell(&lab, 0, &["CLIENT", "ID"]).await.as_integer().expect("a number");
        let client = Client::connect(&config(&lab).seeds([(host.clone(), port)])).await.expect("connected");
        let to_the_seed = cmd("CLIENT").arg("ID").route_to(&truename::topology::Endpoint::new(host, port));
        let number: i64 = client.execute(to_the_seed).await.expect("its number");
        let first = before + 1;
        assert_eq!(number, first, "{:?}", client.nodes());
    }
}

/// Servers answer these with nothing, and end the connection, which others share.
#[tokio::test]
async fn what_servers_take_for_http_is_not_sent() {
    let lab = one_node(LabProfile::Plain).await;
    let client = connect(&lab).await;
    let connection = || client.execute::<u64>(cmd("CLIENT").arg("ID").route_to_any());
    let before = connection().await.expect("its number");
    for name in ["POST", "post", "Host:", "HOST:", "POST\0", "host:\0x", "quit\0"] {
        let error = client.execute::<truename::Reply>(cmd(name).arg("a")).await.expect_err("refused");
        assert!(error.to_string().contains("for an HTTP request") && !error.may_have_executed(), "{error}");
        let [outcome] = &client.batch().with(cmd(name)).execute::<truename::Reply>().await[..] else {
            panic!()
        };
        assert!(outcome.is_err());
    }
    assert_eq!(connection().await.expect("its number"), before);
    assert!(lab.command(0, &["POST", "a"]).await.is_err(), "servers still do so");
}

#[tokio::test]
async fn a_server_that_is_full_is_quoted() {
    let lab = one_node(LabProfile::Plain).await;
    lab.command(0, &["CONFIG", "SET", "maxclients", "1"]).await.expect("OK");
    let (host, port) = lab.seed();
    let last_place = tokio::net::TcpStream::connect((host, port)).await.expect("room for one");
    let error = Client::connect(&config(&lab).connect_timeout(Duration::from_secs(1))).await;
    let error = error.expect_err("no room").to_string();
    assert!(error.contains("ERR max number of clients"), "{error}");
    drop(last_place);
}

#[tokio::test]
async fn a_reconnect_resumes_the_tls_session() {
    let lab = one_node(LabProfile::Azure).await;
    let client = connect(&lab).await;
    client.execute::<()>(cmd("SET").arg("a").arg(1)).await.expect("OK");
    let mut events = client.events();
    lab.command(0, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await.expect("killed");
    loop {
        let notice = tokio::time::timeout(Duration::from_secs(5), events.next()).await.expect("an event");
        if let Some(Notice::Event(Event::Connected { facts, .. })) = notice {
            assert!(facts.is_resumed, "a full handshake: {facts:?}");
            assert!(facts.identity.is_some(), "a resumed session proves its name too");
            break;
        }
    }
}

#[tokio::test]
async fn an_idle_connection_that_died_is_noticed_and_replaced() {
    let lab = one_node(LabProfile::Plain).await;
    let quick = config(&lab).keepalive(Duration::from_millis(200)).stall_timeout(Duration::from_millis(400));
    let client = Client::connect(&quick).await.expect("connected");
    client.execute::<()>(cmd("SET").arg("a").arg(1)).await.expect("OK");
    let mut events = client.events();
    lab.node(0).stop();
    let noticed = tokio::time::timeout(Duration::from_secs(3), async {
        while !matches!(events.next().await, Some(Notice::Event(Event::Disconnected { .. })) | None) {}
    });
    noticed.await.expect("silence is noticed without a command");
    lab.node(0).cont();
    let back = || async { client.execute::<i64>(cmd("GET").arg("a")).await.is_ok_and(|value| value == 1) };
    eventually("service resumes", Duration::from_secs(5), back).await;
}

#[tokio::test]
async fn more_commands_than_there_is_room_for_wait_their_turn() {
    let lab = one_node(LabProfile::Plain).await;
    let small = config(&lab).max_in_flight(4).max_queued_bytes(4096);
    let client = Client::connect(&small).await.expect("connected");
    let value = "x".repeat(1000);
    let calls: Vec<_> = (0..500)
        .map(|n| {
            let (client, value) = (client.clone(), value.clone());
            tokio::spawn(async move {
                let key = format!("room:{n}");
                client.execute::<()>(cmd("SET").arg(&key).arg(&value)).await?;
                client.execute::<String>(cmd("GET").arg(&key)).await
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic").expect("a value"), value);
    }
}

#[tokio::test]
async fn large_values_both_ways_at_once() {
    let lab = one_node(LabProfile::Azure).await;
    let client = connect(&lab).await;
    let value = "0123456789abcdef".repeat(512 * 1024);
    let calls: Vec<_> = (0..6)
        .map(|n| {
            let (client, value) = (client.clone(), value.clone());
            tokio::spawn(async move {
                let key = format!("large:{n}");
                let limit = Duration::from_secs(20);
                client.execute::<()>(cmd("SET").arg(&key).arg(&value).timeout(limit)).await.expect("OK");
                let read: String =
                    client.execute(cmd("GET").arg(&key).timeout(limit)).await.expect("a value");
                assert!(read == value, "another value");
            })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic");
    }
}

#[tokio::test]
async fn replaced_tls_options_hold_at_once() {
    let lab = one_node(LabProfile::Azure).await;
    let other = one_node(LabProfile::Azure).await;
    let trust = |lab: &Lab| truename::Tls::new().ca_pem(lab.ca_pem().expect("a CA")).expect("a good CA");
    let quick = config(&lab).command_timeout(Duration::from_secs(1));
    let client = Client::connect(&quick).await.expect("connected");
    let set = || client.execute::<()>(cmd("SET").arg("a").arg(1));

    client.replace_tls(trust(&other)).await.expect("replaced");
    let refused = || async {
        matches!(set().await, Err(truename::Error::Connect(error))
            if error.decisive().is_some_and(|failure| failure.cause.is_certificate()))
    };
    eventually("the authority is no longer trusted", Duration::from_secs(5), refused).await;
    client.replace_tls(trust(&lab)).await.expect("replaced");
    eventually("trust is back", Duration::from_secs(5), || async { set().await.is_ok() }).await;
}

#[tokio::test]
async fn every_connection_selects_the_database() {
    let lab = proxied_server().await;
    let zero = connect(&lab).await;
    for protocol in [Protocol::Auto, Protocol::Resp2] {
        let two = Client::connect(&config(&lab).database(2).protocol(protocol)).await.expect("connected");
        two.execute::<()>(cmd("SET").arg("k").arg("two")).await.expect("OK");
        assert_eq!(zero.execute::<Option<String>>(cmd("GET").arg("k")).await.expect("a reply"), None);
        // After the shared connection was lost, and on an exclusive one.
        tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "normal"]).await;
        assert_eq!(two.execute::<String>(cmd("GET").arg("k")).await.expect("a reply"), "two");
        two.execute::<()>(cmd("RPUSH").arg("queue").arg("item")).await.expect("pushed");
        let popped: (String, String) = two.execute(cmd("BLPOP").arg("queue").arg(0)).await.expect("popped");
        assert_eq!(popped.1, "item");
    }
    let error = Client::connect(&config(&lab).database(99)).await.expect_err("there are 16");
    assert!(error.to_string().contains("the database cannot be used"), "{error}");
}

/// The error had the server's words in the place of the command, and the advice was rights that the user had.
#[tokio::test]
async fn the_advised_right_is_the_one_that_is_missing() {
    let lab = proxied_server().await;
    tell(&lab, 0, &["ACL", "SETUSER", "limited", "on", ">pw", "~*", "+@all", "-select"]).await;
    let limited = config(&lab).credentials(Credentials::user("limited", "pw")).database(2);
    let error = Client::connect(&limited).await.expect_err("SELECT is not permitted");
    assert!(error.to_string().contains("the user may not run SELECT (NOPERM"), "{error}");
    let advice = error.remedy().expect("advice").to_string();
    let right = advice.split("ACL SETUSER NAME ").nth(1).and_then(|rest| rest.split(';').next());
    assert_eq!(right, Some("+select"), "{advice}");
    tell(&lab, 0, &["ACL", "SETUSER", "limited", "+select"]).await;
    let client = Client::connect(&limited).await.expect("connected");
    assert_eq!(client.execute::<Option<String>>(cmd("GET").arg("k")).await.expect("a reply"), None);
}

#[tokio::test]
async fn a_cluster_that_lacks_the_database_is_refused_with_the_reason() {
    let lab = one_node(LabProfile::Azure).await;
    let error = Client::connect(&config(&lab).database(1)).await.expect_err("there is one");
    let text = error.to_string();
    assert!(text.contains("the database cannot be used") && text.contains("Config::database"), "{text}");
    let client = connect(&lab).await;
    if !has_cluster_databases(&client) {
        return;
    }
    let several = Lab::builder(LabProfile::Azure).shards(3).replicas(0).server_arg("cluster-databases", "4");
    let several = several.start().await.expect("the lab starts");
    let one = Client::connect(&config(&several).database(1)).await.expect("connected");
    let zero = connect(&several).await;
    for key in spread_keys("database", 6) {
        one.execute::<()>(cmd("SET").arg(&key).arg(1)).await.expect("OK");
        assert_eq!(zero.execute::<Option<i64>>(cmd("GET").arg(&key)).await.expect("a reply"), None);
    }
}

/// Valkey has them from 9.0 on.
fn has_cluster_databases(client: &Client) -> bool {
    let facts = client.nodes()[0].facts.clone().expect("connected");
    let version = facts.greeting.product().into_owned();
    let major =
        version.strip_prefix("valkey/").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major >= 9)
}
