//! Close codes and the payload of a close frame (RFC 6455 sections 5.5.1 and 7.4).
//!
//! Never holds a code that must not appear on the wire, such as 1005 or 1006.

use std::fmt;

use super::error::DecodeError;
use super::opcode::MAX_CONTROL_BYTES;

/// Status code of a close frame that may appear on the wire (RFC 6455 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke RFC 6455.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not take.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: the payload is not what its kind says, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy of this endpoint was violated.
    pub const POLICY: Self = Self(1008);
    /// 1009: the message is longer than this endpoint takes.
    pub const TOO_LARGE: Self = Self(1009);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);

    /// Takes 1000 to 1003, 1007 to 1014 and 3000 to 4999. Everything else is reserved, and
    /// `None`.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Payload of a close frame that says why (RFC 6455 section 5.5.1).
#[expect(clippy::exhaustive_structs, reason = "the RFC gives a close frame these two fields")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why, as a number.
    pub code: CloseCode,
    /// Why, in words for a log. At most 123 bytes, often empty.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Reads the payload of a close frame. An empty one is `None`.
    pub(super) fn read(payload: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() {
                Ok(None)
            } else {
                Err(DecodeError::InvalidClosePayload)
            };
        };
        let number = u16::from_be_bytes(*code);
        let code = CloseCode::new(number).ok_or(DecodeError::InvalidCloseCode(number))?;
        let reason = str::from_utf8(reason).map_err(|_| DecodeError::InvalidUtf8)?;
        Ok(Some(Self { code, reason }))
    }
}

/// The part of `reason` that fits behind the code, cut between characters.
pub(super) fn fitting_reason(reason: &str) -> &str {
    let end = reason.floor_char_boundary(MAX_CONTROL_BYTES - size_of::<u16>());
    reason.get(..end).unwrap_or_default()
}
