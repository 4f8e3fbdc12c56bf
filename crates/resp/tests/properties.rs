//! What must hold for any stream, however it is cut.

mod support;

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::sample::Index;
use support::{decode_dribbled, decode_pieces, decode_whole};
use truename_resp::{Attributed, ErrorReply, Frame, Limits, Push, Reply, Verbatim, encode};

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

fn put_frame(out: &mut Vec<u8>, frame: &Frame, streamed: bool) {
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

fn bytes(len: Range<usize>) -> impl Strategy<Value = Bytes> {
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

fn frame() -> impl Strategy<Value = Frame> {
    let push = (bytes(1..12), proptest::collection::vec(reply(), 0..4));
    prop_oneof![
        3 => reply().prop_map(Frame::Reply),
        1 => push.prop_map(|(kind, items)| Frame::Push(Push::new(kind, items))),
    ]
}

/// Bytes that are close enough to RESP to get past the first header.
fn almost_resp() -> impl Strategy<Value = Vec<u8>> {
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

fn pieces<'a>(input: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn frames_survive_any_cut(
        frames in proptest::collection::vec((frame(), any::<bool>()), 0..6),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let mut input = Vec::new();
        frames.iter().for_each(|(frame, streamed)| put_frame(&mut input, frame, *streamed));
        let expected: Vec<_> = frames.into_iter().map(|(frame, _)| frame).collect();
        let limits = Limits::default();
        prop_assert_eq!(&decode_whole(limits, &input), &(expected, None));
        prop_assert_eq!(decode_pieces(limits, pieces(&input, &cuts)), decode_whole(limits, &input));
        prop_assert_eq!(decode_dribbled(limits, &input), decode_whole(limits, &input));
    }

    /// Also where the budget of a frame ends, and then within it.
    #[test]
    fn a_budget_ends_at_the_same_place_however_the_bytes_are_cut(
        frames in proptest::collection::vec((frame(), any::<bool>()), 0..6),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
        values in 1..60usize,
        bytes in 64..800usize,
    ) {
        let mut input = Vec::new();
        frames.iter().for_each(|(frame, streamed)| put_frame(&mut input, frame, *streamed));
        let limits = Limits::default().with_values(values).with_bytes(bytes);
        let whole = decode_whole(limits, &input);
        prop_assert_eq!(&decode_pieces(limits, pieces(&input, &cuts)), &whole);
        prop_assert_eq!(&decode_dribbled(limits, &input), &whole);
        prop_assert!(whole.1.is_none_or(|failure| failure.kind.is_limit()));
    }

    /// Compared as text, because a `nan` is not equal to itself.
    #[test]
    fn any_bytes_have_one_outcome_and_no_panic(
        input in prop_oneof![almost_resp(), proptest::collection::vec(any::<u8>(), 0..60)],
        cuts in proptest::collection::vec(any::<Index>(), 0..8),
        small in any::<bool>(),
    ) {
        let limits = match small {
            true => Limits::default().with_depth(2).with_elements(3).with_bulk_len(4).with_line_len(4),
            false => Limits::default(),
        };
        let whole = format!("{:?}", decode_whole(limits, &input));
        prop_assert_eq!(&format!("{:?}", decode_pieces(limits, pieces(&input, &cuts))), &whole);
        prop_assert_eq!(&format!("{:?}", decode_dribbled(limits, &input)), &whole);
    }

    #[test]
    fn commands_decode_to_their_arguments(args in proptest::collection::vec(bytes(0..300), 0..12)) {
        let slices = || args.iter().map(|arg| &arg[..]);
        let mut out = BytesMut::new();
        encode::put_command(&mut out, slices());
        prop_assert_eq!(out.len(), encode::command_size(slices()));
        let expected = Reply::Array(args.iter().cloned().map(Reply::Bulk).collect());
        prop_assert_eq!(decode_whole(Limits::default(), &out), (vec![Frame::Reply(expected)], None));
    }
}
