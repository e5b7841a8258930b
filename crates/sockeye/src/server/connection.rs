use std::sync::Arc;
use std::task::Context;

use sockeye_proto::engine::{CloseDetail, CloseReason, Message};
use sockeye_proto::socket::{Action, Connection as Machine, Decoder, Packet, Payload};

use super::calls::{self, Calls};
use super::error::ConnectError;
use super::extract::ConnectContext;
use super::handler::{AnyMiddleware, Work};
use super::namespace::{self, Handlers, Namespace};
use super::reason::DisconnectReason;
use super::running::{Caught, Panicked, Running, catch};
use super::server::Server;
use super::socket::{Socket, Standing};
use crate::engine::{Application, Delivery, Session};

/// Socket.IO on one connection: the machine, and what it sets going. Owned by the driver.
#[derive(Debug)]
pub(crate) struct Connection {
    server: Server,
    machine: Machine<Socket>,
    decoder: Decoder,
    calls: Calls,
    joining: Running<Joined, ()>,
}

/// What the middlewares said about a client.
type Joined = (Socket, Result<(), ConnectError>);

impl Connection {
    pub(super) fn new(server: Server, session: &Arc<Session>) -> Self {
        let machine = Machine::new(session.now(), server.connection_limits());
        session.set_application_deadline(machine.deadline());
        let calls = Calls::new(server.clone());
        Self { server, machine, decoder: Decoder::new(), calls, joining: Running::default() }
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
        self.calls.poll(cx);
        while let Some((joined, _)) = self.joining.poll_next(cx) {
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
            self.calls.disconnected(cx, &socket, reason, detail);
        }
        self.joining = Running::default();
    }

    fn is_ready(&self) -> bool {
        self.calls.len() < self.server.max_running_handlers()
    }

    fn is_finished(&self) -> bool {
        self.calls.len() == 0
    }
}

/// However a connection ends, its sockets end with it.
impl Drop for Connection {
    fn drop(&mut self) {
        self.machine.close().for_each(|socket| socket.departed());
    }
}

impl Connection {
    fn packet(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, packet: Packet<'_>) {
        if matches!(packet.payload, Payload::Connect(_)) {
            // Who was put out just now may come back at once.
            self.see_off(session, cx);
        }
        match self.machine.receive(packet, self.server.connection_limits()) {
            Ok(Action::Event { socket, name, id, arguments }) => {
                self.calls.event(cx, socket, &name, id, arguments);
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
            Ok(Action::Left(socket)) => self.left(session, cx, &socket),
            Ok(Action::Ignore) => {}
            Err(violation) => close(session, &violation),
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
            let server = self.server.clone();
            self.joining.start(cx, Box::pin(decide(server, socket, Arc::clone(&handlers))), || ())
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
        let verdict = verdict.and_then(|()| self.calls.prepare_connect(&socket));
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

    fn let_in(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        socket: &Socket,
        work: Option<Work>,
    ) {
        let namespace: &Namespace = socket.namespace();
        if !self.machine.accept(namespace.name(), socket.clone()) {
            return socket.departed();
        }
        session.set_application_deadline(None);
        // Before anybody can send to it: the client waits for this packet first.
        let packet = namespace.encode_connect(socket.id());
        let _ = session.send(packet.into_frames(), Delivery::RELIABLE);
        socket.connected();
        namespace.rooms().add(socket.clone());
        if let Some(work) = work {
            self.calls.start(cx, work, socket, calls::CONNECT);
        }
    }

    /// The client left. If the application had put it out already, that is what counts, and all
    /// that goes with it.
    fn left(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, socket: &Socket) {
        let reason = match socket.standing() {
            Standing::Leaving => DisconnectReason::ServerNamespaceDisconnect,
            Standing::LeavingForGood => {
                self.machine.sockets().for_each(|other| other.disconnect(true));
                self.see_off(session, cx);
                session.close();
                DisconnectReason::ServerNamespaceDisconnect
            }
            Standing::Connecting | Standing::Connected | Standing::Gone => {
                DisconnectReason::ClientNamespaceDisconnect
            }
        };
        self.calls.disconnected(cx, socket, reason, CloseDetail::None);
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
            self.calls.disconnected(cx, &socket, reason, CloseDetail::None);
            if close {
                self.machine.sockets().for_each(|other| other.disconnect(true));
            }
        }
        if close {
            session.close();
        }
    }
}

/// Asks the middlewares in their order, until one refuses.
///
/// If the client goes away meanwhile, this is dropped, and the socket leaves the rooms that a
/// middleware has put it into.
async fn decide(server: Server, socket: Socket, handlers: Arc<Handlers>) -> Joined {
    let undecided = Undecided { socket: &socket, decided: false };
    let mut verdict = Ok(());
    for middleware in &handlers.middlewares {
        verdict = ask(&server, &socket, middleware).await;
        if verdict.is_err() {
            break;
        }
    }
    undecided.decided();
    (socket, verdict)
}

struct Undecided<'a> {
    socket: &'a Socket,
    decided: bool,
}

impl Undecided<'_> {
    fn decided(mut self) {
        self.decided = true;
    }
}

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        if !self.decided {
            self.socket.departed();
        }
    }
}

async fn ask(
    server: &Server,
    socket: &Socket,
    middleware: &AnyMiddleware,
) -> Result<(), ConnectError> {
    let started = catch(|| middleware(&ConnectContext { socket }));
    let panicked = match started {
        Ok(Ok(work)) => match Caught(work).await {
            Ok(verdict) => return verdict,
            Err(panicked) => panicked,
        },
        Ok(Err(rejection)) => {
            let error = ConnectError::new(rejection.to_string());
            calls::report_rejection(server, rejection, socket, calls::CONNECT);
            return Err(error);
        }
        Err(panicked) => panicked,
    };
    calls::report_panic(server, panicked, socket, calls::CONNECT);
    Err(ConnectError::new("Internal error"))
}

fn send_connect_error(session: &Arc<Session>, namespace: &str, error: &ConnectError) {
    let packet = namespace::encode_connect_error(namespace, error);
    // If it cannot be sent, the client is gone.
    let _ = session.send(packet.into_frames(), Delivery::RELIABLE);
}

/// Closes the connection of a client that broke the protocol (S-027).
fn close(session: &Arc<Session>, error: &dyn std::error::Error) {
    tracing::debug!(%error, ?session, "connection closed: the client broke the protocol");
    session.close();
}
