//! The kinds of frame (RFC 6455 section 5.2). Never the reserved ones.

/// Kind of a frame (RFC 6455 section 11.8).
#[expect(clippy::exhaustive_enums, reason = "an unknown opcode is an error, never a new kind")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message begun by a text or binary frame.
    Continuation = 0x0,
    /// UTF-8 text, or its first fragment.
    Text = 0x1,
    /// Bytes, or their first fragment.
    Binary = 0x2,
    /// The last frame of a direction.
    Close = 0x8,
    /// A question that a pong with the same payload answers.
    Ping = 0x9,
    /// The answer to a ping, or an unsolicited sign of life.
    Pong = 0xa,
}

impl Opcode {
    /// Whether the frame is about the connection: never fragmented, at most 125 payload bytes
    /// (RFC 6455 section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    pub(super) const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    pub(super) const fn bits(self) -> u8 {
        self as u8
    }

    /// What a frame of this kind can carry of a payload of `length` bytes.
    pub(super) fn fitting(self, length: usize) -> usize {
        if self.is_control() { length.min(MAX_CONTROL_BYTES) } else { length }
    }
}

/// Longest payload of a control frame, in bytes (RFC 6455 section 5.5).
pub(super) const MAX_CONTROL_BYTES: usize = 125;
