//! Engine.IO: packets, payloads, the handshake and the session machines of both sides.
//!
//! Nothing here knows what a message means; the layer above gets text and binary messages and
//! the reason why a session ended. Nothing here imports [`socket`](crate::socket).

mod client;
mod dialect;
mod handshake;
mod jsonp;
mod outputs;
mod packet;
mod payload;
mod reader;
mod revision_three;
mod session;

pub use client::{
    ClientInput, ClientOutput, ClientSession, ClientTiming, Opening, OpeningError, Upgrades,
    take_payload,
};
pub use dialect::{Dialect, PollBody};
pub use handshake::{Handshake, Query, Rejection, RejectionContext, Revision, TransportName};
pub use jsonp::Jsonp;
pub use packet::{Message, Packet, PacketError};
pub use payload::{
    MAX_PACKETS_PER_PAYLOAD, PayloadDecoder, PayloadEncoder, PayloadError, PayloadForm,
};
pub use reader::PayloadReader;
pub use revision_three::{BinaryDecoder, TextDecoder};
pub use session::{
    CloseDetail, CloseReason, Control, Deadline, Input, Link, Output, PollAnswer, Received,
    Session, Timing,
};
