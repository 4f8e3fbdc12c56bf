//! What the engine asks a command.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use truename_topology::{Endpoint, Slot};

use super::keys::{Arguments, keys, own_slot};
use super::learned::Learned;
use super::read_by::ReadBy;
use super::route::{Route, RouteBy};
use super::spec::Spec;
use super::spec::index::lookup_by;
use super::spec::routing::{Reach, RouteRefusal};
use super::{Command, Repeat};
use crate::config::ReadFrom;

impl Command<'_> {
    /// What the caller says about sending it again.
    pub(crate) fn own_repeatable(&self) -> Option<bool> {
        self.repeatable
    }

    /// Where the caller says that it is to be read from.
    #[inline(always)]
    pub(crate) fn own_read_from(&self) -> Option<&ReadFrom> {
        self.read_by.said()
    }

    /// Whether the caller says where it is to be read from, in one way or the other.
    #[inline(always)]
    pub(crate) fn says_where_to_read(&self) -> bool {
        self.own_read_from().is_some() || self.is_for_primary()
    }

    /// The same, read from where another one is.
    pub(crate) fn read_as(mut self, other: &Command<'_>) -> Self {
        self.read_by = other.read_by.clone();
        self
    }

    /// The same, read from where the client reads.
    pub(crate) fn read_as_usual(mut self) -> Self {
        self.read_by = ReadBy::Client;
        self
    }

    pub(crate) fn own_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The command's entry in the table; `None` for commands that no known server has.
    #[inline]
    pub(crate) fn spec(&self) -> Option<&'static Spec> {
        lookup_by(self.args.at(0)?, || self.args.at(1))
    }

    /// Where the command goes by what the table says about it, or by a guess if that has no row for it. `is_single`: there is
    /// only one node.
    #[inline]
    pub(crate) fn route(&self, spec: Option<&Spec>, is_single: bool) -> Result<Route, RouteRefusal> {
        self.route.route(self, spec, is_single)
    }

    /// Where a command that the table lacks goes, by what a server says about it. `guess` is where it would go otherwise.
    pub(crate) fn route_as(
        &self,
        learned: &Learned,
        guess: Route,
        is_single: bool,
    ) -> Result<Route, RouteRefusal> {
        self.route.route_as(self, learned, guess, is_single)
    }

    /// Whether it may take this route with what a server says that it reaches.
    pub(crate) fn admit(&self, route: Route, reach: Reach, is_single: bool) -> Result<Route, RouteRefusal> {
        self.route.admit(route, reach, is_single)
    }

    /// Whether it goes to a primary even if it only reads.
    #[inline]
    pub(crate) fn is_for_primary(&self) -> bool {
        matches!(self.route, RouteBy::Primary(_))
    }

    /// The only node that it may go to.
    pub(crate) fn named_node(&self) -> Option<&Endpoint> {
        match &self.route {
            RouteBy::Node(node) => Some(node),
            _ => None,
        }
    }

    /// The slot of the command's own keys, wherever the caller sends it.
    pub(crate) fn own_slot(&self, spec: &Spec) -> Option<Slot> {
        own_slot(spec, self)
    }

    /// The command's own keys, in its order.
    pub(crate) fn own_keys(&self, spec: &Spec) -> Vec<Bytes> {
        let mut found = Vec::new();
        keys(spec, self, &mut |index| found.extend(self.at(index).map(Bytes::copy_from_slice)));
        found
    }

    /// Whether it is sent again when its fate is unknown. `writes_too` is the client's setting.
    pub(crate) fn repeat(&self, spec: Option<&Spec>, writes_too: bool) -> Repeat {
        match (self.repeatable, spec) {
            (Some(true), _) => Repeat::Always,
            (None, Some(spec)) if spec.changes_nothing(self) => Repeat::Always,
            (None, Some(spec)) if writes_too && spec.repeatable(self) => Repeat::IfServerEnded,
            _ => Repeat::Never,
        }
    }

    /// About how many bytes it is when it is encoded.
    pub(crate) fn size(&self) -> usize {
        self.args.size()
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        self.args.encode(out);
    }
}
