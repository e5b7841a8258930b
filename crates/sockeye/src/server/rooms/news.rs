use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::Id;
use crate::server::socket::Socket;

/// What happened to a room (S-051): see [`Namespace::on_room_event`](crate::Namespace::on_room_event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the official server has exactly these events")]
pub enum RoomEvent<'a> {
    /// `create-room`: the first socket is about to be told of as joined.
    Created {
        /// The room.
        room: &'a str,
    },
    /// `join-room`.
    Joined {
        /// The room.
        room: &'a str,
        /// The socket's id.
        socket: &'a str,
    },
    /// `leave-room`.
    Left {
        /// The room.
        room: &'a str,
        /// The socket's id.
        socket: &'a str,
    },
    /// `delete-room`: the last socket has left.
    Deleted {
        /// The room.
        room: &'a str,
    },
}

/// What has happened to rooms and is still to be told, in its order. One thread at a time tells it,
/// without a lock: others leave theirs with it.
#[derive(Debug, Default)]
pub(in crate::server) struct RoomNews {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    untold: VecDeque<Change>,
    telling: bool,
}

#[derive(Debug)]
struct Change {
    room: Arc<str>,
    socket: Id,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Joined { created: bool },
    Left { deleted: bool },
}

impl RoomNews {
    pub(super) fn joined(&self, room: &Arc<str>, socket: &Socket, created: bool) {
        self.put_down(room, socket, Kind::Joined { created });
    }

    pub(super) fn left(&self, room: &Arc<str>, socket: &Socket, deleted: bool) {
        self.put_down(room, socket, Kind::Left { deleted });
    }

    fn put_down(&self, room: &Arc<str>, socket: &Socket, kind: Kind) {
        let change = Change { room: Arc::clone(room), socket: socket.key().clone(), kind };
        self.state.lock().untold.push_back(change);
    }

    /// Tells what is untold, unless somebody is at it: who tells goes on until all is told. `tell`
    /// may change rooms, and must not panic.
    pub(in crate::server) fn tell_all(&self, mut tell: impl FnMut(RoomEvent<'_>)) {
        while let Some(change) = self.next() {
            change.tell(&mut tell);
            self.state.lock().telling = false;
        }
    }

    fn next(&self) -> Option<Change> {
        let mut state = self.state.lock();
        if state.telling {
            return None;
        }
        let next = state.untold.pop_front()?;
        state.telling = true;
        Some(next)
    }
}

impl Change {
    fn tell(&self, tell: &mut impl FnMut(RoomEvent<'_>)) {
        let Self { room, socket, kind } = self;
        let socket = socket.as_str();
        match kind {
            Kind::Joined { created } => {
                if *created {
                    tell(RoomEvent::Created { room });
                }
                tell(RoomEvent::Joined { room, socket });
            }
            Kind::Left { deleted } => {
                tell(RoomEvent::Left { room, socket });
                if *deleted {
                    tell(RoomEvent::Deleted { room });
                }
            }
        }
    }
}
