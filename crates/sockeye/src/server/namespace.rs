use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use sockeye_proto::socket::{AcknowledgementId, EncodeError, Encoded, Encoder, ToArguments};

use super::adapter::{Adapter, Flags};
use super::broadcast::{AcknowledgedBroadcast, BroadcastOperator};
use super::error::{ConnectError, EmitError};
use super::handler::{
    AnyConnectHandler, AnyDisconnectHandler, AnyEventHandler, AnyMiddleware, ConnectHandler,
    DisconnectHandler, EventHandler, Middleware,
};
use super::rooms::{RoomNames, Rooms, Target};
use super::socket::Socket;
use crate::engine::with_encode_scratch;

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
    adapter: Arc<dyn Adapter>,
    acknowledgement_ids: AtomicU64,
    max_pending_acknowledgements: usize,
    on_drop: Option<OnDrop>,
}

/// Told the name of a namespace that nobody holds any more.
pub(super) type OnDrop = Box<dyn Fn(&str) + Send + Sync>;

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(on_drop) = &self.on_drop {
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
pub(super) type SharedHandlers = ArcSwap<Handlers>;

#[derive(Default, Clone)]
pub(super) struct Handlers {
    pub(super) middlewares: Vec<Arc<AnyMiddleware>>,
    pub(super) connect: Option<Arc<AnyConnectHandler>>,
    pub(super) disconnect: Option<Arc<AnyDisconnectHandler>>,
    events: hashbrown::HashMap<Box<str>, Arc<AnyEventHandler>, foldhash::quality::RandomState>,
    fallback: Option<Arc<AnyEventHandler>>,
}

impl Handlers {
    pub(super) fn event(&self, name: &str) -> Option<&AnyEventHandler> {
        self.events.get(name).or(self.fallback.as_ref()).map(|handler| &**handler)
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
        max_pending_acknowledgements: usize,
        on_drop: Option<OnDrop>,
    ) -> Self {
        Self(Arc::new(Inner {
            name: name.into(),
            handlers,
            rooms: Rooms::default(),
            adapter,
            acknowledgement_ids: AtomicU64::new(0),
            max_pending_acknowledgements,
            on_drop,
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

    /// Calls `handler` when a client has connected, instead of any handler given before.
    ///
    /// Its parameters decide too: if one cannot be had, the client is refused.
    pub fn on_connect<P, H: ConnectHandler<P>>(&self, handler: H) -> &Self {
        let handler: AnyConnectHandler = Box::new(move |connect| handler.call(connect));
        let handler = Arc::new(handler);
        self.change_handlers(|handlers| handlers.connect = Some(Arc::clone(&handler)))
    }

    /// Calls `handler` when a socket is no longer connected, instead of any handler given before.
    pub fn on_disconnect<P, H: DisconnectHandler<P>>(&self, handler: H) -> &Self {
        let handler: AnyDisconnectHandler = Box::new(move |disconnect| handler.call(disconnect));
        let handler = Arc::new(handler);
        self.change_handlers(|handlers| handlers.disconnect = Some(Arc::clone(&handler)))
    }

    /// Calls `handler` for each event of this name, instead of any handler given before. What it
    /// returns is the acknowledgement.
    ///
    /// Handlers of one socket start in the order of its events; they overlap only while they wait.
    ///
    /// # Panics
    /// If the name is reserved (S-014): no client can send such an event.
    #[track_caller]
    pub fn on<P, H: EventHandler<P>>(&self, event: &str, handler: H) -> &Self {
        assert!(
            !sockeye_proto::socket::is_reserved_event(event),
            "\"{event}\" is a reserved event name; use on_connect or on_disconnect"
        );
        let handler: AnyEventHandler = Box::new(move |event| handler.call(event));
        let handler = Arc::new(handler);
        self.change_handlers(|handlers| {
            handlers.events.insert(event.into(), Arc::clone(&handler));
        })
    }

    /// Calls `handler` for each event that has no handler of its own.
    pub fn on_fallback<P, H: EventHandler<P>>(&self, handler: H) -> &Self {
        let handler: AnyEventHandler = Box::new(move |event| handler.call(event));
        let handler = Arc::new(handler);
        self.change_handlers(|handlers| handlers.fallback = Some(Arc::clone(&handler)))
    }

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

    /// The connected sockets on this node.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        Vec::clone(&self.0.rooms.everyone())
    }

    /// The connected socket with this id, on this node.
    #[must_use]
    pub fn socket(&self, id: &str) -> Option<Socket> {
        self.0.rooms.socket(id)
    }

    /// Disconnects all sockets; with `close`, also the connections they are on.
    pub fn disconnect_sockets(&self, close: bool) {
        self.all().disconnect_sockets(close);
    }

    fn all(&self) -> BroadcastOperator {
        BroadcastOperator::new(self.clone(), None)
    }

    fn change_handlers(&self, change: impl Fn(&mut Handlers)) -> &Self {
        self.0.handlers.rcu(|handlers| {
            let mut handlers = Handlers::clone(handlers);
            change(&mut handlers);
            handlers
        });
        self
    }

    pub(super) fn handlers(&self) -> Guard<Arc<Handlers>> {
        self.0.handlers.load()
    }

    pub(super) fn shared_handlers(&self) -> &Arc<SharedHandlers> {
        &self.0.handlers
    }

    pub(super) fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }

    pub(super) fn broadcast(&self, packet: &Encoded, target: &Target, flags: Flags) {
        self.0.adapter.broadcast(&self.0.rooms, packet, target, flags);
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

    pub(super) fn encode_acknowledgement<A: ToArguments>(
        &self,
        id: AcknowledgementId,
        values: &A,
    ) -> Result<Encoded, EncodeError> {
        self.encode(|encoder| encoder.acknowledgement(id, values))
    }

    pub(super) fn encode_connect(&self, id: &str) -> Encoded {
        self.encode(|encoder| encoder.connect(id))
    }

    pub(super) fn encode_disconnect(&self) -> Encoded {
        self.encode(|encoder| encoder.disconnect())
    }

    fn encode<R>(&self, write: impl FnOnce(&mut Encoder<'_>) -> R) -> R {
        with_encode_scratch(|scratch| write(&mut Encoder::new(scratch, &self.0.name)))
    }
}

/// The packet that refuses a client, for a namespace that need not exist.
pub(super) fn encode_connect_error(namespace: &str, error: &ConnectError) -> Encoded {
    with_encode_scratch(|scratch| {
        Encoder::new(scratch, namespace).connect_error(error.message(), error.data())
    })
}
