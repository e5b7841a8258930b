use std::time::Duration;

use sockeye_proto::Moment;
use sockeye_proto::engine::ClientInput;
use sockeye_proto::socket::{
    ClientDisconnectReason, Due, Encoded, Next, Reconnection, ReconnectionOptions,
    ReconnectionState,
};

use super::life::{Life, Told};
use super::member::Member;
use super::network::{Direction, Event, Network, Wire};
use super::server::NAMES;
use super::sessions::Told as Message;

/// A Socket.IO client: the smallest manager, two namespaces, and a program that counts.
pub(crate) struct Client {
    pub(crate) reconnection: Reconnection,
    /// The sessions; all but the last one are only still saying goodbye.
    pub(crate) lives: Vec<Life>,
    pub(crate) current: Option<u32>,
    begun: u32,
    pub(crate) members: [Member; 2],
    /// Its process does nothing until then.
    pub(crate) asleep_until: Moment,
    /// Connections, and those that went on where the one before had stopped.
    pub(crate) connected: u32,
    pub(crate) recovered: u32,
}

impl Client {
    pub(crate) fn new(network: &mut Network) -> Self {
        let options = ReconnectionOptions {
            attempts: network.random.choose(&[None, Some(2)]),
            delay: Duration::from_millis(50),
            delay_max: Duration::from_millis(300),
            jitter_at_cap: network.random.one_in(2),
            timeout: Some(Duration::from_millis(400)),
            ..Default::default()
        };
        Self {
            reconnection: Reconnection::new(options),
            lives: Vec::new(),
            current: None,
            begun: 0,
            members: [Member::new(0, &mut network.random), Member::new(1, &mut network.random)],
            asleep_until: Moment::START,
            connected: 0,
            recovered: 0,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        let sessions = self.lives.iter().filter_map(|life| life.session.deadline());
        let members = self.members.iter().filter_map(Member::deadline);
        let first = sessions.chain(members).chain(self.reconnection.deadline()).min();
        first.map(|first| first.max(self.asleep_until))
    }

    pub(crate) fn deadline_passed(&mut self, network: &mut Network) {
        for number in self.lives.iter().map(|life| life.number).collect::<Vec<_>>() {
            self.on_life(network, number, |life, network| {
                life.handle(network, ClientInput::DeadlinePassed)
            });
        }
        for name in 0..NAMES.len() {
            self.members[name].machine.deadline_passed(network.now);
            self.do_as_told(network, name);
        }
        match self.reconnection.deadline_passed(network.now) {
            Some(Due::Attempt(_)) => self.begin(network),
            Some(Due::TimedOut) => {
                let current = self.current;
                self.lives.retain(|life| {
                    let is_late = Some(life.number) == current;
                    is_late.then(|| life.release(network));
                    !is_late
                });
                self.ended(network, ClientDisconnectReason::TransportError);
            }
            None => {}
        }
        self.flush(network);
    }

    /// What arrives on a wire.
    pub(crate) fn arrival(&mut self, network: &mut Network, wire: Wire, event: Event) {
        let mut lives = self.lives.iter();
        match lives.find(|life| life.wires().any(|known| known == wire)) {
            Some(life) => {
                let number = life.number;
                self.on_life(network, number, |life, network| life.arrival(network, wire, event));
            }
            None => network.close(wire, Direction::Up),
        }
    }

    pub(crate) fn has_written(&mut self, network: &mut Network, number: u32) {
        self.on_life(network, number, |life, network| life.handle(network, ClientInput::Drained));
    }

    /// The program wants the connection open.
    pub(crate) fn open(&mut self, network: &mut Network) {
        if self.reconnection.open(network.now) {
            self.begin(network);
        }
    }

    /// The program closes the connection.
    pub(crate) fn close(&mut self, network: &mut Network) {
        self.reconnection.stop();
        if let Some(current) = self.current.take() {
            self.on_life(network, current, |life, network| {
                life.handle(network, ClientInput::Close)
            });
        }
        self.transport_closed(network, ClientDisconnectReason::ForcedClose);
        network.plan_within(300, Event::ClientOpens);
    }

    /// The program ends.
    pub(crate) fn finish(&mut self, network: &mut Network) {
        self.transport_closed(network, ClientDisconnectReason::ForcedClose);
    }

    pub(crate) fn begin(&mut self, network: &mut Network) {
        self.begun += 1;
        self.current = Some(self.begun);
        self.lives.push(Life::begin(network, self.begun));
    }

    pub(crate) fn send(&mut self, packet: Encoded) {
        let life = self.lives.iter_mut().find(|life| Some(life.number) == self.current);
        life.expect("there is a connection").queue(packet.into_frames());
    }

    pub(crate) fn on_life(
        &mut self,
        network: &mut Network,
        number: u32,
        act: impl FnOnce(&mut Life, &mut Network) -> Vec<Told>,
    ) {
        let life = self.lives.iter_mut().find(|life| life.number == number);
        let Some(life) = life else { return };
        let told = act(life, network);
        for told in told {
            self.told(network, number, told);
        }
        self.flush(network);
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self, network: &mut Network) {
        let life = self.lives.iter_mut().find(|life| Some(life.number) == self.current);
        if let Some(life) = life {
            let number = life.number;
            for told in life.flush(network) {
                self.told(network, number, told);
            }
        }
    }

    pub(crate) fn told(&mut self, network: &mut Network, number: u32, told: Told) {
        let is_current = Some(number) == self.current;
        network.tell((number, is_current, &told));
        match told {
            Told::Opened if is_current => {
                self.reconnection.opened();
                for name in 0..NAMES.len() {
                    self.members[name].machine.transport_opened();
                    self.do_as_told(network, name);
                }
            }
            Told::Message(message) if is_current => self.message(network, number, message),
            Told::Ended(reason) => {
                self.lives.retain(|life| life.number != number);
                if is_current {
                    self.ended(network, reason.into());
                }
            }
            Told::Opened | Told::Message(_) => {}
        }
    }

    pub(crate) fn ended(&mut self, network: &mut Network, reason: ClientDisconnectReason) {
        self.current = None;
        let random = network.random.next();
        let was_open = self.reconnection.state() == ReconnectionState::Open;
        let next = if was_open {
            self.reconnection.closed(network.now, random)
        } else {
            self.reconnection.failed(network.now, random).next
        };
        if next == Next::GaveUp {
            network.plan_within(300, Event::ClientOpens);
        }
        self.transport_closed(network, reason);
    }

    pub(crate) fn transport_closed(
        &mut self,
        network: &mut Network,
        reason: ClientDisconnectReason,
    ) {
        for name in 0..NAMES.len() {
            self.members[name].machine.transport_closed(reason);
            self.do_as_told(network, name);
        }
    }

    pub(crate) fn message(&mut self, network: &mut Network, number: u32, message: Message) {
        let life = self.lives.iter_mut().find(|life| life.number == number);
        let Some(life) = life else { return };
        match message {
            Message::Text(text) => {
                if let Some(packet) = life.decoder.text(&text, 10).expect("servers write packets") {
                    self.packet(network, packet);
                }
            }
            Message::Binary(data) => {
                if let Some(packet) = life.decoder.binary(&data).expect("it was announced") {
                    self.packet(network, packet.packet());
                }
            }
            Message::Pong | Message::Ended | Message::Released => panic!("no message"),
        }
    }

    pub(crate) fn wires(&self) -> Vec<Wire> {
        self.lives.iter().flat_map(Life::wires).collect()
    }
}
