//! From a packet of the default parser to the messages of a custom one. The first is what everything
//! above writes, so there is one way to write a packet, however it goes over the wire.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeSeed;

use super::{PacketKind, Parser, ParserError, ParserMessage, ParserPacket};
use crate::socket::value::{Nameable, ValueSeed};
use crate::socket::{EncodeError, Encoded, Value};
use crate::websocket::{Frame, Opcode};

/// What a custom parser made of a packet.
#[derive(Clone)]
pub(in crate::socket) struct Translated {
    pub(in crate::socket) frames: Vec<Frame>,
    /// Who made it, and of which namespace's packet: it can be asked again.
    pub(in crate::socket) parser: Arc<dyn Parser>,
    pub(in crate::socket) namespace: Box<str>,
}

impl fmt::Debug for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frames.fmt(f)
    }
}

impl Encoded {
    /// The packet for a server with another parser: its frames are what `parser` makes of it.
    /// `namespace` is the packet's own.
    ///
    /// # Errors
    /// [`EncodeError::Parser`] if the parser cannot write it, [`EncodeError::Json`] if no parser
    /// could: data nested too deep, or what looks like a placeholder in a packet with bytes.
    pub fn with_parser(
        self,
        parser: &Arc<dyn Parser>,
        namespace: &str,
    ) -> Result<Self, EncodeError> {
        let packet = parse(&self, namespace)?;
        let messages = parser.encode(&packet).map_err(EncodeError::Parser)?;
        if messages.is_empty() {
            let error = ParserError::new("the parser made no message of the packet");
            return Err(EncodeError::Parser(error));
        }
        Ok(self.with_translation(Translated {
            frames: messages.iter().map(frame).collect(),
            parser: Arc::clone(parser),
            namespace: namespace.into(),
        }))
    }
}

fn frame(message: &ParserMessage) -> Frame {
    match message {
        ParserMessage::Text(text) => Frame::from_parts(Opcode::Text, &[b"4", text.as_bytes()]),
        ParserMessage::Binary(data) => Frame::binary(data),
    }
}

/// Reads our own packet again. What its namespace is need not be guessed: a custom parser can have
/// names that the text form cannot tell from what stands behind them.
fn parse(packet: &Encoded, namespace: &str) -> Result<ParserPacket, EncodeError> {
    let unexpected = || EncodeError::Parser(ParserError::new("no packet of this namespace"));
    let (kind, rest) = packet.text().split_first().ok_or_else(unexpected)?;
    let (kind, has_count) = match kind {
        b'5' => (PacketKind::Event, true),
        b'6' => (PacketKind::Acknowledgement, true),
        digit => {
            let number = u64::from(digit.wrapping_sub(b'0'));
            (PacketKind::from_number(number).ok_or_else(unexpected)?, false)
        }
    };
    let rest = if has_count { after_count(rest) } else { Some(rest) };
    let rest = rest.and_then(|rest| after_namespace(rest, namespace)).ok_or_else(unexpected)?;
    let (id, payload) = id(rest);
    let data = data(payload, packet).map_err(EncodeError::Json)?;
    Ok(ParserPacket { kind, namespace: namespace.to_owned(), id, data })
}

fn after_count(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|byte| *byte == b'-')?;
    text.get(end + 1..)
}

fn after_namespace<'a>(text: &'a [u8], namespace: &str) -> Option<&'a [u8]> {
    if namespace == "/" {
        return Some(text);
    }
    text.strip_prefix(namespace.as_bytes())?.strip_prefix(b",")
}

fn id(text: &[u8]) -> (Option<u64>, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()), rest)
}

fn data(payload: &[u8], packet: &Encoded) -> serde_json::Result<Option<Value>> {
    if payload.is_empty() {
        return Ok(None);
    }
    let attachments: Vec<_> = packet.attachments().map(Bytes::copy_from_slice).collect();
    let mut json = serde_json::Deserializer::from_slice(payload);
    ValueSeed { attachments: &Nameable::new(&attachments) }.deserialize(&mut json).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::socket::{Encoder, Offset, ParserDecoder, Recovery, Scratch};

    /// Two messages for each packet: what it is, and its data.
    struct Debugging;

    impl Parser for Debugging {
        fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError> {
            let ParserPacket { kind, namespace, id, data } = packet;
            let text = format!("{kind:?} {namespace} {id:?}");
            let data = data.as_ref().map(|data| serde_json::to_vec(data).unwrap());
            let messages = [ParserMessage::Text(text)].into_iter();
            Ok(messages.chain(data.map(ParserMessage::Binary)).collect())
        }

        fn decoder(&self) -> Box<dyn ParserDecoder> {
            unreachable!("nothing is received")
        }
    }

    fn messages(packet: Result<Encoded, EncodeError>, namespace: &str) -> Vec<String> {
        let parser: Arc<dyn Parser> = Arc::new(Debugging);
        let packet = packet.unwrap().with_parser(&parser, namespace).unwrap();
        let text = |frame: &Frame| String::from_utf8(frame.payload().to_vec()).unwrap();
        let by_reference: Vec<_> = packet.frames().map(text).collect();
        assert_eq!(
            packet.into_frames().map(|frame| text(&frame)).collect::<Vec<_>>(),
            by_reference
        );
        by_reference
    }

    #[test]
    fn a_custom_parser_is_given_each_packet_in_full() {
        let mut scratch = Scratch::new();
        for namespace in ["/", "/a", "/a,b", "/5-", "no slash", "/,1[", ""] {
            let mut encoder = Encoder::new(&mut scratch, namespace);
            let event = encoder.event("e", Some(12), &(1, Bytes::from_static(&[7]), "x"));
            assert_eq!(
                messages(event, namespace),
                [format!("4Event {namespace} Some(12)"), "[\"e\",1,[7],\"x\"]".to_owned()]
            );
            let acknowledgement = encoder.acknowledgement(0, &());
            assert_eq!(
                messages(acknowledgement, namespace),
                [format!("4Acknowledgement {namespace} Some(0)"), "[]".to_owned()]
            );
            let disconnect = encoder.disconnect();
            assert_eq!(
                messages(Ok(disconnect), namespace),
                [format!("4Disconnect {namespace} None")]
            );
            let connect = encoder.connect("id", None);
            assert_eq!(
                messages(Ok(connect), namespace),
                [format!("4Connect {namespace} None"), "{\"sid\":\"id\"}".to_owned()]
            );
            let recovery = Recovery { pid: Some("p"), offset: None };
            let connect = encoder.connect_with(Some("{\"token\":1}"), recovery);
            assert_eq!(
                messages(connect, namespace),
                [format!("4Connect {namespace} None"), "{\"pid\":\"p\",\"token\":1}".to_owned()]
            );
            let connect = encoder.connect_with(None, Recovery::default());
            assert_eq!(messages(connect, namespace), [format!("4Connect {namespace} None")]);
            let error = encoder.connect_error("no", Some(&json!(1)));
            assert_eq!(
                messages(Ok(error), namespace),
                [
                    format!("4ConnectError {namespace} None"),
                    "{\"message\":\"no\",\"data\":1}".to_owned()
                ]
            );
        }
    }

    #[test]
    fn s_079_an_offset_goes_through_the_parser_too() {
        let parser: Arc<dyn Parser> = Arc::new(Debugging);
        let event = Encoder::new(&mut Scratch::new(), "/a").event("e", None, &1).unwrap();
        let event = event.with_parser(&parser, "/a").unwrap();
        let event = event.with_offset(Offset::new(0)).unwrap();
        assert_eq!(event.text(), b"2/a,[\"e\",1,\"~0\"]");
        let frames: Vec<_> = event.frames().map(Frame::payload).collect();
        assert_eq!(frames, [&b"4Event /a None"[..], b"[\"e\",1,\"~0\"]"]);
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        struct Refusing;
        impl Parser for Refusing {
            fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError> {
                match packet.id {
                    Some(_) => Err(ParserError::new("no ids here")),
                    None => Ok(Vec::new()),
                }
            }

            fn decoder(&self) -> Box<dyn ParserDecoder> {
                unreachable!("nothing is received")
            }
        }
        let mut scratch = Scratch::new();
        let mut encoder = Encoder::new(&mut scratch, "/");
        let mut error = |id, value: Value| {
            let parser: Arc<dyn Parser> = Arc::new(Refusing);
            let packet = encoder.event("e", id, &value).unwrap();
            packet.with_parser(&parser, "/").unwrap_err().to_string()
        };
        assert_eq!(error(Some(1), Value::Null), "no ids here");
        assert_eq!(error(None, Value::Null), "the parser made no message of the packet");
        let deep = (0..200).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(error(None, deep).contains("recursion limit exceeded"));
    }
}
