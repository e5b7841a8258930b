use bytes::{Buf, Bytes, BytesMut};
use httparse::Status;

use super::MAX_HEAD_BYTES;
use super::error::BodyError;
use super::reader::BodyPart;
use super::request::BodyLength;

/// Bytes that the line before a chunk may have.
const MAX_CHUNK_LINE: usize = 1024;

/// Where the reader is within a body.
#[derive(Clone, Copy, Debug)]
pub(super) enum BodyState {
    /// So many bytes are still to come.
    Exact(u64),
    /// The line with a chunk's size is next.
    ChunkSize,
    /// So many bytes of a chunk, and what ends it.
    Chunk(u64),
    /// The line break behind a chunk.
    ChunkEnd,
    /// Lines behind the last chunk, of which there were so many bytes.
    Trailers(usize),
    End,
}

impl From<BodyLength> for BodyState {
    fn from(length: BodyLength) -> Self {
        match length {
            BodyLength::Exact(0) => Self::End,
            BodyLength::Exact(length) => Self::Exact(length),
            BodyLength::Chunked => Self::ChunkSize,
        }
    }
}

impl BodyState {
    /// Takes what it can of the body from `buffer`, without what only frames it.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<BodyPart, BodyError> {
        loop {
            let before = *self;
            match self {
                Self::End => return Ok(BodyPart::End),
                Self::Exact(left) | Self::Chunk(left) => {
                    if buffer.is_empty() {
                        return Ok(BodyPart::Missing);
                    }
                    let data = take_data(buffer, left);
                    *self = before.after_data(*left);
                    return Ok(BodyPart::Data(data));
                }
                Self::ChunkSize => match chunk_size(buffer)? {
                    Some(0) => *self = Self::Trailers(0),
                    Some(size) => *self = Self::Chunk(size),
                    None => return Ok(BodyPart::Missing),
                },
                Self::ChunkEnd => match buffer.get(..2) {
                    Some(b"\r\n") => {
                        buffer.advance(2);
                        *self = Self::ChunkSize;
                    }
                    None if buffer.is_empty() || buffer.first() == Some(&b'\r') => {
                        return Ok(BodyPart::Missing);
                    }
                    _ => return Err(BodyError::Chunk),
                },
                Self::Trailers(seen) => match trailer(buffer, *seen)? {
                    Some(0) => *self = Self::End,
                    Some(line) => *self = Self::Trailers(*seen + line),
                    None => return Ok(BodyPart::Missing),
                },
            }
        }
    }

    /// Where one is when `left` bytes of what one was in are left.
    const fn after_data(self, left: u64) -> Self {
        match (self, left) {
            (Self::Chunk(_), 0) => Self::ChunkEnd,
            (Self::Chunk(_), left) => Self::Chunk(left),
            (_, 0) => Self::End,
            (_, left) => Self::Exact(left),
        }
    }
}

/// What is there of so many bytes, which are so many fewer then.
fn take_data(buffer: &mut BytesMut, left: &mut u64) -> Bytes {
    let there = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
    *left -= there as u64;
    // What is taken whole need not be shared with what follows.
    let whole = there == buffer.len();
    if whole { std::mem::take(buffer) } else { buffer.split_to(there) }.freeze()
}

/// The size of the chunk whose line comes next, if that is there.
fn chunk_size(buffer: &mut BytesMut) -> Result<Option<u64>, BodyError> {
    // Neither would be noticed: no size at all is taken for 0, and a line may hold another one's end.
    if buffer.first().is_some_and(|first| !first.is_ascii_hexdigit()) {
        return Err(BodyError::Chunk);
    }
    match httparse::parse_chunk_size(buffer) {
        Ok(Status::Complete((line, _))) if line > MAX_CHUNK_LINE => Err(BodyError::ChunkLine),
        Ok(Status::Complete((line, _))) if buffer[..line - 1].contains(&b'\n') => {
            Err(BodyError::Chunk)
        }
        Ok(Status::Complete((line, size))) => {
            buffer.advance(line);
            Ok(Some(size))
        }
        Ok(Status::Partial) if buffer.len() > MAX_CHUNK_LINE => Err(BodyError::ChunkLine),
        Ok(Status::Partial) => Ok(None),
        Err(_) => Err(BodyError::Chunk),
    }
}

/// Leaves out a line behind the last chunk, if that is there: how long it was, and 0 if it was empty.
fn trailer(buffer: &mut BytesMut, seen: usize) -> Result<Option<usize>, BodyError> {
    let end = buffer.iter().position(|byte| *byte == b'\n');
    if seen + end.unwrap_or(buffer.len()) > MAX_HEAD_BYTES {
        return Err(BodyError::Trailers);
    }
    let Some(end) = end else { return Ok(None) };
    let line = buffer.split_to(end + 1);
    Ok(Some(if matches!(&line[..], b"\n" | b"\r\n") { 0 } else { line.len() }))
}
