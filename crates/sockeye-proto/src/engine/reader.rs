use bytes::Bytes;

use super::packet::Packet;
use super::payload::{MAX_PACKETS_PER_PAYLOAD, PayloadDecoder, PayloadError, PayloadForm};
use super::revision_three::{BinaryDecoder, TextDecoder};

/// A request body that is decoded packet by packet, as fast as its packets can be handled.
#[derive(Debug)]
pub struct PayloadReader {
    body: Body,
    /// Where the next packet begins; `None` after the last one, or a broken one.
    next: Option<usize>,
    packets: usize,
    limit: usize,
}

#[derive(Debug)]
enum Body {
    Separated(String),
    LengthPrefixed(String),
    Binary(Bytes),
}

impl PayloadReader {
    /// A reader of a body of this form.
    ///
    /// # Errors
    /// [`PayloadError::InvalidUtf8`] if the form is text and the body is not.
    pub fn new(form: PayloadForm, body: Bytes) -> Result<Self, PayloadError> {
        let text =
            |body: Bytes| String::from_utf8(body.into()).map_err(|_| PayloadError::InvalidUtf8);
        Ok(Self::of(match form {
            PayloadForm::Separated => Body::Separated(text(body)?),
            PayloadForm::LengthPrefixed => Body::LengthPrefixed(text(body)?),
            PayloadForm::Binary => Body::Binary(body),
        }))
    }

    /// A reader of what answers a client's GET in revision 4: as many packets as were queued (E-063).
    ///
    /// # Errors
    /// [`PayloadError::InvalidUtf8`] if the body is not text.
    pub fn of_answer(body: Bytes) -> Result<Self, PayloadError> {
        Ok(Self { limit: usize::MAX, ..Self::new(PayloadForm::Separated, body)? })
    }

    /// A reader that finds nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            body: Body::Binary(Bytes::new()),
            next: None,
            packets: 0,
            limit: MAX_PACKETS_PER_PAYLOAD,
        }
    }

    const fn of(body: Body) -> Self {
        Self { body, next: Some(0), packets: 0, limit: MAX_PACKETS_PER_PAYLOAD }
    }

    /// The same reader, finding no more than so many packets; never more than
    /// [`MAX_PACKETS_PER_PAYLOAD`].
    #[must_use]
    pub fn limited(mut self, packets: usize) -> Self {
        self.limit = packets.min(MAX_PACKETS_PER_PAYLOAD);
        self
    }

    /// Whether nothing is left to decode.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.next.is_none()
    }

    /// The next packet; `None` after the last one, or after a broken one.
    ///
    /// # Errors
    /// See [`PayloadError`]: it ends the session, and the body.
    pub fn next_packet(&mut self) -> Option<Result<Packet<'_>, PayloadError>> {
        let at = self.next.take()?;
        self.packets += 1;
        if self.packets > self.limit {
            return Some(Err(PayloadError::TooManyPackets));
        }
        let (packet, length, rest) = match &self.body {
            Body::Separated(text) => {
                let mut decoder = PayloadDecoder::new(text.get(at..)?);
                (decoder.next(), text.len(), decoder.rest().map(str::len))
            }
            Body::LengthPrefixed(text) => {
                let mut decoder = TextDecoder::new(text.get(at..)?);
                (decoder.next(), text.len(), decoder.rest().map(str::len))
            }
            Body::Binary(bytes) => {
                let mut decoder = BinaryDecoder::new(bytes.get(at..)?);
                (decoder.next(), bytes.len(), decoder.rest().map(<[u8]>::len))
            }
        };
        self.next = rest.map(|rest| length - rest);
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Message;

    #[test]
    fn packets_come_one_by_one_in_every_form() {
        for (form, body) in [
            (PayloadForm::Separated, &b"4a\x1e2\x1ex\x1e6"[..]),
            (PayloadForm::LengthPrefixed, b"2:4a0:1:21:x1:6"),
            (PayloadForm::Binary, b"\0\x02\xff4a\0\x01\xff2\0\x01\xffx\0\x01\xff6"),
        ] {
            let mut reader = PayloadReader::new(form, Bytes::from_static(body)).unwrap();
            assert_eq!(reader.next_packet(), Some(Ok(Packet::Message(Message::Text("a")))));
            assert_eq!(reader.next_packet(), Some(Ok(Packet::Ping(""))));
            assert!(!reader.is_done());
            assert!(matches!(reader.next_packet(), Some(Err(PayloadError::Packet(_)))));
            assert!(reader.is_done());
            assert_eq!(reader.next_packet(), None);
            assert_eq!(reader.next_packet(), None);
        }
        assert_eq!(PayloadReader::empty().next_packet(), None);
    }

    #[test]
    fn text_must_be_utf_8() {
        let body = Bytes::from_static(b"1:6\xff");
        for form in [PayloadForm::Separated, PayloadForm::LengthPrefixed] {
            let error = PayloadReader::new(form, body.clone()).map(drop);
            assert_eq!(error, Err(PayloadError::InvalidUtf8));
        }
        assert!(PayloadReader::new(PayloadForm::Binary, body).is_ok());
    }

    #[test]
    fn the_number_of_packets_is_bounded() {
        for (form, record) in [
            (PayloadForm::Separated, &b"6\x1e"[..]),
            (PayloadForm::LengthPrefixed, b"1:6"),
            (PayloadForm::Binary, b"\0\x01\xff6"),
        ] {
            let body = record.repeat(MAX_PACKETS_PER_PAYLOAD + 1);
            let mut reader = PayloadReader::new(form, body.into()).unwrap();
            for _ in 0..MAX_PACKETS_PER_PAYLOAD {
                assert_eq!(reader.next_packet(), Some(Ok(Packet::Noop)));
            }
            assert_eq!(reader.next_packet(), Some(Err(PayloadError::TooManyPackets)));
            assert_eq!(reader.next_packet(), None);
        }
    }

    #[test]
    fn e_063_an_answer_has_as_many_packets_as_were_queued() {
        let body = [b"6\x1e".repeat(MAX_PACKETS_PER_PAYLOAD), b"2".to_vec()].concat();
        let mut reader = PayloadReader::of_answer(body.into()).unwrap();
        for _ in 0..MAX_PACKETS_PER_PAYLOAD {
            assert_eq!(reader.next_packet(), Some(Ok(Packet::Noop)));
        }
        assert_eq!(reader.next_packet(), Some(Ok(Packet::Ping(""))));
        assert_eq!(reader.next_packet(), None);
        let broken = PayloadReader::of_answer(Bytes::from_static(b"4\xff")).map(drop);
        assert_eq!(broken, Err(PayloadError::InvalidUtf8));
    }
}
