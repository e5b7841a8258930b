use std::fmt;
use std::sync::Arc;
use std::task::Context;

use arc_swap::Cache;
use sockeye_proto::socket::{AcknowledgementId, Arguments};

use super::error::{ConnectError, HandlerError, HandlerErrorKind};
use super::extract::{ConnectContext, DisconnectContext, EventContext, Rejection};
use super::handler::Work;
use super::namespace::{Handlers, Namespace, SharedHandlers};
use super::reason::DisconnectReason;
use super::running::{Panicked, Running, catch};
use super::server::Server;
use super::socket::Socket;
use crate::engine::CloseDetail;

/// The calling of handlers for one connection: what they get, and what becomes of those that
/// cannot be called, panic, or are not finished at once.
pub(super) struct Calls {
    server: Server,
    running: Running<(), Call>,
    /// The handlers of the namespace that had the last event.
    last: Option<(Namespace, HandlersCache)>,
}

/// What a failed connect handler or middleware is reported under: no event can have this name.
pub(super) const CONNECT: &str = "connect";
/// The same of a disconnect handler.
const DISCONNECT: &str = "disconnect";

/// Whose handler it is, and of which event.
type Call = (Socket, Box<str>);

/// Sees a change of handlers, and costs no reference while there is none.
type HandlersCache = Cache<Arc<SharedHandlers>, Arc<Handlers>>;

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Calls {
    pub(super) fn new(server: Server) -> Self {
        Self { server, running: Running::default(), last: None }
    }

    /// How many handlers are not finished.
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Goes on with those that are not finished.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        while let Some((finished, call)) = self.running.poll_next(cx) {
            if let (Err(panicked), Some((socket, event))) = (finished, call) {
                report_panic(&self.server, panicked, &socket, &event);
            }
        }
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
        let handlers = cached(&mut self.last, socket.namespace());
        let Some(handler) = handlers.event(name) else { return };
        let event = EventContext { socket, name, arguments, acknowledgement: id.into() };
        match catch(|| handler(&event)) {
            Ok(Ok(work)) => self.start(cx, work, socket, name),
            Ok(Err(rejection)) => report_rejection(&self.server, rejection, socket, name),
            Err(panicked) => report_panic(&self.server, panicked, socket, name),
        }
    }

    /// Makes the connect handler's future, which is started when the client is in.
    pub(super) fn prepare_connect(&self, socket: &Socket) -> Result<Option<Work>, ConnectError> {
        let handlers = socket.namespace().handlers();
        let Some(handler) = &handlers.connect else { return Ok(None) };
        match catch(|| handler(&ConnectContext { socket })) {
            Ok(Ok(work)) => Ok(Some(work)),
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
    }

    /// The socket is out: its rooms are left even if its handler cannot be called.
    pub(super) fn disconnected(
        &mut self,
        cx: &mut Context<'_>,
        socket: &Socket,
        reason: DisconnectReason,
        detail: CloseDetail,
    ) {
        socket.departed();
        let handlers = socket.namespace().handlers();
        let Some(handler) = &handlers.disconnect else { return };
        match catch(|| handler(&DisconnectContext { socket, reason, detail })) {
            Ok(work) => self.start(cx, work, socket, DISCONNECT),
            Err(panicked) => report_panic(&self.server, panicked, socket, DISCONNECT),
        }
    }

    pub(super) fn start(&mut self, cx: &mut Context<'_>, work: Work, socket: &Socket, event: &str) {
        let call = || (socket.clone(), event.into());
        if let Some(Err(panicked)) = self.running.start(cx, work, call) {
            report_panic(&self.server, panicked, socket, event);
        }
    }
}

/// A handler was not called, because a parameter could not be had.
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
    server.report(&HandlerError {
        namespace: socket.namespace().name().into(),
        socket: socket.id().into(),
        event: event.into(),
        kind,
    });
}

fn cached<'a>(
    last: &'a mut Option<(Namespace, HandlersCache)>,
    namespace: &Namespace,
) -> &'a Arc<Handlers> {
    if last.as_ref().is_some_and(|(known, _)| known != namespace) {
        *last = None;
    }
    let (_, cache) = last.get_or_insert_with(|| {
        (namespace.clone(), Cache::new(Arc::clone(namespace.shared_handlers())))
    });
    cache.load()
}
