//! What a command that is to be read from replicas alone must be, and how any other is refused before it is sent.

use crate::command::{Command, Flags, Spec};
use crate::config::ReadFrom;
use crate::error::{Error, RouteError};

/// Refuses a command that is to be read from replicas alone, where none can execute it. `why`: what keeps it from there.
pub(super) fn refuse_replica(command: &Command<'_>, why: &'static str) -> Result<(), Error> {
    match command.own_read_from() {
        Some(ReadFrom::Replica) => Err(Error::Route(Box::new(RouteError::NotForReplicas {
            command: command.name().to_owned(),
            why: why.to_owned(),
        }))),
        _ => Ok(()),
    }
}

/// What keeps a command from replicas.
#[cold]
pub(super) fn not_for_replicas(spec: Option<&Spec>, blocks: bool, has_slot: bool) -> Option<&'static str> {
    match spec {
        None => Some("it is not known to read only"),
        Some(spec) if !spec.flags.contains(Flags::READONLY) => Some("it does not only read"),
        Some(_) if blocks => Some("it waits on the server"),
        Some(_) if !has_slot => Some("it has no key, which would say whose replicas are meant"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd;

    #[test]
    fn only_what_replicas_can_execute_is_for_them_alone() {
        for (command, blocks, has_slot, refused) in [
            (cmd("GET"), false, true, None),
            (cmd("EVALSHA_RO"), false, true, None),
            (cmd("SET"), false, true, Some("only read")),
            (cmd("JSON.GET"), false, true, Some("not known")),
            (cmd("XREAD"), true, true, Some("waits")),
            (cmd("TIME"), false, false, Some("only read")),
            (cmd("RANDOMKEY"), false, false, Some("no key")),
        ] {
            let why = not_for_replicas(command.spec(), blocks, has_slot);
            assert_eq!(why.is_some(), refused.is_some(), "{command:?} {why:?}");
            assert!(why.unwrap_or_default().contains(refused.unwrap_or_default()), "{command:?} {why:?}");
        }
        let get = || cmd("GET").arg("k");
        for other in [ReadFrom::Primary, ReadFrom::PreferReplica, ReadFrom::Nearest] {
            assert!(refuse_replica(&get().read_from(other), "it waits").is_ok());
        }
        assert!(refuse_replica(&get(), "it waits").is_ok());
        let error = refuse_replica(&get().read_from(ReadFrom::Replica), "it waits").expect_err("refused");
        assert_eq!(error.to_string(), "GET may be read from replicas only, but it waits");
    }
}
