//! Engine.IO with I/O: sessions over long-polling and WebSocket, and the HTTP service that opens
//! them.
//!
//! What a message means is up to an [`Application`]; the Socket.IO server is one, a program that
//! wants bare Engine.IO is another. Nothing here decides anything about the protocol: that is the
//! machine's task ([`sockeye_proto::engine::Session`]).
//!
//! One task owns a session's I/O, its driver. Everybody else locks the session for a moment to
//! queue frames, and writes them at once if the link takes them.

mod application;
mod batch;
mod bodies;
mod body;
mod caught;
#[cfg(feature = "client")]
pub mod client;
mod clock;
mod coding;
mod compression;
mod cookie;
mod cork;
mod cors;
mod counters;
mod deflate;
mod driver;
mod fan_out;
mod handshake;
mod hooks;
#[cfg(feature = "server")]
mod http;
mod id;
mod initial_packet;
mod io;
mod metrics;
mod new_id;
mod options;
mod outbox;
mod places;
mod polling;
mod refusal;
mod scratch;
mod server;
mod service;
mod session;
mod tcp_writer;
mod trace;
mod turn;
mod websocket;
mod wheel;

pub use application::{Application, Connector};
pub use body::{Never, ResponseBody};
pub use compression::HttpCompression;
pub use cookie::{SameSite, SessionCookie};
pub use cors::{AllowedOrigins, Cors, OriginTest};
pub use handshake::{Handshake, RemoteAddress, SecureConnection};
pub use hooks::{
    AllowRequest, ConnectionErrorHook, GenerateId, HeadersHook, IdGenerationError, RequestRefused,
};
pub use initial_packet::InitialPacket;
pub use metrics::{EngineMetrics, EngineViolations, PerCloseReason, PerRefusal, PerTransport};
pub use options::{EngineOptions, SlowReaders};
pub use refusal::{ConnectionError, ConnectionErrorContext};
pub use server::Engine;
pub use service::EngineService;
pub use session::{SendError, Session};

#[cfg(any(feature = "server", feature = "client"))]
pub(crate) use caught::{Caught, Panicked, catch};
#[cfg(feature = "client")]
pub(crate) use clock::Clock;
#[cfg(feature = "client")]
pub(crate) use clock::system_milliseconds;
#[cfg(feature = "server")]
pub(crate) use coding::Coding;
#[cfg(feature = "server")]
pub(crate) use compression::compress_for_keeps;
#[cfg(feature = "server")]
pub(crate) use cork::Cork;
#[cfg(feature = "server")]
pub(crate) use counters::Counters;
#[cfg(feature = "server")]
pub(crate) use deflate::PacketFrames;
#[cfg(feature = "server")]
pub(crate) use http::{HttpConnection, Patience};
#[cfg(feature = "server")]
pub(crate) use id::Id;
#[cfg(feature = "server")]
pub(crate) use outbox::Outbox;
#[cfg(any(feature = "server", feature = "client"))]
pub(crate) use scratch::lend;
#[cfg(feature = "server")]
pub(crate) use service::empty;
#[cfg(feature = "server")]
pub(crate) use session::Delivery;
pub use sockeye_proto::Moment;
pub use sockeye_proto::engine::{CloseDetail, CloseReason, Message, Revision, TransportName};
pub use sockeye_proto::websocket::PerMessageDeflate;
#[cfg(feature = "client")]
pub(crate) use turn::give_way;
