//! What a machine can run out of besides file descriptors (those are in `load.rs`): DNS that
//! answers, and ports to dial from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::measure::pace::Pace;
use crate::measure::process::{Role, idle_cpu};
use crate::measure::{alone, in_company, split_keys};
use crate::support::{config, eventually, key_of, proxied_lab, tell};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use truename::error::{Phase, Remedy};
use truename::{Client, Config, Error, Event, Lookup, Notice, Tls, cmd};
use truename_lab::{Ending, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(250);

/// A resolver that knows all names of a lab, and answers nobody while it is told not to.
#[derive(Clone)]
struct Names {
    known: Arc<Vec<(String, IpAddr)>>,
    silent: Arc<AtomicBool>,
    unanswered: Arc<AtomicU64>,
}

impl Names {
    fn of(lab: &Lab) -> Self {
        let known = lab.resolve().into_iter().map(|(host, _, address)| (host, address)).collect();
        Self { known: Arc::new(known), silent: Arc::default(), unanswered: Arc::default() }
    }

    fn resolver(&self) -> impl Fn(&str, u16) -> Lookup + Send + Sync + 'static {
        let names = self.clone();
        move |host, port| {
            if names.silent.load(Ordering::Relaxed) {
                names.unanswered.fetch_add(1, Ordering::Relaxed);
                return Box::pin(std::future::pending());
            }
            let found = names.known.iter().filter(|(known, _)| known == host);
            let found = found.map(|(_, address)| SocketAddr::new(*address, port)).collect();
            Box::pin(std::future::ready(Ok(found)))
        }
    }

    fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }
}

/// Three nodes that are announced and dialled by name.
async fn named_lab() -> (Lab, Names, Config) {
    let lab =
        Lab::builder(LabProfile::PerNodeCerts).shards(3).replicas(0).start().await.expect("the lab starts");
    let names = Names::of(&lab);
    let config = Config::new()
        .seeds(lab.seeds())
        .tls(Tls::new().ca_pem(lab.ca_pem().expect("a TLS lab")).expect("the lab's CA"))
        .password(lab.password().expect("a password"))
        .resolver(names.resolver());
    (lab, names, config)
}

#[tokio::test]
async fn f28_a_lookup_that_never_ends_ends_the_attempt_to_connect_in_time() {
    let _company = in_company().await;
    let (_lab, names, config) = named_lab().await;
    names.silent.store(true, Ordering::Relaxed);
    // The time of the whole attempt ends it, or that of one node, whichever is shorter.
    for (whole, node) in [(SECOND / 2, 3 * SECOND), (3 * SECOND, SECOND / 2)] {
        let started = Instant::now();
        let config = config.clone().connect_timeout(whole).node_connect_timeout(node);
        let error = Client::connect(&config).await.expect_err("no name is known");
        let took = started.elapsed();
        assert!(took >= SECOND / 2 && took <= SECOND / 2 + TICK, "{took:?}");
        let Error::Connect(report) = &error else { panic!("{error:?}") };
        assert_eq!(report.failures.len(), 3, "all seeds were tried: {error}");
        for failure in &report.failures {
            assert_eq!((failure.phase, failure.cause.code()), (Phase::Resolve, "timed-out"), "{error}");
            assert!(matches!(failure.remedy, Some(Remedy::ResolveWithoutService { .. })), "{error}");
        }
        assert!(error.to_string().contains("failed at  resolve"), "{error}");
        assert!(error.is_retryable() && !error.may_have_executed());
    }
    assert!(names.unanswered() >= 6);

    names.silent.store(false, Ordering::Relaxed);
    let client = Client::connect(&config).await.expect("connected");
    client.execute::<()>(cmd("SET").arg(key_of(0)).arg(1)).await.expect("OK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f28_a_lookup_that_never_ends_delays_no_seed_that_has_an_address() {
    let _company = in_company().await;
    let lab = proxied_lab(LabProfile::Plain).await;
    let silent = |_: &str, _: u16| -> Lookup { Box::pin(std::future::pending()) };
    let config = Config::new().plaintext().seed("silent.lab.test", 7000);
    let config = config.seeds(lab.seeds()).resolver(silent);
    let started = Instant::now();
    let client = Client::connect(&config.password(lab.password().expect("one"))).await.expect("connected");
    assert!(started.elapsed() <= 2 * SECOND, "{:?}", started.elapsed());
    client.execute::<()>(cmd("SET").arg(key_of(0)).arg(1)).await.expect("OK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f28_lookups_that_never_end_delay_only_who_needs_them() {
    let _alone = alone().await;
    let (lab, names, config) = named_lab().await;
    let config = config.command_timeout(SECOND).node_connect_timeout(SECOND).refresh_interval(TICK);
    let client = Client::connect(&config).await.expect("connected");
    let (_, healthy) = split_keys("named", 12, 0);
    let pace = Pace::start(&client, &healthy, Duration::from_millis(5));
    sleep(SECOND).await;
    let baseline = pace.lap();

    names.silent.store(true, Ordering::Relaxed);
    let set = || client.execute::<()>(cmd("SET").arg(key_of(0)).arg(1));
    set().await.expect("the connections that exist need no name");
    tell(&lab, 0, &["CLIENT", "KILL", "TYPE", "normal"]).await;
    let broken = || async { set().await.is_err() };
    eventually("node 0 is out of reach", 5 * SECOND, broken).await;
    // The longest time that a connection waits for its name, and then some.
    let (watched, mut errors) = (Instant::now(), Vec::new());
    while watched.elapsed() < 3 * SECOND {
        let started = Instant::now();
        errors.push(set().await.expect_err("out of reach"));
        assert!(started.elapsed() <= SECOND + TICK, "{:?}", started.elapsed());
    }
    let lap = pace.lap();
    let unanswered = names.unanswered();
    eprintln!(
        "F28: {unanswered} lookups unanswered; {baseline:?} then {lap:?}; {}",
        errors[errors.len() - 1]
    );
    lap.assert_untouched(&baseline);
    assert_eq!(lap.failed, 0, "{lap:?}");
    // Those of node 0's connection and those of refreshes.
    assert!(unanswered >= 6, "{unanswered} lookups");
    assert!(errors.iter().all(|error| !error.may_have_executed()), "{errors:?}");
    assert!(errors.iter().any(|error| error.to_string().contains("resolve")), "{errors:?}");

    names.silent.store(false, Ordering::Relaxed);
    let works = || async { set().await.is_ok() };
    eventually("node 0 is in reach again", 4 * SECOND, works).await;
}

/// The network namespace of the test that started the other process.
const OUTSIDE: &str = "TRUENAME_TEST_OUTSIDE";
/// Sets up a network of its own, with nothing but a loopback interface, and runs the program in it.
const ISOLATED: &str = "unshare --net true 2>/dev/null || as_root=--map-root-user; \
     exec unshare $as_root --net sh -c 'ip link set lo up && exec \"$0\" \"$@\"' \"$0\" \"$@\";";
/// The ports for outgoing connections at first, and those that are left later: others, so that none is in use yet. A
/// port in use could be used again for another destination.
const FIRST: RangeInclusive<u16> = 50_000..=59_999;
const LEFT: RangeInclusive<u16> = 40_000..=40_063;

fn network_namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/net").expect("Linux");
    link.display().to_string()
}

#[tokio::test]
async fn f28_a_process_without_ports_to_dial_from_reports_and_recovers() {
    let _alone = alone().await;
    // Other programs of this machine need ports as well, so the shortage is made where there is nobody else.
    let variables = [(OUTSIDE, network_namespace())];
    Role::start("resources::portless_client", ISOLATED, &variables).passed(60 * SECOND).await;
}

/// Lets outgoing connections of this network use these ports only.
fn dial_from(ports: RangeInclusive<u16>) {
    let range = format!("{} {}", ports.start(), ports.end());
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", range).expect("our own network");
}

/// Takes all ports that are left. What is bound like this is never chosen for a connection.
fn take_ports() -> Vec<TcpListener> {
    let take = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("nobody used it before");
    LEFT.map(take).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of f28, with a network of its own"]
async fn portless_client() {
    assert_ne!(
        network_namespace(),
        std::env::var(OUTSIDE).expect("started by f28"),
        "this would hurt others"
    );
    dial_from(FIRST);
    let lab = proxied_lab(LabProfile::Plain).await;
    let config = config(&lab).command_timeout(SECOND / 2).node_connect_timeout(SECOND);
    let client = Client::connect(&config).await.expect("connected");
    let set = async |shard: usize| client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1)).await;
    dial_from(LEFT);
    let taken = take_ports();
    let dialled = TcpStream::connect(lab.node(0).socket_addr());
    assert!(
        dialled.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::AddrNotAvailable),
        "no port is left: {dialled:?}"
    );
    for shard in 0..3 {
        set(shard).await.expect("the connections that exist live on");
    }

    let mut events = client.events();
    lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Reset));
    let broken = || async { set(0).await.is_err() };
    eventually("connections are lost and cannot be made again", 5 * SECOND, broken).await;
    let idle = idle_cpu().await;
    // Callers that try again at once make nobody busy either.
    let (until, mut callers) = (Instant::now() + 2 * SECOND, JoinSet::new());
    for n in 0..30 {
        let client = client.clone();
        callers.spawn(async move {
            let mut errors = Vec::new();
            while Instant::now() < until {
                let started = Instant::now();
                let set = client.execute::<()>(cmd("SET").arg(key_of(n % 3)).arg(1)).await;
                errors.push(set.expect_err("no port is left"));
                assert!(started.elapsed() <= SECOND / 2 + TICK, "{:?}", started.elapsed());
            }
            errors
        });
    }
    let busy = idle_cpu().await;
    let errors = callers.join_all().await.concat();
    let mut attempts = 0;
    while let Ok(Some(notice)) = tokio::time::timeout(Duration::ZERO, events.next()).await {
        assert!(!matches!(notice, Notice::Missed(_)), "more events than fit");
        attempts += u32::from(matches!(notice, Notice::Event(Event::Disconnected { .. })));
    }
    for error in &errors {
        assert!(!error.may_have_executed(), "{error}");
    }
    let told = |error: &Error| {
        let Error::Connect(report) = error else { return false };
        let failure = report.decisive().expect("a cause");
        failure.phase == Phase::Tcp
            && failure.cause.code() == "no-local-address"
            && error.to_string().contains("Cannot assign requested address")
    };
    assert!(errors.iter().any(told), "{errors:?}");

    let (ports, started) = (taken.len(), Instant::now());
    drop(taken);
    for shard in 0..3 {
        eventually("service resumes", 3 * SECOND, || async { set(shard).await.is_ok() }).await;
    }
    eprintln!(
        "F28: {ports} ports taken, {idle} % of a processor idle and {busy} % with {} failing calls, {attempts} attempts to connect, \
         recovered {:?}; {}",
        errors.len(),
        started.elapsed(),
        errors[errors.len() - 1]
    );
    // Three lanes whose pauses grow up to a second, over about four seconds.
    assert!((3..=60).contains(&attempts), "{attempts} attempts to connect");
    assert!(idle <= 10 && busy <= 20, "{idle} % of a processor while idle, {busy} % while called");
}
