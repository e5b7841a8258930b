use std::fmt;

use super::{DisconnectReason, TransportError};

/// Why a socket is no longer connected (C-052).
#[derive(Clone, Debug)]
pub struct Disconnect {
    reason: DisconnectReason,
    error: Option<TransportError>,
}

impl Disconnect {
    pub(super) const fn new(reason: DisconnectReason, error: Option<TransportError>) -> Self {
        Self { reason, error }
    }

    /// The reason, in the words of the official client.
    #[must_use]
    pub const fn reason(&self) -> DisconnectReason {
        self.reason
    }

    /// What exactly happened to the connection, if it failed.
    #[must_use]
    pub const fn error(&self) -> Option<&TransportError> {
        self.error.as_ref()
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_str();
        match &self.error {
            Some(error) if error.message() == reason => error.fmt(f),
            Some(error) => write!(f, "{reason}: {error}"),
            None => f.write_str(reason),
        }
    }
}
