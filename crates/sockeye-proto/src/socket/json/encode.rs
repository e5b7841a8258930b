use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use serde::de::IgnoredAny;

use crate::socket::parser::Translated;
use crate::socket::{
    ArgumentWriter, Offset, ParserError, Recovery, ToArguments, is_reserved_event,
};
use crate::websocket::{Frame, FrameRef, HEADROOM, Opcode};

/// Why a packet could not be written. Always the caller's fault; nothing was sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum EncodeError {
    /// The event's name is one of the reserved ones (S-014).
    ReservedEvent(String),
    /// A value cannot be written as JSON; what its `Serialize` said.
    Json(serde_json::Error),
    /// The server's own parser cannot write the packet.
    Parser(ParserError),
    /// What a client would send along with CONNECT is no JSON object; what was found.
    Auth(serde_json::Error),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedEvent(name) => write!(f, "\"{name}\" is a reserved event name"),
            Self::Json(error) => write!(f, "the arguments cannot be written as JSON: {error}"),
            Self::Parser(error) => error.fmt(f),
            Self::Auth(error) => write!(f, "what is sent along with CONNECT is no object: {error}"),
        }
    }
}

impl std::error::Error for EncodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ReservedEvent(_) => None,
            Self::Json(error) | Self::Auth(error) => Some(error),
            Self::Parser(error) => Some(error),
        }
    }
}

/// A packet, written once for any number of receivers: finished WebSocket frames, from which the
/// forms of other transports are cut.
///
/// With a custom parser these are its messages; the default parser's form stays beside them, for
/// whoever has to look into the packet.
#[derive(Clone, Debug)]
pub struct Encoded {
    text: Frame,
    attachments: Vec<Frame>,
    /// What is sent instead of the above.
    custom: Option<Box<Translated>>,
    /// For each frame what is sent where messages are compressed, from the first time on that it
    /// is needed. No allocation before.
    deflated: OnceLock<Box<[Frame]>>,
}

impl Encoded {
    const fn new(text: Frame, attachments: Vec<Frame>) -> Self {
        Self { text, attachments, custom: None, deflated: OnceLock::new() }
    }

    /// The frames, in the order in which they must be sent, with nothing between them.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        let (first, others) = match &self.custom {
            Some(custom) => (None, &custom.frames),
            None => (Some(&self.text), &self.attachments),
        };
        first.into_iter().chain(others)
    }

    /// The same for a packet that has one receiver.
    pub fn into_frames(self) -> impl Iterator<Item = Frame> {
        let (first, others) = match self.custom {
            Some(custom) => (None, custom.frames),
            None => (Some(self.text), self.attachments),
        };
        first.into_iter().chain(others)
    }

    /// The same packet, sent in another form.
    pub(in crate::socket) fn with_translation(mut self, custom: Translated) -> Self {
        self.custom = Some(Box::new(custom));
        self.deflated = OnceLock::new();
        self
    }

    /// Each frame, and beside it what is sent where messages are compressed: what `deflate` made of
    /// it the first time that this was called, or the frame itself if that was nothing.
    ///
    /// Who calls it meanwhile waits: a packet is compressed once, for however many receivers.
    pub fn deflated(
        &self,
        deflate: impl FnMut(&Frame) -> Option<Frame>,
    ) -> impl Iterator<Item = (&Frame, &Frame)> {
        let mut deflate = deflate;
        let deflated = self.deflated.get_or_init(|| {
            self.frames().map(|frame| deflate(frame).unwrap_or_else(|| frame.clone())).collect()
        });
        self.frames().zip(deflated)
    }

    /// How many bytes are kept with it, in all its forms but the compressed one.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        let custom = self.custom.iter().flat_map(|custom| &custom.frames);
        std::iter::once(&self.text).chain(&self.attachments).chain(custom).map(Frame::len).sum()
    }

    /// The packet's text in the default parser's form, without the Engine.IO type before it.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.text.payload().get(1..).unwrap_or_default()
    }

    /// The same event with one more argument: the place that it has in what its receiver is sent
    /// (S-079).
    ///
    /// # Errors
    /// [`EncodeError::Parser`] if a custom parser cannot write it.
    pub fn with_offset(&self, offset: Offset) -> Result<Self, EncodeError> {
        let payload = self.text.payload();
        let list = payload.strip_suffix(b"]").unwrap_or(payload);
        let offset = offset.text();
        let text = Frame::from_parts(Opcode::Text, &[list, b",\"", offset.as_bytes(), b"\"]"]);
        let packet = Self::new(text, self.attachments.clone());
        match &self.custom {
            Some(custom) => packet.with_parser(&custom.parser, &custom.namespace),
            None => Ok(packet),
        }
    }

    /// The attachments' bytes, in the same form.
    pub fn attachments(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.attachments.iter().map(Frame::payload)
    }
}

/// A packet as it was just written: for who has one receiver for it, which costs no allocation then.
#[derive(Debug)]
pub struct Written<'a> {
    text: FrameRef<'a>,
    attachments: Vec<Frame>,
}

impl Written<'_> {
    /// Its first frame, which lies in the encoder's scratch buffer.
    #[must_use]
    pub const fn text(&self) -> FrameRef<'_> {
        self.text
    }

    /// The frames behind it.
    #[must_use]
    pub fn into_attachments(self) -> Vec<Frame> {
        self.attachments
    }

    /// The same packet, for any number of receivers.
    #[must_use]
    pub fn into_encoded(self) -> Encoded {
        Encoded::new(self.text.to_frame(), self.attachments)
    }
}

/// Writes packets for one namespace into a scratch buffer that is used over and over.
///
/// The payload is written first, behind room for everything that may stand before it, because
/// only then is it known how many attachments the packet has. So each packet is serialized
/// straight into place, and copied once, into its frame.
#[derive(Debug)]
pub struct Encoder<'a> {
    scratch: &'a mut Vec<u8>,
    namespace: &'a str,
    attachments: Vec<Frame>,
}

/// Writes a string. Most short ones need no escapes, and no serializer; at long ones it is faster.
#[inline]
pub(in crate::socket) fn write_string(json: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    const SHORT: usize = 64;
    let is_special = |byte| matches!(byte, b'"' | b'\\' | 0..0x20);
    if text.len() > SHORT || text.bytes().any(is_special) {
        return write_any_string(json, text);
    }
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
    Ok(())
}

#[cold]
fn write_any_string(json: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    serde_json::to_writer(json, text)
}

/// So much higher is the type of an event or acknowledgement that has attachments.
const WITH_ATTACHMENTS: u8 = 3;

/// The digits of a `u64`, and of the largest count of attachments.
const DIGITS: usize = 20;

impl<'a> Encoder<'a> {
    /// An encoder for packets of `namespace`. What `scratch` holds is lost.
    pub const fn new(scratch: &'a mut Vec<u8>, namespace: &'a str) -> Self {
        Self { scratch, namespace, attachments: Vec::new() }
    }

    /// An event; with an id if it asks for an acknowledgement.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn event<A: ToArguments + ?Sized>(
        &mut self,
        name: &str,
        id: Option<u64>,
        arguments: &A,
    ) -> Result<Encoded, EncodeError> {
        Ok(self.reborrow().write_event(name, id, arguments)?.into_encoded())
    }

    /// The same for one receiver.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn write_event<A: ToArguments + ?Sized>(
        mut self,
        name: &str,
        id: Option<u64>,
        arguments: &A,
    ) -> Result<Written<'a>, EncodeError> {
        self.event_list(name, arguments)?;
        Ok(self.write(b'2', id))
    }

    /// An event with its offset as one more argument: what [`Encoded::with_offset`] makes of one,
    /// written at once.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn event_at<A: ToArguments + ?Sized>(
        &mut self,
        name: &str,
        arguments: &A,
        offset: Offset,
    ) -> Result<Encoded, EncodeError> {
        let mut encoder = self.reborrow();
        encoder.event_list(name, arguments)?;
        encoder.scratch.pop();
        for part in [b",\"", offset.text().as_bytes(), b"\"]"] {
            encoder.scratch.extend_from_slice(part);
        }
        Ok(encoder.write(b'2', None).into_encoded())
    }

    #[inline(always)]
    fn event_list<A: ToArguments + ?Sized>(
        &mut self,
        name: &str,
        arguments: &A,
    ) -> Result<(), EncodeError> {
        if is_reserved_event(name) {
            return Err(EncodeError::ReservedEvent(name.to_owned()));
        }
        self.begin();
        self.scratch.push(b'[');
        write_string(self.scratch, name).map_err(EncodeError::Json)?;
        self.arguments(arguments, true)
    }

    /// The answer to the event with this id.
    ///
    /// # Errors
    /// [`EncodeError::Json`].
    pub fn acknowledgement<A: ToArguments + ?Sized>(
        &mut self,
        id: u64,
        arguments: &A,
    ) -> Result<Encoded, EncodeError> {
        Ok(self.reborrow().write_acknowledgement(id, arguments)?.into_encoded())
    }

    /// The same for one receiver.
    ///
    /// # Errors
    /// [`EncodeError::Json`].
    pub fn write_acknowledgement<A: ToArguments + ?Sized>(
        mut self,
        id: u64,
        arguments: &A,
    ) -> Result<Written<'a>, EncodeError> {
        self.begin();
        self.scratch.push(b'[');
        self.arguments(arguments, false)?;
        Ok(self.write(b'3', Some(id)))
    }

    /// Tells the client that it is connected to the namespace, under which id (S-023), and under
    /// which secret one it may come back (S-078).
    pub fn connect(&mut self, sid: &str, pid: Option<&str>) -> Encoded {
        self.begin();
        let pid = pid.map_or_else(String::new, |pid| format!(",\"pid\":\"{pid}\""));
        for part in ["{\"sid\":\"", sid, "\"", &pid, "}"] {
            self.scratch.extend_from_slice(part.as_bytes());
        }
        self.finish(b'0')
    }

    /// The same for a client of Socket.IO 2, which knows its id (S-099).
    pub fn connect_without_id(&mut self) -> Encoded {
        self.begin();
        self.finish(b'0')
    }

    /// Asks to join the namespace (C-040). `auth` is a JSON object.
    ///
    /// What the client comes back with stands before it, unless it has a `pid` or `offset` of its
    /// own (C-051).
    ///
    /// # Errors
    /// [`EncodeError::Auth`] if `auth` is no JSON object.
    pub fn connect_with(
        &mut self,
        auth: Option<&str>,
        recovery: Recovery<'_>,
    ) -> Result<Encoded, EncodeError> {
        let given = auth.is_some();
        let auth = auth.map_or("{}", str::trim_ascii);
        let own: BTreeMap<Cow<'_, str>, IgnoredAny> =
            serde_json::from_str(auth).map_err(EncodeError::Auth)?;
        self.begin();
        let start = self.scratch.len();
        for (key, value) in [("pid", recovery.pid), ("offset", recovery.offset)] {
            let Some(value) = value.filter(|_| !own.contains_key(key)) else { continue };
            let mark = if self.scratch.len() == start { "{\"" } else { ",\"" };
            for part in [mark, key, "\":"] {
                self.scratch.extend_from_slice(part.as_bytes());
            }
            write_string(self.scratch, value).map_err(EncodeError::Json)?;
        }
        let has_recovery = self.scratch.len() > start;
        let rest = match auth.strip_prefix('{') {
            Some(members) if has_recovery && !own.is_empty() => [",", members],
            Some(_) if has_recovery => ["", "}"],
            _ if given => ["", auth],
            _ => ["", ""],
        };
        rest.iter().for_each(|part| self.scratch.extend_from_slice(part.as_bytes()));
        Ok(self.finish(b'0'))
    }

    /// Tells the client why it may not join the namespace (S-024).
    pub fn connect_error(&mut self, message: &str, data: Option<&serde_json::Value>) -> Encoded {
        self.begin();
        let message = serde_json::Value::from(message).to_string();
        let data = data.map_or_else(String::new, |data| format!(",\"data\":{data}"));
        for part in ["{\"message\":", &message, &data, "}"] {
            self.scratch.extend_from_slice(part.as_bytes());
        }
        self.finish(b'4')
    }

    /// The same for a client of Socket.IO 2, for which any value is a reason (S-101). A number
    /// it takes for an acknowledgement id.
    pub fn connect_error_value(&mut self, reason: &serde_json::Value) -> Encoded {
        self.begin();
        self.scratch.extend_from_slice(reason.to_string().as_bytes());
        self.finish(b'4')
    }

    /// Tells the client that it is no longer in the namespace.
    pub fn disconnect(&mut self) -> Encoded {
        self.begin();
        self.finish(b'1')
    }

    #[inline(always)]
    fn arguments<A: ToArguments + ?Sized>(
        &mut self,
        arguments: &A,
        after_name: bool,
    ) -> Result<(), EncodeError> {
        let mut writer = ArgumentWriter::new(self.scratch, &mut self.attachments, after_name);
        arguments.write(&mut writer).map_err(EncodeError::Json)?;
        self.scratch.push(b']');
        Ok(())
    }

    /// Room before the payload: frame header, two types, count, `-`, namespace, `,`, id.
    const fn room(&self) -> usize {
        HEADROOM + 2 + DIGITS + 1 + self.namespace.len() + 1 + DIGITS
    }

    fn begin(&mut self) {
        let room = self.room();
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        // What lies there is written over, or not sent.
        self.scratch.truncate(room);
    }

    /// A packet without an id or attachments, behind whose type the payload lies.
    fn finish(&mut self, kind: u8) -> Encoded {
        self.reborrow().write(kind, None).into_encoded()
    }

    const fn reborrow(&mut self) -> Encoder<'_> {
        Encoder::new(self.scratch, self.namespace)
    }

    /// Completes a packet of this kind, or if it has attachments, of the kind that has them.
    #[inline]
    fn write(mut self, kind: u8, id: Option<u64>) -> Written<'a> {
        let mut start = self.room();
        if let Some(id) = id {
            self.prepend(&mut start, itoa::Buffer::new().format(id).as_bytes());
        }
        if self.namespace != "/" {
            self.prepend(&mut start, b",");
            let namespace = self.namespace;
            self.prepend(&mut start, namespace.as_bytes());
        }
        if self.attachments.is_empty() {
            self.prepend(&mut start, &[b'4', kind]);
        } else {
            self.prepend(&mut start, b"-");
            self.prepend(&mut start, itoa::Buffer::new().format(self.attachments.len()).as_bytes());
            self.prepend(&mut start, &[b'4', kind + WITH_ATTACHMENTS]);
        }
        let text = FrameRef::in_scratch(Opcode::Text, self.scratch, start);
        // There is room.
        Written { text: text.unwrap_or_default(), attachments: self.attachments }
    }

    #[inline]
    fn prepend(&mut self, start: &mut usize, part: &[u8]) {
        *start -= part.len();
        self.scratch[*start..*start + part.len()].copy_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::socket::Value;

    fn text(encoded: &Encoded) -> String {
        String::from_utf8(encoded.text().to_vec()).unwrap()
    }

    fn event<A: ToArguments + ?Sized>(arguments: &A) -> String {
        text(&Encoder::new(&mut Vec::new(), "/").event("e", None, arguments).unwrap())
    }

    fn acknowledgement<A: ToArguments + ?Sized>(arguments: &A) -> String {
        text(&Encoder::new(&mut Vec::new(), "/").acknowledgement(7, arguments).unwrap())
    }

    #[test]
    fn a_tuple_is_several_arguments_anything_else_is_one() {
        #[derive(Serialize)]
        struct Point(i32, i32);
        #[derive(Serialize)]
        struct Name(&'static str);
        assert_eq!(event(&()), "2[\"e\"]");
        assert_eq!(event(&(1,)), "2[\"e\",1]");
        assert_eq!(event(&(1, "two", [3])), "2[\"e\",1,\"two\",[3]]");
        assert_eq!(event(&&(1, 2)), "2[\"e\",1,2]");
        assert_eq!(event("text"), "2[\"e\",\"text\"]");
        assert_eq!(event(&vec![1, 2]), "2[\"e\",[1,2]]");
        assert_eq!(event(&[1, 2]), "2[\"e\",[1,2]]");
        assert_eq!(event(&Point(1, 2)), "2[\"e\",[1,2]]");
        assert_eq!(event(&Name("n")), "2[\"e\",\"n\"]");
        assert_eq!(event(&None::<i32>), "2[\"e\",null]");
        assert_eq!(event(&json!({"a": [1, null]})), "2[\"e\",{\"a\":[1,null]}]");
        assert_eq!(acknowledgement(&()), "37[]");
        assert_eq!(acknowledgement(&(1, 2)), "37[1,2]");
        assert_eq!(acknowledgement(&vec![1, 2]), "37[[1,2]]");
    }

    #[test]
    fn bytes_anywhere_become_attachments() {
        #[derive(Serialize)]
        struct Upload {
            name: &'static str,
            content: Bytes,
        }
        let upload = Upload { name: "x", content: Bytes::from_static(&[1, 2]) };
        let more = Value::Array(vec![Value::Binary(Bytes::from_static(&[3]))]);
        let mut scratch = Vec::new();
        let encoded =
            Encoder::new(&mut scratch, "/files").event("up", Some(3), &(upload, more)).unwrap();
        assert_eq!(
            text(&encoded),
            "52-/files,3[\"up\",{\"name\":\"x\",\"content\":{\"_placeholder\":true,\"num\":0}},\
             [{\"_placeholder\":true,\"num\":1}]]"
        );
        assert_eq!(encoded.attachments().collect::<Vec<_>>(), [&[1, 2][..], &[3]]);
        assert_eq!(encoded.frames().count(), 3);
    }

    #[test]
    fn the_servers_answers_are_the_references() {
        let mut scratch = Vec::new();
        let mut encoder = Encoder::new(&mut scratch, "/nope");
        assert_eq!(text(&encoder.connect("YDdIvTwz8y", None)), "0/nope,{\"sid\":\"YDdIvTwz8y\"}");
        assert_eq!(text(&encoder.connect("a", Some("b"))), "0/nope,{\"sid\":\"a\",\"pid\":\"b\"}");
        assert_eq!(text(&encoder.connect_without_id()), "0/nope,");
        assert_eq!(text(&encoder.connect_error_value(&"no".into())), "4/nope,\"no\"");
        assert_eq!(text(&encoder.disconnect()), "1/nope,");
        assert_eq!(
            text(&encoder.connect_error("Invalid namespace", None)),
            "4/nope,{\"message\":\"Invalid namespace\"}"
        );
        let data = json!({"code": 7});
        assert_eq!(
            text(&encoder.connect_error("no", Some(&data))),
            "4/nope,{\"message\":\"no\",\"data\":{\"code\":7}}"
        );
    }

    #[test]
    fn c_051_a_client_says_what_it_comes_back_with_and_then_who_it_is() {
        let mut scratch = Vec::new();
        let mut encoder = Encoder::new(&mut scratch, "/a");
        let mut connect = |auth, pid, offset| {
            text(&encoder.connect_with(auth, Recovery { pid, offset }).unwrap())
        };
        assert_eq!(connect(None, None, None), "0/a,");
        assert_eq!(connect(Some("{}"), None, None), "0/a,{}");
        assert_eq!(connect(Some(" {\"token\":1} "), None, None), "0/a,{\"token\":1}");
        assert_eq!(connect(None, Some("p"), None), "0/a,{\"pid\":\"p\"}");
        assert_eq!(connect(Some("{ }"), Some("p"), None), "0/a,{\"pid\":\"p\"}");
        assert_eq!(
            connect(Some("{\"token\":1}"), Some("p"), Some("\"")),
            "0/a,{\"pid\":\"p\",\"offset\":\"\\\"\",\"token\":1}"
        );
        let own = "{\"pid\":null,\"a\":{\"offset\":1}}";
        assert_eq!(
            connect(Some(own), Some("p"), Some("~1")),
            "0/a,{\"offset\":\"~1\",\"pid\":null,\"a\":{\"offset\":1}}"
        );
        for auth in ["", "1", "null", "[]", "{", "{}}", "{\"a\":}"] {
            let error = encoder.connect_with(Some(auth), Recovery::default()).unwrap_err();
            assert!(matches!(error, EncodeError::Auth(_)), "{auth}");
        }
    }

    #[test]
    fn the_frame_is_complete() {
        let mut scratch = Vec::new();
        let encoded = Encoder::new(&mut scratch, "/").event("hi", None, "é").unwrap();
        let frame = encoded.frames().next().unwrap();
        assert_eq!(frame.as_bytes(), b"\x81\x0d42[\"hi\",\"\xc3\xa9\"]");
    }

    #[test]
    fn s_079_an_offset_is_one_more_argument() {
        let mut scratch = Vec::new();
        let mut encoder = Encoder::new(&mut scratch, "/");
        let plain = encoder.event("hi", None, &("é", Bytes::from_static(&[1]))).unwrap();
        let offered = plain.with_offset(Offset::new(35)).unwrap();
        let placeholder = "{\"_placeholder\":true,\"num\":0}";
        assert_eq!(text(&offered), format!("51-[\"hi\",\"é\",{placeholder},\"~z\"]"));
        assert_eq!(offered.attachments().collect::<Vec<_>>(), [&[1]]);
        let bare = encoder.event("hi", None, &()).unwrap().with_offset(Offset::new(0)).unwrap();
        assert_eq!(text(&bare), "2[\"hi\",\"~0\"]");
        for arguments in ["", "é"] {
            let plain = encoder.event("hi", None, arguments).unwrap();
            let at = encoder.event_at("hi", arguments, Offset::new(7)).unwrap();
            assert_eq!(text(&at), text(&plain.with_offset(Offset::new(7)).unwrap()));
        }
    }

    #[test]
    fn a_packet_is_compressed_once() {
        let mut scratch = Vec::new();
        let attachment = Value::Binary(Bytes::from_static(&[1, 2]));
        let encoded = Encoder::new(&mut scratch, "/").event("e", None, &(attachment,)).unwrap();
        let mut calls = 0;
        for _ in 0..1000 {
            let deflated: Vec<_> = encoded
                .deflated(|frame| {
                    calls += 1;
                    (frame.opcode() == Opcode::Text).then(|| Frame::text(b"short"))
                })
                .collect();
            let [text, attachment] = &deflated[..] else { panic!("{deflated:?}") };
            assert_eq!((text.0.payload()[0], text.1.payload()), (b'4', &b"short"[..]));
            assert_eq!(attachment.0.as_bytes().as_ptr(), attachment.1.as_bytes().as_ptr());
        }
        assert_eq!(calls, 2);
    }

    #[test]
    fn reserved_names_are_refused() {
        let error = Encoder::new(&mut Vec::new(), "/").event("connect", None, &()).unwrap_err();
        assert_eq!(error.to_string(), "\"connect\" is a reserved event name");
    }
}
