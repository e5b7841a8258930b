//! The default parser: JSON with attachments beside it (S-001 to S-013).

mod decode;
mod encode;
pub(super) mod placeholder;
mod plain;
mod scan;
mod surrogates;
mod text;
mod write;

pub use decode::{Assembled, DecodeError, Decoder};
pub(super) use decode::{MAX_ID, packet_of};
pub(super) use encode::{Attachments, write_string};
pub use encode::{EncodeError, Encoded, Encoder, Scratch, Written, WrittenFrame};
pub(super) use placeholder::{renumber, write_placeholder};
pub(super) use scan::{MAX_DEPTH, first_value};
pub(super) use surrogates::replace_lone_surrogates;
pub(super) use text::{Text, Unfit};
pub(super) use write::TextWriter;
