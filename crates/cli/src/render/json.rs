//! The library's types as JSON. Keys and codes are for programs: they are added to and never renamed.

use std::time::Duration;

use serde_json::{Value, json};
use truename::error::{NodeFailure, PartOutcome, Phase};
use truename::topology::{Identity, IdentitySource, Profile};
use truename::{Certificate, Error, Untrusted, UtcMinute};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::reply;
use crate::spelling::as_options;

/// Why a command failed.
pub(crate) fn failure(failure: &Failure) -> Value {
    let error = match failure {
        Failure::Client(client) => error(client),
        other => json!({ "kind": kind(other), "text": other.to_string() }),
    };
    json!({ "error": error, "exit_code": failure.exit().code() })
}

fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Usage { .. } => "usage",
        Failure::Config { .. } => "config",
        Failure::Client(error) => error_kind(error),
        Failure::Lab(_) => "lab",
        Failure::Output(_) | Failure::System { .. } => "system",
    }
}

/// A stable word for the stage at which a call failed.
pub(crate) fn error_kind(error: &Error) -> &'static str {
    match error.inner() {
        Error::Config(_) => "config",
        Error::Connect(_) => "connect",
        Error::Route(_) => "route",
        Error::Server(_) => "server",
        Error::Protocol(_) => "protocol",
        Error::Interrupted(_) => "interrupted",
        Error::Timeout(_) => "timeout",
        Error::Type(_) => "type",
        Error::Partial(_) => "partial",
        Error::Closed => "closed",
        _ => "other",
    }
}

/// Why a call failed.
pub(crate) fn error(error: &Error) -> Value {
    let mut object = json!({
        "kind": error_kind(error),
        "text": error.spelled(as_options).to_string(),
        "node": error.node().map(ToString::to_string),
        "slot": error.slot().map(|slot| slot.index()),
        "attempts": error.attempts(),
        "may_have_executed": error.may_have_executed(),
        "retryable": error.is_retryable(),
    });
    if let Some(refusal) = error.last_refusal() {
        let (code, node) = (refusal.code(), refusal.node.to_string());
        object["last_refusal"] = json!({ "code": code, "node": node, "text": refusal.reply.message() });
    }
    match error.inner() {
        Error::Server(server) => object["code"] = json!(server.code()),
        Error::Partial(partial) => object["parts"] = partial.parts.iter().map(part).collect(),
        Error::Connect(connect) => {
            object["decisive"] = json!(connect.decisive().map(node_failure));
            object["failures"] = connect.failures.iter().map(node_failure).collect();
            object["failures_omitted"] = json!(connect.omitted);
        }
        _ => {}
    }
    object
}

/// One part of a command that went to several nodes.
fn part(part: &PartOutcome) -> Value {
    json!({
        "node": part.node.as_ref().map(ToString::to_string),
        "slot": part.slot.map(|slot| slot.index()),
        "keys": part.keys.iter().map(|key| String::from_utf8_lossy(key)).collect::<Vec<_>>(),
        "reply": part.outcome.as_ref().map(reply::json).ok(),
        "error": part.outcome.as_ref().err().map(error),
    })
}

/// One failed attempt to connect to one node.
pub(crate) fn node_failure(failure: &NodeFailure) -> Value {
    json!({
        "node": failure.node.to_string(),
        "is_seed": failure.is_seed,
        "dialled": failure.dialled.as_ref().map(ToString::to_string),
        "tcp": failure.peer.map(|peer| peer.to_string()),
        "phase": failure.phase.name(),
        "cause": { "code": failure.cause.code(), "text": failure.cause.to_string() },
        "acceptable": if failure.phase < Phase::Tls { json!([]) } else { failure.acceptable.iter().map(identity).collect() },
        "certificate": failure.certificate.as_ref().map(|found| certificate(found)),
        "remedy": failure.remedy.as_ref().map(|remedy| remedy.spelled(as_options).to_string()),
        "elapsed_ms": ms(failure.elapsed),
        "exit_code": Exit::from(failure.cause.kind()).code(),
    })
}

/// A name, and where it comes from.
pub(crate) fn identity(identity: &Identity) -> Value {
    json!({ "name": identity.name.to_string(), "source": source(identity.source) })
}

fn source(source: IdentitySource) -> &'static str {
    match source {
        IdentitySource::Fixed => "fixed",
        IdentitySource::Announced => "announced",
        IdentitySource::Hostname => "hostname",
        IdentitySource::Seed => "seed",
        IdentitySource::Custom => "custom",
    }
}

/// What a peer presented.
pub(crate) fn certificate(certificate: &Certificate) -> Value {
    json!({
        "names": certificate.names(),
        "subject": certificate.subject,
        "key": certificate.key.to_string(),
        "issuer": certificate.issuer,
        "not_before": UtcMinute(certificate.not_before).to_string(),
        "not_after": UtcMinute(certificate.not_after).to_string(),
        "days_left": certificate.days_left(now()),
        "chain_length": certificate.chain_length,
    })
}

/// A provider.
pub(crate) fn profile(profile: &Profile) -> Value {
    json!({ "name": profile.name, "title": profile.title, "hints": profile.hints })
}

/// A document in which every character that could do harm on a terminal is a `\u` escape. JSON escapes C0 only; what it
/// leaves as it is occurs in strings alone, so the document keeps its meaning.
pub(crate) fn ascii_where_harmful(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for character in document.chars() {
        if Untrusted::is_harmless(character) {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

/// Milliseconds, to the microsecond.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_keep_the_meaning_of_a_document() {
        let text = "a\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{2028}\u{e0041}é🙂\n\"\\";
        let document = json!({ "text": text, text: [text] });
        let written = ascii_where_harmful(&document.to_string());
        assert!(written.contains("\\u202e") && written.contains("é🙂"), "{written}");
        assert!(written.chars().all(Untrusted::is_harmless), "{written}");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), document);
    }
}
