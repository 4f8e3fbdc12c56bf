//! What a command's arguments are kept in: one by one, or as the encoded command that they came in.

use bytes::BytesMut;
use smallvec::SmallVec;
use truename_resp::encode;

use super::arg::Arg;
use super::encoded::{MalformedCommand, Span, spans};

/// How many arguments a command holds without allocating.
const INLINE_ARGS: usize = 6;
/// How many arguments of an encoded command are noted without allocating.
const INLINE_SPANS: usize = 16;

/// What an argument's length and line ends take.
const HEADER: usize = 8;

/// The arguments of a command, its name first.
///
/// One of the two is empty. A command that is built argument by argument is moved at each step, so what belongs to an
/// encoded one is elsewhere.
#[derive(Clone)]
pub(super) struct Args<'a> {
    listed: SmallVec<[Arg<'a>; INLINE_ARGS]>,
    encoded: Option<Box<Encoded<'a>>>,
}

/// A whole command in its encoded form, which is sent as it is, and where its arguments are in it.
#[derive(Clone)]
struct Encoded<'a> {
    frame: Arg<'a>,
    spans: SmallVec<[Span; INLINE_SPANS]>,
}

impl<'a> Args<'a> {
    #[inline(always)]
    pub(super) fn of(name: Arg<'a>) -> Self {
        let mut listed = SmallVec::new();
        listed.push(name);
        Self { listed, encoded: None }
    }

    /// Finds the arguments of an encoded command.
    pub(super) fn encoded(frame: Arg<'a>) -> Result<Self, MalformedCommand> {
        let spans = spans(frame.as_bytes())?;
        Ok(Self { listed: SmallVec::new(), encoded: Some(Box::new(Encoded { frame, spans })) })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match &self.encoded {
            None => self.listed.len(),
            Some(encoded) => encoded.spans.len(),
        }
    }

    #[inline(always)]
    pub(super) fn at(&self, index: usize) -> Option<&[u8]> {
        match self.listed.get(index) {
            Some(arg) => Some(arg.as_bytes()),
            None => self.encoded.as_ref()?.at(index),
        }
    }

    /// About how many bytes they are when they are encoded.
    pub(super) fn size(&self) -> usize {
        match &self.encoded {
            None => self.listed.iter().map(|arg| arg.as_bytes().len() + HEADER).sum(),
            Some(encoded) => encoded.frame.as_bytes().len(),
        }
    }

    /// Where further arguments are put.
    #[inline(always)]
    pub(super) fn listed(&mut self) -> &mut SmallVec<[Arg<'a>; INLINE_ARGS]> {
        if self.encoded.is_some() {
            self.unpack();
        }
        &mut self.listed
    }

    #[cold]
    fn unpack(&mut self) {
        if let Some(encoded) = self.encoded.take() {
            let args = (0..encoded.spans.len()).filter_map(|index| encoded.at(index));
            self.listed.extend(args.map(Arg::copied));
        }
    }

    #[inline(always)]
    pub(super) fn encode(&self, out: &mut BytesMut) {
        match &self.encoded {
            None => encode::put_command(out, self.listed.iter().map(Arg::as_bytes)),
            Some(encoded) => out.extend_from_slice(encoded.frame.as_bytes()),
        }
    }

    /// The same, which no longer depends on anything that was borrowed.
    pub(super) fn into_owned(self) -> Args<'static> {
        let owned = |encoded: Box<Encoded<'a>>| {
            Box::new(Encoded { frame: encoded.frame.into_owned(), spans: encoded.spans })
        };
        Args {
            listed: self.listed.into_iter().map(Arg::into_owned).collect(),
            encoded: self.encoded.map(owned),
        }
    }
}

impl Encoded<'_> {
    fn at(&self, index: usize) -> Option<&[u8]> {
        self.spans.get(index).map(|span| span.of(self.frame.as_bytes()))
    }
}
