//! Engine.IO seen from the client: how to connect, and what can go wrong with it.
//!
//! A connection is one task's: it owns the machine that decides
//! ([`sockeye_proto::engine::ClientSession`]), the requests that are on their way, and the WebSocket.
//! When it is dropped, all of that is gone.

mod connection;
mod cookies;
mod dialer;
mod error;
mod http;
mod options;
mod outbox;
mod polling;
mod proxy;
mod query;
mod random;
mod rejection;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;

pub(crate) use connection::{ClientApplication, Connection, Ended, Outgoing};
pub(crate) use dialer::Dialer;
pub use error::{TransportCause, TransportError};
pub use options::ConnectOptions;
pub(crate) use outbox::Sendable;
pub use proxy::{Proxy, ProxyError};
pub use target::{Target, UrlError};
pub use tls::{TlsOptions, TlsOptionsError};
