//! The framer against the decoder: the same frames, the same errors, for any stream, however it is cut.

#[path = "support/frames.rs"]
mod frames;

use bytes::{Bytes, BytesMut};
use frames::{almost_resp, frame, pieces, put_frame};
use proptest::prelude::*;
use proptest::sample::Index;
use truename_resp::{DecodeErrorKind as Kind, Decoder, Frame, Framer, Limits, RawFrame, Reply};

/// Feeds a decoder and a framer the same pieces. Whatever can be seen of the two must be the same.
fn assert_agreement<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) {
    let (mut decoder, mut framer) = (Decoder::new(limits), Framer::new(limits));
    let (mut consumed, mut kept) = (BytesMut::new(), BytesMut::new());
    for piece in pieces {
        consumed.extend_from_slice(piece);
        kept.extend_from_slice(piece);
        loop {
            let before = kept.clone();
            match (decoder.decode(&mut consumed), framer.frame(&mut kept)) {
                (Ok(Some(frame)), Ok(Some(raw))) => {
                    assert_eq!(kept, consumed, "both stand at the end of the frame");
                    assert_eq!([raw.as_bytes(), &kept[..]].concat(), before, "nothing is lost");
                    assert_is(&raw, &frame, limits);
                }
                (Ok(None), Ok(None)) => {
                    assert_eq!(kept, before, "nothing is taken of a frame that is not whole");
                    break;
                }
                (Err(decoding), Err(framing)) => {
                    assert_eq!(decoding, framing);
                    assert_eq!((framer.frame(&mut kept), kept.len()), (Err(framing), before.len()));
                    assert_eq!(standing(&decoder, &consumed), (framer.is_idle(), framer.wanted(&kept)));
                    return;
                }
                (decoded, framed) => panic!("{decoded:?} is decoded and {framed:?} framed"),
            }
        }
        assert_eq!(standing(&decoder, &consumed), (framer.is_idle(), framer.wanted(&kept)));
        assert_eq!(decoder.is_inside_reply(&consumed), framer.is_inside_reply(&kept));
    }
}

fn standing(decoder: &Decoder, consumed: &BytesMut) -> (bool, usize) {
    (decoder.is_idle(), decoder.wanted(consumed))
}

/// Compares values as text, because a `nan` is not equal to itself.
#[track_caller]
fn assert_is(raw: &RawFrame, frame: &Frame, limits: Limits) {
    let decoded = raw.decode(limits).expect("what was framed decodes");
    assert_eq!(format!("{decoded:?}"), format!("{frame:?}"));
    let error = match frame {
        Frame::Reply(reply) => reply.as_error(),
        Frame::Push(_) => None,
    };
    assert_eq!((raw.error().as_ref(), raw.is_error()), (error, error.is_some()));
    assert_eq!(raw.is_push(), matches!(frame, Frame::Push(_)));
}

fn wire(frames: &[(Frame, bool)]) -> Vec<u8> {
    let mut input = Vec::new();
    frames.iter().for_each(|(frame, streamed)| put_frame(&mut input, frame, *streamed));
    input
}

fn streams() -> impl Strategy<Value = Vec<(Frame, bool)>> {
    proptest::collection::vec((frame(), any::<bool>()), 0..6)
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    proptest::collection::vec(any::<Index>(), 0..12)
}

/// A word in place of some bytes.
fn damages() -> impl Strategy<Value = Vec<(Index, usize, String)>> {
    let word =
        "([-+:$*_#,(!=~%|>;.]|-1|\\?|[0-9]{1,2}|\r\n|\r|\n|[*~%|>][0-3?]\r\n|\\.\r\n|_\r\n|;[0-2]\r\n|)";
    proptest::collection::vec((any::<Index>(), 0..6usize, word), 1..4)
}

fn damaged(mut input: Vec<u8>, damages: &[(Index, usize, String)]) -> Vec<u8> {
    for (at, len, word) in damages {
        let at = at.index(input.len() + 1);
        let end = input.len().min(at + len);
        input.splice(at..end, word.bytes());
    }
    input
}

fn small() -> Limits {
    Limits::default().with_depth(2).with_elements(3).with_bulk_len(4).with_line_len(4)
}

proptest! {
    #[test]
    fn what_decodes_is_framed(frames in streams(), cuts in cuts()) {
        let input = wire(&frames);
        assert_agreement(Limits::default(), [&input[..]]);
        assert_agreement(Limits::default(), pieces(&input, &cuts));
        assert_agreement(Limits::default(), input.chunks(1));
    }

    #[test]
    fn what_the_limits_refuse_is_refused(
        frames in streams(),
        cuts in cuts(),
        (depth, elements, bulk_len, line_len) in (0..6usize, 0..6usize, 0..200usize, 0..60usize),
        (values, bytes) in (1..60usize, 64..800usize),
    ) {
        let input = wire(&frames);
        let within_each = Limits::default()
            .with_depth(depth)
            .with_elements(elements)
            .with_bulk_len(bulk_len)
            .with_line_len(line_len);
        for limits in [within_each, Limits::default().with_values(values).with_bytes(bytes)] {
            assert_agreement(limits, [&input[..]]);
            assert_agreement(limits, pieces(&input, &cuts));
            assert_agreement(limits, input.chunks(1));
        }
    }

    #[test]
    fn damage_is_found_at_the_same_byte(frames in streams(), damages in damages(), cuts in cuts()) {
        let input = damaged(wire(&frames), &damages);
        for limits in [Limits::default(), small()] {
            assert_agreement(limits, [&input[..]]);
            assert_agreement(limits, pieces(&input, &cuts));
            assert_agreement(limits, input.chunks(1));
        }
    }

    #[test]
    fn any_bytes_have_the_outcome_of_the_decoder(
        input in prop_oneof![almost_resp(), proptest::collection::vec(any::<u8>(), 0..60)],
        cuts in cuts(),
    ) {
        for limits in [Limits::default(), small()] {
            assert_agreement(limits, [&input[..]]);
            assert_agreement(limits, pieces(&input, &cuts));
            assert_agreement(limits, input.chunks(1));
        }
    }

    /// A lane may want the bytes of one reply and the values of the next.
    #[test]
    fn a_framer_and_a_decoder_take_turns(
        frames in streams(),
        turns in proptest::collection::vec(any::<bool>(), 6),
        cuts in cuts(),
    ) {
        let input = wire(&frames);
        let (mut decoder, mut framer, mut read) = (Decoder::default(), Framer::default(), BytesMut::new());
        let mut taken = Vec::new();
        for piece in pieces(&input, &cuts) {
            read.extend_from_slice(piece);
            while !read.is_empty() || taken.len() < frames.len() {
                let next = match turns[taken.len()] {
                    true => decoder.decode(&mut read).unwrap(),
                    false => framer.frame(&mut read).unwrap().map(|raw| raw.decode(Limits::default()).unwrap()),
                };
                let Some(frame) = next else { break };
                taken.push(frame);
            }
        }
        prop_assert_eq!(taken, frames.into_iter().map(|(frame, _)| frame).collect::<Vec<_>>());
    }
}

/// The next frame, which is there as a whole.
#[track_caller]
fn take(framer: &mut Framer, read: &mut BytesMut) -> RawFrame {
    framer.frame(read).expect("valid RESP").expect("a whole frame")
}

fn raw(bytes: &[u8]) -> RawFrame {
    let mut read = BytesMut::from(bytes);
    let frame = take(&mut Framer::default(), &mut read);
    assert!(read.is_empty(), "one frame");
    frame
}

#[test]
fn an_error_is_seen_through_attributes() {
    let rows: [(&str, Option<&str>); 14] = [
        ("-ERR no\r\n", Some("ERR no")),
        ("!8\r\nERR a\r\nb\r\n", Some("ERR a\r\nb")),
        ("-\r\n", Some("")),
        ("|0\r\n-ERR no\r\n", Some("ERR no")),
        ("|1\r\n+ttl\r\n:3\r\n!2\r\nno\r\n", Some("no")),
        ("|1\r\n+a\r\n*2\r\n|1\r\n+b\r\n+c\r\n:1\r\n%?\r\n.\r\n|0\r\n-ERR no\r\n", Some("ERR no")),
        ("|1\r\n-ERR key\r\n-ERR value\r\n+OK\r\n", None),
        ("|1\r\n$?\r\n;1\r\n-\r\n;0\r\n$?\r\n;0\r\n$3\r\n-no\r\n", None),
        ("*1\r\n-ERR in EXEC\r\n", None),
        ("*1\r\n|0\r\n-ERR in EXEC\r\n", None),
        (">2\r\n+message\r\n-ERR no\r\n", None),
        ("+-ERR no\r\n", None),
        ("$-1\r\n", None),
        ("(-1\r\n", None),
    ];
    for (bytes, expected) in rows {
        let raw = raw(bytes.as_bytes());
        let error = raw.error();
        assert_eq!(error.as_ref().map(|error| error.message()), expected, "{bytes:?}");
        assert_eq!(
            (raw.is_error(), raw.is_push()),
            (expected.is_some(), bytes.starts_with('>')),
            "{bytes:?}"
        );
        assert_eq!(raw.into_bytes(), bytes);
    }
}

#[test]
fn small_frames_share_the_read_buffer_and_values_are_slices_of_them() {
    let mut read = BytesMut::from("$3\r\none\r\n*2\r\n$3\r\ntwo\r\n!5\r\nthree\r\n=8\r\ntxt:four\r\n");
    let memory = read.as_ptr_range();
    let mut framer = Framer::default();
    for _ in 0..3 {
        let raw = take(&mut framer, &mut read);
        assert!(memory.contains(&raw.as_bytes().as_ptr()), "{raw:?} was copied");
        let Frame::Reply(reply) = raw.decode(Limits::default()).unwrap() else { panic!("a reply") };
        let values = reply.as_array().unwrap_or(std::slice::from_ref(&reply));
        for value in values {
            let bytes = value.as_error().map_or_else(|| value.as_bytes(), |error| Some(error.as_bytes()));
            assert!(memory.contains(&bytes.unwrap().as_ptr()), "{value:?} was copied");
        }
    }
}

#[test]
fn constant_frames_do_not_hold_the_read_buffer() {
    for bytes in ["+OK\r\n", "$-1\r\n", "_\r\n"] {
        let mut read = BytesMut::from(bytes);
        let memory = read.as_ptr_range();
        let raw = take(&mut Framer::default(), &mut read);
        assert!(!memory.contains(&raw.as_bytes().as_ptr()), "{bytes:?}");
        assert_eq!((raw.as_bytes(), read.is_empty()), (bytes.as_bytes(), true));
    }
}

#[test]
fn debug_shows_no_payload() {
    let secret = raw(b"*2\r\n$4\r\nauth\r\n$6\r\nsecret\r\n");
    assert_eq!(format!("{secret:?}"), "RawFrame { kind: '*', len: 26 }");
    let mut framer = Framer::default();
    assert_eq!(framer.frame(&mut BytesMut::from("*2\r\n$6\r\nsecret\r\n+hid")), Ok(None));
    let shown = format!("{framer:?}");
    assert!(!shown.contains("secret") && !shown.contains("hid"), "{shown}");
}

#[test]
fn a_frame_decodes_within_the_limits_asked_for() {
    let raw = raw(b"*2\r\n:1\r\n$5\r\nhello\r\n");
    let expected = Frame::Reply(Reply::Array(vec![Reply::Integer(1), Reply::Bulk("hello".into())]));
    assert_eq!(raw.decode(Limits::default()), Ok(expected));
    let refused = raw.decode(Limits::default().with_values(1)).map_err(|failure| (failure.at, failure.kind));
    assert_eq!(refused, Err((4, Kind::TooManyValues { limit: 1 })));
    assert_eq!((Bytes::from(raw.clone()), raw.as_ref()), (raw.clone().into_bytes(), raw.as_bytes()));
}

/// The bytes of each kind of frame that is as long as this, given one by one.
#[test]
fn one_byte_at_a_time_costs_no_more() {
    const LEN: usize = 1 << 20;
    let text = "x".repeat(LEN);
    let rows = [
        format!("+{text}\r\n"),
        format!("-{text}\r\n"),
        format!("({}\r\n", "7".repeat(LEN)),
        format!("${LEN}\r\n{text}\r\n"),
        format!("*{}\r\n{}", LEN / 4, ":1\r\n".repeat(LEN / 4)),
        format!("%?\r\n{}.\r\n", "+a\r\n-b\r\n".repeat(LEN / 8)),
        format!("$?\r\n{};0\r\n", ";1\r\nx\r\n".repeat(LEN / 7)),
        format!("*1\r\n|{}\r\n{}_\r\n", LEN / 8, "#t\r\n,1\r\n".repeat(LEN / 8)),
    ];
    for row in rows {
        let (mut framer, mut read) = (Framer::default(), BytesMut::new());
        let (last, before) = row.as_bytes().split_last().unwrap();
        for byte in before {
            read.extend_from_slice(&[*byte]);
            assert_eq!(framer.frame(&mut read), Ok(None));
        }
        read.extend_from_slice(&[*last]);
        assert_eq!(take(&mut framer, &mut read).as_bytes(), row.as_bytes());
    }
}

#[test]
fn memory_does_not_follow_the_frame() {
    let limits = Limits::default().with_elements(usize::MAX);
    for start in ["*1000000000\r\n", "%1000000000\r\n", "|1000000000\r\n", "*?\r\n", ">1000000000\r\n+a\r\n"]
    {
        let levels = if start.starts_with('>') { 1 } else { Limits::MAX_DEPTH };
        let streamed = "$?\r\n;1\r\nx\r\n;0\r\n$3\r\nabc\r\n:1\r\n|0\r\n+a\r\n".repeat(1000);
        let mut read =
            BytesMut::from(format!("{}{}", start.repeat(levels), "_\r\n".repeat(100_000)).as_str());
        if levels == 1 {
            read.extend_from_slice(streamed.as_bytes());
        }
        let mut framer = Framer::new(limits);
        let used = allocation_counter::measure(|| assert_eq!(framer.frame(&mut read), Ok(None)));
        assert!(used.bytes_max <= 64 << 10, "{start:?}: {} bytes", used.bytes_max);
    }
}

#[test]
fn a_frequent_frame_allocates_nothing() {
    let mut read = BytesMut::from(
        "+first\r\n+OK\r\n+other\r\n-ERR no\r\n:12\r\n$-1\r\n$5\r\nhello\r\n".repeat(3).as_str(),
    );
    let mut framer = Framer::default();
    // From the first cut on, the read buffer is shared.
    assert_eq!(take(&mut framer, &mut read).as_bytes(), b"+first\r\n");
    let used = allocation_counter::measure(|| while let Ok(Some(_)) = framer.frame(&mut read) {});
    assert_eq!((used.count_total, read.is_empty()), (0, true));
}

#[test]
fn a_buffer_that_shrank_is_no_reason_to_panic() {
    for bytes in ["*2\r\n:1\r\n", "*2\r\n$5\r\nhel", "*2\r\n+abc"] {
        for left in 0..bytes.len() {
            let (mut framer, mut read) = (Framer::default(), BytesMut::from(bytes));
            assert_eq!(framer.frame(&mut read), Ok(None));
            read.truncate(left);
            assert_eq!(framer.frame(&mut read), Ok(None), "{bytes:?} cut to {left}");
            assert!(framer.wanted(&read) > 0);
        }
    }
}
