use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use sockeye_proto::socket::Arguments;

use super::handler::{
    AnyConnectHandler, AnyDisconnectHandler, AnyEventHandler, AnyEventMiddleware, AnyMiddleware,
};
use super::rooms::RoomEvent;
use super::socket::Socket;

/// Everything that a namespace calls, or all namespaces of a pattern.
#[derive(Default, Clone)]
pub(super) struct Handlers {
    pub(super) middlewares: Vec<Arc<AnyMiddleware>>,
    pub(super) connect: Vec<Arc<AnyConnectHandler>>,
    pub(super) disconnecting: Vec<Arc<AnyDisconnectHandler>>,
    pub(super) disconnect: Vec<Arc<AnyDisconnectHandler>>,
    pub(super) rooms: Vec<Arc<RoomObserver>>,
    pub(super) listeners: Listeners,
}

/// What is told about rooms.
pub(super) type RoomObserver = dyn Fn(RoomEvent<'_>) + Send + Sync;

/// What is shown events on their way out.
pub(super) type OutgoingListener = dyn Fn(&Socket, &str, Arguments<'_>) + Send + Sync;

/// What is called for the events of sockets: those of a namespace, or one socket's own.
#[derive(Default, Clone)]
pub(super) struct Listeners {
    events: HashMap<Box<str>, SmallVec<[Listener<AnyEventHandler>; 1]>, RandomState>,
    fallback: Option<Arc<AnyEventHandler>>,
    any: Vec<Listener<AnyEventHandler>>,
    any_outgoing: Vec<Listener<OutgoingListener>>,
    middlewares: Vec<Arc<AnyEventMiddleware>>,
}

/// Names one listener, so that it can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// One listener of a list.
pub(super) struct Listener<F: ?Sized> {
    id: ListenerId,
    /// Whether it was called, if it may be called only once.
    spent: Option<Arc<AtomicBool>>,
    pub(super) handler: Arc<F>,
}

/// Where in a list a catch-all listener goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    First,
    Last,
}

impl ListenerId {
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl<F: ?Sized> Clone for Listener<F> {
    fn clone(&self) -> Self {
        let handler = Arc::clone(&self.handler);
        Self { id: self.id, spent: self.spent.clone(), handler }
    }
}

impl<F: ?Sized> Listener<F> {
    pub(super) const fn new(id: ListenerId, handler: Arc<F>) -> Self {
        Self { id, spent: None, handler }
    }

    pub(super) fn once(id: ListenerId, handler: Arc<F>) -> Self {
        Self { id, spent: Some(Arc::default()), handler }
    }

    pub(super) const fn id(&self) -> ListenerId {
        self.id
    }

    pub(super) const fn is_once(&self) -> bool {
        self.spent.is_some()
    }

    /// Whether it may be called now; of two that ask at once about a listener that may be called
    /// once, one.
    pub(super) fn take_turn(&self) -> bool {
        self.spent.as_ref().is_none_or(|spent| !spent.swap(true, Ordering::Relaxed))
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("events", &self.events.keys())
            .field("any", &self.any.len())
            .field("any_outgoing", &self.any_outgoing.len())
            .field("middlewares", &self.middlewares.len())
            .finish_non_exhaustive()
    }
}

impl Listeners {
    pub(super) fn of_event(&self, name: &str) -> &[Listener<AnyEventHandler>] {
        self.events.get(name).map_or(&[], SmallVec::as_slice)
    }

    /// The one listener of an event, if nothing else has to be thought of: nearly always.
    pub(super) fn only(&self, name: &str) -> Option<&AnyEventHandler> {
        match self.of_event(name) {
            [only] if self.any.is_empty() && self.middlewares.is_empty() && !only.is_once() => {
                Some(&only.handler)
            }
            _ => None,
        }
    }

    pub(super) fn fallback(&self) -> Option<&AnyEventHandler> {
        self.fallback.as_deref()
    }

    pub(super) fn any(&self) -> &[Listener<AnyEventHandler>] {
        &self.any
    }

    pub(super) fn any_outgoing(&self) -> &[Listener<OutgoingListener>] {
        &self.any_outgoing
    }

    pub(super) fn middlewares(&self) -> &[Arc<AnyEventMiddleware>] {
        &self.middlewares
    }

    pub(super) fn add(&mut self, event: &str, listener: Listener<AnyEventHandler>) {
        self.events.entry(event.into()).or_default().push(listener);
    }

    pub(super) fn add_any(&mut self, listener: Listener<AnyEventHandler>, position: Position) {
        insert(&mut self.any, listener, position);
    }

    pub(super) fn add_outgoing(
        &mut self,
        listener: Listener<OutgoingListener>,
        position: Position,
    ) {
        insert(&mut self.any_outgoing, listener, position);
    }

    pub(super) fn add_middleware(&mut self, middleware: Arc<AnyEventMiddleware>) {
        self.middlewares.push(middleware);
    }

    pub(super) fn set_fallback(&mut self, handler: Arc<AnyEventHandler>) {
        self.fallback = Some(handler);
    }

    /// Removes all listeners of an event. What is removed is given back, here and below: to drop
    /// it may be anybody's code, during which no lock must be held.
    pub(super) fn off(&mut self, event: &str) -> Removed {
        let events = self.events.remove(event).unwrap_or_default();
        Removed { events: events.into_vec(), outgoing: Vec::new() }
    }

    pub(super) fn off_any(&mut self) -> Removed {
        Removed { events: std::mem::take(&mut self.any), outgoing: Vec::new() }
    }

    pub(super) fn off_any_outgoing(&mut self) -> Removed {
        Removed { events: Vec::new(), outgoing: std::mem::take(&mut self.any_outgoing) }
    }

    /// Removes one listener, wherever it is.
    pub(super) fn remove(&mut self, id: ListenerId) -> Removed {
        let Removed { mut events, mut outgoing } = Removed::default();
        self.any.retain_mut(|listener| keep_other(listener, id, &mut events));
        self.any_outgoing.retain_mut(|listener| keep_other(listener, id, &mut outgoing));
        self.events.retain(|_, listeners| {
            listeners.retain(|listener| keep_other(listener, id, &mut events));
            !listeners.is_empty()
        });
        Removed { events, outgoing }
    }
}

/// Listeners that nobody calls any more.
#[derive(Default)]
pub(super) struct Removed {
    events: Vec<Listener<AnyEventHandler>>,
    outgoing: Vec<Listener<OutgoingListener>>,
}

fn keep_other<F: ?Sized>(
    listener: &Listener<F>,
    removed: ListenerId,
    list: &mut Vec<Listener<F>>,
) -> bool {
    if listener.id == removed {
        list.push(listener.clone());
    }
    listener.id != removed
}

fn insert<T>(list: &mut Vec<T>, item: T, position: Position) {
    match position {
        Position::First => list.insert(0, item),
        Position::Last => list.push(item),
    }
}

/// The methods that namespaces and sockets have alike: `$change` changes their [`Listeners`],
/// `$read` reads them.
macro_rules! listening_methods {
    ($owner:literal, $change:ident, $read:ident) => {
        /// Calls `handler` for each event of this name, after those given before.
        ///
        #[doc = $owner]
        ///
        /// What a handler returns is the acknowledgement, if the client wants one. Of several
        /// handlers the first that takes [`Option<Acknowledgement>`](crate::Acknowledgement) or
        /// returns anything but `()` answers; if there is none, the last one does, with nothing.
        /// Handlers of one socket start in the order of its events; they overlap only while they
        /// wait.
        ///
        /// # Panics
        /// If the name is reserved (S-014): no client can send such an event.
        #[track_caller]
        pub fn on<P, H: EventHandler<P>>(&self, event: &str, handler: H) -> &Self {
            self.add_listener(event, handler);
            self
        }

        /// The same as [`on`](Self::on), giving what removes this one listener again:
        /// [`remove_listener`](Self::remove_listener).
        ///
        /// # Panics
        /// If the name is reserved (S-014).
        #[track_caller]
        pub fn add_listener<P, H: EventHandler<P>>(&self, event: &str, handler: H) -> ListenerId {
            assert_not_reserved(event);
            let listener = Listener::new(ListenerId::next(), erase(handler));
            self.$change(|listeners| listeners.add(event, listener.clone()));
            listener.id()
        }

        /// Calls `handler` for the next event of this name and then never again; Socket.IO's
        /// `once`.
        ///
        #[doc = $owner]
        ///
        /// # Panics
        /// If the name is reserved (S-014).
        #[track_caller]
        pub fn once<P, H: EventHandler<P>>(&self, event: &str, handler: H) -> ListenerId {
            assert_not_reserved(event);
            let listener = Listener::once(ListenerId::next(), erase(handler));
            self.$change(|listeners| listeners.add(event, listener.clone()));
            listener.id()
        }

        /// Removes all listeners of an event, as `removeAllListeners(event)` does.
        pub fn off(&self, event: &str) -> &Self {
            self.$change(|listeners| listeners.off(event));
            self
        }

        /// Removes one listener, of an event or a catch-all one. One that is unknown, or removed
        /// already, is not an error.
        pub fn remove_listener(&self, id: ListenerId) -> &Self {
            self.$change(|listeners| listeners.remove(id));
            self
        }

        /// How many listeners an event has.
        #[must_use]
        pub fn listeners(&self, event: &str) -> usize {
            self.$read(|listeners| listeners.of_event(event).len())
        }

        /// Calls `handler` for every event that arrives, before event middlewares and other
        /// handlers (S-044, S-073). What it returns is not sent; it may take the right to answer.
        pub fn on_any<P, H: EventHandler<P>>(&self, handler: H) -> ListenerId {
            let listener = Listener::new(ListenerId::next(), erase(handler));
            self.$change(|listeners| listeners.add_any(listener.clone(), Position::Last));
            listener.id()
        }

        /// The same as [`on_any`](Self::on_any), before those given before.
        pub fn prepend_any<P, H: EventHandler<P>>(&self, handler: H) -> ListenerId {
            let listener = Listener::new(ListenerId::next(), erase(handler));
            self.$change(|listeners| listeners.add_any(listener.clone(), Position::First));
            listener.id()
        }

        /// Removes all listeners for every event that arrives.
        pub fn off_any(&self) -> &Self {
            self.$change(Listeners::off_any);
            self
        }

        /// How many listeners there are for every event that arrives.
        #[must_use]
        pub fn listeners_any(&self) -> usize {
            self.$read(|listeners| listeners.any().len())
        }

        /// Calls `listener` for every event that is sent to a socket, also by a broadcast, with
        /// the socket, the event's name and its arguments; not for acknowledgements (S-073).
        ///
        /// It is called by whoever emits, so it must be quick. One that panics is logged.
        pub fn on_any_outgoing(
            &self,
            listener: impl Fn(&Socket, &str, Arguments<'_>) + Send + Sync + 'static,
        ) -> ListenerId {
            let listener: Arc<OutgoingListener> = Arc::new(listener);
            let listener = Listener::new(ListenerId::next(), listener);
            self.$change(|listeners| listeners.add_outgoing(listener.clone(), Position::Last));
            listener.id()
        }

        /// The same as [`on_any_outgoing`](Self::on_any_outgoing), before those given before.
        pub fn prepend_any_outgoing(
            &self,
            listener: impl Fn(&Socket, &str, Arguments<'_>) + Send + Sync + 'static,
        ) -> ListenerId {
            let listener: Arc<OutgoingListener> = Arc::new(listener);
            let listener = Listener::new(ListenerId::next(), listener);
            self.$change(|listeners| listeners.add_outgoing(listener.clone(), Position::First));
            listener.id()
        }

        /// Removes all listeners for every event that is sent.
        pub fn off_any_outgoing(&self) -> &Self {
            self.$change(Listeners::off_any_outgoing);
            self
        }

        /// How many listeners there are for every event that is sent.
        #[must_use]
        pub fn listeners_any_outgoing(&self) -> usize {
            self.$read(|listeners| listeners.any_outgoing().len())
        }

        /// Has `middleware` decide about each event that arrives, before its handlers and after
        /// those given before; Socket.IO's `socket.use` (S-043).
        ///
        /// An event that a middleware refuses is dropped, and reported to
        /// [`Server::on_error`](crate::Server::on_error). While one is deciding, later events of
        /// the same connection that have middlewares wait, so their order is kept.
        pub fn event_middleware<P, M: EventMiddleware<P>>(&self, middleware: M) -> &Self {
            let middleware: AnyEventMiddleware = Box::new(move |event| middleware.call(event));
            let middleware = Arc::new(middleware);
            self.$change(|listeners| listeners.add_middleware(Arc::clone(&middleware)));
            self
        }
    };
}

pub(super) use listening_methods;

/// A handler without its parameter list.
pub(super) fn erase<P, H: super::handler::EventHandler<P>>(handler: H) -> Arc<AnyEventHandler> {
    Arc::new(Box::new(move |event| handler.call(event)))
}

#[track_caller]
pub(super) fn assert_not_reserved(event: &str) {
    assert!(
        !sockeye_proto::socket::is_reserved_event(event),
        "\"{event}\" is a reserved event name; use on_connect, on_disconnecting or on_disconnect"
    );
}
