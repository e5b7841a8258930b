use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use futures_util::stream::FuturesUnordered;

use super::handler::Work;

/// Work of one connection that is not finished: handlers, or decisions about clients. Each has a tag
/// that says whose work it is.
///
/// Each is polled once at once, in the order of the packets; most are finished then, and never
/// become more than that. The others wait here, polled by the driver's task.
#[derive(Debug)]
pub(super) struct Running<T, Tag> {
    pending: Option<Box<FuturesUnordered<Tagged<T, Tag>>>>,
}

/// Work whose panic is a result. Boxed work can be moved, so this can be polled in place.
pub(super) struct Caught<T>(pub(super) Work<T>);

struct Tagged<T, Tag> {
    work: Caught<T>,
    tag: Option<Tag>,
}

/// The message of a panic.
#[derive(Debug)]
pub(super) struct Panicked(pub(super) String);

impl<T, Tag> Default for Running<T, Tag> {
    fn default() -> Self {
        Self { pending: None }
    }
}

impl<T, Tag: Unpin> Running<T, Tag> {
    /// Begins; the result if it is finished already, else it gets its tag.
    pub(super) fn start(
        &mut self,
        cx: &mut Context<'_>,
        work: Work<T>,
        tag: impl FnOnce() -> Tag,
    ) -> Option<Result<T, Panicked>> {
        let mut work = Caught(work);
        match Pin::new(&mut work).poll(cx) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => {
                let tagged = Tagged { work, tag: Some(tag()) };
                self.pending.get_or_insert_default().push(tagged);
                // Now the set has to be polled: only then will its wake-ups reach the driver.
                cx.waker().wake_by_ref();
                None
            }
        }
    }

    /// The next that has finished.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Option<(Result<T, Panicked>, Option<Tag>)> {
        let pending = self.pending.as_mut()?;
        match Pin::new(&mut **pending).poll_next(cx) {
            Poll::Ready(Some(result)) => Some(result),
            Poll::Ready(None) => {
                self.pending = None;
                None
            }
            Poll::Pending => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.len())
    }
}

impl<T, Tag: Unpin> Future for Tagged<T, Tag> {
    type Output = (Result<T, Panicked>, Option<Tag>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.work).poll(cx));
        Poll::Ready((result, self.tag.take()))
    }
}

impl<T> Future for Caught<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
            Err(panic) => Poll::Ready(Err(Panicked(message_of(&*panic)))),
        }
    }
}

/// Calls a function that may panic, such as the part of a handler before its first await.
pub(super) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Panicked(message_of(&*panic)))
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned())
}
