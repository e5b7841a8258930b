use crate::websocket::{FrameRef, Opcode, append_frame};

/// What an [`Encoder`](super::Encoder) writes into, over and over: its memory is used again for the next
/// packet. What it holds in between is of no meaning.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) text: Vec<u8>,
    pub(super) attachments: Attachments,
}

impl Scratch {
    /// One that holds no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: Vec::new(), attachments: Attachments::new() }
    }

    /// How much memory it holds, in bytes.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.text.capacity() + self.attachments.frames.capacity()
    }
}

/// The attachments of a packet: finished frames, one behind the other.
#[derive(Debug, Default)]
pub(in crate::socket) struct Attachments {
    frames: Vec<u8>,
    count: usize,
}

impl Attachments {
    pub(in crate::socket) const fn new() -> Self {
        Self { frames: Vec::new(), count: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.count = 0;
    }

    pub(in crate::socket) fn push(&mut self, bytes: &[u8]) {
        append_frame(&mut self.frames, Opcode::Binary, bytes);
        self.count += 1;
    }

    pub(in crate::socket) const fn len(&self) -> usize {
        self.count
    }

    pub(in crate::socket) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(in crate::socket) fn iter(&self) -> impl ExactSizeIterator<Item = FrameRef<'_>> {
        let mut rest = self.frames.as_slice();
        (0..self.count).map(move |_| {
            let (frame, behind) = FrameRef::split_first(rest).unwrap_or_default();
            rest = behind;
            frame
        })
    }
}
