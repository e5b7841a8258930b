use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use sockeye_proto::socket::{Encoded, History, Offset};
use tokio::time::Instant;

use super::{ConnectionStateRecovery, Recorded, Recovery};
use crate::engine::{Delivery, Id, SendError, Session};
use crate::event::EmitError;
use crate::server::counters::Count;
use crate::server::reason::DisconnectReason;
use crate::server::socket::{Socket, Standing, WeakSocket};

/// One client's place in one namespace: what it was sent, and the connection that it has now, if
/// it has one. All sockets that the client has, one after the other, share it.
///
/// ```text
///             connected                   detach (recoverable)
///   new ──────────────────► connected ───────────────────────► away
///                              ▲  │ departed for good            │ lose: its time is over,
///                              │  ▼                              ▼ or packets were dropped
///                              │ lost ◄──────────────────────── lost
///                              └──────── resume ─────────────── away (or still connected)
/// ```
pub(in crate::server) struct Track {
    recovery: Arc<Recovery>,
    pid: Id,
    state: Mutex<State>,
}

struct State {
    history: History<Arc<Recorded>>,
    place: Place,
    /// The socket that the client has, or had last.
    socket: Option<WeakSocket>,
}

enum Place {
    Connected(Arc<Session>),
    Away(Instant),
    Lost,
}

/// What becomes of a socket whose connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Detached {
    /// Its client may come back: it stays in its rooms.
    Away,
    /// Its client has come back already, over another connection.
    TakenOver,
    /// Its client does not come back.
    Lost,
}

/// What became of an event that could not be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Delivered {
    /// It is on its way.
    Sent,
    /// Its receiver will get it when it comes back.
    Kept,
}

/// Why a client that says it was here before is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum NotRecovered {
    /// Nobody is known by what it came with, or not any more.
    Unknown,
    /// It was in another namespace.
    OtherNamespace,
    /// It has seen something that is no offset of ours.
    InvalidOffset,
    /// What it missed is not kept, or not any more.
    Forgotten,
}

impl fmt::Display for NotRecovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such client is known, or not any more",
            Self::OtherNamespace => "the client was in another namespace",
            Self::InvalidOffset => "its offset is none of this server's",
            Self::Forgotten => "what it missed is not kept",
        })
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Track").finish_non_exhaustive()
    }
}

impl Track {
    pub(super) fn new(recovery: Arc<Recovery>, pid: Id) -> Arc<Self> {
        let state = State { history: History::default(), place: Place::Lost, socket: None };
        Arc::new(Self { recovery, pid, state: Mutex::new(state) })
    }

    /// The secret by which the client is known when it comes back.
    pub(in crate::server) const fn pid(&self) -> &Id {
        &self.pid
    }

    pub(in crate::server) const fn recovery(&self) -> &Arc<Recovery> {
        &self.recovery
    }

    /// The socket that the client has, or had last.
    pub(in crate::server) fn socket(&self) -> Option<Socket> {
        self.state.lock().socket.as_ref().and_then(WeakSocket::upgrade)
    }

    /// A new client is in, and is told so by `connect`, the first packet of its connection.
    pub(in crate::server) fn connected(self: &Arc<Self>, socket: &Socket, connect: Encoded) {
        let mut state = self.state.lock();
        state.is_now(socket);
        socket.session().send_or_close(connect);
        socket.enter();
        drop(state);
        self.recovery.remember(self);
    }

    /// Sends something that is not kept, unless the client is in: what it is sent from then on is.
    pub(in crate::server) fn before_entering<R>(
        &self,
        socket: &Socket,
        send: impl FnOnce() -> R,
    ) -> Option<R> {
        let _entering = self.state.lock();
        (socket.standing() == Standing::Connecting).then(send)
    }

    /// The client is back: what it missed is sent, and then `connect` (S-085), or the other way
    /// round, and `socket` takes the place of the one that it had. `false`, and nothing is sent, if
    /// the client cannot go on.
    pub(in crate::server) fn resume(
        &self,
        socket: &Socket,
        offset: Option<Offset>,
        connect: Encoded,
    ) -> bool {
        // It is let go of after the lock, perhaps by the last who has it.
        let before;
        let mut state = self.state.lock();
        before = state.socket.as_ref().and_then(WeakSocket::upgrade);
        let Some(before) = before.as_ref().filter(|_| state.can_resume(offset)) else {
            return false;
        };
        let has_room = socket.session().has_room_for(state.missed_bytes(offset));
        if !has_room || !before.steps_aside() {
            return false;
        }
        self.send_missed(&mut state, socket, offset, &connect);
        socket.enter_for(before);
        let place = state.is_now(socket);
        drop(state);
        if let Place::Connected(session) = place {
            // The client has given that connection up before the server noticed.
            session.close();
        }
        true
    }

    fn send_missed(
        &self,
        state: &mut State,
        socket: &Socket,
        offset: Option<Offset>,
        connect: &Encoded,
    ) {
        let missed = state.history.resume(offset).into_iter().flatten();
        // Each with the number of events that it is.
        let missed = missed.map(|recorded| (1, recorded.packet()));
        let (first, last) = match self.recovery.options().connect_first {
            true => (Some((0, connect)), None),
            false => (None, Some((0, connect))),
        };
        let mut events = 0;
        for (event, packet) in first.into_iter().chain(missed).chain(last) {
            if socket.session().send(packet, Delivery::RELIABLE).is_err() {
                // What cannot be sent now is kept, and can be sent the next time. Nothing may be
                // sent after it.
                socket.session().close();
                break;
            }
            events += event;
        }
        socket.namespace().counters().add(Count::EventsSent, events);
    }

    /// Whether a client of this namespace that has seen everything up to `offset` can go on.
    pub(super) fn can_resume(
        &self,
        namespace: &str,
        offset: Option<Offset>,
    ) -> Result<(), NotRecovered> {
        if !self.is_in(namespace) {
            return Err(NotRecovered::OtherNamespace);
        }
        let state = self.state.lock();
        match state.place {
            Place::Lost => Err(NotRecovered::Unknown),
            _ if state.can_resume(offset) => Ok(()),
            _ => Err(NotRecovered::Forgotten),
        }
    }

    pub(super) fn is_in(&self, namespace: &str) -> bool {
        self.socket().is_some_and(|socket| socket.namespace().name() == namespace)
    }

    /// Sends an event to the client, over whatever connection it has, or keeps it for when it
    /// comes back.
    pub(in crate::server) fn deliver(
        &self,
        event: &Arc<Recorded>,
        delivery: Delivery,
    ) -> Result<Delivered, EmitError> {
        let mut state = self.state.lock();
        let sent = match &state.place {
            Place::Lost => return Err(EmitError::Disconnected),
            Place::Away(_) => Err(SendError::Closed),
            Place::Connected(session) => session.send(event.packet(), delivery),
        };
        let delivered = match sent {
            Err(SendError::NotWritable) => return Err(SendError::NotWritable.into()),
            Err(SendError::SlowReader) if state.is_connected() => {
                return Err(EmitError::SlowReader);
            }
            Err(_) if delivery.volatile => return Err(SendError::NotWritable.into()),
            // What did not reach a client that may come back reaches it then.
            Err(_) => Delivered::Kept,
            Ok(()) => Delivered::Sent,
        };
        state.record(event, delivery, self.recovery.options());
        let lost = matches!(state.place, Place::Lost);
        drop(state);
        if lost {
            self.lose();
        }
        Ok(delivered)
    }

    /// The client has answered a ping, over the connection of this socket.
    pub(in crate::server) fn confirm(&self, socket: &Socket) {
        let mut state = self.state.lock();
        if state.is_of(socket) {
            state.history.confirm();
        }
    }

    /// Whether a client that left for this reason may come back.
    pub(in crate::server) fn may_return(&self, reason: DisconnectReason) -> bool {
        reason.is_recoverable() && !self.recovery.is_closed()
    }

    /// The connection of one of its sockets is gone, and the client may come back.
    pub(in crate::server) fn detach(&self, socket: &Socket) -> Detached {
        let mut state = self.state.lock();
        if !state.is_of(socket) {
            return Detached::TakenOver;
        }
        if matches!(state.place, Place::Lost) {
            return Detached::Lost;
        }
        state.place = Place::Away(Instant::now());
        drop(state);
        self.recovery.await_return(self);
        Detached::Away
    }

    /// The client has left on purpose, or was put out: it does not come back, unless it has come
    /// back already, and has another socket.
    pub(in crate::server) fn end(&self, socket: &Socket) -> Detached {
        let mut state = self.state.lock();
        if !state.is_of(socket) {
            return Detached::TakenOver;
        }
        state.place = Place::Lost;
        state.history.clear();
        drop(state);
        self.recovery.forget(self);
        Detached::Lost
    }

    /// Whether it went away long enough before `until`, and is still away.
    pub(super) fn is_away_since(&self, until: Instant, options: &ConnectionStateRecovery) -> bool {
        let state = self.state.lock();
        matches!(state.place, Place::Away(since) if since + options.max_disconnection_duration <= until)
    }

    /// The client has come back as a new one. If the server still believes in a connection that it
    /// had, that is closed.
    pub(in crate::server) fn give_up(&self) {
        let mut state = self.state.lock();
        let Place::Connected(_) = state.place else {
            drop(state);
            return self.lose();
        };
        let before = std::mem::replace(&mut state.place, Place::Lost);
        state.history.clear();
        drop(state);
        self.recovery.forget(self);
        if let Place::Connected(session) = before {
            session.close();
        }
    }

    /// The client's time to come back is over.
    pub(in crate::server) fn lose(&self) {
        let mut state = self.state.lock();
        if let Place::Connected(_) = state.place {
            return;
        }
        state.place = Place::Lost;
        state.history.clear();
        let socket = state.socket.as_ref().and_then(WeakSocket::upgrade);
        drop(state);
        self.recovery.forget(self);
        if let Some(socket) = socket {
            socket.leave_for_good();
            socket.namespace().tell_room_news();
        }
    }
}

impl State {
    /// Whether it still has a connection that is open.
    fn is_connected(&self) -> bool {
        matches!(&self.place, Place::Connected(session) if session.is_open())
    }

    /// The client has this socket now; where it was before.
    fn is_now(&mut self, socket: &Socket) -> Place {
        self.socket = Some(socket.downgrade());
        std::mem::replace(&mut self.place, Place::Connected(Arc::clone(socket.session())))
    }

    /// Whether this is the socket that the client has, or had last.
    fn is_of(&self, socket: &Socket) -> bool {
        self.socket.as_ref().is_some_and(|known| known.is(socket))
    }

    fn can_resume(&self, offset: Option<Offset>) -> bool {
        !matches!(self.place, Place::Lost) && self.history.can_resume(offset)
    }

    /// Bytes of what a client has missed that has seen everything up to `offset`.
    fn missed_bytes(&self, offset: Option<Offset>) -> usize {
        self.history.missed(offset).map(|recorded| recorded.packet().kept_bytes()).sum()
    }

    /// Keeps what was sent, or if that is too much, makes sure that nobody goes on from before it.
    fn record(
        &mut self,
        event: &Arc<Recorded>,
        delivery: Delivery,
        options: &ConnectionStateRecovery,
    ) {
        if delivery.volatile {
            self.history.push(event.offset(), None);
        } else if event.is_affordable() {
            self.history.push(event.offset(), Some(Arc::clone(event)));
        } else {
            self.history.push_lost(event.offset());
            // Whoever is there may get it all the same, and then what comes after it can be known.
            if let Place::Away(_) = self.place {
                self.place = Place::Lost;
            }
        }
        while self.history.len() > options.max_packets {
            self.history.drop_first();
        }
    }
}
