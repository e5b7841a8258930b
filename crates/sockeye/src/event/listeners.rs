use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use sockeye_proto::socket::Arguments;

use super::context::EventSocket;
use super::handler::{AnyEventHandler, AnyEventMiddleware, EventHandler};

/// What is shown events on their way out.
pub(crate) type OutgoingListener<S> = dyn Fn(&S, &str, Arguments<'_>) + Send + Sync;

/// What is called for the events of sockets: those of a namespace, or one socket's own.
pub(crate) struct Listeners<S: EventSocket> {
    events: HashMap<Box<str>, OfEvent<S>, RandomState>,
    fallback: Option<Arc<AnyEventHandler<S>>>,
    any: Vec<Listener<AnyEventHandler<S>>>,
    any_outgoing: Vec<Listener<OutgoingListener<S>>>,
    middlewares: Vec<Arc<AnyEventMiddleware<S>>>,
}

/// The listeners of one event: one, nearly always.
type OfEvent<S> = SmallVec<[Listener<AnyEventHandler<S>>; 1]>;

/// Names one listener, so that it can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// One listener of a list.
pub(crate) struct Listener<F: ?Sized> {
    id: ListenerId,
    /// Whether it was called, if it may be called only once.
    spent: Option<Arc<AtomicBool>>,
    pub(crate) handler: Arc<F>,
}

/// Where in a list a catch-all listener goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    First,
    Last,
}

impl ListenerId {
    pub(crate) fn next() -> Self {
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
    pub(crate) const fn new(id: ListenerId, handler: Arc<F>) -> Self {
        Self { id, spent: None, handler }
    }

    pub(crate) fn once(id: ListenerId, handler: Arc<F>) -> Self {
        Self { id, spent: Some(Arc::default()), handler }
    }

    pub(crate) const fn id(&self) -> ListenerId {
        self.id
    }

    pub(crate) const fn is_once(&self) -> bool {
        self.spent.is_some()
    }

    /// Whether it may be called now; of two that ask at once about a listener that may be called
    /// once, one.
    pub(crate) fn take_turn(&self) -> bool {
        self.spent.as_ref().is_none_or(|spent| !spent.swap(true, Ordering::Relaxed))
    }
}

impl<S: EventSocket> Default for Listeners<S> {
    fn default() -> Self {
        Self {
            events: HashMap::default(),
            fallback: None,
            any: Vec::new(),
            any_outgoing: Vec::new(),
            middlewares: Vec::new(),
        }
    }
}

impl<S: EventSocket> Clone for Listeners<S> {
    fn clone(&self) -> Self {
        Self {
            events: self.events.clone(),
            fallback: self.fallback.clone(),
            any: self.any.clone(),
            any_outgoing: self.any_outgoing.clone(),
            middlewares: self.middlewares.clone(),
        }
    }
}

impl<S: EventSocket> fmt::Debug for Listeners<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("events", &self.events.keys())
            .field("any", &self.any.len())
            .field("any_outgoing", &self.any_outgoing.len())
            .field("middlewares", &self.middlewares.len())
            .finish_non_exhaustive()
    }
}

impl<S: EventSocket> Listeners<S> {
    pub(crate) fn of_event(&self, name: &str) -> &[Listener<AnyEventHandler<S>>] {
        self.events.get(name).map_or(&[], SmallVec::as_slice)
    }

    /// The one listener of an event, if nothing else has to be thought of: nearly always.
    pub(crate) fn only(&self, name: &str) -> Option<&AnyEventHandler<S>> {
        match self.of_event(name) {
            [only] if self.any.is_empty() && self.middlewares.is_empty() && !only.is_once() => {
                Some(&only.handler)
            }
            _ => None,
        }
    }

    pub(crate) fn fallback(&self) -> Option<&AnyEventHandler<S>> {
        self.fallback.as_deref()
    }

    pub(crate) fn any(&self) -> &[Listener<AnyEventHandler<S>>] {
        &self.any
    }

    pub(crate) fn any_outgoing(&self) -> &[Listener<OutgoingListener<S>>] {
        &self.any_outgoing
    }

    pub(crate) fn middlewares(&self) -> &[Arc<AnyEventMiddleware<S>>] {
        &self.middlewares
    }

    pub(crate) fn add(&mut self, event: &str, listener: Listener<AnyEventHandler<S>>) {
        self.events.entry(event.into()).or_default().push(listener);
    }

    pub(crate) fn add_any(&mut self, listener: Listener<AnyEventHandler<S>>, position: Position) {
        insert(&mut self.any, listener, position);
    }

    pub(crate) fn add_outgoing(
        &mut self,
        listener: Listener<OutgoingListener<S>>,
        position: Position,
    ) {
        insert(&mut self.any_outgoing, listener, position);
    }

    pub(crate) fn add_middleware(&mut self, middleware: Arc<AnyEventMiddleware<S>>) {
        self.middlewares.push(middleware);
    }

    pub(crate) fn set_fallback(&mut self, handler: Arc<AnyEventHandler<S>>) {
        self.fallback = Some(handler);
    }

    /// Removes all listeners of an event. What is removed is given back, here and below: to drop
    /// it may be anybody's code, during which no lock must be held.
    pub(crate) fn off(&mut self, event: &str) -> Removed<S> {
        let events = self.events.remove(event).unwrap_or_default();
        Removed { events: events.into_vec(), outgoing: Vec::new() }
    }

    pub(crate) fn off_any(&mut self) -> Removed<S> {
        Removed { events: std::mem::take(&mut self.any), outgoing: Vec::new() }
    }

    pub(crate) fn off_any_outgoing(&mut self) -> Removed<S> {
        Removed { events: Vec::new(), outgoing: std::mem::take(&mut self.any_outgoing) }
    }

    /// Removes one listener, wherever it is.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Removed<S> {
        let (mut events, mut outgoing) = (Vec::new(), Vec::new());
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
#[expect(dead_code, reason = "kept to be dropped where no lock is held")]
pub(crate) struct Removed<S: EventSocket> {
    events: Vec<Listener<AnyEventHandler<S>>>,
    outgoing: Vec<Listener<OutgoingListener<S>>>,
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

/// A handler without its parameter list.
pub(crate) fn erase<S: EventSocket, P, H: EventHandler<S, P>>(
    handler: H,
) -> Arc<AnyEventHandler<S>> {
    Arc::new(Box::new(move |event| handler.call(event)))
}

#[track_caller]
pub(crate) fn assert_not_reserved(event: &str) {
    assert!(
        !sockeye_proto::socket::is_reserved_event(event),
        "\"{event}\" is a reserved event name; use on_connect, on_disconnecting or on_disconnect"
    );
}
