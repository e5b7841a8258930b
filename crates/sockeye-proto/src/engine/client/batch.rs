use std::collections::VecDeque;

use crate::engine::{MAX_PACKETS_PER_PAYLOAD, PayloadEncoder};
use crate::websocket::{Frame, Opcode};

/// Takes packets from the front of `outbox` for the body of one POST (C-020): as many as fit into
/// `max_payload` bytes, and no more than [`MAX_PACKETS_PER_PAYLOAD`]. A packet that is too big
/// alone goes alone, for the server to judge. The body of an empty outbox is empty.
///
/// A frame carries its packet as a WebSocket would: text with its type digit, binary bare. The
/// reference counts binary as 1.33 times its size, and may be a few bytes above the limit; here it
/// counts as what it becomes.
///
/// ```
/// use std::collections::VecDeque;
/// use sockeye_proto::engine::take_payload;
/// use sockeye_proto::websocket::Frame;
///
/// let mut outbox = VecDeque::from([Frame::text(b"4a"), Frame::binary(&[1, 2]), Frame::text(b"4b")]);
/// assert_eq!(take_payload(&mut outbox, Some(8)), "4a\u{1e}bAQI=".as_bytes());
/// assert_eq!(take_payload(&mut outbox, Some(1)), b"4b");
/// assert_eq!(take_payload(&mut outbox, None), b"");
/// ```
#[must_use = "what was taken must be sent"]
pub fn take_payload(outbox: &mut VecDeque<Frame>, max_payload: Option<u64>) -> Vec<u8> {
    let count = count_that_fits(outbox, max_payload);
    let mut payload = PayloadEncoder::new();
    for frame in outbox.drain(..count) {
        payload.push(&frame);
    }
    payload.finish()
}

fn count_that_fits(outbox: &VecDeque<Frame>, max_payload: Option<u64>) -> usize {
    let limit = max_payload.unwrap_or(u64::MAX);
    let mut size = 0;
    let fits = |(index, frame): &(usize, &Frame)| {
        let separator = u64::from(*index > 0);
        size += separator + packet_size(frame);
        *index == 0 || size <= limit
    };
    outbox.iter().take(MAX_PACKETS_PER_PAYLOAD).enumerate().take_while(fits).count()
}

fn packet_size(frame: &Frame) -> u64 {
    let bytes = frame.payload().len() as u64;
    match frame.opcode() {
        Opcode::Binary => 1 + bytes.div_ceil(3) * 4,
        _ => bytes,
    }
}
