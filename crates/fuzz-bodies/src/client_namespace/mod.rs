//! Any packets, events and ends on the client's side of one namespace, beside a model of it.

mod model;
mod operation;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Unstructured;
use model::{Model, Said, Standing};
use operation::{Beginning, Kind, Operation};
use sockeye_proto::Moment;
use sockeye_proto::socket::{
    AcknowledgementId, AnswerTo, Arguments, AuthRequest, ClientDisconnectReason, ClientNamespace,
    ClientNamespaceOutput, ClientViolation, ConnectRefused, Decoder, Delivery, Emit, Emitted,
    Encoded, Encoder, Incoming, Outgoing, Packet, Payload, Scratch, TransportState,
};

/// Any inputs in any order on a client's namespace, while time goes on. Then it is over.
pub fn client_namespace(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(beginning) = data.arbitrary() else { return };
    let mut watched = Watched::begin(&beginning);
    while !data.is_empty() {
        let Ok(operation) = data.arbitrary() else { break };
        watched.apply(operation);
    }
    watched.end();
}

/// A namespace, what it should do, and what its driver knows.
struct Watched {
    machine: ClientNamespace<u32>,
    model: Model,
    now: Moment,
    requests: Vec<AuthRequest>,
    answers: Vec<(AnswerTo, u32)>,
    /// The id of each event, if it has one.
    ids: Vec<Option<AcknowledgementId>>,
    /// Those that wait: each is given back once.
    waiters: BTreeSet<u32>,
    /// Events of the server.
    events: u32,
    early_bytes: usize,
}

impl Watched {
    fn begin(beginning: &Beginning) -> Self {
        let options = beginning.options();
        Self {
            machine: ClientNamespace::new(Arc::new(options)),
            model: Model::new(options),
            now: Moment::START,
            requests: Vec::new(),
            answers: Vec::new(),
            ids: Vec::new(),
            waiters: BTreeSet::new(),
            events: 0,
            early_bytes: 0,
        }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Connect => {
                self.machine.connect(self.model.transport_open);
                self.model.connect();
            }
            Operation::Disconnect => {
                self.machine.disconnect();
                self.model.disconnect();
            }
            Operation::TransportOpened => {
                self.machine.transport_opened();
                self.model.transport_opened();
            }
            Operation::TransportClosed { reason } => self.transport_closed(reason.into()),
            Operation::Authenticated { which } => self.authenticated(which),
            Operation::AuthenticationFailed { which } => self.authentication_failed(which),
            Operation::Receive { packet } => return self.receive(packet),
            Operation::Emit { delivery, awaited, bytes, transport } => {
                return self.emit(delivery.into(), awaited, bytes, transport.into());
            }
            Operation::Acknowledge { which } => self.acknowledge(which),
            Operation::GiveUp { which } => self.give_up(which, true),
            Operation::Forget { which } => self.give_up(which, false),
            Operation::DiscardBuffered => self.discard_buffered(),
            Operation::Wait { milliseconds } => self.wait(milliseconds),
            Operation::WaitForDeadline => self.wait_for_deadline(),
        }
        self.compare(Vec::new());
    }

    fn transport_closed(&mut self, reason: ClientDisconnectReason) {
        self.machine.transport_closed(reason);
        self.model.transport_closed(reason);
    }

    fn discard_buffered(&mut self) {
        self.machine.discard_buffered();
        self.model.discard();
    }

    /// Whatever was awaited is told.
    fn end(&mut self) {
        self.transport_closed(ClientDisconnectReason::ForcedClose);
        self.compare(Vec::new());
        self.discard_buffered();
        self.compare(Vec::new());
        assert_eq!(self.waiters, BTreeSet::new(), "somebody waits for ever");
        assert_eq!((self.machine.buffered_bytes(), self.machine.deadline()), (0, None));
    }

    fn authenticated(&mut self, which: u8) {
        let Some((request, is_latest)) = latest(&self.requests, which) else { return };
        let recovery = self.machine.authenticated(request);
        let is_asked = is_latest && self.model.standing == Standing::Asking;
        assert_eq!(recovery.is_some(), is_asked);
        let Some(recovery) = recovery else { return };
        let offset = self.model.offset.map(|offset| format!("~{offset}"));
        assert_eq!(recovery.pid, self.model.pid.map(pid));
        assert_eq!(recovery.offset, offset.as_deref());
        self.model.standing = Standing::Connecting;
    }

    fn authentication_failed(&mut self, which: u8) {
        let Some((request, is_latest)) = latest(&self.requests, which) else { return };
        self.machine.authentication_failed(request, ConnectRefused::default());
        // Also after it was answered: then the CONNECT could not be written.
        let is_awaited = matches!(self.model.standing, Standing::Asking | Standing::Connecting);
        if is_latest && is_awaited {
            self.model.authentication_failed();
        }
    }

    fn receive(&mut self, kind: Kind) {
        let Some(text) = self.write(kind) else { return };
        let packet = Decoder::new().text(&text, 0).expect("a packet").expect("no attachments");
        let is_early = self.model.standing == Standing::Connecting;
        let said = match self.machine.receive(self.now, packet) {
            Err(violation) => {
                let ClientViolation::TooMuchBeforeConnect { limit } = violation else {
                    panic!("another {violation}")
                };
                self.follow(kind);
                let most = self.early_bytes + self.model.early_events() * 256;
                assert!(is_early && most > limit, "{violation}");
                self.model.too_much();
                return self.compare(Vec::new());
            }
            Ok(None) => Vec::new(),
            Ok(Some(Incoming::Event { arguments, answer, .. })) => {
                self.answers.extend(answer.map(|answer| (answer, self.model.connection)));
                vec![Said::Event(number(arguments))]
            }
            Ok(Some(Incoming::Answer { waiter, .. })) => {
                self.given_back(waiter);
                vec![Said::Answered(waiter)]
            }
        };
        self.follow(kind);
        if matches!(kind, Kind::Event { .. }) && is_early {
            let limit = self.model.options.max_received_before_connect;
            assert!(self.early_bytes <= limit, "more than {limit} bytes are kept");
        }
        self.compare(said);
    }

    /// The text of a packet; an answer is to an event that asked for one.
    fn write(&self, kind: Kind) -> Option<String> {
        Some(match kind {
            Kind::Connect { id: false, .. } => "0".to_owned(),
            Kind::Connect { pid: None, .. } => "0{\"sid\":\"id\"}".to_owned(),
            Kind::Connect { pid: Some(known), .. } => {
                format!("0{{\"sid\":\"id\",\"pid\":\"{}\"}}", pid(known))
            }
            Kind::ConnectError => "4{\"message\":\"no\"}".to_owned(),
            Kind::Disconnect => "1".to_owned(),
            Kind::Event { asks, offset } => {
                let id = if asks { "7" } else { "" };
                let offset = offset.map_or_else(String::new, |offset| format!(",\"~{offset}\""));
                format!("2{id}[\"event\",{}{offset}]", self.events)
            }
            Kind::Answer { which } => {
                let (id, _) = latest(&self.ids, which)?;
                format!("3{}[]", id?)
            }
        })
    }

    /// The model is told what the machine was.
    fn follow(&mut self, kind: Kind) {
        match kind {
            Kind::Connect { id, pid } => self.model.granted(self.now, id, pid),
            Kind::ConnectError => self.model.refused(),
            Kind::Disconnect => self.model.put_out(),
            Kind::Event { asks, offset } => {
                if self.model.early_events() == 0 {
                    self.early_bytes = 0;
                }
                self.early_bytes += "event".len() + self.events.to_string().len();
                self.model.event(self.events, offset.filter(|_| !asks));
                self.events += 1;
            }
            Kind::Answer { which } => {
                if let Some(number) = index(self.ids.len(), which) {
                    self.model.answered(self.now, number as u32);
                }
            }
        }
    }

    fn emit(&mut self, delivery: Delivery, awaited: bool, bytes: u8, transport: TransportState) {
        // A driver knows when there is no transport.
        let transport = if self.model.transport_open { transport } else { TransportState::Closed };
        let number = self.model.emitted();
        let needs_id = awaited || matches!(delivery, Delivery::Retried { .. });
        let id = needs_id.then(|| self.machine.next_id());
        self.ids.push(id);
        let mut scratch = Scratch::new();
        let padding = "-".repeat(bytes.into());
        let packet = Encoder::new(&mut scratch, "/").event("event", id, &(number, padding));
        let outgoing = Outgoing { packet: packet.expect("a number"), compress: true };
        let own = (outgoing.packet.kept_bytes(), awaited);
        let waiter = awaited.then_some(number);
        self.waiters.extend(waiter);
        let said =
            match self.machine.emit(self.now, Emit { outgoing, id, waiter, delivery }, transport) {
                Ok(Emitted::Send(outgoing)) => vec![Said::Send(number_of(&outgoing.packet))],
                Ok(Emitted::Kept) => Vec::new(),
                Ok(Emitted::Discarded) => vec![Said::Discarded],
                Err(refused) => {
                    assert_eq!(refused.waiter, waiter, "who would have waited is given back");
                    waiter.into_iter().for_each(|waiter| self.given_back(waiter));
                    vec![Said::EmitRefused]
                }
            };
        self.model.emit(self.now, own, delivery, transport);
        if said == [Said::EmitRefused] {
            self.model.forget(number);
        }
        self.compare(said);
    }

    fn acknowledge(&self, which: u8) {
        let Some(((answer, connection), _)) = latest(&self.answers, which) else { return };
        let can = self.model.is_connected() && connection == self.model.connection;
        assert_eq!(self.machine.can_acknowledge(answer), can);
    }

    fn give_up(&mut self, which: u8, is_late: bool) {
        let Some(number) = index(self.ids.len(), which) else { return };
        let Some(id) = self.ids[number] else { return };
        let (waiter, is_awaited) = if is_late {
            (self.machine.give_up(id), self.model.give_up(number as u32))
        } else {
            (self.machine.forget(id), self.model.forget(number as u32))
        };
        assert_eq!(waiter, is_awaited.then_some(number as u32));
        waiter.into_iter().for_each(|waiter| self.given_back(waiter));
    }

    fn wait(&mut self, milliseconds: u8) {
        self.now = self.now.after(Duration::from_millis(milliseconds.into()));
        self.deadline_passed();
    }

    fn wait_for_deadline(&mut self) {
        self.now = self.machine.deadline().map_or(self.now, |deadline| deadline.max(self.now));
        self.deadline_passed();
    }

    fn deadline_passed(&mut self) {
        self.machine.deadline_passed(self.now);
        self.model.deadline_passed(self.now);
    }

    /// What the machine says, behind what it has said at once, is what the model says.
    fn compare(&mut self, mut said: Vec<Said>) {
        while let Some(output) = self.machine.poll() {
            said.push(self.said(output));
        }
        assert_eq!(said, std::mem::take(&mut self.model.said));
        let Self { machine, model, .. } = self;
        assert_eq!(machine.is_active(), model.is_active());
        assert_eq!(machine.is_connected(), model.is_connected());
        assert_eq!(machine.id().is_some(), model.is_connected());
        assert_eq!(machine.recovered(), model.recovered);
        assert_eq!(machine.pid(), model.pid.map(pid));
        assert_eq!(machine.deadline(), model.deadline());
        assert_eq!(machine.buffered_bytes(), model.buffered_bytes());
        assert!(machine.buffered_bytes() <= model.options.max_buffered_bytes);
        assert_eq!((machine.pending(), self.waiters.len()), (model.pending(), model.pending()));
        assert!(machine.pending() <= model.options.max_pending_acknowledgements);
    }

    fn said(&mut self, output: ClientNamespaceOutput<u32>) -> Said {
        match output {
            ClientNamespaceOutput::AskAuth(request) => {
                self.requests.push(request);
                Said::Ask
            }
            ClientNamespaceOutput::Send(outgoing) => Said::Send(number_of(&outgoing.packet)),
            ClientNamespaceOutput::SendDisconnect => Said::SendDisconnect,
            ClientNamespaceOutput::Deliver(event) => {
                self.answers.extend(event.answer.map(|answer| (answer, self.model.connection)));
                Said::Event(number(event.arguments.as_arguments()))
            }
            ClientNamespaceOutput::Connected { recovered } => Said::Connected { recovered },
            ClientNamespaceOutput::ConnectError(_) => Said::Refused,
            ClientNamespaceOutput::Disconnected(reason) => Said::Disconnected(reason),
            ClientNamespaceOutput::Resolve(waiter, reason) => {
                self.given_back(waiter);
                Said::Resolved(waiter, reason)
            }
            ClientNamespaceOutput::Dropped { outgoing, reason } => {
                Said::Dropped(number_of(&outgoing.packet), reason)
            }
        }
    }

    fn given_back(&mut self, waiter: u32) {
        assert!(self.waiters.remove(&waiter), "{waiter} is given back twice");
    }
}

const fn pid(known: bool) -> &'static str {
    if known { "one" } else { "another" }
}

/// The place of one of them, counted from the latest.
fn index(count: usize, which: u8) -> Option<usize> {
    Some(count.checked_sub(1)? - usize::from(which) % count)
}

/// One of them, and whether it is the latest.
fn latest<T: Copy>(known: &[T], which: u8) -> Option<(T, bool)> {
    let index = index(known.len(), which)?;
    Some((known[index], index + 1 == known.len()))
}

fn number(arguments: Arguments<'_>) -> u32 {
    arguments.decode().expect("a number")
}

fn number_of(packet: &Encoded) -> u32 {
    let text = str::from_utf8(packet.text()).expect("UTF-8");
    let packet: Packet<'_> = Decoder::read_back(text, &[]).expect("it was written here");
    let Payload::Event { arguments, .. } = packet.payload else { panic!("no event") };
    number(arguments)
}
