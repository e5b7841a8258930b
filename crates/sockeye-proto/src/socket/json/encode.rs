use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use crate::socket::{ArgumentWriter, Offset, Recovery, ToArguments, is_reserved_event};
use crate::websocket::{FrameRef, HEADROOM, Opcode};

mod encoded;
mod error;
mod scratch;
mod string;
#[cfg(test)]
mod tests;

pub use encoded::{Encoded, Written};
pub use error::EncodeError;
pub(in crate::socket) use scratch::Attachments;
pub use scratch::{Scratch, WrittenFrame};
pub(in crate::socket) use string::write_string;

/// So much higher is the type of an event or acknowledgement that has attachments.
const WITH_ATTACHMENTS: u8 = 3;

/// The digits of a `u64`, and of the largest count of attachments.
const DIGITS: usize = 20;

/// Writes packets for one namespace into a buffer that is used over and over.
///
/// The payload is written first, behind room for everything that may stand before it, because
/// only then is it known how many attachments the packet has. So each packet is serialized
/// straight into place, and copied once, into its frame.
#[derive(Debug)]
pub struct Encoder<'a> {
    text: &'a mut Vec<u8>,
    attachments: &'a mut Attachments,
    namespace: &'a str,
}

impl<'a> Encoder<'a> {
    /// An encoder for packets of `namespace`. What `scratch` holds is lost.
    pub const fn new(scratch: &'a mut Scratch, namespace: &'a str) -> Self {
        let Scratch { text, attachments } = scratch;
        Self { text, attachments, namespace }
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
        encoder.text.pop();
        for part in [b",\"", offset.text().as_bytes(), b"\"]"] {
            encoder.text.extend_from_slice(part);
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
        self.text.push(b'[');
        write_string(self.text, name).map_err(EncodeError::Json)?;
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
        self.text.push(b'[');
        self.arguments(arguments, false)?;
        Ok(self.write(b'3', Some(id)))
    }

    /// Tells the client that it is connected to the namespace, under which id (S-023), and under
    /// which secret one it may come back (S-078).
    pub fn connect(&mut self, sid: &str, pid: Option<&str>) -> Encoded {
        self.begin();
        let pid = pid.map_or_else(String::new, |pid| format!(",\"pid\":\"{pid}\""));
        for part in ["{\"sid\":\"", sid, "\"", &pid, "}"] {
            self.text.extend_from_slice(part.as_bytes());
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
        let start = self.text.len();
        for (key, value) in [("pid", recovery.pid), ("offset", recovery.offset)] {
            let Some(value) = value.filter(|_| !own.contains_key(key)) else { continue };
            let mark = if self.text.len() == start { "{\"" } else { ",\"" };
            for part in [mark, key, "\":"] {
                self.text.extend_from_slice(part.as_bytes());
            }
            write_string(self.text, value).map_err(EncodeError::Json)?;
        }
        let has_recovery = self.text.len() > start;
        let rest = match auth.strip_prefix('{') {
            Some(members) if has_recovery && !own.is_empty() => [",", members],
            Some(_) if has_recovery => ["", "}"],
            _ if given => ["", auth],
            _ => ["", ""],
        };
        rest.iter().for_each(|part| self.text.extend_from_slice(part.as_bytes()));
        Ok(self.finish(b'0'))
    }

    /// Tells the client why it may not join the namespace (S-024).
    pub fn connect_error(&mut self, message: &str, data: Option<&serde_json::Value>) -> Encoded {
        self.begin();
        let message = serde_json::Value::from(message).to_string();
        let data = data.map_or_else(String::new, |data| format!(",\"data\":{data}"));
        for part in ["{\"message\":", &message, &data, "}"] {
            self.text.extend_from_slice(part.as_bytes());
        }
        self.finish(b'4')
    }

    /// The same for a client of Socket.IO 2, for which any value is a reason (S-101). A number
    /// it takes for an acknowledgement id.
    pub fn connect_error_value(&mut self, reason: &serde_json::Value) -> Encoded {
        self.begin();
        self.text.extend_from_slice(reason.to_string().as_bytes());
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
        let mut writer = ArgumentWriter::new(self.text, self.attachments, after_name);
        arguments.write(&mut writer).map_err(EncodeError::Json)?;
        self.text.push(b']');
        Ok(())
    }

    /// Room before the payload: frame header, two types, count, `-`, namespace, `,`, id.
    const fn room(&self) -> usize {
        HEADROOM + 2 + DIGITS + 1 + self.namespace.len() + 1 + DIGITS
    }

    fn begin(&mut self) {
        self.attachments.clear();
        let room = self.room();
        if self.text.len() < room {
            self.text.resize(room, 0);
        }
        // What lies there is written over, or not sent.
        self.text.truncate(room);
    }

    /// A packet without an id or attachments, behind whose type the payload lies.
    fn finish(&mut self, kind: u8) -> Encoded {
        self.reborrow().write(kind, None).into_encoded()
    }

    const fn reborrow(&mut self) -> Encoder<'_> {
        let Self { text, attachments, namespace } = self;
        Encoder { text, attachments, namespace }
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
        let text = FrameRef::in_scratch(Opcode::Text, self.text, start);
        // There is room.
        Written { text: text.unwrap_or_default(), attachments: self.attachments }
    }

    #[inline]
    fn prepend(&mut self, start: &mut usize, part: &[u8]) {
        *start -= part.len();
        self.text[*start..*start + part.len()].copy_from_slice(part);
    }
}
