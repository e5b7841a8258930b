//! The default parser: JSON with attachments beside it (S-001 to S-013).

mod decode;
mod encode;
mod placeholder;
mod scan;

pub use decode::{Assembled, DecodeError, Decoder};
pub use encode::{EncodeError, Encoded, Encoder};
pub(super) use scan::first_value;
