//! The ways to a node one after the other, each with an attempt of its own: for those who want to know about
//! all of them. A client races them ([`super::connector`]).

use std::time::Duration;

use tokio::time::Instant;
use truename_topology::{DialAddress, NodePlan};

use super::attempt::{Connected, Dialling, Explain, dial};
use super::connector::{Connector, undialled, with_scope};
use super::known::ASTRAY;
use super::target::Target;
use super::way::{Way, dial_candidates};
use crate::error::{Cause, NodeFailure};

/// The least that a way gets, if there is that much time: what a handshake takes on a slow path.
const LEAST_SHARE: Duration = Duration::from_millis(300);

/// How long the next way may take when this many are left, itself included, and this much time.
fn share(left: Duration, ways: usize) -> Duration {
    let ways = u32::try_from(ways).unwrap_or(u32::MAX).max(1);
    (left / ways).max(LEAST_SHARE).min(left)
}

impl Connector {
    /// Dials the ways of a plan until one works; with it come the failures of those before it. All ways
    /// together have the time of one node, and end by `deadline`: a way that is silent takes no more than its
    /// share.
    pub(crate) async fn examine(
        &self,
        target: &Target,
        plan: &NodePlan,
        deadline: Instant,
    ) -> (Option<Connected>, Vec<NodeFailure>) {
        let ways = dial_candidates(&plan.dial, target.expected.is_some(), None);
        let mut until = deadline.min(Instant::now() + self.env.timing.node_connect);
        let mut failures: Vec<NodeFailure> = Vec::new();
        for (tried, way) in ways.iter().enumerate() {
            if failures.iter().any(|failure| failure.cause.is_wrong_node()) {
                // As a client does. The pause is not at the expense of the ways.
                until = deadline.min(until + ASTRAY.0);
                tokio::time::sleep_until(deadline.min(Instant::now() + ASTRAY.0)).await;
            }
            let left = until.saturating_duration_since(Instant::now());
            let its_end = Instant::now() + share(left, ways.len() - tried);
            match self.dial_way(target, plan, way, its_end).await {
                Ok(connected) => return (Some(connected), failures),
                Err(failure) => failures.push(failure),
            }
        }
        (None, with_scope(failures, target, plan))
    }

    /// One more connection to where one was made before.
    pub(crate) async fn examine_again(
        &self,
        target: &Target,
        dialled: Option<&DialAddress>,
        deadline: Instant,
    ) -> Result<Connected, Box<NodeFailure>> {
        let plan = self.plan(target)?;
        let ways = dial_candidates(&plan.dial, target.expected.is_some(), None);
        let Some(way) = ways.iter().find(|way| Some(&way.address) == dialled) else {
            let why = "it would be dialled somewhere else by now".to_owned();
            return Err(Box::new(undialled(target, Cause::Unplannable(why))));
        };
        let deadline = deadline.min(Instant::now() + self.env.timing.node_connect);
        self.dial_way(target, &plan, way, deadline).await.map_err(Box::new)
    }

    async fn dial_way(
        &self,
        target: &Target,
        plan: &NodePlan,
        way: &Way,
        deadline: Instant,
    ) -> Result<Connected, NodeFailure> {
        let dialling = Dialling {
            env: &self.env,
            target,
            plan,
            expected: target.expected.as_ref(),
            explain: Explain::Fully,
            is_for_reads: true,
            deadline,
        };
        dial(dialling, way).await
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};

    use socket2::{Domain, Socket, Type};
    use truename_topology::{AnnouncedNode, Endpoint, Role};

    use super::*;
    use crate::config::Config;
    use crate::error::Phase;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_way_has_its_share_of_what_is_left() {
        let rows = [
            (3000, 2, 1500),
            (1500, 1, 1500),
            (2990, 1, 2990),
            (3000, 3, 1000),
            (700, 2, 350),
            (500, 2, 300),
            (200, 1, 200),
            (200, 2, 200),
            (0, 1, 0),
            (0, 2, 0),
        ];
        for (left, ways, expected) in rows {
            assert_eq!(share(left * MS, ways), expected * MS, "{left} ms for {ways}");
        }
    }

    /// A listener for the whole of loopback that drops whatever comes, as a firewall does: its queue is full.
    struct BlackHole {
        listener: Socket,
        _queued: Vec<TcpStream>,
    }

    impl BlackHole {
        fn dig() -> Self {
            let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            listener.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).expect("a free port");
            listener.listen(0).expect("listening");
            let mut hole = Self { listener, _queued: Vec::new() };
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, hole.port()));
            while let Ok(queued) = TcpStream::connect_timeout(&at, 200 * MS) {
                hole._queued.push(queued);
                assert!(hole._queued.len() < 100, "the queue has no end");
            }
            hole
        }

        fn port(&self) -> u16 {
            self.listener.local_addr().expect("bound").as_socket().expect("an address").port()
        }
    }

    /// Two ways into a black hole took the time of two nodes. The clock jumps to the next timer, as nothing
    /// else ever happens.
    #[tokio::test(start_paused = true)]
    async fn two_black_holes_take_the_time_of_one_node() {
        let hole = BlackHole::dig();
        let seed = Endpoint::new("127.0.0.1", hole.port());
        let config = Config::new().seed(seed.host(), seed.port()).plaintext().node_connect_timeout(2000 * MS);
        let connector = Connector::build(&config).expect("a connector");
        let node = AnnouncedNode::new(Endpoint::new("127.0.0.6", hole.port()), Role::Primary);
        let target = Target::announced(&node.with_id("id".into()), &seed);
        let plan = connector.plan(&target).expect("a plan");
        for (limit, expected) in [(10_000, [1000, 1000]), (1000, [500, 500]), (500, [300, 200])] {
            let started = Instant::now();
            let (connected, failures) = connector.examine(&target, &plan, started + limit * MS).await;
            assert!(connected.is_none());
            let dialled: Vec<_> = failures.iter().map(|failure| failure.dialled.clone()).collect();
            assert_eq!(
                dialled,
                ["127.0.0.6", "127.0.0.1"].map(|host| Some(DialAddress::new(host, hole.port())))
            );
            for (failure, expected) in failures.iter().zip(expected) {
                assert_eq!((failure.phase, &failure.cause), (Phase::Tcp, &Cause::TimedOut), "{failure}");
                // Timers have a resolution of a millisecond.
                let took = failure.elapsed;
                assert!((expected * MS..=(expected + 2) * MS).contains(&took), "{limit}: {took:?}");
            }
        }
    }
}
