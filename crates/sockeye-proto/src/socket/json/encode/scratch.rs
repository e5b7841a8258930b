use crate::websocket::{Frame, FrameRef, Opcode, append_frame};

/// Longer attachments have memory of their own: to share it costs less than another copy.
const SHORT_BYTES: usize = 32 * 1024;

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

    /// How much memory it uses again, in bytes.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.text.capacity() + self.attachments.capacity()
    }

    /// Lets go of long attachments, whose memory is not used again.
    pub fn clear(&mut self) {
        self.attachments.clear();
    }
}

/// The attachments of a packet: finished frames.
#[derive(Debug, Default)]
pub(in crate::socket) struct Attachments {
    /// All of them, in their order. `None`: a short one.
    frames: Vec<Option<Frame>>,
    /// The short ones, one behind the other.
    short: Vec<u8>,
}

impl Attachments {
    pub(in crate::socket) const fn new() -> Self {
        Self { frames: Vec::new(), short: Vec::new() }
    }

    const fn capacity(&self) -> usize {
        self.short.capacity() + self.frames.capacity() * size_of::<Option<Frame>>()
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.short.clear();
    }

    pub(in crate::socket) fn push(&mut self, bytes: &[u8]) {
        if bytes.len() > SHORT_BYTES {
            self.frames.push(Some(Frame::binary(bytes)));
        } else {
            append_frame(&mut self.short, Opcode::Binary, bytes);
            self.frames.push(None);
        }
    }

    pub(in crate::socket) const fn len(&self) -> usize {
        self.frames.len()
    }

    pub(in crate::socket) const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(in crate::socket) fn iter(&self) -> impl ExactSizeIterator<Item = WrittenFrame<'_>> {
        let mut short = self.short.as_slice();
        self.frames.iter().map(move |long| {
            if let Some(frame) = long {
                return WrittenFrame::Long(frame);
            }
            let (frame, behind) = FrameRef::split_first(short).unwrap_or_default();
            short = behind;
            WrittenFrame::Short(frame)
        })
    }
}

/// An attachment of a packet as it was just written.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a frame is lent or shared")]
pub enum WrittenFrame<'a> {
    /// It lies in the [`Scratch`].
    Short(FrameRef<'a>),
    /// It has memory of its own.
    Long(&'a Frame),
}

impl WrittenFrame<'_> {
    /// The same frame, shared.
    #[must_use]
    pub fn to_frame(self) -> Frame {
        match self {
            Self::Short(frame) => frame.to_frame(),
            Self::Long(frame) => frame.clone(),
        }
    }
}
