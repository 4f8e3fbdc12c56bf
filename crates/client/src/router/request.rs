//! A command with what is known about it: by the table, or by a server where the table lacks it.

use std::time::Duration;

use super::attempts::Attempts;
use super::for_replicas::{not_for_replicas, refuse_replica};
use super::judge::{NO_SCRIPT, RetryTraits, Setback};
use super::one_slot::FirstKeys;
use crate::command::{
    Arguments, BlockTime, Command, Flags, Learned, Reach, Route, RouteRefusal, Spec, names_several_keys,
};
use crate::config::FOREVER;
use crate::error::{Error, RouteError};
use crate::lane::Form;

/// A command with what the client knows about it.
#[derive(Clone, Copy)]
pub(super) struct Request<'r, 'a> {
    pub(super) command: &'r Command<'a>,
    pub(super) spec: Option<&'static Spec>,
    /// How long the server may hold the reply back; such a command gets a connection of its own.
    pub(super) blocks: Option<Duration>,
    /// How long the server may be silent while this command is its oldest.
    pub(super) patience: Duration,
    /// In which form its reply is wanted.
    pub(super) form: Form,
    /// What a server says that it reaches, where the table lacks it.
    reach: Option<Reach>,
    /// A server says that it names keys that differ, where the table lacks it.
    has_several_keys: bool,
    /// Whether there was only one node when its route was decided.
    was_single: bool,
    /// The script as a whole, for a server that does not have it.
    whole: Option<&'r Command<'a>>,
}

impl<'r, 'a> Request<'r, 'a> {
    /// The request, and where it goes first.
    #[inline]
    pub(super) fn new(command: &'r Command<'a>, form: Form, is_single: bool) -> Result<(Self, Route), Error> {
        let spec = command.spec();
        if spec.is_none() && command.at(0).is_none_or(<[u8]>::is_empty) {
            return Err(nameless());
        }
        let route = command.route(spec, is_single).map_err(|refusal| refused(command, spec, refusal))?;
        let (blocks, patience) = (blocking_time(command, spec), Duration::ZERO);
        if command.own_read_from().is_some() && route != Route::NamedNode {
            let why = not_for_replicas(spec, blocks.is_some(), route.slot().is_some());
            why.map_or(Ok(()), |why| refuse_replica(command, why))?;
        }
        Ok((
            Self {
                command,
                spec,
                blocks,
                patience,
                form,
                reach: None,
                has_several_keys: false,
                was_single: is_single,
                whole: None,
            },
            route,
        ))
    }

    /// A command of the table that does not block, when its route is decided.
    pub(super) fn known(
        command: &'r Command<'a>,
        spec: &'static Spec,
        form: Form,
        patience: Duration,
        was_single: bool,
    ) -> Self {
        Self {
            command,
            spec: Some(spec),
            blocks: None,
            patience,
            form,
            reach: None,
            has_several_keys: false,
            was_single,
            whole: None,
        }
    }

    /// Refuses a command that had only one node to go to, if there are several by now and nothing says to which it goes.
    pub(super) fn admit_again(&mut self, is_single: bool, route: Route) -> Result<(), Error> {
        if std::mem::replace(&mut self.was_single, is_single) && !is_single {
            let admitted = match self.reach {
                Some(reach) => self.command.admit(route, reach, is_single),
                None => self.command.route(self.spec, is_single),
            };
            admitted.map_err(|refusal| refused(self.command, self.spec, refusal))?;
        }
        Ok(())
    }

    /// Notes what a server said about a command that the table lacks.
    pub(super) fn learn(
        &mut self,
        learned: &Learned,
        is_single: bool,
        attempts: &mut Attempts,
    ) -> Result<(), Error> {
        let learned = learned.of(self.command);
        let route = self.command.route_as(learned, attempts.route, is_single);
        attempts.route = route.map_err(|refusal| refused(self.command, None, refusal))?;
        self.reach = Some(learned.reach);
        self.has_several_keys = learned.names_several_keys(self.command);
        if learned.blocks {
            // Where it has its time-out is not known: the command's own deadline is all there is.
            self.blocks = Some(Duration::ZERO);
        }
        Ok(())
    }

    /// A script by its digest, and what is sent instead where a server does not have it.
    pub(super) fn or_whole(mut self, whole: &'r Command<'a>) -> Self {
        self.whole = Some(whole);
        self
    }

    /// Goes on with the whole script, if this says that the server does not have it: then it did not run.
    pub(super) fn goes_on_whole(&mut self, setback: &Setback) -> bool {
        let Setback::Error(error) = setback else { return false };
        let Some(whole) = self.whole.filter(|_| NO_SCRIPT.contains(&error.message())) else { return false };
        (self.command, self.spec, self.whole) = (whole, whole.spec(), None);
        true
    }

    /// Whether replicas may be asked.
    pub(super) fn is_read(&self) -> bool {
        !self.command.is_for_primary() && self.only_reads()
    }

    /// Whether it changes nothing and waits for nothing, wherever it is to go.
    pub(super) fn only_reads(&self) -> bool {
        self.blocks.is_none() && self.spec.is_some_and(|spec| spec.flags.contains(Flags::READONLY))
    }

    #[cold]
    pub(super) fn traits(&self, repeats_writes: bool, attempts: &Attempts) -> RetryTraits {
        let compound = is_compound(self.spec);
        RetryTraits {
            repeat: self.command.repeat(self.spec, repeats_writes),
            compound,
            names_script: names_script(self.spec),
            // A caller may send a command to a node that does not have its keys; a server's redirect is about the keys.
            // Those of a transaction have none but the route's.
            slot: self.spec.and_then(|spec| self.command.own_slot(spec)).or(attempts.slot()),
            slot_is_guessed: attempts.route.is_guess(),
            has_several_keys: self
                .spec
                .map_or(self.has_several_keys, |spec| names_several_keys(spec, self.command)),
            is_for_one_node: attempts.route == Route::NamedNode,
            was_bystander: attempts.was_bystander(),
            times_oldest: attempts.times_oldest(),
        }
    }
}

#[cold]
fn refused(command: &Command<'_>, spec: Option<&Spec>, refusal: RouteRefusal) -> Error {
    let first_keys = spec.map_or_else(FirstKeys::default, |spec| FirstKeys::of(command, spec));
    let command = spec.map_or_else(|| command.name(), |spec| spec.name).to_owned();
    Error::Route(Box::new(match refusal {
        RouteRefusal::SeveralSlots => return first_keys.cross_slot(command),
        RouteRefusal::ConnectionState => RouteError::ConnectionState { command },
        RouteRefusal::HttpRequest => RouteError::HttpRequest { command },
        RouteRefusal::SeveralNodes => RouteError::SeveralNodes { command },
        RouteRefusal::Administrative => RouteError::Administrative { command },
    }))
}

#[cold]
pub(super) fn nameless() -> Error {
    Error::Route(Box::new(RouteError::EmptyCommand))
}

/// Whether it runs code from elsewhere, as far as is known.
pub(super) fn is_compound(spec: Option<&Spec>) -> bool {
    spec.is_none_or(|spec| spec.flags.contains(Flags::COMPOUND))
}

/// Whether it names a script by its digest.
pub(super) fn names_script(spec: Option<&Spec>) -> bool {
    spec.is_some_and(|spec| matches!(spec.name, "EVALSHA" | "EVALSHA_RO"))
}

/// How long the server may hold the reply back; `None` for commands that it answers at once.
#[inline]
pub(super) fn blocking_time(command: &Command<'_>, spec: Option<&'static Spec>) -> Option<Duration> {
    spec.filter(|spec| spec.flags.contains(Flags::BLOCKING)).and_then(|spec| time_blocked(command, spec))
}

fn time_blocked(command: &Command<'_>, spec: &'static Spec) -> Option<Duration> {
    if !spec.blocks(command) {
        return None;
    }
    Some(match spec.block_time(command) {
        Some(BlockTime::AtMost(time)) => time.min(FOREVER),
        Some(BlockTime::Forever) => FOREVER,
        None => Duration::ZERO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd;
    use tokio::time::Instant;

    /// What a server had said about a command was forgotten when a single server became a cluster.
    #[test]
    fn what_concerns_many_nodes_is_refused_once_there_are_many() {
        let node = truename_topology::Endpoint::new("a", 1);
        let many = Learned::keyless(Reach { is_for_many: true, ..Reach::ONE });
        for (command, learned, is_refused) in [
            (cmd("DBSIZE"), None, true),
            (cmd("DBSIZE").route_to(&node), None, false),
            (cmd("NEW.COUNT"), Some(&many), true),
            (cmd("NEW.COUNT").route_to(&node), Some(&many), false),
            (cmd("NEW.COUNT"), None, false),
        ] {
            let (mut request, route) = Request::new(&command, Form::Decoded, true).expect("alone");
            let mut attempts = Attempts::new(Instant::now(), FOREVER, route);
            if let Some(learned) = learned {
                request.learn(learned, true, &mut attempts).expect("alone");
            }
            request.admit_again(true, attempts.route).expect("still alone");
            assert_eq!(request.admit_again(false, attempts.route).is_err(), is_refused, "{command:?}");
        }
    }
}
