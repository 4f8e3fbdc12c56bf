//! What a command's arguments are kept in: one by one, or as the encoded command that they came in.

use bytes::BytesMut;
use smallvec::SmallVec;
use truename_resp::encode;

use super::arg::Arg;
use super::encoded::Span;

/// How many arguments a command holds without allocating.
const INLINE_ARGS: usize = 6;
/// How many arguments of an encoded command are noted without allocating.
const INLINE_SPANS: usize = 16;

/// What an argument's length and line ends take.
const HEADER: usize = 8;

/// The arguments of a command, its name first.
#[derive(Clone)]
pub(super) enum Args<'a> {
    Listed(SmallVec<[Arg<'a>; INLINE_ARGS]>),
    /// A whole command in its encoded form, which is sent as it is, and where its arguments are in it.
    Encoded {
        frame: Arg<'a>,
        spans: SmallVec<[Span; INLINE_SPANS]>,
    },
}

impl<'a> Args<'a> {
    #[inline]
    pub(super) fn of(name: Arg<'a>) -> Self {
        let mut args = SmallVec::new();
        args.push(name);
        Self::Listed(args)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Listed(args) => args.len(),
            Self::Encoded { spans, .. } => spans.len(),
        }
    }

    #[inline]
    pub(super) fn at(&self, index: usize) -> Option<&[u8]> {
        match self {
            Self::Listed(args) => args.get(index).map(Arg::as_bytes),
            Self::Encoded { frame, spans } => spans.get(index).map(|span| span.of(frame.as_bytes())),
        }
    }

    /// About how many bytes they are when they are encoded.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Listed(args) => args.iter().map(|arg| arg.as_bytes().len() + HEADER).sum(),
            Self::Encoded { frame, .. } => frame.as_bytes().len(),
        }
    }

    /// Where further arguments are put.
    #[inline]
    pub(super) fn listed(&mut self) -> &mut SmallVec<[Arg<'a>; INLINE_ARGS]> {
        if let Self::Encoded { .. } = self {
            self.unpack();
        }
        match self {
            Self::Listed(args) => args,
            Self::Encoded { .. } => unreachable!("unpacked above"),
        }
    }

    #[cold]
    fn unpack(&mut self) {
        let args = (0..self.len()).filter_map(|index| self.at(index)).map(Arg::copied).collect();
        *self = Self::Listed(args);
    }

    #[inline]
    pub(super) fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Listed(args) => encode::put_command(out, args.iter().map(Arg::as_bytes)),
            Self::Encoded { frame, .. } => out.extend_from_slice(frame.as_bytes()),
        }
    }

    /// The same, which no longer depends on anything that was borrowed.
    pub(super) fn into_owned(self) -> Args<'static> {
        match self {
            Self::Listed(args) => Args::Listed(args.into_iter().map(Arg::into_owned).collect()),
            Self::Encoded { frame, spans } => Args::Encoded { frame: frame.into_owned(), spans },
        }
    }
}
