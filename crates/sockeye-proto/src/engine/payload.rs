use std::fmt;

use base64::Engine as _;

use super::packet::{BASE64, Packet, PacketError};
use super::revision_three;
use crate::websocket::{FrameRef, Opcode};

/// Packets that one polling payload may hold. The limit that matters is the payload's bytes;
/// this one bounds the work of a body that is nothing but separators.
pub const MAX_PACKETS_PER_PAYLOAD: usize = 16_384;

/// Separates the packets of a payload in revision 4 (E-057).
const SEPARATOR: u8 = 0x1e;

/// Why a payload could not be decoded; ends the session with `parse error` (E-058).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadError {
    /// One of its packets is broken.
    Packet(PacketError),
    /// More packets than the limit, at most [`MAX_PACKETS_PER_PAYLOAD`].
    TooManyPackets,
    /// A text that is not UTF-8.
    InvalidUtf8,
    /// Revision 3: the length of a record is missing, no number, or not that of what follows.
    InvalidLength,
    /// Revision 3: a record of a binary payload that is neither text (0) nor binary (1).
    UnknownRecord(u8),
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet(error) => error.fmt(f),
            Self::TooManyPackets => f.write_str("too many packets in one payload"),
            Self::InvalidUtf8 => f.write_str("text that is not UTF-8"),
            Self::InvalidLength => f.write_str("a record whose length is missing or wrong"),
            Self::UnknownRecord(byte) => write!(f, "a record of unknown kind {byte}"),
        }
    }
}

impl std::error::Error for PayloadError {}

/// How a payload tells its packets apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has exactly these forms")]
pub enum PayloadForm {
    /// Revision 4: packets with U+001E between them, binary as `b<base64>` (E-057).
    #[default]
    Separated,
    /// Revision 3: `<length>:<packet>`, binary as `b4<base64>` (E-112, E-114).
    LengthPrefixed,
    /// Revision 3, where something is binary and the peer takes it as such (E-113).
    Binary,
}

/// Iterates over the packets of a body of revision 4, in order, up to the first broken one.
#[derive(Clone, Debug)]
pub struct PayloadDecoder<'a> {
    rest: Option<&'a str>,
    packets: usize,
}

impl<'a> PayloadDecoder<'a> {
    /// A decoder of one request body. An empty body is one broken packet (E-059).
    #[must_use]
    pub const fn new(body: &'a str) -> Self {
        Self { rest: Some(body), packets: 0 }
    }
}

impl<'a> PayloadDecoder<'a> {
    /// What has not been decoded yet: a body that can be decoded later.
    #[must_use]
    pub const fn rest(&self) -> Option<&'a str> {
        self.rest
    }
}

impl<'a> Iterator for PayloadDecoder<'a> {
    type Item = Result<Packet<'a>, PayloadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        self.packets += 1;
        if self.packets > MAX_PACKETS_PER_PAYLOAD {
            return Some(Err(PayloadError::TooManyPackets));
        }
        let record = match rest.split_once(char::from(SEPARATOR)) {
            Some((record, tail)) => {
                self.rest = Some(tail);
                record
            }
            None => rest,
        };
        let packet = Packet::decode(record).map_err(PayloadError::Packet);
        if packet.is_err() {
            self.rest = None;
        }
        Some(packet)
    }
}

/// Collects packets into the body that answers a poll.
#[derive(Debug, Default)]
pub struct PayloadEncoder {
    form: PayloadForm,
    body: Vec<u8>,
}

impl PayloadEncoder {
    /// An encoder of an empty payload of revision 4.
    #[must_use]
    pub const fn new() -> Self {
        Self::of_form(PayloadForm::Separated)
    }

    /// An encoder of an empty payload of this form.
    #[must_use]
    pub const fn of_form(form: PayloadForm) -> Self {
        Self { form, body: Vec::new() }
    }

    /// Appends the packet that `frame` carries over WebSocket. In revision 3 that of a binary
    /// frame begins with its type byte (E-115).
    pub fn push<'f>(&mut self, frame: impl Into<FrameRef<'f>>) {
        let frame = frame.into();
        let data = frame.payload();
        match (frame.opcode(), self.form) {
            (Opcode::Binary, PayloadForm::Binary) => {
                revision_three::push_record(&mut self.body, true, data);
            }
            (Opcode::Binary, PayloadForm::LengthPrefixed) => {
                let packet = base64_text("b4", data.get(1..).unwrap_or_default());
                self.push_text(packet.as_bytes());
            }
            (Opcode::Binary, PayloadForm::Separated) => self.push_binary(data),
            _ => self.push_text(data),
        }
    }

    /// Appends a packet that is already text, such as `6`.
    pub fn push_text(&mut self, packet: &[u8]) {
        match self.form {
            PayloadForm::Separated => {
                self.separate();
                self.body.extend_from_slice(packet);
            }
            PayloadForm::LengthPrefixed => revision_three::push_text(&mut self.body, packet),
            PayloadForm::Binary => revision_three::push_record(&mut self.body, false, packet),
        }
    }

    fn push_binary(&mut self, data: &[u8]) {
        self.separate();
        self.body.push(b'b');
        let start = self.body.len();
        self.body.resize(start + base64_length(data.len()), 0);
        // The room was computed for exactly this input.
        let written = BASE64.encode_slice(data, &mut self.body[start..]).unwrap_or(0);
        self.body.truncate(start + written);
    }

    fn separate(&mut self) {
        if !self.body.is_empty() {
            self.body.push(SEPARATOR);
        }
    }

    /// How the payload is written.
    #[must_use]
    pub const fn form(&self) -> PayloadForm {
        self.form
    }

    /// Whether nothing was appended.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The finished body.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.body
    }
}

/// Binary as text, behind what says so.
pub(super) fn base64_text(prefix: &str, data: &[u8]) -> String {
    let mut text = String::with_capacity(prefix.len() + base64_length(data.len()));
    text.push_str(prefix);
    BASE64.encode_string(data, &mut text);
    text
}

const fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Message;
    use crate::websocket::Frame;

    fn decode(body: &str) -> Vec<Result<Packet<'_>, PayloadError>> {
        PayloadDecoder::new(body).collect()
    }

    #[test]
    fn packets_are_split_at_the_record_separator() {
        assert_eq!(
            decode("4a\u{1e}2\u{1e}bAQI="),
            [
                Ok(Packet::Message(Message::Text("a"))),
                Ok(Packet::Ping("")),
                Ok(Packet::Message(Message::Binary(vec![1, 2].into()))),
            ]
        );
    }

    #[test]
    fn decoding_stops_at_the_first_broken_packet() {
        assert_eq!(
            decode("4a\u{1e}x\u{1e}4b"),
            [
                Ok(Packet::Message(Message::Text("a"))),
                Err(PayloadError::Packet(PacketError::UnknownType(b'x'))),
            ]
        );
    }

    #[test]
    fn an_empty_body_and_a_trailing_separator_are_broken() {
        let empty = Err(PayloadError::Packet(PacketError::Empty));
        assert_eq!(decode(""), std::slice::from_ref(&empty));
        assert_eq!(decode("6\u{1e}"), [Ok(Packet::Noop), empty]);
    }

    #[test]
    fn the_number_of_packets_is_bounded() {
        let body = vec!["6"; MAX_PACKETS_PER_PAYLOAD + 5].join("\u{1e}");
        let packets = decode(&body);
        assert_eq!(packets.len(), MAX_PACKETS_PER_PAYLOAD + 1);
        assert_eq!(packets.last(), Some(&Err(PayloadError::TooManyPackets)));
    }

    #[test]
    fn a_batch_is_written_as_the_reference_writes_it() {
        let mut payload = PayloadEncoder::new();
        payload.push(&Frame::text(b"451-[\"bin\",{\"_placeholder\":true,\"num\":0}]"));
        payload.push(&Frame::binary(&[1, 2]));
        payload.push_text(b"6");
        assert_eq!(
            String::from_utf8(payload.finish()).unwrap(),
            "451-[\"bin\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQI=\u{1e}6"
        );
    }

    #[test]
    fn a_batch_is_written_in_the_forms_of_revision_3() {
        for (form, expected) in [
            (PayloadForm::LengthPrefixed, &b"3:4\xc3\xa9a6:b4AQI=1:6"[..]),
            (PayloadForm::Binary, b"\0\x04\xff4\xc3\xa9a\x01\x03\xff\x04\x01\x02\0\x01\xff6"),
        ] {
            let mut payload = PayloadEncoder::of_form(form);
            payload.push(&Frame::text("4éa".as_bytes()));
            payload.push(&Frame::binary(&[4, 1, 2]));
            payload.push_text(b"6");
            assert_eq!(payload.finish(), expected, "{form:?}");
        }
    }
}
