use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use sockeye_proto::http::{BodyError, BodyLength, BodyPart, HeadError, RequestHead, RequestReader};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use super::super::io::Reader;
use super::super::scratch;

/// What a client that asks for it is told before it sends a body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What comes from the peer. The connection and the body of its request have it by turns.
#[derive(Debug)]
pub(super) struct Incoming(Arc<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    half: OwnedReadHalf,
    reader: RequestReader,
}

impl Source {
    /// Reads what is there, if it may. `false` at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let wants = self.reader.wants();
        scratch::with_read(|scratch| {
            let room = scratch.len().min(wants);
            let mut buffer = ReadBuf::new(&mut scratch[..room]);
            ready!(Pin::new(&mut self.half).poll_read(cx, &mut buffer))?;
            self.reader.push(buffer.filled());
            Poll::Ready(Ok(!buffer.filled().is_empty()))
        })
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Result<RequestHead, HeadError>>>> {
        loop {
            if let Some(head) = self.reader.head().transpose() {
                return Poll::Ready(Ok(Some(head)));
            }
            if !ready!(self.poll_fill(cx))? {
                return Poll::Ready(Ok(None));
            }
        }
    }

    /// Invites a peer that waits for it to send a body.
    fn poll_invite(&self, cx: &mut Context<'_>, invitation: &mut &[u8]) -> Poll<io::Result<()>> {
        let stream: &TcpStream = self.half.as_ref();
        while self.reader.is_empty() && !invitation.is_empty() {
            ready!(stream.poll_write_ready(cx))?;
            match stream.try_write(invitation) {
                Ok(count) => *invitation = &invitation[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyBroken>>> {
        loop {
            match self.reader.body() {
                Ok(BodyPart::Data(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(BodyPart::End) => return Poll::Ready(None),
                Ok(BodyPart::Missing) => {}
                Err(error) => return Poll::Ready(Some(Err(BodyBroken::Malformed(error)))),
            }
            match ready!(self.poll_fill(cx)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Some(Err(BodyBroken::Gone))),
                Err(error) => return Poll::Ready(Some(Err(BodyBroken::Io(error)))),
            }
        }
    }

    /// Whether the peer is gone. What it sends meanwhile is kept; who has sent something is not
    /// watched, nor who has still to send a body that is being read.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.reader.is_at_head() || !self.reader.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_fill(cx)) {
            Ok(true) => Poll::Pending,
            Ok(false) | Err(_) => Poll::Ready(()),
        }
    }
}

impl Incoming {
    pub(super) fn new(half: OwnedReadHalf) -> Self {
        Self(Arc::new(Mutex::new(Source { half, reader: RequestReader::new() })))
    }

    /// The next request; `None` if the peer ends the connection first. What has come of it is kept.
    pub(super) fn poll_head(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Result<RequestHead, HeadError>>>> {
        self.0.lock().poll_head(cx)
    }

    /// Ready when the peer is gone.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.lock().poll_gone(cx)
    }

    /// Whether a part of a head has come.
    pub(super) fn is_within_head(&self) -> bool {
        !self.0.lock().reader.is_empty()
    }

    /// Leaves out what nobody has taken of the request's body, as far as it is there. `false` if that is not all.
    pub(super) fn skip_body(&self) -> bool {
        let mut source = self.0.lock();
        loop {
            match source.reader.body() {
                Ok(BodyPart::Data(_)) => {}
                Ok(BodyPart::End) => return true,
                Ok(BodyPart::Missing) | Err(_) => return false,
            }
        }
    }

    /// Where the rest is read, and what of it was read; unless the body of a request still has it.
    pub(super) fn into_parts(self) -> Option<(Reader, Bytes)> {
        let Source { half, reader } = Arc::into_inner(self.0)?.into_inner();
        Some((Reader::Tcp(half), reader.into_rest()))
    }
}

/// The body of a request, read from the connection as it is polled.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// `None` for one that is empty.
    source: Option<Arc<Mutex<Source>>>,
    length: BodyLength,
    /// What is to be said before the peer sends it.
    invitation: &'static [u8],
}

impl RequestBody {
    pub(super) fn new(incoming: &Incoming, head: &RequestHead) -> Self {
        let source = (head.body != BodyLength::Exact(0)).then(|| Arc::clone(&incoming.0));
        let invitation = if head.expects_continue { CONTINUE } else { &[] };
        Self { source, length: head.body, invitation }
    }
}

/// Why a body ends before its end.
#[derive(Debug)]
pub(crate) enum BodyBroken {
    Malformed(BodyError),
    Gone,
    Io(io::Error),
}

impl fmt::Display for BodyBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Gone => f.write_str("the client has ended the connection"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        let Self { source: Some(source), invitation, .. } = &mut *self else {
            return Poll::Ready(None);
        };
        let mut source = source.lock();
        if let Err(error) = ready!(source.poll_invite(cx, invitation)) {
            return Poll::Ready(Some(Err(BodyBroken::Io(error))));
        }
        source.poll_body(cx).map(|part| part.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.source.as_ref().is_none_or(|source| source.lock().reader.is_at_head())
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            BodyLength::Exact(length) => SizeHint::with_exact(length),
            BodyLength::Chunked => SizeHint::default(),
        }
    }
}
