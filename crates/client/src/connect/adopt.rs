//! A connection that was made for one target, and whether it will do for another: what a seed answered on is used for the
//! node that the seed is, in place of a second handshake.
//!
//! It has to be what a new connection to the node would be: dialled at the same address, to a peer that reported the
//! node's id, and whose certificates are what the node's own plan asks for; and one that would be dialled at all
//! ([`crate::config::plaintext`]).

use super::attempt::Connected;
use super::connector::Connector;
use super::known::KnownNode;
use super::target::Target;
use super::way::{Via, dial_candidates};

impl Connector {
    /// Whether a connection to `made_for` may be used as one to `target`. If so, it is noted as such.
    pub(crate) fn adopts(
        &self,
        connected: &mut Connected,
        made_for: &Target,
        target: &Target,
        known: &KnownNode,
    ) -> bool {
        let facts = &mut connected.facts;
        let answered = facts.greeting.node_id.as_deref();
        let is_the_node = target.is_seed
            || target.expected.as_ref().is_some_and(|expected| answered == Some(expected.as_str()));
        if !is_the_node {
            return false;
        }
        let Ok(plan) = self.plan(target) else { return false };
        let ways = dial_candidates(&plan.dial, target.expected.is_some(), None);
        let dialled = ways.into_iter().next().filter(|way| way.via != Via::Fallback).map(|way| way.address);
        let Some(dialled) = dialled.filter(|at| facts.dialled.as_ref() == Some(at)) else { return false };
        if self.env.guard.provider(target.hosts(&dialled)).is_some() {
            return false;
        }
        if let Some(tls) = &self.env.tls {
            let tls = tls.load();
            let Some(presented) = facts.presented.clone() else { return false };
            let is_as_made = || {
                self.plan(made_for)
                    .is_ok_and(|made| made.boundary == plan.boundary && tls.asks_the_same(&made, &plan))
            };
            let is_accepted = tls.boundary() == plan.boundary
                && ((presented.is_accepted_by(tls.id()) && is_as_made())
                    || tls.judge(&plan, &presented).is_ok());
            if !is_accepted {
                return false;
            }
            facts.identity = tls.proven(presented.chain(), &plan.identities).cloned();
        }
        known.reached(&dialled, answered);
        if let Some(id) = target.expected.as_ref() {
            self.env.proved.add(id);
        }
        true
    }
}
