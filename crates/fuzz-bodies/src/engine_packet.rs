use sockeye_proto::engine::{Message, Packet, PayloadEncoder, Received};
use sockeye_proto::websocket::Frame;

/// Any bytes as an Engine.IO packet: a text frame if they are UTF-8, and a binary frame.
pub fn engine_packet(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        text_packet(text);
    }
    let packet = Packet::binary(data);
    let text = encode(&packet);
    assert_eq!(Packet::decode(&text).as_ref(), Ok(&packet), "binary survives base64");
}

fn text_packet(text: &str) {
    match Packet::decode(text) {
        Ok(packet) => {
            let again = encode(&packet);
            assert_eq!(Packet::decode(&again).as_ref(), Ok(&packet), "encoded as {again:?}");
            let is_message = matches!(packet, Packet::Message(_));
            assert_eq!(Received::from(&packet) == Received::Message, is_message);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The packet as text, as a polling payload carries it.
pub(crate) fn encode(packet: &Packet<'_>) -> String {
    let mut payload = PayloadEncoder::new();
    push(&mut payload, packet);
    text_of(payload)
}

pub(crate) fn push(payload: &mut PayloadEncoder, packet: &Packet<'_>) {
    let text = match packet {
        Packet::Open(data) => format!("0{data}"),
        Packet::Close => "1".to_owned(),
        Packet::Ping(data) => format!("2{data}"),
        Packet::Pong(data) => format!("3{data}"),
        Packet::Message(Message::Text(text)) => format!("4{text}"),
        Packet::Message(Message::Binary(data)) => return payload.push(&Frame::binary(data)),
        Packet::Upgrade => "5".to_owned(),
        Packet::Noop => "6".to_owned(),
    };
    payload.push_text(text.as_bytes());
}

pub(crate) fn text_of(payload: PayloadEncoder) -> String {
    String::from_utf8(payload.finish()).expect("packets are text")
}
