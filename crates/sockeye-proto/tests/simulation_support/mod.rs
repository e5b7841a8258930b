//! A server, a client and a network on a virtual clock, small enough to be read in one sitting.

pub(crate) mod client;
pub(crate) mod network;
pub(crate) mod server;

use sockeye_proto::engine::Message;
use sockeye_proto::websocket::{Decoder, Frame, Limits, Message as WebSocketMessage};

/// The message with this number as an Engine.IO packet: each third one is binary.
pub(crate) fn numbered(number: usize) -> Frame {
    if number.is_multiple_of(3) {
        Frame::binary(&number.to_be_bytes())
    } else {
        Frame::text(format!("4{number}").as_bytes())
    }
}

/// Takes messages in the order in which they were sent: none twice, none left out.
#[derive(Default)]
pub(crate) struct Inbox {
    taken: usize,
}

impl Inbox {
    pub(crate) fn take(&mut self, message: &Message<'_>) {
        let number = match message {
            Message::Text(text) => text.parse().expect("a number"),
            Message::Binary(data) => usize::from_be_bytes(data[..].try_into().expect("8 bytes")),
        };
        assert_eq!(number, self.taken, "messages arrive in order, each once");
        self.taken += 1;
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken
    }
}

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
        match decoder.decode(rest, &Limits::new(1_000)).expect("both sides keep to the RFC") {
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
