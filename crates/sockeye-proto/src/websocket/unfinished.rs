//! What a decoder keeps while something is incomplete. Never exists between messages, but where
//! compressed ones refer to earlier ones.

use std::ops::Range;

use super::assembly::{Assembly, append};
use super::deflate::DeflateContext;
use super::error::DecodeError;
use super::header::{Header, HeaderBytes};
use super::opcode::Opcode;

/// The state of a decoder in the middle of a frame, of a fragmented message, or until the message
/// that it handed out is done with.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    pub(super) arriving: Arriving,
    /// The data message that is fragmented, or whose only frame is incomplete.
    pub(super) message: Option<Assembly>,
    /// Payload of an incomplete control frame, which may come within a fragmented message.
    pub(super) control: Vec<u8>,
    /// What the next compressed message may refer to. It stays.
    pub(super) context: Option<DeflateContext>,
    handed_out: Option<HandedOut>,
}

/// How far the current frame is.
#[derive(Debug, Default)]
pub(super) enum Arriving {
    /// The next byte begins a frame.
    #[default]
    Nothing,
    /// The header is incomplete.
    Header(HeaderBytes),
    /// The payload is incomplete.
    Payload(PartialFrame),
}

/// A frame whose header is known.
#[derive(Debug)]
pub(super) struct PartialFrame {
    pub(super) header: Header,
    /// Payload bytes that have arrived.
    pub(super) arrived: u64,
}

impl PartialFrame {
    /// Payload bytes that have not arrived.
    pub(super) fn missing(&self) -> u64 {
        self.header.length.saturating_sub(self.arrived)
    }

    /// Whether `payload`, the next of this frame, is a message that needs no assembling.
    pub(super) fn is_whole_message(&self, payload: &[u8]) -> bool {
        let is_whole_frame = self.arrived == 0 && self.header.length == payload.len() as u64;
        is_whole_frame && self.header.is_message()
    }
}

/// Where the payload of a complete message lies.
#[derive(Debug)]
pub(super) enum Place {
    /// In this range of the input.
    Input(Opcode, Range<usize>),
    /// There too, compressed.
    CompressedInput(Opcode, Range<usize>),
    /// In [`Unfinished::message`].
    Message(Opcode),
    /// In [`Unfinished::control`].
    Control(Opcode),
}

/// What the caller may still be looking at, until the next call.
#[derive(Debug)]
enum HandedOut {
    Message,
    Control,
}

impl Unfinished {
    /// Takes the next unmasked bytes of `frame`, which already counts them as arrived.
    pub(super) fn take(
        &mut self,
        frame: PartialFrame,
        payload: &[u8],
    ) -> Result<Option<Place>, DecodeError> {
        let is_control = frame.header.opcode.is_control();
        if is_control {
            append(&mut self.control, payload, Some(frame.missing()));
        } else if frame.missing() == 0 || !payload.is_empty() {
            self.take_data(&frame, payload)?;
        }
        if frame.missing() > 0 {
            self.arriving = Arriving::Payload(frame);
            return Ok(None);
        }
        if is_control {
            self.handed_out = Some(HandedOut::Control);
            return Ok(Some(Place::Control(frame.header.opcode)));
        }
        Ok(self.end_fragment(frame.header.finished))
    }

    /// Gives back the memory of what was handed out.
    pub(super) fn release(&mut self) {
        match self.handed_out.take() {
            Some(HandedOut::Message) => self.message = None,
            Some(HandedOut::Control) => self.control = Vec::new(),
            None => {}
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self.arriving, Arriving::Nothing)
            && self.message.is_none()
            && self.control.is_empty()
            && self.context.is_none()
    }

    /// Memory behind this value, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        self.message.as_ref().map_or(0, Assembly::capacity)
            + self.control.capacity()
            + self.context.as_ref().map_or(0, DeflateContext::heap_bytes)
    }

    fn take_data(&mut self, frame: &PartialFrame, payload: &[u8]) -> Result<(), DecodeError> {
        let is_text = frame.header.opcode == Opcode::Text;
        let compressed = frame.header.compressed;
        let message = self.message.get_or_insert_with(|| Assembly::new(is_text, compressed));
        // More fragments may follow one that is not the last: what they bring is not announced.
        message.take(payload, frame.header.finished.then(|| frame.missing()))
    }

    fn end_fragment(&mut self, finished: bool) -> Option<Place> {
        let message = self.message.as_mut()?;
        message.end_fragment();
        if !finished {
            return None;
        }
        self.handed_out = Some(HandedOut::Message);
        Some(Place::Message(if message.is_text() { Opcode::Text } else { Opcode::Binary }))
    }
}
