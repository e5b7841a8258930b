//! Socket.IO: packets, the JSON parser and the seam for others, arguments and the namespace machines of
//! both sides.
//!
//! Nothing here knows what carries a packet: text and binary messages go in and out as values.

mod acknowledgements;
mod arguments;
mod client;
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
pub use client::{
    AnswerTo, AuthRequest, ClientDisconnectReason, ClientNamespace, ClientNamespaceOptions,
    ClientNamespaceOutput, ClientViolation, ConnectRefused, Delivery, DropReason, Due, Emit,
    EmitRefusal, EmitRefused, Emitted, Failed, Incoming, Next, Outgoing, Overflow, OwnedEvent,
    Reconnection, ReconnectionOptions, ReconnectionState, Recovery, TransportState, Unanswered,
};
pub use connection::{Action, Connection, ConnectionLimits, Violation};
pub use history::{History, Offset};
pub use json::{
    Assembled, DecodeError, Decoder, EncodeError, Encoded, Encoder, Scratch, Written, WrittenFrame,
};
#[cfg(feature = "msgpack")]
pub use msgpack::MessagePack;
pub use packet::{MAX_ATTACHMENTS, Packet, Payload, is_reserved_event};
pub use parser::{
    PacketKind, Parser, ParserDecoder, ParserError, ParserInput, ParserMessage, ParserPacket,
    ReceivedPacket,
};
pub use value::{Map, MapIntoIter, MapIter, Value};
