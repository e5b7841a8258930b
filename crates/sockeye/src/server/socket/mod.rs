use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use sockeye_proto::socket::{
    AcknowledgementId, Arguments, Encoded, FromArguments, OwnedArguments, PendingAcknowledgements,
    ToArguments,
};
use sockeye_proto::websocket::Frame;
use tokio::sync::oneshot;

use super::acknowledgement::AwaitAcknowledgement;
use super::broadcast::BroadcastOperator;
use super::error::EmitError;
use super::namespace::Namespace;
use super::rooms::RoomNames;
use crate::engine::{Delivery, Handshake, Id, Session, TransportName};

/// A client in a namespace.
///
/// Cheap to clone; all clones are the same socket. It outlives the connection: what is emitted
/// then is refused with [`EmitError::Disconnected`].
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: Id,
    standing: AtomicU8,
    namespace: Namespace,
    session: Arc<Session>,
    /// The client's JSON object; empty if it gave none.
    auth: Box<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rooms: Vec<Arc<str>>,
    acknowledgements: PendingAcknowledgements<oneshot::Sender<OwnedArguments>>,
    data: Vec<Arc<dyn Any + Send + Sync>>,
    gone: bool,
}

/// How a socket stands with its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Middlewares are deciding.
    Connecting,
    /// It is in.
    Connected,
    /// The application put it out; its driver has yet to see to it.
    Leaving,
    /// The same, and the connection is to be closed.
    LeavingForGood,
    /// It is out.
    Gone,
}

impl Standing {
    const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Connecting,
            1 => Self::Connected,
            2 => Self::Leaving,
            3 => Self::LeavingForGood,
            _ => Self::Gone,
        }
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Socket {}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.0.id)
            .field("namespace", &self.0.namespace.name())
            .finish_non_exhaustive()
    }
}

impl Socket {
    pub(super) fn new(namespace: Namespace, session: Arc<Session>, auth: Option<&str>) -> Self {
        Self(Arc::new(Inner {
            id: Id::random(),
            standing: AtomicU8::new(Standing::Connecting as u8),
            namespace,
            session,
            auth: auth.unwrap_or_default().into(),
            state: Mutex::default(),
        }))
    }

    /// The socket's id: public, and unrelated to the session's (S-023).
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.id.as_str()
    }

    /// The namespace it is in.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// What the first request of the connection said (S-045).
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        self.0.session.handshake()
    }

    /// What the client sent along when it connected to the namespace, decoded; `{}` if nothing
    /// (S-046).
    ///
    /// # Errors
    /// If it does not fit the type.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(if self.0.auth.is_empty() { "{}" } else { &self.0.auth })
    }

    /// The transport that carries the connection now.
    #[must_use]
    pub fn transport(&self) -> TransportName {
        self.0.session.transport()
    }

    /// Whether it is connected: after the client was let in, before either side left.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.standing() == Standing::Connected
    }

    /// Sends an event to the client. Never blocks.
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        let packet = self.0.namespace.encode_event(event, None, &arguments)?;
        self.send(packet.into_frames(), Delivery::RELIABLE)
    }

    /// Sends an event, or drops it if the connection is not ready for it: when the kernel's buffer
    /// is full, or over polling when no request waits (S-055).
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn emit_volatile(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        let packet = self.0.namespace.encode_event(event, None, &arguments)?;
        self.send(packet.into_frames(), Delivery { volatile: true, ..Delivery::RELIABLE })
    }

    /// Sends an event and waits for the client's answer, decoded as arguments are.
    ///
    /// The event is sent at once; the future that is returned waits for the answer.
    pub fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        arguments: impl ToArguments,
    ) -> AwaitAcknowledgement<T> {
        let id = self.0.namespace.next_acknowledgement_id();
        match self.0.namespace.encode_event(event, Some(id), &arguments) {
            Ok(packet) => self.await_answer(id, &packet, Delivery::RELIABLE),
            Err(error) => AwaitAcknowledgement::failed(error.into()),
        }
    }

    /// Enters rooms. A socket that is gone enters none.
    pub fn join(&self, rooms: impl RoomNames) {
        rooms.for_each_name(|room| {
            let mut state = self.0.state.lock();
            if !state.gone
                && room != self.id()
                && let Some(name) = self.0.namespace.rooms().join(room, self)
            {
                state.rooms.push(name);
            }
        });
    }

    /// Leaves rooms.
    pub fn leave(&self, rooms: impl RoomNames) {
        rooms.for_each_name(|room| {
            let mut state = self.0.state.lock();
            if let Some(place) = state.rooms.iter().position(|name| **name == *room) {
                state.rooms.swap_remove(place);
                self.0.namespace.rooms().leave(room, &self.0.id);
            }
        });
    }

    /// The rooms it is in, its own id first.
    #[must_use]
    pub fn rooms(&self) -> Vec<String> {
        let state = self.0.state.lock();
        if state.gone || self.standing() == Standing::Connecting {
            return state.rooms.iter().map(ToString::to_string).collect();
        }
        let own = std::iter::once(self.id().to_owned());
        own.chain(state.rooms.iter().map(ToString::to_string)).collect()
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
    /// all namespaces, and closes the connection (S-031). It leaves its rooms at once.
    pub fn disconnect(&self, close: bool) {
        let leaving = if close { Standing::LeavingForGood } else { Standing::Leaving };
        if self.change(Standing::Connected, leaving) {
            let packet = self.0.namespace.encode_disconnect();
            // If it cannot be sent, the client knows already.
            let _ = self.0.session.send(packet.into_frames(), Delivery::RELIABLE);
            self.leave_everything();
            self.0.session.wake();
        }
    }

    /// Closes the connection, after what is queued, but sends no DISCONNECT packet: to the client
    /// it looks like a failure, and it may come back. All its sockets see `forced close`.
    pub fn close_connection(&self) {
        self.0.session.close();
    }

    /// Bytes that are queued for the client and not yet written.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.0.session.buffered()
    }

    /// Keeps a value with the socket, instead of any other of its type.
    pub fn set_data<T: Any + Send + Sync>(&self, value: T) {
        let mut value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        let mut state = self.0.state.lock();
        match state.data.iter_mut().find(|known| known.is::<T>()) {
            Some(known) => std::mem::swap(known, &mut value),
            None => return state.data.push(value),
        }
        // The value that was there is dropped after the lock: its `Drop` may be anybody's.
        drop(state);
    }

    /// The value of this type that is kept with the socket.
    #[must_use]
    pub fn data<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let state = self.0.state.lock();
        state.data.iter().find_map(|value| Arc::clone(value).downcast().ok())
    }

    /// Answers an event of the client.
    pub(super) fn acknowledge<A: ToArguments>(
        &self,
        id: AcknowledgementId,
        values: &A,
    ) -> Result<(), EmitError> {
        let packet = self.0.namespace.encode_acknowledgement(id, values)?;
        self.send(packet.into_frames(), Delivery::RELIABLE)
    }

    /// Sends a packet that others get too.
    pub(super) fn send_shared(
        &self,
        packet: &Encoded,
        delivery: Delivery,
    ) -> Result<(), EmitError> {
        self.send(packet.frames().cloned(), delivery)
    }

    fn send(
        &self,
        frames: impl IntoIterator<Item = Frame>,
        delivery: Delivery,
    ) -> Result<(), EmitError> {
        if !self.is_connected() {
            return Err(EmitError::Disconnected);
        }
        Ok(self.0.session.send(frames, delivery)?)
    }

    /// The client's answer.
    pub(super) fn answered(&self, id: AcknowledgementId, arguments: Arguments<'_>) {
        let waiting = self.0.state.lock().acknowledgements.take(id);
        if let Some(waiting) = waiting {
            // Whoever waited may have given up just now.
            let _ = waiting.send(arguments.to_owned());
        }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn give_up(&self, id: AcknowledgementId) {
        self.0.state.lock().acknowledgements.take(id);
    }

    pub(super) fn key(&self) -> &Id {
        &self.0.id
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::from_number(self.0.standing.load(Ordering::Acquire))
    }

    /// The client is in.
    pub(super) fn connected(&self) {
        self.change(Standing::Connecting, Standing::Connected);
    }

    /// The socket is out, for whatever reason: it leaves its rooms, and no answer will come.
    pub(super) fn departed(&self) {
        self.leave_everything();
        self.0.standing.store(Standing::Gone as u8, Ordering::Release);
    }

    /// Sends an event that has this id, and waits for its answer.
    pub(super) fn await_answer<T>(
        &self,
        id: AcknowledgementId,
        packet: &Encoded,
        delivery: Delivery,
    ) -> AwaitAcknowledgement<T> {
        let (sender, answer) = oneshot::channel();
        if let Err(error) = self.expect_answer(id, sender) {
            return AwaitAcknowledgement::failed(error);
        }
        if let Err(error) = self.send_shared(packet, delivery) {
            self.give_up(id);
            return AwaitAcknowledgement::failed(error);
        }
        AwaitAcknowledgement::waiting(self.clone(), id, answer)
    }

    fn expect_answer(
        &self,
        id: AcknowledgementId,
        sender: oneshot::Sender<OwnedArguments>,
    ) -> Result<(), EmitError> {
        let mut state = self.0.state.lock();
        if state.gone {
            return Err(EmitError::Disconnected);
        }
        if state.acknowledgements.len() >= self.0.namespace.max_pending_acknowledgements() {
            return Err(EmitError::TooManyPending);
        }
        state.acknowledgements.insert(id, sender);
        Ok(())
    }

    fn leave_everything(&self) {
        let (rooms, waiting) = {
            let mut state = self.0.state.lock();
            state.gone = true;
            (std::mem::take(&mut state.rooms), state.acknowledgements.drain())
        };
        let namespace_rooms = self.0.namespace.rooms();
        namespace_rooms.remove(&self.0.id);
        rooms.iter().for_each(|room| namespace_rooms.leave(room, &self.0.id));
        drop(waiting);
    }

    fn change(&self, from: Standing, to: Standing) -> bool {
        let order = Ordering::AcqRel;
        let changed =
            self.0.standing.compare_exchange(from as u8, to as u8, order, Ordering::Acquire);
        changed.is_ok()
    }
}
