//! Asking nodes: for a page of keys, and for what they say about themselves.
//!
//! What must stay true: what is asked about a process and the pages that are put down to it come from one connection
//! ([`on_one`]). An address may lead to several processes, after a restart or behind a load balancer, but a connection leads to
//! one.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all, join3};
use truename_topology::{Endpoint, Role, Slot};

use super::error::MissingCause;
use super::page::Page;
use super::pass::{Came, Request};
use super::verdict::OTHERS;
use super::witness::{Claims, Process, Witness, keys_moved, lineage, scans_slots};
use crate::api::client::Client;
use crate::command::{Command, cmd};
use crate::error::{Check, Error, InterruptedError, Remedy, TypeError};

/// How long other primaries are waited for: it is not about their keys.
const OTHERS_PATIENCE: Duration = Duration::from_secs(1);
/// How many rounds of them are asked until enough have answered.
const ROUNDS: usize = 3;
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
            goes_on(next == cursor && next != 0)?;
            Ok((Came::All(next), page))
        }
        Request::Slot(slot, cursor) => {
            let cursor = cursor.unwrap_or_else(|| first_cursor(slot));
            let scan = cmd("CLUSTERSCAN").arg(cursor.as_str()).arg("SLOT").arg(slot.value());
            let (next, page) = read(client, at, wanted.by(scan)).await?;
            goes_on(next == cursor)?;
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

/// A server that answers with the cursor that it was asked with would be asked for ever.
fn goes_on(is_same: bool) -> Result<(), TypeError> {
    if is_same { Err(TypeError::new("a cursor that leads on", "the same cursor")) } else { Ok(()) }
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
    let info = |section: &'static str| client.execute::<String>(cmd("INFO").arg(section).route_to(node));
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

impl Said {
    /// `None` if it does not say all that matters.
    fn read(&self, connection: u64) -> Option<Witness> {
        let process = Process::parse(&self.server)?;
        let (moved, claims) = match &self.rest {
            Rest::Cluster { stats, nodes } => (Some(keys_moved(stats)?), Claims::parse(nodes)?),
            Rest::Alone { replication } => (None, Claims::alone(lineage(replication)?)),
        };
        Some(Witness { process, connection, scans_slots: scans_slots(&self.server), moved, claims })
    }
}

/// A refusal of what the client asks by itself says what the user has to be allowed.
pub(super) fn advised(mut error: Error) -> Error {
    if let Error::Server(answer) = &mut error
        && answer.reply.code() == "NOPERM"
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
    Ok((witness, others(client, node).await))
}

/// What other primaries say. Those that do not answer are replaced by others, as long as there are any.
async fn others(client: &Client, node: &Endpoint) -> Vec<Claims> {
    if client.is_single_node() {
        return Vec::new();
    }
    let mut others = client.nodes();
    others.retain(|other| other.role == Role::Primary && other.node != *node);
    fastrand::shuffle(&mut others);
    others.sort_by_key(|other| !other.is_connected);
    let ask = |other: &Endpoint| {
        let nodes = cmd("CLUSTER").arg("NODES").timeout(OTHERS_PATIENCE).route_to(other);
        client.execute::<String>(nodes)
    };
    let mut said = Vec::new();
    for some in others.chunks(OTHERS).take(ROUNDS) {
        let answers = join_all(some.iter().map(|other| ask(&other.node))).await;
        said.extend(answers.into_iter().filter_map(|nodes| Claims::parse(&nodes.ok()?)));
        if said.len() >= OTHERS {
            break;
        }
    }
    said
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
    fn a_cursor_that_leads_nowhere_is_an_error() {
        assert!(goes_on(false).is_ok() && goes_on(true).is_err());
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
        assert_eq!((witness.connection, witness.moved), (7, Some(0)));
        for silent in [cluster("", stats, &nodes), cluster(&server, "", &nodes), cluster(&server, stats, "")]
        {
            assert!(silent.read(7).is_none());
        }
        let alone = |replication: &str| Said {
            server: server.clone(),
            rest: Rest::Alone { replication: replication.to_owned() },
        };
        assert!(alone("role:master\r\nmaster_replid:aa\r\n").read(7).is_some());
        assert!(alone("").read(7).is_none());
    }
}
