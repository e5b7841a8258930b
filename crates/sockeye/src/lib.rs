//! Socket.IO for Rust: low-latency, bidirectional, event-based communication.
//!
//! This crate is the protocol with I/O. It decides nothing about the protocol itself; that is the
//! task of the machines in [`sockeye_proto`]. It never blocks a thread, and starts one task for
//! each connection.
//!
//! Start at [`Server`].

#[cfg_attr(
    not(feature = "server"),
    allow(dead_code, reason = "some of it is there for the Socket.IO server alone")
)]
pub mod engine;
mod limited;
#[cfg(feature = "server")]
mod server;

#[cfg(feature = "server")]
pub use server::{
    AcknowledgedBroadcast, Acknowledgement, AcknowledgementError, Auth, AwaitAcknowledgement,
    BroadcastOperator, ClientFiles, ConnectContext, ConnectError, ConnectHandler,
    ConnectionStateRecovery, Data, DisconnectContext, DisconnectHandler, DisconnectReason,
    EmitError, EventContext, EventHandler, EventMiddleware, EventName, FromConnect, FromDisconnect,
    FromEvent, HandlerError, HandlerErrorKind, HandlerMetrics, ListenerId, Metrics, Middleware,
    Namespace, NotFound, PartialAnswers, PerFailure, RecoveryMetrics, Rejection, RemoteSocket,
    RoomEvent, RoomNames, Server, ServerBuilder, Socket, SocketIoLayer, SocketIoService,
    SocketOperator, Violations, Work,
};

pub use engine::{
    AllowedOrigins, ConnectionError, ConnectionErrorContext, Cors, Handshake, HttpCompression,
    IdGenerationError, PerMessageDeflate, RemoteAddress, RequestRefused, SameSite,
    SecureConnection, SessionCookie, SlowReaders, TransportName,
};
#[cfg(feature = "msgpack")]
pub use sockeye_proto::socket::MessagePack;
pub use sockeye_proto::socket::{
    Arguments, ArgumentsError, EncodeError, FromArguments, OwnedArguments, PacketKind, Parser,
    ParserDecoder, ParserError, ParserInput, ParserMessage, ParserPacket, ReceivedPacket,
    ToArguments, Value,
};
