//! Socket.IO: packets, the JSON parser, arguments and the server's namespace machine.
//!
//! Nothing here knows what carries a packet: text and binary messages go in and out as values.

mod acknowledgements;
mod arguments;
mod connection;
mod history;
mod json;
mod packet;
mod value;

pub use acknowledgements::{AcknowledgementId, PendingAcknowledgements};
pub use arguments::{
    ArgumentWriter, Arguments, ArgumentsError, FromArguments, OwnedArguments, ToArguments,
    is_no_argument,
};
pub use connection::{Action, Connection, ConnectionLimits, Violation};
pub use history::{History, Offset};
pub use json::{Assembled, DecodeError, Decoder, EncodeError, Encoded, Encoder};
pub use packet::{MAX_ATTACHMENTS, Packet, Payload, is_reserved_event};
pub use value::Value;
