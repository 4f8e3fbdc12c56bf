//! Asking nodes: for a page of keys, and for what they say about themselves.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all, join3};
use truename_topology::{Endpoint, Role, Slot};

use super::error::MissingCause;
use super::page::Page;
use super::plan::{Came, Request};
use super::witness::{Claims, Process, Witness, keys_moved, scans_slots};
use crate::api::client::Client;
use crate::command::{Command, cmd};
use crate::error::{Error, TypeError};

/// How many other primaries are asked whether a node was replaced.
const OTHERS: usize = 2;
/// How long they are waited for: it is not about their keys.
const OTHERS_PATIENCE: Duration = Duration::from_secs(1);

/// What a scan asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) pattern: Option<Bytes>,
    pub(super) kind: Option<String>,
    pub(super) count: Option<u32>,
}

/// Asks a node for a page, and reads where the next one begins.
pub(super) async fn page(
    client: &Client,
    node: &Endpoint,
    request: Request,
    wanted: &Wanted,
) -> Result<(Came, Page), Error> {
    match request {
        Request::All(cursor) => {
            let scan = wanted.by(cmd("SCAN").arg(cursor));
            let (next, page) = Page::read(client.execute_raw(scan.route_to(node)).await?)?;
            let next = next.parse().map_err(|_| TypeError::new("a cursor", "another text"))?;
            Ok((Came::All(next), page))
        }
        Request::Slot(slot, cursor) => {
            let scan = wanted.by(cmd("CLUSTERSCAN").arg(cursor.unwrap_or_else(|| first_cursor(slot))));
            let scan = scan.arg("SLOT").arg(slot.value());
            let (next, page) = Page::read(client.execute_raw(scan.route_to(node)).await?)?;
            Ok((Came::Slot(slot, Some(next).filter(|next| next != "0")), page))
        }
    }
}

/// A cursor at the beginning of a slot. `0` would be one, too, but servers send the client to the slot that `0` has as a key
/// (Valkey 9.1.2).
fn first_cursor(slot: Slot) -> String {
    let tag = (0u32..).map(|number| number.to_string()).find(|tag| Slot::of_key(tag.as_bytes()) == slot);
    format!("0-{{{}}}-0", tag.unwrap_or_default())
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

/// Asks a node which process it is.
pub(super) async fn process(client: &Client, node: &Endpoint) -> Result<Option<Process>, Error> {
    Ok(Process::parse(&server(client, node).await?))
}

async fn server(client: &Client, node: &Endpoint) -> Result<String, Error> {
    client.execute(cmd("INFO").arg("server").route_to(node)).await
}

/// Asks a node who it is and what it has.
pub(super) async fn witness(client: &Client, node: &Endpoint) -> Result<Witness, MissingCause> {
    if client.is_single_node() {
        let info = server(client, node).await.map_err(MissingCause::Failed)?;
        let process = Process::parse(&info).ok_or(MissingCause::Silent)?;
        return Ok(Witness { process, scans_slots: false, moved: None, claims: Claims::alone() });
    }
    let stats = client.execute::<String>(cmd("INFO").arg("commandstats").route_to(node));
    let nodes = client.execute::<String>(cmd("CLUSTER").arg("NODES").route_to(node));
    let (info, stats, nodes) = join3(server(client, node), stats, nodes).await;
    let info = info.map_err(MissingCause::Failed)?;
    let process = Process::parse(&info).ok_or(MissingCause::Silent)?;
    let moved = match stats {
        Ok(stats) => Some(keys_moved(&stats)),
        // It is a second look at what `CLUSTER NODES` says.
        Err(Error::Server(_)) => None,
        Err(error) => return Err(MissingCause::Failed(error)),
    };
    let nodes = nodes.map_err(MissingCause::Failed)?;
    let claims = Claims::parse(&nodes).ok_or(MissingCause::Silent)?;
    Ok(Witness { process, scans_slots: scans_slots(&info), moved, claims })
}

/// Asks a node who it is and what it has, and some others who has what.
pub(super) async fn witness_and_others(
    client: &Client,
    node: &Endpoint,
) -> Result<(Witness, Vec<Claims>), MissingCause> {
    let (witness, others) = join(witness(client, node), others(client, node)).await;
    Ok((witness?, others))
}

async fn others(client: &Client, node: &Endpoint) -> Vec<Claims> {
    if client.is_single_node() {
        return Vec::new();
    }
    let mut others = client.nodes();
    others.retain(|other| other.role == Role::Primary && other.is_connected && other.node != *node);
    fastrand::shuffle(&mut others);
    others.truncate(OTHERS);
    let ask = |other: &Endpoint| {
        let nodes = cmd("CLUSTER").arg("NODES").timeout(OTHERS_PATIENCE).route_to(other);
        client.execute::<String>(nodes)
    };
    let said = join_all(others.iter().map(|other| ask(&other.node))).await;
    said.into_iter().filter_map(|nodes| Claims::parse(&nodes.ok()?)).collect()
}
