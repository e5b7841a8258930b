use std::time::Duration;

use sockeye_proto::socket::{ConnectionLimits, MAX_ATTACHMENTS, Parser};

use super::client_files::ClientFiles;
use super::recovery::ConnectionStateRecovery;
use super::server::Server;
use crate::codec::Codec;
use crate::engine::{Cors, EngineOptions, PerMessageDeflate, SlowReaders};

/// Settings of a [`Server`]. Names and defaults are the reference's, where it has them (S-093).
#[derive(Clone, Debug)]
#[must_use = "nothing is built before `build`"]
pub struct ServerBuilder {
    options: Options,
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) engine: EngineOptions,
    pub(super) connection: ConnectionLimits,
    pub(super) max_running_handlers: usize,
    pub(super) max_running_bytes: usize,
    pub(super) max_pending_acknowledgements: usize,
    pub(super) max_attachments: usize,
    pub(super) client_files: Option<ClientFiles>,
    pub(super) codec: Codec,
    pub(super) recovery: Option<ConnectionStateRecovery>,
    pub(super) acknowledge_errors: bool,
    pub(super) measure_handlers: bool,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        let engine = EngineOptions { path: "/socket.io".into(), ..EngineOptions::default() };
        let connection = ConnectionLimits {
            namespaces: 64,
            auth_bytes: 64 * 1024,
            connect_timeout: Duration::from_secs(45),
            attachment_timeout: Duration::from_secs(10),
        };
        Self {
            options: Options {
                engine,
                connection,
                max_running_handlers: 256,
                max_running_bytes: 16 << 20,
                max_pending_acknowledgements: 10_000,
                max_attachments: MAX_ATTACHMENTS,
                client_files: None,
                codec: Codec::default(),
                recovery: None,
                acknowledge_errors: false,
                measure_handlers: false,
            },
        }
    }
}

impl ServerBuilder {
    /// The server.
    #[must_use]
    pub fn build(self) -> Server {
        Server::with_options(self.options)
    }

    /// The settings of the layer below.
    pub(super) const fn engine(&mut self) -> &mut EngineOptions {
        &mut self.options.engine
    }

    /// Path under which requests are taken, with or without a slash at its end. Default
    /// `/socket.io`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.options.engine.path = path.into();
        self
    }

    /// Time between a pong and the next ping. Default 25 s. Shorter finds dead clients sooner and
    /// costs a packet both ways each time.
    pub const fn ping_interval(mut self, interval: Duration) -> Self {
        self.options.engine.ping_interval = interval;
        self
    }

    /// Time to wait for a pong before the client is disconnected. Default 20 s.
    pub const fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.options.engine.ping_timeout = timeout;
        self
    }

    /// Time in which an upgrade to WebSocket must be complete. Default 10 s.
    pub const fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.options.engine.upgrade_timeout = timeout;
        self
    }

    /// Time in which a connection that takes no more bytes must take some. Default 10 s. A client that
    /// takes none for so long is disconnected (`transport error`), also if it answers pings. Shorter
    /// gives memory back sooner, and loses clients on slow networks: that they take something is seen
    /// in steps of about a third of the system's send buffer.
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.options.engine.write_timeout = timeout;
        self
    }

    /// Time in which a client must have joined a namespace. Default 45 s.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connection.connect_timeout = timeout;
        self
    }

    /// Bytes that a message, or a POST body, may have. Default 1 000 000, on every transport.
    pub const fn max_http_buffer_size(mut self, bytes: usize) -> Self {
        self.options.engine.max_http_buffer_size = bytes;
        self
    }

    /// Time a POST body of a polling client may take to arrive. Default 30 s. Longer, and the client is
    /// disconnected (`transport error`).
    pub const fn body_timeout(mut self, timeout: Duration) -> Self {
        self.options.engine.body_timeout = timeout;
        self
    }

    /// Bytes of POST bodies that may be held at once, for all clients together: those that are arriving,
    /// and those whose packets are not handled yet. Default 256 MiB. A body for which there is no room is
    /// refused with 503, and its packets are lost; the connection goes on.
    pub const fn max_body_bytes_in_flight(mut self, bytes: usize) -> Self {
        self.options.engine.max_body_bytes_in_flight = bytes;
        self
    }

    /// Bytes that may be queued for one client before it is disconnected as a slow reader.
    /// Default 4 MiB. A single packet may be larger. While half of it is queued, nothing is read from the
    /// client.
    pub const fn max_buffered_bytes(mut self, bytes: usize) -> Self {
        self.options.engine.max_buffered_bytes = bytes;
        self
    }

    /// What happens to a client for which more than that would be queued. Default: it is
    /// disconnected.
    pub const fn slow_readers(mut self, policy: SlowReaders) -> Self {
        self.options.engine.slow_readers = policy;
        self
    }

    /// Packets that one POST body of a polling client may hold. Default 16 384, which is also the
    /// most. One more disconnects the client (`parse error`).
    pub const fn max_packets_per_payload(mut self, packets: usize) -> Self {
        self.options.engine.max_packets_per_payload = packets;
        self
    }

    /// Attachments that one packet of a client may have. Default 10, as in the official server
    /// (S-008). Each costs a message of at most [`max_http_buffer_size`](Self::max_http_buffer_size)
    /// bytes, kept until the last has come. One more disconnects the client (`forced close`). A
    /// custom parser has its own limits.
    pub const fn max_attachments(mut self, attachments: usize) -> Self {
        self.options.max_attachments = attachments;
        self
    }

    /// Time without a byte from a client that has announced attachments and not sent them all, after
    /// which it is disconnected (`forced close`). Default 10 s; the reference waits, and keeps what has
    /// come, for as long as the connection lasts. It is noticed within twice that time.
    pub const fn attachment_timeout(mut self, timeout: Duration) -> Self {
        self.options.connection.attachment_timeout = timeout;
        self
    }

    /// Connections that may be open at the same time. Default: any number. One more is refused
    /// (403, code 4).
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.options.engine.max_connections = Some(connections);
        self
    }

    /// The same for one IP address, where it is known: see
    /// [`RemoteAddress`](crate::RemoteAddress). Behind a proxy all clients have the proxy's.
    pub const fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.options.engine.max_connections_per_address = Some(connections);
        self
    }

    /// Namespaces that one client may be in. Default 64; the reference has no limit. One more is
    /// refused with CONNECT_ERROR.
    pub const fn max_namespaces(mut self, namespaces: usize) -> Self {
        self.options.connection.namespaces = namespaces;
        self
    }

    /// Bytes that may come with a CONNECT, as JSON: what `auth` is on the client's side. Default 64 KiB;
    /// the reference keeps a message. It is kept for as long as the client is in the namespace. More is
    /// refused with CONNECT_ERROR.
    pub const fn max_auth_bytes(mut self, bytes: usize) -> Self {
        self.options.connection.auth_bytes = bytes;
        self
    }

    /// Handlers of one connection that may be running at the same time. Default 256. While they
    /// do, nothing is read from the client; also not the acknowledgement that one of them may be
    /// waiting for, so give such waits a time-out.
    pub const fn max_running_handlers(mut self, handlers: usize) -> Self {
        self.options.max_running_handlers = handlers;
        self
    }

    /// Bytes that the events of one connection may have whose handlers are running, as they came, with
    /// attachments. Default 16 MiB; an event for which there is room when it comes may be larger. When so
    /// much is held nothing is read from the client, as with
    /// [`max_running_handlers`](Self::max_running_handlers). What a handler makes of an event is its own.
    pub const fn max_running_bytes(mut self, bytes: usize) -> Self {
        self.options.max_running_bytes = bytes;
        self
    }

    /// Acknowledgements that may be awaited from one socket. Default 10 000.
    pub const fn max_pending_acknowledgements(mut self, acknowledgements: usize) -> Self {
        self.options.max_pending_acknowledgements = acknowledgements;
        self
    }

    /// Whether long-polling is allowed. Default true.
    pub const fn polling(mut self, allowed: bool) -> Self {
        self.options.engine.polling = allowed;
        self
    }

    /// Whether WebSocket is allowed. Default true.
    pub const fn websocket(mut self, allowed: bool) -> Self {
        self.options.engine.websocket = allowed;
        self
    }

    /// Whether a connection may change from polling to WebSocket. Default true.
    pub const fn allow_upgrades(mut self, allowed: bool) -> Self {
        self.options.engine.allow_upgrades = allowed;
        self
    }

    /// Whether Socket.IO 1 and 2 clients are served, which speak revision 3 of Engine.IO (S-099 to
    /// S-102). Default false: they are refused with "Unsupported protocol version".
    ///
    /// They are in `/` without asking, and the id of their socket there is the id of the
    /// connection, as they require. Whoever knows that id can take the connection over, so do not
    /// show ids of sockets to other clients when this is on. Otherwise it costs nothing while
    /// nobody uses it.
    pub const fn allow_eio3(mut self, allowed: bool) -> Self {
        self.options.engine.allow_eio3 = allowed;
        self
    }

    /// Compresses messages on WebSockets, with clients that offer it: browsers do, and the official
    /// client for Node if it is told to. Default: nothing is compressed (E-020). What it costs is
    /// said at [`PerMessageDeflate`].
    pub const fn per_message_deflate(mut self, settings: PerMessageDeflate) -> Self {
        self.options.engine.per_message_deflate = Some(settings);
        self
    }

    /// Which pages of other origins may use the server. Default: none.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.options.engine.cors = Some(cors);
        self
    }

    /// Lets clients that lost their connection come back to their socket, its rooms and data, and
    /// to what they missed. Default: they come back as new ones (S-077).
    pub fn connection_state_recovery(mut self, recovery: ConnectionStateRecovery) -> Self {
        self.options.recovery = Some(recovery);
        self
    }

    /// Whether a client that wants an acknowledgement of an event which cannot be handled (its
    /// arguments do not fit, or an event middleware refused) gets `{"error": "why"}`. Default
    /// false: it gets none, as from the official server.
    pub const fn acknowledge_errors(mut self, acknowledge: bool) -> Self {
        self.options.acknowledge_errors = acknowledge;
        self
    }

    /// Whether the time of handlers is measured, for [`Server::metrics`]. Default false: it costs two
    /// looks at the clock and an allocation for each call.
    pub const fn measure_handlers(mut self, measure: bool) -> Self {
        self.options.measure_handlers = measure;
        self
    }

    /// Speaks another parser than the default one, JSON with attachments beside it; all clients must
    /// speak it too (S-018). What a handler takes and what an emit sends is the same. The price: each
    /// packet is made in the default form first, and translated.
    ///
    /// With the feature `msgpack`, `MessagePack` is the official MessagePack parser.
    pub fn parser(mut self, parser: impl Parser + 'static) -> Self {
        self.options.codec = Codec::new(parser);
        self
    }

    /// Serves the browser bundle under the path, such as `/socket.io/socket.io.js` (S-097).
    /// Default: it is not served.
    pub fn serve_client(mut self, files: ClientFiles) -> Self {
        self.options.client_files = Some(files);
        self
    }
}
