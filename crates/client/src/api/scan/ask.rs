//! Asking nodes: for a page of keys, and for what they say about themselves.
//!
//! What must stay true: what is asked about a process and the pages that are put down to it come from one connection
//! ([`on_one`]). An address may lead to several processes, after a restart or behind a load balancer, but a connection leads to
//! one.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all, join3};
use truename_topology::{Endpoint, Role, Slot};

use super::error::MissingCause;
use super::owners::Owners;
use super::page::Page;
use super::pass::{Came, Request};
use super::verdict::{needed, voters};
use super::witness::{Claims, Process, Witness, keys_moved, lineage, scans_slots};
use crate::api::client::Client;
use crate::command::{Command, cmd};
use crate::error::{Check, Error, InterruptedError, Remedy, TypeError};

/// How long other primaries are waited for: it is not about their keys.
const OTHERS_PATIENCE: Duration = Duration::from_secs(1);
/// How many of them are asked at a time: at least, and at most.
const AT_ONCE: (usize, usize) = (2, 16);
/// How many rounds of them are asked beyond what would do if all answered.
const MORE_ROUNDS: usize = 2;
/// The code of an error about what a user may not do.
const NOPERM: &str = "NOPERM";
/// How often a node is asked again because its connection was replaced meanwhile. The first question may be what a
/// connection is made for.
const ATTEMPTS: usize = 3;

/// What a scan asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) pattern: Option<Bytes>,
    pub(super) kind: Option<String>,
    pub(super) count: Option<u32>,
}

/// Which connection to a node is up.
fn connection(client: &Client, node: &Endpoint) -> Option<u64> {
    client.router().cluster().topology().node_at(node)?.connection()
}

/// What `answer` gives, if all of it comes from this connection of the node's.
pub(super) async fn on_one<T>(
    client: &Client,
    node: &Endpoint,
    number: u64,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let is_up = || connection(client, node) == Some(number);
    if !is_up() {
        return Err(replaced(node));
    }
    let answer = answer.await?;
    // The number rises with every connection, so that it was this one all the time.
    if is_up() { Ok(answer) } else { Err(replaced(node)) }
}

/// The error for an answer that may come from another process than those before it.
fn replaced(node: &Endpoint) -> Error {
    let why = "its connection was replaced, and the next one may lead to another process".to_owned();
    Error::Interrupted(Box::new(InterruptedError::new(node.clone(), None, why, 1)))
}

/// Asks a node for a page on a connection, and reads where the next one begins.
pub(super) async fn page(
    client: &Client,
    at: (&Endpoint, u64),
    request: Request,
    wanted: &Wanted,
) -> Result<(Came, Page), Error> {
    match request {
        Request::All(cursor) => {
            let (next, page) = read(client, at, wanted.by(cmd("SCAN").arg(cursor))).await?;
            let next = next.parse().map_err(|_| TypeError::new("a cursor", "another text"))?;
            Ok((Came::All(next), page))
        }
        Request::Slot(slot, cursor) => {
            let cursor = cursor.unwrap_or_else(|| first_cursor(slot));
            let scan = cmd("CLUSTERSCAN").arg(cursor.as_str()).arg("SLOT").arg(slot.value());
            let (next, page) = read(client, at, wanted.by(scan)).await?;
            Ok((Came::Slot(slot, Some(next).filter(|next| next != "0")), page))
        }
    }
}

async fn read(
    client: &Client,
    (node, number): (&Endpoint, u64),
    scan: Command<'_>,
) -> Result<(String, Page), Error> {
    Page::read(on_one(client, node, number, client.execute_raw(scan.route_to(node))).await?)
}

/// A cursor at the beginning of a slot. `0` would be one, too, but servers send the client to the slot that `0` has as a key
/// (Valkey 9.1.2).
fn first_cursor(slot: Slot) -> String {
    format!("0-{{{}}}-0", tags()[slot.index()])
}

/// A number for each slot whose digits are a key of it.
fn tags() -> &'static [u32] {
    static TAGS: OnceLock<Vec<u32>> = OnceLock::new();
    TAGS.get_or_init(|| {
        let (mut tags, mut left) = (vec![None; Slot::COUNT], Slot::COUNT);
        for number in 0u32.. {
            let tag = &mut tags[Slot::of_key(number.to_string().as_bytes()).index()];
            left -= usize::from(tag.is_none());
            tag.get_or_insert(number);
            if left == 0 {
                break;
            }
        }
        tags.into_iter().map(Option::unwrap_or_default).collect()
    })
}

impl Wanted {
    /// Adds what is wanted to a command.
    fn by<'a>(&'a self, mut scan: Command<'a>) -> Command<'a> {
        if let Some(pattern) = &self.pattern {
            scan = scan.arg("MATCH").arg(&pattern[..]);
        }
        if let Some(count) = self.count {
            scan = scan.arg("COUNT").arg(count);
        }
        if let Some(kind) = &self.kind {
            scan = scan.arg("TYPE").arg(kind.as_str());
        }
        scan
    }
}

/// Of which end of what is read a node is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the first page.
    Before,
    /// After the last one.
    After,
}

/// Asks a node who it is and what it has, on one connection.
pub(super) async fn witness(
    client: &Client,
    node: &Endpoint,
    moment: Moment,
) -> Result<Witness, MissingCause> {
    for _ in 0..ATTEMPTS {
        let before = connection(client, node);
        let said = said(client, node, moment).await.map_err(|error| MissingCause::Failed(advised(error)))?;
        if let Some(number) = before
            && connection(client, node) == Some(number)
        {
            return said.read(number).ok_or(MissingCause::Silent);
        }
    }
    Err(MissingCause::Failed(replaced(node)))
}

/// What a node said, before it is read.
struct Said {
    server: String,
    /// `INFO commandstats` and `CLUSTER NODES`, or `INFO replication` of a server without cluster support.
    rest: Rest,
}

enum Rest {
    Cluster { stats: String, nodes: String },
    Alone { replication: String },
}

async fn said(client: &Client, node: &Endpoint, moment: Moment) -> Result<Said, Error> {
    let info = |section: &'static str| async move {
        told(client.execute::<String>(cmd("INFO").arg(section).route_to(node)).await)
    };
    if client.is_single_node() {
        let (server, replication) = join(info("server"), info("replication")).await;
        return Ok(Said { server: server?, rest: Rest::Alone { replication: replication? } });
    }
    // The calls are made in this order, and one connection keeps it. The counts enclose the two views of the slots: what
    // happens between the views has to show in the counts.
    let nodes = client.execute::<String>(cmd("CLUSTER").arg("NODES").route_to(node));
    let (server, stats, nodes) = match moment {
        Moment::Before => join3(info("server"), info("commandstats"), nodes).await,
        Moment::After => {
            let (nodes, stats, server) = join3(nodes, info("commandstats"), info("server")).await;
            (server, stats, nodes)
        }
    };
    Ok(Said { server: server?, rest: Rest::Cluster { stats: stats?, nodes: nodes? } })
}

/// What a server or a proxy does not have it does not say. What it refuses this user is an error.
fn told(answer: Result<String, Error>) -> Result<String, Error> {
    match answer {
        Err(Error::Server(error)) if error.code() == "ERR" => Ok(String::new()),
        answer => answer,
    }
}

impl Said {
    /// `None` if it does not say what it has. What else it does not say makes the guarantee weaker, as the module says.
    fn read(&self, connection: u64) -> Option<Witness> {
        let process = Process::parse(&self.server);
        let process = process.unwrap_or_else(|| Process::at_end_of(connection, &self.server));
        let (moved, claims) = match &self.rest {
            Rest::Cluster { stats, nodes } => (keys_moved(stats), Claims::parse(nodes)?),
            Rest::Alone { replication } => (None, Claims::alone(lineage(replication).unwrap_or_default())),
        };
        Some(Witness { process, connection, scans_slots: scans_slots(&self.server), moved, claims })
    }
}

/// A refusal of what the client asks by itself says what the user has to be allowed.
pub(super) fn advised(mut error: Error) -> Error {
    if let Error::Server(answer) = &mut error
        && answer.reply.code() == NOPERM
    {
        answer.remedy = Some(Remedy::Check(Check::ScanPermissions));
    }
    error
}

/// Asks a node who it is and what it has, after its last page, and then some others who has what: they may know by then what
/// it does not.
pub(super) async fn witness_and_others(
    client: &Client,
    node: &Endpoint,
) -> Result<(Witness, Vec<Claims>), MissingCause> {
    let witness = witness(client, node, Moment::After).await?;
    let others = others(client, node, &witness).await?;
    Ok((witness, others))
}

/// What other primaries say, until enough of them have. Those that do not answer are replaced by others, as long as there are any.
/// An error if some refuse, the others are too few, and so they will be later.
async fn others(client: &Client, node: &Endpoint, witness: &Witness) -> Result<Vec<Claims>, MissingCause> {
    if client.is_single_node() {
        return Ok(Vec::new());
    }
    let mut others = client.nodes();
    others.retain(|other| other.role == Role::Primary && other.node != *node);
    fastrand::shuffle(&mut others);
    let has_slots: HashSet<Endpoint> =
        Owners::of(&client.topology()).nodes.into_iter().map(|(owner, _)| owner).collect();
    others.sort_by_key(|other| (!has_slots.contains(&other.node), !other.is_connected));
    let ask = |other: &Endpoint| {
        let nodes = cmd("CLUSTER").arg("NODES").timeout(OTHERS_PATIENCE).route_to(other);
        client.execute::<String>(nodes)
    };
    let needed = needed(&witness.claims);
    let at_once = needed.clamp(AT_ONCE.0, AT_ONCE.1);
    let rounds = needed.div_ceil(at_once).max(1) + MORE_ROUNDS;
    let (mut said, mut refusal, mut is_silent) = (Vec::new(), None, false);
    for some in others.chunks(at_once).take(rounds) {
        let answers = join_all(some.iter().map(|other| ask(&other.node))).await;
        for answer in answers {
            match answer.as_deref().map(Claims::parse) {
                Ok(Some(claims)) => said.extend(claims.about(&witness.claims)),
                Ok(None) => is_silent = true,
                Err(Error::Server(error)) if error.code() == NOPERM => refusal = answer.err(),
                Err(_) => is_silent = true,
            }
        }
        if voters(witness, &said) >= needed {
            return Ok(said);
        }
    }
    match refusal.filter(|_| !is_silent) {
        Some(refusal) => Err(MissingCause::Failed(advised(refusal))),
        None => Ok(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_first_cursor() {
        for slot in Slot::all() {
            let cursor = first_cursor(slot);
            assert_eq!(Slot::of_key(cursor.as_bytes()), slot, "{cursor}");
        }
    }

    #[test]
    fn what_a_node_does_not_say_is_not_taken_for_nothing() {
        let server = "run_id:00112233445566778899aabbccddeeff00112233\r\n".to_owned();
        let nodes = "aa 127.0.0.1:7000@17000 myself,master - 0 0 7 connected 0-16383\n".to_owned();
        let cluster = |server: &str, stats: &str, nodes: &str| Said {
            server: server.to_owned(),
            rest: Rest::Cluster { stats: stats.to_owned(), nodes: nodes.to_owned() },
        };
        let stats = "# Commandstats\r\n";
        let witness = cluster(&server, stats, &nodes).read(7).expect("it says all");
        assert_eq!((witness.connection, witness.moved), (7, keys_moved(stats)));
        assert!(cluster(&server, stats, "").read(7).is_none());
        // The guarantee is weaker without these, and a scan is possible.
        let silent = cluster("", "", &nodes);
        let witness = |connection| silent.read(connection).expect("it says what it has");
        assert_eq!((witness(7).moved, witness(7).process), (None, witness(7).process));
        assert_ne!(witness(7).process, witness(8).process);
        let alone = |replication: &str| Said {
            server: server.clone(),
            rest: Rest::Alone { replication: replication.to_owned() },
        };
        assert!(alone("role:master\r\nmaster_replid:aa\r\n").read(7).is_some());
        assert!(alone("").read(7).is_some());
    }
}
