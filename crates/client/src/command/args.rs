//! What a command's arguments are kept in: one by one, or as the encoded command that they came in.

use bytes::BytesMut;
use smallvec::SmallVec;
use truename_resp::encode;

use super::arg::{Arg, ToArg};
use super::encoded::{MalformedCommand, Span, spans};

/// How many arguments a command holds without allocating.
const INLINE_ARGS: usize = 6;
/// How many arguments of an encoded command are noted without allocating.
const INLINE_SPANS: usize = 16;

/// What an argument's length and line ends take.
const HEADER: usize = 8;

/// The arguments of a command, its name first.
///
/// A command that is built argument by argument is moved at each step, so what belongs to an encoded one is elsewhere.
#[derive(Clone)]
pub(super) enum Args<'a> {
    Listed(Listed<'a>),
    Encoded(Box<Encoded<'a>>),
}

/// Arguments that were given one by one.
pub(super) type Listed<'a> = SmallVec<[Arg<'a>; INLINE_ARGS]>;

/// A whole command in its encoded form, which is sent as it is, and where its arguments are in it.
#[derive(Clone)]
pub(super) struct Encoded<'a> {
    frame: Arg<'a>,
    spans: SmallVec<[Span; INLINE_SPANS]>,
}

impl<'a> Args<'a> {
    #[inline(always)]
    pub(super) fn of(name: Arg<'a>) -> Self {
        let mut listed = SmallVec::new();
        listed.push(name);
        Self::Listed(listed)
    }

    /// Finds the arguments of an encoded command.
    pub(super) fn encoded(frame: Arg<'a>) -> Result<Self, MalformedCommand> {
        let spans = spans(frame.as_bytes())?;
        Ok(Self::Encoded(Box::new(Encoded { frame, spans })))
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Listed(listed) => listed.len(),
            Self::Encoded(encoded) => encoded.spans.len(),
        }
    }

    #[inline(always)]
    pub(super) fn at(&self, index: usize) -> Option<&[u8]> {
        match self {
            Self::Listed(listed) => listed.get(index).map(Arg::as_bytes),
            Self::Encoded(encoded) => encoded.at(index),
        }
    }

    /// About how many bytes they are when they are encoded.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Listed(listed) => listed.iter().map(|arg| arg.as_bytes().len() + HEADER).sum(),
            Self::Encoded(encoded) => encoded.frame.as_bytes().len(),
        }
    }

    /// With further arguments, which `add` appends.
    #[inline(always)]
    pub(super) fn with(self, add: impl FnOnce(&mut Listed<'a>)) -> Self {
        let mut listed = match self {
            Self::Listed(listed) => listed,
            Self::Encoded(encoded) => encoded.unpacked(),
        };
        add(&mut listed);
        Self::Listed(listed)
    }

    #[inline(always)]
    pub(super) fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Listed(listed) => encode::put_command(out, listed.iter().map(Arg::as_bytes)),
            Self::Encoded(encoded) => out.extend_from_slice(encoded.frame.as_bytes()),
        }
    }

    /// The same, borrowed from these.
    pub(super) fn borrowed(&self) -> Args<'_> {
        match self {
            Self::Listed(listed) => Args::Listed(listed.iter().map(|arg| arg.as_bytes().to_arg()).collect()),
            Self::Encoded(encoded) => {
                let frame = encoded.frame.as_bytes().to_arg();
                Args::Encoded(Box::new(Encoded { frame, spans: encoded.spans.clone() }))
            }
        }
    }

    /// The same, which no longer depends on anything that was borrowed.
    pub(super) fn into_owned(self) -> Args<'static> {
        match self {
            Self::Listed(listed) => Args::Listed(listed.into_iter().map(Arg::into_owned).collect()),
            Self::Encoded(encoded) => {
                Args::Encoded(Box::new(Encoded { frame: encoded.frame.into_owned(), spans: encoded.spans }))
            }
        }
    }
}

impl<'a> Encoded<'a> {
    #[cold]
    fn unpacked(&self) -> Listed<'a> {
        let args = (0..self.spans.len()).filter_map(|index| self.at(index));
        args.map(Arg::copied).collect()
    }

    fn at(&self, index: usize) -> Option<&[u8]> {
        self.spans.get(index).map(|span| span.of(self.frame.as_bytes()))
    }
}
