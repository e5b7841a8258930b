use super::{decode_text, length};
use crate::engine::packet::Packet;
use crate::engine::payload::{MAX_PACKETS_PER_PAYLOAD, PayloadError};

/// Iterates over the packets of a text body of revision 3, `<length>:<packet>` each, in order, up
/// to the first broken one. Lengths count UTF-16 code units (E-112).
///
/// Empty records, which the official server writes for an empty payload, are passed over.
#[derive(Clone, Debug)]
pub struct TextDecoder<'a> {
    rest: Option<&'a str>,
    records: usize,
}

impl<'a> TextDecoder<'a> {
    /// A decoder of one body. An empty body is broken (E-116).
    #[must_use]
    pub const fn new(body: &'a str) -> Self {
        Self { rest: Some(body), records: 0 }
    }

    /// What has not been decoded yet: a body that can be decoded later.
    #[must_use]
    pub const fn rest(&self) -> Option<&'a str> {
        self.rest
    }

    fn record(&mut self, rest: &'a str) -> Result<&'a str, PayloadError> {
        self.records += 1;
        if self.records > MAX_PACKETS_PER_PAYLOAD {
            return Err(PayloadError::TooManyPackets);
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit);
        let width = digits.clone().count();
        let units = length(digits.map(|digit| digit - b'0'))?;
        let data = rest.get(width..).and_then(|rest| rest.strip_prefix(':'));
        let data = data.ok_or(PayloadError::InvalidLength)?;
        let end = end_of_units(data, units).ok_or(PayloadError::InvalidLength)?;
        let (record, rest) = data.split_at_checked(end).ok_or(PayloadError::InvalidLength)?;
        self.rest = Some(rest).filter(|rest| !rest.is_empty());
        Ok(record)
    }
}

impl<'a> Iterator for TextDecoder<'a> {
    type Item = Result<Packet<'a>, PayloadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest.take()?;
            let packet = match self.record(rest) {
                Ok("") => continue,
                Ok(record) => decode_text(record).map_err(PayloadError::Packet),
                Err(error) => Err(error),
            };
            if packet.is_err() {
                self.rest = None;
            }
            return Some(packet);
        }
    }
}

/// Appends a packet that is already text.
pub(in crate::engine) fn push_text(body: &mut Vec<u8>, packet: &[u8]) {
    body.extend_from_slice(itoa::Buffer::new().format(units(packet)).as_bytes());
    body.push(b':');
    body.extend_from_slice(packet);
}

/// UTF-16 code units of text that is given as UTF-8: one for each character, and one more for each
/// of four bytes.
fn units(text: &[u8]) -> usize {
    text.iter().map(|byte| units_of(*byte)).sum()
}

/// Where so many UTF-16 code units of a text end; `None` if it has fewer, or if that is within a
/// character.
fn end_of_units(text: &str, units: usize) -> Option<usize> {
    let mut left = units;
    for (index, byte) in text.bytes().enumerate() {
        let here = units_of(byte);
        if left == 0 && here > 0 {
            return Some(index);
        }
        left = left.checked_sub(here)?;
    }
    (left == 0).then_some(text.len())
}

/// What a byte of UTF-8 adds to the length in UTF-16: its character's if it begins one, or nothing.
const fn units_of(byte: u8) -> usize {
    match byte {
        0x80..0xc0 => 0,
        0xf0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Message, PacketError};

    fn decode(body: &str) -> Vec<Result<Packet<'_>, PayloadError>> {
        TextDecoder::new(body).collect()
    }

    fn text(text: &str) -> Result<Packet<'_>, PayloadError> {
        Ok(Packet::Message(Message::Text(text)))
    }

    #[test]
    fn lengths_count_utf_16_code_units() {
        // The reference's own client sent this (polling-eio3-csr.txt).
        let binary = Ok(Packet::binary(&[1, 2]));
        assert_eq!(
            decode("51:451-[\"bin\",{\"_placeholder\":true,\"num\":0},\"Q7vyeds\"]6:b4AQI="),
            [text("51-[\"bin\",{\"_placeholder\":true,\"num\":0},\"Q7vyeds\"]"), binary]
        );
        assert_eq!(decode("5:4é€😀1:2"), [text("é€😀"), Ok(Packet::Ping(""))]);
        let mut body = Vec::new();
        push_text(&mut body, "42[\"hi\",\"é€😀\",\"Q7vyee2\"]".as_bytes());
        assert_eq!(body, "25:42[\"hi\",\"é€😀\",\"Q7vyee2\"]".as_bytes());
    }

    #[test]
    fn empty_records_are_passed_over() {
        assert_eq!(decode("0:"), []);
        assert_eq!(decode("0:1:60:"), [Ok(Packet::Noop)]);
        assert_eq!(decode("001:6"), [Ok(Packet::Noop)]);
    }

    #[test]
    fn a_length_that_does_not_fit_ends_the_payload() {
        for body in [
            "",
            ":",
            ":6",
            "6",
            "1",
            "2:6",
            "x:6",
            "-1:6",
            "+1:6",
            " 1:6",
            "1e0:6",
            "0x1:6",
            "1.0:6",
            "1:😀",
            "00000000001:6",
            "99999999999999999999999:6",
            "9999999999:6",
            "1;6",
        ] {
            let broken = Err(PayloadError::InvalidLength);
            assert_eq!(decode(body), std::slice::from_ref(&broken), "{body:?}");
            if !body.is_empty() {
                let after = format!("1:6{body}");
                assert_eq!(decode(&after), [Ok(Packet::Noop), broken], "{after:?}");
            }
        }
    }

    #[test]
    fn a_broken_packet_ends_the_payload() {
        let broken = Err(PayloadError::Packet(PacketError::UnknownType(b'x')));
        assert_eq!(decode("2:4a1:x2:4b"), [text("a"), broken]);
    }

    #[test]
    fn the_rest_can_be_decoded_later() {
        let mut decoder = TextDecoder::new("2:4a3:4é😀");
        assert_eq!(decoder.rest(), Some("2:4a3:4é😀"));
        assert_eq!(decoder.next(), Some(text("a")));
        assert_eq!(decoder.rest(), Some("3:4é😀"));
        let mut decoder = TextDecoder::new("2:4a4:4é😀");
        decoder.next();
        let mut decoder = TextDecoder::new(decoder.rest().unwrap());
        assert_eq!(decoder.next(), Some(text("é😀")));
        assert_eq!((decoder.rest(), decoder.next()), (None, None));
    }

    #[test]
    fn the_number_of_records_is_bounded() {
        for (record, packets) in [("1:6", MAX_PACKETS_PER_PAYLOAD), ("0:", 0)] {
            let body = record.repeat(MAX_PACKETS_PER_PAYLOAD + 5);
            let decoded = decode(&body);
            assert_eq!(decoded.len(), packets + 1);
            assert_eq!(decoded.last(), Some(&Err(PayloadError::TooManyPackets)));
        }
    }
}
