use std::fmt;

use crate::engine::CloseReason;

/// Why a socket is no longer connected, in the words of the official server (section 2.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the official server has exactly these reasons")]
pub enum DisconnectReason {
    /// The server called [`Socket::disconnect`](crate::Socket::disconnect).
    ServerNamespaceDisconnect,
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The server is closing.
    ServerShuttingDown,
    /// The client did not answer a ping in time.
    PingTimeout,
    /// The connection was closed by the client, or was lost.
    TransportClose,
    /// The client broke the rules of the transport.
    TransportError,
    /// The client sent something that is no Engine.IO packet.
    ParseError,
    /// The client sent something that is no Socket.IO packet, or not at this place; or the
    /// connection was closed by the server.
    ForcedClose,
}

impl DisconnectReason {
    /// Whether a client that left for this reason may get its socket back (S-082).
    #[must_use]
    pub const fn is_recoverable(self) -> bool {
        match self {
            Self::TransportError
            | Self::TransportClose
            | Self::ForcedClose
            | Self::PingTimeout
            | Self::ServerShuttingDown => true,
            Self::ServerNamespaceDisconnect
            | Self::ClientNamespaceDisconnect
            | Self::ParseError => false,
        }
    }

    /// The official server's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<CloseReason> for DisconnectReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::TransportError => Self::TransportError,
            CloseReason::TransportClose => Self::TransportClose,
            CloseReason::PingTimeout => Self::PingTimeout,
            CloseReason::ParseError => Self::ParseError,
            CloseReason::ForcedClose => Self::ForcedClose,
        }
    }
}
