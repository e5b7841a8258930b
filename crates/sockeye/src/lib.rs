//! Socket.IO for Rust, server and client: low-latency, bidirectional, event-based communication.
//!
//! Start at [`Server`], or at [`client::connect`].
//!
//! This crate is the protocol with I/O. It decides nothing about the protocol itself; that is the
//! task of the machines in [`sockeye_proto`]. It never blocks a thread, and starts one task for
//! each connection of a server, and one for each [`Manager`](client::Manager) of a client.

#[cfg(feature = "client")]
pub mod client;
#[cfg_attr(
    not(all(feature = "server", feature = "client")),
    allow(dead_code, reason = "each side has parts that it alone needs")
)]
#[cfg(any(feature = "server", feature = "client"))]
mod codec;
#[cfg_attr(
    not(feature = "server"),
    allow(dead_code, reason = "some of it is there for the Socket.IO server alone")
)]
pub mod engine;
#[cfg_attr(
    not(all(feature = "server", feature = "client")),
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "each side has parts that it alone needs"
    )
)]
#[cfg(any(feature = "server", feature = "client"))]
pub mod event;
mod limited;
#[cfg(feature = "server")]
mod server;

#[cfg(feature = "server")]
pub use server::{
    AcknowledgedBroadcast, Acknowledgement, Auth, AwaitAcknowledgement, BroadcastOperator,
    ClientFiles, ConnectContext, ConnectError, ConnectHandler, ConnectionStateRecovery,
    DisconnectContext, DisconnectHandler, DisconnectReason, EventContext, EventMiddleware,
    FromConnect, FromDisconnect, HandlerMetrics, Metrics, Middleware, Namespace, NotFound,
    PartialAnswers, PerFailure, RecoveryMetrics, RemoteSocket, RoomEvent, RoomNames, Server,
    ServerBuilder, Socket, SocketIoLayer, SocketIoService, SocketOperator, Violations,
};

#[cfg(any(feature = "server", feature = "client"))]
pub use event::{
    AcknowledgementError, Data, EmitError, EventHandler, EventName, EventSocket, FromEvent,
    HandlerError, HandlerErrorKind, ListenerId, Rejection, Work,
};

pub use engine::{
    AllowedOrigins, ConnectionError, ConnectionErrorContext, Cors, Handshake, HttpCompression,
    IdGenerationError, PerMessageDeflate, RemoteAddress, RequestRefused, SameSite,
    SecureConnection, SessionCookie, SlowReaders, TransportName,
};
#[cfg(feature = "msgpack")]
pub use sockeye_proto::socket::MessagePack;
pub use sockeye_proto::socket::{
    ArgumentWriter, Arguments, ArgumentsError, EncodeError, FromArguments, Map, MapIntoIter,
    MapIter, OwnedArguments, PacketKind, Parser, ParserDecoder, ParserError, ParserInput,
    ParserMessage, ParserPacket, ReceivedPacket, ToArguments, Value,
};
