//! Driving a decoder over input that arrives in pieces.

use bytes::BytesMut;
use truename_resp::{DecodeError, Decoder, Frame, Limits};

/// Everything a decoder makes of a stream: its frames, and the error that ended it.
pub(crate) type Outcome = (Vec<Frame>, Option<DecodeError>);

/// Decodes pieces as they would be read from a socket, asking for frames after each.
pub(crate) fn decode_pieces<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let mut buf = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buf) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// Decodes input that arrives all at once.
pub(crate) fn decode_whole(limits: Limits, input: &[u8]) -> Outcome {
    decode_pieces(limits, [input])
}

/// Decodes input that arrives byte by byte.
pub(crate) fn decode_dribbled(limits: Limits, input: &[u8]) -> Outcome {
    decode_pieces(limits, input.chunks(1))
}
