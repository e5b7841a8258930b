//! From what a custom parser read to what the machine and the handlers take: JSON text, and bytes
//! beside it, as if the packet had come by the default parser.

use bytes::Bytes;

use super::{PacketKind, ParserPacket};
use crate::socket::json::{MAX_DEPTH, packet_of, write_placeholder, write_string};
use crate::socket::{DecodeError, Packet, Value};

/// A packet that came by a custom parser, in the default parser's form.
#[derive(Debug)]
pub struct ReceivedPacket {
    kind: PacketKind,
    namespace: String,
    id: Option<u64>,
    /// Empty if there is none.
    data: String,
    attachments: Vec<Bytes>,
}

impl ReceivedPacket {
    /// Takes a packet, and writes its data as JSON.
    ///
    /// Bytes in what a client sends along with CONNECT become lists of numbers, which decode into
    /// byte types all the same. In a packet with bytes elsewhere, an object that looks like one of
    /// the default parser's placeholders is one.
    ///
    /// # Errors
    /// As of [`ParserPacket::validate`]; [`DecodeError::InvalidPayload`] also if data is nested
    /// too deep.
    pub fn new(packet: ParserPacket) -> Result<Self, DecodeError> {
        packet.validate()?;
        let ParserPacket { kind, namespace, id, data } = packet;
        let mut writer = Writer::default();
        match data {
            Some(data) if kind == PacketKind::Connect => {
                check_depth(&data)?;
                writer.scalar(&data)?;
            }
            Some(data) => {
                check_depth(&data)?;
                writer.value(&data)?;
            }
            None => {}
        }
        let data = String::from_utf8(writer.json).map_err(|_| DecodeError::InvalidPayload)?;
        Ok(Self { kind, namespace, id, data, attachments: writer.attachments })
    }

    /// A packet whose data is JSON already, with `{"_placeholder":true,"num":0}` for the first of
    /// `attachments` and so on, as in the default parser's packets. Data of CONNECT has none.
    #[must_use]
    pub fn from_json(
        kind: PacketKind,
        namespace: String,
        id: Option<u64>,
        data: Option<String>,
        attachments: Vec<Bytes>,
    ) -> Self {
        Self { kind, namespace, id, data: data.unwrap_or_default(), attachments }
    }

    /// The packet, checked.
    ///
    /// # Errors
    /// [`DecodeError::InvalidPayload`] if the data does not fit the packet (S-017), is no JSON or
    /// nested too deep; [`DecodeError::InvalidId`]; [`DecodeError::IllegalAttachment`] if a
    /// placeholder is out of range.
    pub fn packet(&self) -> Result<Packet<'_>, DecodeError> {
        packet_of(self.kind, &self.namespace, self.id, &self.data, &self.attachments)
    }
}

/// A value as JSON, and the bytes that were in it.
#[derive(Default)]
struct Writer {
    json: Vec<u8>,
    attachments: Vec<Bytes>,
}

impl Writer {
    /// Recursive: the depth has been checked.
    fn value(&mut self, value: &Value) -> Result<(), DecodeError> {
        match value {
            Value::Binary(bytes) => {
                let number = self.attachments.len();
                self.attachments.push(bytes.clone());
                write_placeholder(&mut self.json, number);
            }
            Value::Array(items) => {
                self.json.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    self.comma(index);
                    self.value(item)?;
                }
                self.json.push(b']');
            }
            Value::Object(entries) => {
                self.json.push(b'{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.comma(index);
                    write_string(&mut self.json, key).map_err(|_| DecodeError::InvalidPayload)?;
                    self.json.push(b':');
                    self.value(value)?;
                }
                self.json.push(b'}');
            }
            scalar => self.scalar(scalar)?,
        }
        Ok(())
    }

    /// Without attachments: bytes become lists of numbers.
    fn scalar(&mut self, value: &Value) -> Result<(), DecodeError> {
        serde_json::to_writer(&mut self.json, value).map_err(|_| DecodeError::InvalidPayload)
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.json.push(b',');
        }
    }
}

/// What would be refused as too deep anyhow must not be written first: writing is recursive.
fn check_depth(data: &Value) -> Result<(), DecodeError> {
    // One more for the list that arguments are in.
    if fits(data, MAX_DEPTH + 1) { Ok(()) } else { Err(DecodeError::InvalidPayload) }
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
    use crate::socket::Payload;

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
        let packet = received.packet().unwrap();
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
        let Payload::Event { name, arguments } = received.packet().unwrap().payload else {
            panic!()
        };
        assert_eq!((&*name, arguments.list), ("-1", "2"));
    }

    #[test]
    fn other_packets_have_their_json() {
        let connect = received(PacketKind::Connect, value(json!({"token": "x"}))).unwrap();
        let Payload::Connect(Some(auth)) = connect.packet().unwrap().payload else { panic!() };
        assert_eq!(auth, "{\"token\":\"x\"}");
        let error = received(PacketKind::ConnectError, value(json!("no"))).unwrap();
        let Payload::ConnectError(data) = error.packet().unwrap().payload else { panic!() };
        assert_eq!(data, "\"no\"");
    }

    #[test]
    fn bytes_in_auth_decode_as_bytes() {
        let auth = Value::Object([("key".to_owned(), bytes(&[1, 255]))].into());
        let connect = received(PacketKind::Connect, auth).unwrap();
        let Payload::Connect(Some(auth)) = connect.packet().unwrap().payload else { panic!() };
        let auth: std::collections::BTreeMap<String, Bytes> = serde_json::from_str(auth).unwrap();
        assert_eq!(auth["key"], &[1, 255][..]);
    }

    #[test]
    fn what_looks_like_a_placeholder_is_one_only_beside_bytes() {
        let look_alike = |number| value(json!({"_placeholder": true, "num": number}));
        let name = || Value::String("a".into());
        let event = |items| received(PacketKind::Event, Value::Array(items)).unwrap();
        let alone = event(vec![name(), look_alike(9)]);
        let Payload::Event { arguments, .. } = alone.packet().unwrap().payload else { panic!() };
        assert_eq!(arguments.decode::<Value>().unwrap(), look_alike(9));
        let beside = event(vec![name(), look_alike(1), bytes(&[1])]);
        assert_eq!(beside.packet().unwrap_err(), DecodeError::IllegalAttachment);
        let inside = event(vec![name(), look_alike(0), bytes(&[1])]);
        let Payload::Event { arguments, .. } = inside.packet().unwrap().payload else { panic!() };
        assert_eq!(arguments.decode::<(Value, Value)>().unwrap(), (bytes(&[1]), bytes(&[1])));
    }

    #[test]
    fn p_10_what_is_nested_deeper_than_json_may_be_is_refused() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let event = |depth| Value::Array(vec![Value::String("a".into()), nested(depth)]);
        let deepest = received(PacketKind::Event, event(126)).unwrap();
        let Payload::Event { arguments, .. } = deepest.packet().unwrap().payload else { panic!() };
        assert_eq!(arguments.decode::<Value>().unwrap(), nested(126));
        let is_refused = |kind, data| match received(kind, data) {
            Ok(received) => received.packet().is_err(),
            Err(error) => error == DecodeError::InvalidPayload,
        };
        assert!(is_refused(PacketKind::Event, event(127)));
        assert!(is_refused(PacketKind::Event, event(5_000)));
        let auth = |depth| Value::Object([("a".to_owned(), nested(depth))].into());
        assert!(!is_refused(PacketKind::Connect, auth(125)));
        assert!(is_refused(PacketKind::Connect, auth(126)));
    }

    #[test]
    fn what_is_given_as_json_is_checked() {
        use PacketKind::*;
        let check = |kind, id, data: Option<&str>, attachments: usize| {
            let attachments = vec![Bytes::from_static(&[1]); attachments];
            let data = data.map(str::to_owned);
            let received = ReceivedPacket::from_json(kind, "/".into(), id, data, attachments);
            received.packet().map(|_| ())
        };
        let placeholder = "[\"a\",{\"_placeholder\":true,\"num\":0}]";
        for (kind, data, attachments) in [
            (Connect, None, 0),
            (Connect, Some("{}"), 0),
            (Disconnect, None, 0),
            (Event, Some("[\"a\"]"), 0),
            (Event, Some(placeholder), 1),
            (Acknowledgement, Some("[]"), 0),
            (ConnectError, Some("\"no\""), 0),
            (ConnectError, Some("{}"), 0),
        ] {
            assert_eq!(check(kind, None, data, attachments), Ok(()), "{kind:?} {data:?}");
        }
        for (kind, data, attachments) in [
            (Connect, Some("[]"), 0),
            (Connect, Some("{}"), 1),
            (Disconnect, Some("null"), 0),
            (Event, None, 0),
            (Event, Some(""), 0),
            (Event, Some("[\"connect\"]"), 0),
            (Event, Some("[\"a\"]]"), 0),
            (Acknowledgement, None, 0),
            (ConnectError, None, 0),
            (ConnectError, Some("1"), 0),
            (ConnectError, Some("\"no"), 0),
        ] {
            let refused = Err(DecodeError::InvalidPayload);
            assert_eq!(check(kind, None, data, attachments), refused, "{kind:?} {data:?}");
        }
        let id = Some(1 << 53);
        assert_eq!(check(Event, id, Some("[\"a\"]"), 0), Err(DecodeError::InvalidId));
        let two = "[\"a\",{\"_placeholder\":true,\"num\":1}]";
        assert_eq!(check(Event, None, Some(two), 1), Err(DecodeError::IllegalAttachment));
    }
}
