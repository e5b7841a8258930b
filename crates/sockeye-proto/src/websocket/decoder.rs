//! Bytes in, messages out (RFC 6455 sections 5 and 6.2).
//!
//! Never holds memory between messages, and never answers: a ping is told, not ponged.

use std::mem;
use std::ops::Range;

use super::assembly::Assembly;
use super::deflate::{DeflateAgreement, DeflateContext, Inflater};
use super::error::DecodeError;
use super::header::{Header, HeaderBytes};
use super::limits::Limits;
use super::mask::mask;
use super::message::Message;
use super::opcode::Opcode;
use super::unfinished::{Arriving, PartialFrame, Place, Unfinished};

/// Which side of the connection decodes.
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Takes masked frames only.
    Server,
    /// Takes unmasked frames only.
    Client,
}

/// Turns the bytes of one peer into messages.
///
/// Sixteen bytes while nothing is unfinished, which is nearly always; more stays only where
/// compressed messages refer to earlier ones. The canonical loop is in the
/// [module's documentation](super).
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    deflate: bool,
    /// How much of a compressed message is kept for the next, in bits of the number of bytes.
    context_bits: Option<u8>,
    unfinished: Option<Box<Unfinished>>,
}

impl Decoder {
    /// A decoder for the first bytes after the opening handshake.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self { role, deflate: false, context_bits: None, unfinished: None }
    }

    /// The same, where messages may come compressed. They are taken by
    /// [`decode_with`](Self::decode_with) only.
    #[must_use]
    pub fn with_deflate(role: Role, agreement: &DeflateAgreement) -> Self {
        let context_bits = agreement.received_context_bits(role);
        Self { role, deflate: true, context_bits, unfinished: None }
    }

    /// Whether messages may come compressed.
    #[must_use]
    pub const fn inflates(&self) -> bool {
        self.deflate
    }

    /// Consumes the front of `input` up to the end of the next message, and unmasks it in place.
    /// Returns how many bytes it used, and the message.
    ///
    /// Without a message all of `input` is used. A message that lies in `input` whole is borrowed
    /// from there; others are assembled in the decoder, and their memory is given back by the next
    /// call, also when that has no input. Time is linear in the bytes however they are cut.
    ///
    /// # Errors
    ///
    /// The peer's offence. The decoder is then of no more use: its state is unspecified.
    pub fn decode<'a>(
        &'a mut self,
        input: &'a mut [u8],
        limits: &Limits,
    ) -> Result<(usize, Option<Message<'a>>), DecodeError> {
        if let Some((opcode, range)) = self.whole_message(input, limits)? {
            let used = range.end;
            let payload = input.get(range).unwrap_or_default();
            return Ok((used, Some(Message::read(opcode, payload)?)));
        }
        let (start, used, place) = self.advance(input, limits)?;
        let Some(place) = place else { return Ok((used, None)) };
        let rest = input.get(start..).unwrap_or_default();
        Ok((used, Some(self.message(place, rest)?)))
    }

    /// The same where messages may come compressed. One that did is borrowed from `inflater`.
    ///
    /// [`Limits::max_message_bytes`] holds before and after inflating.
    ///
    /// # Errors
    ///
    /// The peer's offence. The decoder is then of no more use: its state is unspecified.
    pub fn decode_with<'a>(
        &'a mut self,
        input: &'a mut [u8],
        limits: &Limits,
        inflater: &'a mut Inflater,
    ) -> Result<(usize, Option<Message<'a>>), DecodeError> {
        let (start, used, place) = self.advance(input, limits)?;
        let Some(place) = place else { return Ok((used, None)) };
        let rest = input.get(start..).unwrap_or_default();
        let message = match place {
            Place::CompressedInput(opcode, range) => {
                let payload = rest.get(range).unwrap_or_default();
                let context = self.context();
                Message::read(opcode, inflater.inflate(payload, limits.max_message_bytes, context)?)
            }
            Place::Message(opcode) if self.pending().is_some_and(Assembly::is_compressed) => {
                self.assembled(opcode, limits, inflater)
            }
            place => self.message(place, rest),
        };
        Ok((used, Some(message?)))
    }

    /// Memory held for what is unfinished, in bytes: 0 between messages, unless compressed ones
    /// refer to earlier ones.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.unfinished
            .as_ref()
            .map_or(0, |unfinished| size_of::<Unfinished>() + unfinished.heap_bytes())
    }

    /// The short way, which nearly all messages go: nothing is unfinished, and `input` begins with a
    /// message of one frame that is not compressed. Unmasks it. `None`: it has to go the long way.
    #[inline]
    fn whole_message(
        &self,
        input: &mut [u8],
        limits: &Limits,
    ) -> Result<Option<(Opcode, Range<usize>)>, DecodeError> {
        if self.unfinished.is_some() {
            return Ok(None);
        }
        let Some((header, start)) = Header::read(input, self.role, self.deflate)? else {
            return Ok(None);
        };
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let range = start..start.saturating_add(length);
        let Some(payload) = input.get_mut(range.clone()) else { return Ok(None) };
        if !header.is_message() || header.compressed {
            return Ok(None);
        }
        check_order(&header, None, limits)?;
        if let Some(key) = header.key {
            mask(payload, key, 0);
        }
        Ok(Some((header.opcode, range)))
    }

    /// Steps to the end of the next message. Returns where in `input` the last step began, how many
    /// bytes were used, and where the message lies: in the input of the last step, perhaps.
    fn advance(
        &mut self,
        input: &mut [u8],
        limits: &Limits,
    ) -> Result<(usize, usize, Option<Place>), DecodeError> {
        self.release();
        let mut at = 0;
        while let Some(rest @ [_, ..]) = input.get_mut(at..) {
            let (used, place) = self.step(rest, limits)?;
            if place.is_some() {
                return Ok((at, at + used, place));
            }
            at += used;
        }
        Ok((at, at, None))
    }

    /// Gives back the message that the last call handed out.
    fn release(&mut self) {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.release();
            if unfinished.is_nothing() {
                self.unfinished = None;
            }
        }
    }

    /// Consumes at most one frame, or all of `input`.
    fn step(
        &mut self,
        input: &mut [u8],
        limits: &Limits,
    ) -> Result<(usize, Option<Place>), DecodeError> {
        let Some((mut frame, header_bytes)) = self.next_frame(input, limits)? else {
            return Ok((input.len(), None));
        };
        let rest = input.get_mut(header_bytes..).unwrap_or_default();
        let here = usize::try_from(frame.missing()).map_or(rest.len(), |all| all.min(rest.len()));
        let payload = rest.get_mut(..here).unwrap_or_default();
        if let Some(key) = frame.header.key {
            mask(payload, key, (frame.arrived % 4) as usize);
        }
        let used = header_bytes + here;
        if frame.is_whole_message(payload) {
            let (opcode, range) = (frame.header.opcode, header_bytes..used);
            let place = if frame.header.compressed {
                Place::CompressedInput(opcode, range)
            } else {
                Place::Input(opcode, range)
            };
            return Ok((used, Some(place)));
        }
        frame.arrived += payload.len() as u64;
        Ok((used, self.unfinished.get_or_insert_default().take(frame, payload)?))
    }

    /// The frame that the front of `input` belongs to, and how many bytes of `input` are header.
    /// `None`: all of `input` is an incomplete header, and kept.
    fn next_frame(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Option<(PartialFrame, usize)>, DecodeError> {
        let mut kept = match self.unfinished.as_mut().map(|it| mem::take(&mut it.arriving)) {
            Some(Arriving::Payload(frame)) => return Ok(Some((frame, 0))),
            Some(Arriving::Header(bytes)) => bytes,
            Some(Arriving::Nothing) | None => HeaderBytes::default(),
        };
        let already = kept.len();
        let read = if already == 0 {
            Header::read(input, self.role, self.deflate)?
        } else {
            kept.append(input);
            Header::read(kept.as_slice(), self.role, self.deflate)?
        };
        let Some((header, header_bytes)) = read else {
            if already == 0 {
                kept.append(input);
            }
            self.unfinished.get_or_insert_default().arriving = Arriving::Header(kept);
            return Ok(None);
        };
        check_order(&header, self.pending(), limits)?;
        Ok(Some((PartialFrame { header, arrived: 0 }, header_bytes.saturating_sub(already))))
    }

    /// The fragmented message in the middle of which the peer is.
    fn pending(&self) -> Option<&Assembly> {
        self.unfinished.as_ref()?.message.as_ref()
    }

    /// What compressed messages refer to, if they may refer to others.
    fn context(&mut self) -> Option<&mut DeflateContext> {
        let bits = self.context_bits?;
        let unfinished = self.unfinished.get_or_insert_default();
        Some(unfinished.context.get_or_insert_with(|| DeflateContext::receiving(bits)))
    }

    /// Inflates a message that was assembled.
    fn assembled<'a>(
        &mut self,
        opcode: Opcode,
        limits: &Limits,
        inflater: &'a mut Inflater,
    ) -> Result<Message<'a>, DecodeError> {
        // Its memory is given back now instead of by the next call.
        let assembly = self.unfinished.as_mut().and_then(|it| it.message.take());
        let payload = assembly.as_ref().map_or(&[][..], Assembly::bytes);
        let context = self.context();
        Message::read(opcode, inflater.inflate(payload, limits.max_message_bytes, context)?)
    }

    /// The message at `place`, which is not compressed; `input` is what the last step was given.
    fn message<'a>(&'a self, place: Place, input: &'a [u8]) -> Result<Message<'a>, DecodeError> {
        let unfinished = self.unfinished.as_deref();
        let (opcode, payload) = match place {
            Place::Input(opcode, range) => (opcode, input.get(range)),
            Place::CompressedInput(..) => return Err(DecodeError::ReservedBits),
            Place::Message(opcode) => match self.pending() {
                Some(message) if message.is_compressed() => return Err(DecodeError::ReservedBits),
                message => (opcode, message.map(Assembly::bytes)),
            },
            Place::Control(opcode) => (opcode, unfinished.map(|it| it.control.as_slice())),
        };
        Message::read(opcode, payload.unwrap_or_default())
    }
}

/// Checks a data frame against what came before it, and against the limits, before any of its
/// payload is kept (RFC 6455 section 5.4).
#[inline]
fn check_order(
    header: &Header,
    pending: Option<&Assembly>,
    limits: &Limits,
) -> Result<(), DecodeError> {
    match (header.opcode, pending) {
        (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(()),
        (Opcode::Continuation, None) => return Err(DecodeError::UnexpectedContinuation),
        (Opcode::Text | Opcode::Binary, Some(_)) => return Err(DecodeError::InterruptedMessage),
        (Opcode::Continuation, Some(_)) | (Opcode::Text | Opcode::Binary, None) => {}
    }
    let before = pending.map_or(0, |message| message.bytes().len() as u64);
    let (size, limit) = (before.saturating_add(header.length), limits.max_message_bytes);
    if size > limit as u64 {
        return Err(DecodeError::TooLarge { size, limit });
    }
    let complete = pending.map_or(0, Assembly::fragments);
    if !header.is_message() && complete >= limits.max_fragments {
        return Err(DecodeError::TooManyFragments { limit: limits.max_fragments });
    }
    Ok(())
}
