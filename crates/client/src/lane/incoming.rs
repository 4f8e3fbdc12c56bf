//! From the bytes that were read to replies and pushes, each in the form that is wanted.
//!
//! One buffer with two readers: the decoder makes values, the framer only looks where a frame ends. Whose turn it is
//! follows from who waits for the next reply.
//!
//! What must stay true: who began a frame ends it, whatever is wanted by then; a reply in another form than the one that is
//! wanted began before anybody waited for it, and belongs to nobody.

use bytes::BytesMut;
use truename_resp::{DecodeError, Decoder, Frame, Framer, Limits, Push, RawFrame};

use super::inbound::Inbound;
use super::pipeline::NextForm;
use super::received::{Form, Received};

/// Why decoding stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    /// No complete frame is left.
    Drained,
    /// This came after the replies so far.
    AtPush(Push),
    /// The form of the next reply depends on who waits for it.
    AtNextForm,
    /// A reply began before anybody waited for one.
    Unsolicited,
}

/// What arrived and was not handed over.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) buffer: Inbound,
    decoder: Decoder,
    framer: Framer,
    limits: Limits,
    /// Who has looked at the frame that has begun, if one has.
    begun_by: Option<Form>,
}

impl Incoming {
    /// Goes on where a handshake stopped.
    pub(super) fn new(mut decoder: Decoder, bytes: BytesMut, limits: Limits) -> Self {
        decoder.set_limits(limits);
        let has_begun = !decoder.is_idle() || !bytes.is_empty();
        Self {
            buffer: Inbound::new(bytes),
            decoder,
            framer: Framer::new(limits),
            limits,
            begun_by: has_begun.then_some(Form::Decoded),
        }
    }

    /// Makes room for the next read.
    #[inline]
    pub(super) fn make_room(&mut self) {
        let Self { buffer, decoder, framer, begun_by, .. } = self;
        buffer.make_room(|bytes| match begun_by {
            Some(Form::Raw) => framer.wanted(bytes),
            _ => decoder.wanted(bytes),
        });
    }

    /// Whether part of a reply is there, and the rest is not.
    pub(super) fn is_inside_reply(&self) -> bool {
        match self.begun_by {
            Some(Form::Raw) => self.framer.is_inside_reply(&self.buffer.bytes),
            _ => self.decoder.is_inside_reply(&self.buffer.bytes),
        }
    }

    /// Appends the next replies to `into`.
    #[inline]
    pub(super) fn decode(
        &mut self,
        form: NextForm,
        into: &mut Vec<Received>,
    ) -> Result<Stopped, DecodeError> {
        if form != NextForm::All(Form::Decoded) || self.begun_by == Some(Form::Raw) {
            return self.decode_as(form, into);
        }
        self.begun_by = None;
        loop {
            while let Some(reply) = self.decoder.decode_frequent(&mut self.buffer.bytes) {
                into.push(Received::Reply(reply));
                self.buffer.frame_taken();
            }
            match self.decoder.decode(&mut self.buffer.bytes)? {
                Some(Frame::Reply(reply)) => {
                    into.push(Received::Reply(reply));
                    self.buffer.frame_taken();
                }
                Some(Frame::Push(push)) => return Ok(Stopped::AtPush(push)),
                None => return Ok(self.drained(Form::Decoded)),
            }
        }
    }

    /// The reader that found no complete frame goes on with what is there of it.
    #[inline]
    fn drained(&mut self, reader: Form) -> Stopped {
        let has_begun = !self.buffer.bytes.is_empty() || reader == Form::Decoded && !self.decoder.is_idle();
        self.begun_by = has_begun.then_some(reader);
        Stopped::Drained
    }

    #[inline(never)]
    fn decode_as(&mut self, form: NextForm, into: &mut Vec<Received>) -> Result<Stopped, DecodeError> {
        let (NextForm::All(wanted) | NextForm::One(wanted)) = form;
        loop {
            let reader = self.begun_by.take().unwrap_or(wanted);
            let frame = match reader {
                Form::Raw => self.framer.frame(&mut self.buffer.bytes)?.map(Taken::Raw),
                Form::Decoded => self.decoder.decode(&mut self.buffer.bytes)?.map(Taken::Decoded),
            };
            let received = match frame {
                None => return Ok(self.drained(reader)),
                Some(Taken::Decoded(Frame::Push(push))) => return Ok(Stopped::AtPush(push)),
                Some(Taken::Raw(frame)) if frame.is_push() => match frame.decode(self.limits)? {
                    Frame::Push(push) => return Ok(Stopped::AtPush(push)),
                    Frame::Reply(_) => return Ok(Stopped::Unsolicited),
                },
                Some(Taken::Decoded(Frame::Reply(reply))) if wanted == Form::Decoded => {
                    Received::Reply(reply)
                }
                Some(Taken::Raw(frame)) if wanted == Form::Raw => Received::Raw(frame),
                Some(_) => return Ok(Stopped::Unsolicited),
            };
            into.push(received);
            self.buffer.frame_taken();
            if let NextForm::One(_) = form {
                return Ok(Stopped::AtNextForm);
            }
        }
    }
}

/// A whole frame, by whom it was taken.
enum Taken {
    Decoded(Frame),
    Raw(RawFrame),
}
