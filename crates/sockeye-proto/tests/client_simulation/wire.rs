use sockeye_proto::engine::Message;
use sockeye_proto::websocket::{Decoder, Limits, Message as WebSocketMessage};

use super::sessions::Told;

/// What came over a WebSocket, without its borrow of the decoder.
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Close,
}

pub(crate) fn hear(decoder: &mut Decoder, mut bytes: Vec<u8>) -> Vec<Heard> {
    let mut rest = &mut bytes[..];
    let mut heard = Vec::new();
    loop {
        match decoder.decode(rest, &Limits::new(100_000)).expect("both sides keep to the RFC") {
            (_, None) => return heard,
            (used, Some(message)) => {
                heard.push(match message {
                    WebSocketMessage::Text(text) => Heard::Text(text.to_owned()),
                    WebSocketMessage::Binary(data) => Heard::Binary(data.to_owned()),
                    WebSocketMessage::Close(_) => Heard::Close,
                    other => panic!("nobody sends {other:?}"),
                });
                rest = &mut rest[used..];
            }
        }
    }
}

impl From<&Message<'_>> for Told {
    fn from(message: &Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text((*text).to_owned()),
            Message::Binary(data) => Self::Binary(data.to_vec()),
        }
    }
}
