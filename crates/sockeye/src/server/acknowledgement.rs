use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockeye_proto::socket::{
    AcknowledgementId, ArgumentsError, FromArguments, OwnedArguments, ToArguments,
};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::error::EmitError;
use super::socket::Socket;

/// The right to answer one event, once.
///
/// Dropped without an answer, the client's acknowledgement never comes; it has a time-out, or
/// waits for ever.
#[derive(Debug)]
#[must_use = "the client waits for the answer"]
pub struct Acknowledgement {
    socket: Socket,
    id: AcknowledgementId,
}

impl Acknowledgement {
    pub(super) const fn new(socket: Socket, id: AcknowledgementId) -> Self {
        Self { socket, id }
    }

    /// Answers: a tuple is several values, `()` none, anything else one.
    ///
    /// # Errors
    /// If the values are no JSON, or the socket is no longer connected.
    pub fn send(self, values: impl ToArguments) -> Result<(), EmitError> {
        self.socket.acknowledge(self.id, &values)
    }
}

/// Why no answer came.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcknowledgementError {
    /// The event was not sent.
    Emit(EmitError),
    /// The client did not answer in time (S-061).
    TimedOut,
    /// The socket was disconnected before it answered.
    Disconnected,
    /// The answer does not fit the type that was asked for.
    Arguments(ArgumentsError),
}

impl fmt::Display for AcknowledgementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emit(error) => error.fmt(f),
            Self::TimedOut => f.write_str("operation has timed out"),
            Self::Disconnected => f.write_str("the socket was disconnected before it answered"),
            Self::Arguments(error) => write!(f, "the answer does not fit: {error}"),
        }
    }
}

impl std::error::Error for AcknowledgementError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Emit(error) => Some(error),
            Self::Arguments(error) => Some(error),
            Self::TimedOut | Self::Disconnected => None,
        }
    }
}

/// Waits for the answer to an event that has been sent, and always resolves: with the answer, or
/// why there is none.
///
/// Cancel safety: dropped, it gives up the answer and nothing else.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited; the event is sent all the same"]
pub struct AwaitAcknowledgement<T> {
    state: State,
    timeout: Option<Pin<Box<Sleep>>>,
    decoded: PhantomData<fn() -> T>,
}

#[derive(Debug)]
enum State {
    /// It could not be sent.
    Failed(Option<EmitError>),
    Waiting {
        answer: oneshot::Receiver<OwnedArguments>,
        socket: Socket,
        id: AcknowledgementId,
    },
}

impl<T> AwaitAcknowledgement<T> {
    pub(super) const fn failed(error: EmitError) -> Self {
        Self { state: State::Failed(Some(error)), timeout: None, decoded: PhantomData }
    }

    pub(super) const fn waiting(
        socket: Socket,
        id: AcknowledgementId,
        answer: oneshot::Receiver<OwnedArguments>,
    ) -> Self {
        let state = State::Waiting { answer, socket, id };
        Self { state, timeout: None, decoded: PhantomData }
    }

    /// Waits no longer than this, from now on. Without it, until the socket is disconnected.
    pub fn timeout(mut self, duration: Duration) -> Self {
        self.timeout = Some(Box::pin(tokio::time::sleep(duration)));
        self
    }
}

impl<T: FromArguments> Future for AwaitAcknowledgement<T> {
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
            Poll::Ready(Ok(arguments)) => {
                Poll::Ready(arguments.decode().map_err(AcknowledgementError::Arguments))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(AcknowledgementError::Disconnected)),
            Poll::Pending => {
                let Some(timeout) = &mut self.timeout else { return Poll::Pending };
                ready!(timeout.as_mut().poll(cx));
                Poll::Ready(Err(AcknowledgementError::TimedOut))
            }
        }
    }
}

impl<T> Drop for AwaitAcknowledgement<T> {
    fn drop(&mut self) {
        if let State::Waiting { socket, id, .. } = &self.state {
            socket.give_up(*id);
        }
    }
}
