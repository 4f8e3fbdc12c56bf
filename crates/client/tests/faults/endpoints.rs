//! Every form in which servers announce endpoints, made by rewriting what real ones say: in `CLUSTER SLOTS` and in
//! redirects alike.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::measure::in_company;
use crate::support::{key_of, proxied_lab, shard_of, spread_keys, tell};
use tokio::time::Instant;
use truename::topology::{Endpoint, Slot};
use truename::{Client, Config, cmd};
use truename_lab::{Announced, FaultProxy, Lab, LabProfile};

/// The form in which a node is announced, from its index and what the server itself says.
type Form = fn(usize, &Announced) -> Announced;
/// The host under which the client then knows the node with an index.
type Host = fn(&Site, usize) -> String;

/// A cluster whose nodes also answer, under the ports they announce, at node 0's address and at `::1`.
struct Site {
    lab: Lab,
    doors: Vec<FaultProxy>,
}

impl Site {
    async fn new() -> Self {
        let lab = proxied_lab(LabProfile::Plain).await;
        let gateway = lab.proxy(0).addresses()[0].ip();
        let mut doors = Vec::new();
        for node in lab.nodes() {
            for ip in [IpAddr::V6(Ipv6Addr::LOCALHOST), gateway] {
                let at = SocketAddr::new(ip, node.port);
                if !lab.proxy(node.index).addresses().contains(&at) {
                    doors.push(door(at, node.socket_addr()).await);
                }
            }
        }
        Self { lab, doors }
    }

    /// Announces all nodes in this form, whoever is asked.
    fn announce(&self, form: Form) {
        let ports: Arc<[u16]> = self.lab.nodes().iter().map(|node| node.port).collect();
        for proxy in self.lab.proxies().iter().chain(&self.doors) {
            let ports = ports.clone();
            proxy.rewrite(move |known| {
                let index = ports.iter().position(|port| *port == known.port).expect("announced by the lab");
                form(index, known)
            });
        }
    }

    /// One seed, and names for all nodes.
    fn config(&self) -> Config {
        let (host, port) = self.lab.seed();
        let mut config = Config::new().plaintext().seed(host.as_str(), port);
        config = config.password(self.lab.password().expect("one"));
        for (index, proxy) in self.lab.proxies().iter().enumerate() {
            config = config.resolve(format!("node{index}.lab.test"), None, proxy.addresses()[0].ip());
        }
        config
    }

    fn address(&self, index: usize) -> String {
        self.lab.proxy(index).addresses()[0].ip().to_string()
    }
}

/// A proxy at an address that all runs of this test on a machine share: it may have to wait for another one's end.
async fn door(at: SocketAddr, to: SocketAddr) -> FaultProxy {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match FaultProxy::listen(&[at], to).await {
            Ok(proxy) => return proxy,
            Err(error) => assert!(Instant::now() < deadline, "{at}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f26_every_form_of_endpoint_leads_to_its_node() {
    let _company = in_company().await;
    let gateway: Host = |site, _| site.address(0);
    let rows: [(&str, Form, Host); 5] = [
        ("an address", |_, known| known.clone(), Site::address),
        (
            "a host name",
            |index, known| Announced::new(format!("node{index}.lab.test"), known.port),
            |_, index| format!("node{index}.lab.test"),
        ),
        ("NULL", |_, known| Announced::unknown(known.port), gateway),
        ("an empty host", |_, known| Announced::new("", known.port), gateway),
        ("IPv6", |_, known| Announced::new("::1", known.port), |_, _| "::1".to_owned()),
    ];
    let site = Site::new().await;
    for (name, form, expected) in rows {
        site.announce(form);
        let client = Client::connect(&site.config()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: Vec<Endpoint> = client.nodes().into_iter().map(|node| node.node).collect();
        for node in site.lab.nodes() {
            let host = expected(&site, node.index);
            assert!(found.contains(&Endpoint::new(host, node.port)), "{name}: {found:?}");
        }
        for key in spread_keys("form", 6) {
            let set = client.execute::<()>(cmd("SET").arg(&key).arg(name)).await;
            set.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(tell(&site.lab, shard_of(&key), &["GET", &key]).await.as_str(), Some(name));
        }
        moved(&site, &client, name).await;
    }
}

/// A redirect in the same form names a node that the client knows.
async fn moved(site: &Site, client: &Client, name: &str) {
    let slot = Slot::of_key(b"moved").value();
    let from = site.lab.primary_of_slot(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    site.lab.migrate_slot(slot, from, to).await.expect("migrated");
    let set = client.execute::<()>(cmd("SET").arg("moved").arg(name)).await;
    set.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(tell(&site.lab, to, &["GET", "moved"]).await.as_str(), Some(name));
    assert_eq!(client.nodes().len(), 3, "{name}: the redirect made another node of a known one");
}

#[tokio::test]
async fn f26_a_node_without_a_known_host_is_skipped_and_reported() {
    let _company = in_company().await;
    let timeout = Duration::from_secs(1);
    let site = Site::new().await;
    site.announce(|index, known| match index {
        1 => Announced::new("?", known.port),
        _ => known.clone(),
    });
    let client = Client::connect(&site.config().command_timeout(timeout)).await.expect("two nodes are known");
    for shard in [0, 2] {
        client.execute::<()>(cmd("SET").arg(key_of(shard)).arg(1)).await.expect("known");
    }
    let started = Instant::now();
    let error = client.execute::<()>(cmd("SET").arg(key_of(1)).arg(1)).await.expect_err("nobody knows where");
    assert!(started.elapsed() <= timeout + Duration::from_millis(250), "{:?}", started.elapsed());
    assert!(!error.may_have_executed(), "{error}");
    assert_eq!(error.slot(), Some(Slot::of_key(key_of(1).as_bytes())));
    assert_eq!(client.nodes().len(), 2);
}
