use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 as senders in the wild write it: the standard alphabet, padding optional (E-057).
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One Engine.IO packet as it arrives from a peer (E-067).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has exactly these packets")]
pub enum Packet<'a> {
    /// `0`: the handshake, sent by servers.
    Open(&'a str),
    /// `1`: the peer ends the session.
    Close,
    /// `2`: heartbeat question, or `2probe` on a transport under probe.
    Ping(&'a str),
    /// `3`: heartbeat answer, or `3probe`.
    Pong(&'a str),
    /// `4`, or a binary frame: a message for the layer above.
    Message(Message<'a>),
    /// `5`: the probed transport takes over.
    Upgrade,
    /// `6`: nothing; answers a poll that has to end.
    Noop,
}

/// A message of the layer above.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a message is text or binary")]
pub enum Message<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes; owned only if they came as base64.
    Binary(Cow<'a, [u8]>),
}

/// Why a packet could not be decoded. Always the sender's fault: the session ends with
/// `parse error` (E-058, E-071).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketError {
    /// The packet has no type.
    Empty,
    /// The type is not a digit from 0 to 6, or `b`.
    UnknownType(u8),
    /// The base64 of a binary packet is broken.
    InvalidBase64,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty packet"),
            Self::UnknownType(byte) => write!(f, "unknown packet type {:?}", char::from(*byte)),
            Self::InvalidBase64 => f.write_str("invalid base64 in a binary packet"),
        }
    }
}

impl std::error::Error for PacketError {}

impl<'a> Packet<'a> {
    /// Decodes a text frame, or one record of a polling payload.
    ///
    /// # Errors
    /// See [`PacketError`].
    #[inline]
    pub fn decode(text: &'a str) -> Result<Self, PacketError> {
        let mut rest = text.chars();
        let kind = rest.next();
        let rest = rest.as_str();
        match kind {
            Some('4') => Ok(Self::Message(Message::Text(rest))),
            Some('0') => Ok(Self::Open(rest)),
            Some('1') => Ok(Self::Close),
            Some('2') => Ok(Self::Ping(rest)),
            Some('3') => Ok(Self::Pong(rest)),
            Some('5') => Ok(Self::Upgrade),
            Some('6') => Ok(Self::Noop),
            Some('b') => decode_base64(rest),
            _ => Err(text.bytes().next().map_or(PacketError::Empty, PacketError::UnknownType)),
        }
    }

    /// A binary frame: in revision 4 its bytes are the message (E-067).
    #[must_use]
    pub const fn binary(data: &'a [u8]) -> Self {
        Self::Message(Message::Binary(Cow::Borrowed(data)))
    }
}

fn decode_base64(text: &str) -> Result<Packet<'static>, PacketError> {
    let data = BASE64.decode(text).map_err(|_| PacketError::InvalidBase64)?;
    Ok(Packet::Message(Message::Binary(Cow::Owned(data))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_digit_is_its_packet() {
        let text = |text| Ok(Packet::Message(Message::Text(text)));
        let binary =
            |data: &'static [u8]| Ok(Packet::Message(Message::Binary(Cow::Borrowed(data))));
        for (input, expected) in [
            ("0{}", Ok(Packet::Open("{}"))),
            ("1", Ok(Packet::Close)),
            ("2", Ok(Packet::Ping(""))),
            ("2probe", Ok(Packet::Ping("probe"))),
            ("3probe", Ok(Packet::Pong("probe"))),
            ("4", text("")),
            ("4é€😀", text("é€😀")),
            ("5", Ok(Packet::Upgrade)),
            ("6", Ok(Packet::Noop)),
            ("bAQI=", binary(&[1, 2])),
            ("bAQI", binary(&[1, 2])),
            ("b", binary(&[])),
            ("", Err(PacketError::Empty)),
            ("7", Err(PacketError::UnknownType(b'7'))),
            ("abc", Err(PacketError::UnknownType(b'a'))),
            ("é2345", Err(PacketError::UnknownType(0xc3))),
            ("🦀", Err(PacketError::UnknownType(0xf0))),
            ("b_-", Err(PacketError::InvalidBase64)),
            ("bA", Err(PacketError::InvalidBase64)),
            ("b AQI=", Err(PacketError::InvalidBase64)),
        ] {
            assert_eq!(Packet::decode(input), expected, "{input:?}");
        }
    }
}
