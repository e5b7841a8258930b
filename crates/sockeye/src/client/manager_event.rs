use std::time::Duration;

use sockeye_proto::engine::TransportName;

use super::{ConnectError, DisconnectReason};
use crate::engine::client::TransportError;

/// A step in the life of a connection (C-028, C-033). Shown to who asked for it with
/// [`Manager::on_event`](super::Manager::on_event).
#[derive(Debug)]
#[non_exhaustive]
pub enum ManagerEvent {
    /// The connection is open; the sockets' namespaces are asked for now.
    Open {
        /// Over what.
        transport: TransportName,
    },
    /// The connection could not be opened, by an attempt to reconnect or otherwise.
    Error(ConnectError),
    /// The connection was lost, or closed.
    Close {
        /// Why.
        reason: DisconnectReason,
        /// What exactly happened, if it was a failure.
        error: Option<TransportError>,
    },
    /// The server asked whether this side is there. It was answered.
    Ping,
    /// The connection goes on over a better transport.
    Upgrade {
        /// Over what.
        transport: TransportName,
    },
    /// A better transport could not be had; the connection goes on over the one that it has.
    UpgradeError(TransportError),
    /// There will be an attempt to reconnect; the first is 1.
    ReconnectScheduled {
        /// Which.
        attempt: u32,
        /// After which time from now.
        delay: Duration,
    },
    /// An attempt to reconnect begins.
    ReconnectAttempt(u32),
    /// This attempt has failed.
    ReconnectError(ConnectError),
    /// The connection is back, after so many attempts.
    Reconnect(u32),
    /// All attempts are used up.
    ReconnectFailed,
}
