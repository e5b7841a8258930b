//! The calling of the program's code, and what becomes of it if it is not finished, or fails.

use std::sync::Arc;
use std::task::Context;

use sockeye_proto::socket::{AnswerTo, Arguments};

use crate::client::callbacks::Callback;
use crate::client::events::{ReceivedEvent, SocketEvent};
use crate::client::socket::{Core, News, Socket, Standing};
use crate::client::{ConnectError, Disconnect};
use crate::engine::{Panicked, catch};
use crate::event::{
    Answering, AnyEventHandler, EventContext, HandlerError, HandlerErrorKind, Lists, Rejection,
    Running, Work, Works,
};
use crate::limited::{Brief, limited};

/// What is running, of all sockets of a manager.
#[derive(Default)]
pub(super) struct Calls {
    running: Running<(), (Arc<Core>, Box<str>)>,
}

/// What failed handlers of a socket's life are reported under: no event can have these names.
const CONNECT: &str = "connect";
const CONNECT_ERROR: &str = "connect_error";
const DISCONNECT: &str = "disconnect";

impl Calls {
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Bytes of the events whose handlers are running.
    pub(super) const fn bytes(&self) -> usize {
        self.running.bytes()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Goes on with what is not finished.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while let Some((finished, call)) = self.running.poll_next(cx) {
            if let (Err(panicked), Some((core, event))) = (finished, call) {
                report_panic(&core, &event, panicked);
            }
        }
    }

    /// An event has arrived: catch-all listeners are called, then its own, in the order in which
    /// they were given; then it is shown to who reads the socket's stream.
    pub(super) fn event(
        &mut self,
        cx: &mut Context<'_>,
        core: &Arc<Core>,
        name: &str,
        arguments: Arguments<'_>,
        answer: Option<AnswerTo>,
    ) {
        let Some(socket) = core.socket() else { return };
        let context = EventContext {
            socket: &socket,
            name,
            arguments,
            acknowledgement: answer.into(),
            answering: Answering::Never.into(),
        };
        let listeners = core.listeners();
        let lists = Lists::new(&listeners, None);
        let mut works = Works::new();
        lists.catch_all(&context, &mut works, &mut |handler, context| call(core, handler, context));
        lists.of_event(&context, &mut works, &mut |handler, context| call(core, handler, context));
        core.queue_received(|| {
            let (name, arguments) = (name.to_owned(), arguments.to_owned());
            let event = ReceivedEvent { name, arguments, acknowledgement: None };
            (event, context.acknowledgement.take())
        });
        let bytes = || arguments.bytes();
        works.into_iter().for_each(|work| self.begin(cx, work, core, name, bytes));
    }

    /// Something has happened to a socket that its program is told.
    pub(super) fn news(&mut self, cx: &mut Context<'_>, core: &Arc<Core>, news: News) {
        match news {
            News::AskAuth(_) => {}
            News::Event(event) => {
                self.event(cx, core, &event.name, event.arguments.as_arguments(), event.answer);
            }
            News::Connected { recovered } => self.connected(cx, core, recovered),
            News::Refused(refused) => {
                let error = ConnectError::Refused(Arc::new(refused));
                self.not_connected(cx, core, error);
            }
            News::Unreachable(error) => self.not_connected(cx, core, error),
            News::Disconnected(reason, error) => {
                self.disconnected(cx, core, Disconnect::new(reason, error));
            }
            // It may have been told to connect again meanwhile.
            News::GaveUp => core.stand(|machine| {
                (machine.is_active() && core.shared.has_given_up()).then(|| given_up(core))
            }),
            News::Over => core.stand(|machine| {
                (!machine.is_active()).then_some(Standing::Over(ConnectError::Disconnected))
            }),
            News::Lost(lost) => {
                for watch in &core.callbacks().lost {
                    observe(core, "lost", || watch(&lost));
                }
                core.queue(|| SocketEvent::Lost(lost));
            }
        }
    }

    // In these three, who waits for the socket is told after the stream and before the handlers, which
    // may have it connect again; a handler that is given then is given too late for this time.

    fn connected(&mut self, cx: &mut Context<'_>, core: &Arc<Core>, recovered: bool) {
        let callbacks = core.callbacks();
        core.queue(|| SocketEvent::Connect { recovered });
        core.stand(|machine| machine.is_connected().then_some(Standing::Connected));
        self.tell(cx, core, CONNECT, &callbacks.connect, &());
    }

    fn not_connected(&mut self, cx: &mut Context<'_>, core: &Arc<Core>, error: ConnectError) {
        let callbacks = core.callbacks();
        core.queue(|| SocketEvent::ConnectError(error.clone()));
        core.stand(|machine| {
            let standing = if machine.is_active() { Standing::Failed } else { Standing::Over };
            Some(standing(error.clone()))
        });
        self.tell(cx, core, CONNECT_ERROR, &callbacks.connect_error, &error);
    }

    fn disconnected(&mut self, cx: &mut Context<'_>, core: &Arc<Core>, disconnect: Disconnect) {
        let callbacks = core.callbacks();
        core.queue(|| SocketEvent::Disconnect(disconnect.clone()));
        core.stand(|machine| {
            let over = || Standing::Over(ConnectError::Disconnected);
            Some(if machine.is_active() { Standing::Apart } else { over() })
        });
        self.tell(cx, core, DISCONNECT, &callbacks.disconnect, &disconnect);
    }

    fn tell<T: Clone>(
        &mut self,
        cx: &mut Context<'_>,
        core: &Arc<Core>,
        event: &str,
        callbacks: &[Arc<Callback<T>>],
        value: &T,
    ) {
        let Some(socket) = core.socket() else { return };
        for callback in callbacks {
            match catch(|| callback(socket.clone(), value.clone())) {
                Ok(work) => self.begin(cx, work, core, event, || 0),
                Err(panicked) => report_panic(core, event, panicked),
            }
        }
    }

    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        work: Work,
        core: &Arc<Core>,
        event: &str,
        bytes: impl FnOnce() -> usize,
    ) {
        let call = || (Arc::clone(core), event.into());
        if let Some(Err(panicked)) = self.running.start(cx, work, call, bytes) {
            report_panic(core, event, panicked);
        }
    }
}

/// The manager rests; the socket is still wanted, and connects when the program says so.
pub(super) fn gave_up(core: &Core) {
    core.stand(|_| Some(given_up(core)));
}

fn given_up(core: &Core) -> Standing {
    match core.standing() {
        Standing::Failed(error) => Standing::Over(error),
        _ => Standing::Over(ConnectError::GaveUp),
    }
}

fn call(
    core: &Core,
    handler: &AnyEventHandler<Socket>,
    context: &EventContext<'_, Socket>,
) -> Option<Work> {
    match catch(|| handler(context)) {
        Ok(Ok(work)) => Some(work),
        Ok(Err(rejection)) => {
            let kind = match rejection {
                Rejection::Arguments(error) => HandlerErrorKind::Arguments(error),
                Rejection::Other(reason) => HandlerErrorKind::Rejected(reason),
            };
            report(core, context.name(), kind);
            None
        }
        Err(panicked) => {
            report_panic(core, context.name(), panicked);
            None
        }
    }
}

fn report_panic(core: &Core, event: &str, Panicked(message): Panicked) {
    report(core, event, HandlerErrorKind::Panicked(message));
}

fn report(core: &Core, event: &str, kind: HandlerErrorKind) {
    let error = HandlerError {
        namespace: core.namespace().into(),
        socket: core.id().unwrap_or_default().into(),
        event: event.into(),
        kind,
    };
    // A part of it is the server's own words.
    limited!(warn, error = %Brief(&error), "a handler failed");
    for watch in &core.callbacks().error {
        observe(core, event, || watch(&error));
    }
}

fn observe(core: &Core, event: &str, call: impl FnOnce()) {
    if let Err(Panicked(message)) = catch(call) {
        tracing::error!(message, event, namespace = core.namespace(), "an observer panicked");
    }
}
