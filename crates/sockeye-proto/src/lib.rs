//! Socket.IO v5, Engine.IO v4 and WebSocket (RFC 6455) as values and state machines.
//!
//! This crate never opens a socket, asks no clock, takes no lock, starts no task and draws no
//! random number. Bytes, time and state go in; packets, bytes and deadlines come out. It is for
//! authors of servers, clients and test tools who bring their own I/O; everybody else wants the
//! `sockeye` crate.
//!
//! Bottom to top, each knowing only those below it:
//!
//! * [`http`]: requests to a server, and heads of its responses;
//! * [`websocket`]: frames and messages of both roles, and the opening handshake;
//! * [`engine`]: packets, payloads, the handshake and the state machines of one connection over any
//!   transport: [`engine::Session`] in a server, [`engine::ClientSession`] in a client;
//! * [`socket`]: Socket.IO packets, arguments, and [`socket::Connection`], the namespaces that
//!   one client is in; on the client's side [`socket::ClientNamespace`] and
//!   [`socket::Reconnection`].

pub mod engine;
pub mod http;
mod moment;
pub mod socket;
pub mod websocket;

pub use moment::Moment;
