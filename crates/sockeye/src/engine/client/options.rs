use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use sockeye_proto::engine::TransportName;
use sockeye_proto::websocket::PerMessageDeflate;

use super::proxy::Proxy;
use super::tls::TlsOptions;
use super::websocket::Wishes;

/// How a client connects. Names and defaults are the reference's (section 3.2).
///
/// ```
/// use sockeye::TransportName;
/// use sockeye::engine::client::ConnectOptions;
///
/// let options = ConnectOptions::new()
///     .transports([TransportName::WebSocket])
///     .query([("room", "lobby")]);
/// ```
#[derive(Clone)]
pub struct ConnectOptions {
    pub(super) transports: Vec<TransportName>,
    pub(super) try_all_transports: bool,
    pub(super) upgrade: bool,
    pub(super) remember_upgrade: bool,
    pub(super) query: Option<Vec<(String, String)>>,
    pub(super) headers: HeaderMap,
    pub(super) path: String,
    pub(super) add_trailing_slash: bool,
    pub(super) timestamp_requests: Option<bool>,
    pub(super) timestamp_param: String,
    pub(super) force_base64: bool,
    pub(super) request_timeout: Option<Duration>,
    pub(super) cookies: bool,
    pub(super) proxy: Option<Proxy>,
    pub(super) proxy_from_environment: bool,
    pub(super) tls: TlsOptions,
    pub(super) max_message_bytes: usize,
    pub(super) local_address: Option<IpAddr>,
    pub(super) wishes: Wishes,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            transports: vec![TransportName::Polling, TransportName::WebSocket],
            try_all_transports: false,
            upgrade: true,
            remember_upgrade: false,
            query: None,
            headers: HeaderMap::new(),
            path: "/socket.io".into(),
            add_trailing_slash: true,
            timestamp_requests: None,
            timestamp_param: "t".into(),
            force_base64: false,
            request_timeout: None,
            cookies: false,
            proxy: None,
            proxy_from_environment: false,
            tls: TlsOptions::new(),
            max_message_bytes: 100 << 20,
            local_address: None,
            wishes: Wishes::default(),
        }
    }
}

impl ConnectOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The transports that may be used, the first one first. Default: polling, then WebSocket
    /// (C-006). With none, every attempt to connect fails with `No transports available`.
    ///
    /// Begun with WebSocket, a connection is there after one round trip less, and needs no sticky
    /// sessions behind a load balancer; begun with polling, it is there also where WebSocket is not.
    #[must_use]
    pub fn transports(mut self, transports: impl IntoIterator<Item = TransportName>) -> Self {
        self.transports = transports.into_iter().collect();
        self
    }

    /// Whether the next transport is tried if a connection cannot be opened with the first. Default
    /// false (C-007).
    #[must_use]
    pub const fn try_all_transports(mut self, allowed: bool) -> Self {
        self.try_all_transports = allowed;
        self
    }

    /// Whether a connection over polling goes on over WebSocket, where both ends can. Default true
    /// (C-008).
    #[must_use]
    pub const fn upgrade(mut self, allowed: bool) -> Self {
        self.upgrade = allowed;
        self
    }

    /// Whether a connection begins with WebSocket if the last one to this server had it. Default false
    /// (C-008). An error resets it. The reference remembers it for all servers of the process
    /// together; here each manager does for its own.
    #[must_use]
    pub const fn remember_upgrade(mut self, allowed: bool) -> Self {
        self.remember_upgrade = allowed;
        self
    }

    /// What stands in the query of each request. Default: the query of the URL (C-004, C-009). The
    /// reference takes the URL's in any case, if there is one.
    ///
    /// `EIO`, `transport`, `sid`, `j` and `b64` are the protocol's own, and left out; so is the key of
    /// the time stamp where there is one. URLs lie in logs: a token is better sent as authentication.
    #[must_use]
    pub fn query<K: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.query = Some(pairs.collect());
        self
    }

    /// A header of each request, in the place of one of the same name (C-013).
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The headers of each request, in the place of all others that were given (C-013). Default: none.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// The path under which the server takes requests. Default `/socket.io` (C-002).
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Whether the path gets a slash at its end. Default true (C-017).
    #[must_use]
    pub const fn add_trailing_slash(mut self, add: bool) -> Self {
        self.add_trailing_slash = add;
        self
    }

    /// Whether requests have a time stamp in their query, against caches. Default: over polling they
    /// have, over WebSocket not (C-010).
    #[must_use]
    pub const fn timestamp_requests(mut self, add: bool) -> Self {
        self.timestamp_requests = Some(add);
        self
    }

    /// The key of the time stamp. Default `t` (C-010).
    #[must_use]
    pub fn timestamp_param(mut self, key: impl Into<String>) -> Self {
        self.timestamp_param = key.into();
        self
    }

    /// Whether binary goes both ways as base64, also over WebSocket. Default false (C-011).
    #[must_use]
    pub const fn force_base64(mut self, force: bool) -> Self {
        self.force_base64 = force;
        self
    }

    /// Time that a request over polling may take, its answer included. Default: any (C-013). The
    /// server answers a poll when it has something to say, and at the latest with its next ping: this
    /// must be more than its `pingInterval`, which is 25 s by default.
    #[must_use]
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// Whether cookies of the server are kept and sent back. Default false (C-012). They are kept for
    /// as long as the manager exists, and their domain, path and `Secure` count, which the reference
    /// does not look at. Those of a `Cookie` header that was given stand beside them, and give way to
    /// those of the same name.
    #[must_use]
    pub const fn cookies(mut self, keep: bool) -> Self {
        self.cookies = keep;
        self
    }

    /// The proxy through which to connect. Default: none.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Whether the environment says through which proxy to connect, if no other is given:
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, also in small letters. Default false.
    #[must_use]
    pub const fn proxy_from_environment(mut self, ask: bool) -> Self {
        self.proxy_from_environment = ask;
        self
    }

    /// Whom to trust, and how to show who one is, where the connection is encrypted. Default: whom the
    /// system trusts.
    #[must_use]
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = tls;
        self
    }

    /// Bytes that a message over WebSocket, or an answer over polling, may have. Default 100 MiB, as
    /// in `ws`. What is longer ends the connection.
    #[must_use]
    pub const fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// How messages over WebSocket are compressed, if the server can do it too. Default: not at all,
    /// where the reference does (C-014). What it costs is said at [`PerMessageDeflate`], which calls
    /// things by the side that sends: `client_context_takeover` is about what is sent from here.
    #[must_use]
    pub fn per_message_deflate(mut self, settings: PerMessageDeflate) -> Self {
        self.wishes.deflate = Some(settings);
        self
    }

    /// The address of this host from which to connect. Default: the system's choice (C-013).
    #[must_use]
    pub const fn local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Subprotocols to offer when a WebSocket is opened: the value of the `Sec-WebSocket-Protocol`
    /// header, with commas between them. Default: none (C-015).
    #[must_use]
    pub fn protocols(mut self, protocols: HeaderValue) -> Self {
        self.wishes.protocols = Some(protocols);
        self
    }

    /// The path of requests: one slash before it, and one behind it or none (C-002, C-017).
    pub(super) fn request_path(&self) -> String {
        let path = self.path.strip_suffix('/').unwrap_or(&self.path);
        let before = if path.starts_with('/') || path.is_empty() && self.add_trailing_slash {
            ""
        } else {
            "/"
        };
        let behind = if self.add_trailing_slash { "/" } else { "" };
        format!("{before}{path}{behind}")
    }
}

/// Shows nothing in which credentials may be.
impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("transports", &self.transports)
            .field("path", &self.path)
            .field("proxy", &self.proxy)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
