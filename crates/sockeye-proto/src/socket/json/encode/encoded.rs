use std::sync::OnceLock;

use super::{Attachments, EncodeError, WrittenFrame};
use crate::socket::Offset;
use crate::socket::parser::Translated;
use crate::websocket::{Frame, FrameRef, Opcode};

/// A packet, written once for any number of receivers: finished WebSocket frames, from which the
/// forms of other transports are cut.
///
/// With a custom parser these are its messages; the default parser's form stays beside them, for
/// whoever has to look into the packet.
#[derive(Clone, Debug)]
pub struct Encoded {
    text: Frame,
    attachments: Vec<Frame>,
    /// What is sent instead of the above.
    custom: Option<Box<Translated>>,
    /// For each frame what is sent where messages are compressed, from the first time on that it
    /// is needed. No allocation before.
    deflated: OnceLock<Box<[Frame]>>,
}

impl Encoded {
    pub(super) const fn new(text: Frame, attachments: Vec<Frame>) -> Self {
        Self { text, attachments, custom: None, deflated: OnceLock::new() }
    }

    /// The frames, in the order in which they must be sent, with nothing between them.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        let (first, others) = match &self.custom {
            Some(custom) => (None, &custom.frames),
            None => (Some(&self.text), &self.attachments),
        };
        first.into_iter().chain(others)
    }

    /// The same for a packet that has one receiver.
    pub fn into_frames(self) -> impl Iterator<Item = Frame> {
        let (first, others) = match self.custom {
            Some(custom) => (None, custom.frames),
            None => (Some(self.text), self.attachments),
        };
        first.into_iter().chain(others)
    }

    /// The same packet, sent in another form.
    pub(in crate::socket) fn with_translation(mut self, custom: Translated) -> Self {
        self.custom = Some(Box::new(custom));
        self.deflated = OnceLock::new();
        self
    }

    /// Each frame, and beside it what is sent where messages are compressed: what `deflate` made of
    /// it the first time that this was called, or the frame itself if that was nothing.
    ///
    /// Who calls it meanwhile waits: a packet is compressed once, for however many receivers.
    pub fn deflated(
        &self,
        deflate: impl FnMut(&Frame) -> Option<Frame>,
    ) -> impl Iterator<Item = (&Frame, &Frame)> {
        let mut deflate = deflate;
        let deflated = self.deflated.get_or_init(|| {
            self.frames().map(|frame| deflate(frame).unwrap_or_else(|| frame.clone())).collect()
        });
        self.frames().zip(deflated)
    }

    /// How many bytes are kept with it, in all its forms but the compressed one.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        let custom = self.custom.iter().flat_map(|custom| &custom.frames);
        std::iter::once(&self.text).chain(&self.attachments).chain(custom).map(Frame::len).sum()
    }

    /// The packet's text in the default parser's form, without the Engine.IO type before it.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.text.payload().get(1..).unwrap_or_default()
    }

    /// The same event with one more argument: the place that it has in what its receiver is sent
    /// (S-079).
    ///
    /// # Errors
    /// [`EncodeError::Parser`] if a custom parser cannot write it.
    pub fn with_offset(&self, offset: Offset) -> Result<Self, EncodeError> {
        let payload = self.text.payload();
        let list = payload.strip_suffix(b"]").unwrap_or(payload);
        let offset = offset.text();
        let text = Frame::from_parts(Opcode::Text, &[list, b",\"", offset.as_bytes(), b"\"]"]);
        let packet = Self::new(text, self.attachments.clone());
        match &self.custom {
            Some(custom) => packet.with_parser(&custom.parser, &custom.namespace),
            None => Ok(packet),
        }
    }

    /// The attachments' bytes, in the same form.
    pub fn attachments(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.attachments.iter().map(Frame::payload)
    }
}

/// A packet as it was just written, which lies in the encoder's [`Scratch`](super::Scratch): for who has
/// one receiver for it, which costs no allocation then, but for each attachment of more than 32 KiB.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    pub(super) text: FrameRef<'a>,
    pub(super) attachments: &'a Attachments,
}

impl Written<'_> {
    /// Its first frame.
    #[must_use]
    pub const fn text(&self) -> FrameRef<'_> {
        self.text
    }

    /// The frames behind it.
    pub fn attachments(&self) -> impl ExactSizeIterator<Item = WrittenFrame<'_>> {
        self.attachments.iter()
    }

    /// The same packet, for any number of receivers.
    #[must_use]
    pub fn into_encoded(self) -> Encoded {
        let attachments = self.attachments.iter().map(WrittenFrame::to_frame).collect();
        Encoded::new(self.text.to_frame(), attachments)
    }
}
