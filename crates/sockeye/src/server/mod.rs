//! The Socket.IO server.
//!
//! What the protocol allows is decided by [`sockeye_proto::socket::Connection`]; what carries it
//! is the business of [`engine`](crate::engine). Here are sockets, rooms, namespaces, and the
//! calling of handlers.

mod acknowledgement;
mod adapter;
mod arrival;
mod broadcast;
mod calls;
mod client_files;
mod codec;
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
mod running;
#[expect(clippy::module_inception, reason = "the type is `Server`, and this is its file")]
mod server;
mod socket;
mod version_two;

pub use acknowledgement::{Acknowledgement, AcknowledgementError, AwaitAcknowledgement};
pub use broadcast::{AcknowledgedBroadcast, BroadcastOperator, PartialAnswers};
pub use client_files::ClientFiles;
pub use error::{ConnectError, EmitError, HandlerError, HandlerErrorKind};
pub use extract::{
    Auth, ConnectContext, Data, DisconnectContext, EventContext, EventName, FromConnect,
    FromDisconnect, FromEvent, Rejection,
};
pub use handler::{
    ConnectHandler, DisconnectHandler, EventHandler, EventMiddleware, Middleware, Work,
};
pub use layer::{NotFound, SocketIoLayer, SocketIoService};
pub use listeners::ListenerId;
pub use metrics::{HandlerMetrics, Metrics, PerFailure, RecoveryMetrics, Violations};
pub use namespace::Namespace;
pub use options::ServerBuilder;
pub use reason::DisconnectReason;
pub use recovery::ConnectionStateRecovery;
pub use remote::RemoteSocket;
pub use rooms::{RoomEvent, RoomNames};
pub use server::Server;
pub use socket::{Socket, SocketOperator};
