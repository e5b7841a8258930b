use std::borrow::Cow;

use super::Arguments;

/// Attachments that a received packet may announce unless told otherwise, as in the official parser
/// (S-008).
pub const MAX_ATTACHMENTS: usize = 10;

/// One Socket.IO packet as it arrived, complete with its attachments (S-001).
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the protocol's packet has these parts")]
pub struct Packet<'a> {
    /// The namespace, with its leading slash.
    pub namespace: &'a str,
    /// The acknowledgement id, if the packet has one.
    pub id: Option<u64>,
    /// What it says.
    pub payload: Payload<'a>,
}

/// What a packet says.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has exactly these packets")]
pub enum Payload<'a> {
    /// Asks to join the namespace, or grants it; the JSON object, if there is one.
    Connect(Option<&'a str>),
    /// Leaves the namespace.
    Disconnect,
    /// An event, with or without binary.
    Event {
        /// Its name; a number stands as its digits (S-015).
        name: Cow<'a, str>,
        /// Its arguments, not decoded yet.
        arguments: Arguments<'a>,
    },
    /// The answer to an event.
    Acknowledgement(Arguments<'a>),
    /// The namespace cannot be joined; the JSON string or object.
    ConnectError(&'a str),
}

/// Whether `name` may not be used for an event, on the wire or by the application (S-014).
#[must_use]
pub fn is_reserved_event(name: &str) -> bool {
    matches!(
        name,
        "connect"
            | "connect_error"
            | "disconnect"
            | "disconnecting"
            | "newListener"
            | "removeListener"
    )
}
