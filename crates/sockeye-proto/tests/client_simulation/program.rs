//! What the client's program does, and what its namespaces tell it.

use sockeye_proto::socket::{
    AnswerTo, Arguments, AuthRequest, ClientDisconnectReason, ClientNamespaceOutput, Encoder,
    Incoming, Outgoing, Packet, ReconnectionState, Scratch, TransportState,
};

use super::client::Client;
use super::network::{Event, Name, Network};
use super::server::NAMES;

impl Client {
    /// The program wants to be in a namespace.
    pub(crate) fn join(&mut self, network: &mut Network, name: Name) {
        let is_open = self.reconnection.state() == ReconnectionState::Open;
        self.members[name].machine.connect(is_open);
        self.do_as_told(network, name);
        if self.reconnection.state() != ReconnectionState::Waiting {
            self.open(network);
        }
    }

    /// The program leaves a namespace, and the connection if it is in none (C-036).
    pub(crate) fn leave(&mut self, network: &mut Network, name: Name) {
        self.members[name].machine.disconnect();
        self.do_as_told(network, name);
        if network.random.one_in(3) {
            self.join(network, name);
        } else {
            network.plan_within(300, Event::ClientJoins(name));
        }
        if self.members.iter().all(|member| !member.machine.is_active()) {
            self.close(network);
        }
    }

    pub(crate) fn emit(&mut self, network: &mut Network, name: Name) {
        let state = self.transport_state(network);
        if let Some(packet) = self.members[name].emit(network, state) {
            self.send(packet);
        }
        self.do_as_told(network, name);
    }

    pub(crate) fn answer(&mut self, network: &mut Network, name: Name, to: AnswerTo, number: u32) {
        let mut scratch = Scratch::new();
        let packet = Encoder::new(&mut scratch, NAMES[name]).acknowledgement(to.id(), &number);
        let outgoing = Outgoing { packet: packet.expect("a number"), compress: true };
        if let Some(outgoing) = self.members[name].machine.acknowledge(to, outgoing) {
            self.send(outgoing.packet);
        }
        self.do_as_told(network, name);
    }

    pub(crate) fn knows_auth(&mut self, network: &mut Network, name: Name, request: AuthRequest) {
        let member = &mut self.members[name];
        if let Some(recovery) = member.machine.authenticated(request) {
            let mut scratch = Scratch::new();
            let packet = Encoder::new(&mut scratch, NAMES[name]).connect_with(None, recovery);
            member.connections += 1;
            self.send(packet.expect("no auth"));
        }
        self.do_as_told(network, name);
    }

    pub(crate) fn is_late(&mut self, name: Name, id: u64, number: u32) {
        self.members[name].is_late(id, number);
    }

    pub(crate) fn transport_state(&self, network: &Network) -> TransportState {
        let current = self.lives.iter().find(|life| Some(life.number) == self.current);
        match current.map(|life| &life.session) {
            Some(session) if session.has_expired(network.now) => TransportState::Expired,
            Some(session) if session.is_writable() => TransportState::Writable,
            Some(session) if session.is_open() => TransportState::Busy,
            _ => TransportState::Closed,
        }
    }

    pub(crate) fn packet(&mut self, network: &mut Network, packet: Packet<'_>) {
        let name = usize::from(packet.namespace != NAMES[0]);
        match self.members[name].machine.receive(network.now, packet).expect("no violation") {
            Some(Incoming::Event { name: event, arguments, answer }) => {
                self.heard(network, name, &event, arguments, answer);
            }
            Some(Incoming::Answer { waiter, arguments }) => {
                assert_eq!(arguments.decode::<u32>().ok(), Some(waiter), "another's answer");
                self.members[name].resolved(waiter);
            }
            None => {}
        }
        self.do_as_told(network, name);
    }

    pub(crate) fn heard(
        &mut self,
        network: &mut Network,
        name: Name,
        event: &str,
        arguments: Arguments<'_>,
        answer: Option<AnswerTo>,
    ) {
        match (event, answer) {
            ("event", None) => self.members[name].heard(arguments),
            ("question", Some(answer)) => {
                let number = arguments.decode().expect("a number");
                let most = network.random.choose(&[1, 30, 1_000]);
                network.plan_within(most, Event::ClientAnswers { name, answer, number });
            }
            ("volatile", None) => {}
            other => panic!("nobody emits {other:?}"),
        }
    }

    pub(crate) fn do_as_told(&mut self, network: &mut Network, name: Name) {
        while let Some(output) = self.members[name].machine.poll() {
            self.carry_out(network, name, output);
        }
    }

    pub(crate) fn carry_out(
        &mut self,
        network: &mut Network,
        name: Name,
        output: ClientNamespaceOutput<u32>,
    ) {
        let member = &mut self.members[name];
        network.tell((name, &output));
        match output {
            ClientNamespaceOutput::AskAuth(request) => {
                let most = network.random.choose(&[1, 30]);
                network.plan_within(most, Event::ClientKnowsAuth { name, request });
            }
            ClientNamespaceOutput::Send(outgoing) => {
                member.sent(&outgoing.packet);
                self.send(outgoing.packet);
            }
            ClientNamespaceOutput::SendDisconnect => {
                let mut scratch = Scratch::new();
                let packet = Encoder::new(&mut scratch, NAMES[name]).disconnect();
                self.send(packet);
            }
            ClientNamespaceOutput::Deliver(event) => {
                let arguments = event.arguments.as_arguments();
                self.heard(network, name, &event.name, arguments, event.answer);
            }
            ClientNamespaceOutput::Connected { recovered } => {
                member.connected(recovered);
                self.connected += 1;
                self.recovered += u32::from(recovered);
            }
            ClientNamespaceOutput::ConnectError(_) => {
                network.plan_within(200, Event::ClientJoins(name));
            }
            ClientNamespaceOutput::Disconnected(ClientDisconnectReason::ServerDisconnect) => {
                network.plan_within(200, Event::ClientJoins(name));
            }
            ClientNamespaceOutput::Disconnected(_) => {}
            ClientNamespaceOutput::Resolve(number, _) => member.resolved(number),
            ClientNamespaceOutput::Dropped { outgoing, reason } => {
                member.dropped(&outgoing.packet, reason);
            }
        }
    }
}
