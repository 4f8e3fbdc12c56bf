//! Whether the node that answered is the announced one.

use super::Target;
use super::facts::ConnectionFacts;
use crate::error::Cause;

/// Refuses a node that is not the announced one: a crossed tunnel, a wrong rule, a recycled address.
pub(super) fn check(target: &Target, facts: &ConnectionFacts, is_tls: bool) -> Result<(), Cause> {
    let Some(announced) = &target.expected else { return Ok(()) };
    let answered = facts.greeting.node_id.as_deref();
    let wrong = match answered {
        Some(answered) => answered != announced.as_str(),
        // A server that does not tell is believed when its certificate proved a name, or when it is dialled
        // at the very address that was announced.
        None => !is_tls && is_detour(target, facts),
    };
    if !wrong {
        return Ok(());
    }
    let answered = answered.map(str::to_owned);
    Err(Cause::WrongNode { announced: announced.to_string(), answered })
}

fn is_detour(target: &Target, facts: &ConnectionFacts) -> bool {
    let node = &target.node.endpoint;
    facts.dialled.as_ref().is_some_and(|d| d.host() != node.host() || d.port() != node.port())
}
