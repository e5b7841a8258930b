use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};

use super::context::DeflateContext;
use super::settings::PerMessageDeflate;
use super::{KEPT_BYTES, TAIL};
use crate::websocket::{Frame, HEADROOM};

/// Makes compressed frames: one for all connections of a thread. 380 KB, from its first use on.
#[derive(Default)]
pub struct Deflater {
    deflate: Option<Deflate>,
    level: u8,
    /// Room for the header of a frame, then for its payload.
    output: Vec<u8>,
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").field("level", &self.level).finish_non_exhaustive()
    }
}

impl Deflater {
    /// Allocates nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { deflate: None, level: 0, output: Vec::new() }
    }

    /// The same message compressed, which must then be sent next in this context.
    ///
    /// `None`: send it as it is. It is not data, or compressed already, or shorter than the
    /// threshold, or would not become shorter. That is always allowed (RFC 7692 section 6), and
    /// changes no context. Where context is taken over, a message may become a few bytes longer:
    /// the next ones can refer to it.
    ///
    /// Made in the [default](DeflateContext::default) context, it can be sent to whoever
    /// [takes it](DeflateContext::takes_shared).
    pub fn deflate(
        &mut self,
        frame: &Frame,
        settings: &PerMessageDeflate,
        context: &mut DeflateContext,
    ) -> Option<Frame> {
        let payload = frame.payload();
        let is_long = context.is_taken_over() || payload.len() >= settings.threshold;
        let is_plain = !frame.opcode().is_control() && !frame.is_compressed();
        if !is_long || !is_plain || !context.reaches(payload.len()) {
            return None;
        }
        let most = if context.is_taken_over() {
            payload.len() + FEW_BYTES
        } else {
            payload.len().checked_sub(1)?
        };
        self.prepare(settings.level);
        let length = self.run(context.before(payload.len()), payload, most)?;
        let body = self.output.get_mut(..HEADROOM + length)?;
        let compressed = Frame::compressed_from_scratch(frame.opcode(), body, HEADROOM)?;
        context.remember(payload);
        Some(compressed)
    }

    /// Gives back the memory of a large message.
    pub fn release(&mut self) {
        if self.output.capacity() > KEPT_BYTES {
            self.output = Vec::new();
        }
    }

    /// Begins anew.
    fn prepare(&mut self, level: u8) {
        let before = std::mem::replace(&mut self.level, level);
        if let Some(deflate) = &mut self.deflate {
            deflate.reset();
            if before == level || deflate.set_level(i32::from(level)).is_ok() {
                return;
            }
        }
        self.deflate = Some(Deflate::new_with_config(DeflateConfig {
            level: i32::from(level),
            // Negative: without the header of zlib.
            window_bits: -i32::from(super::negotiation::MAX_WINDOW_BITS),
            ..DeflateConfig::default()
        }));
    }

    /// Compresses `payload`, which may refer to what was `before`, into the output, and tells how
    /// long it has become. `None`: more than `most` bytes.
    fn run(&mut self, before: &[u8], payload: &[u8], most: usize) -> Option<usize> {
        let deflate = self.deflate.as_mut()?;
        if !before.is_empty() {
            deflate.set_dictionary(before).ok()?;
        }
        // If the room is full there may be more to come.
        let room = most + TAIL.len() + 1;
        if self.output.len() < HEADROOM + room {
            self.output.resize(HEADROOM + room, 0);
        }
        let output = self.output.get_mut(HEADROOM..HEADROOM + room)?;
        let status = deflate.compress(payload, output, DeflateFlush::SyncFlush);
        let written = usize::try_from(deflate.total_out()).ok()?;
        let is_whole = status == Ok(Status::Ok)
            && deflate.total_in() == payload.len() as u64
            && written < room;
        let length = output.get(..written)?.strip_suffix(&TAIL)?.len();
        is_whole.then_some(length)
    }
}

/// What a message may become longer by, if the next ones can refer to it.
const FEW_BYTES: usize = 16;
