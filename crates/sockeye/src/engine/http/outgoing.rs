use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Method, Response};
use sockeye_proto::http::{Persistence, ResponseHead};
use tokio::net::tcp::OwnedWriteHalf;

use super::super::body::ResponseBody;
use super::super::scratch;
use super::date;

/// A body of so many bytes is copied behind the head, so that one piece of memory is sent, which the system
/// handles with less ado than a list.
const COPIED_BYTES: usize = 4096;

/// Where responses go. The peer must take something of what is written within some time.
#[derive(Debug)]
pub(super) struct Outgoing {
    half: OwnedWriteHalf,
    /// Head and body of a response that the system has not taken at once, as far as they are left.
    rest: Option<Box<[Bytes; 2]>>,
}

/// The head of a response that has no body.
pub(super) fn head(
    method: &Method,
    persistence: Persistence,
    response: &Response<ResponseBody>,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    write_head(method, persistence, response, 0, &mut bytes);
    bytes
}

/// Appends the head; whether the body follows.
fn write_head(
    method: &Method,
    persistence: Persistence,
    response: &Response<ResponseBody>,
    body: usize,
    out: &mut Vec<u8>,
) -> bool {
    date::with_now(|date| {
        let (status, headers) = (response.status(), response.headers());
        let head = ResponseHead { status, headers, body, method, persistence, date };
        head.write(out);
        head.has_body()
    })
}

impl Outgoing {
    pub(super) const fn new(half: OwnedWriteHalf) -> Self {
        Self { half, rest: None }
    }

    pub(super) fn into_half(self) -> OwnedWriteHalf {
        self.half
    }

    /// Whether something is left to [`flush`](Self::flush).
    pub(super) const fn is_behind(&self) -> bool {
        self.rest.is_some()
    }

    /// Writes what the system takes of a response, when nothing is left of the one before.
    pub(super) fn write(
        &mut self,
        method: &Method,
        persistence: Persistence,
        mut response: Response<ResponseBody>,
    ) -> io::Result<()> {
        let mut body = std::mem::take(response.body_mut()).into_bytes();
        scratch::with_write(|head| {
            if !write_head(method, persistence, &response, body.len(), head) {
                body = Bytes::new();
            }
            if body.len() <= COPIED_BYTES {
                head.extend_from_slice(&std::mem::take(&mut body));
            }
            let written = self.try_write(head, &body)?;
            if written < head.len() + body.len() {
                let of_head = written.min(head.len());
                body.advance(written - of_head);
                let head = Bytes::copy_from_slice(&head[of_head..]);
                self.rest = Some(Box::new([head, body]));
            }
            Ok(())
        })
    }

    /// Writes what is left, as the system takes it.
    ///
    /// Cancel safety: what was written is known.
    pub(super) async fn flush(&mut self, patience: Duration) -> io::Result<()> {
        while let Some(mut rest) = self.rest.take() {
            let written = self.try_write(&rest[0], &rest[1]);
            let [head, body] = &mut *rest;
            let of_head = written.as_ref().map_or(0, |written| *written).min(head.len());
            head.advance(of_head);
            body.advance(written? - of_head);
            if head.is_empty() && body.is_empty() {
                return Ok(());
            }
            self.rest = Some(rest);
            tokio::time::timeout(patience, self.half.writable()).await??;
        }
        Ok(())
    }

    /// How much the system takes now.
    fn try_write(&self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        let written = match (head, body) {
            (one, []) | ([], one) => self.half.try_write(one),
            _ => self.half.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)]),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            written => written,
        }
    }
}
