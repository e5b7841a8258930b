use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::placeholder;
use super::scan::{NotJson, Scanner};
use crate::socket::{Arguments, Packet, PacketKind as Kind, Payload, is_reserved_event};

/// The highest acknowledgement id: above it JavaScript would round.
pub(in crate::socket) const MAX_ID: u64 = (1 << 53) - 1;

/// Why a message is no Socket.IO packet, or not at this place. Always the sender's fault: the
/// connection ends with `forced close` (S-027). The texts are the official parser's (S-007).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The type is not a digit from 0 to 6.
    UnknownType(Option<u8>),
    /// The count of attachments is no number, or zero, or has no `-` behind it.
    IllegalCount,
    /// More attachments than the limit are announced.
    TooManyAttachments,
    /// The payload does not fit the type (S-012), or is no JSON.
    InvalidPayload,
    /// The acknowledgement id is too large.
    InvalidId,
    /// A placeholder names an attachment that the packet does not have.
    IllegalAttachment,
    /// Text came while attachments were awaited.
    TextAmidAttachments,
    /// Bytes came that no packet announced.
    UnexpectedBinary,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType(Some(byte)) => {
                return write!(f, "unknown packet type {}", char::from(*byte));
            }
            Self::UnknownType(None) => "empty packet",
            Self::IllegalCount => "Illegal attachments",
            Self::TooManyAttachments => "too many attachments",
            Self::InvalidPayload => "invalid payload",
            Self::InvalidId => "acknowledgement id out of range",
            Self::IllegalAttachment => "illegal attachments",
            Self::TextAmidAttachments => "got plaintext data when reconstructing a packet",
            Self::UnexpectedBinary => "got binary data when not reconstructing a packet",
        })
    }
}

impl std::error::Error for DecodeError {}

impl From<NotJson> for DecodeError {
    fn from(NotJson: NotJson) -> Self {
        Self::InvalidPayload
    }
}

/// Room for so many attachments is made when they are announced.
const USUAL_ATTACHMENTS: usize = 2;

/// Turns the messages of one connection into packets. Idle, it is one pointer and owns nothing.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Option<Box<Pending>>,
}

/// A packet whose attachments are still arriving.
#[derive(Debug)]
struct Pending {
    packet: Assembled,
    announced: usize,
}

/// A packet with attachments, complete.
#[derive(Debug)]
pub struct Assembled {
    text: Box<str>,
    parts: Parts,
    attachments: Vec<Bytes>,
}

/// Where the parts of a checked packet lie in its text. Only events and acknowledgements have
/// attachments (S-007).
#[derive(Debug)]
struct Parts {
    namespace: Range<usize>,
    id: Option<u64>,
    /// None for an acknowledgement.
    name: Option<EventName>,
    arguments: Range<usize>,
}

#[derive(Debug)]
enum EventName {
    InText(Range<usize>),
    /// It has escapes.
    Own(String),
}

impl Parts {
    /// `None` if the packet is none that can have attachments.
    fn of(packet: Packet<'_>, text: &str) -> Option<Self> {
        let (name, arguments) = match packet.payload {
            Payload::Event { name: Cow::Borrowed(name), arguments } => {
                (Some(EventName::InText(place_in(text, name))), arguments)
            }
            Payload::Event { name: Cow::Owned(name), arguments } => {
                (Some(EventName::Own(name)), arguments)
            }
            Payload::Acknowledgement(arguments) => (None, arguments),
            Payload::Connect(_) | Payload::Disconnect | Payload::ConnectError(_) => return None,
        };
        Some(Self {
            namespace: place_in(text, packet.namespace),
            id: packet.id,
            name,
            arguments: place_in(text, arguments.list),
        })
    }
}

/// Where a part of a text lies in it. Somewhere else, as `/` for a namespace that is not named:
/// nowhere.
fn place_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    let end = start.saturating_add(part.len());
    if end <= text.len() { start..end } else { 0..0 }
}

impl Assembled {
    /// The packet.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        let Self { text, parts, attachments } = self;
        let part = |place: &Range<usize>| text.get(place.clone()).unwrap_or_default();
        let arguments = Arguments { list: part(&parts.arguments), attachments };
        let payload = match &parts.name {
            Some(EventName::InText(place)) => {
                Payload::Event { name: part(place).into(), arguments }
            }
            Some(EventName::Own(name)) => Payload::Event { name: name.as_str().into(), arguments },
            None => Payload::Acknowledgement(arguments),
        };
        let namespace = if parts.namespace.is_empty() { "/" } else { part(&parts.namespace) };
        Packet { namespace, id: parts.id, payload }
    }
}

impl Decoder {
    /// A decoder that awaits a packet.
    #[must_use]
    pub const fn new() -> Self {
        Self { pending: None }
    }

    /// Takes a text message; `None` if its attachments are still to come. There may be
    /// `max_attachments` of them, by default [`MAX_ATTACHMENTS`](crate::socket::MAX_ATTACHMENTS).
    ///
    /// # Errors
    /// See [`DecodeError`]; the decoder is of no use after one.
    #[inline]
    pub fn text<'a>(
        &mut self,
        text: &'a str,
        max_attachments: usize,
    ) -> Result<Option<Packet<'a>>, DecodeError> {
        if self.pending.is_some() {
            return Err(DecodeError::TextAmidAttachments);
        }
        let header = Header::read(text, max_attachments)?;
        let packet = header.packet()?;
        if header.attachments == 0 {
            return Ok(Some(packet));
        }
        if !placeholder::all_in_range(header.payload, header.attachments) {
            return Err(DecodeError::IllegalAttachment);
        }
        let parts = Parts::of(packet, text).ok_or(DecodeError::InvalidPayload)?;
        let attachments = Vec::with_capacity(header.attachments.min(USUAL_ATTACHMENTS));
        let packet = Assembled { text: text.into(), parts, attachments };
        self.pending = Some(Box::new(Pending { packet, announced: header.attachments }));
        Ok(None)
    }

    /// Takes a binary message; the packet if it was the last attachment.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedBinary`] if no packet awaits attachments.
    pub fn binary(&mut self, data: &[u8]) -> Result<Option<Assembled>, DecodeError> {
        let pending = self.pending.as_mut().ok_or(DecodeError::UnexpectedBinary)?;
        pending.packet.attachments.push(Bytes::copy_from_slice(data));
        if pending.packet.attachments.len() < pending.announced {
            return Ok(None);
        }
        Ok(self.pending.take().map(|pending| pending.packet))
    }

    /// Reads a packet that this program has written itself, whose attachments are all there.
    ///
    /// # Errors
    /// See [`DecodeError`]; none for what an [`Encoder`](super::Encoder) has written.
    pub fn read_back<'a>(
        text: &'a str,
        attachments: &'a [Bytes],
    ) -> Result<Packet<'a>, DecodeError> {
        let mut packet = Header::read(text, usize::MAX)?.packet()?;
        if let Payload::Event { arguments, .. } | Payload::Acknowledgement(arguments) =
            &mut packet.payload
        {
            arguments.attachments = attachments;
        }
        Ok(packet)
    }

    /// Whether attachments are still to come.
    #[must_use]
    pub const fn awaits_attachments(&self) -> bool {
        self.pending.is_some()
    }
}

/// A packet whose parts were found by another parser. Data is JSON; without, `payload` is empty.
pub(in crate::socket) fn packet_of<'a>(
    kind: Kind,
    namespace: &'a str,
    id: Option<u64>,
    payload: &'a str,
    attachments: &'a [Bytes],
) -> Result<Packet<'a>, DecodeError> {
    if id.is_some_and(|id| id > MAX_ID) {
        return Err(DecodeError::InvalidId);
    }
    // The default parser's own may do without (S-013).
    let needs_data = !matches!(kind, Kind::Connect | Kind::Disconnect);
    if needs_data && payload.is_empty() || kind == Kind::ConnectError && !is_reason(payload) {
        return Err(DecodeError::InvalidPayload);
    }
    let header = Header { kind, attachments: attachments.len(), namespace, id, payload };
    let mut packet = header.packet()?;
    match &mut packet.payload {
        Payload::Event { arguments, .. } | Payload::Acknowledgement(arguments) => {
            arguments.attachments = attachments;
        }
        _ if attachments.is_empty() => {}
        _ => return Err(DecodeError::InvalidPayload),
    }
    if attachments.is_empty() || placeholder::all_in_range(payload, attachments.len()) {
        Ok(packet)
    } else {
        Err(DecodeError::IllegalAttachment)
    }
}

/// Whether this is what CONNECT_ERROR may say: a string, or an object.
fn is_reason(payload: &str) -> bool {
    let mut scanner = Scanner::new(payload);
    scanner.space();
    matches!(scanner.peek(), Some(b'"' | b'{')) && scanner.value().is_ok() && scanner.at_end()
}

/// A packet's text, taken apart (S-002).
struct Header<'a> {
    kind: Kind,
    attachments: usize,
    namespace: &'a str,
    id: Option<u64>,
    payload: &'a str,
}

impl<'a> Header<'a> {
    #[inline]
    fn read(text: &'a str, max_attachments: usize) -> Result<Self, DecodeError> {
        let mut rest = text.chars();
        let (kind, binary) = match rest.next() {
            Some('0') => (Kind::Connect, false),
            Some('1') => (Kind::Disconnect, false),
            Some('2') => (Kind::Event, false),
            Some('3') => (Kind::Acknowledgement, false),
            Some('4') => (Kind::ConnectError, false),
            Some('5') => (Kind::Event, true),
            Some('6') => (Kind::Acknowledgement, true),
            _ => return Err(DecodeError::UnknownType(text.bytes().next())),
        };
        let rest = rest.as_str();
        let (attachments, rest) =
            if binary { read_count(rest, max_attachments)? } else { (0, rest) };
        let (namespace, rest) = read_namespace(rest);
        let (id, payload) = read_id(rest)?;
        Ok(Self { kind, attachments, namespace, id, payload })
    }

    #[inline]
    fn packet(&self) -> Result<Packet<'a>, DecodeError> {
        let payload = match self.kind {
            Kind::Connect => Payload::Connect(self.object()?),
            Kind::Disconnect if self.payload.is_empty() => Payload::Disconnect,
            Kind::Disconnect => return Err(DecodeError::InvalidPayload),
            Kind::Event => self.event()?,
            Kind::Acknowledgement => Payload::Acknowledgement(self.list()?),
            Kind::ConnectError if self.payload.is_empty() || is_reason(self.payload) => {
                Payload::ConnectError(self.payload)
            }
            Kind::ConnectError => return Err(DecodeError::InvalidPayload),
        };
        Ok(Packet { namespace: self.namespace, id: self.id, payload })
    }

    /// The payload of CONNECT: nothing, or an object.
    fn object(&self) -> Result<Option<&'a str>, DecodeError> {
        if self.payload.is_empty() {
            return Ok(None);
        }
        let mut scanner = Scanner::new(self.payload);
        scanner.space();
        if scanner.peek() != Some(b'{') {
            return Err(DecodeError::InvalidPayload);
        }
        scanner.value()?;
        if scanner.at_end() { Ok(Some(self.payload)) } else { Err(DecodeError::InvalidPayload) }
    }

    /// The items of an array; without a payload there are none (S-013).
    fn list(&self) -> Result<Arguments<'a>, DecodeError> {
        if self.payload.is_empty() {
            return Ok(Arguments::default());
        }
        let mut scanner = Scanner::new(self.payload);
        if !scanner.enter_array()? {
            scanner.expect(b']')?;
            return self.arguments(scanner, 0..0);
        }
        let start = scanner.at;
        scanner.value()?;
        let others = scanner.other_items()?;
        self.arguments(scanner, start..others.end)
    }

    #[inline]
    fn event(&self) -> Result<Payload<'a>, DecodeError> {
        if self.payload.is_empty() {
            return Ok(Payload::Event { name: "".into(), arguments: Arguments::default() });
        }
        let mut scanner = Scanner::new(self.payload);
        if !scanner.enter_array()? {
            return Err(DecodeError::InvalidPayload);
        }
        let name = self.event_name(&mut scanner)?;
        let others = scanner.other_items()?;
        let arguments = self.arguments(scanner, others)?;
        Ok(Payload::Event { name, arguments })
    }

    /// A string that is not reserved, or a number (S-012).
    #[inline]
    fn event_name(&self, scanner: &mut Scanner<'_>) -> Result<Cow<'a, str>, DecodeError> {
        let start = scanner.at;
        let name = match scanner.peek() {
            Some(b'"') if scanner.string()? => {
                let json = self.payload.get(start..scanner.at).unwrap_or_default();
                serde_json::from_str::<String>(json).ok().map(Cow::Owned)
            }
            Some(b'"') => self.payload.get(start + 1..scanner.at - 1).map(Cow::Borrowed),
            Some(b'-' | b'0'..=b'9') => {
                scanner.value()?;
                return Ok(self.payload.get(start..scanner.at).unwrap_or_default().into());
            }
            _ => None,
        };
        name.filter(|name| !is_reserved_event(name)).ok_or(DecodeError::InvalidPayload)
    }

    /// The arguments at this place of the payload, if the scanner has seen all of it.
    #[inline]
    fn arguments(
        &self,
        mut scanner: Scanner<'_>,
        place: Range<usize>,
    ) -> Result<Arguments<'a>, DecodeError> {
        if !scanner.at_end() {
            return Err(DecodeError::InvalidPayload);
        }
        let list = self.payload.get(place).unwrap_or_default();
        Ok(Arguments { list, attachments: &[] })
    }
}

fn read_count(text: &str, limit: usize) -> Result<(usize, &str), DecodeError> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let rest = rest.strip_prefix('-').ok_or(DecodeError::IllegalCount)?;
    match digits.parse::<usize>() {
        Ok(0) => Err(DecodeError::IllegalCount),
        Ok(count) if count <= limit => Ok((count, rest)),
        _ if digits.is_empty() => Err(DecodeError::IllegalCount),
        _ => Err(DecodeError::TooManyAttachments),
    }
}

/// A namespace runs from `/` to the first comma, or to the end (S-010).
#[inline]
fn read_namespace(text: &str) -> (&str, &str) {
    if !text.starts_with('/') {
        return ("/", text);
    }
    text.split_once(',').unwrap_or((text, ""))
}

#[inline]
fn read_id(text: &str) -> Result<(Option<u64>, &str), DecodeError> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((None, text));
    }
    let (digits, rest) = text.split_at(end);
    match digits.parse() {
        Ok(id) if id <= MAX_ID => Ok((Some(id), rest)),
        _ => Err(DecodeError::InvalidId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(packet: &Packet<'_>) -> String {
        let id = packet.id.map_or_else(String::new, |id| format!(" #{id}"));
        let payload = match &packet.payload {
            Payload::Connect(data) => format!("connect {}", data.unwrap_or("-")),
            Payload::Disconnect => "disconnect".into(),
            Payload::Event { name, arguments } => format!("event {name} ({})", arguments.list),
            Payload::Acknowledgement(arguments) => format!("ack ({})", arguments.list),
            Payload::ConnectError(data) => format!("error {data}"),
        };
        format!("{}{id} {payload}", packet.namespace)
    }

    fn decode(text: &str) -> Result<String, DecodeError> {
        let mut decoder = Decoder::new();
        Ok(decoder.text(text, 10)?.map_or_else(|| "incomplete".into(), |packet| describe(&packet)))
    }

    #[test]
    fn packets_of_the_reference() {
        for (text, expected) in [
            ("0", "/ connect -"),
            ("0{\"token\":\"x\"}", "/ connect {\"token\":\"x\"}"),
            ("0/admin,{}", "/admin connect {}"),
            ("0/admin", "/admin connect -"),
            ("0/?a=b,", "/?a=b connect -"),
            ("1", "/ disconnect"),
            ("1/admin,", "/admin disconnect"),
            ("2[\"a\"]", "/ event a ()"),
            ("2[\"a\",1,{\"b\":[2]}]", "/ event a (1,{\"b\":[2]})"),
            ("2/admin,456[\"project:delete\",123]", "/admin #456 event project:delete (123)"),
            ("2[\"caf\\u00e9\"]", "/ event café ()"),
            ("2[1,2]", "/ event 1 (2)"),
            ("2[-1.5e3]", "/ event -1.5e3 ()"),
            ("2", "/ event  ()"),
            ("212[\"a\"]", "/ #12 event a ()"),
            ("29007199254740991[\"a\"]", "/ #9007199254740991 event a ()"),
            ("3456[]", "/ #456 ack ()"),
            ("312[null,\"x\"]", "/ #12 ack (null,\"x\")"),
            ("3", "/ ack ()"),
            ("51-[\"a\",{\"_placeholder\":true,\"num\":0}]", "incomplete"),
            ("51-[\"a\",\"\\ud800\",1e400,{\"_placeholder\":true,\"num\":0}]", "incomplete"),
            ("4/nope,{\"message\":\"no\"}", "/nope error {\"message\":\"no\"}"),
            ("4\"no\"", "/ error \"no\""),
            ("4", "/ error "),
            ("2[\"error\"]", "/ event error ()"),
            ("2[\"__proto__\"]", "/ event __proto__ ()"),
        ] {
            assert_eq!(decode(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_named() {
        use DecodeError::*;
        for (text, expected) in [
            ("", UnknownType(None)),
            ("7", UnknownType(Some(b'7'))),
            ("abc", UnknownType(Some(b'a'))),
            ("é", UnknownType(Some(0xc3))),
            ("2{}", InvalidPayload),
            ("2[]", InvalidPayload),
            ("2[", InvalidPayload),
            ("2[\"a\"", InvalidPayload),
            ("2[\"a\",]", InvalidPayload),
            ("2[\"a\"]x", InvalidPayload),
            ("2abc[\"a\"]", InvalidPayload),
            ("21.5[\"a\"]", InvalidPayload),
            ("2[true]", InvalidPayload),
            ("2[null]", InvalidPayload),
            ("2[{\"toString\":\"foo\"}]", InvalidPayload),
            ("2[[\"a\"]]", InvalidPayload),
            ("2\"a\"", InvalidPayload),
            ("2[\"connect\"]", InvalidPayload),
            ("2[\"disconn\\u0065ct\"]", InvalidPayload),
            ("3{}", InvalidPayload),
            ("0[]", InvalidPayload),
            ("0null", InvalidPayload),
            ("0\"x\"", InvalidPayload),
            ("0{", InvalidPayload),
            ("0admin", InvalidPayload),
            ("1[]", InvalidPayload),
            ("1/admin,{}", InvalidPayload),
            ("4[]", InvalidPayload),
            ("4null", InvalidPayload),
            ("4{", InvalidPayload),
            ("4{}x", InvalidPayload),
            ("29007199254740992[\"a\"]", InvalidId),
            ("299999999999999999999999[\"a\"]", InvalidId),
            ("50-[\"a\"]", IllegalCount),
            ("5-[\"a\"]", IllegalCount),
            ("5[\"a\"]", IllegalCount),
            ("51e1-[\"a\"]", IllegalCount),
            ("5 1-[\"a\"]", IllegalCount),
            ("5+1-[\"a\"]", IllegalCount),
            ("511-[\"a\"]", TooManyAttachments),
            ("5999999999999999999999-[\"a\"]", TooManyAttachments),
            ("51-[\"a\",{\"_placeholder\":true,\"num\":1}]", IllegalAttachment),
            ("51-[\"a\",{\"_placeholder\":true,\"num\":-1}]", IllegalAttachment),
            ("51-[\"a\",{\"_placeholder\":true,\"num\":0.5}]", IllegalAttachment),
            ("51-[\"a\",{\"_placeholder\":true,\"num\":\"0\"}]", IllegalAttachment),
            ("51-[\"a\",{\"_placeholder\":true}]", IllegalAttachment),
        ] {
            assert_eq!(decode(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn attachments_complete_a_packet_in_the_order_of_arrival() {
        let mut decoder = Decoder::new();
        let text =
            "52-/a,7[\"b\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]";
        assert!(decoder.text(text, 10).unwrap().is_none());
        assert!(decoder.binary(&[1]).unwrap().is_none());
        let assembled = decoder.binary(&[2]).unwrap().expect("complete");
        let packet = assembled.packet();
        assert_eq!((packet.namespace, packet.id), ("/a", Some(7)));
        let Payload::Event { name, arguments } = packet.payload else { panic!("no event") };
        assert_eq!(name, "b");
        let decoded: (Bytes, Bytes) = arguments.decode().unwrap();
        assert_eq!(decoded, (Bytes::from_static(&[2]), Bytes::from_static(&[1])));
        assert!(!decoder.awaits_attachments());
    }

    #[test]
    fn a_packet_with_attachments_is_what_its_text_says() {
        for (text, expected) in [
            (
                "51-[\"a\",{\"_placeholder\":true,\"num\":0}]",
                "/ event a ({\"_placeholder\":true,\"num\":0})",
            ),
            (
                "51-/b,[\"\\u0061\",{\"_placeholder\":true,\"num\":0},7]",
                "/b event a ({\"_placeholder\":true,\"num\":0},7)",
            ),
            ("51-3[7]", "/ #3 event 7 ()"),
            ("61-/b,3[1]", "/b #3 ack (1)"),
            ("61-", "/ ack ()"),
        ] {
            let mut decoder = Decoder::new();
            assert!(decoder.text(text, 10).unwrap().is_none(), "{text}");
            let assembled = decoder.binary(&[1]).unwrap().expect("complete");
            assert_eq!(describe(&assembled.packet()), expected);
        }
    }

    #[test]
    fn text_amid_attachments_and_bytes_without_a_packet_are_errors() {
        let mut decoder = Decoder::new();
        assert_eq!(decoder.binary(&[1]).unwrap_err(), DecodeError::UnexpectedBinary);
        decoder.text("51-[\"a\",{\"_placeholder\":true,\"num\":0}]", 10).unwrap();
        assert_eq!(decoder.text("2[\"b\"]", 10).unwrap_err(), DecodeError::TextAmidAttachments);
    }
}
