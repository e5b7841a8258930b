use std::fmt;

use crate::socket::ParserError;

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
