//! One table per protocol version: wire form and value; and what must be refused, where and why.
//!
//! Every row is decoded whole and byte by byte.

mod support;

use bytes::{Bytes, BytesMut};
use support::{decode_dribbled, decode_pieces, decode_whole};
use truename_resp::{
    Attributed, DecodeErrorKind as Kind, Decoder, ErrorReply, Frame, Limits, Push, Reply, Verbatim,
};

fn bulk(text: &'static str) -> Reply {
    Reply::Bulk(Bytes::from_static(text.as_bytes()))
}

fn simple(text: &'static str) -> Reply {
    Reply::Simple(Bytes::from_static(text.as_bytes()))
}

fn error(text: &'static str) -> Reply {
    Reply::Error(ErrorReply::new(text))
}

fn int(value: i64) -> Reply {
    Reply::Integer(value)
}

fn attributed(attributes: Vec<(Reply, Reply)>, reply: Reply) -> Reply {
    Reply::Attributed(Box::new(Attributed { attributes, reply }))
}

#[track_caller]
fn assert_frames(input: &str, expected: &[Frame]) {
    for (frames, failure) in [
        decode_whole(Limits::default(), input.as_bytes()),
        decode_dribbled(Limits::default(), input.as_bytes()),
    ] {
        assert_eq!(failure, None, "{input:?}");
        assert_eq!(frames, expected, "{input:?}");
    }
}

#[track_caller]
fn assert_replies(table: impl IntoIterator<Item = (&'static str, Reply)>) {
    for (input, reply) in table {
        assert_frames(input, &[Frame::Reply(reply)]);
    }
}

#[test]
fn resp2() {
    assert_replies([
        ("+OK\r\n", simple("OK")),
        ("+PONG\r\n", simple("PONG")),
        ("+QUEUED\r\n", simple("QUEUED")),
        ("+\r\n", simple("")),
        ("+Background saving started\r\n", simple("Background saving started")),
        ("-ERR unknown command\r\n", error("ERR unknown command")),
        ("-\r\n", error("")),
        (":0\r\n", int(0)),
        (":-1\r\n", int(-1)),
        (":+1\r\n", int(1)),
        (":9223372036854775807\r\n", int(i64::MAX)),
        (":-9223372036854775808\r\n", int(i64::MIN)),
        ("$0\r\n\r\n", bulk("")),
        ("$5\r\nhello\r\n", bulk("hello")),
        ("$6\r\na\r\n$1\n\r\n", bulk("a\r\n$1\n")),
        ("$-1\r\n", Reply::Nil),
        ("*-1\r\n", Reply::Nil),
        ("*0\r\n", Reply::Array(vec![])),
        ("*2\r\n:1\r\n$-1\r\n", Reply::Array(vec![int(1), Reply::Nil])),
        (
            "*3\r\n*0\r\n*1\r\n-ERR in EXEC\r\n+OK\r\n",
            Reply::Array(vec![Reply::Array(vec![]), Reply::Array(vec![error("ERR in EXEC")]), simple("OK")]),
        ),
    ]);
}

#[test]
fn resp3_scalars() {
    let verbatim = |format: &[u8; 3], text: &'static str| {
        Reply::Verbatim(Verbatim { format: *format, text: Bytes::from_static(text.as_bytes()) })
    };
    assert_replies([
        ("_\r\n", Reply::Nil),
        ("#t\r\n", Reply::Boolean(true)),
        ("#f\r\n", Reply::Boolean(false)),
        (",1.23\r\n", Reply::Double(1.23)),
        (",10\r\n", Reply::Double(10.0)),
        (",-1.5e-3\r\n", Reply::Double(-0.0015)),
        (",inf\r\n", Reply::Double(f64::INFINITY)),
        (",-inf\r\n", Reply::Double(f64::NEG_INFINITY)),
        (
            "(3492890328409238509324850943850943825024385\r\n",
            Reply::BigNumber("3492890328409238509324850943850943825024385".into()),
        ),
        ("(-1\r\n", Reply::BigNumber("-1".into())),
        ("!21\r\nSYNTAX invalid\nsyntax\r\n", error("SYNTAX invalid\nsyntax")),
        ("!0\r\n\r\n", error("")),
        ("=15\r\ntxt:Some string\r\n", verbatim(b"txt", "Some string")),
        ("=4\r\nmkd:\r\n", verbatim(b"mkd", "")),
    ]);
    let (frames, failure) = decode_whole(Limits::default(), b",nan\r\n");
    assert_eq!(failure, None);
    assert!(matches!(frames[..], [Frame::Reply(Reply::Double(nan))] if nan.is_nan()));
}

#[test]
fn resp3_aggregates() {
    assert_replies([
        ("~2\r\n:1\r\n#t\r\n", Reply::Set(vec![int(1), Reply::Boolean(true)])),
        ("~0\r\n", Reply::Set(vec![])),
        ("%0\r\n", Reply::Map(vec![])),
        (
            "%2\r\n+a\r\n:1\r\n:2\r\n%1\r\n+b\r\n_\r\n",
            Reply::Map(vec![(simple("a"), int(1)), (int(2), Reply::Map(vec![(simple("b"), Reply::Nil)]))]),
        ),
    ]);
}

#[test]
fn resp3_attributes() {
    assert_replies([
        ("|1\r\n+ttl\r\n:60\r\n$1\r\nv\r\n", attributed(vec![(simple("ttl"), int(60))], bulk("v"))),
        ("|0\r\n+OK\r\n", attributed(vec![], simple("OK"))),
        // Inside an array they do not count.
        (
            "*2\r\n:1\r\n|1\r\n+ttl\r\n:60\r\n:2\r\n",
            Reply::Array(vec![int(1), attributed(vec![(simple("ttl"), int(60))], int(2))]),
        ),
        (
            "%1\r\n|1\r\n+a\r\n+b\r\n+key\r\n|0\r\n*0\r\n",
            Reply::Map(vec![(
                attributed(vec![(simple("a"), simple("b"))], simple("key")),
                attributed(vec![], Reply::Array(vec![])),
            )]),
        ),
        // They may be described by attributes themselves, and follow each other.
        (
            "|1\r\n+a\r\n|0\r\n:1\r\n|0\r\n:2\r\n",
            attributed(vec![(simple("a"), attributed(vec![], int(1)))], attributed(vec![], int(2))),
        ),
    ]);
}

#[test]
fn resp3_streamed() {
    assert_replies([
        ("$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;1\r\nd\r\n;0\r\n", bulk("Hello word")),
        ("$?\r\n;0\r\n", bulk("")),
        ("*?\r\n:1\r\n:2\r\n.\r\n", Reply::Array(vec![int(1), int(2)])),
        ("*?\r\n.\r\n", Reply::Array(vec![])),
        ("~?\r\n:1\r\n.\r\n", Reply::Set(vec![int(1)])),
        (
            "%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n",
            Reply::Map(vec![(simple("a"), int(1)), (simple("b"), int(2))]),
        ),
        (
            "*?\r\n*?\r\n.\r\n$?\r\n;1\r\nx\r\n;0\r\n|0\r\n~?\r\n.\r\n.\r\n",
            Reply::Array(vec![Reply::Array(vec![]), bulk("x"), attributed(vec![], Reply::Set(vec![]))]),
        ),
    ]);
}

#[test]
fn pushes_are_never_replies() {
    let message = || Frame::Push(Push::new("message", vec![bulk("news"), bulk("hi")]));
    assert_frames(
        "+OK\r\n>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n:1\r\n>3\r\n+message\r\n$4\r\nnews\r\n$2\r\nhi\r\n$-1\r\n",
        &[Frame::Reply(simple("OK")), message(), Frame::Reply(int(1)), message(), Frame::Reply(Reply::Nil)],
    );
    assert_frames(
        ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n>1\r\n=7\r\ntxt:bye\r\n>1\r\n|0\r\n+tagged\r\n",
        &[
            Frame::Push(Push::new("invalidate", vec![Reply::Array(vec![bulk("k")])])),
            Frame::Push(Push::new("bye", vec![])),
            Frame::Push(Push::new("tagged", vec![])),
        ],
    );
}

#[track_caller]
fn assert_refused(limits: Limits, table: impl IntoIterator<Item = (&'static str, u64, Kind)>) {
    for (input, at, kind) in table {
        for (_, failure) in
            [decode_whole(limits, input.as_bytes()), decode_dribbled(limits, input.as_bytes())]
        {
            let failure = failure.unwrap_or_else(|| panic!("{input:?} was accepted"));
            assert_eq!((failure.at, failure.kind), (at, kind), "{input:?}");
        }
    }
}

#[test]
fn violations() {
    assert_refused(
        Limits::default(),
        [
            ("?", 0, Kind::UnknownType(b'?')),
            ("+OK\r\nGET x\r\n", 5, Kind::UnknownType(b'G')),
            ("+OK\n", 0, Kind::MissingLineEnd),
            ("+OK\rx", 0, Kind::MissingLineEnd),
            ("-ERR a\nb\r\n", 0, Kind::MissingLineEnd),
            (":\r\n", 0, Kind::InvalidInteger),
            (":1x", 0, Kind::InvalidInteger),
            (":1\n", 0, Kind::InvalidInteger),
            (":9223372036854775808\r\n", 0, Kind::InvalidInteger),
            ("$-2\r\n", 0, Kind::InvalidLength),
            ("$+1\r\n", 0, Kind::InvalidLength),
            ("$\r\n", 0, Kind::InvalidLength),
            ("$99999999999999999999\r\n", 0, Kind::InvalidLength),
            ("$1\r\nab\r", 4, Kind::MissingLineEnd),
            ("$1\r\na\n\n", 4, Kind::MissingLineEnd),
            ("*-2\r\n", 0, Kind::InvalidLength),
            ("*1\n", 0, Kind::InvalidLength),
            ("~-1\r\n", 0, Kind::InvalidLength),
            ("%-1\r\n", 0, Kind::InvalidLength),
            ("=-1\r\n", 0, Kind::InvalidLength),
            ("!-1\r\n", 0, Kind::InvalidLength),
            ("!?\r\n", 0, Kind::InvalidLength),
            ("=?\r\n", 0, Kind::InvalidLength),
            ("_1\r\n", 0, Kind::InvalidNull),
            ("#x\r\n", 0, Kind::InvalidBoolean),
            ("#tt\r\n", 0, Kind::InvalidBoolean),
            (",1.2.3\r\n", 0, Kind::InvalidDouble),
            (",\r\n", 0, Kind::InvalidDouble),
            ("(1a\r\n", 0, Kind::InvalidBigNumber),
            ("(\r\n", 0, Kind::InvalidBigNumber),
            ("=3\r\ntxt\r\n", 4, Kind::InvalidVerbatim),
            ("=8\r\ntext:abc\r\n", 4, Kind::InvalidVerbatim),
            (".\r\n", 0, Kind::UnexpectedEnd),
            ("*1\r\n.\r\n", 4, Kind::UnexpectedEnd),
            ("%?\r\n+key\r\n.\r\n", 10, Kind::UnexpectedEnd),
            ("*?\r\n|0\r\n.\r\n", 8, Kind::UnexpectedEnd),
            (";1\r\n", 0, Kind::UnexpectedChunk),
            ("$?\r\n+OK\r\n", 4, Kind::MissingChunk),
            ("$?\r\n;1\r\na\r\n$1\r\n", 11, Kind::MissingChunk),
            ("$?\r\n;-1\r\n", 4, Kind::InvalidLength),
            ("$?\r\n;?\r\n", 4, Kind::InvalidLength),
        ],
    );
}

#[test]
fn misplaced_pushes() {
    assert_refused(
        Limits::default(),
        [
            ("*2\r\n:1\r\n>1\r\n", 8, Kind::NestedPush),
            ("%1\r\n>1\r\n", 4, Kind::NestedPush),
            (">2\r\n+a\r\n>1\r\n", 8, Kind::NestedPush),
            ("|0\r\n>1\r\n", 4, Kind::NestedPush),
            (">0\r\n", 0, Kind::InvalidPush),
            (">1\r\n:1\r\n", 4, Kind::InvalidPush),
            (">2\r\n*0\r\n:1\r\n", 8, Kind::InvalidPush),
            (">-1\r\n", 0, Kind::InvalidLength),
            (">?\r\n", 0, Kind::InvalidLength),
            ("|?\r\n", 0, Kind::InvalidLength),
        ],
    );
}

#[test]
fn limits() {
    let limits = Limits::default().with_depth(2).with_elements(4).with_bulk_len(5).with_line_len(6);
    let too_deep = Kind::TooDeep { limit: 2 };
    let too_many = Kind::TooManyElements { limit: 4 };
    let bulk_too_long = Kind::BulkTooLong { limit: 5 };
    let line_too_long = Kind::LineTooLong { limit: 6 };
    for within in [
        "*1\r\n*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        "%2\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
        "*?\r\n:1\r\n:1\r\n:1\r\n:1\r\n.\r\n",
        "%?\r\n:1\r\n:1\r\n:1\r\n:1\r\n.\r\n",
        "$5\r\nhello\r\n",
        "$?\r\n;3\r\nhel\r\n;2\r\nlo\r\n;0\r\n",
        "+sixsix\r\n",
    ] {
        let (frames, failure) = decode_dribbled(limits, within.as_bytes());
        assert_eq!((frames.len(), failure), (1, None), "{within:?}");
    }
    assert_refused(
        limits,
        [
            ("*1\r\n*1\r\n*1\r\n", 8, too_deep),
            ("*1\r\n*1\r\n*0\r\n", 8, too_deep),
            ("|0\r\n|0\r\n|0\r\n", 8, too_deep),
            ("*5\r\n", 0, too_many),
            ("~5\r\n", 0, too_many),
            ("%3\r\n", 0, too_many),
            ("|3\r\n", 0, too_many),
            ("%9999999999999999999\r\n", 0, too_many),
            ("*?\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", 20, too_many),
            ("%?\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", 20, too_many),
            ("$6\r\n", 0, bulk_too_long),
            ("=6\r\n", 0, bulk_too_long),
            ("!6\r\n", 0, bulk_too_long),
            ("$9999999999999999999\r\n", 0, bulk_too_long),
            ("$?\r\n;3\r\nhel\r\n;3\r\n", 13, bulk_too_long),
            ("+seven77\r\n", 0, line_too_long),
            ("-seven77\r\n", 0, line_too_long),
            ("(1234567", 0, line_too_long),
        ],
    );
}

#[test]
fn errors_are_sticky() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buf = BytesMut::from("+OK\r\n?\r\n");
    assert!(matches!(decoder.decode(&mut buf), Ok(Some(_))));
    let failure = decoder.decode(&mut buf).unwrap_err();
    assert_eq!(failure.to_string(), "invalid RESP at byte 5: unknown type byte '?'");
    let mut fresh = BytesMut::from("+OK\r\n");
    for _ in 0..3 {
        assert_eq!(decoder.decode(&mut fresh), Err(failure));
    }
    assert_eq!(fresh, "+OK\r\n", "a poisoned decoder consumes nothing");
}

#[test]
fn the_deepest_nesting_is_bounded_and_usable() {
    let limits = Limits::default().with_depth(usize::MAX);
    let nested = |depth: usize| format!("{}:1\r\n", "*1\r\n".repeat(depth));
    let (frames, failure) = decode_whole(limits, nested(Limits::MAX_DEPTH).as_bytes());
    assert_eq!(failure, None);
    assert_eq!(frames.clone(), frames);
    assert!(format!("{frames:?}").contains("Integer(1)"));
    let (_, failure) = decode_whole(limits, nested(Limits::MAX_DEPTH + 1).as_bytes());
    assert_eq!(failure.map(|failure| failure.kind), Some(Kind::TooDeep { limit: Limits::MAX_DEPTH }));
}

#[test]
fn payloads_are_slices_of_the_read_buffer() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buf = BytesMut::from("*3\r\n$3\r\none\r\n+two\r\n=9\r\ntxt:three\r\n");
    let memory = buf.as_ptr_range();
    let Some(Frame::Reply(reply)) = decoder.decode(&mut buf).unwrap() else { panic!("one whole reply") };
    for item in reply.as_array().unwrap() {
        assert!(memory.contains(&item.as_bytes().unwrap().as_ptr()), "{item:?} was copied");
    }
}

#[test]
fn common_texts_do_not_hold_the_read_buffer() {
    let mut decoder = Decoder::new(Limits::default());
    for text in ["+OK\r\n", "+PONG\r\n", "+QUEUED\r\n"] {
        let mut buf = BytesMut::from(text);
        let memory = buf.as_ptr_range();
        let Some(Frame::Reply(reply)) = decoder.decode(&mut buf).unwrap() else { panic!("one whole reply") };
        assert!(!memory.contains(&reply.as_bytes().unwrap().as_ptr()), "{text:?}");
    }
}

/// Short lines after one that was seen in part: nothing remembered of a line may outlive it.
#[test]
fn every_pair_of_cuts_of_short_replies() {
    let limits = Limits::default();
    let input = b"+OK\r\n+\r\n+OK\r\n-\r\n:1\r\n$1\r\nx\r\n+a\r\n*3\r\n+OK\r\n+b\r\n$-1\r\n";
    let whole = decode_whole(limits, input);
    assert_eq!((whole.0.len(), whole.1), (8, None));
    for first in 0..input.len() {
        for second in first..input.len() {
            let pieces = [&input[..first], &input[first..second], &input[second..]];
            assert_eq!(decode_pieces(limits, pieces), whole, "cut at {first} and {second}");
        }
    }
}
