//! The official MessagePack parser, `socket.io-msgpack-parser` 3 (S-019): each packet is one map in
//! one binary message.
//!
//! It is written in the dialect of `notepack.io` 2 (S-020). Other libraries, also its own version 3,
//! have other extension types.

mod date;
mod json;
mod read;
mod write;

use serde::de::DeserializeSeed;

use super::parser::{
    PacketKind, Parser, ParserDecoder, ParserError, ParserInput, ParserMessage, ParserPacket,
    ReceivedPacket,
};
use super::value::{Nameable, ValueSeed};
use super::{DecodeError, Value};
use json::{Binary, Json, to_json};
use read::{Fields, ReadError, fields};

/// How deep maps and lists of one message may be nested: the packet, the list of its arguments, and
/// in each of these what the default parser takes too.
const MAX_DEPTH: usize = 128;

/// The official MessagePack parser (S-019). Clients need it too: in JavaScript the package
/// `socket.io-msgpack-parser`.
///
/// Data is what it would be with the default parser. So of what clients send, `undefined` is
/// `null` in a list and left out of an object, a date is its text in ISO 8601, a number that is
/// none is `null`, and all kinds of binary are bytes. Objects of the server have their keys in the
/// order of the alphabet.
///
/// Unlike the reference it refuses what JavaScript clients do not send: text that is no UTF-8,
/// extension types unknown to it, messages nested deeper than 128.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct MessagePack;

impl Parser for MessagePack {
    fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError> {
        let bytes = write::packet(packet).map_err(ParserError::new)?;
        Ok(vec![ParserMessage::Binary(bytes)])
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Box::new(*self)
    }
}

/// A packet is never spread over messages, so there is nothing to keep between them.
impl ParserDecoder for MessagePack {
    fn add(&mut self, message: ParserInput<'_>) -> Result<Option<ParserPacket>, ParserError> {
        let Fields { kind, namespace, id, data } = read(message)?;
        let data = match data {
            Some(data) => Some(to_json(data, Binary::Attached).and_then(value)?),
            None => None,
        };
        Ok(Some(ParserPacket { kind, namespace: namespace.to_owned(), id, data }))
    }

    fn receive(&mut self, message: ParserInput<'_>) -> Result<Option<ReceivedPacket>, ParserError> {
        let Fields { kind, namespace, id, data } = read(message)?;
        let binary = if kind == PacketKind::Connect { Binary::Numbers } else { Binary::Attached };
        let (data, attachments) = match data {
            Some(data) => {
                let Json { text, attachments } = to_json(data, binary)?;
                (Some(text), attachments)
            }
            None => (None, Vec::new()),
        };
        let namespace = namespace.to_owned();
        Ok(Some(ReceivedPacket::from_json(kind, namespace, id, data, attachments)))
    }
}

fn read(message: ParserInput<'_>) -> Result<Fields<'_>, ReadError> {
    match message {
        ParserInput::Binary(bytes) => fields(bytes),
        ParserInput::Text(_) => Err(ReadError::Text),
    }
}

fn value(json: Json) -> Result<Value, ReadError> {
    let Json { text, attachments } = json;
    let attachments = Nameable::new(&attachments);
    let value = ValueSeed { attachments: &attachments };
    let value = value.deserialize(&mut serde_json::Deserializer::from_str(&text));
    value.map_err(|_| ReadError::Packet(DecodeError::IllegalAttachment))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::socket::{Encoder, Packet, Payload, Scratch};

    fn parser() -> Arc<dyn Parser> {
        Arc::new(MessagePack)
    }

    fn from_hex(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    fn to_hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn decode(bytes: &[u8]) -> Result<ParserPacket, String> {
        let packet = MessagePack.decoder().add(ParserInput::Binary(bytes));
        packet.map(Option::unwrap).map_err(|error| error.to_string())
    }

    /// The form in which the server takes it.
    fn receive(bytes: &[u8]) -> ReceivedPacket {
        MessagePack.decoder().receive(ParserInput::Binary(bytes)).unwrap().unwrap()
    }

    fn encode(packet: &ParserPacket) -> Vec<u8> {
        match &MessagePack.encode(packet).unwrap()[..] {
            [ParserMessage::Binary(bytes)] => bytes.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn packet(kind: PacketKind, id: Option<u64>, data: Option<Value>) -> ParserPacket {
        ParserPacket { kind, namespace: "/".into(), id, data }
    }

    fn value(json: serde_json::Value) -> Value {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_the_official_client_sends() {
        let date = json!({"d": "1970-01-01T00:00:00.000Z", "n": null});
        let Value::Object(mut object) = value(date) else { panic!() };
        object.insert("b", Value::Binary(Bytes::from_static(&[1])));
        let event = Value::Array(vec![value(json!("x")), Value::Object(object)]);
        for (hex, expected) in [
            ("83a47479706500a464617461d40000a36e7370a12f", packet(PacketKind::Connect, None, None)),
            (
                "85a47479706502a46461746192a17884a164d7000000000000000000a175d40000a16ec0a162c40101\
                 a76f7074696f6e7381a8636f6d7072657373c3a2696400a36e7370a12f",
                packet(PacketKind::Event, Some(0), Some(event)),
            ),
            (
                "84a47479706503a2696400a46461746191a361636ba36e7370a12f",
                packet(PacketKind::Acknowledgement, Some(0), Some(value(json!(["ack"])))),
            ),
            ("82a47479706501a36e7370a12f", packet(PacketKind::Disconnect, None, None)),
            (
                "83a47479706500a46461746181a362616401a36e7370a12f",
                packet(PacketKind::Connect, None, Some(value(json!({"bad": 1})))),
            ),
        ] {
            let hex = hex.replace(' ', "");
            let decoded = decode(&from_hex(&hex)).unwrap();
            assert_eq!(decoded, expected, "{hex}");
            assert_eq!(decoded.validate(), Ok(()), "{hex}");
            let (received, same) =
                (receive(&from_hex(&hex)), ReceivedPacket::new(decoded).unwrap());
            let described = [&received, &same].map(|packet| match packet.packet().unwrap() {
                Packet { id, payload: Payload::Event { name, arguments }, .. } => {
                    format!("{name} {id:?} {:?}", arguments.decode_all::<Value>())
                }
                other => format!("{other:?}"),
            });
            assert_eq!(described[0], described[1], "{hex}");
        }
    }

    #[test]
    fn the_servers_answers_are_the_references() {
        let mut scratch = Scratch::new();
        let mut encoder = Encoder::new(&mut scratch, "/");
        let mut event = |name, id, arguments: serde_json::Value| {
            let arguments: Vec<Value> = serde_json::from_value(arguments).unwrap();
            match &arguments[..] {
                [] => encoder.event(name, id, &()).unwrap(),
                [one] => encoder.event(name, id, one).unwrap(),
                more => panic!("{more:?}"),
            }
        };
        let events = [
            (event("y", None, json!([1])), "83a47479706502a46461746192a17901a36e7370a12f"),
            (event("b", None, json!([2])), "83a47479706502a46461746192a16202a36e7370a12f"),
            (event("z", Some(0), json!([])), "84a47479706502a46461746191a17aa2696400a36e7370a12f"),
        ];
        let answers = [
            (
                encoder.connect("V_4Oq2oUkHwtRwFMAAAA", None),
                "83a47479706500a46461746182a3736964b4565f344f71326f556b4877745277464d41414141a3706964\
                 d40000a36e7370a12f",
            ),
            (
                encoder.acknowledgement(0, "r").unwrap(),
                "84a2696400a47479706503a46461746191a172a36e7370a12f",
            ),
            (
                encoder.connect_error("no", None),
                "83a47479706504a46461746182a76d657373616765a26e6fa464617461d40000a36e7370a12f",
            ),
            (
                encoder.connect_error("no", Some(&json!({"code": 1}))),
                "83a47479706504a46461746182a76d657373616765a26e6fa46461746181a4636f646501a36e7370a12f",
            ),
            (encoder.disconnect(), "82a47479706501a36e7370a12f"),
        ];
        for (encoded, expected) in events.into_iter().chain(answers) {
            let encoded = encoded.with_parser(&parser(), "/").unwrap();
            let frames: Vec<_> = encoded.frames().map(|frame| to_hex(frame.payload())).collect();
            assert_eq!(frames, [expected.replace(' ', "")]);
        }
    }

    #[test]
    fn a_connect_of_a_client_is_the_references() {
        let connect = packet(PacketKind::Connect, None, None);
        assert_eq!(to_hex(&encode(&connect)), "83a47479706500a464617461d40000a36e7370a12f");
        let connect = packet(PacketKind::Connect, None, Some(value(json!({"bad": 1}))));
        assert_eq!(to_hex(&encode(&connect)), "83a47479706500a46461746181a362616401a36e7370a12f");
    }

    /// A map with these keys and values, which are MessagePack.
    fn map(fields: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0x80 + fields.len() as u8];
        for (key, value) in fields {
            bytes.push(0xa0 + key.len() as u8);
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(value);
        }
        bytes
    }

    const MAIN: (&str, &[u8]) = ("nsp", b"\xa1/");
    const EVENT: (&str, &[u8]) = ("type", &[2]);
    const NAME: (&str, &[u8]) = ("data", b"\x91\xa1a");

    #[test]
    fn p_12_what_is_no_packet_is_named() {
        for (bytes, expected) in [
            (vec![], "the message ends before the packet does"),
            (vec![0x90], "the packet is no map"),
            (vec![0xd4, 0, 0], "the packet is no map"),
            (map(&[MAIN, NAME]), "invalid packet type"),
            (map(&[("type", &[0xff]), MAIN, NAME]), "invalid packet type"),
            (map(&[("type", &[5]), MAIN, NAME]), "invalid packet type"),
            (map(&[("type", &[7]), MAIN, NAME]), "invalid packet type"),
            (map(&[("type", &[0xcc, 255]), MAIN, NAME]), "invalid packet type"),
            (map(&[("type", b"\xa12"), MAIN, NAME]), "invalid packet type"),
            (map(&[("type", &[0xc0]), MAIN, NAME]), "invalid packet type"),
            (map(&[EVENT, NAME]), "invalid namespace"),
            (map(&[EVENT, NAME, ("nsp", &[1])]), "invalid namespace"),
            (map(&[EVENT, NAME, ("nsp", &[0xc4, 1, b'/'])]), "invalid namespace"),
            (map(&[EVENT, NAME, MAIN, ("id", &[0xc0])]), "acknowledgement id out of range"),
            (map(&[EVENT, NAME, MAIN, ("id", &[0xff])]), "acknowledgement id out of range"),
            (map(&[EVENT, NAME, MAIN, ("id", b"\xa11")]), "acknowledgement id out of range"),
            (
                map(&[EVENT, NAME, MAIN, ("id", &[0xca, 0x3f, 0xc0, 0, 0])]),
                "acknowledgement id out of range",
            ),
            ([map(&[EVENT, NAME, MAIN]), vec![0]].concat(), "1 trailing bytes"),
        ] {
            assert_eq!(decode(&bytes).unwrap_err(), expected, "{bytes:02x?}");
        }
        let text = MessagePack.decoder().add(ParserInput::Text("2[\"a\"]")).unwrap_err();
        assert_eq!(text.to_string(), "got a text message where packets are MessagePack");
    }

    #[test]
    fn what_does_not_fit_the_type_is_refused_as_by_the_default_parser() {
        for fields in [
            &[EVENT, MAIN][..],
            &[EVENT, ("data", &[0xc0]), MAIN],
            &[EVENT, ("data", &[0x90]), MAIN],
            &[EVENT, ("data", b"\x91\xa7connect"), MAIN],
            &[("type", &[3]), MAIN],
            &[("type", &[0]), ("data", &[0xc0]), MAIN],
            &[("type", &[0]), ("data", &[0x90]), MAIN],
            &[("type", &[1]), ("data", &[0xc0]), MAIN],
        ] {
            let message = map(fields);
            assert_eq!(decode(&message).unwrap().validate(), Err(DecodeError::InvalidPayload));
            let refused = receive(&message).packet().unwrap_err();
            assert_eq!(refused, DecodeError::InvalidPayload);
        }
        let beyond = [&[0xcf][..], &(1_u64 << 53).to_be_bytes()].concat();
        let message = map(&[EVENT, NAME, MAIN, ("id", &beyond)]);
        assert_eq!(decode(&message).unwrap().validate(), Err(DecodeError::InvalidId));
        assert_eq!(receive(&message).packet().unwrap_err(), DecodeError::InvalidId);
    }

    #[test]
    fn what_javascript_takes_is_taken() {
        let highest = [&[0xcf][..], &((1_u64 << 53) - 1).to_be_bytes()].concat();
        let two = [0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0];
        let fields = [("type", &two[..]), NAME, MAIN, ("id", &highest)];
        let packet = decode(&map(&fields)).unwrap();
        assert_eq!((packet.kind, packet.id), (PacketKind::Event, Some((1 << 53) - 1)));
        assert_eq!(packet.validate(), Ok(()));
        let twice = map(&[EVENT, NAME, MAIN, ("nsp", b"\xa2/a"), ("id", &[0xd4, 0, 0])]);
        let packet = decode(&twice).unwrap();
        assert_eq!((&*packet.namespace, packet.id), ("/a", None));
    }

    #[test]
    fn bytes_in_auth_decode_as_bytes() {
        let auth = [("type", &[0][..]), ("data", b"\x81\xa1k\xc4\x02\x01\xff"), MAIN];
        let received = receive(&map(&auth));
        let Payload::Connect(Some(auth)) = received.packet().unwrap().payload else { panic!() };
        assert_eq!(auth, "{\"k\":[1,255]}");
    }

    #[test]
    fn p_11_the_deepest_arguments_come_back() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        let event = |depth| {
            let data = Value::Array(vec![Value::String("a".into()), nested(depth)]);
            packet(PacketKind::Event, None, Some(data))
        };
        let deepest = event(126);
        let bytes = encode(&deepest);
        assert_eq!(decode(&bytes).unwrap(), deepest);
        let received = receive(&bytes);
        let Payload::Event { arguments, .. } = received.packet().unwrap().payload else { panic!() };
        let echo = Encoder::new(&mut Scratch::new(), "/").event("a", None, &arguments).unwrap();
        let echo = echo.with_parser(&parser(), "/").unwrap();
        assert_eq!(echo.frames().next().unwrap().payload(), bytes);
        let error = MessagePack.encode(&event(127)).unwrap_err();
        assert_eq!(error.to_string(), "nested deeper than 128");
    }

    #[test]
    fn sent_arguments_keep_their_bytes_and_numbers() {
        let bytes = Value::Binary(Bytes::from_static(&[0, 255]));
        let arguments = (vec![bytes.clone()], u64::MAX, i64::MIN, 0.1, "é");
        let encoded =
            Encoder::new(&mut Scratch::new(), "/a,b").event("e", None, &arguments).unwrap();
        let encoded = encoded.with_parser(&parser(), "/a,b").unwrap();
        let packet = decode(encoded.frames().next().unwrap().payload()).unwrap();
        assert_eq!(packet.namespace, "/a,b");
        let Value::Array(mut expected) = value(json!(["e", u64::MAX, i64::MIN, 0.1, "é"])) else {
            panic!()
        };
        expected.insert(1, Value::Array(vec![bytes]));
        assert_eq!(packet.data, Some(Value::Array(expected)));
    }
}
