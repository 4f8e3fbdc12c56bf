//! Asking one node for its own view of the cluster.
//!
//! What must stay true: however many callers want to know, a node is asked once at a time and not more often than every
//! [`PAUSE`]; an answer counts for a caller only if it was asked for after the caller's own doubt arose.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;
use tokio::time::Instant;
use truename_topology::view::View;
use truename_topology::{Endpoint, parse_nodes};

use super::node::Node;
use crate::clock;

/// The least time between two questions to one node.
const PAUSE: Duration = Duration::from_millis(50);
/// How long one question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How many nodes' answers are kept at a time.
const MOST: usize = 64;

type Question = Shared<BoxFuture<'static, Option<Arc<View>>>>;
/// A question belongs to its askers: it holds the node, which may leave the topology.
type Asked = WeakShared<BoxFuture<'static, Option<Arc<View>>>>;

/// Questions that are under way, and when each node was last asked.
#[derive(Debug, Default)]
pub(crate) struct OwnViews {
    asked: Mutex<HashMap<Endpoint, (Instant, Asked)>>,
}

impl OwnViews {
    /// The node's own view (`CLUSTER NODES`), not older than this call; `None` if the node does not answer in time.
    pub(crate) async fn of(&self, node: &Arc<Node>, deadline: Instant) -> Option<Arc<View>> {
        let since = Instant::now();
        let question = loop {
            let known = self.asked.lock().get(node.endpoint()).cloned();
            let Some((at, asked)) = known else { break self.ask(node, since) };
            if at >= since
                && let Some(question) = asked.upgrade()
            {
                break question;
            }
            if at.elapsed() >= PAUSE {
                break self.ask(node, since);
            }
            clock::timeout_at(deadline, clock::sleep_until(at + PAUSE)).await?;
        };
        clock::timeout_at(deadline, question).await?
    }

    /// Asks, unless another caller did so just now.
    fn ask(&self, node: &Arc<Node>, since: Instant) -> Question {
        let mut asked = self.asked.lock();
        if let Some((at, question)) = asked.get(node.endpoint())
            && *at >= since
            && let Some(question) = question.upgrade()
        {
            return question;
        }
        if asked.len() >= MOST {
            asked.retain(|_, (at, _)| at.elapsed() < PAUSE);
        }
        let question = question(node.clone()).boxed().shared();
        if let Some(weak) = question.downgrade() {
            asked.insert(node.endpoint().clone(), (Instant::now(), weak));
        }
        question
    }
}

async fn question(node: Arc<Node>) -> Option<Arc<View>> {
    let reply = node.ask(&[b"CLUSTER", b"NODES"], ANSWER_WITHIN).await.ok()?;
    parse_nodes(reply.as_str()?, node.endpoint().host()).ok().map(Arc::new)
}
