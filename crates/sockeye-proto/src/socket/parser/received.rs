//! From what a custom parser read to what the machine and the handlers take: JSON text, and bytes
//! beside it, as if the packet had come by the default parser.

use bytes::Bytes;

use super::{PacketKind, ParserPacket};
use crate::socket::json::{MAX_DEPTH, all_in_range, write_placeholder};
use crate::socket::{DecodeError, OwnedArguments, Packet, Payload, Value};

/// A packet that came by a custom parser, checked.
#[derive(Debug)]
pub struct ReceivedPacket {
    namespace: String,
    id: Option<u64>,
    payload: OwnedPayload,
}

#[derive(Debug)]
enum OwnedPayload {
    Connect(Option<String>),
    Disconnect,
    Event { name: String, arguments: OwnedArguments },
    Acknowledgement(OwnedArguments),
    ConnectError(String),
}

impl ReceivedPacket {
    /// Checks and takes a packet.
    ///
    /// Bytes in what a client sends along with CONNECT become lists of numbers, which decode into
    /// byte types all the same. In a packet with bytes elsewhere, an object that looks like one of
    /// the default parser's placeholders is one.
    ///
    /// # Errors
    /// As of [`ParserPacket::validate`]; [`DecodeError::InvalidPayload`] also if data is nested
    /// too deep, and [`DecodeError::IllegalAttachment`] if what looks like a placeholder names none
    /// of the packet's bytes.
    pub fn new(packet: ParserPacket) -> Result<Self, DecodeError> {
        packet.validate()?;
        let ParserPacket { kind, namespace, id, data } = packet;
        let payload = match (kind, data) {
            (PacketKind::Connect, data) => {
                OwnedPayload::Connect(data.as_ref().map(json).transpose()?)
            }
            (PacketKind::Event, Some(Value::Array(items))) => event(items)?,
            (PacketKind::Acknowledgement, Some(Value::Array(items))) => {
                OwnedPayload::Acknowledgement(arguments(items.into_iter())?)
            }
            (PacketKind::ConnectError, Some(data)) => OwnedPayload::ConnectError(json(&data)?),
            (PacketKind::Disconnect, None) => OwnedPayload::Disconnect,
            _ => return Err(DecodeError::InvalidPayload),
        };
        Ok(Self { namespace, id, payload })
    }

    /// The packet.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        let payload = match &self.payload {
            OwnedPayload::Connect(data) => Payload::Connect(data.as_deref()),
            OwnedPayload::Disconnect => Payload::Disconnect,
            OwnedPayload::Event { name, arguments } => {
                Payload::Event { name: name.into(), arguments: arguments.as_arguments() }
            }
            OwnedPayload::Acknowledgement(arguments) => {
                Payload::Acknowledgement(arguments.as_arguments())
            }
            OwnedPayload::ConnectError(data) => Payload::ConnectError(data),
        };
        Packet { namespace: &self.namespace, id: self.id, payload }
    }
}

/// JSON in which bytes are lists of numbers.
fn json(data: &Value) -> Result<String, DecodeError> {
    check_depth(data)?;
    serde_json::to_string(data).map_err(|_| DecodeError::InvalidPayload)
}

fn event(items: Vec<Value>) -> Result<OwnedPayload, DecodeError> {
    let mut items = items.into_iter();
    let name = match items.next() {
        Some(Value::String(name)) => name,
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(DecodeError::InvalidPayload),
    };
    Ok(OwnedPayload::Event { name, arguments: arguments(items)? })
}

fn arguments(items: impl Iterator<Item = Value>) -> Result<OwnedArguments, DecodeError> {
    let mut writer = Writer::default();
    writer.items(items)?;
    let Writer { json, attachments, look_alikes } = writer;
    let list = String::from_utf8(json).map_err(|_| DecodeError::InvalidPayload)?;
    if look_alikes
        && !attachments.is_empty()
        && !all_in_range(&format!("[{list}]"), attachments.len())
    {
        return Err(DecodeError::IllegalAttachment);
    }
    Ok(OwnedArguments { list: list.into(), attachments })
}

/// Values as JSON, and the bytes that were in them.
#[derive(Default)]
struct Writer {
    json: Vec<u8>,
    attachments: Vec<Bytes>,
    /// Whether an object looks like a placeholder, and is none.
    look_alikes: bool,
}

impl Writer {
    /// Arguments, with commas between them.
    fn items(&mut self, items: impl Iterator<Item = Value>) -> Result<(), DecodeError> {
        for (index, item) in items.enumerate() {
            check_depth(&item)?;
            self.comma(index);
            self.value(item)?;
        }
        Ok(())
    }

    /// Recursive: the depth has been checked.
    fn value(&mut self, value: Value) -> Result<(), DecodeError> {
        match value {
            Value::Binary(bytes) => self.attachment(bytes)?,
            Value::Array(items) => {
                self.json.push(b'[');
                for (index, item) in items.into_iter().enumerate() {
                    self.comma(index);
                    self.value(item)?;
                }
                self.json.push(b']');
            }
            Value::Object(entries) => {
                self.look_alikes |= entries.get("_placeholder") == Some(&Value::Bool(true));
                self.json.push(b'{');
                for (index, (key, value)) in entries.into_iter().enumerate() {
                    self.comma(index);
                    self.scalar(&Value::String(key))?;
                    self.json.push(b':');
                    self.value(value)?;
                }
                self.json.push(b'}');
            }
            scalar => self.scalar(&scalar)?,
        }
        Ok(())
    }

    fn scalar(&mut self, value: &Value) -> Result<(), DecodeError> {
        serde_json::to_writer(&mut self.json, value).map_err(|_| DecodeError::InvalidPayload)
    }

    fn attachment(&mut self, bytes: Bytes) -> Result<(), DecodeError> {
        let number = self.attachments.len();
        self.attachments.push(bytes);
        write_placeholder(&mut self.json, number).map_err(|_| DecodeError::InvalidPayload)
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.json.push(b',');
        }
    }
}

/// What the default parser would not take must not reach those who rely on that.
fn check_depth(value: &Value) -> Result<(), DecodeError> {
    if fits(value, MAX_DEPTH) { Ok(()) } else { Err(DecodeError::InvalidPayload) }
}

fn fits(value: &Value, depth: u32) -> bool {
    let deeper = depth.checked_sub(1);
    match value {
        Value::Array(items) => {
            deeper.is_some_and(|depth| items.iter().all(|item| fits(item, depth)))
        }
        Value::Object(entries) => {
            deeper.is_some_and(|depth| entries.values().all(|value| fits(value, depth)))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn received(kind: PacketKind, data: Value) -> Result<ReceivedPacket, DecodeError> {
        let packet = ParserPacket { kind, namespace: "/a".into(), id: Some(7), data: Some(data) };
        ReceivedPacket::new(packet)
    }

    fn value(json: serde_json::Value) -> Value {
        serde_json::from_value(json).unwrap()
    }

    fn bytes(bytes: &'static [u8]) -> Value {
        Value::Binary(Bytes::from_static(bytes))
    }

    #[test]
    fn an_event_is_lent_as_if_it_had_come_by_the_default_parser() {
        let data = vec![
            Value::String("up".into()),
            value(json!({"a": [1, -2.5, "é\"\n", null, true]})),
            Value::Array(vec![bytes(&[1]), bytes(&[2])]),
        ];
        let received = received(PacketKind::Event, Value::Array(data.clone())).unwrap();
        let packet = received.packet();
        assert_eq!((packet.namespace, packet.id), ("/a", Some(7)));
        let Payload::Event { name, arguments } = packet.payload else { panic!("no event") };
        assert_eq!(name, "up");
        let list = "{\"a\":[1,-2.5,\"é\\\"\\n\",null,true]},[{\"_placeholder\":true,\"num\":0},\
                    {\"_placeholder\":true,\"num\":1}]";
        assert_eq!(arguments.list, list);
        assert_eq!(arguments.decode_all::<Value>().unwrap(), data[1..]);
    }

    #[test]
    fn s_015_a_number_may_be_the_name() {
        let received = received(PacketKind::Event, value(json!([-1, 2]))).unwrap();
        let Payload::Event { name, arguments } = received.packet().payload else { panic!() };
        assert_eq!((&*name, arguments.list), ("-1", "2"));
    }

    #[test]
    fn other_packets_have_their_json() {
        let connect = received(PacketKind::Connect, value(json!({"token": "x"}))).unwrap();
        let Payload::Connect(Some(auth)) = connect.packet().payload else { panic!() };
        assert_eq!(auth, "{\"token\":\"x\"}");
        let error = received(PacketKind::ConnectError, value(json!("no"))).unwrap();
        let Payload::ConnectError(data) = error.packet().payload else { panic!() };
        assert_eq!(data, "\"no\"");
    }

    #[test]
    fn bytes_in_auth_decode_as_bytes() {
        let auth = Value::Object([("key".to_owned(), bytes(&[1, 255]))].into());
        let connect = received(PacketKind::Connect, auth).unwrap();
        let Payload::Connect(Some(auth)) = connect.packet().payload else { panic!() };
        let auth: std::collections::BTreeMap<String, Bytes> = serde_json::from_str(auth).unwrap();
        assert_eq!(auth["key"], &[1, 255][..]);
    }

    #[test]
    fn what_looks_like_a_placeholder_is_one_only_beside_bytes() {
        let look_alike = |number| value(json!({"_placeholder": true, "num": number}));
        let name = || Value::String("a".into());
        let alone = Value::Array(vec![name(), look_alike(9)]);
        let alone = received(PacketKind::Event, alone).unwrap();
        let Payload::Event { arguments, .. } = alone.packet().payload else { panic!() };
        assert_eq!(arguments.decode::<Value>().unwrap(), look_alike(9));
        let beside = Value::Array(vec![name(), look_alike(1), bytes(&[1])]);
        assert_eq!(
            received(PacketKind::Event, beside).unwrap_err(),
            DecodeError::IllegalAttachment
        );
        let inside = Value::Array(vec![name(), look_alike(0), bytes(&[1])]);
        let inside = received(PacketKind::Event, inside).unwrap();
        let Payload::Event { arguments, .. } = inside.packet().payload else { panic!() };
        assert_eq!(arguments.decode::<(Value, Value)>().unwrap(), (bytes(&[1]), bytes(&[1])));
    }

    #[test]
    fn p_10_what_is_nested_deeper_than_json_may_be_is_refused() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let event = |depth| Value::Array(vec![Value::String("a".into()), nested(depth)]);
        let deepest = received(PacketKind::Event, event(126)).unwrap();
        let Payload::Event { arguments, .. } = deepest.packet().payload else { panic!() };
        assert_eq!(arguments.decode::<Value>().unwrap(), nested(126));
        let too_deep = received(PacketKind::Event, event(127)).unwrap_err();
        assert_eq!(too_deep, DecodeError::InvalidPayload);
        let auth = |depth| Value::Object([("a".to_owned(), nested(depth))].into());
        assert!(received(PacketKind::Connect, auth(125)).is_ok());
        assert!(received(PacketKind::Connect, auth(126)).is_err());
    }
}
