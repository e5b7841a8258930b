use super::{MAX_LENGTH_DIGITS, decode_binary, decode_text, length};
use crate::engine::packet::Packet;
use crate::engine::payload::{MAX_PACKETS_PER_PAYLOAD, PayloadError};

/// Stands between the length of a record and its data.
const END_OF_LENGTH: u8 = 255;

/// Iterates over the packets of a binary body of revision 3, in order, up to the first broken one.
/// A record is 0 (text) or 1 (binary), the length in bytes as decimal digits (the numbers, not the
/// characters), 255, and the data (E-113).
#[derive(Clone, Debug)]
pub struct BinaryDecoder<'a> {
    rest: Option<&'a [u8]>,
    records: usize,
}

impl<'a> BinaryDecoder<'a> {
    /// A decoder of one body. An empty body has no packets.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: Some(body).filter(|body| !body.is_empty()), records: 0 }
    }

    /// What has not been decoded yet: a body that can be decoded later.
    #[must_use]
    pub const fn rest(&self) -> Option<&'a [u8]> {
        self.rest
    }

    fn packet(&mut self, rest: &'a [u8]) -> Result<Packet<'a>, PayloadError> {
        self.records += 1;
        if self.records > MAX_PACKETS_PER_PAYLOAD {
            return Err(PayloadError::TooManyPackets);
        }
        let (kind, rest) = rest.split_first().ok_or(PayloadError::InvalidLength)?;
        let digits = rest.iter().copied().take(MAX_LENGTH_DIGITS + 1).take_while(|byte| *byte <= 9);
        let width = digits.clone().count();
        let bytes = length(digits)?;
        let Some((&END_OF_LENGTH, data)) = rest.get(width..).and_then(<[u8]>::split_first) else {
            return Err(PayloadError::InvalidLength);
        };
        let (data, rest) = data.split_at_checked(bytes).ok_or(PayloadError::InvalidLength)?;
        let packet = match kind {
            0 => decode_text(str::from_utf8(data).map_err(|_| PayloadError::InvalidUtf8)?),
            1 => decode_binary(data),
            other => return Err(PayloadError::UnknownRecord(*other)),
        };
        self.rest = Some(rest).filter(|rest| !rest.is_empty());
        packet.map_err(PayloadError::Packet)
    }
}

impl<'a> Iterator for BinaryDecoder<'a> {
    type Item = Result<Packet<'a>, PayloadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let packet = self.packet(rest);
        if packet.is_err() {
            self.rest = None;
        }
        Some(packet)
    }
}

/// Appends a record: text, or binary that begins with its type byte.
pub(in crate::engine) fn push_record(body: &mut Vec<u8>, binary: bool, data: &[u8]) {
    body.push(u8::from(binary));
    let mut buffer = itoa::Buffer::new();
    body.extend(buffer.format(data.len()).bytes().map(|digit| digit - b'0'));
    body.push(END_OF_LENGTH);
    body.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Message, PacketError};

    fn decode(body: &[u8]) -> Vec<Result<Packet<'_>, PayloadError>> {
        BinaryDecoder::new(body).collect()
    }

    fn text(text: &str) -> Result<Packet<'_>, PayloadError> {
        Ok(Packet::Message(Message::Text(text)))
    }

    #[test]
    fn the_references_bytes_are_read_and_written() {
        // From polling-eio3-csr.txt, in pieces.
        let first = "42[\"hi\",\"é€😀\",\"Q7vyTed\"]";
        let second = "451-[\"bin\",{\"_placeholder\":true,\"num\":0},\"Q7vyTed.0\"]";
        let golden = [
            b"\0\x03\0\xff",
            first.as_bytes(),
            b"\0\x05\x03\xff",
            second.as_bytes(),
            b"\x01\x03\xff",
            &[4, 1, 2],
        ]
        .concat();
        assert_eq!(
            decode(&golden),
            [text(&first[1..]), text(&second[1..]), Ok(Packet::binary(&[1, 2]))]
        );
        let mut written = Vec::new();
        push_record(&mut written, false, first.as_bytes());
        push_record(&mut written, false, second.as_bytes());
        push_record(&mut written, true, &[4, 1, 2]);
        assert_eq!(written, golden);
    }

    #[test]
    fn base64_may_stand_in_a_text_record() {
        assert_eq!(decode(b"\0\x06\xffb4AQI="), [Ok(Packet::binary(&[1, 2]))]);
    }

    #[test]
    fn an_empty_body_has_no_packets() {
        assert_eq!(decode(b""), []);
        let empty = Err(PayloadError::Packet(PacketError::Empty));
        assert_eq!(decode(b"\0\0\xff"), std::slice::from_ref(&empty));
        assert_eq!(decode(b"\x01\0\xff"), [empty]);
    }

    #[test]
    fn a_broken_record_ends_the_payload() {
        let length = PayloadError::InvalidLength;
        let unknown = |byte| PayloadError::Packet(PacketError::UnknownType(byte));
        for (record, error) in [
            (&b"\0"[..], length),
            (b"\0\xff", length),
            (b"\0\x01", length),
            (b"\0\x01\xff", length),
            (b"\0\x02\xff6", length),
            (b"\0\x01\x0a\xff6", length),
            (b"\x001\xff6", length),
            (b"\0\0\0\0\0\0\0\0\0\0\0\x01\xff6", length),
            (b"\0\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff6", length),
            (b"\0\x01\xff\xff", PayloadError::InvalidUtf8),
            (b"\0\x02\xff4\xc3", PayloadError::InvalidUtf8),
            (b"\x02\x01\xff6", PayloadError::UnknownRecord(2)),
            (b"4\x01\xff6", PayloadError::UnknownRecord(b'4')),
            (b"\xff\x01\xff6", PayloadError::UnknownRecord(255)),
            (b"\0\x01\xffx", unknown(b'x')),
            (b"\x01\x01\xff4", unknown(b'4')),
            (b"\x01\x01\xff\x02", unknown(2)),
        ] {
            assert_eq!(decode(record), [Err(error)], "{record:?}");
            let after = [b"\0\x01\xff6", record].concat();
            assert_eq!(decode(&after), [Ok(Packet::Noop), Err(error)], "{after:?}");
        }
    }

    #[test]
    fn the_rest_can_be_decoded_later() {
        let body = b"\0\x01\xff6\x01\x02\xff\x04a";
        let mut decoder = BinaryDecoder::new(body);
        assert_eq!(decoder.next(), Some(Ok(Packet::Noop)));
        let mut decoder = BinaryDecoder::new(decoder.rest().unwrap());
        assert_eq!(decoder.next(), Some(Ok(Packet::binary(b"a"))));
        assert_eq!((decoder.rest(), decoder.next()), (None, None));
    }

    #[test]
    fn the_number_of_records_is_bounded() {
        let decoded = b"\0\x01\xff6".repeat(MAX_PACKETS_PER_PAYLOAD + 5);
        let decoded = decode(&decoded);
        assert_eq!(decoded.len(), MAX_PACKETS_PER_PAYLOAD + 1);
        assert_eq!(decoded.last(), Some(&Err(PayloadError::TooManyPackets)));
    }
}
