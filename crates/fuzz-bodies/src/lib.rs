//! What no input may break. Each function takes any bytes whatever, and panics if the protocol
//! crate did not keep a promise.
//!
//! The fuzz targets call them with what the fuzzer finds; `tests/random_inputs.rs` calls them with
//! the committed corpora and with random inputs, on any toolchain.
//!
//! Inputs of `session`, `client_session`, `connection`, `client_namespace` and `reconnection` are operations as `arbitrary`
//! reads them. Their files in the corpus are named after what they did when they were written; other
//! enums make others of them.

mod client_namespace;
mod client_session;
mod connection;
mod engine_packet;
mod engine_payload;
mod extensions;
mod history;
mod http_requests;
mod jsonp;
mod message_pack;
mod opening;
mod payload_of_revision_3;
mod query;
mod reconnection;
mod session;
mod socket_packet;
mod websocket_deflate;
mod websocket_frames;

pub use client_namespace::client_namespace;
pub use client_session::client_session;
pub use connection::connection;
pub use engine_packet::engine_packet;
pub use engine_payload::engine_payload;
pub use extensions::extensions;
pub use history::history;
pub use http_requests::http_requests;
pub use jsonp::jsonp;
pub use message_pack::message_pack;
pub use opening::opening;
pub use payload_of_revision_3::payload_of_revision_3;
pub use query::query;
pub use reconnection::reconnection;
pub use session::session;
pub use socket_packet::socket_packet;
pub use websocket_deflate::websocket_deflate;
pub use websocket_frames::websocket_frames;

/// Checks one input.
pub type Body = fn(&[u8]);

/// Every target, under the name of its fuzz target and corpus.
pub const TARGETS: [(&str, Body); 18] = [
    ("client_namespace", client_namespace),
    ("client_session", client_session),
    ("connection", connection),
    ("engine_packet", engine_packet),
    ("engine_payload", engine_payload),
    ("extensions", extensions),
    ("history", history),
    ("http_requests", http_requests),
    ("jsonp", jsonp),
    ("message_pack", message_pack),
    ("opening", opening),
    ("payload_of_revision_3", payload_of_revision_3),
    ("query", query),
    ("reconnection", reconnection),
    ("session", session),
    ("socket_packet", socket_packet),
    ("websocket_deflate", websocket_deflate),
    ("websocket_frames", websocket_frames),
];
