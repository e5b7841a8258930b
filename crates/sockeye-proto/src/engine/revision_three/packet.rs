use base64::Engine as _;

use crate::engine::packet::{BASE64, Message, Packet, PacketError};

/// The type byte before the data of a binary message (E-115).
pub(in crate::engine) const BINARY_MESSAGE: u8 = 4;

/// A text frame, or one text record of a payload: as in revision 4, but base64 has the type digit
/// before it (E-114).
pub(in crate::engine) fn decode_text(text: &str) -> Result<Packet<'_>, PacketError> {
    let Some(base64) = text.strip_prefix('b') else { return Packet::decode(text) };
    match base64.as_bytes().first() {
        Some(b'4') => {}
        Some(other) => return Err(PacketError::UnknownType(*other)),
        None => return Err(PacketError::Empty),
    }
    let data = base64.get(1..).unwrap_or_default();
    let data = BASE64.decode(data).map_err(|_| PacketError::InvalidBase64)?;
    Ok(Packet::Message(Message::Binary(data.into())))
}

/// A binary frame, or one binary record of a payload: the type as a byte, then the data (E-115).
pub(in crate::engine) fn decode_binary(data: &[u8]) -> Result<Packet<'_>, PacketError> {
    match data.split_first() {
        Some((&BINARY_MESSAGE, data)) => Ok(Packet::binary(data)),
        Some((other, _)) => Err(PacketError::UnknownType(*other)),
        None => Err(PacketError::Empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_type_digit_before_it() {
        let binary = |data: &'static [u8]| Ok(Packet::binary(data));
        for (input, expected) in [
            ("b4AQI=", binary(&[1, 2])),
            ("b4AQI", binary(&[1, 2])),
            ("b4", binary(&[])),
            ("4b4", Ok(Packet::Message(Message::Text("b4")))),
            ("2probe", Ok(Packet::Ping("probe"))),
            ("b", Err(PacketError::Empty)),
            ("bAQI=", Err(PacketError::UnknownType(b'A'))),
            ("b2AQI=", Err(PacketError::UnknownType(b'2'))),
            ("b4_-", Err(PacketError::InvalidBase64)),
            ("bé", Err(PacketError::UnknownType(0xc3))),
            ("", Err(PacketError::Empty)),
            ("x", Err(PacketError::UnknownType(b'x'))),
        ] {
            assert_eq!(decode_text(input), expected, "{input:?}");
        }
    }

    #[test]
    fn a_binary_frame_begins_with_its_type() {
        for (input, expected) in [
            (&[4, 1, 2][..], Ok(Packet::binary(&[1, 2]))),
            (&[4], Ok(Packet::binary(&[]))),
            (b"4", Err(PacketError::UnknownType(b'4'))),
            (&[0], Err(PacketError::UnknownType(0))),
            (&[], Err(PacketError::Empty)),
        ] {
            assert_eq!(decode_binary(input), expected, "{input:?}");
        }
    }
}
