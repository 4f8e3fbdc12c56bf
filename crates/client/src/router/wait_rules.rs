//! Where a batch has room for `WAIT` or `WAITAOF`, and which rule is broken where it has none.

use crate::command::{Affinity, Command, lookup};
use crate::error::{Error, RouteError};

/// Whether the last command of a batch waits for those before it.
pub(crate) fn is_confirmed(commands: &[Command<'_>]) -> bool {
    let waits = |command: &Command<'_>| {
        command.spec().is_some_and(|spec| spec.affinity(command) == Affinity::EarlierWrites)
    };
    commands.len() > 1 && commands.last().is_some_and(waits)
}

/// An ordered batch sends each command after the outcome of those before it in its slot; this one sends them all at once.
pub(crate) fn refused_as_ordered(commands: &[Command<'_>]) -> Option<Error> {
    let why = "the batch is ordered, which such a batch cannot be; an atomic one keeps the order, too";
    commands.last().map(|wait| not_before(wait, why))
}

/// The refusal of a `WAIT` that is not where a batch has room for it: which rule it breaks. Other errors stay as they are.
#[cold]
pub(crate) fn misplaced(commands: &[Command<'_>], mut error: Error) -> Error {
    if let Error::Route(refusal) = &mut error
        && let RouteError::ConnectionState { command } = &**refusal
        && is_wait(command)
    {
        let why = match commands {
            [_] => "it is alone in its batch, with no write before it",
            _ => "it is not the last command of its batch",
        };
        **refusal = RouteError::NotConfirmed { command: command.clone(), why: why.to_owned() };
    }
    error
}

/// Whether a command with this name waits for the writes before it.
fn is_wait(name: &str) -> bool {
    let spec = lookup(name.as_bytes(), None);
    spec.is_some_and(|spec| spec.affinity(&[name][..]) == Affinity::EarlierWrites)
}

/// What comes before a `WAIT` cannot be sent with it, and so nothing is sent.
pub(super) fn not_before(wait: &Command<'_>, why: &str) -> Error {
    let why = format!("{why}; nothing was sent");
    Error::Route(Box::new(RouteError::NotConfirmed { command: wait.name().to_owned(), why }))
}
