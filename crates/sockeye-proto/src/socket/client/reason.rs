use std::fmt;

use crate::engine::CloseReason;

/// Why a client is no longer in a namespace, in the words of the official client (C-052).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the official client has exactly these reasons")]
pub enum ClientDisconnectReason {
    /// The server put the client out; it does not come back by itself.
    ServerDisconnect,
    /// The client left; it does not come back by itself.
    ClientDisconnect,
    /// The server sent no ping in time.
    PingTimeout,
    /// The connection was closed by the server, or was lost.
    TransportClose,
    /// The connection failed.
    TransportError,
    /// The server sent something that is no packet.
    ParseError,
    /// The program closed the connection itself, with all namespaces on it.
    ForcedClose,
}

impl ClientDisconnectReason {
    /// The official client's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerDisconnect => "io server disconnect",
            Self::ClientDisconnect => "io client disconnect",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
        }
    }
}

impl fmt::Display for ClientDisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<CloseReason> for ClientDisconnectReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::PingTimeout => Self::PingTimeout,
            CloseReason::TransportClose => Self::TransportClose,
            CloseReason::TransportError => Self::TransportError,
            CloseReason::ParseError => Self::ParseError,
            CloseReason::ForcedClose => Self::ForcedClose,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_052_reasons_have_the_official_texts() {
        use CloseReason::*;
        let engine = [PingTimeout, TransportClose, TransportError, ParseError, ForcedClose];
        for reason in engine {
            assert_eq!(ClientDisconnectReason::from(reason).as_str(), reason.as_str());
        }
        let own =
            [ClientDisconnectReason::ServerDisconnect, ClientDisconnectReason::ClientDisconnect];
        assert_eq!(
            own.map(|reason| reason.to_string()),
            ["io server disconnect", "io client disconnect"]
        );
    }
}
