//! Which name each node was verified by, at one moment.

use std::io;

use serde_json::{Value, json};
use truename::topology::Role;
use truename::{Client, NodeStatus};

use crate::render::table::{Cell, Table};
use crate::render::{Page, json};

/// What each connected node proved.
#[derive(Debug)]
pub(super) struct Proofs {
    nodes: Vec<NodeStatus>,
}

impl Proofs {
    /// What the client knows now: of the primaries, and of every other node that it is connected to.
    pub(super) fn of(client: &Client) -> Self {
        let mut nodes = client.nodes();
        nodes.retain(|node| node.role == Role::Primary || node.is_connected);
        nodes.sort_by(|a, b| (a.role, &a.node).cmp(&(b.role, &b.node)));
        Self { nodes }
    }

    /// Whether every primary is connected.
    pub(super) fn is_complete(&self) -> bool {
        let mut primaries = self.nodes.iter().filter(|node| node.role == Role::Primary).peekable();
        primaries.peek().is_some() && primaries.all(|node| node.is_connected)
    }

    pub(super) fn write(&self, page: &mut Page<'_>) -> io::Result<()> {
        let mut table = Table::new(["announced", "role", "dialled", "name proved (from)", "node id"]);
        for node in &self.nodes {
            let facts = node.facts.as_ref();
            let dialled = facts.and_then(|facts| facts.dialled.as_ref()).map(ToString::to_string);
            let name = match facts {
                None => Cell::bad("not connected"),
                Some(facts) => match &facts.identity {
                    Some(identity) => Cell::good(identity.to_string()),
                    None => Cell::doubtful("plaintext"),
                },
            };
            let id = if is_confirmed(node) { Cell::good("confirmed") } else { Cell::plain("not reported") };
            table.row([
                node.node.to_string().into(),
                node.role.to_string().into(),
                dialled.unwrap_or_default().into(),
                name,
                id,
            ]);
        }
        page.table(&table)
    }

    pub(super) fn json(&self) -> Value {
        let nodes = self.nodes.iter().map(|node| {
            let facts = node.facts.as_ref();
            json!({
                "node": node.node.to_string(),
                "role": node.role.to_string(),
                "connected": node.is_connected,
                "dialled": facts.and_then(|facts| facts.dialled.as_ref()).map(ToString::to_string),
                "identity": facts.and_then(|facts| facts.identity.as_ref()).map(json::identity),
                "node_id_confirmed": is_confirmed(node),
            })
        });
        nodes.collect()
    }
}

/// Whether the node answered with the id that was announced. A wrong one is refused before it gets here.
fn is_confirmed(node: &NodeStatus) -> bool {
    let answered = node.facts.as_ref().and_then(|facts| facts.greeting.node_id.as_deref());
    answered.is_some() && answered == node.id.as_ref().map(|id| id.as_str())
}
