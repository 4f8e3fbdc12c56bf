//! Acting on the judge's verdict: hints to the topology worker, waiting, and finding the next node.

use std::sync::Arc;

use truename_resp::ErrorReply;
use truename_topology::{Endpoint, Redirect};

use super::attempts::{Attempts, Refused};
use super::destination::Destination;
use super::judge::{Hint, Setback, Verdict, is_refusal, judge};
use super::request::Request;
use super::state::Router;
use crate::cluster::Node;
use crate::command::Route;
use crate::config::ReadFrom;
use crate::error::{Error, Execution};
use crate::event::Event;
use crate::lane::{CloseCause, Failure};
use crate::observe;

impl Router {
    /// Everything but a value: where to try next, or the error.
    #[cold]
    pub(super) async fn follow(
        &self,
        setback: Setback,
        node: Arc<Node>,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        let traits = request.traits(self.cluster.repeats_writes, attempts);
        if matches!(setback, Setback::Failure(Failure::LostAtHead(_))) {
            attempts.note_oldest();
        }
        let verdict = judge(setback, traits, node.endpoint());
        let refused = match &verdict {
            Verdict::Moved(to) | Verdict::Ask(to) => {
                self.cluster.refuses_to_dial(to.to()).map(|why| (to, why))
            }
            _ => None,
        };
        let followed = match refused {
            // That is not progress. The servers may change their minds.
            Some((redirect, why)) => {
                let text = format!("{redirect}, but {}; it is not dialled", why.summary());
                let refused = Refused { text, remedy: why.remedy, ..redirect.into() };
                self.wait(refused, &node, request, attempts).await
            }
            None => self.act_on(verdict, &node, request, attempts).await,
        };
        let followed = match followed {
            Ok(destination) if attempts.slot().is_some() && self.is_for_replicas(request) => {
                self.replica_of(destination, request, attempts).await
            }
            other => other,
        };
        followed.map_err(|error| attempts.admit(error))
    }

    async fn act_on(
        &self,
        verdict: Verdict,
        node: &Arc<Node>,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        match verdict {
            Verdict::Answer { error, execution } => {
                // It proves nothing, but may be true.
                if is_refusal(error.code()) {
                    self.cluster.hints.refresh();
                }
                Err(attempts.answer(error, execution, node))
            }
            Verdict::Moved(redirect) => {
                observe::redirected("moved");
                self.note_redirect(&redirect, node, attempts);
                self.cluster.hints.moved(redirect.slot(), redirect.to());
                self.redirected(redirect.to(), false, request, attempts).await
            }
            Verdict::Ask(redirect) => {
                observe::redirected("ask");
                self.note_redirect(&redirect, node, attempts);
                if self.cluster.topology().node_at(redirect.to()).is_none() {
                    self.cluster.hints.asked(redirect.to());
                }
                self.redirected(redirect.to(), true, request, attempts).await
            }
            Verdict::Reconnect(error) => {
                node.reconnect_after_drain();
                self.wait(error.into(), node, request, attempts).await
            }
            Verdict::Wait(error) => {
                self.note_demotion(node, &error);
                self.wait(error.into(), node, request, attempts).await
            }
            Verdict::Retry(error) => self.retry(error, node, request, attempts).await,
            Verdict::Doubt { error, hint } => self.pursue(error, &hint, node, request, attempts).await,
            Verdict::Resend { cause, is_lost } => {
                self.pause(&cause, is_lost, node, attempts).await?;
                self.resolve(request, attempts).await
            }
            Verdict::Interrupted(cause) => Err(attempts.interrupted(&cause, node)),
            Verdict::TimedOut { submitted } => {
                attempts.note_node(node);
                Err(attempts.timed_out(submitted))
            }
        }
    }

    /// Where a read goes that only a replica may serve, if a redirect led to a primary: to one of its replicas. Which these
    /// are may not be known yet.
    async fn replica_of(
        &self,
        destination: Destination,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        let topology = self.cluster.topology().clone();
        let leads_to = |ix| topology.node(ix).is_some_and(|node| Arc::ptr_eq(node, &destination.node));
        let mut shards = topology.map().shards().iter();
        if shards.clone().any(|shard| shard.replicas().iter().any(|ix| leads_to(*ix))) {
            return Ok(Destination { asking: false, ..destination });
        }
        let owner = shards.find(|shard| leads_to(shard.primary()));
        let replica = owner.and_then(|shard| self.reader_in(&ReadFrom::Replica, &topology, shard));
        if let Some(node) = replica {
            return Ok(Destination { node: node.clone(), asking: false });
        }
        self.cluster.hints.refresh();
        if let Err(error) = attempts.back_off().await {
            return Err(attempts
                .slot()
                .map_or(error, |slot| Error::Route(Box::new(self.unserved(slot, request)))));
        }
        self.resolve(request, attempts).await
    }

    /// Waits before what a connection's end left without an answer is sent again.
    pub(super) async fn pause(
        &self,
        cause: &Arc<CloseCause>,
        is_lost: bool,
        node: &Node,
        attempts: &mut Attempts,
    ) -> Result<(), Error> {
        observe::resent("unanswered");
        attempts.note_closed(node, cause, is_lost);
        if !matches!(**cause, CloseCause::Recalled) {
            self.cluster.hints.refresh();
        }
        attempts.pause_before_resend(cause).await
    }

    /// Refused for now: another node may be right a moment later, or the same one.
    async fn wait(
        &self,
        refused: Refused,
        node: &Node,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        observe::resent("refused");
        attempts.note_refused(node, refused);
        self.cluster.hints.refresh();
        attempts.back_off().await?;
        self.resolve(request, attempts).await
    }

    /// The name of a single server leads to a primary; where it answers as a replica, it may lead elsewhere by now.
    pub(super) fn note_demotion(&self, node: &Node, error: &ErrorReply) {
        if self.cluster.is_single() && matches!(error.code(), "READONLY" | "MASTERDOWN") {
            node.reconnect_after_drain();
        }
    }

    fn note_redirect(&self, redirect: &Redirect, node: &Node, attempts: &mut Attempts) {
        attempts.note_refused(node, redirect);
        self.cluster
            .bus
            .emit(|| Event::Redirected { from: node.endpoint().clone(), redirect: redirect.clone() });
    }

    /// Follows a redirect, unless it is one of a cycle: then backs off and looks the route up again.
    async fn redirected(
        &self,
        to: &Endpoint,
        asking: bool,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        if attempts.redirect()? {
            attempts.back_off().await?;
            return self.resolve(request, attempts).await;
        }
        match self.cluster.node_soon(to, attempts.deadline()).await {
            Some(node) => Ok(Destination { node, asking }),
            None => {
                attempts.back_off().await?;
                self.resolve(request, attempts).await
            }
        }
    }

    /// What may be a refusal or the command's result is its result once there is no time left.
    async fn retry(
        &self,
        error: ErrorReply,
        node: &Node,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        self.note_demotion(node, &error);
        self.cluster.hints.refresh();
        attempts.note_unproved(node, &error);
        attempts.back_off().await?;
        observe::resent("refused");
        self.resolve(request, attempts).await
    }

    /// A compound command answered with the text of a redirect. If the servers' own views confirm it, the command is sent
    /// there, once per node; otherwise the text is the command's result.
    async fn pursue(
        &self,
        error: ErrorReply,
        hint: &Hint,
        node: &Arc<Node>,
        request: &Request<'_, '_>,
        attempts: &mut Attempts,
    ) -> Result<Destination, Error> {
        self.cluster.hints.refresh();
        if attempts.note_doubt(node, &error) && attempts.back_off().await.is_ok() {
            if let Route::GuessedSlot(guess) = attempts.route {
                // Where its key is was a guess, and the text may know better. Whose slot that is, the map knows.
                attempts.route = Route::Slot(hint.slot);
                if guess != hint.slot
                    && let Some(owner) = self.choose(request, attempts)
                    && owner.endpoint() != node.endpoint()
                {
                    return Ok(Destination { node: owner, asking: false });
                }
            }
            let claim = (hint.slot, hint.is_ask, hint.to.as_ref());
            if let Some((node, asking)) = self.cluster.confirm(node, claim, attempts.deadline()).await {
                observe::redirected(if asking { "ask" } else { "moved" });
                return Ok(Destination { node, asking });
            }
        }
        Err(attempts.answer(error, Execution::Possible, node))
    }
}
