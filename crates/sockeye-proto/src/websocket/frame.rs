//! Frames to send (RFC 6455 section 5). Never splits a message into several frames.

use std::fmt;
use std::iter;
use std::sync::Arc;

use super::close::{CloseCode, fitting_reason};
use super::header::{
    COMPRESSED, HeaderBytes, unmasked_frame_bytes, unmasked_header_bytes, write_header_before,
};
use super::mask::mask;
use super::opcode::Opcode;

/// A finished frame of a server: unmasked, unfragmented, and shared by any number of connections.
///
/// Sixteen bytes. A clone counts a reference. Making one takes exactly one allocation. Not for a
/// client, whose frames are masked: see [`encode_masked`].
///
/// The payload of a control frame is cut at 125 bytes (RFC 6455 section 5.5).
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Arc<[u8]>);

impl Frame {
    /// A text frame. Whether `payload` is UTF-8 is the caller's business.
    #[must_use]
    pub fn text(payload: &[u8]) -> Self {
        Self::from_parts(Opcode::Text, &[payload])
    }

    /// A binary frame.
    #[must_use]
    pub fn binary(payload: &[u8]) -> Self {
        Self::from_parts(Opcode::Binary, &[payload])
    }

    /// A ping.
    #[must_use]
    pub fn ping(payload: &[u8]) -> Self {
        Self::from_parts(Opcode::Ping, &[payload])
    }

    /// A pong.
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        Self::from_parts(Opcode::Pong, &[payload])
    }

    /// A close frame. `reason` is cut at 123 bytes between characters, and left out when there is
    /// no code to stand before it (RFC 6455 section 5.5.1).
    #[must_use]
    pub fn close(code: Option<CloseCode>, reason: &str) -> Self {
        match code {
            Some(code) => Self::from_parts(
                Opcode::Close,
                &[&code.get().to_be_bytes(), fitting_reason(reason).as_bytes()],
            ),
            None => Self::from_parts(Opcode::Close, &[]),
        }
    }

    /// A frame whose payload is the concatenation of `parts`.
    #[must_use]
    pub fn from_parts(opcode: Opcode, parts: &[&[u8]]) -> Self {
        let length = opcode.fitting(parts.iter().map(|part| part.len()).sum());
        let header = HeaderBytes::new(opcode, length, None);
        // A slice is filled after it is made because nothing safe gathers parts into an `Arc`
        // faster; the length is known, so this allocates once.
        let mut bytes: Arc<[u8]> = iter::repeat_n(0, header.len() + length).collect();
        if let Some(mut room) = Arc::get_mut(&mut bytes) {
            for part in iter::once(header.as_slice()).chain(parts.iter().copied()) {
                room = fill(room, part);
            }
        }
        Self(bytes)
    }

    /// A frame whose payload is `scratch[body_start..]`, made with a single copy.
    ///
    /// Serialize behind [`HEADROOM`] free bytes: the header is written into them, right before
    /// the payload, and what is in them is lost. With less room before `body_start` the frame is
    /// the same, but costs another pass. With `body_start` behind the end, the payload is empty.
    #[must_use]
    pub fn from_scratch(opcode: Opcode, scratch: &mut [u8], body_start: usize) -> Self {
        let length = opcode.fitting(scratch.len().saturating_sub(body_start));
        match FrameRef::in_place(opcode, false, length, scratch, body_start) {
            Some(frame) => frame.to_frame(),
            None => Self::from_parts(opcode, &[scratch.get(body_start..).unwrap_or_default()]),
        }
    }

    /// A data frame whose payload, `scratch[body_start..]`, is compressed. `None`: there is no room
    /// before it.
    pub(super) fn compressed_from_scratch(
        opcode: Opcode,
        scratch: &mut [u8],
        body_start: usize,
    ) -> Option<Self> {
        let length = scratch.len().saturating_sub(body_start);
        FrameRef::in_place(opcode, true, length, scratch, body_start).map(FrameRef::to_frame)
    }

    /// Appends the same frame to `out` as a client sends it: masked with `key`. See
    /// [`encode_masked`].
    pub fn mask_into(&self, out: &mut Vec<u8>, key: [u8; 4]) {
        let start = out.len();
        encode_masked(out, self.opcode(), self.payload(), key);
        if let Some(first) = out.get_mut(start).filter(|_| self.is_compressed()) {
            *first |= COMPRESSED;
        }
    }

    /// The whole frame as it goes over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The payload: what of it goes over the wire, if it is compressed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        FrameRef::from(self).payload()
    }

    /// What kind of frame it is.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        FrameRef::from(self).opcode()
    }

    /// Whether the payload is compressed: see [`Deflater`](super::Deflater).
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.0.first().is_some_and(|first| first & COMPRESSED != 0)
    }

    /// Length on the wire with its header, in bytes: never less than 2.
    #[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FrameRef::from(self).fmt(f)
    }
}

/// A [`Frame`] that lies in somebody's buffer: what has one receiver need not be shared. By default
/// none, of no bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameRef<'a>(&'a [u8]);

impl<'a> FrameRef<'a> {
    /// A frame whose payload is `scratch[body_start..]`, and which lies in `scratch` with it; see
    /// [`Frame::from_scratch`]. `None`: there is no room for the header before it.
    #[must_use]
    pub fn in_scratch(opcode: Opcode, scratch: &'a mut [u8], body_start: usize) -> Option<Self> {
        let length = opcode.fitting(scratch.len().checked_sub(body_start)?);
        Self::in_place(opcode, false, length, scratch, body_start)
    }

    /// Puts the header into the room right before the payload.
    fn in_place(
        opcode: Opcode,
        compressed: bool,
        length: usize,
        scratch: &'a mut [u8],
        body_start: usize,
    ) -> Option<Self> {
        let room = scratch.get_mut(..body_start)?;
        let start = write_header_before(room, opcode, compressed, length)?;
        scratch.get(start..body_start.saturating_add(length)).map(Self)
    }

    /// The first of finished frames that lie one behind the other, and the others. `None` if there
    /// is none, or not all of it.
    #[must_use]
    pub fn split_first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (frame, rest) = bytes.split_at_checked(unmasked_frame_bytes(bytes)?)?;
        Some((Self(frame), rest))
    }

    /// The same frame, shared.
    #[must_use]
    pub fn to_frame(self) -> Frame {
        Frame(Arc::from(self.0))
    }

    /// The whole frame as it goes over the wire.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The payload: what of it goes over the wire, if it is compressed.
    #[must_use]
    pub fn payload(self) -> &'a [u8] {
        match self.0 {
            [_, second, ..] => self.0.get(unmasked_header_bytes(*second)..).unwrap_or_default(),
            _ => &[],
        }
    }

    /// What kind of frame it is.
    #[must_use]
    pub fn opcode(self) -> Opcode {
        let bits = self.0.first().map_or(0, |first| first & 0x0f);
        Opcode::from_bits(bits).unwrap_or(Opcode::Continuation)
    }
}

impl<'a> From<&'a Frame> for FrameRef<'a> {
    fn from(frame: &'a Frame) -> Self {
        Self(&frame.0)
    }
}

impl fmt::Debug for FrameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("opcode", &self.opcode())
            .field("payload", &format_args!("{}", self.payload().escape_ascii()))
            .finish()
    }
}

/// Appends a finished frame of a client to `out`, masked with `key`.
///
/// The key is to be unpredictable and fresh for each frame (RFC 6455 section 5.3). The payload of
/// a control frame is cut at 125 bytes.
pub fn encode_masked(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    let body_start = append(out, opcode, payload, Some(key));
    mask(out.get_mut(body_start..).unwrap_or_default(), key, 0);
}

/// Appends a finished frame of a server to `out`, for who reads it as a [`FrameRef`] there.
pub(crate) fn append_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    append(out, opcode, payload, None);
}

/// Appends a header, and the payload as it is: where that begins.
fn append(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: Option<[u8; 4]>) -> usize {
    let payload = payload.get(..opcode.fitting(payload.len())).unwrap_or_default();
    let header = HeaderBytes::new(opcode, payload.len(), key);
    out.reserve(header.len() + payload.len());
    out.extend_from_slice(header.as_slice());
    let body_start = out.len();
    out.extend_from_slice(payload);
    body_start
}

/// Copies what fits of `part` to the front of `room` and returns the rest of the room.
fn fill<'a>(room: &'a mut [u8], part: &[u8]) -> &'a mut [u8] {
    let length = room.len().min(part.len());
    let (front, rest) = room.split_at_mut(length);
    front.copy_from_slice(part.get(..length).unwrap_or_default());
    rest
}

/// Free bytes that [`Frame::from_scratch`] needs before the payload: the longest header of an
/// unmasked frame.
pub const HEADROOM: usize = 10;
