use std::cell::Cell;

use sockeye_proto::websocket::FrameRef;

/// A batch that is longer gets no more frames: what is written of it is freed with its end.
const FULL_BYTES: usize = 128 * 1024;
/// A buffer that grew beyond this is given back.
const KEPT_BYTES: usize = 256 * 1024;

thread_local! {
    static SPARE: Cell<Option<Box<Batch>>> = const { Cell::new(None) };
}

/// Frames that only one peer gets, one behind the other in one buffer. So a packet for one receiver
/// needs no allocation, and what was queued in one go is written as it lies.
///
/// Each thread keeps a buffer for the next: most are written at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    packets: u32,
}

impl Batch {
    pub(super) fn of(frame: FrameRef<'_>) -> Box<Self> {
        let mut batch = SPARE.take().unwrap_or_default();
        batch.push(frame);
        batch
    }

    pub(super) const fn has_room(&self) -> bool {
        self.bytes.len() < FULL_BYTES
    }

    pub(super) fn push(&mut self, frame: FrameRef<'_>) {
        self.bytes.extend_from_slice(frame.as_bytes());
        self.packets += 1;
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes out the frames of which the first `written` bytes hold nothing.
    pub(super) fn cut_behind(&mut self, written: usize) {
        let (mut end, mut packets) = (0, 0);
        while end < written
            && let Some((frame, _)) = FrameRef::split_first(&self.bytes[end..])
        {
            end += frame.as_bytes().len();
            packets += 1;
        }
        self.bytes.truncate(end);
        self.packets = packets;
    }

    /// Gives back memory that holds nothing.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// It was written: how many packets that is. Its buffer is the thread's for the next.
    pub(super) fn retire(mut self: Box<Self>) -> u32 {
        let packets = std::mem::take(&mut self.packets);
        if self.bytes.capacity() <= KEPT_BYTES {
            self.bytes.clear();
            SPARE.set(Some(self));
        }
        packets
    }
}
