//! Revision 3 of Engine.IO, as Socket.IO 1 and 2 clients speak it (E-112 to E-116): how its packets
//! and payloads are written. What they mean is the same in both revisions.

mod binary;
mod packet;
mod text;

pub use binary::BinaryDecoder;
pub use text::TextDecoder;

pub(super) use binary::push_record;
pub(super) use packet::{BINARY_MESSAGE, decode_binary, decode_text};
pub(super) use text::push_text;

use super::payload::PayloadError;

/// Digits that the length of a record may have: more than any payload needs. Leading zeros count.
const MAX_LENGTH_DIGITS: usize = 10;

/// The number that decimal digits make, each given as its value.
fn length(mut digits: impl Iterator<Item = u8>) -> Result<usize, PayloadError> {
    let mut length = None;
    for _ in 0..MAX_LENGTH_DIGITS {
        let Some(digit) = digits.next() else { break };
        length = Some(length.unwrap_or(0_u64) * 10 + u64::from(digit));
    }
    if digits.next().is_some() {
        return Err(PayloadError::InvalidLength);
    }
    let length = length.and_then(|length| usize::try_from(length).ok());
    length.ok_or(PayloadError::InvalidLength)
}
