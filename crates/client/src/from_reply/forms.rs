//! The forms in which a server sends a list, or keys with their values: RESP3 has a map and an array of pairs where RESP2 has
//! keys and values in turn, and servers mix them even within one version of the protocol.

use truename_resp::Reply;

use crate::error::TypeError;

/// What says that a reply is not what was wanted, with the server's words if it is an error.
pub(super) fn mismatch(wanted: &'static str, reply: &Reply) -> TypeError {
    let error = TypeError::new(wanted, reply.kind());
    match reply.as_error() {
        Some(server) => error.with_detail(server.message()),
        None => error,
    }
}

/// The elements of a reply that has one for each of so many keys.
pub(crate) fn one_for_each(reply: Reply, count: usize) -> Result<Vec<Reply>, TypeError> {
    let kind = reply.kind();
    match reply.without_attributes() {
        Reply::Array(elements) if elements.len() == count => Ok(elements),
        _ => Err(TypeError::new("an array with one element for each key", kind)),
    }
}

/// The elements of an array or a set.
pub(super) fn elements(wanted: &'static str, reply: Reply) -> Result<Vec<Reply>, TypeError> {
    match reply.without_attributes() {
        Reply::Array(elements) | Reply::Set(elements) => Ok(elements),
        other => Err(mismatch(wanted, &other)),
    }
}

/// The same, where a map is a list too: of arrays of two.
pub(super) fn list(wanted: &'static str, reply: Reply) -> Result<Vec<Reply>, TypeError> {
    match reply.without_attributes() {
        Reply::Map(entries) => {
            Ok(entries.into_iter().map(|(key, value)| Reply::Array(vec![key, value])).collect())
        }
        other => elements(wanted, other),
    }
}

/// Keys with their values, in whatever form.
pub(super) fn pairs(wanted: &'static str, reply: Reply) -> Result<Vec<(Reply, Reply)>, TypeError> {
    let (elements, are_in_order) = match reply.without_attributes() {
        Reply::Map(entries) => return Ok(entries),
        Reply::Array(elements) => (elements, true),
        Reply::Set(elements) => (elements, false),
        other => return Err(mismatch(wanted, &other)),
    };
    if elements.iter().all(|element| element.as_array().is_some_and(|pair| pair.len() == 2)) {
        let halves = elements.into_iter().flat_map(|pair| self::elements(wanted, pair).unwrap_or_default());
        return Ok(in_turn(halves).collect());
    }
    if are_in_order && elements.len() % 2 == 0 && elements.iter().step_by(2).all(may_be_key) {
        return Ok(in_turn(elements.into_iter()).collect());
    }
    let kind = if are_in_order { "array" } else { "set" };
    Err(TypeError::new(wanted, kind).with_detail("neither pairs nor keys and values in turn"))
}

fn in_turn(mut elements: impl Iterator<Item = Reply>) -> impl Iterator<Item = (Reply, Reply)> {
    std::iter::from_fn(move || Some((elements.next()?, elements.next()?)))
}

/// An element that is missing, or has elements itself, is one of a list whose every element is.
fn may_be_key(reply: &Reply) -> bool {
    !matches!(reply.bare(), Reply::Nil | Reply::Error(_) | Reply::Array(_) | Reply::Set(_) | Reply::Map(_))
}
