//! What one reply can cost in total, whatever it is made of.

mod support;

use bytes::BytesMut;
use support::{decode_dribbled, decode_whole};
use truename_resp::{DecodeErrorKind as Kind, Decoder, Limits};

/// An endless stream that begins with `start` and goes on with `again`, and the limit that ends it.
fn endless(limits: Limits, start: &str, again: &str) -> (Kind, u64) {
    let mut decoder = Decoder::new(limits);
    let (mut buf, mut fed) = (BytesMut::from(start), start.len() as u64);
    let piece = again.repeat(1 + 8192 / again.len());
    loop {
        buf.extend_from_slice(piece.as_bytes());
        fed += piece.len() as u64;
        match decoder.decode(&mut buf) {
            Ok(None) => assert!(fed < 64 << 20, "`{again}` goes on for ever"),
            Ok(Some(frame)) => panic!("the stream ends nothing, and yet there is {frame:?}"),
            Err(error) => return (error.kind, fed),
        }
    }
}

/// Limits of one aggregate were multiplied by nesting: `*4096` inside of `*4096` and so on, 14 MB/s of it, took 160 MB/s
/// until the process was out of memory.
#[test]
fn nesting_multiplies_nothing() {
    let limits = Limits::default().with_values(200_000).with_bytes(8 << 20);
    let (values, bytes) = (Kind::TooManyValues { limit: 200_000 }, Kind::TooManyBytes { limit: 8 << 20 });
    let integers = format!("*4096\r\n{}", ":1\r\n".repeat(4096));
    let payload = format!("$1000\r\n{}\r\n", "x".repeat(1000));
    let rows: [(&str, &str, Kind); 12] = [
        ("*16000000\r\n", &integers, values),
        ("*16000000\r\n*16000000\r\n", "*1\r\n:1\r\n", values),
        ("*?\r\n", "*?\r\n:1\r\n.\r\n", values),
        ("*16000000\r\n", "%1\r\n:1\r\n:2\r\n", values),
        ("%8000000\r\n", "_\r\n", values),
        ("*16000000\r\n", "|1\r\n:1\r\n:2\r\n:3\r\n", values),
        ("*16000000\r\n", "|0\r\n:3\r\n", values),
        ("~?\r\n", "*0\r\n", values),
        (">16000000\r\n+a\r\n", ":1\r\n", values),
        ("*16000000\r\n", &payload, bytes),
        ("*?\r\n", "$?\r\n;1\r\nx\r\n;1\r\ny\r\n;0\r\n", values),
        ("$?\r\n", &payload.replace('$', ";"), bytes),
    ];
    for (start, again, expected) in rows {
        let mut ended = None;
        let used = allocation_counter::measure(|| ended = Some(endless(limits, start, again)));
        let (kind, fed) = ended.expect("it ended");
        assert_eq!(kind, expected, "{start:?} {again:?}");
        // What the test itself holds: a piece and the read buffer.
        let own = 4 * (8192 + again.len() as u64);
        let allowed = limits.memory() as u64 + own;
        assert!(used.bytes_max <= allowed, "{start:?} {again:?}: {} bytes after {fed}", used.bytes_max);
    }
}

/// The same shapes, as small as can be: here the overhead of each value is the most.
#[test]
fn a_value_takes_no_more_than_is_documented() {
    let limits = Limits::default().with_values(300_000).with_bytes(64 << 20);
    for (start, again) in [
        ("*16000000\r\n", "*1\r\n:1\r\n"),
        ("*16000000\r\n", "*2\r\n:1\r\n:1\r\n"),
        ("*16000000\r\n", "%1\r\n:1\r\n:1\r\n"),
        ("*16000000\r\n", "|1\r\n:1\r\n:1\r\n:1\r\n"),
        ("*16000000\r\n", "|0\r\n:1\r\n"),
        ("*?\r\n", "*?\r\n:1\r\n:1\r\n.\r\n"),
        ("*?\r\n", ":1\r\n"),
    ] {
        let used = allocation_counter::measure(|| _ = endless(limits, start, again));
        let each = used.bytes_max / limits.values as u64;
        assert!(each <= Limits::BYTES_PER_VALUE as u64, "{start:?} {again:?}: {each} bytes a value");
    }
}

#[test]
fn what_cannot_fit_is_refused_at_its_header() {
    let limits = Limits::default().with_values(3).with_bytes(100);
    for (input, at, kind) in [
        ("$99\r\n", 0, Kind::TooManyBytes { limit: 100 }),
        ("$101\r\n", 0, Kind::BulkTooLong { limit: 100 }),
        ("*2\r\n$90\r\n", 4, Kind::TooManyBytes { limit: 100 }),
        ("*3\r\n:1\r\n:2\r\n$5\r\n", 12, Kind::TooManyValues { limit: 3 }),
        ("*1\r\n*1\r\n*1\r\n*1\r\n", 12, Kind::TooManyValues { limit: 3 }),
    ] {
        for (frames, failure) in
            [decode_whole(limits, input.as_bytes()), decode_dribbled(limits, input.as_bytes())]
        {
            assert!(frames.is_empty());
            assert_eq!(failure.map(|failure| (failure.at, failure.kind)), Some((at, kind)), "{input:?}");
            assert!(kind.is_limit());
        }
    }
    // The budget is that of a frame, not of a connection.
    let (frames, failure) = decode_dribbled(limits, "*2\r\n:1\r\n$70\r\n".as_bytes());
    assert!(frames.is_empty() && failure.is_none());
    let many = "*2\r\n:1\r\n:2\r\n".repeat(100);
    let (frames, failure) = decode_whole(limits, many.as_bytes());
    assert_eq!((frames.len(), failure), (100, None));
}

/// The limit of an aggregate was reported at the text that passes it, or four bytes further on if that came in pieces.
#[test]
fn a_text_too_many_is_refused_at_its_header() {
    let limits = Limits::default().with_elements(2);
    for start in ["*?\r\n:1\r\n:2\r\n", "~?\r\n:1\r\n:2\r\n", "%?\r\n:1\r\n:2\r\n"] {
        for text in ["$4\r\nabcd\r\n", "$4\r\nab", "$4\r\n", "!4\r\nERR \r\n", "=5\r\ntxt:a\r\n"] {
            let input = format!("{start}{text}");
            for (frames, failure) in
                [decode_whole(limits, input.as_bytes()), decode_dribbled(limits, input.as_bytes())]
            {
                let failure = failure.map(|failure| (failure.at, failure.kind));
                assert_eq!(failure, Some((12, Kind::TooManyElements { limit: 2 })), "{input:?}");
                assert!(frames.is_empty());
            }
        }
    }
}
