use std::fmt;
use std::sync::Arc;

use sockeye_proto::socket::ConnectRefused;

use crate::engine::client::{TransportError, UrlError};

/// Why a socket is not connected to its namespace (C-039, C-041).
///
/// Cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server does not let the client into the namespace; the socket does not try again by
    /// itself. Also if the client's own `auth` function failed.
    Refused(Arc<ConnectRefused>),
    /// The server was not reached, or does not speak Engine.IO. Tried again, if reconnection is on.
    Transport(TransportError),
    /// The connection was not there in time (`timeout`). Tried again, if reconnection is on.
    TimedOut,
    /// All attempts to reconnect are used up (`reconnection_attempts`).
    GaveUp,
    /// The socket was disconnected by the program before it was connected.
    Disconnected,
    /// The address is none.
    Url(UrlError),
}

impl ConnectError {
    /// The server's message, or the official client's for everything else.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Refused(refused) => &refused.message,
            Self::Transport(error) => error.message(),
            Self::TimedOut => "timeout",
            Self::GaveUp => "all attempts to reconnect are used up",
            Self::Disconnected => "the socket was disconnected",
            Self::Url(_) => "invalid URL",
        }
    }

    /// The data that the server gave with its refusal.
    #[must_use]
    pub fn data(&self) -> Option<&serde_json::Value> {
        match self {
            Self::Refused(refused) => refused.data.as_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => write!(f, "the namespace was refused: {}", refused.message),
            Self::Transport(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the connection was not there in time (timeout)"),
            Self::Url(error) => error.fmt(f),
            Self::GaveUp | Self::Disconnected => f.write_str(self.message()),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(error) => error.source(),
            Self::Url(error) => Some(error),
            _ => None,
        }
    }
}

impl From<UrlError> for ConnectError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<TransportError> for ConnectError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}
