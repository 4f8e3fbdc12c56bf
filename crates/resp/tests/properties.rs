//! What must hold for any stream, however it is cut.

#[path = "support/frames.rs"]
mod frames;
mod support;

use bytes::BytesMut;
use frames::{almost_resp, bytes, frame, pieces, put_frame};
use proptest::prelude::*;
use proptest::sample::Index;
use support::{decode_dribbled, decode_pieces, decode_whole};
use truename_resp::{Frame, Limits, Reply, encode};

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
