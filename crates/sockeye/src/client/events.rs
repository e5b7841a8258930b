use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use sockeye_proto::socket::{AnswerTo, ArgumentsError, FromArguments, OwnedArguments};

use super::socket::Socket;
use super::{Acknowledgement, ConnectError, Disconnect, LostEvent};

/// What happens to a socket, for programs that are written from top to bottom: see
/// [`Socket::events`].
#[derive(Debug)]
#[non_exhaustive]
pub enum SocketEvent {
    /// The socket is connected to its namespace (again).
    Connect {
        /// Whether it has its id, rooms and missed events back (C-051).
        recovered: bool,
    },
    /// It could not be connected (C-039).
    ConnectError(ConnectError),
    /// An event arrived.
    Event(ReceivedEvent),
    /// The socket is no longer connected.
    Disconnect(Disconnect),
    /// An event that had been accepted will not be sent.
    Lost(LostEvent),
}

/// An event as it arrived.
#[derive(Debug)]
pub struct ReceivedEvent {
    pub(super) name: String,
    pub(super) arguments: OwnedArguments,
    pub(super) acknowledgement: Option<Acknowledgement>,
}

impl ReceivedEvent {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments, not decoded yet.
    #[must_use]
    pub const fn arguments(&self) -> &OwnedArguments {
        &self.arguments
    }

    /// Decodes its arguments: a tuple takes one for each item, any other type the first one.
    ///
    /// # Errors
    /// If they do not fit the type.
    pub fn decode<T: FromArguments>(&self) -> Result<T, ArgumentsError> {
        self.arguments.decode()
    }

    /// Takes the right to answer. `None` if the server wants no answer, or a handler of the event
    /// has taken the right already.
    pub const fn take_acknowledgement(&mut self) -> Option<Acknowledgement> {
        self.acknowledgement.take()
    }
}

/// What has happened to a socket and was not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: VecDeque<Unread>,
    waiting: Vec<Waker>,
    /// Nothing more will come, unless the program connects again.
    over: bool,
}

/// An event that waits to be looked at, and to what it may be answered. It holds no handle of the
/// socket: that would keep the socket alive.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) event: SocketEvent,
    pub(super) answer: Option<AnswerTo>,
}

impl Queue {
    /// So many events wait before nothing more is read from the connection.
    const FULL: usize = 1024;

    pub(super) fn push(&mut self, event: SocketEvent, answer: Option<AnswerTo>) {
        self.events.push_back(Unread { event, answer });
        self.wake();
    }

    pub(super) fn end(&mut self) {
        self.over = true;
        self.wake();
    }

    pub(super) const fn begin(&mut self) {
        self.over = false;
    }

    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= Self::FULL
    }

    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Unread>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if self.over => Poll::Ready(None),
            None => {
                if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    self.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

/// The events of a socket, in their order: a [`Stream`] that ends when the socket is disconnected
/// for good.
#[derive(Debug)]
pub struct Events {
    pub(super) socket: Socket,
}

impl Events {
    /// The next event; `None` when the socket is disconnected and will not connect again by itself.
    ///
    /// Cancel safety: an event is taken only when this is ready, so none is lost.
    pub async fn next(&mut self) -> Option<SocketEvent> {
        std::future::poll_fn(|cx| self.socket.poll_event(cx)).await
    }
}

impl Stream for Events {
    type Item = SocketEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SocketEvent>> {
        self.socket.poll_event(cx)
    }
}
