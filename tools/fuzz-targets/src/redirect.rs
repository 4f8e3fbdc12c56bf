//! The target `redirect`: an error reply that may send a command elsewhere.

use truename_resp::ErrorReply;
use truename_topology::{AnnouncedNode, Role, parse_redirect};

use crate::harmless::assert_harmless;
use crate::plan::{SEED, assert_in_scope};

/// Checks the text of an error reply.
///
/// # Panics
/// If it shows a fault.
pub fn redirect(input: &[u8]) {
    let error = ErrorReply::new(input.to_vec());
    assert_harmless(&error);
    let text = error.message();
    let Some(parsed) = parse_redirect(text, SEED) else {
        let code = text.strip_prefix('-').unwrap_or(text).split(' ').next();
        assert!(!matches!(code, Some("MOVED" | "ASK")), "{text:?} was not recognised as a redirect");
        return;
    };
    let redirect = match parsed {
        Ok(redirect) => redirect,
        Err(error) => return assert_harmless(error),
    };
    let shown = redirect.to_string();
    assert_harmless(&shown);
    assert_eq!(parse_redirect(&shown, SEED), Some(Ok(redirect.clone())), "shown as {shown}");
    assert!(redirect.to().port() != 0 && !redirect.to().host().is_empty(), "{redirect} leads nowhere");
    assert_in_scope(&AnnouncedNode::new(redirect.to().clone(), Role::Primary));
}
