//! The scope: a cluster may announce any name, but only names that follow from the user's configuration are dialled and
//! accepted.
//!
//! The stranger of these tests is a real node of the cluster that announces a name of its own, with a certificate that the
//! trusted authority signed: as an attacker has who can influence a topology and has a certificate of a public authority.

#[expect(dead_code, reason = "the other tests use the rest")]
mod measure;
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use measure::process::Role;
use support::info::executions;
use support::{config, eventually, key_of, set, tell};
use truename::error::{ConnectError, Phase, Remedy};
use truename::topology::{IdentityName, IdentityPolicy, IdentitySource, Slot};
use truename::{Client, Config, Error, Tls, cmd};
use truename_lab::{CertificateSpec, Forwarder, Lab, LabConfig, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
/// The name that the stranger announces.
const STRANGER: &str = "node.attacker.test";
/// The node that is one, and the shard that it serves.
const NODE: usize = 1;

/// A cluster whose nodes announce names under the seed's parent domain, and the address at which the stranger's name leads
/// to it, counting connections.
struct Scene {
    lab: Lab,
    counter: Forwarder,
}

impl Scene {
    async fn start(stranger: CertificateSpec) -> Self {
        let lab = aws().certificate(NODE, stranger).start().await.expect("the lab starts");
        let node = lab.node(NODE).socket_addr();
        let IpAddr::V4(address) = node.ip() else { panic!("{node}") };
        let [a, b, c, _] = address.octets();
        let address = SocketAddr::from((Ipv4Addr::new(a, b, c, 201), node.port()));
        let counter = Forwarder::listen(address, vec![node]).await.expect("a free address");
        Self { lab, counter }
    }

    /// The same with the stranger's name in everybody's topology.
    async fn announced(stranger: CertificateSpec) -> Self {
        let scene = Self::start(stranger).await;
        scene.announce().await;
        scene
    }

    async fn announce(&self) {
        tell(&self.lab, NODE, &["CONFIG", "SET", "cluster-announce-hostname", STRANGER]).await;
        for node in [0, 2] {
            let told = || async {
                format!("{:?}", tell(&self.lab, node, &["CLUSTER", "SLOTS"]).await).contains(STRANGER)
            };
            eventually("everybody knows the new name", 10 * SECOND, told).await;
        }
    }

    /// What a user of the lab has, with the stranger's name in the DNS.
    fn config(&self) -> Config {
        let config = config(&self.lab).command_timeout(2 * SECOND).node_connect_timeout(SECOND);
        config.resolve(STRANGER, None, self.counter.address().ip())
    }
}

fn aws() -> LabConfig {
    Lab::builder(LabProfile::Aws).shards(3).replicas(0)
}

/// A good certificate of the cluster that carries the stranger's name as well.
fn with_both_names() -> CertificateSpec {
    CertificateSpec::new(["*.lab.abc123.use1.cache.amazonaws.test", STRANGER])
}

/// The lab's authority and one that looks like a public one: then the user's own authority is not the boundary.
fn public_too(lab: &Lab) -> Tls {
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair};
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    for (kind, name) in [
        (DnType::CountryName, "US"),
        (DnType::OrganizationName, "Internet Security Research Group"),
        (DnType::CommonName, "ISRG Root X2"),
    ] {
        params.distinguished_name.push(kind, DnValue::PrintableString(name.try_into().expect("ASCII")));
    }
    let namesake = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
    let bundle = format!("{}\n{}", lab.ca_pem().expect("a TLS lab"), namesake.pem());
    Tls::new().ca_pem(bundle).expect("a bundle")
}

fn connect_error(error: &Error) -> &ConnectError {
    let Error::Connect(report) = error else { panic!("{error:?}") };
    report
}

/// The stranger is refused without a dial, the error says how to allow it, and the other nodes are not affected.
async fn is_refused(config: &Config) {
    let client = Client::connect(config).await.unwrap_or_else(|error| panic!("{error}"));
    for shard in [0, 2] {
        set(&client, shard).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let error = set(&client, NODE).await.expect_err("out of scope");
    let report = connect_error(&error);
    let failure = report.decisive().expect("a cause");
    assert_eq!((failure.cause.code(), failure.phase), ("out-of-scope", Phase::Plan), "{error}");
    assert!(failure.dialled.is_none(), "{error}");
    assert!(error.to_string().contains(&format!("Config::trust(\"{STRANGER}\".parse()?)")), "{error}");
    assert!(!error.may_have_executed());
}

/// Every node serves, and the stranger proved the name that it announces.
async fn is_accepted(config: &Config) {
    let client = Client::connect(config).await.unwrap_or_else(|error| panic!("{error}"));
    for shard in 0..3 {
        set(&client, shard).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let nodes = client.nodes();
    let stranger = nodes.iter().find(|node| node.node.host() == STRANGER).expect("in the topology");
    let identity = stranger.facts.as_ref().and_then(|facts| facts.identity.clone()).expect("proved");
    assert_eq!((identity.name.to_string().as_str(), identity.source), (STRANGER, IdentitySource::Announced));
}

/// An honest seed announces a stranger's name, and the stranger has a good certificate: with the system's roots it used to get
/// the password, and `ping` said "verified as". The system's roots are those of `SSL_CERT_FILE`, in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_name_is_not_dialled_under_the_systems_roots() {
    let scene = Scene::announced(with_both_names()).await;
    let lab = &scene.lab;
    let resolved: Vec<String> =
        lab.resolve().iter().map(|(host, _, address)| format!("{host}={address}")).collect();
    let (host, port) = lab.seed();
    let url = format!("rediss://:{}@{host}:{port}?timeout=2s", lab.password().expect("a password"));
    let ca = lab.ca_pem_path().expect("a TLS lab").display().to_string();
    let variables = |trust: &str| {
        [
            ("SSL_CERT_FILE", ca.clone()),
            ("SCOPE_URL", format!("{url}{trust}")),
            ("SCOPE_RESOLVED", resolved.join(" ")),
            ("SCOPE_STRANGER", scene.counter.address().ip().to_string()),
        ]
    };
    Role::start("the_stranger_is_refused", "", &variables("")).passed(20 * SECOND).await;
    assert_eq!(scene.counter.accepted(), 0, "somebody dialled the foreign name");
    Role::start("the_stranger_is_accepted", "", &variables(&format!("&trust={STRANGER}")))
        .passed(20 * SECOND)
        .await;
    assert!(scene.counter.accepted() > 0);
}

fn of_the_environment() -> Config {
    let variable = |name: &str| std::env::var(name).expect("set by the parent");
    let mut config = Config::from_url(&variable("SCOPE_URL")).unwrap_or_else(|error| panic!("{error}"));
    for entry in variable("SCOPE_RESOLVED").split(' ') {
        let (host, address) = entry.split_once('=').expect("host=address");
        config = config.resolve(host, None, address.parse().expect("an address"));
    }
    config.resolve(STRANGER, None, variable("SCOPE_STRANGER").parse().expect("an address"))
}

#[tokio::test]
#[ignore = "run by a_foreign_name_is_not_dialled_under_the_systems_roots as a process of its own"]
async fn the_stranger_is_refused() {
    is_refused(&of_the_environment()).await;
}

#[tokio::test]
#[ignore = "run by a_foreign_name_is_not_dialled_under_the_systems_roots as a process of its own"]
async fn the_stranger_is_accepted() {
    is_accepted(&of_the_environment()).await;
}

/// A bundle of the user's with a public authority in it is as open as the system's. What counts follows the current roots:
/// with `replace_tls` the same client first accepts the stranger, and then no longer does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scope_follows_the_roots_in_force() {
    let scene = Scene::announced(CertificateSpec::new([STRANGER])).await;
    let public = scene.config().tls(public_too(&scene.lab));
    is_refused(&public).await;
    assert_eq!(scene.counter.accepted(), 0);
    is_accepted(&public.clone().trust("*.attacker.test".parse().expect("a suffix"))).await;
    // The user's own authority is the boundary.
    is_accepted(&scene.config()).await;

    let client = Client::connect(&public).await.unwrap_or_else(|error| panic!("{error}"));
    set(&client, NODE).await.expect_err("out of scope");
    let own = Tls::new().ca_pem(scene.lab.ca_pem().expect("a TLS lab")).expect("a bundle");
    client.replace_tls(own).await.expect("other roots");
    let reached = || async { set(&client, NODE).await.is_ok() };
    eventually("the stranger is believed", 5 * SECOND, reached).await;
    client.replace_tls(public_too(&scene.lab)).await.expect("other roots");
    let refused = || async { matches!(set(&client, NODE).await, Err(Error::Connect(_))) };
    eventually("the stranger is not believed any more", 5 * SECOND, refused).await;
    let before = scene.counter.accepted();
    let error = set(&client, NODE).await.expect_err("out of scope");
    assert_eq!(connect_error(&error).decisive().expect("a cause").cause.code(), "out-of-scope", "{error}");
    assert_eq!(scene.counter.accepted(), before, "the name was dialled");
}

/// With the user's own authority an announced name is dialled, and where one name alone is acceptable the stranger fails in the
/// handshake: before, `verify_as` accepted what was announced as well, and nothing could say "only".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_one_name_alone_will_do_the_stranger_sees_no_password() {
    let scene = Scene::announced(CertificateSpec::new([STRANGER])).await;
    let (host, _) = scene.lab.seed();
    let name = IdentityName::parse(&host).expect("the seed's name");
    let hellos = || executions(&scene.lab, NODE, "hello");
    let before = hellos().await;
    let config = scene.config().identity(IdentityPolicy::Only(name));
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    for shard in [0, 2] {
        set(&client, shard).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let error = set(&client, NODE).await.expect_err("not the only acceptable name");
    let report = connect_error(&error);
    let at_the_stranger = report
        .failures
        .iter()
        .find(|failure| failure.dialled.as_ref().is_some_and(|dialled| dialled.host() == STRANGER));
    let failure = at_the_stranger.unwrap_or_else(|| panic!("{error}"));
    assert_eq!((failure.phase, failure.cause.code()), (Phase::Tls, "name-mismatch"), "{error}");
    assert!(scene.counter.accepted() > 0, "it was dialled");
    assert_eq!(hellos().await, before, "the stranger saw a HELLO");
    // Without the option, its own name is acceptable under this authority.
    is_accepted(&scene.config()).await;
    assert!(hellos().await > before);
}

/// MOVED and ASK lead nowhere that a topology could not: they used to be followed to any name at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_to_a_foreign_name_is_not_dialled() {
    let scene = Scene::start(with_both_names()).await;
    let (lab, key) = (&scene.lab, key_of(0));
    let config = scene.config().tls(public_too(lab)).refresh_interval(60 * SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    set(&client, 0).await.expect("OK");
    client.execute::<()>(cmd("DEL").arg(&key)).await.expect("OK");
    scene.announce().await;
    let slot = Slot::of_key(key.as_bytes()).value();
    lab.begin_migration(slot, 0, NODE).await.expect("migration begins");
    // The key is not there any more, so the answer is ASK.
    let asked = client.execute::<Option<String>>(cmd("GET").arg(&key)).await;
    assert!(asked.is_err(), "{asked:?}");
    assert_eq!(scene.counter.accepted(), 0, "ASK was followed");
    lab.finish_migration(slot, 0, NODE).await.expect("migration ends");
    let moved = set(&client, 0).await.expect_err("out of scope");
    assert!(!moved.may_have_executed(), "{moved}");
    assert!(moved.to_string().contains(&format!("Config::trust(\"{STRANGER}\".parse()?)")), "{moved}");
    assert_eq!(scene.counter.accepted(), 0, "MOVED was followed");
    // The same client's other nodes are what they were.
    set(&client, 2).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(scene.counter.accepted(), 0);
}

/// Containers and pods announce names that mean something only among themselves. Under public authorities they are not
/// dialled, and still no configuration is needed where the nodes are reached at the seed's host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_names_are_reached_at_the_seeds_host() {
    let lab = Lab::builder(LabProfile::Azure).shards(3).replicas(0).start().await.expect("the lab starts");
    for node in 0..3 {
        let name = format!("redis-{node}");
        tell(&lab, node, &["CONFIG", "SET", "cluster-announce-hostname", &name]).await;
        tell(&lab, node, &["CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname"]).await;
    }
    for node in 0..3 {
        let told = || async {
            let slots = format!("{:?}", tell(&lab, node, &["CLUSTER", "SLOTS"]).await);
            (0..3).all(|other| slots.contains(&format!("redis-{other}")))
        };
        eventually("everybody knows the short names", 10 * SECOND, told).await;
    }
    let client = Client::connect(&config(&lab).tls(public_too(&lab))).await;
    let client = client.unwrap_or_else(|error| panic!("{error}"));
    for shard in 0..3 {
        set(&client, shard).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let (seed, _) = lab.seed();
    for node in client.nodes() {
        let facts = node.facts.expect("connected");
        assert!(node.node.host().starts_with("redis-"), "{}", node.node);
        assert_eq!(facts.dialled.as_ref().map(|dialled| dialled.host()), Some(seed.as_str()));
        assert_eq!(facts.identity.as_ref().map(|identity| identity.source), Some(IdentitySource::Seed));
    }
}

/// Public authorities sign addresses too. An announced address is dialled, for some providers announce nothing else, and has to
/// prove a seed's name or address there unless it is trusted itself; it used to count like a name that the user gave.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announced_address_is_dialled_and_proves_nothing_by_itself() {
    // Every node has a certificate for its own address and announces that.
    let lab = Lab::builder(LabProfile::Plain)
        .tls(true)
        .shards(3)
        .replicas(0)
        .start()
        .await
        .expect("the lab starts");
    let (seed, port) = lab.seeds().swap_remove(0);
    let config = Config::new().seed(seed, port).password(lab.password().expect("a password"));
    let config = config.tls(public_too(&lab)).command_timeout(2 * SECOND).node_connect_timeout(SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let mut refused = 0;
    for shard in 0..3 {
        let Err(error) = set(&client, shard).await else { continue };
        let failure = connect_error(&error).decisive().expect("a cause");
        assert_eq!((failure.phase, failure.cause.code()), (Phase::Tls, "name-mismatch"), "{error}");
        let name = IdentityName::parse(failure.node.host()).expect("an address");
        assert_eq!(failure.remedy, Some(Remedy::TrustCovered { name }), "{error}");
        refused += 1;
    }
    assert_eq!(refused, 2, "all but the seed itself");
    let network = format!("{}/24", lab.node(0).address);
    let trusting = config.trust(network.parse().expect("a network"));
    let client = Client::connect(&trusting).await.unwrap_or_else(|error| panic!("{error}"));
    for shard in 0..3 {
        set(&client, shard).await.unwrap_or_else(|error| panic!("{error}"));
    }
}
