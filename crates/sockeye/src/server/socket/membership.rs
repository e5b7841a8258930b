//! Rooms, and how a socket leaves.

use super::{Socket, Standing, State};
use crate::server::broadcast::BroadcastOperator;
use crate::server::counters::Count;
use crate::server::observe;
use crate::server::reason::DisconnectReason;
use crate::server::recovery::Detached;
use crate::server::rooms::RoomNames;

impl Socket {
    /// Enters rooms. A socket that is gone enters none; one that middlewares are deciding about
    /// enters them when it is let in (S-042).
    pub fn join(&self, rooms: impl RoomNames) {
        let namespace = &self.0.namespace;
        rooms.for_each_name(|room| {
            let mut state = self.0.state.lock();
            if !state.gone && room != self.id() {
                self.join_one(&mut state, room);
            }
        });
        namespace.tell_room_news();
    }

    fn join_one(&self, state: &mut State, room: &str) {
        let namespace = &self.0.namespace;
        let joined = if self.standing() == Standing::Connecting {
            let is_new = state.rooms.iter().all(|known| **known != *room);
            is_new.then(|| room.into())
        } else {
            namespace.rooms().join(room, self, namespace.room_news())
        };
        state.rooms.extend(joined);
    }

    /// Leaves rooms.
    pub fn leave(&self, rooms: impl RoomNames) {
        let namespace = &self.0.namespace;
        rooms.for_each_name(|room| {
            let mut state = self.0.state.lock();
            let Some(place) = state.rooms.iter().position(|name| **name == *room) else { return };
            let name = state.rooms.swap_remove(place);
            if self.standing() != Standing::Connecting {
                namespace.rooms().leave(&name, self, !state.gone, namespace.room_news());
            }
        });
        namespace.tell_room_news();
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
    ///
    /// Does nothing to a client that is out already, or, as in the reference, not in yet: a middleware
    /// refuses by its error.
    pub fn disconnect(&self, close: bool) {
        let leaving = if close { Standing::LeavingForGood } else { Standing::Leaving };
        if self.change(Standing::Connected, leaving) {
            match self.0.namespace.encode_disconnect() {
                Ok(packet) => self.0.session.send_or_close(packet),
                Err(error) => observe::give_up(&self.0.session, &error),
            }
            self.0.session.wake();
        }
    }

    /// Closes the connection, after what is queued, but sends no DISCONNECT packet: to the client
    /// it looks like a failure, and it may come back. All its sockets see `forced close`.
    pub fn close_connection(&self) {
        self.0.session.close();
    }

    /// The client is in: from now on events for its rooms are for it.
    pub(in crate::server) fn enter(&self) {
        let namespace = &self.0.namespace;
        let mut state = self.0.state.lock();
        self.connected();
        namespace.rooms().add(self, namespace.room_news());
        for room in std::mem::take(&mut state.rooms) {
            self.join_one(&mut state, &room);
        }
    }

    /// The client is back, and this socket takes the place of the one that it had before, which has
    /// stepped aside.
    pub(in crate::server) fn enter_for(&self, before: &Self) {
        let namespace = &self.0.namespace;
        let (rooms, news) = (namespace.rooms(), namespace.room_news());
        let mut left = before.0.state.lock();
        let was_there = !std::mem::replace(&mut left.gone, true);
        let mut state = self.0.state.lock();
        self.connected();
        rooms.add_for(self, was_there, news);
        let asked_for = std::mem::replace(&mut state.rooms, std::mem::take(&mut left.rooms));
        for room in &state.rooms {
            rooms.join_for(room, self, was_there, news);
        }
        for room in asked_for {
            self.join_one(&mut state, &room);
        }
    }

    /// Makes way for a socket that its client has over another connection. `false` if the client
    /// was put out before.
    pub(in crate::server) fn steps_aside(&self) -> bool {
        self.change(Standing::Connected, Standing::Away) || self.standing() == Standing::Away
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
        if self.standing() != Standing::Connecting {
            self.0.namespace.counters().add(Count::SocketsDisconnected, 1);
        }
        match self.detach(reason) {
            Detached::Away => self.step_out(),
            // Another socket has its place, and with it its rooms.
            Detached::TakenOver => {}
            Detached::Lost => self.leave_for_good(),
        }
        let waiting = self.0.state.lock().acknowledgements.drain();
        // Those who waited for them are told, after the lock.
        drop(waiting);
        self.0.namespace.tell_room_news();
    }

    /// The socket was never let in, or nobody serves its connection any more.
    pub(in crate::server) fn dropped(&self) {
        self.departed(DisconnectReason::ServerNamespaceDisconnect);
    }

    /// It leaves its rooms, and nobody comes back to them.
    pub(in crate::server) fn leave_for_good(&self) {
        let namespace = &self.0.namespace;
        let (rooms, news) = (namespace.rooms(), namespace.room_news());
        let mut state = self.0.state.lock();
        let was_there = !std::mem::replace(&mut state.gone, true);
        let left = std::mem::take(&mut state.rooms);
        if self.standing() != Standing::Connecting {
            left.iter().for_each(|room| rooms.leave(room, self, was_there, news));
            rooms.remove(self, was_there, news);
        }
        self.stand(Standing::Gone);
    }

    fn detach(&self, reason: DisconnectReason) -> Detached {
        match &self.0.track {
            Some(track) if self.standing() != Standing::Connecting => {
                if track.may_return(reason) {
                    track.detach(self)
                } else {
                    track.end(self)
                }
            }
            _ => Detached::Lost,
        }
    }

    /// To those who watch the rooms it has left them, until it comes back; which it may have done
    /// already.
    fn step_out(&self) {
        let namespace = &self.0.namespace;
        let (rooms, news) = (namespace.rooms(), namespace.room_news());
        let mut state = self.0.state.lock();
        if !std::mem::replace(&mut state.gone, true) {
            state.rooms.iter().for_each(|room| rooms.go_from(room, self, news));
            rooms.step_out(self, news);
        }
    }
}
