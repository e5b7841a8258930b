//! What a peer can do wrong on an open connection. Never an error of the caller or of the
//! transport.

use std::fmt;

use super::close::CloseCode;

/// The offence of a peer that ends its connection.
///
/// Send a close frame with [`DecodeError::close_code`], drop the decoder, and decode nothing
/// more: where the next frame begins is no longer known.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A reserved bit is set that no extension gives a meaning (RFC 6455 section 5.2): compression
    /// its first one, on the first frame of a message (RFC 7692 section 6).
    ReservedBits,
    /// The opcode is one of 3 to 7 or 11 to 15 (section 5.2).
    ReservedOpcode(u8),
    /// A client sent a frame without a mask (section 5.1).
    Unmasked,
    /// A server sent a frame with a mask (section 5.1).
    Masked,
    /// A close, ping or pong is not the whole of its message (section 5.5).
    FragmentedControl,
    /// A close, ping or pong announces more than 125 bytes (section 5.5).
    ControlTooLong,
    /// A continuation frame, but no message was begun (section 5.4).
    UnexpectedContinuation,
    /// A text or binary frame within a message that is not finished (section 5.4).
    InterruptedMessage,
    /// The most significant bit of a 64-bit length is set (section 5.2).
    ///
    /// A length in more bytes than needed is *not* an offence here. The RFC forbids to send one,
    /// but the reference server `ws` takes it, and so do the clients that rely on that.
    InvalidLength,
    /// Text, or the reason of a close frame, is not UTF-8 (section 8.1).
    InvalidUtf8,
    /// A message would be longer than [`Limits::max_message_bytes`](super::Limits).
    TooLarge {
        /// Bytes that the message has at least.
        size: u64,
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// A message comes in more frames than [`Limits::max_fragments`](super::Limits).
    TooManyFragments {
        /// The limit in force, in frames.
        limit: u32,
    },
    /// A compressed message is not what RFC 7692 section 7.2.1 makes.
    InvalidDeflate,
    /// The status code of a close frame must not appear on the wire (section 7.4).
    InvalidCloseCode(u16),
    /// The payload of a close frame is one byte: half a status code (section 5.5.1).
    InvalidClosePayload,
}

impl DecodeError {
    /// The code for the close frame that answers this offence (RFC 6455 section 7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_PAYLOAD,
            Self::TooLarge { .. } => CloseCode::TOO_LARGE,
            Self::TooManyFragments { .. } => CloseCode::POLICY,
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::Unmasked
            | Self::Masked
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::UnexpectedContinuation
            | Self::InterruptedMessage
            | Self::InvalidLength
            | Self::InvalidCloseCode(_)
            | Self::InvalidClosePayload => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedBits => "reserved bit set",
            Self::ReservedOpcode(opcode) => return write!(f, "reserved opcode {opcode}"),
            Self::Unmasked => "frame of a client is not masked",
            Self::Masked => "frame of a server is masked",
            Self::FragmentedControl => "control frame is fragmented",
            Self::ControlTooLong => "control frame is longer than 125 bytes",
            Self::UnexpectedContinuation => "continuation of no message",
            Self::InterruptedMessage => "new message within an unfinished one",
            Self::InvalidLength => "payload length has its highest bit set",
            Self::InvalidUtf8 => "text is not utf-8",
            Self::TooLarge { size, limit } => {
                return write!(f, "message of {size} bytes or more; the limit is {limit}");
            }
            Self::TooManyFragments { limit } => {
                return write!(f, "message has more than {limit} fragments");
            }
            Self::InvalidDeflate => "compressed message is broken",
            Self::InvalidCloseCode(code) => return write!(f, "invalid close code {code}"),
            Self::InvalidClosePayload => "close frame of one byte",
        })
    }
}

impl std::error::Error for DecodeError {}
