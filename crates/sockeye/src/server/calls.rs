use std::fmt;
use std::sync::Arc;
use std::task::Context;

use arc_swap::Cache;
use sockeye_proto::socket::{AcknowledgementId, Arguments};

use super::Acknowledgement;
use super::counters::Count;
use super::error::ConnectError;
use super::event_gate::{Decided, EventGate, Refused, WaitingEvent, is_gated};
use super::extract::{ConnectContext, DisconnectContext, EventContext};
use super::handler::{AnyConnectHandler, AnyDisconnectHandler, AnyEventHandler};
use super::listeners::Handlers;
use super::measure::Stopwatch;
use super::namespace::{HandlersSource, Namespace};
use super::observe;
use super::reason::DisconnectReason;
use super::server::Server;
use super::socket::Socket;
use crate::engine::{CloseDetail, Panicked, catch};
use crate::event::{
    Answering, HandlerError, HandlerErrorKind, Lists, Rejection, Running, Work, Works,
};

/// The calling of handlers for one connection: what they get, and what becomes of those that
/// cannot be called, panic, or are not finished at once.
///
/// ```text
/// event ──► catch-all listeners ──► event middlewares ──► listeners of its name
///                                   (only if there are any)     or the fallback
/// ```
pub(super) struct Calls {
    server: Server,
    running: Running<(), Call>,
    /// Events that wait for middlewares, once there was one.
    gate: Option<Box<EventGate>>,
    /// The handlers of the namespace that had the last event.
    last: Option<(Namespace, HandlersCache)>,
}

/// What a failed connect handler or middleware is reported under: no event can have this name.
pub(super) const CONNECT: &str = "connect";
/// The same of a disconnect handler.
const DISCONNECT: &str = "disconnect";
const DISCONNECTING: &str = "disconnecting";

/// Whose handler it is, and of which event.
type Call = (Socket, Box<str>);

/// Sees a change of handlers, and costs no reference while there is none.
type HandlersCache = Cache<HandlersSource, Arc<Handlers>>;

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Calls {
    pub(super) fn new(server: Server) -> Self {
        Self { server, running: Running::default(), gate: None, last: None }
    }

    /// How many handlers are not finished, and events not begun.
    pub(super) fn len(&self) -> usize {
        self.running.len() + self.gate.as_ref().map_or(0, |gate| gate.len())
    }

    /// Whether so many are running, or with so much, that nothing more is to begin.
    pub(super) fn are_many(&self) -> bool {
        let waiting = self.gate.as_ref().map_or(0, |gate| gate.bytes());
        self.len() >= self.server.max_running_handlers()
            || self.running.bytes() + waiting >= self.server.max_running_bytes()
    }

    /// Goes on with those that are not finished.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while let Some((finished, call)) = self.running.poll_next(cx) {
            self.server.counters().add(Count::HandlersDone, 1);
            if let (Err(panicked), Some((socket, event))) = (finished, call) {
                report_panic(&self.server, panicked, &socket, &event);
            }
        }
        self.work_through_gate(cx);
    }

    pub(super) fn event(
        &mut self,
        cx: &mut Context<'_>,
        socket: &Socket,
        name: &str,
        id: Option<AcknowledgementId>,
        arguments: Arguments<'_>,
    ) {
        if !socket.is_connected() {
            return;
        }
        let own = socket.listeners_of_its_own();
        let handlers = cached(&mut self.last, socket.namespace());
        let context = EventContext {
            socket,
            name,
            arguments,
            acknowledgement: id.into(),
            answering: Answering::Never.into(),
        };
        if own.is_none()
            && let Some(handler) = handlers.listeners.only(name)
        {
            context.answering.set(Answering::Always);
            return match call(&self.server, handler, &context) {
                Some(work) => {
                    self.server.counters().event(1);
                    self.begin(cx, work, socket, name, || arguments.bytes());
                }
                None => self.server.counters().event(0),
            };
        }
        let lists = Lists::new(&handlers.listeners, own.as_deref());
        let mut works = Works::new();
        lists.catch_all(&context, &mut works, &mut |handler, context| {
            call(&self.server, handler, context)
        });
        let gated = is_gated(handlers, own.as_ref());
        if !gated {
            lists.of_event(&context, &mut works, &mut |handler, context| {
                call(&self.server, handler, context)
            });
        }
        let id = context.acknowledgement.take();
        self.server.counters().event(works.len());
        let bytes = || arguments.bytes();
        works.into_iter().for_each(|work| self.begin(cx, work, socket, name, bytes));
        if gated {
            let (socket, arguments) = (socket.clone(), arguments.to_owned());
            let event = WaitingEvent { socket, name: name.into(), id, arguments };
            self.gate.get_or_insert_default().push(event);
            self.work_through_gate(cx);
        }
    }

    /// Hands on the events that middlewares have decided about.
    fn work_through_gate(&mut self, cx: &mut Context<'_>) {
        while let Some(decided) = self.gate.as_mut().and_then(|gate| gate.next(cx)) {
            self.decided(cx, decided);
        }
    }

    fn decided(&mut self, cx: &mut Context<'_>, (event, verdict): Decided) {
        let WaitingEvent { socket, name, id, arguments } = event;
        match verdict {
            Ok(()) if socket.is_connected() => {}
            Ok(()) => return,
            Err(Refused::Panicked(panicked)) => {
                return report_panic(&self.server, panicked, &socket, &name);
            }
            Err(Refused::Rejected(rejection)) => {
                let answer = id.map(|id| Acknowledgement::new(socket.clone(), id));
                return reject(&self.server, rejection, &socket, &name, answer);
            }
        }
        let context = EventContext {
            socket: &socket,
            name: &name,
            arguments: arguments.as_arguments(),
            acknowledgement: id.into(),
            answering: Answering::Never.into(),
        };
        let own = socket.listeners_of_its_own();
        let handlers = socket.namespace().handlers();
        let lists = Lists::new(&handlers.listeners, own.as_deref());
        let mut works = Works::new();
        lists.of_event(&context, &mut works, &mut |handler, context| {
            call(&self.server, handler, context)
        });
        let bytes = || arguments.as_arguments().bytes();
        self.server.counters().called(works.len());
        works.into_iter().for_each(|work| self.begin(cx, work, &socket, &name, bytes));
    }

    /// Makes the connect handlers' futures, which are started when the client is in.
    pub(super) fn prepare_connect(&self, socket: &Socket) -> Result<Vec<Work>, ConnectError> {
        let handlers = socket.namespace().handlers();
        let prepare = |handler: &Arc<AnyConnectHandler>| {
            let stopwatch = Stopwatch::start(&self.server);
            match catch(|| handler(&ConnectContext { socket })) {
                Ok(Ok(work)) => Ok(stopwatch.measure(work)),
                Ok(Err(rejection)) => {
                    let error = ConnectError::new(rejection.to_string());
                    report_rejection(&self.server, rejection, socket, CONNECT);
                    Err(error)
                }
                Err(panicked) => {
                    report_panic(&self.server, panicked, socket, CONNECT);
                    Err(ConnectError::new("Internal error"))
                }
            }
        };
        handlers.connect.iter().map(prepare).collect()
    }

    /// The socket is out. While its `disconnecting` handlers start it is still in its rooms; they
    /// are left even if a handler cannot be called.
    pub(super) fn disconnected(
        &mut self,
        cx: &mut Context<'_>,
        socket: &Socket,
        reason: DisconnectReason,
        detail: CloseDetail,
    ) {
        socket.leaving(reason);
        let handlers = socket.namespace().handlers();
        let context = DisconnectContext { socket, reason, detail };
        self.see_off(cx, &handlers.disconnecting, &context, DISCONNECTING);
        socket.departed(reason);
        observe::left(socket, reason, detail);
        self.see_off(cx, &handlers.disconnect, &context, DISCONNECT);
    }

    fn see_off(
        &mut self,
        cx: &mut Context<'_>,
        handlers: &[Arc<AnyDisconnectHandler>],
        context: &DisconnectContext<'_>,
        event: &str,
    ) {
        for handler in handlers {
            let stopwatch = Stopwatch::start(&self.server);
            match catch(|| handler(context)) {
                Ok(work) => {
                    let work = stopwatch.measure(work);
                    self.start(cx, work, context.socket, event);
                }
                Err(panicked) => report_panic(&self.server, panicked, context.socket, event),
            }
        }
    }

    pub(super) fn start(&mut self, cx: &mut Context<'_>, work: Work, socket: &Socket, event: &str) {
        self.server.counters().called(1);
        self.begin(cx, work, socket, event, || 0);
    }

    /// The same for a handler that is counted already, and of an event of so many bytes.
    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        work: Work,
        socket: &Socket,
        event: &str,
        bytes: impl FnOnce() -> usize,
    ) {
        let call = || (socket.clone(), event.into());
        match self.running.start(cx, work, call, bytes) {
            Some(Ok(())) => {}
            Some(Err(panicked)) => report_panic(&self.server, panicked, socket, event),
            None => self.server.counters().add(Count::HandlersWaiting, 1),
        }
    }
}

/// Handlers that nobody goes on with are not running.
impl Drop for Calls {
    fn drop(&mut self) {
        let left = self.running.len();
        if left > 0 {
            self.server.counters().add(Count::HandlersDone, left as u64);
        }
    }
}

#[inline(always)]
fn call(server: &Server, handler: &AnyEventHandler, context: &EventContext<'_>) -> Option<Work> {
    let stopwatch = Stopwatch::start(server);
    match catch(|| handler(context)) {
        Ok(Ok(work)) => return Some(stopwatch.measure(work)),
        Ok(Err(rejection)) => {
            let answer = if server.acknowledges_errors() {
                context.answer_with::<Rejection>()
            } else {
                None
            };
            reject(server, rejection, context.socket, context.name, answer);
        }
        Err(panicked) => report_panic(server, panicked, context.socket, context.name),
    }
    None
}

/// A handler was not called, because a parameter could not be had, or a middleware refused. The
/// client is told if it wants an answer and the server allows it.
fn reject(
    server: &Server,
    rejection: Rejection,
    socket: &Socket,
    event: &str,
    answer: Option<Acknowledgement>,
) {
    if let Some(answer) = answer.filter(|_| server.acknowledges_errors()) {
        // A client that is gone needs no answer.
        let _ = answer.send(serde_json::json!({ "error": rejection.to_string() }));
    }
    report_rejection(server, rejection, socket, event);
}

pub(super) fn report_rejection(
    server: &Server,
    rejection: Rejection,
    socket: &Socket,
    event: &str,
) {
    let kind = match rejection {
        Rejection::Arguments(error) => HandlerErrorKind::Arguments(error),
        Rejection::Other(reason) => HandlerErrorKind::Rejected(reason),
    };
    report(server, kind, socket, event);
}

/// A handler panicked.
pub(super) fn report_panic(
    server: &Server,
    Panicked(message): Panicked,
    socket: &Socket,
    event: &str,
) {
    report(server, HandlerErrorKind::Panicked(message), socket, event);
}

fn report(server: &Server, kind: HandlerErrorKind, socket: &Socket, event: &str) {
    let error = HandlerError {
        namespace: socket.namespace().name().into(),
        socket: socket.id().into(),
        event: event.into(),
        kind,
    };
    observe::handler_failed(server, socket, &error);
    server.report(&error);
}

fn cached<'a>(
    last: &'a mut Option<(Namespace, HandlersCache)>,
    namespace: &Namespace,
) -> &'a Arc<Handlers> {
    if last.as_ref().is_some_and(|(known, _)| known != namespace) {
        *last = None;
    }
    let (_, cache) = last.get_or_insert_with(|| {
        (namespace.clone(), Cache::new(HandlersSource(Arc::clone(namespace.shared_handlers()))))
    });
    cache.load()
}
