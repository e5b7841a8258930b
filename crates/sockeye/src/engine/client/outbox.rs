use std::collections::VecDeque;

use sockeye_proto::engine::take_payload;
use sockeye_proto::websocket::Frame;

/// Room for this many frames is kept when the outbox is empty.
const KEPT_FRAMES: usize = 4;

/// A frame, and whether it may be compressed where that was negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sendable {
    pub(crate) frame: Frame,
    pub(crate) compress: bool,
}

impl From<Frame> for Sendable {
    fn from(frame: Frame) -> Self {
        Self { frame, compress: true }
    }
}

/// What is to be sent, as finished frames; they are compressed and masked, or put into a payload, when
/// it is their turn.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// The number of the first frame.
    first: usize,
    /// The numbers of those that must not be compressed: hardly ever one.
    plain: VecDeque<usize>,
}

impl Outbox {
    pub(super) fn push(&mut self, Sendable { frame, compress }: Sendable) {
        self.bytes += frame.len();
        if !compress {
            self.plain.push_back(self.first.wrapping_add(self.frames.len()));
        }
        self.frames.push_back(frame);
    }

    /// Before everything else.
    pub(super) fn push_front(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.first = self.first.wrapping_sub(1);
        self.frames.push_front(frame);
    }

    pub(super) fn pop(&mut self) -> Option<Sendable> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        let compress = self.plain.pop_front_if(|number| *number == self.first).is_none();
        self.first = self.first.wrapping_add(1);
        self.trim();
        Some(Sendable { frame, compress })
    }

    /// Takes what fits into one POST (C-020).
    pub(super) fn take_payload(&mut self, max_payload: Option<u64>) -> Vec<u8> {
        let before = self.frames.len();
        let payload = take_payload(&mut self.frames, max_payload);
        for _ in self.frames.len()..before {
            self.plain.pop_front_if(|number| *number == self.first);
            self.first = self.first.wrapping_add(1);
        }
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
        if self.plain.is_empty() && self.plain.capacity() > 0 {
            self.plain = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_however_frames_come_and_go() {
        let mut outbox = Outbox::default();
        (0..10).for_each(|_| outbox.push(Frame::text(b"4abcdefg").into()));
        outbox.push_front(Frame::text(b"5"));
        assert_eq!(outbox.bytes(), 10 * 10 + 3);
        assert_eq!(outbox.pop(), Some(Frame::text(b"5").into()));
        assert_eq!(outbox.take_payload(Some(30)), b"4abcdefg\x1e4abcdefg\x1e4abcdefg");
        assert_eq!(outbox.bytes(), 7 * 10);
        assert!(!outbox.take_payload(None).is_empty() && outbox.is_empty());
        assert_eq!((outbox.bytes(), outbox.frames.capacity()), (0, 0));
        assert_eq!(outbox.pop(), None);
    }

    #[test]
    fn it_is_known_what_must_not_be_compressed() {
        let mut outbox = Outbox::default();
        let push = |outbox: &mut Outbox, number: u8, compress| {
            outbox.push(Sendable { frame: Frame::text(&[b'4', number]), compress });
        };
        let pop = |outbox: &mut Outbox| outbox.pop().map(|it| (it.frame.payload()[1], it.compress));
        (b'0'..b'8').for_each(|number| push(&mut outbox, number, number % 3 != 0));
        assert_eq!(pop(&mut outbox), Some((b'0', false)));
        outbox.push_front(Frame::text(b"5x"));
        assert_eq!(pop(&mut outbox), Some((b'x', true)));
        assert_eq!(pop(&mut outbox), Some((b'1', true)));
        assert_eq!(outbox.take_payload(Some(5)), b"42\x1e43");
        for expected in [(b'4', true), (b'5', true), (b'6', false), (b'7', true)] {
            assert_eq!(pop(&mut outbox), Some(expected));
        }
        assert_eq!((pop(&mut outbox), outbox.plain.capacity()), (None, 0));
    }
}
