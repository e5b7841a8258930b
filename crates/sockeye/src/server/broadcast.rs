use sockeye_proto::socket::ToArguments;

use super::adapter::Flags;
use super::error::EmitError;
use super::namespace::Namespace;
use super::rooms::{RoomNames, Target};
use super::socket::Socket;
use crate::engine::Delivery;

/// Sockets to which something will be done: those in some rooms, but not in others (S-052).
///
/// Made by [`Namespace`], [`Server`](crate::Server) and [`Socket`]; the latter leaves itself out.
/// Each socket is counted once, in however many of the rooms it is.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct BroadcastOperator {
    namespace: Namespace,
    target: Target,
    flags: Flags,
}

impl BroadcastOperator {
    pub(super) fn new(namespace: Namespace, sender: Option<Socket>) -> Self {
        let target = Target { sender, ..Target::default() };
        let flags = Flags { delivery: Delivery::Reliable, local: false };
        Self { namespace, target, flags }
    }

    /// Only sockets in these rooms; called again, also sockets in those.
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        rooms.for_each_name(|room| self.target.rooms.push(room.into()));
        self
    }

    /// The same as [`to`](Self::to): Socket.IO's `in`, which is a keyword here.
    pub fn in_(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// No sockets in these rooms.
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        rooms.for_each_name(|room| self.target.except.push(room.into()));
        self
    }

    /// Dropped for sockets whose connection is not ready (S-055).
    pub const fn volatile(mut self) -> Self {
        self.flags.delivery = Delivery::Volatile;
        self
    }

    /// Only sockets of this node.
    pub const fn local(mut self) -> Self {
        self.flags.local = true;
        self
    }

    /// Sends an event to them. Never blocks; the event is written once for all.
    ///
    /// # Errors
    /// If the event cannot be written. That a socket is gone is no error.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        let packet = self.namespace.encode_event(event, None, &arguments)?;
        self.namespace.broadcast(&packet, &self.target, self.flags);
        Ok(())
    }

    /// The sockets on this node.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        let mut sockets = Vec::new();
        self.namespace.rooms().for_each(&self.target, |socket| sockets.push(socket.clone()));
        sockets
    }

    /// Makes them join rooms (S-069).
    pub fn sockets_join(&self, rooms: impl RoomNames) {
        self.sockets().iter().for_each(|socket| rooms.for_each_name(|room| socket.join(room)));
    }

    /// Makes them leave rooms (S-069).
    pub fn sockets_leave(&self, rooms: impl RoomNames) {
        self.sockets().iter().for_each(|socket| rooms.for_each_name(|room| socket.leave(room)));
    }

    /// Disconnects them; with `close`, also the connections they are on (S-069).
    pub fn disconnect_sockets(&self, close: bool) {
        self.sockets().iter().for_each(|socket| socket.disconnect(close));
    }
}
