//! Socket.IO: packets, the JSON parser and the seam for others, arguments and the server's namespace
//! machine.
//!
//! Nothing here knows what carries a packet: text and binary messages go in and out as values.

mod acknowledgements;
mod arguments;
mod connection;
mod history;
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod packet;
mod parser;
mod value;

pub use acknowledgements::{AcknowledgementId, PendingAcknowledgements};
pub use arguments::{
    ArgumentWriter, Arguments, ArgumentsError, FromArguments, OwnedArguments, ToArguments,
    is_no_argument,
};
pub use connection::{Action, Connection, ConnectionLimits, Violation};
pub use history::{History, Offset};
pub use json::{Assembled, DecodeError, Decoder, EncodeError, Encoded, Encoder};
#[cfg(feature = "msgpack")]
pub use msgpack::MessagePack;
pub use packet::{MAX_ATTACHMENTS, Packet, Payload, is_reserved_event};
pub use parser::{
    PacketKind, Parser, ParserDecoder, ParserError, ParserInput, ParserMessage, ParserPacket,
    ReceivedPacket,
};
pub use value::Value;
