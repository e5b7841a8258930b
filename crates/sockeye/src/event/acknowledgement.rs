use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye_proto::socket::{
    AcknowledgementId, ArgumentsError, FromArguments, OwnedArguments, ToArguments, Unanswered,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};

use super::context::EventSocket;
use super::error::EmitError;

/// The right to answer one event, once.
///
/// Dropped without an answer, the other side's acknowledgement never comes; it has a time-out, or
/// waits for ever.
#[derive(Debug)]
#[must_use = "the other side waits for the answer"]
pub struct Acknowledgement<S: EventSocket> {
    socket: S,
    question: S::Question,
}

impl<S: EventSocket> Acknowledgement<S> {
    pub(crate) const fn new(socket: S, question: S::Question) -> Self {
        Self { socket, question }
    }

    /// Answers: a tuple is several values, `()` none, anything else one.
    ///
    /// # Errors
    /// If the values are no JSON, or the socket is no longer connected.
    pub fn send(self, values: impl ToArguments) -> Result<(), EmitError> {
        self.socket.acknowledge(self.question, &values)
    }
}

/// Why no answer came.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcknowledgementError {
    /// The event was not sent.
    Emit(EmitError),
    /// The other side did not answer in time (S-061, C-046).
    TimedOut,
    /// The socket was disconnected before it answered.
    Disconnected,
    /// The event was given up: it fell out of a full buffer, or was sent as often as `retries`
    /// allows (C-049).
    GivenUp,
    /// The answer does not fit the type that was asked for.
    Arguments(ArgumentsError),
}

/// What whoever waits for an answer is given.
pub(crate) type Answer = Result<OwnedArguments, Unanswered>;

impl From<Unanswered> for AcknowledgementError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Disconnected => Self::Disconnected,
            Unanswered::Discarded => Self::Emit(EmitError::NotWritable),
            Unanswered::Dropped(_) => Self::GivenUp,
        }
    }
}

impl fmt::Display for AcknowledgementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emit(error) => error.fmt(f),
            Self::TimedOut => f.write_str("operation has timed out"),
            Self::Disconnected => f.write_str("the socket was disconnected before it answered"),
            Self::GivenUp => f.write_str("the event was given up before it was answered"),
            Self::Arguments(error) => write!(f, "the answer does not fit: {error}"),
        }
    }
}

impl std::error::Error for AcknowledgementError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Emit(error) => Some(error),
            Self::Arguments(error) => Some(error),
            Self::TimedOut | Self::Disconnected | Self::GivenUp => None,
        }
    }
}

/// Waits for the answer to an event that has been sent, and always resolves: with the answer, or
/// why there is none.
///
/// Cancel safety: dropped, it gives up the answer and nothing else.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited; the event is sent all the same"]
pub struct AwaitAcknowledgement<S: EventSocket, T> {
    state: State<S>,
    timeout: Option<Timeout>,
    decoded: PhantomData<fn() -> T>,
}

#[derive(Debug)]
enum State<S> {
    /// It could not be sent.
    Failed(Option<EmitError>),
    Waiting {
        answer: oneshot::Receiver<Answer>,
        socket: S,
        id: AcknowledgementId,
    },
}

/// When to wait no longer. It becomes a timer when it is first waited for: who emits need not be in a
/// runtime.
#[derive(Debug)]
enum Timeout {
    At(Instant),
    Running(Pin<Box<Sleep>>),
}

impl Timeout {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::At(at) = self {
            *self = Self::Running(Box::pin(sleep_until(*at)));
        }
        match self {
            Self::At(_) => Poll::Pending,
            Self::Running(sleep) => sleep.as_mut().poll(cx),
        }
    }
}

impl<S: EventSocket, T> AwaitAcknowledgement<S, T> {
    pub(crate) const fn failed(error: EmitError) -> Self {
        Self { state: State::Failed(Some(error)), timeout: None, decoded: PhantomData }
    }

    pub(crate) const fn waiting(
        socket: S,
        id: AcknowledgementId,
        answer: oneshot::Receiver<Answer>,
    ) -> Self {
        let state = State::Waiting { answer, socket, id };
        Self { state, timeout: None, decoded: PhantomData }
    }

    fn time_out(&self) {
        if let State::Waiting { socket, id, .. } = &self.state {
            socket.give_up(*id);
        }
    }

    /// Waits no longer than this, from now on. Without it, until the socket is disconnected.
    pub fn timeout(mut self, duration: Duration) -> Self {
        self.timeout = Instant::now().checked_add(duration).map(Timeout::At);
        self
    }
}

impl<S: EventSocket + Unpin, T: FromArguments> Future for AwaitAcknowledgement<S, T> {
    type Output = Result<T, AcknowledgementError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.state {
            State::Failed(error) => {
                let error = error.take().unwrap_or(EmitError::Disconnected);
                return Poll::Ready(Err(AcknowledgementError::Emit(error)));
            }
            State::Waiting { answer, .. } => answer,
        };
        match Pin::new(answer).poll(cx) {
            Poll::Ready(Ok(Ok(arguments))) => {
                Poll::Ready(arguments.decode().map_err(AcknowledgementError::Arguments))
            }
            Poll::Ready(Ok(Err(unanswered))) => Poll::Ready(Err(unanswered.into())),
            Poll::Ready(Err(_)) => Poll::Ready(Err(AcknowledgementError::Disconnected)),
            Poll::Pending => {
                let Some(timeout) = &mut self.timeout else { return Poll::Pending };
                ready!(timeout.poll(cx));
                self.time_out();
                Poll::Ready(Err(AcknowledgementError::TimedOut))
            }
        }
    }
}

impl<S: EventSocket, T> Drop for AwaitAcknowledgement<S, T> {
    fn drop(&mut self) {
        if let State::Waiting { socket, id, .. } = &self.state {
            socket.forget(*id);
        }
    }
}
