use std::collections::VecDeque;

use sockeye_proto::engine::take_payload;
use sockeye_proto::websocket::Frame;

/// Room for this many frames is kept when the outbox is empty.
const KEPT_FRAMES: usize = 4;

/// What is to be sent, as finished frames; they are masked, or put into a payload, when it is their
/// turn.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// Before everything else.
    pub(super) fn push_front(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.frames.push_front(frame);
    }

    pub(super) fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        self.trim();
        Some(frame)
    }

    /// Takes what fits into one POST (C-020).
    pub(super) fn take_payload(&mut self, max_payload: Option<u64>) -> Vec<u8> {
        let payload = take_payload(&mut self.frames, max_payload);
        self.bytes = self.frames.iter().map(Frame::len).sum();
        self.trim();
        payload
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that are queued.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// An idle connection keeps no more room than it needs.
    fn trim(&mut self) {
        if self.frames.is_empty() && self.frames.capacity() > KEPT_FRAMES {
            self.frames = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_however_frames_come_and_go() {
        let mut outbox = Outbox::default();
        (0..10).for_each(|_| outbox.push(Frame::text(b"4abcdefg")));
        outbox.push_front(Frame::text(b"5"));
        assert_eq!(outbox.bytes(), 10 * 10 + 3);
        assert_eq!(outbox.pop(), Some(Frame::text(b"5")));
        assert_eq!(outbox.take_payload(Some(30)), b"4abcdefg\x1e4abcdefg\x1e4abcdefg");
        assert_eq!(outbox.bytes(), 7 * 10);
        assert!(!outbox.take_payload(None).is_empty() && outbox.is_empty());
        assert_eq!((outbox.bytes(), outbox.frames.capacity()), (0, 0));
        assert_eq!(outbox.pop(), None);
    }
}
