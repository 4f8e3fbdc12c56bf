//! The target `framer`: the framer next to the decoder.

use bytes::BytesMut;
use truename_resp::{Decoder, Frame, Framer, Limits, RawFrame};

use crate::pieces::pieces;
use crate::random::Random;
use crate::resp::strict;

/// Memory that a framer may take, whatever it reads: a few words for each aggregate that is open.
const MEMORY: u64 = 64 << 10;

/// Checks a stream of RESP.
///
/// # Panics
/// If it shows a fault.
pub fn framer(input: &[u8]) {
    for limits in [Limits::default(), strict()] {
        compare(limits, [input]);
        compare(limits, pieces(input, &mut Random::of(input)));
        compare(limits, input.chunks(1));
    }
    assert_memory_is_bounded(input);
}

/// Gives both the same pieces. Whatever can be seen of them must be the same.
fn compare<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) {
    let (mut decoder, mut framer) = (Decoder::new(limits), Framer::new(limits));
    let (mut consumed, mut kept) = (BytesMut::new(), BytesMut::new());
    for piece in pieces {
        consumed.extend_from_slice(piece);
        kept.extend_from_slice(piece);
        let failed = loop {
            let before = kept.clone();
            match (decoder.decode(&mut consumed), framer.frame(&mut kept)) {
                (Ok(Some(frame)), Ok(Some(raw))) => {
                    assert_eq!(kept, consumed, "another frame ends elsewhere");
                    assert_eq!([raw.as_bytes(), &kept[..]].concat(), before, "bytes are lost");
                    assert_is(&raw, &frame, limits);
                }
                (Ok(None), Ok(None)) => {
                    assert_eq!(kept, before, "part of a frame was taken");
                    break false;
                }
                (Err(decoding), Err(framing)) => {
                    assert_eq!(decoding, framing, "refused for different reasons");
                    assert_eq!(framer.frame(&mut kept), Err(framing), "an error is final");
                    break true;
                }
                (decoded, framed) => panic!("{decoded:?} is decoded and {framed:?} framed"),
            }
        };
        assert_eq!(framer.wanted(&kept), decoder.wanted(&consumed));
        assert_eq!(framer.is_idle(), decoder.is_idle());
        assert_eq!(framer.is_inside_reply(&kept), decoder.is_inside_reply(&consumed));
        if failed {
            return;
        }
    }
}

/// Compares values as text, because a `nan` is not equal to itself.
fn assert_is(raw: &RawFrame, frame: &Frame, limits: Limits) {
    let decoded = raw.decode(limits).unwrap_or_else(|error| panic!("{raw:?} does not decode: {error}"));
    if decoded != *frame {
        assert_eq!(format!("{decoded:?}"), format!("{frame:?}"), "{raw:?} decodes to something different");
    }
    let error = match frame {
        Frame::Reply(reply) => reply.as_error(),
        Frame::Push(_) => None,
    };
    assert_eq!((raw.error().as_ref(), raw.is_error()), (error, error.is_some()), "{raw:?}");
    assert_eq!(raw.is_push(), matches!(frame, Frame::Push(_)), "{raw:?}");
}

fn assert_memory_is_bounded(input: &[u8]) {
    let mut framer = Framer::default();
    let mut read = BytesMut::from(input);
    let used = allocation_counter::measure(|| while let Ok(Some(_)) = framer.frame(&mut read) {});
    assert!(used.bytes_max <= MEMORY, "{} bytes of memory for {} that arrived", used.bytes_max, input.len());
}
