//! A reply as the type that was asked for.
//!
//! What must stay true: where it is not of that type, the error says whose reply it was.

use truename_resp::Reply;
use truename_topology::{Endpoint, Slot};

use crate::command::Command;
use crate::error::Error;
use crate::from_reply::FromReply;

/// `place`: the node and the slot, as far as they are known.
#[inline]
pub(super) fn decode<'n, T: FromReply>(
    reply: Reply,
    command: &Command<'_>,
    place: impl FnOnce() -> (Option<&'n Endpoint>, Option<Slot>),
) -> Result<T, Error> {
    T::from_reply(reply).map_err(|error| {
        let (node, slot) = place();
        Error::from(error).in_reply_to(command.name(), node, slot)
    })
}

/// The slot of a command's own keys.
pub(super) fn own_slot(command: &Command<'_>) -> Option<Slot> {
    command.spec().and_then(|spec| command.own_slot(spec))
}
