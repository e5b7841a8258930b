//! The seam for parsers other than the default one (S-018). Never touches the default one's path.

use std::fmt;

use super::json::MAX_ID;
use super::{DecodeError, Value, is_reserved_event};

mod received;
mod sent;

pub use received::ReceivedPacket;
pub(super) use sent::Translated;

/// How packets become messages, and messages packets again: one for a whole server (S-018). Its
/// clients must speak the same.
///
/// Both methods are called while a connection waits for them: they must not block.
pub trait Parser: Send + Sync {
    /// Writes a packet as one message or several, which are sent in this order with nothing
    /// between them.
    ///
    /// # Errors
    /// If the packet cannot be written; it is not sent then, and whoever wanted to is told.
    fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError>;

    /// What reads the messages of one more connection.
    fn decoder(&self) -> Box<dyn ParserDecoder>;
}

/// Reads the messages of one connection, in the order in which they come.
pub trait ParserDecoder: Send {
    /// Takes a message; the packet, if one is complete with it.
    ///
    /// What is right for its type is checked afterwards ([`ParserPacket::validate`]). What only a
    /// parser can limit is its own task: how deep data may be nested (128 is what the default one
    /// takes), and how much memory an announced length gets.
    ///
    /// # Errors
    /// If the message is none of this parser's. The connection ends with `forced close` (S-027),
    /// and the decoder with it.
    fn add(&mut self, message: ParserInput<'_>) -> Result<Option<ParserPacket>, ParserError>;

    /// What a server calls: [`add`](Self::add), and then the packet's data is written as JSON,
    /// which is the form in which handlers decode it. A parser that can write that itself saves
    /// the time and the memory of a [`Value`].
    ///
    /// # Errors
    /// As for `add`; also if the parts of the packet do not fit together.
    fn receive(&mut self, message: ParserInput<'_>) -> Result<Option<ReceivedPacket>, ParserError> {
        let packet = self.add(message)?;
        packet.map(ReceivedPacket::new).transpose().map_err(ParserError::new)
    }
}

/// A packet as parsers know it: the reference's packet object.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the protocol's packet has these parts")]
pub struct ParserPacket {
    /// What kind of packet it is.
    pub kind: PacketKind,
    /// The namespace, with its leading slash.
    pub namespace: String,
    /// The acknowledgement id, if it has one: at most 2^53 - 1.
    pub id: Option<u64>,
    /// What it says: a list of the name and the arguments for an event, the list of values for an
    /// acknowledgement, an object or nothing for CONNECT, nothing for DISCONNECT, a text or an
    /// object for CONNECT_ERROR. Bytes may stand anywhere in it.
    pub data: Option<Value>,
}

impl ParserPacket {
    /// Checks that the parts fit together: the reference's `isPacketValid` (S-017), with ids as
    /// the default parser limits them. Applied to each packet that a [`ParserDecoder`] gives.
    ///
    /// # Errors
    /// [`DecodeError::InvalidPayload`] or [`DecodeError::InvalidId`].
    pub fn validate(&self) -> Result<(), DecodeError> {
        if self.id.is_some_and(|id| id > MAX_ID) {
            return Err(DecodeError::InvalidId);
        }
        let valid = match (self.kind, &self.data) {
            (PacketKind::Connect | PacketKind::Disconnect, None)
            | (PacketKind::Connect | PacketKind::ConnectError, Some(Value::Object(_)))
            | (PacketKind::ConnectError, Some(Value::String(_)))
            | (PacketKind::Acknowledgement, Some(Value::Array(_))) => true,
            (PacketKind::Event, Some(Value::Array(items))) => is_event(items),
            _ => false,
        };
        if valid { Ok(()) } else { Err(DecodeError::InvalidPayload) }
    }
}

/// Whether the list begins with the name of an event: a number, or a string that is not reserved.
fn is_event(items: &[Value]) -> bool {
    match items.first() {
        Some(Value::Number(_)) => true,
        Some(Value::String(name)) => !is_reserved_event(name),
        _ => false,
    }
}

/// What a packet is. Binary or not makes no difference here; it is the default parser alone that
/// has types of its own for packets with attachments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has exactly these packets")]
pub enum PacketKind {
    /// 0: asks to join a namespace, or grants it.
    Connect,
    /// 1: leaves the namespace.
    Disconnect,
    /// 2: an event.
    Event,
    /// 3: the answer to an event.
    Acknowledgement,
    /// 4: the namespace cannot be joined.
    ConnectError,
}

impl PacketKind {
    /// The number that stands for it on the wire (S-001).
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind that this number stands for, if any does.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Connect),
            1 => Some(Self::Disconnect),
            2 => Some(Self::Event),
            3 => Some(Self::Acknowledgement),
            4 => Some(Self::ConnectError),
            _ => None,
        }
    }
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a message is text or binary")]
pub enum ParserMessage {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// A message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a message is text or binary")]
pub enum ParserInput<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// Why a parser could not read or write a packet.
#[derive(Debug)]
pub struct ParserError(Box<dyn std::error::Error + Send + Sync>);

impl ParserError {
    /// An error with this reason: a text, or another error.
    #[must_use]
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for ParserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ParserError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn packet(kind: PacketKind, data: Option<serde_json::Value>) -> ParserPacket {
        let data = data.map(|data| serde_json::from_value(data).unwrap());
        ParserPacket { kind, namespace: "/".into(), id: None, data }
    }

    #[test]
    fn s_017_valid_packets() {
        use PacketKind::*;
        for (kind, data) in [
            (Connect, None),
            (Connect, Some(json!({}))),
            (Disconnect, None),
            (Event, Some(json!(["name"]))),
            (Event, Some(json!(["", 1, null]))),
            (Event, Some(json!([1.5]))),
            (Event, Some(json!(["error"]))),
            (Acknowledgement, Some(json!([]))),
            (Acknowledgement, Some(json!([null]))),
            (ConnectError, Some(json!("no"))),
            (ConnectError, Some(json!({"message": "no"}))),
        ] {
            let packet = packet(kind, data);
            assert_eq!(packet.validate(), Ok(()), "{packet:?}");
        }
    }

    #[test]
    fn s_017_invalid_packets() {
        use PacketKind::*;
        for (kind, data) in [
            (Connect, Some(json!(null))),
            (Connect, Some(json!([]))),
            (Connect, Some(json!("x"))),
            (Disconnect, Some(json!(null))),
            (Disconnect, Some(json!([]))),
            (Event, None),
            (Event, Some(json!(null))),
            (Event, Some(json!([]))),
            (Event, Some(json!([null]))),
            (Event, Some(json!([true]))),
            (Event, Some(json!([["a"]]))),
            (Event, Some(json!({"0": "a"}))),
            (Event, Some(json!(["connect"]))),
            (Event, Some(json!(["removeListener"]))),
            (Acknowledgement, None),
            (Acknowledgement, Some(json!({}))),
            (ConnectError, None),
            (ConnectError, Some(json!(null))),
            (ConnectError, Some(json!([]))),
        ] {
            let packet = packet(kind, data);
            assert_eq!(packet.validate(), Err(DecodeError::InvalidPayload), "{packet:?}");
        }
    }

    #[test]
    fn ids_above_what_javascript_knows_exactly_are_refused() {
        let event = packet(PacketKind::Event, Some(json!(["a"])));
        let highest = ParserPacket { id: Some((1 << 53) - 1), ..event.clone() };
        assert_eq!(highest.validate(), Ok(()));
        let beyond = ParserPacket { id: Some(1 << 53), ..event };
        assert_eq!(beyond.validate(), Err(DecodeError::InvalidId));
    }

    #[test]
    fn each_kind_has_its_number() {
        for number in 0..5 {
            let kind = PacketKind::from_number(number).unwrap();
            assert_eq!(u64::from(kind.number()), number);
        }
        assert_eq!(PacketKind::from_number(5), None);
    }
}
