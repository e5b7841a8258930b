//! Raw clients: they write what they are told and read what comes.

mod frame;
mod http;
mod polling;
mod response;
mod websocket;

pub use frame::{Frame, Opcode};
pub use http::{Connection, Request};
pub use polling::Polling;
pub use response::Response;
pub use websocket::{WebSocket, upgrade_request};
