//! Compression of messages (permessage-deflate, RFC 7692): what is negotiated, and how one message
//! is compressed and inflated. Never keeps a compressor for a connection.
//!
//! A compressor takes 380 KB and an inflater 48 KB, whatever window was agreed on, so one of each
//! serves all connections of a thread. Where the context of earlier messages is taken over, a
//! connection keeps only the last bytes of them ([`DeflateContext`]), which are given to the
//! compressor before a message: to a peer that is the same.

mod context;
mod deflater;
mod inflater;
mod negotiation;
mod offer;
mod settings;

pub use context::DeflateContext;
pub use deflater::Deflater;
pub use inflater::Inflater;
pub use negotiation::DeflateAgreement;
pub use settings::PerMessageDeflate;

/// What a message ends with that is not sent (RFC 7692 section 7.2.1): an empty block without
/// compression, but for its first byte.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A buffer that grew beyond this for one large message is given back.
const KEPT_BYTES: usize = 256 * 1024;
