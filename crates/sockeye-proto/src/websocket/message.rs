//! What a peer said. Never owns its bytes.

use ascii::AsciiStr;

use super::close::CloseFrame;
use super::error::DecodeError;
use super::opcode::Opcode;

/// A whole message or control frame, borrowed from the input or from the decoder.
#[expect(clippy::exhaustive_enums, reason = "the RFC's kinds are all there are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message, already checked to be UTF-8.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping of at most 125 bytes. Answer with a pong of the same payload
    /// (RFC 6455 section 5.5.2).
    Ping(&'a [u8]),
    /// A pong of at most 125 bytes. It may answer no ping at all (section 5.5.3).
    Pong(&'a [u8]),
    /// The last thing that the peer says (section 5.5.1). `None`: it gave no code. What follows
    /// in the input is not to be decoded.
    Close(Option<CloseFrame<'a>>),
}

impl<'a> Message<'a> {
    /// Reads the unmasked payload of a whole message.
    #[inline(always)]
    pub(super) fn read(opcode: Opcode, payload: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(match opcode {
            Opcode::Text => Self::Text(read_text(payload)?),
            Opcode::Binary => Self::Binary(payload),
            Opcode::Ping => Self::Ping(payload),
            Opcode::Pong => Self::Pong(payload),
            Opcode::Close => Self::Close(CloseFrame::read(payload)?),
            Opcode::Continuation => return Err(DecodeError::UnexpectedContinuation),
        })
    }
}

/// Checks text. What is short is mostly ASCII, which is seen sooner.
#[inline]
fn read_text(payload: &[u8]) -> Result<&str, DecodeError> {
    const LONG: usize = 64;
    if payload.len() < LONG
        && let Ok(text) = AsciiStr::from_ascii(payload)
    {
        return Ok(text.as_str());
    }
    simdutf8::basic::from_utf8(payload).map_err(|_| DecodeError::InvalidUtf8)
}
