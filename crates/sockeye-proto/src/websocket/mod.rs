//! WebSocket (RFC 6455) for both roles, as values: bytes in, messages out, and finished frames.
//!
//! This module never reads or writes a socket, asks no clock, draws no mask key and decides no
//! closing handshake: it tells what arrived and builds what is to be sent. The one extension it
//! knows is permessage-deflate (RFC 7692).
//!
//! # Receiving
//!
//! > **Call [`Decoder::decode`] on what is left of the input until it returns `None`.** Only then
//! > is everything consumed, and only then is the memory of the last message given back.
//!
//! 1. Read bytes from the peer into a scratch buffer, which may be shared by all connections.
//! 2. Decode the rest of it, unmasking in place, and step over what was used.
//! 3. `None`: all was consumed. Bytes of an incomplete frame are kept by the decoder.
//! 4. Use the message before going on: it borrows from the scratch buffer or from the decoder.
//! 5. On an error, send a close frame with its [`DecodeError::close_code`] and drop the decoder.
//!
//! ```
//! use sockeye_proto::websocket::{CloseCode, Decoder, Frame, Limits, Message, Role};
//!
//! let limits = Limits::new(1_000_000);
//! let mut decoder = Decoder::new(Role::Server);
//! // 1. A masked "Hello", as in RFC 6455 section 5.7.
//! let mut scratch = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
//! let mut rest = &mut scratch[..];
//! let mut replies: Vec<Frame> = Vec::new();
//! loop {
//!     // 2.
//!     let (used, message) = match decoder.decode(rest, &limits) {
//!         Ok(decoded) => decoded,
//!         // 5.
//!         Err(error) => {
//!             replies.push(Frame::close(Some(error.close_code()), ""));
//!             break;
//!         }
//!     };
//!     // 3.
//!     let Some(message) = message else { break };
//!     // 4.
//!     match message {
//!         Message::Text(text) => replies.push(Frame::text(text.as_bytes())),
//!         Message::Binary(bytes) => replies.push(Frame::binary(bytes)),
//!         Message::Ping(payload) => replies.push(Frame::pong(payload)),
//!         Message::Pong(_) => {}
//!         Message::Close(_) => replies.push(Frame::close(Some(CloseCode::NORMAL), "")),
//!     }
//!     rest = &mut rest[used..];
//! }
//! assert_eq!(replies, [Frame::text(b"Hello")]);
//! ```
//!
//! # Sending
//!
//! A server builds a [`Frame`] once and shares it among connections. A client appends to its own
//! output with [`encode_masked`], because every frame of a client has a mask key of its own.
//!
//! # Compression
//!
//! [`PerMessageDeflate::negotiate`] turns a client's offers into a [`DeflateAgreement`]. With it come
//! a [`Decoder`] whose [`decode_with`](Decoder::decode_with) borrows an [`Inflater`], and a
//! [`DeflateContext`] in which a [`Deflater`] makes compressed frames of finished ones.
//!
//! ```
//! use sockeye_proto::websocket::{
//!     Decoder, Deflater, Frame, Inflater, Limits, Message, PerMessageDeflate, Role,
//! };
//!
//! let settings = PerMessageDeflate::new();
//! let offered = b"permessage-deflate; client_max_window_bits";
//! let agreement = settings.negotiate([&offered[..]]).expect("a plain offer");
//! assert_eq!(
//!     agreement.to_string(),
//!     "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
//! );
//! // The server sends.
//! let frame = Frame::text("again and ".repeat(200).as_bytes());
//! let mut context = agreement.sending(Role::Server);
//! let compressed = Deflater::new().deflate(&frame, &settings, &mut context).unwrap_or(frame);
//! assert!(compressed.len() < 100);
//! // The client receives.
//! let mut decoder = Decoder::with_deflate(Role::Client, &agreement);
//! let (mut bytes, mut inflater) = (compressed.as_bytes().to_vec(), Inflater::new());
//! let decoded = decoder.decode_with(&mut bytes, &Limits::new(1_000_000), &mut inflater);
//! assert!(matches!(decoded, Ok((_, Some(Message::Text(text)))) if text.len() == 2_000));
//! ```

mod assembly;
mod close;
mod decoder;
mod deflate;
mod error;
mod extensions;
mod frame;
mod handshake;
mod header;
mod limits;
mod mask;
mod message;
mod opcode;
mod unfinished;

pub use close::{CloseCode, CloseFrame};
pub use decoder::{Decoder, Role};
pub use deflate::{DeflateAgreement, DeflateContext, Deflater, Inflater, PerMessageDeflate};
pub use error::DecodeError;
pub(crate) use frame::append_frame;
pub use frame::{Frame, FrameRef, HEADROOM, encode_masked};
pub use handshake::{
    AcceptKey, ClientKey, HandshakeError, ResponseError, UpgradeRequest, UpgradeResponse,
    accept_key, has_token,
};
pub use limits::{DEFAULT_MAX_FRAGMENTS, Limits};
pub use mask::mask;
pub use message::Message;
pub use opcode::Opcode;
