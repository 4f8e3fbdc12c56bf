//! Replies as `redis-cli` shows them: with types for people, bare for pipes; and as JSON.
//!
//! A reply is data that others wrote: for people, nothing is left in it that a terminal could obey; for pipes it is as
//! it came.

use serde_json::{Map, Value, json};
use truename::{Reply, Untrusted};

/// The reply with types, numbered and indented.
pub(crate) fn typed(reply: &Reply) -> String {
    let mut text = String::new();
    write_typed(&mut text, reply, 0);
    text.push('\n');
    text
}

/// The reply without decoration: texts as they are, one element per line.
pub(crate) fn raw(reply: &Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_raw(&mut bytes, reply);
    bytes.push(b'\n');
    bytes
}

fn write_typed(text: &mut String, reply: &Reply, indent: usize) {
    match reply {
        Reply::Nil => text.push_str("(nil)"),
        Reply::Integer(value) => text.push_str(&format!("(integer) {value}")),
        Reply::Boolean(value) => text.push_str(if *value { "(true)" } else { "(false)" }),
        Reply::Double(value) => text.push_str(&format!("(double) {value}")),
        Reply::BigNumber(digits) => text.push_str(&format!("(big number) {}", line(digits))),
        Reply::Simple(bytes) => text.push_str(&line(bytes)),
        Reply::Error(error) => text.push_str(&format!("(error) {}", line(error.as_bytes()))),
        Reply::Bulk(bytes) => text.push_str(&quoted(bytes)),
        Reply::Verbatim(verbatim) => text.push_str(&lines(&verbatim.text)),
        Reply::Array(items) => write_items(text, items, ')', "(empty array)", indent),
        Reply::Set(items) => write_items(text, items, '~', "(empty set)", indent),
        Reply::Map(pairs) => write_pairs(text, pairs, indent),
        Reply::Attributed(attributed) => write_typed(text, &attributed.reply, indent),
        other => text.push_str(&format!("({})", other.kind())),
    }
}

fn write_items(text: &mut String, items: &[Reply], mark: char, empty: &str, indent: usize) {
    if items.is_empty() {
        text.push_str(empty);
    }
    let digits = items.len().to_string().len();
    for (position, item) in items.iter().enumerate() {
        begin_line(text, position, indent);
        text.push_str(&format!("{:>digits$}{mark} ", position + 1));
        write_typed(text, item, indent + digits + 2);
    }
}

fn write_pairs(text: &mut String, pairs: &[(Reply, Reply)], indent: usize) {
    if pairs.is_empty() {
        text.push_str("(empty hash)");
    }
    let digits = pairs.len().to_string().len();
    for (position, (key, value)) in pairs.iter().enumerate() {
        begin_line(text, position, indent);
        text.push_str(&format!("{:>digits$}# ", position + 1));
        write_typed(text, key, indent + digits + 2);
        text.push_str(" => ");
        write_typed(text, value, indent + digits + 2);
    }
}

/// The first element continues the current line.
fn begin_line(text: &mut String, position: usize, indent: usize) {
    if position > 0 {
        text.push('\n');
        text.push_str(&" ".repeat(indent));
    }
}

fn write_raw(bytes: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Nil => {}
        Reply::Integer(value) => bytes.extend_from_slice(value.to_string().as_bytes()),
        Reply::Boolean(value) => bytes.extend_from_slice(if *value { b"true" } else { b"false" }),
        Reply::Double(value) => bytes.extend_from_slice(value.to_string().as_bytes()),
        Reply::Simple(text) | Reply::Bulk(text) | Reply::BigNumber(text) => bytes.extend_from_slice(text),
        Reply::Verbatim(verbatim) => bytes.extend_from_slice(&verbatim.text),
        Reply::Error(error) => bytes.extend_from_slice(error.as_bytes()),
        Reply::Array(items) | Reply::Set(items) => write_lines(bytes, items.iter()),
        Reply::Map(pairs) => write_lines(bytes, pairs.iter().flat_map(|(key, value)| [key, value])),
        Reply::Attributed(attributed) => write_raw(bytes, &attributed.reply),
        other => bytes.extend_from_slice(other.kind().as_bytes()),
    }
}

fn write_lines<'a>(bytes: &mut Vec<u8>, items: impl Iterator<Item = &'a Reply>) {
    for (position, item) in items.enumerate() {
        if position > 0 {
            bytes.push(b'\n');
        }
        write_raw(bytes, item);
    }
}

/// The reply as JSON. Bytes that are not UTF-8 become `{"hex": "..."}`, numbers that JSON lacks become text, and a
/// map whose keys are not all texts becomes a list of pairs.
pub(crate) fn json(reply: &Reply) -> Value {
    match reply {
        Reply::Nil => Value::Null,
        Reply::Integer(value) => json!(value),
        Reply::Boolean(value) => json!(value),
        Reply::Double(value) => {
            serde_json::Number::from_f64(*value).map_or_else(|| json!(value.to_string()), Value::Number)
        }
        Reply::Simple(bytes) | Reply::Bulk(bytes) | Reply::BigNumber(bytes) => text_json(bytes),
        Reply::Verbatim(verbatim) => text_json(&verbatim.text),
        Reply::Error(error) => json!({ "error": error.message() }),
        Reply::Array(items) | Reply::Set(items) => items.iter().map(json).collect(),
        Reply::Map(pairs) => map_json(pairs),
        Reply::Attributed(attributed) => json(&attributed.reply),
        other => json!(other.kind()),
    }
}

fn text_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

fn map_json(pairs: &[(Reply, Reply)]) -> Value {
    let named: Option<Map<String, Value>> =
        pairs.iter().map(|(key, value)| Some((key.as_str()?.to_owned(), json(value)))).collect();
    match named {
        Some(named) if named.len() == pairs.len() => Value::Object(named),
        _ => pairs.iter().map(|(key, value)| json!([json(key), json(value)])).collect(),
    }
}

/// A text of one line, whole, with everything escaped that a terminal could take for a command.
fn line(bytes: &[u8]) -> String {
    Untrusted(&String::from_utf8_lossy(bytes)).up_to(usize::MAX).to_string()
}

/// A text of several lines, such as that of `INFO`, each as [`line`] has it.
fn lines(bytes: &[u8]) -> String {
    let lines = bytes.split(|&byte| byte == b'\n');
    lines.map(|text| line(text.strip_suffix(b"\r").unwrap_or(text))).collect::<Vec<_>>().join("\n")
}

/// In double quotes, with everything escaped that a terminal could take for a command.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => text.extend(['\\', char::from(byte)]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x20..=0x7e => text.push(char::from(byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use truename::resp::{ErrorReply, Verbatim};

    use super::*;

    fn bulk(text: &'static str) -> Reply {
        Reply::Bulk(text.into())
    }

    #[test]
    fn every_type_in_all_three_forms() {
        let nested = Reply::Array(vec![
            bulk("a"),
            Reply::Array(vec![Reply::Integer(1), Reply::Nil]),
            Reply::Map(vec![(bulk("k"), bulk("v"))]),
        ]);
        let rows: Vec<(Reply, &str, &str, Value)> = vec![
            (Reply::Nil, "(nil)", "", json!(null)),
            (Reply::Integer(-7), "(integer) -7", "-7", json!(-7)),
            (Reply::Boolean(true), "(true)", "true", json!(true)),
            (Reply::Double(1.5), "(double) 1.5", "1.5", json!(1.5)),
            (Reply::Double(f64::INFINITY), "(double) inf", "inf", json!("inf")),
            (Reply::BigNumber("123".into()), "(big number) 123", "123", json!("123")),
            (Reply::Simple("OK".into()), "OK", "OK", json!("OK")),
            (Reply::Error(ErrorReply::new("ERR no")), "(error) ERR no", "ERR no", json!({"error": "ERR no"})),
            (bulk("a\"\n\u{e9}"), "\"a\\\"\\n\\xc3\\xa9\"", "a\"\n\u{e9}", json!("a\"\n\u{e9}")),
            (Reply::Verbatim(Verbatim { format: *b"txt", text: "hi".into() }), "hi", "hi", json!("hi")),
            (Reply::Array(vec![]), "(empty array)", "", json!([])),
            (Reply::Set(vec![bulk("x")]), "1~ \"x\"", "x", json!(["x"])),
            (Reply::Map(vec![]), "(empty hash)", "", json!({})),
            (
                Reply::Map(vec![(Reply::Integer(1), bulk("x"))]),
                "1# (integer) 1 => \"x\"",
                "1\nx",
                json!([[1, "x"]]),
            ),
            (
                nested,
                "1) \"a\"\n2) 1) (integer) 1\n   2) (nil)\n3) 1# \"k\" => \"v\"",
                "a\n1\n\nk\nv",
                json!(["a", [1, null], {"k": "v"}]),
            ),
        ];
        for (reply, people, pipe, program) in rows {
            assert_eq!(typed(&reply), format!("{people}\n"));
            assert_eq!(String::from_utf8(raw(&reply)).unwrap(), format!("{pipe}\n"));
            assert_eq!(json(&reply), program);
        }
    }

    #[test]
    fn for_people_no_type_of_reply_keeps_a_command_for_the_terminal() {
        let text = "a\u{1b}[2J\r\u{9b}1m\u{202e}b";
        let replies = [
            Reply::Simple(text.into()),
            Reply::Error(ErrorReply::new(text)),
            Reply::BigNumber(text.into()),
            bulk(text),
            Reply::Verbatim(Verbatim { format: *b"txt", text: text.into() }),
            Reply::Map(vec![(Reply::Simple(text.into()), bulk(text))]),
        ];
        for reply in replies {
            let shown = typed(&reply);
            assert!(shown.trim_end_matches('\n').chars().all(Untrusted::is_harmless), "{shown:?}");
        }
        let info = Verbatim { format: *b"txt", text: "# Server\r\nversion:7\r\n".into() };
        assert_eq!(typed(&Reply::Verbatim(info)), "# Server\nversion:7\n\n");
    }

    #[test]
    fn bytes_survive() {
        let reply = Reply::Bulk(vec![0xff, 0x00].into());
        assert_eq!(raw(&reply), [0xff, 0x00, b'\n']);
        assert_eq!(json(&reply), json!({"hex": "ff00"}));
        assert_eq!(typed(&reply), "\"\\xff\\x00\"\n");
    }
}
