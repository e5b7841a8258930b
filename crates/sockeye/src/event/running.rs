use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use futures_util::stream::FuturesUnordered;

use super::handler::Work;
use crate::engine::{Caught, Panicked};

/// Work of one connection that is not finished: handlers, or decisions about clients. Each has a tag
/// that says whose work it is.
///
/// Each is polled once at once, in the order of the packets; most are finished then, and never
/// become more than that. The others wait here, polled by the driver's task.
#[derive(Debug)]
pub(crate) struct Running<T, Tag> {
    pending: Option<Box<FuturesUnordered<Tagged<T, Tag>>>>,
    /// Of all that is pending.
    bytes: usize,
}

struct Tagged<T, Tag> {
    work: Caught<T>,
    tag: Option<Tag>,
    bytes: usize,
}

impl<T, Tag> Default for Running<T, Tag> {
    fn default() -> Self {
        Self { pending: None, bytes: 0 }
    }
}

impl<T, Tag: Unpin> Running<T, Tag> {
    /// Begins; the result if it is finished already, else it gets its tag, and holds so many bytes.
    pub(crate) fn start(
        &mut self,
        cx: &mut Context<'_>,
        work: Work<T>,
        tag: impl FnOnce() -> Tag,
        bytes: impl FnOnce() -> usize,
    ) -> Option<Result<T, Panicked>> {
        let mut work = Caught(work);
        match Pin::new(&mut work).poll(cx) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => {
                let tagged = Tagged { work, tag: Some(tag()), bytes: bytes() };
                self.bytes += tagged.bytes;
                self.pending.get_or_insert_default().push(tagged);
                // Now the set has to be polled: only then will its wake-ups reach the driver.
                cx.waker().wake_by_ref();
                None
            }
        }
    }

    /// The next that has finished.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Option<(Result<T, Panicked>, Option<Tag>)> {
        let pending = self.pending.as_mut()?;
        match Pin::new(&mut **pending).poll_next(cx) {
            Poll::Ready(Some((result, tag, bytes))) => {
                self.bytes -= bytes;
                Some((result, tag))
            }
            Poll::Ready(None) => {
                self.pending = None;
                None
            }
            Poll::Pending => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.len())
    }

    /// Bytes that those hold which are not finished.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<T, Tag: Unpin> Future for Tagged<T, Tag> {
    type Output = (Result<T, Panicked>, Option<Tag>, usize);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.work).poll(cx));
        Poll::Ready((result, self.tag.take(), self.bytes))
    }
}
