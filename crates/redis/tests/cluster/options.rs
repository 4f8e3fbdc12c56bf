//! What a builder refuses, and that what it accepts has an effect.

use std::num::NonZeroUsize;
use std::time::Duration;

use redis::cluster_read_routing::{RandomReplicaStrategy, ReadCandidates, ReadRoutingStrategy};
use redis::io::tcp::TcpSettings;
use redis::{AsyncCommands, ErrorKind, TlsMode};
use truename::ReadFrom;
use truename_lab::LabProfile;
use truename_redis::ClusterClient;
use truename_redis::cluster::{ClusterClientBuilder, ClusterConfig};

use crate::support::{PROTOCOLS, builder, connect, lab};

#[derive(Default)]
struct MyStrategy;

impl ReadRoutingStrategy for MyStrategy {
    fn route_read<'a>(&self, candidates: &ReadCandidates<'a>) -> &'a redis::cluster::NodeAddress {
        match candidates {
            ReadCandidates::AnyNode(candidates) => candidates.replicas().first(),
            ReadCandidates::ReplicasOnly(candidates) => candidates.replicas().first(),
        }
    }
}

#[test]
fn what_cannot_be_had_is_refused_by_name() {
    let base = || ClusterClient::builder(["rediss://a.test:6379"]);
    let (sender, _receiver) = tokio::sync::mpsc::unbounded_channel();
    let rows: [(&str, ClusterClientBuilder); 16] = [
        ("retries", base().retries(3)),
        ("max_retry_wait", base().max_retry_wait(1)),
        ("min_retry_wait", base().min_retry_wait(1)),
        ("retry_wait_formula", base().retry_wait_formula(1, 2)),
        ("tls(Insecure)", base().tls(TlsMode::Insecure)),
        ("#insecure", ClusterClient::builder(["rediss://a.test:6379/#insecure"])),
        ("read_routing_strategy", base().read_routing_strategy(MyStrategy)),
        ("overall_response_timeout(None)", base().overall_response_timeout(None)),
        ("push_sender", base().push_sender(sender)),
        ("cache_config", base().cache_config(())),
        ("set_credentials_provider", base().set_credentials_provider(())),
        ("write_backpressure_boundary", base().write_backpressure_boundary(1)),
        ("max_connection_attempts", base().max_connection_attempts(NonZeroUsize::MIN)),
        (
            "tcp_settings",
            base().tcp_settings(TcpSettings::default().set_user_timeout(Duration::from_secs(1))),
        ),
        ("database_id", base().database_id(-1)),
        ("username", base().username("ada")),
    ];
    for (name, builder) in rows {
        let error = builder.build().expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidClientConfig, "{name}");
        assert!(error.to_string().contains(&format!("{name}: ")), "{name}: {error}");
    }
    let none: [&str; 0] = [];
    ClusterClient::new(none).expect_err("no node");
    ClusterClient::new(["redis+unix:///tmp/x"]).expect_err("no socket");
    ClusterClient::new(["rediss://a.test", "redis://b.test"]).expect_err("they differ");
}

#[test]
fn what_is_accepted_is_what_the_client_gets() {
    let client =
        ClusterClient::builder(["rediss://ada:secret@a.test:7000/2", "rediss://ada:secret@b.test:7001/2"])
            .tcp_settings(TcpSettings::default().set_nodelay(true))
            .read_routing_strategy(RandomReplicaStrategy)
            .connection_concurrency_limit(9)
            .configure(|config| config.client_name("orders"))
            .build()
            .expect("usable");
    let set = client.config().settings();
    assert_eq!((set.database(), set.login(), set.max_in_flight()), (2, Some("ada"), 9));
    assert_eq!((set.read_from(), set.client_name()), (&ReadFrom::PreferReplica, Some("orders")));
    assert!(set.tls().is_some_and(|tls| !tls.is_weakened()), "and every check is on");
    for text in [format!("{client:?}"), format!("{:?}", ClusterClient::builder(["rediss://:secret@a.test"]))]
    {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_can_have_options_of_its_own() {
    let lab = lab(LabProfile::Plain).await;
    let client = builder(&lab).build().expect("usable");
    let hurried = ClusterConfig::new().set_response_timeout(Duration::from_millis(100));
    let mut connection = client.get_async_connection_with_config(hurried).await.expect("connected");
    lab.node(0).stop();
    let begun = std::time::Instant::now();
    let key = "{06S}"; // a slot of the first shard
    let error = connection.set::<_, _, ()>(key, 1).await.expect_err("the server is frozen");
    lab.node(0).cont();
    assert!(begun.elapsed() < Duration::from_secs(2), "{error}");
}

/// The certificate names the seed's host, and the nodes announce addresses: nothing has to be switched off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_profile_of_a_provider_is_verified() {
    for profile in [LabProfile::Azure, LabProfile::Plain] {
        let lab = lab(profile).await;
        for protocol in PROTOCOLS {
            let mut connection = connect(&lab, protocol).await;
            let () = connection.set("k", 1).await.expect("OK");
            let is_tls = lab.ca_pem().is_some();
            let facts = connection.client().nodes().into_iter().filter_map(|node| node.facts);
            assert!(
                facts
                    .into_iter()
                    .all(|facts| facts.is_tls() == is_tls && (!is_tls || facts.identity.is_some()))
            );
        }
    }
}
