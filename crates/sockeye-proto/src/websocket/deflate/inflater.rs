use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::context::DeflateContext;
use super::{KEPT_BYTES, TAIL};
use crate::websocket::DecodeError;

/// Inflates messages: one for all connections of a thread. 48 KB from its first use on, and room
/// for a message.
///
/// See [`Decoder::decode_with`](crate::websocket::Decoder::decode_with).
#[derive(Default)]
pub struct Inflater {
    inflate: Option<Inflate>,
    /// All of it is initialized; a message takes a part of it.
    output: Vec<u8>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("room", &self.output.len()).finish_non_exhaustive()
    }
}

impl Inflater {
    /// Allocates nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { inflate: None, output: Vec::new() }
    }

    /// Gives back the memory of a large message.
    pub fn release(&mut self) {
        if self.output.capacity() > KEPT_BYTES {
            self.output = Vec::new();
        }
    }

    /// Inflates a whole message (RFC 7692 section 7.2.2). It costs no more than `limit` bytes,
    /// whatever it claims to be.
    pub(in crate::websocket) fn inflate(
        &mut self,
        payload: &[u8],
        limit: usize,
        context: Option<&mut DeflateContext>,
    ) -> Result<&[u8], DecodeError> {
        self.release();
        // No compressor makes nothing of something, but `ws` takes it for an empty message.
        if payload.is_empty() {
            return Ok(&[]);
        }
        let inflate = self
            .inflate
            .get_or_insert_with(|| Inflate::new(false, super::negotiation::MAX_WINDOW_BITS));
        inflate.reset(false);
        if let Some(context) = context.as_ref().filter(|context| !context.recent().is_empty()) {
            inflate.set_dictionary(context.recent()).map_err(|_| DecodeError::InvalidDeflate)?;
        }
        let output = &mut self.output;
        let mut run = Run { inflate, output, written: 0, limit, announced: payload.len() };
        // A final block may end a message; otherwise the end is where what was left out, and an
        // empty final block behind it, are just that.
        if !run.feed(payload)? && !run.feed(&END)? {
            return Err(DecodeError::InvalidDeflate);
        }
        let written = run.written;
        let message = self.output.get(..written).unwrap_or_default();
        if let Some(context) = context {
            context.remember(message);
        }
        Ok(message)
    }
}

/// One message on its way.
struct Run<'a> {
    inflate: &'a mut Inflate,
    output: &'a mut Vec<u8>,
    written: usize,
    limit: usize,
    /// Bytes of the message before inflating.
    announced: usize,
}

impl Run<'_> {
    /// Inflates all of `input`, and tells whether a final block ended with it. What follows a
    /// final block begins anew (RFC 7692 section 7.2.3.4).
    fn feed(&mut self, mut input: &[u8]) -> Result<bool, DecodeError> {
        loop {
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let output = room(self.output, self.written, self.limit, self.announced);
            let status = self
                .inflate
                .decompress(input, output, InflateFlush::SyncFlush)
                .map_err(|_| DecodeError::InvalidDeflate)?;
            let is_full = self.advance(&mut input, before)?;
            match status {
                Status::StreamEnd if input.is_empty() => return Ok(true),
                Status::StreamEnd => self.inflate.reset(false),
                Status::Ok | Status::BufError if is_full => {}
                Status::Ok | Status::BufError if input.is_empty() => return Ok(false),
                Status::Ok | Status::BufError => return Err(DecodeError::InvalidDeflate),
            }
        }
    }

    /// Steps over what was used and written since `before`. `true` if there is no room left.
    fn advance(&mut self, input: &mut &[u8], before: (u64, u64)) -> Result<bool, DecodeError> {
        let used = usize::try_from(self.inflate.total_in() - before.0).unwrap_or(usize::MAX);
        *input = input.get(used..).unwrap_or_default();
        self.written += usize::try_from(self.inflate.total_out() - before.1).unwrap_or(usize::MAX);
        if self.written > self.limit {
            let size = (self.limit as u64).saturating_add(1);
            return Err(DecodeError::TooLarge { size, limit: self.limit });
        }
        Ok(self.written == self.output.len())
    }
}

/// What is free behind the first `written` bytes. At least one byte, and no more than shows that
/// the limit is passed.
fn room(output: &mut Vec<u8>, written: usize, limit: usize, announced: usize) -> &mut [u8] {
    if written >= output.len() {
        let guess = announced.saturating_mul(4).max(MIN_ROOM_BYTES);
        let larger = guess.max(output.len().saturating_mul(2)).min(limit.saturating_add(1));
        output.resize(larger.max(written.saturating_add(1)), 0);
    }
    output.get_mut(written..).unwrap_or_default()
}

/// First room for messages.
const MIN_ROOM_BYTES: usize = 4 * 1024;

/// What a message leaves out, and then a final block with nothing in it: if that ends at its last
/// byte, the message ended where a block may end.
const END: [u8; 6] = {
    let [a, b, c, d] = TAIL;
    [a, b, c, d, 0x03, 0x00]
};
