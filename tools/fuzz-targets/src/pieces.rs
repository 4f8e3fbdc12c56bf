//! Input as it would be read from a socket: in pieces.

use crate::random::Random;

/// The input cut into pieces of up to 64 bytes.
pub(crate) fn pieces<'a>(input: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let longest = 1 + random.below(64);
    let (mut pieces, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(1 + random.below(longest)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
