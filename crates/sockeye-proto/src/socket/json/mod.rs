//! The default parser: JSON with attachments beside it (S-001 to S-013).

mod decode;
mod encode;
mod placeholder;
mod scan;

pub(super) use decode::MAX_ID;
pub use decode::{Assembled, DecodeError, Decoder};
pub use encode::{EncodeError, Encoded, Encoder};
pub(super) use placeholder::{all_in_range, write_placeholder};
pub(super) use scan::{MAX_DEPTH, first_value};
