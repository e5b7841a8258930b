use std::sync::Arc;
use std::task::Context;

use sockeye_proto::engine::{CloseDetail, CloseReason, Message};
use sockeye_proto::socket::{
    AcknowledgementId, Action, Arguments, Connection as Machine, Decoder, Packet,
};

use super::error::{ConnectError, HandlerError, HandlerErrorKind};
use super::extract::{ConnectContext, DisconnectContext, EventContext, Rejection};
use super::handler::Work;
use super::namespace::{self, Handlers, Namespace};
use super::reason::DisconnectReason;
use super::running::{Panicked, Running, catch};
use super::server::Server;
use super::socket::{Socket, Standing};
use crate::engine::{Application, Delivery, Session};

/// Socket.IO on one connection: the machine, and what it sets going. Owned by the driver.
#[derive(Debug)]
pub(crate) struct Connection {
    server: Server,
    machine: Machine<Socket>,
    decoder: Decoder,
    handlers: Running<()>,
    joining: Running<Joined>,
}

/// What the middlewares said about a client.
type Joined = (Socket, Result<(), ConnectError>);

impl Connection {
    pub(super) fn new(server: Server, session: &Arc<Session>) -> Self {
        let machine = Machine::new(session.now(), server.connection_limits());
        session.set_application_deadline(machine.deadline());
        Self {
            server,
            machine,
            decoder: Decoder::new(),
            handlers: Running::default(),
            joining: Running::default(),
        }
    }
}

impl Application for Connection {
    fn message(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, message: Message<'_>) {
        let packet = match &message {
            Message::Text(text) => self.decoder.text(text),
            Message::Binary(data) => match self.decoder.binary(data) {
                Ok(None) => return,
                Ok(Some(assembled)) => {
                    return match assembled.packet() {
                        Ok(packet) => self.packet(session, cx, packet),
                        Err(error) => close(session, &error),
                    };
                }
                Err(error) => Err(error),
            },
        };
        match packet {
            Ok(Some(packet)) => self.packet(session, cx, packet),
            Ok(None) => {}
            Err(error) => close(session, &error),
        }
    }

    fn poll(&mut self, session: &Arc<Session>, cx: &mut Context<'_>) {
        while let Some(finished) = self.handlers.poll_next(cx) {
            self.report_panic(finished.err(), None, "");
        }
        while let Some(joined) = self.joining.poll_next(cx) {
            self.joined(session, cx, joined);
        }
        self.see_off(session, cx);
        if let Err(violation) = self.machine.deadline_passed(session.now()) {
            close(session, &violation);
        }
    }

    fn ended(
        &mut self,
        _session: &Arc<Session>,
        cx: &mut Context<'_>,
        reason: CloseReason,
        detail: CloseDetail,
    ) {
        let reason = match reason {
            CloseReason::ForcedClose if self.server.is_closing() => {
                DisconnectReason::ServerShuttingDown
            }
            other => other.into(),
        };
        for socket in self.machine.close() {
            let reason = match socket.standing() {
                Standing::Leaving | Standing::LeavingForGood => {
                    DisconnectReason::ServerNamespaceDisconnect
                }
                Standing::Connecting | Standing::Connected | Standing::Gone => reason,
            };
            self.departed(cx, &socket, reason, detail);
        }
        self.joining = Running::default();
    }

    fn is_ready(&self) -> bool {
        self.handlers.len() < self.server.max_running_handlers()
    }

    fn is_finished(&self) -> bool {
        self.handlers.is_empty()
    }
}

impl Connection {
    fn packet(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, packet: Packet<'_>) {
        match self.machine.receive(packet, self.server.connection_limits()) {
            Ok(Action::Event { socket, name, id, arguments }) => {
                let socket = socket.clone();
                self.event(cx, &socket, &name, id, arguments);
            }
            Ok(Action::Acknowledgement { socket, id, arguments }) => {
                socket.answered(id, arguments);
            }
            Ok(Action::Connect { namespace, auth }) => {
                self.connect(session, cx, namespace, auth);
            }
            Ok(Action::TooManyNamespaces { namespace }) => {
                let error = ConnectError::new("Too many namespaces (max_namespaces)");
                send_connect_error(session, namespace, &error);
            }
            Ok(Action::Left(socket)) => {
                let reason = DisconnectReason::ClientNamespaceDisconnect;
                self.departed(cx, &socket, reason, CloseDetail::None);
            }
            Ok(Action::Ignore) => {}
            Err(violation) => close(session, &violation),
        }
    }

    fn event(
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
        let handlers = socket.namespace().handlers();
        let Some(handler) = handlers.event(name) else { return };
        let event = EventContext { socket, name, arguments, acknowledgement: id.into() };
        match catch(|| handler(&event)) {
            Ok(Ok(work)) => self.start(cx, work, socket, name),
            Ok(Err(rejection)) => self.report_rejection(rejection, socket, name),
            Err(panicked) => self.report_panic(Some(panicked), Some(socket), name),
        }
    }

    fn connect(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        name: &str,
        auth: Option<&str>,
    ) {
        let Some(namespace) = self.server.find(name) else {
            self.machine.refuse(name);
            let error = ConnectError::new("Invalid namespace");
            return send_connect_error(session, name, &error);
        };
        let socket = Socket::new(namespace.clone(), Arc::clone(session), auth);
        let handlers = namespace.handlers();
        let joined = if handlers.middlewares.is_empty() {
            Some(Ok((socket, Ok(()))))
        } else {
            self.joining.start(cx, Box::pin(decide(socket, handlers)))
        };
        if let Some(joined) = joined {
            self.joined(session, cx, joined);
        }
    }

    /// The middlewares have decided; now the connect handler's parameters do.
    fn joined(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        joined: Result<Joined, Panicked>,
    ) {
        // Middlewares are caught one by one, so this does not panic.
        let Ok((socket, verdict)) = joined else { return };
        let handlers = socket.namespace().handlers();
        let verdict = verdict.and_then(|()| self.prepare(&handlers, &socket));
        match verdict {
            Ok(work) => self.let_in(session, cx, &socket, work),
            Err(error) => {
                socket.departed();
                if self.machine.refuse(socket.namespace().name()) {
                    send_connect_error(session, socket.namespace().name(), &error);
                }
            }
        }
    }

    fn prepare(&self, handlers: &Handlers, socket: &Socket) -> Result<Option<Work>, ConnectError> {
        let Some(handler) = &handlers.connect else { return Ok(None) };
        match catch(|| handler(&ConnectContext { socket })) {
            Ok(Ok(work)) => Ok(Some(work)),
            Ok(Err(rejection)) => {
                let error = ConnectError::new(rejection.to_string());
                self.report_rejection(rejection, socket, "");
                Err(error)
            }
            Err(panicked) => {
                self.report_panic(Some(panicked), Some(socket), "");
                Err(ConnectError::new("Internal error"))
            }
        }
    }

    fn let_in(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        socket: &Socket,
        work: Option<Work>,
    ) {
        let namespace: &Namespace = socket.namespace();
        if !self.machine.accept(namespace.name(), socket.clone()) || !socket.connected() {
            return socket.departed();
        }
        session.set_application_deadline(None);
        // Before anybody can broadcast to it: the client waits for this packet first.
        let packet = namespace.encode_connect(socket.id());
        let _ = session.send(packet.frames(), Delivery::Reliable);
        namespace.rooms().add(socket.clone());
        if let Some(work) = work {
            self.start(cx, work, socket, "");
        }
    }

    /// Sockets that the application put out since the last time.
    fn see_off(&mut self, session: &Arc<Session>, cx: &mut Context<'_>) {
        let mut close = false;
        loop {
            let leaving = |socket: &&Socket| {
                matches!(socket.standing(), Standing::Leaving | Standing::LeavingForGood)
            };
            let Some(socket) = self.machine.sockets().find(leaving).cloned() else { break };
            close |= socket.standing() == Standing::LeavingForGood;
            self.machine.leave(socket.namespace().name());
            let reason = DisconnectReason::ServerNamespaceDisconnect;
            self.departed(cx, &socket, reason, CloseDetail::None);
            if close {
                self.machine.sockets().for_each(|other| other.disconnect(true));
            }
        }
        if close {
            session.close();
        }
    }

    fn departed(
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
            Ok(work) => self.start(cx, work, socket, ""),
            Err(panicked) => self.report_panic(Some(panicked), Some(socket), ""),
        }
    }

    fn start(&mut self, cx: &mut Context<'_>, work: Work, socket: &Socket, event: &str) {
        if let Some(finished) = self.handlers.start(cx, work) {
            self.report_panic(finished.err(), Some(socket), event);
        }
    }

    fn report_rejection(&self, rejection: Rejection, socket: &Socket, event: &str) {
        let kind = match rejection {
            Rejection::Arguments(error) => HandlerErrorKind::Arguments(error),
            Rejection::Other(reason) => HandlerErrorKind::Rejected(reason),
        };
        self.report(kind, Some(socket), event);
    }

    fn report_panic(&self, panicked: Option<Panicked>, socket: Option<&Socket>, event: &str) {
        if let Some(Panicked(message)) = panicked {
            self.report(HandlerErrorKind::Panicked(message), socket, event);
        }
    }

    fn report(&self, kind: HandlerErrorKind, socket: Option<&Socket>, event: &str) {
        self.server.report(&HandlerError {
            namespace: socket.map_or("", |socket| socket.namespace().name()).into(),
            socket: socket.map_or("", Socket::id).into(),
            event: event.into(),
            kind,
        });
    }
}

/// Asks the middlewares in their order, until one refuses.
async fn decide(socket: Socket, handlers: Arc<Handlers>) -> Joined {
    for middleware in &handlers.middlewares {
        let started = catch(|| middleware(&ConnectContext { socket: &socket }));
        let verdict = match started {
            Ok(Ok(work)) => work.await,
            Ok(Err(rejection)) => Err(ConnectError::new(rejection.to_string())),
            Err(Panicked(message)) => {
                tracing::error!(?socket, message, "middleware panicked");
                Err(ConnectError::new("Internal error"))
            }
        };
        if verdict.is_err() {
            return (socket, verdict);
        }
    }
    (socket, Ok(()))
}

fn send_connect_error(session: &Arc<Session>, namespace: &str, error: &ConnectError) {
    let packet = namespace::encode_connect_error(namespace, error);
    // If it cannot be sent, the client is gone.
    let _ = session.send(packet.frames(), Delivery::Reliable);
}

/// Closes the connection of a client that broke the protocol (S-027).
fn close(session: &Arc<Session>, error: &dyn std::error::Error) {
    tracing::debug!(%error, ?session, "connection closed: the client broke the protocol");
    session.close();
}
