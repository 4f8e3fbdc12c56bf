//! Streams to test with: valid frames of all types, bytes that are nearly RESP, and ways to cut either.

use std::ops::Range;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use truename_resp::{Attributed, ErrorReply, Frame, Push, Reply, Verbatim};

/// Writes a reply the way a server would; `streamed` picks the open-ended form where the type has one.
fn put_reply(out: &mut Vec<u8>, reply: &Reply, streamed: bool) {
    match reply {
        Reply::Nil => out.extend(b"_\r\n"),
        Reply::Integer(value) => out.extend(format!(":{value}\r\n").bytes()),
        Reply::Boolean(truth) => out.extend(if *truth { b"#t\r\n" } else { b"#f\r\n" }),
        Reply::Double(value) => out.extend(format!(",{value}\r\n").bytes()),
        Reply::BigNumber(digits) => put_line(out, b'(', digits),
        Reply::Simple(text) => put_line(out, b'+', text),
        Reply::Error(error) if error.as_bytes().contains(&b'\n') => put_payload(out, b'!', error.as_bytes()),
        Reply::Error(error) => put_line(out, b'-', error.as_bytes()),
        Reply::Bulk(bytes) if streamed => {
            out.extend(b"$?\r\n");
            bytes.chunks(3).for_each(|chunk| put_payload(out, b';', chunk));
            out.extend(b";0\r\n");
        }
        Reply::Bulk(bytes) => put_payload(out, b'$', bytes),
        Reply::Verbatim(verbatim) => {
            put_payload(out, b'=', &[&verbatim.format, b":".as_slice(), &verbatim.text].concat());
        }
        Reply::Array(items) => put_aggregate(out, b'*', items.len(), items, streamed),
        Reply::Set(items) => put_aggregate(out, b'~', items.len(), items, streamed),
        Reply::Map(pairs) => put_aggregate(out, b'%', pairs.len(), flat(pairs), streamed),
        Reply::Attributed(attributed) => {
            let pairs = &attributed.attributes;
            put_header(out, b'|', pairs.len());
            flat(pairs).for_each(|value| put_reply(out, value, streamed));
            put_reply(out, &attributed.reply, streamed);
        }
        other => panic!("no wire form for {other:?}"),
    }
}

pub(crate) fn put_frame(out: &mut Vec<u8>, frame: &Frame, streamed: bool) {
    match frame {
        Frame::Reply(reply) => put_reply(out, reply, streamed),
        Frame::Push(push) => {
            put_header(out, b'>', 1 + push.items.len());
            put_payload(out, b'$', &push.kind);
            push.items.iter().for_each(|item| put_reply(out, item, streamed));
        }
    }
}

fn put_header(out: &mut Vec<u8>, kind: u8, len: usize) {
    put_line(out, kind, len.to_string().as_bytes());
}

fn put_line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend(text);
    out.extend(b"\r\n");
}

fn put_payload(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    put_header(out, kind, payload.len());
    out.extend(payload);
    out.extend(b"\r\n");
}

fn put_aggregate<'a>(
    out: &mut Vec<u8>,
    kind: u8,
    count: usize,
    values: impl IntoIterator<Item = &'a Reply>,
    streamed: bool,
) {
    if streamed {
        put_line(out, kind, b"?");
    } else {
        put_header(out, kind, count);
    }
    values.into_iter().for_each(|value| put_reply(out, value, streamed));
    if streamed {
        out.extend(b".\r\n");
    }
}

fn flat(pairs: &[(Reply, Reply)]) -> impl Iterator<Item = &Reply> {
    pairs.iter().flat_map(|(key, value)| [key, value])
}

pub(crate) fn bytes(len: Range<usize>) -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), len).prop_map(Bytes::from)
}

fn text(pattern: &'static str) -> impl Strategy<Value = Bytes> {
    pattern.prop_map(Bytes::from)
}

fn scalar() -> impl Strategy<Value = Reply> {
    prop_oneof![
        Just(Reply::Nil),
        any::<i64>().prop_map(Reply::Integer),
        any::<bool>().prop_map(Reply::Boolean),
        // `nan` is not equal to itself; it has its row in the tables.
        any::<f64>().prop_filter("comparable", |value| !value.is_nan()).prop_map(Reply::Double),
        text("-?[0-9]{1,60}").prop_map(Reply::BigNumber),
        text("(OK|QUEUED|PONG|[ -~]{0,60})").prop_map(Reply::Simple),
        text("[A-Z]{0,5}( [ -~\n]{0,40})?").prop_map(|text| Reply::Error(ErrorReply::new(text))),
        bytes(0..200).prop_map(Reply::Bulk),
        (any::<[u8; 3]>(), bytes(0..30))
            .prop_map(|(format, text)| Reply::Verbatim(Verbatim { format, text })),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    scalar().prop_recursive(5, 40, 5, |inner| {
        let values = || proptest::collection::vec(inner.clone(), 0..5);
        let pairs = || proptest::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            values().prop_map(Reply::Array),
            values().prop_map(Reply::Set),
            pairs().prop_map(Reply::Map),
            (pairs(), inner.clone()).prop_map(|(attributes, reply)| Reply::Attributed(Box::new(
                Attributed { attributes, reply }
            ))),
        ]
    })
}

pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    let push = (bytes(1..12), proptest::collection::vec(reply(), 0..4));
    prop_oneof![
        3 => reply().prop_map(Frame::Reply),
        1 => push.prop_map(|(kind, items)| Frame::Push(Push::new(kind, items))),
    ]
}

/// Bytes that are close enough to RESP to get past the first header.
pub(crate) fn almost_resp() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => "[-+:$*_#,(!=~%|>;.]",
        4 => "(-1|[0-4]|\\?|t|f|inf|nan|[0-9]{1,21}|)",
        4 => Just("\r\n".to_owned()),
        4 => "[$;!=][1-5]\r\n[a-z:]{1,5}\r\n",
        4 => "([*~%|>][0-3?]|\\.|_|#t|:1|\\+a|,1\\.5)\r\n",
        1 => "[\\x00-\\x7f]{1,3}",
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat().into_bytes())
}

pub(crate) fn pieces<'a>(input: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}
