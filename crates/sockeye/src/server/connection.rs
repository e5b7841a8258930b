use std::sync::Arc;
use std::task::Context;

use sockeye_proto::Moment;
use sockeye_proto::engine::{CloseDetail, CloseReason, Message};
use sockeye_proto::socket::{
    Action, Connection as Machine, DecodeError, EncodeError, Encoded, Packet, Payload, Violation,
};

use super::arrival::{Arrival, Decision, decide, find_and_decide};
use super::calls::{self, Calls};
use super::error::ConnectError;
use super::namespace;
use super::namespaces::Found;
use super::observe;
use super::reason::DisconnectReason;
use super::server::Server;
use super::socket::{Socket, Standing};
use super::version_two;
use crate::codec::{self, MessageDecoder};
use crate::engine::{Application, Session};
use crate::event::Running;
use crate::event::Work;

/// Socket.IO on one connection: the machine, and what it sets going. Owned by the driver.
#[derive(Debug)]
pub(crate) struct Connection {
    server: Server,
    machine: Machine<Socket>,
    decoder: MessageDecoder,
    calls: Calls,
    joining: Running<Decision, ()>,
    /// The client is to be let into `/` without asking.
    enters_main: bool,
    /// Something came from the client since the attachments that it owes were announced.
    receiving: bool,
}

impl Connection {
    pub(super) fn new(server: Server, session: &Arc<Session>) -> Self {
        let machine = Machine::new(session.now(), server.connection_limits());
        session.set_application_deadline(machine.deadline());
        let calls = Calls::new(server.clone());
        let decoder = server.codec().decoder();
        let (joining, enters_main) = (Running::default(), version_two::is_spoken(session));
        let receiving = false;
        Self { server, machine, decoder, calls, joining, enters_main, receiving }
    }
}

impl Application for Connection {
    fn message(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, message: Message<'_>) {
        match (&mut self.decoder, &message) {
            (MessageDecoder::Json(decoder), Message::Text(text)) => {
                match decoder.text(text, self.server.max_attachments()) {
                    Ok(Some(packet)) => self.packet(session, cx, &packet),
                    Ok(None) => self.await_attachments(session),
                    Err(error) => self.invalid(session, &error),
                }
            }
            (MessageDecoder::Json(decoder), Message::Binary(data)) => match decoder.binary(data) {
                Ok(Some(assembled)) => {
                    self.machine.attachments_complete();
                    self.received(session, cx, Ok(assembled.packet()));
                }
                Ok(None) => {}
                Err(error) => self.invalid(session, &error),
            },
            (MessageDecoder::Custom(decoder), message) => {
                match codec::receive(&mut **decoder, message) {
                    Ok(Some(received)) => {
                        self.machine.attachments_complete();
                        self.received(session, cx, received.packet());
                    }
                    Ok(None) => self.await_attachments(session),
                    Err(error) => self.invalid(session, &error),
                }
            }
        }
    }

    fn poll(&mut self, session: &Arc<Session>, cx: &mut Context<'_>) {
        if std::mem::take(&mut self.enters_main) {
            self.packet(session, cx, &version_two::CONNECT);
        }
        self.calls.poll(cx);
        while let Some((decision, _)) = self.joining.poll_next(cx) {
            if let Ok(decision) = decision {
                self.decided(session, cx, decision);
            }
        }
        self.see_off(session, cx);
        // Whoever has joined a namespace has no deadline, and need not ask what time it is.
        if let Some(deadline) = self.machine.deadline() {
            self.check_deadline(session, deadline);
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
                _ => reason,
            };
            self.calls.disconnected(cx, &socket, reason, detail);
        }
        self.joining = Running::default();
    }

    fn heartbeat(&mut self) {
        for socket in self.machine.sockets() {
            if let Some(track) = socket.track() {
                track.confirm(socket);
            }
        }
    }

    fn receiving(&mut self) {
        self.receiving = true;
    }

    fn is_ready(&self) -> bool {
        !self.calls.are_many()
    }

    fn is_finished(&self) -> bool {
        self.calls.len() == 0
    }
}

/// However a connection ends, its sockets end with it.
impl Drop for Connection {
    fn drop(&mut self) {
        self.machine.close().for_each(|socket| socket.dropped());
    }
}

impl Connection {
    /// A packet is incomplete.
    fn await_attachments(&mut self, session: &Arc<Session>) {
        self.receiving = false;
        self.machine.attachments_announced(session.now(), self.server.connection_limits());
        session.set_application_deadline(self.machine.deadline());
    }

    fn check_deadline(&mut self, session: &Arc<Session>, deadline: Moment) {
        let now = session.now();
        if deadline > now {
            return;
        }
        // What is not read because handlers are busy is not missing.
        let unread = !self.is_ready() || session.may_have_unread();
        if std::mem::take(&mut self.receiving) || unread {
            self.machine.is_sending(now, self.server.connection_limits());
            session.set_application_deadline(self.machine.deadline());
        }
        if let Err(violation) = self.machine.deadline_passed(now) {
            self.violated(session, violation);
        }
    }

    /// A packet that came in several messages, or was read by a custom parser.
    fn received(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        packet: Result<Packet<'_>, DecodeError>,
    ) {
        match packet {
            Ok(packet) => self.packet(session, cx, &packet),
            Err(error) => self.invalid(session, &error),
        }
    }

    fn packet(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, packet: &Packet<'_>) {
        if version_two::is_spoken(session) {
            let mut auth = None;
            let packet = version_two::translate(packet, &mut auth);
            return self.act(session, cx, &packet);
        }
        self.act(session, cx, packet);
    }

    /// Does what a packet asks for.
    fn act(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, packet: &Packet<'_>) {
        let namespace = packet.namespace;
        if matches!(packet.payload, Payload::Connect(_)) {
            // Who was put out just now may come back at once.
            self.see_off(session, cx);
        }
        match self.machine.receive(packet, self.server.connection_limits()) {
            Ok(Action::Event { socket, name, id, arguments }) => {
                self.calls.event(cx, socket, name, id, arguments);
            }
            Ok(Action::Acknowledgement { socket, id, arguments }) => {
                socket.answered(id, arguments);
            }
            Ok(Action::Connect { namespace, auth }) => {
                self.connect(session, cx, namespace, auth);
            }
            Ok(Action::TooManyNamespaces { namespace }) => {
                let error = ConnectError::new("Too many namespaces (max_namespaces)");
                self.send_refusal(session, namespace, &error);
            }
            Ok(Action::AuthTooLong { namespace }) => {
                let error = ConnectError::new("Too much auth (max_auth_bytes)");
                self.send_refusal(session, namespace, &error);
            }
            Ok(Action::Left(socket)) => self.left(session, cx, &socket),
            Ok(Action::Ignore) => {}
            // Some clients say what goes without saying.
            Err(Violation::AlreadyConnected)
                if version_two::is_spoken(session) && namespace == version_two::MAIN => {}
            Err(violation) => self.violated(session, violation),
        }
    }

    fn connect(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        name: &str,
        auth: Option<&str>,
    ) {
        let server = self.server.clone();
        match self.server.find(name) {
            Found::Namespace(namespace) => {
                let arrival = Arrival::new(&server, &namespace, session, auth);
                self.arrived(session, cx, arrival);
            }
            Found::Undecided => {
                let (name, newcomer) = (name.to_owned(), Arc::clone(session));
                let work = find_and_decide(server, name, newcomer, auth.map(Into::into));
                self.await_decision(session, cx, Box::pin(work));
            }
            Found::Nothing => self.decided(session, cx, Decision::NoNamespace(name.to_owned())),
        }
    }

    fn arrived(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, arrival: Arrival) {
        if arrival.is_asked(&self.server) {
            let work = decide(self.server.clone(), arrival);
            self.await_decision(session, cx, Box::pin(work));
        } else {
            self.decided(session, cx, Decision::Decided(arrival, Ok(())));
        }
    }

    fn await_decision(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        work: Work<Decision>,
    ) {
        // Middlewares and patterns are caught one by one, so this does not panic.
        if let Some(Ok(decision)) = self.joining.start(cx, work, || (), || 0) {
            self.decided(session, cx, decision);
        }
    }

    /// The middlewares have decided; now the connect handlers' parameters do.
    fn decided(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, decision: Decision) {
        let (arrival, verdict) = match decision {
            Decision::Decided(arrival, verdict) => (arrival, verdict),
            Decision::NoNamespace(name) => {
                self.machine.refuse(&name);
                let error = ConnectError::new("Invalid namespace");
                return self.send_connect_error(session, &name, &error);
            }
        };
        match verdict.and_then(|()| self.calls.prepare_connect(&arrival.socket)) {
            Ok(works) => self.let_in(session, cx, arrival, works),
            Err(error) => {
                let socket = arrival.socket;
                socket.dropped();
                if self.machine.refuse(socket.namespace().name()) {
                    self.send_refusal(session, socket.namespace().name(), &error);
                }
            }
        }
    }

    fn let_in(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        arrival: Arrival,
        works: Vec<Work>,
    ) {
        let connect = match self.encode_connect(session, &arrival.socket) {
            Ok(connect) => connect,
            Err(error) => {
                arrival.socket.dropped();
                return observe::give_up(session, &error);
            }
        };
        let (socket, works) = match self.greet(session, arrival, connect) {
            Ok(socket) => (socket, works),
            Err(arrival) => {
                // Whoever was asked, and what was prepared, was for the one that it is not.
                let arrival = arrival.into_new(&self.server);
                return self.arrived(session, cx, arrival);
            }
        };
        session.set_application_deadline(self.machine.deadline());
        for work in works {
            self.calls.start(cx, work, &socket, calls::CONNECT);
        }
    }

    fn encode_connect(
        &self,
        session: &Arc<Session>,
        socket: &Socket,
    ) -> Result<Encoded, EncodeError> {
        let namespace = socket.namespace();
        if version_two::is_spoken(session) {
            return version_two::encode_connect(self.server.codec(), namespace.name());
        }
        let pid = socket.track().map(|track| track.pid().as_str());
        namespace.encode_connect(socket.id(), pid)
    }

    /// Tells the client that it is in, before anybody can send to it. `Err` if it should get its
    /// place back, and that is not there any more.
    fn greet(
        &mut self,
        session: &Arc<Session>,
        arrival: Arrival,
        connect: Encoded,
    ) -> Result<Socket, Arrival> {
        let Arrival { socket, returning } = &arrival;
        match (socket.track(), returning) {
            (Some(track), Some(offset)) => {
                if !track.resume(socket, *offset, connect) {
                    return Err(arrival);
                }
            }
            (Some(track), None) => track.connected(socket, connect),
            (None, _) => {
                session.send_or_close(connect);
                socket.enter();
            }
        }
        let namespace = socket.namespace();
        // It cannot have left meanwhile: only a client that is in can.
        let _ = self.machine.accept(namespace.name(), socket.clone());
        namespace.tell_room_news();
        observe::joined(&self.server, socket);
        Ok(arrival.socket)
    }

    /// Tells a client that it was refused; not that there is no such namespace, which clients of
    /// every version are told alike (S-101).
    fn send_refusal(&self, session: &Arc<Session>, namespace: &str, error: &ConnectError) {
        if !version_two::is_spoken(session) {
            return self.send_connect_error(session, namespace, error);
        }
        observe::refused(&self.server, namespace, error);
        let packet = version_two::encode_refusal(self.server.codec(), namespace, error);
        send_or_give_up(session, packet);
    }

    fn send_connect_error(&self, session: &Arc<Session>, namespace: &str, error: &ConnectError) {
        observe::refused(&self.server, namespace, error);
        let packet = namespace::encode_connect_error(self.server.codec(), namespace, error);
        send_or_give_up(session, packet);
    }

    /// Closes the connection of a client that sent what is no packet (S-027).
    fn invalid(&self, session: &Arc<Session>, error: &dyn std::error::Error) {
        observe::invalid_packet(&self.server, error);
        session.close();
    }

    /// The same for one that sent a packet where it must not (S-025), or none in time (S-022).
    fn violated(&self, session: &Arc<Session>, violation: Violation) {
        observe::violation(&self.server, session, violation);
        session.close();
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
            _ => DisconnectReason::ClientNamespaceDisconnect,
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

fn send_or_give_up(session: &Arc<Session>, packet: Result<Encoded, EncodeError>) {
    match packet {
        Ok(packet) => session.send_or_close(packet),
        Err(error) => observe::give_up(session, &error),
    }
}
