//! `truename ping`: connects exactly as an application would, and asks every primary for a sign of life.
//!
//! Where this succeeds an application with the same options works. Where it does not, `doctor` shows more.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use truename::topology::{Endpoint, SlotMap};
use truename::{Client, Error, NodeStatus, cmd};

use crate::context::Target;
use crate::exit::{self, Exit};
use crate::failure::Failure;
use crate::render::{Output, Page, Report, human, json};
use crate::spelling::as_options;

/// One primary's answer.
struct Answer {
    node: Endpoint,
    outcome: Result<Alive, Error>,
}

/// A node that answered.
#[derive(Clone, Copy)]
struct Alive {
    took: Duration,
    /// Otherwise it said that this user may not send `PING`, which is a sign of life as well.
    is_permitted: bool,
}

/// What all primaries answered.
struct Ping {
    answers: Vec<Answer>,
    nodes: Vec<NodeStatus>,
    connected_after: Duration,
}

/// Connects and asks.
pub(crate) async fn run(target: &Target, output: &mut Output) -> Result<Exit, Failure> {
    let started = Instant::now();
    let client = Client::connect(&target.config).await?;
    let connected_after = started.elapsed();
    let answers = ask_all(&client).await;
    let report = Ping { answers, nodes: client.nodes(), connected_after };
    output.show(&report)?;
    client.close();
    Ok(report.exit())
}

async fn ask_all(client: &Client) -> Vec<Answer> {
    let mut asking = JoinSet::new();
    for node in primaries(&client.topology()) {
        let client = client.clone();
        asking.spawn(async move {
            let started = Instant::now();
            // To this node and no other: another one's answer would be shown as its own.
            let command = cmd("PING").route_to(&node);
            let pong = client.run(command).await;
            let took = started.elapsed();
            let outcome = match pong {
                Ok(()) => Ok(Alive { took, is_permitted: true }),
                Err(Error::Server(error)) if error.code() == "NOPERM" => {
                    Ok(Alive { took, is_permitted: false })
                }
                Err(error) => Err(error),
            };
            Answer { node, outcome }
        });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by(|a, b| a.node.cmp(&b.node));
    answers
}

/// Every primary that owns slots.
fn primaries(map: &SlotMap) -> Vec<Endpoint> {
    let owners = map.owners().into_iter();
    let mut found: Vec<Endpoint> =
        owners.map(|shard| map.nodes()[shard.primary().index()].endpoint.clone()).collect();
    found.sort();
    found.dedup();
    found
}

impl Ping {
    fn exit(&self) -> Exit {
        exit::of_several(self.answers.iter().filter_map(|answer| answer.outcome.as_ref().err()))
    }

    fn status(&self, node: &Endpoint) -> Option<&NodeStatus> {
        self.nodes.iter().find(|status| status.node == *node)
    }

    /// How the node was reached and what it proved.
    fn proof(&self, node: &Endpoint) -> String {
        let Some(facts) = self.status(node).and_then(|status| status.facts.as_ref()) else {
            return String::new();
        };
        let dialled = facts.dialled.as_ref().map(ToString::to_string).filter(|d| *d != node.to_string());
        let dialled = dialled.map(|dialled| format!("  dialled {dialled}")).unwrap_or_default();
        let proof = match (&facts.identity, &facts.tls_version) {
            (Some(identity), _) => format!("  verified as {identity}"),
            (None, Some(_)) => "  name not checked".to_owned(),
            (None, None) => "  plaintext".to_owned(),
        };
        dialled + &proof
    }
}

impl Report for Ping {
    fn human(&self, page: &mut Page<'_>) -> io::Result<()> {
        let paint = page.paint();
        for Answer { node, outcome } in &self.answers {
            match outcome {
                Ok(Alive { took, is_permitted }) => {
                    let (word, note) = match is_permitted {
                        true => ("PONG", ""),
                        false => ("NOPERM", "  alive: this user may not send PING"),
                    };
                    let word = paint.good(word);
                    page.line(format!(
                        "{word}  {node}  {}{}{note}",
                        human::duration(*took),
                        self.proof(node)
                    ))?;
                }
                Err(error) => {
                    page.line(format!("{}  {node}", paint.error("FAIL")))?;
                    page.indented(error.spelled(as_options))?;
                }
            }
        }
        let connected = format!("connected in {}", human::duration(self.connected_after));
        let failed = self.answers.iter().filter(|answer| answer.outcome.is_err()).count();
        page.line(match failed {
            0 => paint.dim(connected),
            _ => {
                let all = self.answers.len();
                paint.error(format!("{failed} of {all} primaries failed ({connected})"))
            }
        })
    }

    fn json(&self) -> Value {
        let nodes: Vec<Value> = self.answers.iter().map(|answer| self.answer_json(answer)).collect();
        json!({ "nodes": nodes, "connect_ms": json::ms(self.connected_after), "exit_code": self.exit().code() })
    }
}

impl Ping {
    fn answer_json(&self, answer: &Answer) -> Value {
        let facts = self.status(&answer.node).and_then(|status| status.facts.as_ref());
        json!({
            "node": answer.node.to_string(),
            "ping_ms": answer.outcome.as_ref().ok().map(|alive| json::ms(alive.took)),
            "permitted": answer.outcome.as_ref().ok().map(|alive| alive.is_permitted),
            "dialled": facts.and_then(|facts| facts.dialled.as_ref()).map(ToString::to_string),
            "tls": facts.and_then(|facts| facts.tls_version.clone()),
            "identity": facts.and_then(|facts| facts.identity.as_ref()).map(json::identity),
            "error": answer.outcome.as_ref().err().map(json::error),
        })
    }
}

#[cfg(test)]
mod tests {
    use truename::topology::{AnnouncedNode, Role, ShardView, Slot, SlotRange, View};

    use super::*;

    #[test]
    fn every_primary_with_slots_is_asked_once() {
        let shard = |host: &str, ranges: &[(u16, u16)]| {
            let node = AnnouncedNode::new(Endpoint::new(host, 6379), Role::Primary);
            let slot = |value| Slot::new(value).unwrap();
            let ranges =
                ranges.iter().map(|&(from, to)| SlotRange::new(slot(from), slot(to)).unwrap()).collect();
            ShardView::new(ranges, Some(node), Vec::new())
        };
        let shards = vec![
            shard("b", &[(100, 16_000)]),
            shard("a", &[(0, 99), (16_001, 16_382)]),
            shard("c", &[(16_383, 16_383)]),
            shard("empty", &[]),
        ];
        let map = SlotMap::from_view(&View::new(shards));
        let hosts: Vec<_> = primaries(&map).iter().map(|node| node.host().to_owned()).collect();
        assert_eq!(hosts, ["a", "b", "c"]);
    }
}
