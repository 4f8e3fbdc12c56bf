//! What was trusted once is checked again: sessions that are resumed, and live connections when the TLS options are
//! replaced.

use std::sync::Arc;
use std::time::Duration;

use crate::support::info::executions;
use crate::support::{config, eventually, key_of, tell};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use truename::{Client, Config, ConnectionFacts, Error, Tls, cmd};
use truename_lab::{CertificateSpec, Ending, Fault, Lab, LabProfile};

const SECOND: Duration = Duration::from_secs(1);
const STRANGER: &[u8] = include_bytes!("../support/stranger.pem");
const WILDCARD: &str = "*.westus3.redisenterprise.cache.azure.test";

/// The number of logins: the client with `HELLO … AUTH`, the lab with `AUTH`.
async fn hellos(lab: &Lab, node: usize) -> u64 {
    executions(lab, node, "hello").await
}

/// How many connections of the client a server has, by the name that they carry.
async fn named(lab: &Lab, node: usize) -> usize {
    let list = tell(lab, node, &["CLIENT", "LIST"]).await;
    let list = String::from_utf8_lossy(list.as_bytes().expect("text")).into_owned();
    list.lines().filter(|line| line.contains("name=judged ")).count()
}

fn facts(client: &Client) -> Arc<ConnectionFacts> {
    client.nodes()[0].facts.clone().expect("connected once")
}

/// The code of the cause that a failed call names.
fn code(error: &Error) -> Option<&'static str> {
    match error {
        Error::Connect(report) => report.decisive().map(|failure| failure.cause.code()),
        _ => None,
    }
}

async fn until_over(client: &Client) {
    let end = facts(client).certificate.as_ref().expect("a certificate").not_after;
    let now = || std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as i64;
    eventually("the certificate ends", 15 * SECOND, || async { now() > end }).await;
}

/// A session that was begun while a certificate was valid could be resumed after its end: the client logged in where a fresh
/// handshake refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_not_resumed_once_the_certificate_has_expired() {
    let spec = CertificateSpec::new([WILDCARD]).expires_in(6 * SECOND);
    let lab = Lab::builder(LabProfile::Azure).no_cluster().fault_proxies(true).certificate(0, spec);
    let lab = lab.start().await.expect("the lab starts");
    let config = config(&lab).command_timeout(2 * SECOND).node_connect_timeout(SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    client.execute::<()>(cmd("SET").arg("k").arg(1)).await.expect("OK");

    lab.proxy(0).end_open(Ending::Close);
    let works = || async { client.execute::<String>(cmd("GET").arg("k")).await.is_ok() };
    eventually("it reconnects while the certificate is valid", 3 * SECOND, works).await;
    assert!(facts(&client).is_resumed, "this server lets sessions be resumed");

    until_over(&client).await;
    let logins = hellos(&lab, 0).await;
    lab.proxy(0).end_open(Ending::Close);
    let refused = || async {
        let called = client.execute::<String>(cmd("GET").arg("k")).await;
        called.is_err_and(|error| code(&error) == Some("certificate-expired"))
    };
    eventually("it is refused as a fresh handshake is", 5 * SECOND, refused).await;
    assert_eq!(hellos(&lab, 0).await, logins, "the password went to a peer whose certificate has expired");
}

/// A TLS front before a server that speaks plaintext, whose certificate can be renewed without forgetting its sessions.
struct Front {
    port: u16,
    ca_pem: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
    presented: Arc<Presented>,
    accepting: JoinHandle<()>,
    open: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

#[derive(Debug)]
struct Presented(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Presented {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.lock().clone())
    }
}

impl Front {
    async fn start(lab: &Lab, valid_for: Duration) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("as made for this test"))
                .expect("as made for this test");
        let presented = Arc::new(Presented(Mutex::new(leaf(&issuer, valid_for))));
        let mut server =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("as made for this test")
                .with_no_client_auth()
                .with_cert_resolver(presented.clone());
        server.ticketer = rustls::crypto::ring::Ticketer::new().expect("as made for this test");
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("as made for this test");
        let port = listener.local_addr().expect("as made for this test").port();
        let (target, open) = (lab.node(0).socket_addr(), Arc::new(Mutex::new(Vec::new())));
        let all = open.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("as made for this test");
                let acceptor = acceptor.clone();
                all.lock().push(tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut server = TcpStream::connect(target).await.expect("as made for this test");
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }));
            }
        });
        Self { port, ca_pem: issuer.pem(), issuer, presented, accepting, open }
    }

    fn renew(&self) {
        *self.presented.0.lock() = leaf(&self.issuer, 3600 * SECOND);
    }

    fn end_open(&self) {
        self.open.lock().drain(..).for_each(|connection| connection.abort());
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
        self.end_open();
    }
}

fn leaf(issuer: &CertifiedIssuer<'static, KeyPair>, valid_for: Duration) -> Arc<CertifiedKey> {
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("as made for this test");
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs((now + valid_for).as_secs());
    let key = KeyPair::generate().expect("as made for this test");
    let certificate = params.signed_by(&key, issuer).expect("as made for this test");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("as made for this test");
    let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("as made for this test");
    Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// A server that was given a new certificate goes on resuming sessions of the old one. Refusing those must lead to the new
/// certificate, not to an outage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_an_expired_certificate_leads_to_the_renewed_one() {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await.expect("the lab starts");
    let front = Front::start(&lab, 4 * SECOND).await;
    let mut config = Config::new()
        .seed("localhost", front.port)
        .tls(Tls::new().ca_pem(&front.ca_pem).expect("as made for this test"));
    config = config.password(lab.password().expect("a password")).command_timeout(3 * SECOND);
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let old = facts(&client).certificate.clone().expect("a certificate");

    front.end_open();
    let works = || async { client.execute::<()>(cmd("SET").arg("k").arg(1)).await.is_ok() };
    eventually("it reconnects while the certificate is valid", 3 * SECOND, works).await;
    assert!(facts(&client).is_resumed, "this front lets sessions be resumed");

    front.renew();
    until_over(&client).await;
    front.end_open();
    eventually("it meets the renewed certificate", 3 * SECOND, works).await;
    let facts = facts(&client);
    assert!(!facts.is_resumed);
    assert_ne!(facts.certificate.as_ref().map(|new| new.key), Some(old.key));
}

fn azure() -> truename_lab::LabConfig {
    Lab::builder(LabProfile::Azure).shards(3).replicas(0).fault_proxies(true)
}

/// Connections outlived the trust in their peers: after `replace_tls` with other roots, or with a list that revokes a node's
/// certificate, they kept serving as if nothing had happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_options_end_the_connections_that_they_refuse_and_no_other() {
    let lab = azure().start().await.expect("the lab starts");
    let config = config(&lab)
        .command_timeout(2 * SECOND)
        .node_connect_timeout(SECOND)
        .lanes_per_node(2)
        .client_name("judged");
    let client = Client::connect(&config).await.unwrap_or_else(|error| panic!("{error}"));
    let trusting = Tls::new().ca_pem(lab.ca_pem().expect("a TLS lab")).expect("a bundle");
    let set = |shard: usize| client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1));
    let pop = |shard: usize| {
        let key = format!("{{{}}}:none", key_of(shard));
        client.execute::<Option<Vec<String>>>(cmd("BLPOP").arg(key).arg(20).timeout(30 * SECOND))
    };
    let accepted = |node: usize| lab.proxy(node).traffic().accepted;

    // Node 1 alone is refused. A call that waits there ends; one that waits elsewhere does not notice.
    let revoking = lab.revocation_list(&[1], false).expect("a list").expect("a TLS lab");
    let (mut there, mut elsewhere) = (Box::pin(pop(1)), Box::pin(pop(0)));
    let waiting = tokio::time::timeout(SECOND / 2, async { tokio::join!(&mut there, &mut elsewhere) });
    assert!(waiting.await.is_err(), "both wait");
    // The latest connection of each node, as long as no other is made.
    let latest = || -> Vec<_> {
        let facts = client.nodes().into_iter().map(|node| (node.node.port(), node.facts.expect("connected")));
        facts.filter(|(port, _)| *port != lab.node(1).port).collect()
    };
    let before = latest();
    client.replace_tls(trusting.clone().crl_pem(revoking).expect("a list")).await.expect("well-formed");
    let error = tokio::time::timeout(2 * SECOND, &mut there).await.expect("it ends").expect_err("closed");
    assert!(error.may_have_executed(), "{error:?}");
    assert!(error.to_string().contains("revoked"), "{error}");
    assert!(tokio::time::timeout(SECOND / 2, &mut elsewhere).await.is_err(), "it waits on");
    drop(elsewhere);
    let error = set(1).await.expect_err("refused");
    assert_eq!(code(&error), Some("certificate-revoked"), "{error}");
    for shard in [0, 2] {
        set(shard).await.expect("not their concern");
    }
    for ((_, before), (_, after)) in before.iter().zip(&latest()) {
        assert!(Arc::ptr_eq(before, after), "connections to other nodes live on");
    }
    assert_eq!(before.len(), 2);

    client.replace_tls(trusting.clone()).await.expect("well-formed");
    for shard in 0..3 {
        eventually("all work again", 5 * SECOND, || async { set(shard).await.is_ok() }).await;
    }

    // Connections that refreshes keep for the next one are not an exception.
    let revoking = trusting
        .clone()
        .crl_pem(lab.revocation_list(&[1], false).expect("a list").expect("TLS"))
        .expect("a list");
    let left_behind = || async {
        lab.proxy(0).end_open(Ending::Close);
        named(&lab, 1).await > 2
    };
    eventually("a refresh has left a connection behind", 5 * SECOND, left_behind).await;
    client.replace_tls(revoking).await.expect("well-formed");
    eventually("no connection is left", SECOND, || async { named(&lab, 1).await == 0 }).await;
    client.replace_tls(trusting.clone()).await.expect("well-formed");
    for shard in 0..3 {
        eventually("all work again", 5 * SECOND, || async { set(shard).await.is_ok() }).await;
    }

    // All are refused; and so are those that are being made at this moment, whose handshake began before.
    lab.proxies().iter().for_each(|proxy| proxy.set(Fault::Blackhole));
    let before: Vec<u64> = (0..3).map(accepted).collect();
    lab.proxies().iter().for_each(|proxy| proxy.end_open(Ending::Close));
    let dialled = || async { (0..3).all(|node| accepted(node) > before[node]) };
    eventually("every node is dialled again", SECOND, dialled).await;
    client.replace_tls(trusting.ca_pem(STRANGER).expect("a bundle")).await.expect("well-formed");
    // Refreshes went on meanwhile, past the proxies. From now on no node may get the password.
    let logins = [hellos(&lab, 0).await, hellos(&lab, 1).await, hellos(&lab, 2).await];
    lab.proxies().iter().for_each(|proxy| proxy.pass());
    for shard in 0..3 {
        let refused =
            || async { set(shard).await.is_err_and(|error| code(&error) == Some("unknown-issuer")) };
        eventually("nobody is trusted", 5 * SECOND, refused).await;
    }
    for (node, logins) in logins.into_iter().enumerate() {
        assert_eq!(
            hellos(&lab, node).await,
            logins,
            "the password went to node {node}, which is not trusted"
        );
    }
}
