//! The Socket.IO server.
//!
//! What the protocol allows is decided by [`sockeye_proto::socket::Connection`]; what carries it
//! is the business of [`engine`](crate::engine). Here are sockets, rooms, namespaces, and the
//! calling of handlers.

mod adapter;
mod arrival;
mod broadcast;
mod calls;
mod client_files;
mod connection;
mod counters;
mod error;
mod event_gate;
mod extract;
mod handler;
mod http_options;
mod layer;
mod listen;
mod listeners;
mod measure;
mod metrics;
mod namespace;
mod namespaces;
mod observe;
mod options;
mod outgoing;
mod reason;
#[cfg(feature = "metrics")]
mod recorder;
mod recovery;
mod remote;
mod rooms;
#[expect(clippy::module_inception, reason = "the type is `Server`, and this is its file")]
mod server;
mod socket;
mod version_two;

pub use broadcast::{AcknowledgedBroadcast, BroadcastOperator, PartialAnswers};
pub use client_files::ClientFiles;
pub use error::ConnectError;
pub use extract::{
    Auth, ConnectContext, DisconnectContext, EventContext, FromConnect, FromDisconnect,
};
pub use handler::{ConnectHandler, DisconnectHandler, EventMiddleware, Middleware};
pub use layer::{NotFound, SocketIoLayer, SocketIoService};
pub use metrics::{HandlerMetrics, Metrics, PerFailure, RecoveryMetrics, Violations};
pub use namespace::Namespace;
pub use options::ServerBuilder;
pub use reason::DisconnectReason;
pub use recovery::ConnectionStateRecovery;
pub use remote::RemoteSocket;
pub use rooms::{RoomEvent, RoomNames};
pub use server::Server;
pub use socket::{Socket, SocketOperator};

/// The right to answer one event of a client, once.
pub type Acknowledgement = crate::event::Acknowledgement<Socket>;

/// Waits for a client's answer.
pub type AwaitAcknowledgement<T> = crate::event::AwaitAcknowledgement<Socket, T>;
