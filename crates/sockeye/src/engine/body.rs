use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a response: this server's own, always complete, or that of the service around
/// which it lies.
#[derive(Debug)]
pub struct ResponseBody<B = Never>(Kind<B>);

#[derive(Debug)]
enum Kind<B> {
    Own(Option<Bytes>),
    Other(Pin<Box<B>>),
}

/// The body of a service that lies around no other.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Never {}

impl Body for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match *self {}
    }
}

impl<B> ResponseBody<B> {
    pub(crate) const fn empty() -> Self {
        Self(Kind::Own(None))
    }

    pub(crate) fn full(data: impl Into<Bytes>) -> Self {
        Self(Kind::Own(Some(data.into()).filter(|data| !data.is_empty())))
    }

    /// The body of the inner service.
    pub(crate) fn other(body: B) -> Self {
        Self(Kind::Other(Box::pin(body)))
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<B> From<Bytes> for ResponseBody<B> {
    fn from(data: Bytes) -> Self {
        Self::full(data)
    }
}

impl ResponseBody<Never> {
    /// All of it.
    #[cfg(feature = "server")]
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.0 {
            Kind::Own(data) => data.unwrap_or_default(),
            Kind::Other(never) => match *never {},
        }
    }

    /// The same body as that of a service around another one.
    pub(crate) fn widen<B>(self) -> ResponseBody<B> {
        match self.0 {
            Kind::Own(data) => ResponseBody(Kind::Own(data)),
            Kind::Other(never) => match *never {},
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.0 {
            Kind::Own(data) => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
            Kind::Other(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Own(data) => data.is_none(),
            Kind::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Own(data) => SizeHint::with_exact(data.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Other(body) => body.size_hint(),
        }
    }
}
