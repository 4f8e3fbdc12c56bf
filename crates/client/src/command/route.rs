//! Where a command goes: the pure decision, by what the caller says, by the command's keys, or by a server's description.
//!
//! What must stay true: what the caller says counts for more than any key; a command that concerns several nodes, or acts
//! on the one that gets it, goes to none unless the caller or a key says to which; nor does one with keys of several slots.

use truename_topology::{Endpoint, Slot};

use super::keys::{Arguments, keys, own_slot};
use super::learned::Learned;
use super::spec::Spec;
use super::spec::index::lookup;
use super::spec::routing::{Reach, RouteRefusal, is_http};

/// What the caller says about where a command goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RouteBy {
    /// Nothing: what is known about the command decides.
    Spec,
    /// To the node of this slot.
    Slot(Slot),
    /// To the primary of this slot, whatever reads are to go to.
    Primary(Slot),
    /// To any primary.
    AnyNode,
    /// To this node and to no other.
    Node(Box<Endpoint>),
}

/// Where a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the node that serves this slot.
    Slot(Slot),
    /// The same, but where the command has its key is a guess: servers may know better.
    GuessedSlot(Slot),
    /// To the node that it names, and to no other.
    NamedNode,
    /// To any primary.
    AnyPrimary,
}

impl Route {
    /// The slot that decides.
    #[inline]
    pub(crate) fn slot(self) -> Option<Slot> {
        match self {
            Self::Slot(slot) | Self::GuessedSlot(slot) => Some(slot),
            Self::NamedNode | Self::AnyPrimary => None,
        }
    }

    pub(crate) fn is_guess(self) -> bool {
        matches!(self, Self::GuessedSlot(_))
    }

    #[inline]
    fn by(slot: Option<Slot>) -> Self {
        slot.map_or(Self::AnyPrimary, Self::Slot)
    }
}

impl RouteBy {
    /// Where a command with these arguments goes by what the table says about it, or by a guess if that has no row for it.
    /// `is_single`: there is only one node.
    #[inline]
    pub(super) fn route<A: Arguments + ?Sized>(
        &self,
        args: &A,
        spec: Option<&Spec>,
        is_single: bool,
    ) -> Result<Route, RouteRefusal> {
        let route = match (self, spec) {
            (Self::Spec, Some(spec)) => Route::by(own_slot(spec, args)),
            (Self::Spec, None) => guess(args),
            (said, _) => said.as_said(),
        };
        match spec {
            Some(spec) if spec.is_unusual() => self.look_twice(args, spec, route, is_single),
            None if args.at(0).is_some_and(is_http) => Err(RouteRefusal::HttpRequest),
            _ => Ok(route),
        }
    }

    /// The same, for a command that may be refused.
    fn look_twice<A: Arguments + ?Sized>(
        &self,
        args: &A,
        spec: &Spec,
        route: Route,
        is_single: bool,
    ) -> Result<Route, RouteRefusal> {
        let route = self.admit(route, spec.reach(), is_single)?;
        let looks_at_keys = *self == Self::Spec && !is_single && spec.may_have_many_keys();
        if looks_at_keys && !are_in_one_slot(spec, args, route.slot()) {
            return Err(RouteRefusal::SeveralSlots);
        }
        Ok(route)
    }

    /// Where it goes if the caller says so.
    #[inline(never)]
    fn as_said(&self) -> Route {
        match self {
            Self::Slot(slot) | Self::Primary(slot) => Route::Slot(*slot),
            Self::Spec | Self::AnyNode => Route::AnyPrimary,
            Self::Node(_) => Route::NamedNode,
        }
    }

    /// Where a command that the table lacks goes, by what a server says about it. `guess` is where it would go otherwise.
    pub(super) fn route_as<A: Arguments + ?Sized>(
        &self,
        args: &A,
        learned: &Learned,
        guess: Route,
        is_single: bool,
    ) -> Result<Route, RouteRefusal> {
        let route = match learned.slot(args) {
            Some(slot) if *self == Self::Spec => Route::by(slot),
            _ => guess,
        };
        self.admit(route, learned.reach, is_single)
    }

    pub(super) fn admit(&self, route: Route, reach: Reach, is_single: bool) -> Result<Route, RouteRefusal> {
        let is_placed = is_single || *self != Self::Spec || route.slot().is_some();
        reach.refusal(is_placed).map_or(Ok(route), Err)
    }
}

/// Whether all keys are of the first one's slot. Those after one that is not are not looked at.
fn are_in_one_slot<A: Arguments + ?Sized>(spec: &Spec, args: &A, first: Option<Slot>) -> bool {
    let (mut count, mut is_one) = (0, true);
    keys(spec, args, &mut |index| {
        count += 1;
        is_one = is_one && (count == 1 || args.at(index).map(Slot::of_key) == first);
    });
    is_one
}

/// An unknown command is taken to have its key where most commands have it: first, or after its subcommand.
#[cold]
fn guess<A: Arguments + ?Sized>(args: &A) -> Route {
    let is_subcommand = args.at(0).is_some_and(|name| lookup(name, None).is_some());
    let key = args.at(if is_subcommand { 2 } else { 1 });
    key.map_or(Route::AnyPrimary, |key| Route::GuessedSlot(Slot::of_key(key)))
}

#[cfg(test)]
mod tests {
    use super::Route::{AnyPrimary, GuessedSlot, NamedNode};
    use super::*;
    use crate::cmd;

    fn of(key: &str) -> Slot {
        Slot::of_key(key.as_bytes())
    }

    #[test]
    fn a_command_goes_where_the_caller_says_or_its_keys_are() {
        use RouteRefusal::{Administrative, ConnectionState, HttpRequest, SeveralNodes, SeveralSlots};
        let node = Endpoint::new("a", 1);
        // The route in a cluster, and where there is only one node.
        let rows = [
            (cmd("GET").arg("foo"), Ok(Route::Slot(of("foo"))), Ok(Route::Slot(of("foo")))),
            (
                cmd("GET").arg("foo").route_by_key("bar"),
                Ok(Route::Slot(of("bar"))),
                Ok(Route::Slot(of("bar"))),
            ),
            (cmd("GET").arg("foo").route_to_any(), Ok(AnyPrimary), Ok(AnyPrimary)),
            (cmd("GET").arg("foo").route_to(&node), Ok(NamedNode), Ok(NamedNode)),
            (cmd("MGET").args(["foo", "{foo}1"]), Ok(Route::Slot(of("foo"))), Ok(Route::Slot(of("foo")))),
            (cmd("MGET").args(["foo", "bar"]), Err(SeveralSlots), Ok(Route::Slot(of("foo")))),
            (cmd("RENAME").args(["foo", "bar"]), Err(SeveralSlots), Ok(Route::Slot(of("foo")))),
            (
                cmd("EVAL").args(["return 1", "2", "foo", "bar"]),
                Err(SeveralSlots),
                Ok(Route::Slot(of("foo"))),
            ),
            (
                cmd("MGET").args(["foo", "bar"]).route_by_key("foo"),
                Ok(Route::Slot(of("foo"))),
                Ok(Route::Slot(of("foo"))),
            ),
            (cmd("MGET").args(["foo", "bar"]).route_to(&node), Ok(NamedNode), Ok(NamedNode)),
            (cmd("PING"), Ok(AnyPrimary), Ok(AnyPrimary)),
            (cmd("DBSIZE"), Err(SeveralNodes), Ok(AnyPrimary)),
            (cmd("DBSIZE").route_to_any(), Ok(AnyPrimary), Ok(AnyPrimary)),
            (cmd("DBSIZE").route_to(&node), Ok(NamedNode), Ok(NamedNode)),
            (cmd("SHUTDOWN"), Err(Administrative), Ok(AnyPrimary)),
            (cmd("MULTI"), Err(ConnectionState), Err(ConnectionState)),
            (cmd("MULTI").route_to(&node), Err(ConnectionState), Err(ConnectionState)),
            (cmd("POST"), Err(HttpRequest), Err(HttpRequest)),
            (cmd("hOST:").arg("foo").route_to(&node), Err(HttpRequest), Err(HttpRequest)),
            (cmd("post\0x"), Err(HttpRequest), Err(HttpRequest)),
            (cmd("quit\0"), Err(HttpRequest), Err(HttpRequest)),
            (cmd("POSTS"), Ok(AnyPrimary), Ok(AnyPrimary)),
            // Unknown ones.
            (cmd("JSON.SET").arg("foo").arg("$"), Ok(GuessedSlot(of("foo"))), Ok(GuessedSlot(of("foo")))),
            (cmd("NEW"), Ok(AnyPrimary), Ok(AnyPrimary)),
            (cmd("OBJECT").arg("NEW").arg("foo"), Ok(GuessedSlot(of("foo"))), Ok(GuessedSlot(of("foo")))),
            (cmd("CLUSTER").arg("NEW"), Ok(AnyPrimary), Ok(AnyPrimary)),
            (
                cmd("NEW").arg("bar").route_by_key("foo"),
                Ok(Route::Slot(of("foo"))),
                Ok(Route::Slot(of("foo"))),
            ),
            (cmd("NEW").arg("bar").route_to_any(), Ok(AnyPrimary), Ok(AnyPrimary)),
        ];
        for (command, in_a_cluster, alone) in rows {
            assert_eq!(command.route(command.spec(), false), in_a_cluster, "{command:?}");
            assert_eq!(command.route(command.spec(), true), alone, "{command:?}");
        }
    }

    #[test]
    fn what_a_server_says_of_a_command_replaces_the_guess() {
        let node = Endpoint::new("a", 1);
        let (new, placed) = (|| cmd("NEW").arg("foo"), GuessedSlot(of("foo")));
        let keyless = || Learned::keyless(Reach::ONE);
        let with = Learned::keyless;
        let many = || with(Reach { is_for_many: true, ..Reach::ONE });
        let administrative = || with(Reach { is_administrative: true, ..Reach::ONE });
        let stateful = || with(Reach { is_shared: false, ..Reach::ONE });
        let rows = [
            (new(), keyless(), Ok(AnyPrimary)),
            (new().route_by_key("bar"), keyless(), Ok(Route::Slot(of("bar")))),
            (new().route_to(&node), keyless(), Ok(NamedNode)),
            (new(), many(), Err(RouteRefusal::SeveralNodes)),
            (new().route_to(&node), many(), Ok(NamedNode)),
            (new(), administrative(), Err(RouteRefusal::Administrative)),
            (new().route_to_any(), administrative(), Ok(AnyPrimary)),
            (new().route_to(&node), stateful(), Err(RouteRefusal::ConnectionState)),
        ];
        for (command, learned, expected) in rows {
            let guess = command.route(None, false).expect("a guess");
            assert_eq!(command.route_as(&learned, guess, false), expected, "{command:?} {learned:?}");
        }
        assert_eq!(
            new().route_as(&Learned::vague(), placed, false),
            Ok(placed),
            "it does not say where its keys are"
        );
    }
}
