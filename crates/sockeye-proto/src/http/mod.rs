//! HTTP/1.1 (RFC 9112) as a server needs it: requests in, heads of responses out.
//!
//! Never decides what a request means and never waits: whoever reads the connection brings bytes, and
//! closes it when it is told to. Bodies of responses are whole, so there is no framing of them here but
//! their length.

mod body;
mod error;
mod reader;
mod request;
mod response;

pub use error::{BodyError, HeadError};
pub use reader::{BodyPart, RequestReader};
pub use request::{BodyLength, RequestHead};
pub use response::{Persistence, ResponseHead};

/// Bytes that the head of a request may have: what Node.js allows.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Headers that a request may have.
pub const MAX_HEADERS: usize = 100;
