use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use foldhash::quality::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use serde_json::Value as Json;
use sockeye_proto::socket::{ConnectionLimits, ToArguments};

use super::adapter::{Adapter, InMemoryAdapter};
use super::broadcast::BroadcastOperator;
use super::client_files::ClientFiles;
use super::codec::Codec;
use super::connection::Connection;
use super::counters::ServerCounters;
use super::error::{EmitError, HandlerError};
use super::handler::Work;
use super::layer::{NotFound, SocketIoLayer, SocketIoService};
use super::namespace::{Children, Kind, Namespace, OnDrop, SharedHandlers, WeakNamespace};
use super::options::{Options, ServerBuilder};
use super::recovery::Recovery;
use super::remote::RemoteSocket;
use super::rooms::RoomNames;
use super::running::{Caught, Panicked, catch};
use super::socket::Socket;
use crate::engine::{Connector, Engine, Session};
use crate::limited::limited;

/// A Socket.IO server.
///
/// Cheap to clone; all clones are the same server. Handlers are given to its namespaces; what
/// serves it over HTTP is [`listen`](Self::listen), [`layer`](Self::layer) or
/// [`service`](Self::service).
///
/// ```no_run
/// use sockeye::{Data, Server, Socket};
///
/// # async fn serve() -> std::io::Result<()> {
/// let io = Server::new();
/// io.of("/")
///     .on_connect(async |socket: Socket| socket.join("lobby"))
///     .on("chat message", async |socket: Socket, Data(text): Data<String>| {
///         let _ = socket.to("lobby").emit("chat message", text);
///     })
///     .on("sum", async |Data((a, b)): Data<(i64, i64)>| a + b);
/// io.listen("127.0.0.1:3000").await
/// # }
/// ```
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    options: Options,
    engine: OnceLock<Engine<SocketIo>>,
    adapter: Arc<dyn Adapter>,
    namespaces: RwLock<HashMap<Box<str>, Entry, RandomState>>,
    patterns: ArcSwap<Vec<Pattern>>,
    on_error: RwLock<Option<Arc<ErrorHook>>>,
    on_new_namespace: RwLock<Option<Arc<NamespaceHook>>>,
    recovery: Option<Arc<Recovery>>,
    counters: Arc<ServerCounters>,
    closing: AtomicBool,
    closed: tokio::sync::Notify,
}

/// Nobody can come back any more, and nothing is kept for anybody.
impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(recovery) = &self.recovery {
            recovery.close();
        }
    }
}

type ErrorHook = dyn Fn(&HandlerError) + Send + Sync;
type NamespaceHook = dyn Fn(&Namespace) + Send + Sync;

/// A namespace by its name.
enum Entry {
    /// The program asked for it: it stays.
    Kept(Namespace),
    /// A client asked for it: it goes when nobody holds it any more.
    Made(WeakNamespace),
}

impl Entry {
    fn namespace(&self) -> Option<Namespace> {
        match self {
            Self::Kept(namespace) => Some(namespace.clone()),
            Self::Made(namespace) => namespace.upgrade(),
        }
    }
}

/// Namespaces that are made when a client asks for them.
#[derive(Clone)]
struct Pattern {
    matches: Matcher,
    handlers: Arc<SharedHandlers>,
}

/// What says whether a client may have the namespace that it asks for.
#[derive(Clone)]
enum Matcher {
    Now(Arc<dyn Fn(&str) -> bool + Send + Sync>),
    /// By the name and the client's JSON object.
    Later(Arc<dyn Fn(String, Json) -> Work<bool> + Send + Sync>),
}

/// What a server says when it is asked for a namespace.
pub(super) enum Found {
    Namespace(Namespace),
    /// Asynchronous patterns have to be asked.
    Undecided,
    Nothing,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A server with default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Chooses settings.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(super) fn with_options(options: Options) -> Self {
        let engine_options = options.engine.clone();
        let recovery = options.recovery.clone().map(Recovery::new);
        let server = Self(Arc::new(Inner {
            options,
            engine: OnceLock::new(),
            adapter: Arc::new(InMemoryAdapter),
            namespaces: RwLock::default(),
            patterns: ArcSwap::default(),
            on_error: RwLock::default(),
            on_new_namespace: RwLock::default(),
            recovery,
            counters: Arc::new(ServerCounters::new()),
            closing: AtomicBool::new(false),
            closed: tokio::sync::Notify::new(),
        }));
        let connector = SocketIo { server: Arc::downgrade(&server.0) };
        server.0.engine.get_or_init(|| Engine::new(engine_options, connector));
        server.of("/");
        server
    }

    /// The namespace with this name; it exists from now on. A missing leading slash is added
    /// (S-032).
    pub fn of(&self, name: &str) -> Namespace {
        let name = if name.starts_with('/') { name } else { &format!("/{name}") };
        if let Some(Entry::Kept(namespace)) = self.0.namespaces.read().get(name) {
            return namespace.clone();
        }
        let handlers = self.pattern_handlers(name).unwrap_or_default();
        let mut namespaces = self.0.namespaces.write();
        let known = namespaces.get(name).and_then(Entry::namespace);
        let is_new = known.is_none();
        let namespace = known.unwrap_or_else(|| self.namespace(name, &handlers, Kind::Kept));
        namespaces.insert(name.into(), Entry::Kept(namespace.clone()));
        drop(namespaces);
        if is_new {
            self.announce(&namespace);
        }
        namespace
    }

    /// Namespaces whose names satisfy `matches`; each exists from the first client on that asks
    /// for it, until the last has left, with the handlers that are given to the one returned here
    /// (S-034).
    ///
    /// Patterns are tried in the order in which they were given; namespaces that exist go first.
    /// The names are chosen by clients, up to 1 KiB long; a `matches` that panics says no.
    pub fn of_matching(&self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Namespace {
        self.add_pattern(Matcher::Now(Arc::new(matches)))
    }

    /// The same with an asynchronous function, which gets the name and what the client sent along
    /// when it asked (S-034).
    ///
    /// Calling [`of`](Self::of) with such a name makes a namespace without these handlers, since
    /// nobody is asked then.
    pub fn of_matching_async<F>(
        &self,
        matches: impl Fn(String, Json) -> F + Send + Sync + 'static,
    ) -> Namespace
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let matches = move |name, auth| -> Work<bool> { Box::pin(matches(name, auth)) };
        self.add_pattern(Matcher::Later(Arc::new(matches)))
    }

    fn add_pattern(&self, matches: Matcher) -> Namespace {
        let handlers = Arc::<SharedHandlers>::default();
        let pattern = Pattern { matches, handlers: Arc::clone(&handlers) };
        self.0.patterns.rcu(|patterns| {
            let mut patterns = Vec::clone(patterns);
            patterns.push(pattern.clone());
            patterns
        });
        // It carries the handlers; nobody is ever in it, but what is emitted to it goes to all
        // that are in its children.
        let name = format!("/_{}", self.0.patterns.load().len() - 1);
        let (server, shared) = (Arc::downgrade(&self.0), Arc::downgrade(&handlers));
        let children: Children = Box::new(move || match (server.upgrade(), shared.upgrade()) {
            (Some(server), Some(handlers)) => Self(server).children(&handlers),
            _ => Vec::new(),
        });
        self.namespace(&name, &handlers, Kind::Pattern(children))
    }

    /// The namespaces that share these handlers.
    fn children(&self, handlers: &Arc<SharedHandlers>) -> Vec<Namespace> {
        let namespaces = self.0.namespaces.read();
        let mut all: Vec<_> = namespaces.values().filter_map(Entry::namespace).collect();
        // Who lets go of a namespace as the last one takes this lock to forget it.
        drop(namespaces);
        all.retain(|namespace| Arc::ptr_eq(namespace.shared_handlers(), handlers));
        all
    }

    /// Calls `hook` with each namespace that comes to be from now on (S-033), also those that
    /// patterns make, instead of any hook given before.
    pub fn on_new_namespace(&self, hook: impl Fn(&Namespace) + Send + Sync + 'static) -> &Self {
        let before = self.0.on_new_namespace.write().replace(Arc::new(hook));
        // What it owns is dropped after the lock.
        drop(before);
        self
    }

    fn announce(&self, namespace: &Namespace) {
        let hook = self.0.on_new_namespace.read().clone();
        if let Some(hook) = hook
            && let Err(Panicked(message)) = catch(|| hook(namespace))
        {
            limited!(error, message, "the on_new_namespace hook panicked");
        }
    }

    /// Sends an event to all sockets of the namespace `/`.
    ///
    /// # Errors
    /// If the event cannot be written.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.of("/").emit(event, arguments)
    }

    /// Sockets of the namespace `/` in these rooms.
    pub fn to(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.of("/").to(rooms)
    }

    /// The same as [`to`](Self::to): Socket.IO's `in`, which is a keyword here.
    pub fn in_(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.to(rooms)
    }

    /// Sockets of the namespace `/` that are not in these rooms.
    pub fn except(&self, rooms: impl RoomNames) -> BroadcastOperator {
        self.of("/").except(rooms)
    }

    /// The connected sockets of the namespace `/` on this node.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        self.of("/").sockets()
    }

    /// The connected sockets of the namespace `/` on all nodes, as they are now (S-068).
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        self.of("/").fetch_sockets().await
    }

    /// How many connections are open, over whatever transport.
    #[must_use]
    pub fn clients_count(&self) -> usize {
        self.engine().clients_count()
    }

    /// Bytes of packets that are kept for clients that may come back: see
    /// [`ConnectionStateRecovery::max_bytes`](crate::ConnectionStateRecovery::max_bytes).
    #[must_use]
    pub fn recovery_bytes(&self) -> usize {
        self.recovery().map_or(0, |recovery| recovery.bytes())
    }

    /// Calls `report` for each handler that could not be called or that panicked; all are logged
    /// as well.
    pub fn on_error(&self, report: impl Fn(&HandlerError) + Send + Sync + 'static) -> &Self {
        let before = self.0.on_error.write().replace(Arc::new(report));
        // What it owns is dropped after the lock.
        drop(before);
        self
    }

    /// Closes all connections (`server shutting down`) and ends [`listen`](Self::listen). Clients
    /// get no DISCONNECT packet, so they try to come back (S-095).
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
        if let Some(recovery) = self.recovery() {
            recovery.close();
        }
        self.engine().close();
        self.0.closed.notify_waiters();
    }

    /// Leaves in good order: refuses new connections from now on (503), closes those that are open
    /// (`server shutting down`) evenly over `spread`, each after what is queued for it was sent,
    /// waits five seconds at most for slow ones, and then does as [`close`](Self::close).
    ///
    /// Clients try to come back, and find another server behind the same address; the spread keeps
    /// them from coming all at once. Requests of open connections are answered until the end, so
    /// let [`listen`](Self::listen) go on meanwhile.
    ///
    /// Cancel safety: dropped, it closes no more connections; new ones are still refused.
    pub async fn drain(&self, spread: Duration) {
        self.0.closing.store(true, Ordering::Relaxed);
        self.engine().drain(spread).await;
        self.close();
    }

    /// A `tower` layer: requests under the server's path are answered here, others by the service
    /// below.
    ///
    /// Handlers see a client's address if the requests carry it as an extension:
    /// [`RemoteAddress`](crate::RemoteAddress).
    #[must_use]
    pub fn layer(&self) -> SocketIoLayer {
        SocketIoLayer::new(self.clone())
    }

    /// A `tower` service that answers 404 to requests that are not under the server's path.
    #[must_use]
    pub fn service(&self) -> SocketIoService<NotFound> {
        SocketIoService::new(self.clone(), NotFound)
    }

    pub(super) fn engine(&self) -> &Engine<SocketIo> {
        self.0.engine.get().expect("set when the server was made")
    }

    pub(super) fn client_files(&self) -> Option<&ClientFiles> {
        self.0.options.client_files.as_ref()
    }

    pub(super) fn codec(&self) -> &Codec {
        &self.0.options.codec
    }

    pub(super) fn path(&self) -> &str {
        &self.0.options.engine.path
    }

    pub(super) fn connection_limits(&self) -> &ConnectionLimits {
        &self.0.options.connection
    }

    pub(super) fn max_running_handlers(&self) -> usize {
        self.0.options.max_running_handlers
    }

    pub(super) fn max_attachments(&self) -> usize {
        self.0.options.max_attachments
    }

    pub(super) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// Resolves when the server is closed.
    pub(super) async fn closed(&self) {
        let closed = self.0.closed.notified();
        if !self.is_closing() {
            closed.await;
        }
    }

    /// The namespace that a client asks for, if it exists or a pattern lets it.
    pub(super) fn find(&self, name: &str) -> Found {
        let known = self.0.namespaces.read().get(name).and_then(Entry::namespace);
        if let Some(known) = known {
            return Found::Namespace(known);
        }
        let patterns = self.0.patterns.load();
        for pattern in patterns.iter() {
            match &pattern.matches {
                Matcher::Later(_) => return Found::Undecided,
                Matcher::Now(matches) if accepts(&**matches, name) => {
                    return Found::Namespace(self.make(name, &pattern.handlers));
                }
                Matcher::Now(_) => {}
            }
        }
        Found::Nothing
    }

    /// The same, asking asynchronous patterns too, in their order.
    pub(super) async fn find_later(&self, name: String, auth: Json) -> Option<Namespace> {
        let patterns = self.0.patterns.load_full();
        for pattern in patterns.iter() {
            let accepted = match &pattern.matches {
                Matcher::Now(matches) => accepts(&**matches, &name),
                Matcher::Later(matches) => {
                    let started = catch(|| matches(name.clone(), auth.clone()));
                    let decided = match started {
                        Ok(work) => Caught(work).await,
                        Err(panicked) => Err(panicked),
                    };
                    decided.unwrap_or_else(|panicked| refuse(&name, panicked))
                }
            };
            if accepted {
                return Some(self.make(&name, &pattern.handlers));
            }
        }
        None
    }

    pub(super) fn recovery(&self) -> Option<&Arc<Recovery>> {
        self.0.recovery.as_ref()
    }

    pub(super) fn measures_handlers(&self) -> bool {
        self.0.options.measure_handlers
    }

    pub(super) fn counters(&self) -> &Arc<ServerCounters> {
        &self.0.counters
    }

    pub(super) fn acknowledges_errors(&self) -> bool {
        self.0.options.acknowledge_errors
    }

    /// Tells who wants to know. A hook that panics is only logged.
    pub(super) fn report(&self, error: &HandlerError) {
        let hook = self.0.on_error.read().clone();
        if let Some(hook) = hook
            && let Err(Panicked(message)) = catch(|| hook(error))
        {
            limited!(error, message, "the on_error hook panicked");
        }
    }

    fn pattern_handlers(&self, name: &str) -> Option<Arc<SharedHandlers>> {
        let patterns = self.0.patterns.load_full();
        let accepts = |pattern: &&Pattern| match &pattern.matches {
            Matcher::Now(matches) => accepts(&**matches, name),
            Matcher::Later(_) => false,
        };
        patterns.iter().find(accepts).map(|pattern| Arc::clone(&pattern.handlers))
    }

    /// Of two that ask at once, one makes the namespace and both get it.
    fn make(&self, name: &str, handlers: &Arc<SharedHandlers>) -> Namespace {
        let mut namespaces = self.0.namespaces.write();
        if let Some(known) = namespaces.get(name).and_then(Entry::namespace) {
            return known;
        }
        let server = Arc::downgrade(&self.0);
        let forget: OnDrop = Box::new(move |name| {
            if let Some(server) = server.upgrade() {
                Self(server).forget(name);
            }
        });
        let namespace = self.namespace(name, handlers, Kind::Made(forget));
        namespaces.insert(name.into(), Entry::Made(namespace.downgrade()));
        drop(namespaces);
        self.announce(&namespace);
        namespace
    }

    /// Nobody holds a namespace of this name any more, unless it has been made again.
    fn forget(&self, name: &str) {
        let mut namespaces = self.0.namespaces.write();
        if let Some(Entry::Made(namespace)) = namespaces.get(name)
            && namespace.is_dead()
        {
            namespaces.remove(name);
        }
    }

    fn namespace(&self, name: &str, handlers: &Arc<SharedHandlers>, kind: Kind) -> Namespace {
        let adapter = Arc::clone(&self.0.adapter);
        let pending = self.0.options.max_pending_acknowledgements;
        let (codec, counters) = (self.codec().clone(), Arc::clone(self.counters()));
        Namespace::new(name, Arc::clone(handlers), adapter, codec, counters, pending, kind)
    }
}

/// Whether a pattern accepts a name; one that panics does not.
fn accepts(matches: &(dyn Fn(&str) -> bool + Send + Sync), name: &str) -> bool {
    catch(|| matches(name)).unwrap_or_else(|panicked| refuse(name, panicked))
}

fn refuse(name: &str, Panicked(message): Panicked) -> bool {
    limited!(error, name, message, "a namespace pattern panicked");
    false
}

/// Makes each session's Socket.IO.
#[derive(Debug)]
pub(crate) struct SocketIo {
    server: Weak<Inner>,
}

impl Connector for SocketIo {
    type Application = Connection;

    fn connect(&self, session: &Arc<Session>) -> Option<Connection> {
        Some(Connection::new(Server(self.server.upgrade()?), session))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// A namespace that is seen may be gone the next moment: who looks through all of them may then
    /// be the last to let go of one.
    #[test]
    fn namespaces_can_be_looked_through_while_others_come_and_go() {
        let io = Server::new();
        let pattern = io.of_matching(|name| name.starts_with("/a"));
        let handlers = Arc::<SharedHandlers>::default();
        let (done, all_done) = mpsc::channel();
        for number in 0..2 {
            let (io, handlers, made) = (io.clone(), Arc::clone(&handlers), done.clone());
            thread::spawn(move || {
                let name = format!("/b-{number}");
                (0..100_000).for_each(|_| drop(io.make(&name, &handlers)));
                made.send(())
            });
            let (pattern, done) = (pattern.clone(), done.clone());
            thread::spawn(move || {
                (0..100_000).for_each(|_| drop(pattern.sockets()));
                done.send(())
            });
        }
        for _ in 0..4 {
            all_done.recv_timeout(Duration::from_secs(30)).expect("nobody waits for ever");
        }
    }
}
