//! User code that panics while a connection is made: the attempt fails and says so, and the client goes on.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::support::{config, eventually, key_of, lab};
use truename::topology::{AnnouncedNode, DialAddress, Endpoint, IdentityName, IdentityPolicy, Slot};
use truename::{Client, Error, cmd};
use truename_lab::LabProfile;

const NOTHING: u8 = 0;
const RESOLVER: u8 = 1;
const LOOKUP: u8 = 2;
const MAP: u8 = 3;
const IDENTITY: u8 = 4;

/// What panics at the moment.
#[derive(Clone, Default)]
struct Broken(Arc<AtomicU8>);

impl Broken {
    fn set(&self, what: u8) {
        self.0.store(what, Ordering::Relaxed);
    }

    fn panic_if(&self, what: u8) {
        assert!(self.0.load(Ordering::Relaxed) != what, "broken on purpose ({what})");
    }
}

/// A panic in a resolver, an address map or an identity policy killed the tasks of the connection and of the topology:
/// every later call failed, for ever.
#[tokio::test]
async fn panics_of_the_users_code_are_failed_attempts() {
    let lab = lab(LabProfile::Plain).await;
    let broken = Broken::default();
    let (b1, b2, b3) = (broken.clone(), broken.clone(), broken.clone());
    let config = config(&lab)
        .node_address_map(move |node: &AnnouncedNode, _: &Endpoint| {
            b1.panic_if(MAP);
            Some(DialAddress::new(format!("{}.test", node.endpoint.host()), node.endpoint.port()))
        })
        .identity(IdentityPolicy::Custom(Arc::new(move |_: &AnnouncedNode, _: &Endpoint| {
            b2.panic_if(IDENTITY);
            vec!["node.test".parse::<IdentityName>().expect("a name")]
        })))
        .resolver(move |host: &str, port: u16| -> truename::Lookup {
            b3.panic_if(RESOLVER);
            let (b3, host) = (b3.clone(), host.trim_end_matches(".test").to_owned());
            Box::pin(async move {
                tokio::task::yield_now().await;
                b3.panic_if(LOOKUP);
                Ok(vec![SocketAddr::new(host.parse::<IpAddr>().expect("a lab address"), port)])
            })
        });
    let client = Client::connect(&config).await.expect("connected");
    let key = key_of(0);
    let set = || client.execute::<()>(cmd("SET").arg(&key).arg(1).timeout(Duration::from_millis(400)));
    let set_on = async |shard: usize| {
        let command = cmd("SET").arg(key_of(shard)).arg(1).timeout(Duration::from_millis(400));
        client.execute::<()>(command).await.is_ok()
    };
    for what in [RESOLVER, LOOKUP, MAP, IDENTITY] {
        eventually("it works", Duration::from_secs(5), || async { set().await.is_ok() }).await;
        broken.set(what);
        for node in 0..3 {
            lab.command(node, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await.expect("killed");
        }
        let quoted = || async {
            let Err(error) = set().await else { return false };
            assert!(
                !matches!(error, Error::Interrupted(_)) || !error.to_string().contains("task"),
                "{error}"
            );
            error.to_string().contains(&format!("panicked: broken on purpose ({what})"))
        };
        eventually("the panic is quoted", Duration::from_secs(5), quoted).await;
        // A new client meets it in its first attempt.
        let strict = config.clone().connect_timeout(Duration::from_secs(1));
        let error = Client::connect(&strict).await.expect_err("broken").to_string();
        assert!(error.contains("broken on purpose"), "{error}");
        broken.set(NOTHING);
    }
    // Each node is connected to again after a pause of its own.
    let all_work =
        || async { futures_util::future::join_all((0..3).map(set_on)).await.into_iter().all(|set| set) };
    eventually("all nodes work again", Duration::from_secs(5), all_work).await;
    // The topology is still kept up to date.
    let slot = Slot::of_key(key.as_bytes());
    lab.migrate_slot(slot.index() as u16, 0, 1).await.expect("migrated");
    set().await.expect("redirected");
    let moved = || async {
        let map = client.topology();
        let owner = map.shard(slot).map(|shard| map.nodes()[shard.primary().index()].endpoint.port());
        owner == Some(lab.node(1).announced().1)
    };
    eventually("the move is noted", Duration::from_secs(5), moved).await;
}
