//! Rooms, and how a socket leaves.

use std::sync::Arc;

use super::{Socket, Standing, State};
use crate::engine::Delivery;
use crate::server::broadcast::BroadcastOperator;
use crate::server::codec;
use crate::server::counters::Count;
use crate::server::reason::DisconnectReason;
use crate::server::recovery::Detached;
use crate::server::rooms::RoomNames;

impl Socket {
    /// Enters rooms. A socket that is gone enters none.
    pub fn join(&self, rooms: impl RoomNames) {
        rooms.for_each_name(|room| {
            let mut state = self.0.state.lock();
            if state.gone || room == self.id() {
                return;
            }
            let Some(joined) = self.0.namespace.rooms().join(room, self) else { return };
            state.rooms.push(joined.name);
            drop(state);
            self.0.namespace.room_joined(room, self.id(), joined.created);
        });
    }

    /// Leaves rooms.
    pub fn leave(&self, rooms: impl RoomNames) {
        rooms.for_each_name(|room| {
            let mut state = self.0.state.lock();
            let Some(place) = state.rooms.iter().position(|name| **name == *room) else { return };
            state.rooms.swap_remove(place);
            let deleted = self.0.namespace.rooms().leave(room, &self.0.id);
            drop(state);
            self.0.namespace.room_left(room, self.id(), deleted);
        });
    }

    /// The rooms it is in, its own id first. While `disconnecting` handlers run it is still in
    /// them (S-050).
    #[must_use]
    pub fn rooms(&self) -> Vec<String> {
        let state = self.0.state.lock();
        if state.gone {
            return Vec::new();
        }
        let own = (self.standing() != Standing::Connecting).then(|| self.id().to_owned());
        own.into_iter().chain(state.rooms.iter().map(ToString::to_string)).collect()
    }

    /// Others in the namespace that are in these rooms (S-053).
    pub fn to(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.broadcast().to(rooms)
    }

    /// The same as [`to`](Self::to): Socket.IO's `in`, which is a keyword here.
    pub fn in_(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.to(rooms)
    }

    /// Others in the namespace that are not in these rooms.
    pub fn except(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.broadcast().except(rooms)
    }

    /// All others in the namespace.
    pub fn broadcast(&self) -> BroadcastOperator {
        BroadcastOperator::new(self.0.namespace.clone(), Some(self.clone()))
    }

    /// All others in the namespace on this node.
    pub fn local(&self) -> BroadcastOperator {
        self.broadcast().local()
    }

    /// Puts the client out of the namespace (`server namespace disconnect`); with `close`, out of
    /// all namespaces, and closes the connection (S-031). From now on nothing is sent to it, and
    /// it is nobody's room mate; its handlers are called as soon as its connection has its turn.
    pub fn disconnect(&self, close: bool) {
        let leaving = if close { Standing::LeavingForGood } else { Standing::Leaving };
        if self.change(Standing::Connected, leaving) {
            match self.0.namespace.encode_disconnect() {
                // If it cannot be sent, the client knows already.
                Ok(packet) => drop(self.0.session.send(packet, Delivery::RELIABLE)),
                Err(error) => codec::give_up(&self.0.session, &error),
            }
            self.0.session.wake();
        }
    }

    /// Closes the connection, after what is queued, but sends no DISCONNECT packet: to the client
    /// it looks like a failure, and it may come back. All its sockets see `forced close`.
    pub fn close_connection(&self) {
        self.0.session.close();
    }

    /// The client is in, or back: its rooms lead to this socket.
    pub(in crate::server) fn enter_rooms(&self, before: Option<&Self>) {
        let rooms = self.0.namespace.rooms();
        rooms.add(self.clone());
        self.0.namespace.room_joined(self.id(), self.id(), true);
        let Some(before) = before else { return };
        for name in std::mem::take(&mut before.0.state.lock().rooms) {
            let created = rooms.replace(&name, self);
            self.0.namespace.room_joined(&name, self.id(), created);
            let mut state = self.0.state.lock();
            if !state.rooms.contains(&name) {
                state.rooms.push(name);
            }
        }
    }

    /// The socket's end has come: nothing more is sent to it, but what its client may ask for when
    /// it comes back is kept without a gap.
    pub(in crate::server) fn leaving(&self, reason: DisconnectReason) {
        let returns = self.track().is_some_and(|track| track.may_return(reason));
        let standing = if returns { Standing::Away } else { Standing::Leaving };
        self.change(Standing::Connected, standing);
    }

    /// The socket is out: it leaves its rooms, and no answer will come. If its client may come back
    /// it only looks so: events for its rooms are kept for it.
    pub(in crate::server) fn departed(&self, reason: DisconnectReason) {
        let was_in = self.standing() != Standing::Connecting;
        let detached = self.detach(reason);
        let (was_gone, waiting) = {
            let mut state = self.0.state.lock();
            (std::mem::replace(&mut state.gone, true), state.acknowledgements.drain())
        };
        drop(waiting);
        if was_in && !was_gone {
            self.0.namespace.counters().add(Count::SocketsDisconnected, 1);
        }
        match detached {
            Some(Detached::Away) => {
                self.stand(Standing::Away);
                self.tell_of_leaving();
            }
            Some(Detached::TakenOver) => self.stand(Standing::Gone),
            None => self.leave_for_good(),
        }
    }

    /// The socket was never let in, or nobody serves its connection any more.
    pub(in crate::server) fn dropped(&self) {
        self.departed(DisconnectReason::ServerNamespaceDisconnect);
    }

    /// It leaves its rooms, and nobody comes back to them.
    pub(in crate::server) fn leave_for_good(&self) {
        let was_away = self.standing() == Standing::Away;
        self.stand(Standing::Gone);
        let left = std::mem::take(&mut self.0.state.lock().rooms);
        let rooms = self.0.namespace.rooms();
        let was_in = rooms.remove(self);
        let deleted: Vec<_> = left.iter().map(|room| rooms.leave(room, &self.0.id)).collect();
        if was_away {
            return;
        }
        for (room, deleted) in left.iter().zip(deleted) {
            self.0.namespace.room_left(room, self.id(), deleted);
        }
        if was_in {
            self.0.namespace.room_left(self.id(), self.id(), true);
        }
    }

    fn detach(&self, reason: DisconnectReason) -> Option<Detached> {
        let track = self.0.track.as_ref().filter(|_| self.standing() != Standing::Connecting)?;
        if track.may_return(reason) {
            return Some(track.detach(&self.0.session));
        }
        (!track.end(&self.0.session)).then_some(Detached::TakenOver)
    }

    /// To those who watch the rooms it has left them, until it comes back.
    fn tell_of_leaving(&self) {
        let State { rooms: left, .. } = &*self.0.state.lock();
        let left: Vec<Arc<str>> = left.clone();
        let rooms = self.0.namespace.rooms();
        for room in &left {
            self.0.namespace.room_left(room, self.id(), !rooms.is_inhabited(room));
        }
        self.0.namespace.room_left(self.id(), self.id(), true);
    }
}
