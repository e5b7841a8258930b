use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use smallvec::{SmallVec, smallvec};
use sockeye_proto::socket::{
    AcknowledgementId, Arguments, EncodeError, Encoded, Encoder, FromArguments, Offset, ToArguments,
};

use super::adapter::Adapter;
use super::broadcast::{AcknowledgedBroadcast, BroadcastOperator};
use super::counters::ServerCounters;
use super::error::ConnectError;
use super::handler::{
    AnyConnectHandler, AnyDisconnectHandler, AnyEventMiddleware, AnyMiddleware, ConnectHandler,
    DisconnectHandler, EventMiddleware, Middleware,
};
use super::listeners::{
    Handlers, Listener, ListenerId, Listeners, Position, assert_not_reserved, erase,
    middleware_method,
};
use super::remote::RemoteSocket;
use super::rooms::{RoomEvent, RoomNames, RoomNews, Rooms};
use super::socket::Socket;
use crate::codec::{Codec, PacketForOne};
use crate::engine::{Panicked, catch};
use crate::event::{EmitError, EventHandler, listening_methods};
use crate::limited::limited;

/// A part of the application with its own sockets, rooms and handlers, on shared connections.
///
/// Cheap to clone; all clones are the same namespace. Handlers belong to the namespace, not to a
/// socket, so a connection costs none.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    handlers: Arc<SharedHandlers>,
    rooms: Rooms,
    room_news: RoomNews,
    adapter: Arc<dyn Adapter>,
    codec: Codec,
    counters: Arc<ServerCounters>,
    acknowledgement_ids: AtomicU64,
    max_pending_acknowledgements: usize,
    kind: Kind,
}

/// Where a namespace comes from.
pub(super) enum Kind {
    /// The program asked for it.
    Kept,
    /// A client asked for it; told when nobody holds it any more.
    Made(OnDrop),
    /// It stands for all namespaces of a pattern: they are the sockets' namespaces.
    Pattern(Children),
}

/// The namespaces that a pattern has made.
pub(super) type Children = Box<dyn Fn() -> Vec<Namespace> + Send + Sync>;

/// Told the name of a namespace that nobody holds any more.
pub(super) type OnDrop = Box<dyn Fn(&str) + Send + Sync>;

impl Drop for Inner {
    fn drop(&mut self) {
        if let Kind::Made(on_drop) = &self.kind {
            on_drop(&self.name);
        }
    }
}

/// A namespace that lives as long as somebody is in it, or holds it.
pub(super) struct WeakNamespace(Weak<Inner>);

impl WeakNamespace {
    pub(super) fn upgrade(&self) -> Option<Namespace> {
        self.0.upgrade().map(Namespace)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// The handlers of one namespace, or of all namespaces of a pattern.
///
/// Looked at for each event and changed at the start of a program, so looking takes no lock.
#[derive(Default)]
pub(super) struct SharedHandlers {
    current: ArcSwap<Handlers>,
    /// Whether anybody listens to what is sent, so that nobody has to look who.
    watched: AtomicBool,
    /// The same of those who watch rooms.
    rooms_watched: AtomicBool,
    /// Held by whoever changes them.
    changing: Mutex<()>,
}

impl SharedHandlers {
    fn change(&self, change: impl FnOnce(&mut Handlers)) {
        let changing = self.changing.lock();
        let mut handlers = Handlers::clone(&self.current.load());
        change(&mut handlers);
        self.watched.store(!handlers.listeners.any_outgoing().is_empty(), Ordering::Release);
        self.rooms_watched.store(!handlers.rooms.is_empty(), Ordering::Release);
        let before = self.current.swap(Arc::new(handlers));
        drop(changing);
        // To drop what was removed may be anybody's code.
        drop(before);
    }
}

/// For those who keep what they have looked up.
pub(super) struct HandlersSource(pub(super) Arc<SharedHandlers>);

impl Deref for HandlersSource {
    type Target = ArcSwap<Handlers>;

    fn deref(&self) -> &ArcSwap<Handlers> {
        &self.0.current
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.0.name).finish()
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Namespace {}

impl Namespace {
    pub(super) fn new(
        name: &str,
        handlers: Arc<SharedHandlers>,
        adapter: Arc<dyn Adapter>,
        codec: Codec,
        counters: Arc<ServerCounters>,
        max_pending_acknowledgements: usize,
        kind: Kind,
    ) -> Self {
        Self(Arc::new(Inner {
            name: name.into(),
            handlers,
            rooms: Rooms::default(),
            room_news: RoomNews::default(),
            adapter,
            codec,
            counters,
            acknowledgement_ids: AtomicU64::new(0),
            max_pending_acknowledgements,
            kind,
        }))
    }

    pub(super) fn downgrade(&self) -> WeakNamespace {
        WeakNamespace(Arc::downgrade(&self.0))
    }

    /// Its name, with the leading slash.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Calls `handler` when a client has connected, after those given before.
    ///
    /// Its parameters decide too: if one cannot be had, the client is refused.
    pub fn on_connect<P, H: ConnectHandler<P>>(&self, handler: H) -> &Self {
        let handler: AnyConnectHandler = Box::new(move |connect| handler.call(connect));
        let handler = Arc::new(handler);
        self.change_handlers(|handlers| handlers.connect.push(Arc::clone(&handler)))
    }

    /// Calls `handler` when a socket is about to leave its rooms because it is disconnected
    /// (S-050), before [`on_disconnect`](Self::on_disconnect), and after those given before. Until
    /// its first await the socket is in its rooms.
    pub fn on_disconnecting<P, H: DisconnectHandler<P>>(&self, handler: H) -> &Self {
        let handler: AnyDisconnectHandler = Box::new(move |disconnect| handler.call(disconnect));
        let handler = Arc::new(handler);
        self.change_handlers(|handlers| handlers.disconnecting.push(Arc::clone(&handler)))
    }

    /// Calls `handler` when a socket is no longer connected, after those given before.
    pub fn on_disconnect<P, H: DisconnectHandler<P>>(&self, handler: H) -> &Self {
        let handler: AnyDisconnectHandler = Box::new(move |disconnect| handler.call(disconnect));
        let handler = Arc::new(handler);
        self.change_handlers(|handlers| handlers.disconnect.push(Arc::clone(&handler)))
    }

    /// Calls `handler` for each event that has no handler of its own, instead of any given before.
    pub fn on_fallback<P, H: EventHandler<Socket, P>>(&self, handler: H) -> &Self {
        let handler = erase(handler);
        self.change_handlers(|handlers| handlers.listeners.set_fallback(Arc::clone(&handler)))
    }

    /// Calls `watch` when rooms are created and deleted, and when sockets join and leave them
    /// (S-051), in the order in which this happens, on whatever thread it does, so it must be quick.
    /// One that panics is logged.
    ///
    /// The room of a socket's own id is among them. A client that may come back
    /// ([`ConnectionStateRecovery`](crate::ConnectionStateRecovery)) has left its rooms, and joins
    /// them again when it does. What a middleware has its client join, the client joins when it is
    /// let in.
    pub fn on_room_event(&self, watch: impl Fn(RoomEvent<'_>) + Send + Sync + 'static) -> &Self {
        let watch: Arc<super::listeners::RoomObserver> = Arc::new(watch);
        self.change_handlers(|handlers| handlers.rooms.push(Arc::clone(&watch)))
    }

    listening_methods!(
        "It is for all sockets of the namespace, also for those that are connected already.",
        change_listeners,
        read_listeners
    );
    middleware_method!(change_listeners);

    /// Has `middleware` decide about each client, after those given before; Socket.IO's `use`
    /// (S-041). The client is told nothing before all have agreed.
    pub fn middleware<P, M: Middleware<P>>(&self, middleware: M) -> &Self {
        let middleware: AnyMiddleware = Box::new(move |connect| middleware.call(connect));
        let middleware = Arc::new(middleware);
        self.change_handlers(|handlers| handlers.middlewares.push(Arc::clone(&middleware)))
    }

    /// Sends an event to all sockets.
    ///
    /// # Errors
    /// If the event cannot be written.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.all().emit(event, arguments)
    }

    /// Sends the event `message` to all sockets, as the official server's `send` does (S-054).
    ///
    /// # Errors
    /// If the event cannot be written.
    pub fn send(&self, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.emit("message", arguments)
    }

    /// Sockets in these rooms.
    pub fn to(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.all().to(rooms)
    }

    /// The same as [`to`](Self::to): Socket.IO's `in`, which is a keyword here.
    pub fn in_(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.to(rooms)
    }

    /// Sockets that are not in these rooms.
    pub fn except(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.all().except(rooms)
    }

    /// All sockets on this node.
    pub fn local(&self) -> BroadcastOperator {
        self.all().local()
    }

    /// All sockets, which are asked for an answer and have so long to give it.
    pub fn timeout(&self, duration: Duration) -> AcknowledgedBroadcast {
        self.all().timeout(duration)
    }

    /// All sockets; what is sent is dropped for those whose connection is not ready.
    pub fn volatile(&self) -> BroadcastOperator {
        self.all().volatile()
    }

    /// All sockets; chooses whether what is sent may be compressed.
    pub fn compress(&self, compress: bool) -> BroadcastOperator {
        self.all().compress(compress)
    }

    /// The connected sockets on this node.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        self.all().sockets()
    }

    /// The connected sockets on all nodes, as they are now (S-068).
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        self.all().fetch_sockets().await
    }

    /// Makes all sockets join rooms.
    pub fn sockets_join(&self, rooms: impl RoomNames) {
        self.all().sockets_join(rooms);
    }

    /// Makes all sockets leave rooms.
    pub fn sockets_leave(&self, rooms: impl RoomNames) {
        self.all().sockets_leave(rooms);
    }

    /// Sends an event to this namespace on the other servers of the cluster (S-070). A server that
    /// stands alone has none, so nothing happens.
    ///
    /// # Errors
    /// If the event's name is reserved, or it cannot be written.
    pub fn server_side_emit(
        &self,
        event: &str,
        arguments: impl ToArguments,
    ) -> Result<(), EmitError> {
        self.check_server_side_event(event, &arguments)?;
        if self.0.adapter.other_servers() == 0 {
            tracing::debug!(event, namespace = self.name(), "there is no other server to emit to");
        }
        Ok(())
    }

    /// The same, waiting for the answers of all other servers (S-071): none, if there are none.
    ///
    /// # Errors
    /// If the event's name is reserved, or it cannot be written.
    pub async fn server_side_emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        arguments: impl ToArguments,
    ) -> Result<Vec<T>, EmitError> {
        self.server_side_emit(event, arguments)?;
        Ok(Vec::new())
    }

    fn check_server_side_event(
        &self,
        event: &str,
        arguments: &impl ToArguments,
    ) -> Result<(), EmitError> {
        if matches!(event, "connect" | "connection" | "new_namespace") {
            return Err(EncodeError::ReservedEvent(event.to_owned()).into());
        }
        self.encode_event(event, None, arguments)?;
        Ok(())
    }

    /// The connected socket with this id, on this node.
    #[must_use]
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.0.rooms.socket(id).filter(Socket::is_connected)
    }

    /// Disconnects all sockets; with `close`, also the connections they are on.
    pub fn disconnect_sockets(&self, close: bool) {
        self.all().disconnect_sockets(close);
    }

    fn all(&self) -> BroadcastOperator {
        BroadcastOperator::new(self.clone(), None)
    }

    fn change_handlers(&self, change: impl Fn(&mut Handlers)) -> &Self {
        self.0.handlers.change(change);
        self
    }

    fn change_listeners<R>(&self, change: impl Fn(&mut Listeners) -> R) {
        self.change_handlers(|handlers| drop(change(&mut handlers.listeners)));
    }

    fn read_listeners<R>(&self, read: impl FnOnce(&Listeners) -> R) -> R {
        read(&self.handlers().listeners)
    }

    /// A listener that could be called once has been called.
    pub(super) fn forget_listener(&self, id: ListenerId) {
        self.remove_listener(id);
    }

    /// The namespaces whose sockets are meant: itself, or all that its pattern has made (S-038).
    pub(super) fn family(&self) -> SmallVec<[Self; 1]> {
        match &self.0.kind {
            Kind::Kept | Kind::Made(_) => smallvec![self.clone()],
            Kind::Pattern(children) => children().into(),
        }
    }

    /// Where changes of rooms are put down, if anybody watches them.
    pub(super) fn room_news(&self) -> Option<&RoomNews> {
        let watched = self.0.handlers.rooms_watched.load(Ordering::Acquire);
        watched.then_some(&self.0.room_news)
    }

    /// Tells those who watch rooms what was put down. No lock may be held.
    pub(super) fn tell_room_news(&self) {
        if let Some(news) = self.room_news() {
            news.tell_all(|event| self.tell(event));
        }
    }

    fn tell(&self, event: RoomEvent<'_>) {
        for watch in &self.handlers().rooms {
            if let Err(Panicked(message)) = catch(|| watch(event)) {
                limited!(error, message, "an observer of rooms panicked");
            }
        }
    }

    pub(super) fn adapter(&self) -> &dyn Adapter {
        &*self.0.adapter
    }

    pub(super) fn handlers(&self) -> Guard<Arc<Handlers>> {
        self.0.handlers.current.load()
    }

    /// Whether anybody listens to what is sent.
    pub(super) fn is_watched(&self) -> bool {
        self.0.handlers.watched.load(Ordering::Acquire)
    }

    pub(super) fn shared_handlers(&self) -> &Arc<SharedHandlers> {
        &self.0.handlers
    }

    pub(super) fn counters(&self) -> &ServerCounters {
        &self.0.counters
    }

    pub(super) fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }

    pub(super) fn next_acknowledgement_id(&self) -> AcknowledgementId {
        self.0.acknowledgement_ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn max_pending_acknowledgements(&self) -> usize {
        self.0.max_pending_acknowledgements
    }

    pub(super) fn encode_event<A: ToArguments>(
        &self,
        event: &str,
        id: Option<AcknowledgementId>,
        arguments: &A,
    ) -> Result<Encoded, EncodeError> {
        self.encode(|encoder| encoder.event(event, id, arguments))
    }

    pub(super) fn encode_event_at<A: ToArguments>(
        &self,
        event: &str,
        arguments: &A,
        offset: Offset,
    ) -> Result<Encoded, EncodeError> {
        self.encode(|encoder| encoder.event_at(event, arguments, offset))
    }

    /// Writes an event for one receiver, and has it sent.
    pub(super) fn send_event<A: ToArguments, R>(
        &self,
        event: &str,
        arguments: &A,
        send: impl FnOnce(PacketForOne<'_>) -> R,
    ) -> Result<R, EncodeError> {
        self.0.codec.send(&self.0.name, |encoder| encoder.write_event(event, None, arguments), send)
    }

    /// The same of an acknowledgement.
    pub(super) fn send_acknowledgement<A: ToArguments, R>(
        &self,
        id: AcknowledgementId,
        values: &A,
        send: impl FnOnce(PacketForOne<'_>) -> R,
    ) -> Result<R, EncodeError> {
        self.0.codec.send(&self.0.name, |encoder| encoder.write_acknowledgement(id, values), send)
    }

    pub(super) fn encode_connect(
        &self,
        id: &str,
        pid: Option<&str>,
    ) -> Result<Encoded, EncodeError> {
        self.encode(|encoder| Ok(encoder.connect(id, pid)))
    }

    pub(super) fn encode_disconnect(&self) -> Result<Encoded, EncodeError> {
        self.encode(|encoder| Ok(encoder.disconnect()))
    }

    fn encode(
        &self,
        write: impl FnOnce(&mut Encoder<'_>) -> Result<Encoded, EncodeError>,
    ) -> Result<Encoded, EncodeError> {
        self.0.codec.encode(&self.0.name, write)
    }
}

/// The packet that refuses a client, for a namespace that need not exist.
pub(super) fn encode_connect_error(
    codec: &Codec,
    namespace: &str,
    error: &ConnectError,
) -> Result<Encoded, EncodeError> {
    codec.encode(namespace, |encoder| Ok(encoder.connect_error(error.message(), error.data())))
}
