//! The Socket.IO client.
//!
//! ```no_run
//! use std::time::Duration;
//! use sockeye::{Data, client};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let socket = client::connect("http://127.0.0.1:3000/").await?;
//! socket.on("chat message", async |Data(text): Data<String>| println!("{text}"));
//! let sum: i64 = socket.emit_with_ack("sum", (1, 2)).timeout(Duration::from_secs(5)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Socket`] is one namespace of a server. Sockets of the same server share a connection, which
//! a [`Manager`] keeps: it connects, notices when the connection is lost, and connects again, later
//! and later. What a socket is told meanwhile it keeps, and sends when it is back.
//!
//! There are two styles, and they go together: handlers ([`Socket::on`]), and a stream of what
//! happens ([`Socket::events`]). Handlers run in the manager's task: those of one socket start in
//! the order of its events and overlap only where they wait. So a handler may wait for another event
//! or an answer; it must not block the thread.
//!
//! What the protocol allows is decided by the machines in `sockeye_proto`; what carries it is the
//! business of [`engine`](crate::engine). Nothing here starts more than one task for each manager.

mod auth;
mod builder;
mod callbacks;
mod disconnect;
mod error;
mod events;
mod heartbeat;
mod lost;
mod manager;
mod manager_event;
mod shared;
mod socket;
mod task;

use std::future::Future;

pub use builder::{ClientBuilder, SocketBuilder};
pub use disconnect::Disconnect;
pub use error::ConnectError;
pub use events::{Events, ReceivedEvent, SocketEvent};
pub use lost::LostEvent;
pub use manager::Manager;
pub use manager_event::ManagerEvent;
pub use socket::{Socket, SocketOperator};

pub use crate::engine::client::{
    ConnectOptions, Proxy, ProxyError, TlsOptions, TlsOptionsError, TransportCause, TransportError,
    UrlError,
};
pub use sockeye_proto::socket::{
    ClientDisconnectReason as DisconnectReason, ConnectRefused, DropReason, Overflow,
    ReconnectionOptions, ReconnectionState,
};

/// The right to answer one event of the server, once.
pub type Acknowledgement = crate::event::Acknowledgement<Socket>;

/// Waits for the server's answer.
pub type AwaitAcknowledgement<T> = crate::event::AwaitAcknowledgement<Socket, T>;

/// An event on its way to its handler.
pub type EventContext<'a> = crate::event::EventContext<'a, Socket>;

/// Connects to a server: `http://host:port/namespace?query` (C-002). With `http` and `https`,
/// `ws` and `wss`, it is long-polling first and then WebSocket; [`ClientBuilder`] has the options.
///
/// Resolves when the namespace is connected. From then on the socket reconnects by itself.
///
/// Cancel safety: dropped, it closes what it has opened.
///
/// # Errors
/// If the first attempt fails, for whatever reason. To keep trying, or to give handlers before, use
/// [`ClientBuilder::build`], [`Socket::connect`] and [`Socket::connected`].
pub fn connect(url: &str) -> impl Future<Output = Result<Socket, ConnectError>> + Send + use<> {
    ClientBuilder::new(url).connect()
}
