use sockeye_proto::engine::{
    MAX_PACKETS_PER_PAYLOAD, Packet, PayloadDecoder, PayloadEncoder, PayloadError,
};

use crate::engine_packet::{push, text_of};

/// Any UTF-8 as the body of a POST.
pub fn engine_payload(data: &[u8]) {
    let Ok(body) = str::from_utf8(data) else { return };
    let records = body.split('\u{1e}').count();
    let decoded: Vec<_> = PayloadDecoder::new(body).collect();
    assert!(decoded.len() <= records.min(MAX_PACKETS_PER_PAYLOAD + 1), "work is bounded");
    match decoded.split_last() {
        Some((Err(error), packets)) => {
            assert!(!error.to_string().is_empty());
            assert!(packets.iter().all(Result::is_ok), "decoding stops at the first error");
        }
        Some((Ok(_), _)) => assert_eq!(decoded.len(), records, "nothing is left out"),
        None => panic!("an empty body is one broken packet"),
    }
    survives_encoding(&decoded);
}

/// Writes the packets that could be read, and reads them again.
fn survives_encoding(decoded: &[Result<Packet<'_>, PayloadError>]) {
    let packets: Vec<_> = decoded.iter().flatten().collect();
    let mut payload = PayloadEncoder::new();
    packets.iter().for_each(|packet| push(&mut payload, packet));
    assert_eq!(payload.is_empty(), packets.is_empty());
    if payload.is_empty() {
        return;
    }
    let body = text_of(payload);
    let again: Vec<_> = PayloadDecoder::new(&body).collect();
    assert!(again.iter().flatten().eq(packets), "{body:?}");
    assert!(again.iter().all(Result::is_ok));
}
