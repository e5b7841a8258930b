use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use foldhash::quality::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use sockeye_proto::socket::{ConnectionLimits, ToArguments};

use super::adapter::{Adapter, InMemoryAdapter};
use super::broadcast::BroadcastOperator;
use super::client_files::ClientFiles;
use super::connection::Connection;
use super::counters::ServerCounters;
use super::layer::{NotFound, SocketIoLayer, SocketIoService};
use super::namespace::Namespace;
use super::namespaces::{Entry, Pattern};
use super::options::{Options, ServerBuilder};
use super::recovery::Recovery;
use super::remote::RemoteSocket;
use super::rooms::RoomNames;
use super::socket::Socket;
use crate::codec::Codec;
use crate::engine::{Connector, Engine, Session};
use crate::engine::{Panicked, catch};
use crate::event::{EmitError, HandlerError};
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
pub struct Server(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) options: Options,
    engine: OnceLock<Engine<SocketIo>>,
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) namespaces: RwLock<HashMap<Box<str>, Entry, RandomState>>,
    pub(super) patterns: ArcSwap<Vec<Pattern>>,
    on_error: RwLock<Option<Arc<ErrorHook>>>,
    pub(super) on_new_namespace: RwLock<Option<Arc<NamespaceHook>>>,
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

    pub(super) fn write_timeout(&self) -> Duration {
        self.0.options.engine.write_timeout
    }

    pub(super) fn connection_limits(&self) -> &ConnectionLimits {
        &self.0.options.connection
    }

    pub(super) fn max_running_bytes(&self) -> usize {
        self.0.options.max_running_bytes
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
