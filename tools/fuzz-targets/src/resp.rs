//! The target `resp`: the decoder, and what callers make of its frames.

use std::collections::BTreeMap;

use bytes::BytesMut;
use truename::{Error, FromReply};
use truename_resp::{DecodeError, Decoder, Frame, Limits, Reply};

use crate::harmless::assert_harmless;
use crate::pieces::pieces;
use crate::random::Random;

/// Memory for each byte that arrived. The smallest value takes three bytes and up to [`Limits::BYTES_PER_VALUE`], an
/// aggregate that is still open twice that, and each level makes room for its share of what has arrived.
const MEMORY_PER_BYTE: u64 = 256;
/// Memory that a decoder may take for nothing.
const MEMORY_AT_ONCE: u64 = 4096;

/// Frames, and the error that ended the stream.
type Outcome = (Vec<Frame>, Option<DecodeError>);

/// Checks a stream of RESP.
///
/// # Panics
/// If it shows a fault.
pub fn resp(input: &[u8]) {
    for limits in [Limits::default(), strict()] {
        let whole = decode(limits, [input]);
        let cut = pieces(input, &mut Random::of(input));
        assert_same(&decode(limits, cut), &whole, "random pieces");
        assert_same(&decode(limits, input.chunks(1)), &whole, "single bytes");
        if let Some(error) = whole.1 {
            assert!(error.at <= input.len() as u64, "{error} lies beyond the {} bytes", input.len());
            assert_harmless(error);
        }
        whole.0.iter().for_each(convert_frame);
    }
    assert_memory_follows(input);
}

/// Limits that even a short input meets.
pub(crate) fn strict() -> Limits {
    let limits = Limits::default().with_depth(3).with_elements(8).with_bulk_len(48).with_line_len(40);
    limits.with_values(40).with_bytes(400)
}

/// Decodes pieces as they would be read from a socket, asking for frames after each.
fn decode<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let (mut read, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        read.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut read) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut read), Err(error), "an error is final");
                    assert_eq!((decoder.wanted(&read), decoder.is_idle()), (0, false));
                    return (frames, Some(error));
                }
            }
        }
        assert!(decoder.wanted(&read) > 0, "a decoder that waits for nothing waits for ever");
        assert!(!decoder.is_inside_reply(&read) || !decoder.is_idle() || !read.is_empty());
    }
    (frames, None)
}

/// Compares as text where values differ, because a `nan` is not equal to itself.
fn assert_same(one: &Outcome, other: &Outcome, how: &str) {
    if one != other {
        assert_eq!(format!("{one:?}"), format!("{other:?}"), "{how} decode to something different");
    }
}

fn assert_memory_follows(input: &[u8]) {
    let mut decoder = Decoder::new(Limits::default());
    let mut read = BytesMut::from(input);
    let used = allocation_counter::measure(|| while let Ok(Some(_)) = decoder.decode(&mut read) {});
    let allowed = MEMORY_AT_ONCE + MEMORY_PER_BYTE * input.len() as u64;
    assert!(used.bytes_max <= allowed, "{} bytes of memory for {} that arrived", used.bytes_max, input.len());
}

fn convert_frame(frame: &Frame) {
    match frame {
        Frame::Reply(reply) => convert(reply),
        Frame::Push(push) => push.items.iter().for_each(convert),
    }
}

/// Reads a reply as the types that callers ask for. Each may refuse it; what it says then is shown to people.
fn convert(reply: &Reply) {
    let refused = [
        String::from_reply(reply.clone()).err(),
        i64::from_reply(reply.clone()).err(),
        u16::from_reply(reply.clone()).err(),
        f64::from_reply(reply.clone()).err(),
        Option::<bool>::from_reply(reply.clone()).err(),
        Vec::<Vec<u8>>::from_reply(reply.clone()).err(),
        BTreeMap::<String, Reply>::from_reply(reply.clone()).err(),
        <(String, i64, Reply)>::from_reply(reply.clone()).err(),
    ];
    refused.into_iter().flatten().map(Error::from).for_each(assert_harmless);
    if let Some(error) = reply.as_error() {
        assert_harmless(error);
    }
}
