use std::time::Duration;

use serde::de::DeserializeOwned;
use sockeye_proto::socket::{FromArguments, ToArguments};

use super::AwaitAcknowledgement;
use super::rooms::RoomNames;
use super::socket::Socket;
use crate::engine::Handshake;
use crate::event::EmitError;

/// A socket somewhere in the cluster, as it was when it was asked for (S-068): given by
/// [`BroadcastOperator::fetch_sockets`](crate::BroadcastOperator::fetch_sockets).
///
/// Its rooms and data are a copy of that moment; what is sent to it reaches it as it is now.
#[derive(Clone, Debug)]
pub struct RemoteSocket {
    socket: Socket,
    rooms: Vec<String>,
    data: serde_json::Value,
}

impl RemoteSocket {
    pub(super) fn new(socket: Socket) -> Self {
        let (rooms, data) = (socket.rooms(), socket.raw_data());
        Self { socket, rooms, data }
    }

    /// The socket's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.socket.id()
    }

    /// What the first request of its connection said.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        self.socket.handshake()
    }

    /// The rooms that it was in, its own id first.
    #[must_use]
    pub fn rooms(&self) -> &[String] {
        &self.rooms
    }

    /// The data that was kept with it, decoded: see [`Socket::set_data`].
    ///
    /// # Errors
    /// If it does not fit the type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.data.clone())
    }

    /// Sends an event to it.
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.socket.emit(event, arguments)
    }

    /// Sends an event and waits for the client's answer, no longer than `timeout` (S-067).
    pub fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        arguments: impl ToArguments,
        timeout: Duration,
    ) -> AwaitAcknowledgement<T> {
        self.socket.emit_with_ack(event, arguments).timeout(timeout)
    }

    /// Makes it join rooms.
    pub fn join(&self, rooms: impl RoomNames) {
        self.socket.join(rooms);
    }

    /// Makes it leave rooms.
    pub fn leave(&self, rooms: impl RoomNames) {
        self.socket.leave(rooms);
    }

    /// Disconnects it; with `close`, also the connection it is on.
    pub fn disconnect(&self, close: bool) {
        self.socket.disconnect(close);
    }
}
