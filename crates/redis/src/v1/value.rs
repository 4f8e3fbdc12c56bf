//! Replies as redis-rs has them.
//!
//! What must stay true: a bulk string costs one allocation; an error of a server's never looks like one of this crate's.

use truename::Reply;
use truename::resp::ErrorReply;

use super::version::redis::{RedisError, Value, VerbatimFormat, parse_redis_value};

/// The code of an error when nobody knows whether the command was executed.
pub(super) const MAYBE_EXECUTED: &str = "MAYBEEXECUTED";
/// The code of a pipeline's item that was certainly not executed.
pub(super) const NOT_EXECUTED: &str = "NOTEXECUTED";

/// The reply as a value. What it holds of errors are values, too.
pub(super) fn value(reply: Reply) -> Value {
    match reply {
        Reply::Bulk(bytes) => Value::BulkString(bytes.into()),
        Reply::Nil => Value::Nil,
        Reply::Integer(integer) => Value::Int(integer),
        Reply::Simple(text) if text == "OK" => Value::Okay,
        Reply::Simple(text) => match String::from_utf8(text.into()) {
            Ok(text) => Value::SimpleString(text),
            Err(error) => Value::BulkString(error.into_bytes()),
        },
        Reply::Array(items) => Value::Array(items.into_iter().map(value).collect()),
        Reply::Map(pairs) => Value::Map(pairs_of(pairs)),
        Reply::Set(items) => Value::Set(items.into_iter().map(value).collect()),
        Reply::Double(number) => Value::Double(number),
        Reply::Boolean(is) => Value::Boolean(is),
        Reply::BigNumber(digits) => {
            // Of which type these are depends on the features of redis-rs that others enable.
            let frame = [b"(", &digits[..], b"\r\n"].concat();
            parse_redis_value(&frame).unwrap_or_else(|_| Value::BulkString(digits.into()))
        }
        Reply::Verbatim(verbatim) => Value::VerbatimString {
            format: match &verbatim.format {
                b"txt" => VerbatimFormat::Text,
                b"mkd" => VerbatimFormat::Markdown,
                other => VerbatimFormat::Unknown(String::from_utf8_lossy(other).into_owned()),
            },
            text: String::from_utf8_lossy(&verbatim.text).into_owned(),
        },
        Reply::Attributed(attributed) => Value::Attribute {
            data: Box::new(value(attributed.reply)),
            attributes: pairs_of(attributed.attributes),
        },
        // Part of a reply, so the command was executed.
        Reply::Error(error) => error_value(&error_words(&error, false)),
        _ => error_value("ERR a reply of a kind that this version of truename-redis does not know"),
    }
}

fn pairs_of(pairs: Vec<(Reply, Reply)>) -> Vec<(Value, Value)> {
    pairs.into_iter().map(|(key, item)| (value(key), value(item))).collect()
}

/// The codes at which redis-rs repeats a command.
const REPEATED: [&str; 8] =
    ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "NOSCRIPT"];

/// The words of a server's error. A script chooses its own: what would look like a code of ours gets another one before it, and so
/// does what redis-rs would repeat although it is no refusal.
pub(super) fn error_words(error: &ErrorReply, is_refusal: bool) -> String {
    let words = one_line(error.as_bytes());
    let code = words.split(' ').next().unwrap_or_default();
    if [MAYBE_EXECUTED, NOT_EXECUTED].contains(&code) {
        return format!("ERR {words}");
    }
    match !is_refusal && REPEATED.contains(&code) {
        true => format!("{MAYBE_EXECUTED} {words}"),
        false => words,
    }
}

/// On one line, as an error has to be in RESP2, with its code at the beginning.
fn one_line(words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words).replace(char::is_control, " ");
    words.trim().to_owned()
}

/// An error as a value, as which it can be one of several results.
pub(super) fn error_value(words: &str) -> Value {
    let frame = format!("-{}\r\n", one_line(words.as_bytes()));
    parse_redis_value(frame.as_bytes()).unwrap_or(Value::Nil)
}

/// An error as redis-rs has a server's; `None` if it cannot be read as one.
pub(super) fn server_error(words: &str) -> Option<RedisError> {
    error_value(words).extract_error().err()
}

#[cfg(test)]
mod tests {
    use truename::resp::{Attributed, Verbatim};

    use super::*;

    fn bulk(text: &'static str) -> Reply {
        Reply::Bulk(text.into())
    }

    /// Whatever redis-rs reads from these bytes is what it gets here.
    #[test]
    fn values_are_what_redis_rs_reads_itself() {
        let attributed = Attributed { attributes: vec![(bulk("ttl"), Reply::Integer(3))], reply: bulk("x") };
        let rows: [(Reply, &str); 18] = [
            (Reply::Nil, "$-1\r\n"),
            (Reply::Nil, "_\r\n"),
            (Reply::Integer(-7), ":-7\r\n"),
            (Reply::Simple("OK".into()), "+OK\r\n"),
            (Reply::Simple("PONG".into()), "+PONG\r\n"),
            (bulk(""), "$0\r\n\r\n"),
            (bulk("value"), "$5\r\nvalue\r\n"),
            (Reply::Array(vec![bulk("a"), Reply::Nil]), "*2\r\n$1\r\na\r\n$-1\r\n"),
            (Reply::Set(vec![bulk("a")]), "~1\r\n$1\r\na\r\n"),
            (Reply::Map(vec![(bulk("a"), Reply::Integer(1))]), "%1\r\n$1\r\na\r\n:1\r\n"),
            (Reply::Double(1.5), ",1.5\r\n"),
            (Reply::Boolean(true), "#t\r\n"),
            (Reply::BigNumber("12345678901234567890123".into()), "(12345678901234567890123\r\n"),
            (Reply::Verbatim(Verbatim { format: *b"txt", text: "hi".into() }), "=6\r\ntxt:hi\r\n"),
            (Reply::Verbatim(Verbatim { format: *b"mkd", text: "hi".into() }), "=6\r\nmkd:hi\r\n"),
            (Reply::Attributed(Box::new(attributed)), "|1\r\n$3\r\nttl\r\n:3\r\n$1\r\nx\r\n"),
            (Reply::Error(ErrorReply::new("WRONGTYPE no")), "-WRONGTYPE no\r\n"),
            (Reply::Error(ErrorReply::new("MYCODE own words")), "-MYCODE own words\r\n"),
        ];
        for (reply, wire) in rows {
            let read = parse_redis_value(wire.as_bytes()).expect("a value");
            assert_eq!(value(reply), read, "{wire:?}");
        }
    }

    #[test]
    fn a_script_cannot_say_what_we_say() {
        let code_of = |words: &str, is_refusal| {
            let error = ErrorReply::new(words.to_owned());
            let error = server_error(&error_words(&error, is_refusal)).expect("an error");
            (error.code().map(str::to_owned), error)
        };
        for code in [MAYBE_EXECUTED, NOT_EXECUTED] {
            for forged in [" x", "", "\tx", "\r\nx", "\x01"].map(|rest| format!("{code}{rest}")) {
                for forged in [forged.clone(), format!(" {forged}"), format!("\t\u{a0}{forged}")] {
                    assert_eq!(code_of(&forged, false).0.as_deref(), Some("ERR"), "{forged:?}");
                }
            }
        }
        for code in REPEATED {
            for forged in [format!("{code} x"), format!(" {code}\tx"), code.to_owned()] {
                let (said, error) = code_of(&forged, false);
                assert_eq!(said.as_deref(), Some(MAYBE_EXECUTED), "{forged:?}");
                assert!(error.to_string().contains(code), "its text is kept: {error}");
                // What the server itself refused is what it is.
                assert_eq!(code_of(&forged, true).0.as_deref(), Some(code));
            }
        }
        let several_lines = server_error("ERR first\r\nsecond").expect("an error");
        assert_eq!(several_lines.code(), Some("ERR"));
    }

    #[test]
    fn an_error_in_a_reply_is_no_reason_to_repeat_the_command() {
        let items = Reply::Array(vec![Reply::Error(ErrorReply::new("TRYAGAIN says a script"))]);
        let error = value(items).extract_error().expect_err("an error within");
        assert_eq!(error.code(), Some(MAYBE_EXECUTED), "{error}");
    }
}
