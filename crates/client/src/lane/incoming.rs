//! From the bytes that were read to replies and pushes, each in the form that is wanted.
//!
//! One buffer with two readers: the decoder makes values, the framer only looks where a frame ends. Whose turn it is
//! follows from who waits for the next reply; neither begins while the other is inside a frame.

use bytes::BytesMut;
use truename_resp::{DecodeError, Decoder, Frame, Framer, Limits, Push};

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
}

/// What arrived and was not handed over.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) buffer: Inbound,
    decoder: Decoder,
    framer: Framer,
    limits: Limits,
}

impl Incoming {
    /// Goes on where a handshake stopped.
    pub(super) fn new(mut decoder: Decoder, bytes: BytesMut, limits: Limits) -> Self {
        decoder.set_limits(limits);
        Self { buffer: Inbound::new(bytes), decoder, framer: Framer::new(limits), limits }
    }

    /// Makes room for the next read.
    #[inline]
    pub(super) fn make_room(&mut self) {
        let (decoder, framer) = (&self.decoder, &self.framer);
        self.buffer.make_room(|bytes| match framer.is_idle() {
            true => decoder.wanted(bytes),
            false => framer.wanted(bytes),
        });
    }

    /// Appends the next replies to `into`.
    #[inline]
    pub(super) fn decode(
        &mut self,
        form: NextForm,
        into: &mut Vec<Received>,
    ) -> Result<Stopped, DecodeError> {
        if form != NextForm::All(Form::Decoded) {
            return self.decode_as(form, into);
        }
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
                None => return Ok(Stopped::Drained),
            }
        }
    }

    #[inline(never)]
    fn decode_as(&mut self, form: NextForm, into: &mut Vec<Received>) -> Result<Stopped, DecodeError> {
        loop {
            // What the decoder has begun is a push: it came before anybody waited for a frame.
            let is_raw = matches!(form, NextForm::All(Form::Raw) | NextForm::One(Form::Raw));
            let received = if is_raw && self.decoder.is_idle() {
                match self.framer.frame(&mut self.buffer.bytes)? {
                    Some(frame) if frame.is_push() => match frame.decode(self.limits)? {
                        Frame::Push(push) => return Ok(Stopped::AtPush(push)),
                        Frame::Reply(reply) => Received::Reply(reply),
                    },
                    Some(frame) => Received::Raw(frame),
                    None => return Ok(Stopped::Drained),
                }
            } else {
                match self.decoder.decode(&mut self.buffer.bytes)? {
                    Some(Frame::Push(push)) => return Ok(Stopped::AtPush(push)),
                    Some(Frame::Reply(reply)) => Received::Reply(reply),
                    None => return Ok(Stopped::Drained),
                }
            };
            into.push(received);
            self.buffer.frame_taken();
            if let NextForm::One(_) = form {
                return Ok(Stopped::AtNextForm);
            }
        }
    }
}
