//! The target `rule`: the small texts that users write about addresses and names.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use truename_topology::{DialRule, Endpoint, IdentityName, IdentityPolicy, Pin, Trust};

use crate::harmless::assert_harmless;

/// Longer texts may be cut when they are shown, and what is not ASCII may be escaped; such need not read back.
const SHOWN_WHOLE: usize = 200;

/// Checks one text as a dial rule, a trusted name or network, an identity policy, a name, a pin and an endpoint.
///
/// # Panics
/// If it shows a fault.
pub fn rule(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    reads_back::<DialRule>(text);
    reads_back::<Trust>(text);
    reads_back::<IdentityName>(text);
    reads_back::<Pin>(text);
    reads_back::<Endpoint>(text);
    // It has closures, so there is no comparing it.
    if let Some(policy) = read::<IdentityPolicy>(text) {
        assert_harmless(&policy);
        assert!(policy.to_string().parse::<IdentityPolicy>().is_ok(), "{text:?} is shown as {policy}");
    }
    if let Err(error) = text.parse::<DialRule>() {
        let example = error.example();
        assert!(example.parse::<DialRule>().is_ok(), "{text:?}: {example:?} would not be accepted either");
    }
}

fn reads_back<T>(text: &str)
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq,
{
    let Some(value) = read::<T>(text) else { return };
    let shown = value.to_string();
    if text.len() <= SHOWN_WHOLE && text.is_ascii() {
        assert_harmless(&shown);
        let again =
            shown.parse::<T>().unwrap_or_else(|error| panic!("{text:?} is shown as {shown}: {error}"));
        assert_eq!(again, value, "{text:?} is shown as {shown}");
    }
}

fn read<T: FromStr<Err: Display>>(text: &str) -> Option<T> {
    text.parse().map_err(assert_harmless).ok()
}
