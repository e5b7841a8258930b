//! The Socket.IO server.
//!
//! What the protocol allows is decided by [`sockeye_proto::socket::Connection`]; what carries it
//! is the business of [`engine`](crate::engine). Here are sockets, rooms, namespaces, and the
//! calling of handlers.

mod acknowledgement;
mod adapter;
mod broadcast;
mod calls;
mod client_files;
mod connection;
mod error;
mod extract;
mod handler;
mod layer;
mod listen;
mod namespace;
mod options;
mod reason;
mod rooms;
mod running;
#[expect(clippy::module_inception, reason = "the type is `Server`, and this is its file")]
mod server;
mod socket;

pub use acknowledgement::{Acknowledgement, AcknowledgementError, AwaitAcknowledgement};
pub use broadcast::{AcknowledgedBroadcast, BroadcastOperator, PartialAnswers};
pub use client_files::ClientFiles;
pub use error::{ConnectError, EmitError, HandlerError, HandlerErrorKind};
pub use extract::{
    Auth, ConnectContext, Data, DisconnectContext, EventContext, EventName, FromConnect,
    FromDisconnect, FromEvent, Rejection,
};
pub use handler::{ConnectHandler, DisconnectHandler, EventHandler, Middleware, Work};
pub use layer::{NotFound, SocketIoLayer, SocketIoService};
pub use namespace::Namespace;
pub use options::ServerBuilder;
pub use reason::DisconnectReason;
pub use rooms::RoomNames;
pub use server::Server;
pub use socket::Socket;
