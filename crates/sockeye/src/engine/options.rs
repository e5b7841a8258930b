use std::time::Duration;

use sockeye_proto::engine::MAX_PACKETS_PER_PAYLOAD;

use sockeye_proto::websocket::PerMessageDeflate;

use super::compression::HttpCompression;
use super::cookie::SessionCookie;
use super::cors::Cors;
use super::hooks::{AllowRequest, ConnectionErrorHook, GenerateId, HeadersHook};
use super::initial_packet::InitialPacket;

/// Settings of the Engine.IO layer. Names and defaults are the reference's (section 1.2).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Path under which requests are taken, with or without a slash at its end: of clients some
    /// send it, some do not. Default `/engine.io`, and `/socket.io` under a Socket.IO server
    /// (E-027, E-028).
    pub path: String,
    /// Time between a pong and the next ping. Default 25 s (E-013). Shorter finds dead peers
    /// sooner and costs a packet both ways each time.
    pub ping_interval: Duration,
    /// Time to wait for a pong before the session is closed. Default 20 s (E-014).
    pub ping_timeout: Duration,
    /// Time in which an upgrade must be complete. Default 10 s (E-015).
    pub upgrade_timeout: Duration,
    /// Time in which a connection that takes no more bytes must take some. Default 10 s. A peer that
    /// takes none for so long is disconnected (`transport error`), also if it answers pings. Shorter
    /// gives memory back sooner, and loses peers on slow networks: that they take something is seen in
    /// steps of about a third of the system's send buffer.
    pub write_timeout: Duration,
    /// Bytes that a POST body, or a WebSocket message, may have. Default 1 000 000 (E-016). It is
    /// announced to clients as `maxPayload`.
    pub max_http_buffer_size: usize,
    /// Bytes that may be queued for one peer. Default 4 MiB. A peer that reads so slowly that
    /// more would be queued is disconnected (`transport error`). A single packet may be larger.
    /// While half of it is queued, nothing is taken from the peer.
    pub max_buffered_bytes: usize,
    /// What happens to a peer for which more than that would be queued. Default: it is
    /// disconnected.
    pub slow_readers: SlowReaders,
    /// Packets that one POST body may hold. Default 16 384, which is also the most: what is meant
    /// to be limited is their bytes, and the work of a body that is nothing but separators. One
    /// more ends the session with `parse error`.
    pub max_packets_per_payload: usize,
    /// Sessions that may be open at the same time. Default: any number. One more is refused (403,
    /// code 4).
    pub max_connections: Option<usize>,
    /// The same for one IP address, where it is known ([`RemoteAddress`](super::RemoteAddress)):
    /// behind a proxy all clients have the proxy's. Default: any number.
    pub max_connections_per_address: Option<usize>,
    /// Whether long-polling is allowed. Default true (E-018).
    pub polling: bool,
    /// Whether WebSocket is allowed. Default true (E-018).
    pub websocket: bool,
    /// Whether a session may change from polling to WebSocket. Default true (E-019).
    pub allow_upgrades: bool,
    /// Whether clients of revision 3 are served: Socket.IO 1 and 2, and whoever gives no `EIO` in
    /// the query. Default false: they are refused with code 5 (E-008, E-025).
    ///
    /// Nothing is spent on it while nobody uses it. Such a client pings by itself, so a dead one
    /// is noticed only `ping_interval` + `ping_timeout` after its last ping, and binary is copied
    /// for each of them. Under a Socket.IO server the id of its socket in `/` is the session's id,
    /// which is a credential: do not show ids of sockets to other clients then.
    pub allow_eio3: bool,
    /// Bytes of POST bodies that may be held at once, for all sessions together: those that are
    /// arriving, and those whose packets are not handled yet. Default 256 MiB. A body for which there is
    /// no room is refused with 503, and its packets are lost; the session goes on.
    pub max_body_bytes_in_flight: usize,
    /// Time a POST body may take to arrive. Default 30 s.
    pub body_timeout: Duration,
    /// Which pages of other origins may use the server. Default: none (E-024).
    pub cors: Option<Cors>,
    /// A message that every session begins with. Default: none (E-009).
    pub initial_packet: Option<InitialPacket>,
    /// How the answers to polls are compressed; `None`: not at all. Default: those of 1024 bytes and
    /// more (E-021, E-049).
    pub http_compression: Option<HttpCompression>,
    /// How messages are compressed on WebSockets, with clients that offer it. Default: not at all
    /// (E-020). What it costs is said at [`PerMessageDeflate`].
    pub per_message_deflate: Option<PerMessageDeflate>,
    /// A cookie with the session's id. Default: none (E-022).
    pub cookie: Option<SessionCookie>,
    /// Decides who may open a session. Default: everybody (E-017).
    pub allow_request: Option<AllowRequest>,
    /// Makes the ids of sessions. Default: 20 random characters (E-004, E-005).
    pub generate_id: Option<GenerateId>,
    /// Changes the headers of the first response of each session: the answer to its handshake
    /// (E-046). Default: none.
    pub initial_headers: Option<HeadersHook>,
    /// Changes the headers of every response of a session, the first and those of WebSocket upgrades
    /// included, but not those of refusals (E-046). Default: none.
    pub headers: Option<HeadersHook>,
    /// Is told of requests that are refused (E-038). Default: none; they are logged at `debug`.
    pub connection_error: Option<ConnectionErrorHook>,
}

/// What happens to peers that read more slowly than is sent to them.
///
/// What was accepted for a peer is never thrown away: it is sent, or the connection ends and says
/// so. Volatile packets are dropped for it much earlier, as soon as its connection is not ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowReaders {
    /// They are disconnected (`transport error`), so that they come back and catch up.
    #[default]
    Disconnect,
    /// What would be queued for them is refused, and whoever sends it is told; of a broadcast they
    /// miss it. They stay connected for as long as they answer pings, and take something within each
    /// `write_timeout`.
    Refuse,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            path: "/engine.io".into(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            max_http_buffer_size: 1_000_000,
            max_buffered_bytes: 4 << 20,
            slow_readers: SlowReaders::Disconnect,
            max_packets_per_payload: MAX_PACKETS_PER_PAYLOAD,
            max_connections: None,
            max_connections_per_address: None,
            polling: true,
            websocket: true,
            allow_upgrades: true,
            allow_eio3: false,
            max_body_bytes_in_flight: 256 << 20,
            body_timeout: Duration::from_secs(30),
            cors: None,
            initial_packet: None,
            http_compression: Some(HttpCompression::new()),
            per_message_deflate: None,
            cookie: None,
            allow_request: None,
            generate_id: None,
            initial_headers: None,
            headers: None,
            connection_error: None,
        }
    }
}
