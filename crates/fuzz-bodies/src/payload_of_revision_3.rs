use sockeye_proto::engine::{
    BinaryDecoder, Dialect, MAX_PACKETS_PER_PAYLOAD, Message, Packet, PayloadEncoder, PayloadError,
    PayloadForm, PayloadReader, Query, TextDecoder,
};
use sockeye_proto::websocket::Frame;

use crate::engine_packet::{push, text_of};

/// Any bytes as the body of a POST of revision 3: a binary payload, and a text payload if they are
/// UTF-8.
pub fn payload_of_revision_3(data: &[u8]) {
    check(PayloadForm::Binary, data, &BinaryDecoder::new(data).collect::<Vec<_>>());
    if let Ok(text) = str::from_utf8(data) {
        check(PayloadForm::LengthPrefixed, data, &TextDecoder::new(text).collect::<Vec<_>>());
    }
}

fn check(form: PayloadForm, data: &[u8], decoded: &[Result<Packet<'_>, PayloadError>]) {
    // The shortest record is two bytes long.
    let most = (data.len() / 2 + 1).min(MAX_PACKETS_PER_PAYLOAD + 1);
    assert!(decoded.len() <= most, "work is bounded");
    if let Some((last, before)) = decoded.split_last() {
        assert!(before.iter().all(Result::is_ok), "decoding stops at the first error");
        assert!(last.as_ref().map_or_else(|error| !error.to_string().is_empty(), |_| true));
    }
    one_by_one(form, data, decoded);
    survives_encoding(form, decoded);
}

/// A reader finds the same, and may be left after each packet.
fn one_by_one(form: PayloadForm, data: &[u8], decoded: &[Result<Packet<'_>, PayloadError>]) {
    let body = data.to_vec().into();
    let mut reader = PayloadReader::new(form, body).expect("text was checked");
    for expected in decoded {
        assert_eq!(reader.next_packet().as_ref(), Some(expected));
    }
    assert_eq!(reader.next_packet(), None);
}

/// Writes the packets that could be read, and reads them again.
fn survives_encoding(form: PayloadForm, decoded: &[Result<Packet<'_>, PayloadError>]) {
    let packets: Vec<_> = decoded.iter().flatten().collect();
    let mut payload = PayloadEncoder::of_form(form);
    let dialect = Dialect::of(&Query::parse("EIO=3"));
    for packet in &packets {
        match packet {
            Packet::Message(Message::Binary(data)) => {
                payload.push(&dialect.frame(Frame::binary(data)));
            }
            other => push(&mut payload, other),
        }
    }
    assert_eq!(payload.is_empty(), packets.is_empty());
    if packets.is_empty() {
        return;
    }
    let again = match form {
        PayloadForm::Binary => {
            let body = payload.finish();
            BinaryDecoder::new(&body).eq(packets.into_iter().cloned().map(Ok))
        }
        _ => TextDecoder::new(&text_of(payload)).eq(packets.into_iter().cloned().map(Ok)),
    };
    assert!(again, "{form:?}");
}
