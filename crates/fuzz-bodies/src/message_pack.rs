use std::sync::Arc;

use serde::de::IgnoredAny;
use sockeye_proto::socket::{
    Arguments, Encoder, MessagePack, Packet, PacketKind, Parser, ParserInput, ParserMessage,
    ParserPacket, Payload, ReceivedPacket, Scratch, Value,
};

/// Any bytes as a packet of the official MessagePack parser.
pub fn message_pack(data: &[u8]) {
    let received = MessagePack.decoder().receive(ParserInput::Binary(data));
    let packet = match decode(data) {
        Ok(packet) => packet,
        Err(error) => {
            assert!(!error.is_empty());
            // Only what looks like a placeholder is left to be found later.
            let refused = received.map(|received| received.expect("complete").packet().is_err());
            return assert!(refused.unwrap_or(true));
        }
    };
    let message = encode(&packet);
    assert_eq!(encode(&decode(&message).expect("it was written by ourselves")), message);
    let received = received.expect("the same").expect("a message is a packet");
    let valid = packet.validate();
    match received.packet() {
        Ok(lent) => {
            assert_eq!(valid, Ok(()));
            check(&packet, lent, &message);
            let through_values = ReceivedPacket::new(packet.clone()).expect("it is valid");
            check(&packet, through_values.packet().expect("it is valid"), &message);
        }
        // Depth is limited a little more than in messages, and keys may come twice.
        Err(error) => assert!(valid.is_ok() || valid == Err(error)),
    }
}

fn decode(message: &[u8]) -> Result<ParserPacket, String> {
    let packet = MessagePack.decoder().add(ParserInput::Binary(message));
    packet.map(|packet| packet.expect("a message is a packet")).map_err(|error| error.to_string())
}

fn encode(packet: &ParserPacket) -> Vec<u8> {
    let messages = MessagePack.encode(packet).expect("what was read can be written");
    match messages.into_iter().next() {
        Some(ParserMessage::Binary(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn check(packet: &ParserPacket, lent: Packet<'_>, message: &[u8]) {
    assert_eq!((lent.namespace, lent.id), (&*packet.namespace, packet.id));
    match lent.payload {
        Payload::Connect(auth) => assert!(auth.is_none_or(is_json)),
        Payload::Disconnect => assert_eq!(packet.kind, PacketKind::Disconnect),
        Payload::ConnectError(data) => assert!(is_json(data)),
        Payload::Event { name, arguments } => check_event(packet, &name, &arguments, message),
        Payload::Acknowledgement(arguments) => {
            let values = arguments.decode_all::<Value>().expect("each is a value");
            assert_eq!(items(packet).len(), values.len());
        }
    }
}

/// Sent back as it came, an event is the same message, but for what looks like a placeholder.
fn check_event(packet: &ParserPacket, name: &str, arguments: &Arguments<'_>, message: &[u8]) {
    let (first, sent) = items(packet).split_first().expect("an event has a name");
    let values = arguments.decode_all::<Value>().expect("each is a value");
    assert_eq!(values.len(), sent.len());
    if arguments.attachments().is_empty() || !sent.iter().any(looks_like_placeholder) {
        assert_eq!(values, sent);
        let mut scratch = Scratch::new();
        let mut encoder = Encoder::new(&mut scratch, &packet.namespace);
        let echo = encoder.event(name, packet.id, arguments).expect("the name is not reserved");
        let echo = echo.with_parser(&parser(), &packet.namespace).expect("it came like this");
        let is_text = matches!(first, Value::String(_));
        assert!(!is_text || echo.frames().next().expect("one message").payload() == message);
    }
}

fn parser() -> Arc<dyn Parser> {
    Arc::new(MessagePack)
}

fn items(packet: &ParserPacket) -> &[Value] {
    match &packet.data {
        Some(Value::Array(items)) => items,
        other => panic!("{other:?}"),
    }
}

fn looks_like_placeholder(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(looks_like_placeholder),
        Value::Object(entries) => {
            entries.contains_key("_placeholder") || entries.values().any(looks_like_placeholder)
        }
        _ => false,
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}
