use std::sync::Arc;

use serde::de::IgnoredAny;
use sockeye_proto::socket::{
    ArgumentWriter, Arguments, Decoder, Encoded, Encoder, MAX_ATTACHMENTS, MessagePack, Packet,
    Parser, ParserInput, Payload, Scratch, ToArguments, Value, is_reserved_event,
};

/// Stands between the packet's text and its attachments; UTF-8 never has it.
const SEPARATOR: u8 = 0xff;
/// How deep data may be nested so that it can also be put into one more list.
const NESTED: usize = 120;
/// The highest id that JavaScript knows exactly.
const MAX_ID: u64 = (1 << 53) - 1;

/// Any bytes as a Socket.IO packet: UTF-8, and attachments each behind a byte `ff`.
pub fn socket_packet(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == SEPARATOR);
    let Some(Ok(text)) = parts.next().map(str::from_utf8) else { return };
    is_taken_if_it_is_json(text);
    receive(text, parts, check);
}

/// What stands between brackets is a list of arguments just where it is one of JSON.
fn is_taken_if_it_is_json(text: &str) {
    let list = format!("[{text}]");
    if list.matches(['[', '{']).count() <= NESTED {
        let is_json = serde_json::from_str::<Vec<IgnoredAny>>(&list).is_ok();
        let is_taken = Decoder::new().text(&format!("3{list}"), 0).is_ok();
        assert_eq!(is_taken, is_json, "{list}");
    }
}

/// Puts the packet together, as a connection does, and shows it to `then`.
fn receive<'a>(
    text: &str,
    mut attachments: impl Iterator<Item = &'a [u8]>,
    then: impl FnOnce(&Packet<'_>),
) {
    let mut decoder = Decoder::new();
    match decoder.text(text, MAX_ATTACHMENTS) {
        Ok(Some(packet)) => return then(&packet),
        Ok(None) => assert!(decoder.awaits_attachments()),
        Err(error) => return assert!(!error.to_string().is_empty()),
    }
    for taken in 1.. {
        let Some(attachment) = attachments.next() else { return };
        assert!(taken <= MAX_ATTACHMENTS, "attachments are limited");
        let complete = decoder.binary(attachment).expect("attachments are awaited");
        assert_eq!(complete.is_none(), decoder.awaits_attachments());
        if let Some(assembled) = complete {
            return then(&assembled.packet());
        }
    }
}

fn check(packet: &Packet<'_>) {
    assert!(packet.namespace.starts_with('/') && !packet.namespace.contains(','));
    assert!(packet.id.is_none_or(|id| id <= MAX_ID));
    match &packet.payload {
        Payload::Connect(auth) => assert!(auth.is_none_or(is_json)),
        Payload::Disconnect | Payload::ConnectError(_) => {}
        Payload::Event { name, arguments } => {
            assert!(!is_reserved_event(name));
            check_arguments(packet, arguments);
        }
        Payload::Acknowledgement(arguments) => check_arguments(packet, arguments),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn check_arguments(packet: &Packet<'_>, arguments: &Arguments<'_>) {
    assert!(arguments.iter().all(is_json));
    let count = arguments.iter().count();
    assert_eq!(arguments.skip(count).iter().count(), 0);
    let name = name_of(packet).unwrap_or("event");
    for kind in [Kind::Event(name, packet.id), Kind::Acknowledgement(packet.id.unwrap_or(1))] {
        sent_on_they_are_the_same(packet.namespace, kind, arguments);
    }
    let decoded = arguments.decode_all::<Value>();
    // JSON may hold what Rust does not: numbers beyond `f64` do not decode, halves of characters, which are
    // always escaped, are replaced.
    if !arguments.iter().all(|json| serde_json::from_str::<Value>(json).is_ok()) {
        if let Ok(values) = decoded {
            assert!(arguments.iter().any(|json| json.contains("\\u")));
            assert_eq!(values.len(), count);
            written_again_they_are_the_same(packet.namespace, values);
        }
        return;
    }
    let values = decoded.expect("each argument alone can be decoded");
    assert_eq!(values.len(), count);
    if arguments.attachments().is_empty() {
        let expected = arguments.iter().map(|json| serde_json::from_str::<Value>(json).ok());
        assert!(expected.eq(values.iter().cloned().map(Some)), "as serde_json decodes them");
    }
    by_another_parser_they_are_the_same(packet.namespace, arguments, &values);
    behind_bytes_they_are_the_same(packet.namespace, arguments);
    written_again_they_are_the_same(packet.namespace, values);
}

/// What arguments are sent as.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Event(&'a str, Option<u64>),
    Acknowledgement(u64),
}

fn sent_on_they_are_the_same(namespace: &str, kind: Kind<'_>, arguments: &Arguments<'_>) {
    let sent = encode(namespace, kind, arguments);
    arrive(&sent, |again| {
        assert_eq!(again.namespace, namespace);
        match kind {
            Kind::Event(name, id) => assert_eq!((name_of(again), again.id), (Some(name), id)),
            Kind::Acknowledgement(id) => assert_eq!((name_of(again), again.id), (None, Some(id))),
        }
        let theirs = arguments_of(again);
        assert!(theirs.iter().eq(arguments.iter()));
        assert_eq!(theirs.attachments(), arguments.attachments());
        assert!(encode(namespace, kind, theirs).text().len() <= sent.text().len(), "it grows");
    });
}

/// Bytes of a program's own, and behind them what it relays.
struct Behind<'a>(&'a Value, &'a Arguments<'a>);

impl ToArguments for Behind<'_> {
    fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
        self.0.write(writer)?;
        self.1.write(writer)
    }
}

fn behind_bytes_they_are_the_same(namespace: &str, arguments: &Arguments<'_>) {
    let own = Value::Binary(b"own".to_vec().into());
    let sent = encode(namespace, Kind::Acknowledgement(7), &Behind(&own, arguments));
    if arguments.attachments().is_empty() || sent.attachments().len() > MAX_ATTACHMENTS {
        return;
    }
    arrive(&sent, |again| {
        let theirs = arguments_of(again);
        let (first, others) = theirs.attachments().split_first().expect("its own");
        assert_eq!((&first[..], others), (&b"own"[..], arguments.attachments()));
        let decoded = theirs.skip(1).decode_all::<Value>().ok();
        assert_eq!(decoded, arguments.decode_all::<Value>().ok());
    });
}

fn written_again_they_are_the_same(namespace: &str, values: Vec<Value>) {
    let value = Value::Array(values);
    let sent = encode(namespace, Kind::Event("event", None), &value);
    if sent.attachments().len() == 0 {
        let expected = serde_json::to_string(&value).expect("JSON") + "]";
        assert!(sent.text().ends_with(expected.as_bytes()), "as serde_json writes them");
    }
    if sent.attachments().len() <= MAX_ATTACHMENTS && depth(&value) <= NESTED {
        arrive(&sent, |again| {
            assert_eq!(arguments_of(again).decode::<Value>().ok(), Some(value));
        });
    }
}

fn by_another_parser_they_are_the_same(
    namespace: &str,
    arguments: &Arguments<'_>,
    values: &[Value],
) {
    let sent = encode(namespace, Kind::Acknowledgement(1), arguments);
    let sent = sent.with_parser(&parser(), namespace).expect("it is no deeper than it may be");
    let message = sent.frames().next().expect("one message").payload();
    let received = MessagePack.decoder().receive(ParserInput::Binary(message)).expect("a packet");
    let received = received.expect("it is complete");
    let again = received.packet().expect("it is valid");
    assert_eq!((again.namespace, again.id), (namespace, Some(1)));
    let again = arguments_of(&again).decode_all::<Value>().expect("what was sent");
    assert!(again.iter().zip(values).all(|(again, value)| are_same(again, value)));
    assert_eq!(again.len(), values.len());
}

fn parser() -> Arc<dyn Parser> {
    Arc::new(MessagePack)
}

/// Whether they are to JavaScript, which does not tell `1.0` from `1`.
fn are_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| are_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.keys().eq(other.keys())
                && one.values().zip(other.values()).all(|(one, other)| are_same(one, other))
        }
        (one, other) => one == other,
    }
}

fn encode<A: ToArguments>(namespace: &str, kind: Kind<'_>, arguments: &A) -> Encoded {
    let mut scratch = Scratch::new();
    let mut encoder = Encoder::new(&mut scratch, namespace);
    let encoded = match kind {
        Kind::Event(name, id) => encoder.event(name, id, arguments),
        Kind::Acknowledgement(id) => encoder.acknowledgement(id, arguments),
    };
    encoded.expect("what was decoded can be encoded")
}

/// Receives what was sent; it must be a packet.
fn arrive(sent: &Encoded, then: impl FnOnce(&Packet<'_>)) {
    let text = str::from_utf8(sent.text()).expect("packets are text");
    let mut is_packet = false;
    receive(text, sent.attachments(), |packet| {
        is_packet = true;
        then(packet);
    });
    assert!(is_packet, "not a packet: {text:?}");
}

fn name_of<'a>(packet: &'a Packet<'_>) -> Option<&'a str> {
    match &packet.payload {
        Payload::Event { name, .. } => Some(name),
        _ => None,
    }
}

fn arguments_of<'a>(packet: &'a Packet<'_>) -> &'a Arguments<'a> {
    match &packet.payload {
        Payload::Event { arguments, .. } | Payload::Acknowledgement(arguments) => arguments,
        other => panic!("{other:?}"),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
