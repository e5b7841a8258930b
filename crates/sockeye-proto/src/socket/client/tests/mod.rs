//! Stories of one namespace in virtual time. What the machine says is written down as lines.

mod coming_back;
mod connecting;
mod emitting;
mod receiving;
mod retrying;

use std::sync::Arc;

use super::*;
use crate::socket::{Decoder, Encoded, Encoder, OwnedArguments, Scratch};

/// A namespace with a driver that does what it is told, and writes it down.
struct Client {
    machine: ClientNamespace<&'static str>,
    now: Moment,
    asked: Option<AuthRequest>,
    answers: Vec<AnswerTo>,
}

impl Client {
    fn new() -> Self {
        Self::with(ClientNamespaceOptions::default())
    }

    fn with(options: ClientNamespaceOptions) -> Self {
        let machine = ClientNamespace::new(Arc::new(options));
        Self { machine, now: Moment::START, asked: None, answers: Vec::new() }
    }

    /// One that is in, as `a`.
    fn connected() -> Self {
        Self::connected_with(ClientNamespaceOptions::default())
    }

    fn connected_with(options: ClientNamespaceOptions) -> Self {
        let mut client = Self::with(options);
        client.machine.connect(true);
        client.join();
        client.receive("0{\"sid\":\"a\"}");
        client
    }

    /// Answers the question for auth: what stands in the CONNECT.
    fn join(&mut self) -> String {
        self.says();
        let request = self.asked.take().expect("auth is asked for");
        let recovery = self.machine.authenticated(request).expect("it is wanted");
        let mut scratch = Scratch::new();
        text(&Encoder::new(&mut scratch, "/").connect_with(None, recovery).unwrap())
    }

    /// The transport opens, and the client asks to be let in.
    fn open(&mut self) -> String {
        self.machine.transport_opened();
        self.join()
    }

    fn lose(&mut self) -> Vec<String> {
        self.machine.transport_closed(ClientDisconnectReason::TransportClose);
        self.says()
    }

    fn says(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(output) = self.machine.poll() {
            said.push(self.line(output));
        }
        said
    }

    fn line(&mut self, output: ClientNamespaceOutput<&'static str>) -> String {
        match output {
            ClientNamespaceOutput::AskAuth(request) => {
                self.asked = Some(request);
                "ask".into()
            }
            ClientNamespaceOutput::Send(outgoing) => format!("send {}", text(&outgoing.packet)),
            ClientNamespaceOutput::SendDisconnect => "send 1".into(),
            ClientNamespaceOutput::Deliver(OwnedEvent { name, arguments, answer }) => {
                self.answers.extend(answer);
                format!("event {name} {}", arguments.as_arguments().list)
            }
            ClientNamespaceOutput::Connected { recovered: true } => "recovered".into(),
            ClientNamespaceOutput::Connected { recovered: false } => "connected".into(),
            ClientNamespaceOutput::ConnectError(error) => format!("refused: {error}"),
            ClientNamespaceOutput::Disconnected(reason) => format!("disconnected: {reason}"),
            ClientNamespaceOutput::Resolve(waiter, reason) => format!("{waiter}: {reason:?}"),
            ClientNamespaceOutput::Dropped { outgoing, reason } => {
                format!("dropped {} {reason:?}", text(&outgoing.packet))
            }
        }
    }

    /// What the packet brings, and what the machine says then.
    fn receive(&mut self, packet: &str) -> Vec<String> {
        let packet = Decoder::new().text(packet, 0).unwrap().unwrap();
        let mut said = match self.machine.receive(self.now, packet) {
            Ok(None) => Vec::new(),
            Ok(Some(Incoming::Event { name, arguments, answer })) => {
                self.answers.extend(answer);
                vec![format!("event {name} {}", arguments.list)]
            }
            Ok(Some(Incoming::Answer { waiter, arguments })) => {
                vec![format!("{waiter}: [{}]", arguments.list)]
            }
            Err(violation) => vec![format!("violation: {violation}")],
        };
        said.extend(self.says());
        said
    }

    fn emit(&mut self, name: &str) -> Vec<String> {
        self.emit_as(name, None, Delivery::Plain, TransportState::Writable)
    }

    fn ask(&mut self, name: &'static str) -> Vec<String> {
        self.emit_as(name, Some(name), Delivery::Plain, TransportState::Writable)
    }

    fn emit_as(
        &mut self,
        name: &str,
        waiter: Option<&'static str>,
        delivery: Delivery,
        transport: TransportState,
    ) -> Vec<String> {
        let wants_id = waiter.is_some() || matches!(delivery, Delivery::Retried { .. });
        let id = wants_id.then(|| self.machine.next_id());
        let emit = Emit { outgoing: event(name, id), id, waiter, delivery };
        let mut said = match self.machine.emit(self.now, emit, transport) {
            Ok(Emitted::Send(outgoing)) => vec![format!("send {}", text(&outgoing.packet))],
            Ok(Emitted::Kept) => Vec::new(),
            Ok(Emitted::Discarded) => vec!["discarded".into()],
            Err(EmitRefused { reason, waiter: given }) => {
                assert_eq!(given, waiter, "what waits is given back");
                vec![format!("refused: {reason}")]
            }
        };
        said.extend(self.says());
        said
    }

    /// Lets time pass, up to each deadline.
    fn wait(&mut self, milliseconds: u64) -> Vec<String> {
        let until = Moment::from_millis(self.now.as_millis() + milliseconds);
        let mut said = Vec::new();
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.machine.deadline_passed(deadline);
            said.extend(self.says());
        }
        self.now = until;
        said
    }
}

fn event(name: &str, id: Option<AcknowledgementId>) -> Outgoing {
    let mut scratch = Scratch::new();
    let packet = Encoder::new(&mut scratch, "/").event(name, id, &()).unwrap();
    Outgoing { packet, compress: true }
}

fn acknowledgement(id: AcknowledgementId) -> Outgoing {
    let mut scratch = Scratch::new();
    let arguments = OwnedArguments::default();
    let packet = Encoder::new(&mut scratch, "/").acknowledgement(id, &arguments).unwrap();
    Outgoing { packet, compress: true }
}

fn text(packet: &Encoded) -> String {
    String::from_utf8(packet.text().to_vec()).unwrap()
}
