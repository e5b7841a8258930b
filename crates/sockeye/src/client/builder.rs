use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sockeye_proto::socket::{
    ClientNamespaceOptions, MAX_ATTACHMENTS, Overflow, Parser, ReconnectionOptions,
};

use super::auth::Auth;
use super::shared::{Limits, Shared};
use super::socket::Socket;
use super::{ConnectError, Manager, UrlError};
use crate::codec::Codec;
use crate::engine::client::{ConnectOptions, Dialer, Target};

/// How to connect to a server: options of the transports, of reconnection, and of the first socket.
///
/// ```no_run
/// use sockeye::TransportName;
/// use sockeye::client::{ClientBuilder, ConnectOptions};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = ClientBuilder::new("https://example.org/chat")
///     .options(ConnectOptions::new().transports([TransportName::WebSocket]))
///     .auth_with(async || Ok::<_, std::convert::Infallible>(serde_json::json!({ "token": "…" })))
///     .reconnection_attempts(10)
///     .build()?;
/// socket.on("news", async |socket: sockeye::client::Socket| socket.emit("read", ()).unwrap());
/// socket.connect().connected().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is connected before `connect`"]
pub struct ClientBuilder {
    url: String,
    options: ConnectOptions,
    reconnection: ReconnectionOptions,
    limits: Limits,
    codec: Codec,
    socket: SocketOptions,
}

#[derive(Clone, Debug)]
struct SocketOptions {
    auth: Auth,
    namespace: ClientNamespaceOptions,
}

impl ClientBuilder {
    /// A builder for this URL: see [`connect`](super::connect).
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            options: ConnectOptions::default(),
            reconnection: ReconnectionOptions::default(),
            limits: Limits {
                buffered_bytes: 4 << 20,
                attachments: MAX_ATTACHMENTS,
                running_handlers: 1024,
                running_bytes: 64 << 20,
            },
            codec: Codec::default(),
            socket: SocketOptions {
                auth: Auth::None,
                namespace: ClientNamespaceOptions::default(),
            },
        }
    }

    /// How the server is reached: transports, path, query, headers, cookies, TLS, proxy.
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// Whether a lost connection, or one that could not be had, is tried again. Default true
    /// (C-031).
    pub const fn reconnection(mut self, enabled: bool) -> Self {
        self.reconnection.enabled = enabled;
        self
    }

    /// How often, before it gives up. Default: without end; so does 0 (C-031).
    pub const fn reconnection_attempts(mut self, attempts: u32) -> Self {
        self.reconnection.attempts = Some(attempts);
        self
    }

    /// Time before the first attempt; it doubles with each. Default 1 s; 0 means the default
    /// (C-031).
    pub const fn reconnection_delay(mut self, delay: Duration) -> Self {
        self.reconnection.delay = delay;
        self
    }

    /// The longest time before an attempt. Default 5 s; 0 means the default (C-031).
    pub const fn reconnection_delay_max(mut self, delay: Duration) -> Self {
        self.reconnection.delay_max = delay;
        self
    }

    /// By how much of it a delay is made shorter or longer at random, from 0 to 1. Default 0.5
    /// (C-032).
    pub const fn randomization_factor(mut self, factor: f64) -> Self {
        self.reconnection.randomization_factor = factor;
        self
    }

    /// Whether the longest delay is random, too. Default true; in the official client it is not
    /// (C-032), so that after a long outage all clients come back in the same moment of each five
    /// seconds.
    pub const fn jitter_at_cap(mut self, enabled: bool) -> Self {
        self.reconnection.jitter_at_cap = enabled;
        self
    }

    /// Time that one attempt to open the connection may take; `None`: any. Default 20 s (C-031).
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.reconnection.timeout = timeout;
        self
    }

    /// A parser instead of the default one; the server must speak the same.
    pub fn parser(mut self, parser: impl Parser + 'static) -> Self {
        self.codec = Codec::new(parser);
        self
    }

    /// Pieces of binary that an event may hold. Default 10, as in the official parser (S-008).
    pub const fn max_attachments(mut self, attachments: usize) -> Self {
        self.limits.attachments = attachments;
        self
    }

    /// Handlers that may run at the same time before nothing more is read from the connection.
    /// Default 1024.
    pub const fn max_running_handlers(mut self, handlers: usize) -> Self {
        self.limits.running_handlers = handlers;
        self
    }

    /// Bytes that events may have whose handlers are running, as they came, with attachments, before nothing
    /// more is read from the connection; one for which there is room when it comes may be larger. Default
    /// 64 MiB.
    pub const fn max_running_bytes(mut self, bytes: usize) -> Self {
        self.limits.running_bytes = bytes;
        self
    }

    /// What the socket says of itself when it connects (C-040): a value that is a JSON object.
    ///
    /// # Panics
    /// If the value cannot be written as a JSON object.
    #[track_caller]
    pub fn auth(mut self, value: impl Serialize) -> Self {
        self.socket.auth = fixed(value);
        self
    }

    /// The same, asked for at each connect (C-040): a token that must be fresh. An error, or a value
    /// that is no JSON object, ends the attempt with a connect error, and the socket does not try
    /// again by itself.
    pub fn auth_with<F, Fut, V, E>(mut self, ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        V: Serialize,
        E: fmt::Display,
    {
        self.socket.auth = Auth::asked(ask);
        self
    }

    /// How often an event is sent again that was not acknowledged (C-049). Default 0. With retries
    /// each event is sent when the one before it was acknowledged or given up, and asks for an
    /// acknowledgement by itself; a server may see one twice.
    pub const fn retries(mut self, retries: u32) -> Self {
        self.socket.namespace.retries = retries;
        self
    }

    /// Time to wait for an acknowledgement unless an emit says otherwise; with retries, for each
    /// try (C-047). Default: until the connection is lost.
    pub const fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.socket.namespace.ack_timeout = Some(timeout);
        self
    }

    /// Bytes of events that are kept until the socket is connected, and that are queued for a
    /// connection. Default 4 MiB.
    pub const fn max_buffered_bytes(mut self, bytes: usize) -> Self {
        self.socket.namespace.max_buffered_bytes = bytes;
        self.limits.buffered_bytes = bytes;
        self
    }

    /// What becomes of an event when as much as may be is kept already. Default: the new one is
    /// refused.
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.socket.namespace.overflow = overflow;
        self
    }

    /// Answers that may be awaited at the same time. Default 10 000.
    pub const fn max_pending_acknowledgements(mut self, pending: usize) -> Self {
        self.socket.namespace.max_pending_acknowledgements = pending;
        self
    }

    /// Makes the manager alone, with no socket yet. It connects when one of its sockets does.
    ///
    /// # Errors
    /// If the URL is none.
    pub fn manager(self) -> Result<Manager, UrlError> {
        Ok(self.split()?.0)
    }

    /// Makes the socket of the URL's namespace, and its manager. It is not connected before
    /// [`Socket::connect`]: handlers that are given before miss nothing.
    ///
    /// # Errors
    /// If the URL is none.
    pub fn build(self) -> Result<Socket, UrlError> {
        let (manager, builder) = self.split()?;
        drop(manager);
        Ok(builder.build())
    }

    /// Connects: see [`connect`](super::connect).
    ///
    /// Cancel safety: dropped, it closes what it has opened.
    ///
    /// # Errors
    /// If the first attempt fails, for whatever reason.
    pub async fn connect(self) -> Result<Socket, ConnectError> {
        let socket = self.build()?;
        socket.connect().first_attempt().await?;
        Ok(socket)
    }

    fn split(self) -> Result<(Manager, SocketBuilder), UrlError> {
        let target = Target::parse(&self.url)?;
        let namespace = target.namespace().to_owned();
        let dialer = Dialer::new(target, Arc::new(self.options));
        let shared = Arc::new(Shared::new(dialer, self.codec, self.reconnection, self.limits));
        let builder =
            SocketBuilder { shared: Arc::clone(&shared), namespace, options: self.socket };
        Ok((Manager::from_shared(shared), builder))
    }
}

/// Shows no secrets: of the URL neither query nor user.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        let url = url.rsplit_once('@').map_or(url, |(_, host)| host);
        f.debug_struct("ClientBuilder")
            .field("url", &url)
            .field("options", &self.options)
            .field("reconnection", &self.reconnection)
            .field("limits", &self.limits)
            .field("codec", &self.codec)
            .field("socket", &self.socket)
            .finish()
    }
}

/// How a socket of a manager is to be: made by [`Manager::socket`].
#[derive(Clone)]
#[must_use = "nothing is connected before `connect`"]
pub struct SocketBuilder {
    shared: Arc<Shared>,
    namespace: String,
    options: SocketOptions,
}

impl fmt::Debug for SocketBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketBuilder")
            .field("namespace", &self.namespace)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl SocketBuilder {
    pub(super) fn new(
        shared: Arc<Shared>,
        namespace: &str,
        options: ClientNamespaceOptions,
    ) -> Self {
        let slash = if namespace.starts_with('/') { "" } else { "/" };
        Self {
            shared,
            namespace: format!("{slash}{namespace}"),
            options: SocketOptions { auth: Auth::None, namespace: options },
        }
    }

    /// See [`ClientBuilder::auth`].
    ///
    /// # Panics
    /// If the value cannot be written as a JSON object.
    #[track_caller]
    pub fn auth(mut self, value: impl Serialize) -> Self {
        self.options.auth = fixed(value);
        self
    }

    /// See [`ClientBuilder::auth_with`].
    pub fn auth_with<F, Fut, V, E>(mut self, ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        V: Serialize,
        E: fmt::Display,
    {
        self.options.auth = Auth::asked(ask);
        self
    }

    /// See [`ClientBuilder::retries`].
    pub const fn retries(mut self, retries: u32) -> Self {
        self.options.namespace.retries = retries;
        self
    }

    /// See [`ClientBuilder::ack_timeout`].
    pub const fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.options.namespace.ack_timeout = Some(timeout);
        self
    }

    /// See [`ClientBuilder::max_buffered_bytes`]; here for what this socket keeps.
    pub const fn max_buffered_bytes(mut self, bytes: usize) -> Self {
        self.options.namespace.max_buffered_bytes = bytes;
        self
    }

    /// See [`ClientBuilder::overflow`].
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.options.namespace.overflow = overflow;
        self
    }

    /// See [`ClientBuilder::max_pending_acknowledgements`].
    pub const fn max_pending_acknowledgements(mut self, pending: usize) -> Self {
        self.options.namespace.max_pending_acknowledgements = pending;
        self
    }

    /// Makes the socket, or finds the one that there is. It is not connected before
    /// [`Socket::connect`].
    #[must_use]
    pub fn build(self) -> Socket {
        let Self { shared, namespace, options } = self;
        shared.socket_or(
            &namespace,
            |core| core.socket(),
            || Socket::new(&shared, &namespace, options.auth, options.namespace),
        )
    }

    /// Makes the socket and connects it: see [`connect`](super::connect).
    ///
    /// Cancel safety: dropped, it closes what it has opened.
    ///
    /// # Errors
    /// If the first attempt fails, for whatever reason.
    pub async fn connect(self) -> Result<Socket, ConnectError> {
        let socket = self.build();
        socket.connect().first_attempt().await?;
        Ok(socket)
    }
}

#[track_caller]
fn fixed(value: impl Serialize) -> Auth {
    match Auth::fixed(value) {
        Ok(auth) => auth,
        Err(error) => panic!("{}", error.message),
    }
}
