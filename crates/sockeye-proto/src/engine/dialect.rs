use bytes::Bytes;

use super::handshake::{Query, Revision};
use super::jsonp::Jsonp;
use super::packet::{Packet, PacketError};
use super::payload::{PayloadEncoder, PayloadError, PayloadForm, base64_text};
use super::reader::PayloadReader;
use super::revision_three::{self, BINARY_MESSAGE};
use crate::websocket::{Frame, Opcode};

/// How the packets of one session are written, as its first request asked for: the revision,
/// whether binary must be text, and whether polling is done by script elements.
///
/// > **What is queued for a session is in its dialect: see [`Dialect::frame`].** So it is right for
/// > a WebSocket as it is, and every payload is cut from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    revision: Revision,
    base64: bool,
    jsonp: Option<Jsonp>,
}

/// The body that answers a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a body is bytes of some type")]
pub struct PollBody {
    /// What is sent.
    pub bytes: Vec<u8>,
    /// Whether it is `application/octet-stream` (E-043); otherwise it is text.
    pub binary: bool,
}

impl Dialect {
    /// The dialect that the query of a session's first request asks for.
    #[must_use]
    pub fn of(query: &Query<'_>) -> Self {
        let jsonp = query.jsonp.as_deref().map(Jsonp::new);
        Self { revision: query.revision, base64: query.base64, jsonp }
    }

    /// The revision of the protocol.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// The frame to queue for a message that is written as revision 4 writes it: text with its
    /// digit, binary bare. Only binary differs: revision 3 puts a type byte before it (E-115), and
    /// who cannot take it gets it as text (E-069, E-114).
    #[must_use]
    pub fn frame(&self, frame: Frame) -> Frame {
        // Most sessions take frames as they are, and need not look at them.
        if self.takes_frames_as_they_are() || frame.opcode() != Opcode::Binary {
            return frame;
        }
        match self.revision {
            Revision::Three if self.base64 => text_frame("b4", frame.payload()),
            Revision::Three => {
                Frame::from_parts(Opcode::Binary, &[&[BINARY_MESSAGE], frame.payload()])
            }
            Revision::Four => text_frame("b", frame.payload()),
        }
    }

    /// Whether [`frame`](Self::frame) leaves all frames as they are.
    #[must_use]
    pub fn takes_frames_as_they_are(&self) -> bool {
        self.revision == Revision::Four && !self.base64
    }

    /// Decodes a text frame.
    ///
    /// # Errors
    /// See [`PacketError`].
    #[inline]
    pub fn decode_text<'a>(&self, text: &'a str) -> Result<Packet<'a>, PacketError> {
        match self.revision {
            Revision::Four => Packet::decode(text),
            Revision::Three => revision_three::decode_text(text),
        }
    }

    /// Decodes a binary frame.
    ///
    /// # Errors
    /// See [`PacketError`].
    pub fn decode_binary<'a>(&self, data: &'a [u8]) -> Result<Packet<'a>, PacketError> {
        match self.revision {
            Revision::Four => Ok(Packet::binary(data)),
            Revision::Three => revision_three::decode_binary(data),
        }
    }

    /// Whether a request body may be `application/octet-stream` (E-053).
    #[must_use]
    pub fn takes_octets(&self) -> bool {
        self.revision == Revision::Three
    }

    /// The packets of a request body, `limit` at most; `octets` says that it came as
    /// `application/octet-stream`.
    ///
    /// # Errors
    /// [`PayloadError::InvalidUtf8`] if it should be text and is not.
    pub fn read(
        &self,
        body: Bytes,
        octets: bool,
        limit: usize,
    ) -> Result<PayloadReader, PayloadError> {
        let form = self.payload_form(octets);
        let reader = match &self.jsonp {
            None => PayloadReader::new(form, body),
            Some(_) => match Jsonp::payload(&body) {
                Some(payload) => PayloadReader::new(form, payload.into()),
                None => Ok(PayloadReader::empty()),
            },
        };
        Ok(reader?.limited(limit))
    }

    /// An encoder for what answers a poll; `binary` says whether a binary frame is to be pushed.
    #[must_use]
    pub fn encoder(&self, binary: bool) -> PayloadEncoder {
        PayloadEncoder::of_form(self.payload_form(binary))
    }

    /// What answers a poll.
    #[must_use]
    pub fn finish(&self, payload: PayloadEncoder) -> PollBody {
        let binary = payload.form() == PayloadForm::Binary;
        let bytes = payload.finish();
        let Some(jsonp) = &self.jsonp else { return PollBody { bytes, binary } };
        // Packets are UTF-8, so this changes nothing.
        let script = jsonp.script(&String::from_utf8_lossy(&bytes));
        PollBody { bytes: script.into_bytes(), binary: false }
    }

    /// The form of a payload in which something is binary, or nothing is.
    fn payload_form(&self, binary: bool) -> PayloadForm {
        match self.revision {
            Revision::Four => PayloadForm::Separated,
            // A form or script is text, whatever the request says.
            Revision::Three if binary && self.jsonp.is_none() => PayloadForm::Binary,
            Revision::Three => PayloadForm::LengthPrefixed,
        }
    }
}

fn text_frame(prefix: &str, data: &[u8]) -> Frame {
    Frame::text(base64_text(prefix, data).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Message;

    fn dialect(query: &str) -> Dialect {
        Dialect::of(&Query::parse(query))
    }

    /// The body that answers a poll when these packets are queued.
    fn answer(query: &str, packets: &[Frame]) -> PollBody {
        let dialect = dialect(query);
        let frames: Vec<_> = packets.iter().map(|frame| dialect.frame(frame.clone())).collect();
        let binary = frames.iter().any(|frame| frame.opcode() == Opcode::Binary);
        let mut payload = dialect.encoder(binary);
        frames.iter().for_each(|frame| payload.push(frame));
        dialect.finish(payload)
    }

    #[test]
    fn polls_are_answered_as_the_reference_answers_them() {
        let open = Frame::text(
            b"0{\"sid\":\"0IoUVRewSOnYiwEpAAAJ\",\"upgrades\":[\"websocket\"],\
            \"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000}",
        );
        let open = std::slice::from_ref(&open);
        let batch = [
            Frame::text(b"451-[\"bin\",{\"_placeholder\":true,\"num\":0},\"Q7vyeds\"]"),
            Frame::binary(&[1, 2]),
        ];
        let batch = &batch[..];
        // From polling-eio3-csr.txt, but the binary of revision 3 with j and without b64, which the
        // reference makes a JSON object of.
        for (query, packets, expected) in [
            (
                "EIO=4",
                batch,
                "451-[\"bin\",{\"_placeholder\":true,\"num\":0},\"Q7vyeds\"]\u{1e}bAQI=",
            ),
            (
                "EIO=3&b64=1",
                batch,
                "51:451-[\"bin\",{\"_placeholder\":true,\"num\":0},\"Q7vyeds\"]6:b4AQI=",
            ),
            (
                "EIO=3&j=2",
                batch,
                "___eio[2](\"51:451-[\\\"bin\\\",{\\\"_placeholder\\\":true,\\\"num\\\":0},\
                 \\\"Q7vyeds\\\"]6:b4AQI=\");",
            ),
            (
                "EIO=3",
                open,
                "115:0{\"sid\":\"0IoUVRewSOnYiwEpAAAJ\",\"upgrades\":[\"websocket\"],\
                \"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000}",
            ),
            (
                "EIO=3&j=0",
                open,
                "___eio[0](\"115:0{\\\"sid\\\":\\\"0IoUVRewSOnYiwEpAAAJ\\\",\
                \\\"upgrades\\\":[\\\"websocket\\\"],\\\"pingInterval\\\":25000,\
                \\\"pingTimeout\\\":20000,\\\"maxPayload\\\":1000}\");",
            ),
            (
                "EIO=4&j=0",
                open,
                "___eio[0](\"0{\\\"sid\\\":\\\"0IoUVRewSOnYiwEpAAAJ\\\",\
                \\\"upgrades\\\":[\\\"websocket\\\"],\\\"pingInterval\\\":25000,\
                \\\"pingTimeout\\\":20000,\\\"maxPayload\\\":1000}\");",
            ),
        ] {
            let answer = answer(query, packets);
            assert_eq!(String::from_utf8(answer.bytes).unwrap(), expected, "{query}");
            assert!(!answer.binary);
        }
        let answer = answer("EIO=3", &[Frame::text(b"4a"), Frame::binary(&[1, 2])]);
        assert_eq!(answer.bytes, b"\0\x02\xff4a\x01\x03\xff\x04\x01\x02");
        assert!(answer.binary);
    }

    #[test]
    fn a_binary_frame_is_what_a_websocket_of_the_dialect_carries() {
        for (query, expected) in [
            ("EIO=4", Frame::binary(&[1, 2])),
            ("EIO=4&b64=1", Frame::text(b"bAQI=")),
            ("", Frame::binary(&[4, 1, 2])),
            ("b64=1", Frame::text(b"b4AQI=")),
        ] {
            let dialect = dialect(query);
            let frame = dialect.frame(Frame::binary(&[1, 2]));
            assert_eq!(frame, expected, "{query}");
            let packet = match frame.opcode() {
                Opcode::Binary => dialect.decode_binary(frame.payload()),
                _ => dialect.decode_text(str::from_utf8(frame.payload()).unwrap()),
            };
            assert_eq!(packet, Ok(Packet::binary(&[1, 2])), "{query}");
            assert_eq!(dialect.frame(Frame::text(b"4a")), Frame::text(b"4a"));
        }
    }

    #[test]
    fn request_bodies_are_read_in_the_form_of_the_dialect() {
        let packets = |query, body: &'static [u8], octets| {
            let mut reader = dialect(query).read(Bytes::from_static(body), octets, 10)?;
            let mut texts = Vec::new();
            while let Some(packet) = reader.next_packet() {
                match packet? {
                    Packet::Message(Message::Text(text)) => texts.push(text.to_owned()),
                    other => texts.push(format!("{other:?}")),
                }
            }
            Ok::<_, PayloadError>(texts.join(" "))
        };
        for (query, body, octets, expected) in [
            ("EIO=4", &b"4a\x1e4b"[..], false, Ok("a b")),
            ("EIO=3", b"2:4a2:4b", false, Ok("a b")),
            ("EIO=3", b"\0\x02\xff4a\0\x02\xff4b", true, Ok("a b")),
            ("EIO=3&j=1", b"d=2%3A4a2%3A4b", false, Ok("a b")),
            ("EIO=3&j=1", b"d=2%3A4a2%3A4b", true, Ok("a b")),
            ("EIO=4&j=1", b"d=4a%1E4%5Cn", false, Ok("a \n")),
            ("EIO=4&j=1", b"4a", false, Ok("")),
            ("EIO=3", b"4a\xff", false, Err(PayloadError::InvalidUtf8)),
            ("EIO=3", b"2:4a", true, Err(PayloadError::InvalidLength)),
            ("EIO=3", b"\0\x02\xff4a", false, Err(PayloadError::InvalidUtf8)),
            ("EIO=3", b"", true, Ok("")),
            ("EIO=3", b"", false, Err(PayloadError::InvalidLength)),
        ] {
            let read = packets(query, body, octets);
            assert_eq!(read.as_deref().map_err(|error| *error), expected, "{query} {body:?}");
        }
    }
}
