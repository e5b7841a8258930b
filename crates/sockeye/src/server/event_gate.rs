//! Event middlewares: they decide about the events of one connection, one event at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Context;

use sockeye_proto::socket::{AcknowledgementId, OwnedArguments};

use super::extract::EventContext;
use super::handler::AnyEventMiddleware;
use super::listeners::{Handlers, Listeners};
use super::socket::Socket;
use crate::engine::{Caught, Panicked, catch};
use crate::event::Running;
use crate::event::{Answering, Rejection};

/// Events that wait for their middlewares, in their order.
#[derive(Debug, Default)]
pub(super) struct EventGate {
    deciding: Running<Decided, ()>,
    waiting: VecDeque<WaitingEvent>,
    /// Of all that is not decided.
    bytes: usize,
}

/// An event that can wait.
#[derive(Debug)]
pub(super) struct WaitingEvent {
    pub(super) socket: Socket,
    pub(super) name: Box<str>,
    pub(super) id: Option<AcknowledgementId>,
    pub(super) arguments: OwnedArguments,
}

impl WaitingEvent {
    pub(super) fn bytes(&self) -> usize {
        self.arguments.as_arguments().bytes()
    }
}

/// What the middlewares said about an event.
pub(super) type Decided = (WaitingEvent, Result<(), Refused>);

/// Why an event goes no further.
#[derive(Debug)]
pub(super) enum Refused {
    Rejected(Rejection),
    Panicked(Panicked),
}

impl EventGate {
    pub(super) fn push(&mut self, event: WaitingEvent) {
        self.bytes += event.bytes();
        self.waiting.push_back(event);
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        self.deciding.len() + self.waiting.len()
    }

    /// Bytes of their arguments.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next event that the middlewares have decided about.
    pub(super) fn next(&mut self, cx: &mut Context<'_>) -> Option<Decided> {
        let decided = self.next_decided(cx)?;
        self.bytes -= decided.0.bytes();
        Some(decided)
    }

    fn next_decided(&mut self, cx: &mut Context<'_>) -> Option<Decided> {
        loop {
            if self.deciding.len() > 0 {
                // Middlewares are caught one by one, so their sum does not panic.
                return self.deciding.poll_next(cx)?.0.ok();
            }
            let event = self.waiting.pop_front()?;
            if let Some(decided) = self.deciding.start(cx, Box::pin(decide(event)), || (), || 0) {
                return decided.ok();
            }
        }
    }
}

/// Whether an event of this socket has to go through the gate.
pub(super) fn is_gated(handlers: &Handlers, own: Option<&Arc<Listeners>>) -> bool {
    !handlers.listeners.middlewares().is_empty()
        || own.is_some_and(|own| !own.middlewares().is_empty())
}

/// Asks the namespace's middlewares and then the socket's, until one refuses.
async fn decide(mut event: WaitingEvent) -> Decided {
    let handlers = Arc::clone(&event.socket.namespace().handlers());
    let own = event.socket.listeners_of_its_own();
    let own = own.iter().flat_map(|own| own.middlewares());
    for middleware in handlers.listeners.middlewares().iter().chain(own) {
        let verdict = ask(&mut event, middleware).await;
        if verdict.is_err() {
            return (event, verdict);
        }
    }
    (event, Ok(()))
}

async fn ask(event: &mut WaitingEvent, middleware: &AnyEventMiddleware) -> Result<(), Refused> {
    let work = start(event, middleware)?.map_err(Refused::Rejected)?;
    Caught(work).await.map_err(Refused::Panicked)?.map_err(Refused::Rejected)
}

type Started = Result<crate::event::Work<Result<(), Rejection>>, Rejection>;

/// A middleware that takes the right to answer keeps it.
fn start(event: &mut WaitingEvent, middleware: &AnyEventMiddleware) -> Result<Started, Refused> {
    let context = EventContext {
        socket: &event.socket,
        name: &event.name,
        arguments: event.arguments.as_arguments(),
        acknowledgement: event.id.into(),
        answering: Answering::Never.into(),
    };
    let started = catch(|| middleware(&context)).map_err(Refused::Panicked);
    event.id = context.acknowledgement.take();
    started
}
