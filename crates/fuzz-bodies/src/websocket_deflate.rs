use sockeye_proto::websocket::{
    Decoder, DeflateAgreement, Deflater, Frame, Inflater, PerMessageDeflate, Role,
};

use crate::websocket_frames::{BUFFERED_BYTES, MESSAGE_BYTES, Said, limits};

/// What a connection keeps where context is taken over.
const CONTEXT_BYTES: usize = 4096;
/// Messages that go there and back.
const MESSAGES: usize = 3;
/// The last frame of a binary message, compressed, with a length in 16 bits.
const COMPRESSED: [u8; 2] = [0xc2, 126];

/// Any bytes where compression is agreed on: as what a peer sends, as a compressed message, and as
/// messages to compress.
///
/// The first byte says who it is, whether context is taken over, and how bytes are cut.
pub fn websocket_deflate(data: &[u8]) {
    let Some((&setting, rest)) = data.split_first() else { return };
    let role = if setting & 1 == 0 { Role::Server } else { Role::Client };
    let settings = settings(setting & 2 != 0);
    let offer = b"permessage-deflate; client_max_window_bits; server_max_window_bits=12";
    let agreement = settings.negotiate([&offer[..]]).expect("a good offer");
    let size = usize::from(setting >> 2).max(1);

    let whole = hear(role, &agreement, &[rest]);
    assert_eq!(hear(role, &agreement, &rest.chunks(size).collect::<Vec<_>>()), whole, "{size}");
    let (before, after) = rest.split_at(size.min(rest.len()));
    assert_eq!(hear(role, &agreement, &[before, after]), whole, "cut at {size}");

    inflates(rest, &agreement);
    comes_back(rest, size, &settings, &agreement);
    // A header may say anything.
    let _ = settings.negotiate([rest]);
}

fn settings(takeover: bool) -> PerMessageDeflate {
    PerMessageDeflate::new()
        .threshold(0)
        .level(1)
        .context_bytes(CONTEXT_BYTES)
        .server_context_takeover(takeover)
        .client_context_takeover(takeover)
}

fn hear(role: Role, agreement: &DeflateAgreement, chunks: &[&[u8]]) -> Vec<Said> {
    let mut decoder = Decoder::with_deflate(role, agreement);
    let mut inflater = Inflater::new();
    let mut said = Vec::new();
    for chunk in chunks {
        read(&mut decoder, &mut inflater, chunk, &mut said);
        if let Some(Said::Error(_)) = said.last() {
            break;
        }
        assert!(decoder.buffered_bytes() <= BUFFERED_BYTES + CONTEXT_BYTES);
    }
    said
}

fn read(decoder: &mut Decoder, inflater: &mut Inflater, chunk: &[u8], said: &mut Vec<Said>) {
    let mut chunk = chunk.to_vec();
    let mut rest = &mut chunk[..];
    loop {
        match decoder.decode_with(rest, &limits(), inflater) {
            Ok((used, Some(message))) => {
                assert!(used > 0, "a message takes bytes");
                let message = Said::from(message);
                if let Said::Data(_, payload) = &message {
                    assert!(payload.len() <= MESSAGE_BYTES, "{}", payload.len());
                }
                said.push(message);
                rest = &mut rest[used..];
            }
            Ok((used, None)) => return assert_eq!(used, rest.len(), "all is consumed"),
            Err(error) => return said.push(Said::Error(error)),
        }
    }
}

/// The bytes as a compressed message, and what it says as one that is to be compressed.
fn inflates(payload: &[u8], agreement: &DeflateAgreement) {
    let payload = &payload[..payload.len().min(MESSAGE_BYTES)];
    let length = (payload.len() as u16).to_be_bytes();
    let frame = [&COMPRESSED[..], &length, payload].concat();
    let said = hear(Role::Client, agreement, &[&frame]);
    assert_eq!(said.len(), 1, "a message or an error");
    if let Said::Data(_, payload) = &said[0] {
        comes_back(payload, MESSAGE_BYTES, &settings(false), agreement);
    }
}

fn comes_back(
    bytes: &[u8],
    size: usize,
    settings: &PerMessageDeflate,
    agreement: &DeflateAgreement,
) {
    let mut context = agreement.sending(Role::Server);
    let mut deflater = Deflater::new();
    let messages: Vec<_> = bytes.chunks(size * 4).take(MESSAGES).collect();
    let frames: Vec<_> = messages
        .iter()
        .map(|message| {
            let frame = Frame::binary(message);
            deflater.deflate(&frame, settings, &mut context).unwrap_or(frame)
        })
        .collect();
    let wire: Vec<_> = frames.iter().map(Frame::as_bytes).collect();
    let heard = hear(Role::Client, agreement, &[&wire.concat()]);
    let fits = |message: &&[u8]| message.len() <= MESSAGE_BYTES;
    for (said, message) in heard.iter().zip(messages.into_iter().take_while(fits)) {
        assert!(matches!(said, Said::Data(_, payload) if payload == message), "{said:?}");
    }
}
