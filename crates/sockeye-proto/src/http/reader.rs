use bytes::{Buf, Bytes, BytesMut};

use super::MAX_HEAD_BYTES;
use super::body::BodyState;
use super::error::{BodyError, HeadError};
use super::request::RequestHead;

/// What is read ahead of a body at most.
const BODY_READ_BYTES: usize = 64 * 1024;

/// What a client sends on one connection: requests, one after the other.
///
/// Put in what was read ([`push`](Self::push)), and take out a head and all parts of its body by turns.
/// It holds what was put in and not taken out: no more than [`MAX_HEAD_BYTES`], or 64 KiB of a
/// body, for who reads [`wants`](Self::wants) at most.
#[derive(Debug)]
pub struct RequestReader {
    buffer: BytesMut,
    /// In so many of the bytes there no head has its end.
    searched: usize,
    body: BodyState,
}

/// A part of a request's body.
#[expect(clippy::exhaustive_enums, reason = "there is a next part, or none, or none yet")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyPart {
    /// The next bytes of it; never empty.
    Data(Bytes),
    /// More must be read.
    Missing,
    /// It is over.
    End,
}

impl Default for RequestReader {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestReader {
    /// At the beginning of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: BytesMut::new(), searched: 0, body: BodyState::End }
    }

    /// How many bytes may be read now. 0 while a whole request, or the beginning of one, waits to be
    /// taken out.
    #[must_use]
    pub fn wants(&self) -> usize {
        let limit = match self.body {
            BodyState::End => MAX_HEAD_BYTES,
            BodyState::Exact(left) => usize::try_from(left).unwrap_or(usize::MAX),
            _ => BODY_READ_BYTES,
        };
        limit.min(BODY_READ_BYTES).saturating_sub(self.buffer.len())
    }

    /// Whether nothing of a request has come of which the head was not taken out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether all of the body was taken out, and the next head may be.
    #[must_use]
    pub const fn is_at_head(&self) -> bool {
        matches!(self.body, BodyState::End)
    }

    /// Takes what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The head of the next request, if all of it is there.
    ///
    /// # Errors
    /// If it is none. Nothing more may be asked of the reader.
    pub fn head(&mut self) -> Result<Option<RequestHead>, HeadError> {
        self.skip_line_breaks();
        if self.buffer.is_empty() || !self.may_end_here() {
            return self.await_more();
        }
        let text = std::mem::take(&mut self.buffer).freeze();
        match RequestHead::parse(&text)? {
            Some((_, end)) if end > MAX_HEAD_BYTES => Err(HeadError::TooLarge),
            Some((head, end)) => {
                self.buffer.extend_from_slice(&text[end..]);
                self.searched = 0;
                self.body = head.body.into();
                Ok(Some(head))
            }
            None => {
                self.buffer = text.into();
                self.await_more()
            }
        }
    }

    /// The next part of the body of the request whose head was taken out last.
    ///
    /// # Errors
    /// If its chunks are malformed; then they stay so, and no head may be asked for.
    pub fn body(&mut self) -> Result<BodyPart, BodyError> {
        self.body.take(&mut self.buffer)
    }

    /// What was read and is of no request: the first bytes of another protocol.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        self.buffer.freeze()
    }

    /// Line breaks before a request are of a client that counts wrong (RFC 9112 section 2.2).
    fn skip_line_breaks(&mut self) {
        let breaks = self.buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if breaks > 0 {
            self.buffer.advance(breaks);
            self.searched = 0;
        }
    }

    /// Whether it is worth while to understand what is there. What comes first always is, since mostly it
    /// is all, and what is no HTTP should not be waited for; later on, only what has an end, or each byte
    /// would have all before it looked at again.
    fn may_end_here(&self) -> bool {
        self.searched == 0 || has_empty_line(&self.buffer[self.searched.saturating_sub(3)..])
    }

    fn await_more(&mut self) -> Result<Option<RequestHead>, HeadError> {
        self.searched = self.buffer.len();
        if self.searched >= MAX_HEAD_BYTES { Err(HeadError::TooLarge) } else { Ok(None) }
    }
}

fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|end| end == b"\n\n") || bytes.windows(3).any(|end| end == b"\n\r\n")
}
