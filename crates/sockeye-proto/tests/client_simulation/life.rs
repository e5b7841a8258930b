use std::collections::VecDeque;
use std::time::Duration;

use sockeye_proto::engine::{
    ClientInput, ClientOutput, ClientSession, ClientTiming, CloseReason, Link, Opening, Packet,
    PayloadDecoder, Received, TransportName, take_payload,
};
use sockeye_proto::socket::Decoder;
use sockeye_proto::websocket::{self, Frame, Role};

use super::network::{Direction, Event, Network, Wire};
use super::sessions::Told as Message;
use super::wire::{Heard, hear};

/// One Engine.IO session of the client: the smallest driver.
pub(crate) struct Life {
    pub(crate) number: u32,
    pub(crate) session: ClientSession,
    pub(crate) decoder: Decoder,
    outbox: VecDeque<Frame>,
    gets: Wire,
    posts: Wire,
    active: Option<WebSocket>,
    candidate: Option<WebSocket>,
    is_getting: bool,
    is_posting: bool,
    sid: Option<u32>,
    max_payload: Option<u64>,
}

struct WebSocket {
    wire: Wire,
    decoder: websocket::Decoder,
}

impl WebSocket {
    fn ask(network: &mut Network, sid: Option<u32>) -> Self {
        let wire = network.wire();
        network.send(wire, Direction::Up, Event::WebSocketAsked { sid });
        Self { wire, decoder: websocket::Decoder::new(Role::Client) }
    }

    fn write(&self, network: &mut Network, frame: &Frame) {
        let key = (network.random.next() as u32).to_be_bytes();
        let mut bytes = Vec::new();
        frame.mask_into(&mut bytes, key);
        network.send_bytes(self.wire, Direction::Up, &bytes);
    }
}

/// What the manager has to know.
#[derive(Debug)]
pub(crate) enum Told {
    Opened,
    Message(Message),
    Ended(CloseReason),
}

impl Life {
    pub(crate) fn begin(network: &mut Network, number: u32) -> Self {
        let transport = network.random.choose(&[TransportName::Polling, TransportName::WebSocket]);
        let timing = ClientTiming {
            upgrade: !network.random.one_in(3),
            candidate_timeout: Duration::from_millis(500),
            close_timeout: Duration::from_millis(500),
        };
        let is_websocket = transport == TransportName::WebSocket;
        let mut life = Self {
            number,
            session: ClientSession::new(timing, transport),
            decoder: Decoder::new(),
            outbox: VecDeque::new(),
            gets: network.wire(),
            posts: network.wire(),
            active: is_websocket.then(|| WebSocket::ask(network, None)),
            candidate: None,
            is_getting: false,
            is_posting: false,
            sid: None,
            max_payload: None,
        };
        let told = life.carry_out_all(network);
        assert!(told.is_empty(), "it has just begun");
        life
    }

    pub(crate) fn queue(&mut self, frames: impl Iterator<Item = Frame>) {
        self.outbox.extend(frames);
    }

    /// Sends what is queued, as far as it can go now.
    pub(crate) fn flush(&mut self, network: &mut Network) -> Vec<Told> {
        if self.outbox.is_empty() { Vec::new() } else { self.handle(network, ClientInput::Queued) }
    }

    pub(crate) fn wires(&self) -> impl Iterator<Item = Wire> + use<> {
        let websockets = [&self.active, &self.candidate];
        let websockets = websockets.map(|websocket| websocket.as_ref().map(|known| known.wire));
        [self.gets, self.posts].into_iter().chain(websockets.into_iter().flatten())
    }

    /// Lets go of everything.
    pub(crate) fn release(&self, network: &mut Network) {
        self.wires().for_each(|wire| network.close(wire, Direction::Up));
    }

    pub(crate) fn handle(&mut self, network: &mut Network, input: ClientInput) -> Vec<Told> {
        self.session.handle(network.now, input);
        self.carry_out_all(network)
    }

    /// What arrives on one of its wires.
    pub(crate) fn arrival(&mut self, network: &mut Network, wire: Wire, event: Event) -> Vec<Told> {
        match event {
            Event::GetAnswered(body) => {
                let mut told = Vec::new();
                for packet in PayloadDecoder::new(str::from_utf8(&body).expect("UTF-8")) {
                    let packet = packet.expect("servers send packets");
                    told.extend(self.packet(network, Link::Active, &packet));
                }
                assert!(std::mem::take(&mut self.is_getting));
                told.extend(self.handle(network, ClientInput::PollDone));
                told
            }
            Event::PostAnswered => {
                assert!(std::mem::take(&mut self.is_posting));
                let queued = !self.outbox.is_empty();
                self.handle(network, ClientInput::PostDone { queued })
            }
            Event::WebSocketOpened if self.is_candidate(wire) => {
                self.handle(network, ClientInput::CandidateOpened)
            }
            Event::WebSocketOpened => Vec::new(),
            Event::ToClient(bytes) => self.bytes(network, wire, bytes),
            Event::ClientLoses => self.lost(network, wire),
            other => panic!("{other:?} is not for the client"),
        }
    }

    fn is_candidate(&self, wire: Wire) -> bool {
        self.candidate.as_ref().is_some_and(|known| known.wire == wire)
    }

    fn bytes(&mut self, network: &mut Network, wire: Wire, bytes: Vec<u8>) -> Vec<Told> {
        let websockets = [&mut self.active, &mut self.candidate].into_iter().flatten();
        let Some(websocket) = websockets.into_iter().find(|known| known.wire == wire) else {
            return Vec::new();
        };
        let mut told = Vec::new();
        for heard in hear(&mut websocket.decoder, bytes) {
            let link = if self.is_candidate(wire) { Link::Candidate } else { Link::Active };
            told.extend(match heard {
                Heard::Text(text) => {
                    self.packet(network, link, &Packet::decode(&text).expect("a packet"))
                }
                Heard::Binary(data) => self.packet(network, link, &Packet::binary(&data)),
                Heard::Close => self.lost(network, wire),
            });
        }
        told
    }

    fn lost(&mut self, network: &mut Network, wire: Wire) -> Vec<Told> {
        let input = if wire == self.gets && std::mem::take(&mut self.is_getting) {
            ClientInput::PollFailed
        } else if wire == self.posts && std::mem::take(&mut self.is_posting) {
            ClientInput::PostFailed
        } else if self.is_candidate(wire) {
            self.candidate = None;
            ClientInput::LinkFailed { link: Link::Candidate }
        } else if self.active.take_if(|known| known.wire == wire).is_some() {
            ClientInput::LinkClosed { link: Link::Active }
        } else {
            return Vec::new();
        };
        network.close(wire, Direction::Up);
        self.handle(network, input)
    }

    fn packet(&mut self, network: &mut Network, link: Link, packet: &Packet<'_>) -> Vec<Told> {
        if let Packet::Open(json) = packet {
            let opening = Opening::parse(json).expect("servers write it right");
            self.sid = opening.sid.parse().ok();
            self.max_payload = opening.max_payload;
            let mut told = self.handle(network, (&opening).into());
            if self.session.is_open() {
                told.insert(0, Told::Opened);
            }
            return told;
        }
        let input = ClientInput::Packet { link, packet: Received::from(packet) };
        self.session.handle(network.now, input);
        let mut told = Vec::new();
        while let Some(output) = self.session.poll() {
            match (output, packet) {
                (ClientOutput::Deliver, Packet::Message(message)) => {
                    told.push(Told::Message(message.into()));
                }
                (other, _) => told.extend(self.carry_out(network, other)),
            }
        }
        told
    }

    fn carry_out_all(&mut self, network: &mut Network) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(output) = self.session.poll() {
            told.extend(self.carry_out(network, output));
        }
        told
    }

    fn carry_out(&mut self, network: &mut Network, output: ClientOutput) -> Option<Told> {
        match output {
            ClientOutput::Poll => {
                assert!(!std::mem::replace(&mut self.is_getting, true), "a second GET (C-019)");
                network.send(self.gets, Direction::Up, Event::Get { sid: self.sid });
            }
            ClientOutput::Post => {
                let body = take_payload(&mut self.outbox, self.max_payload);
                self.post(network, body);
            }
            ClientOutput::PostClose => self.post(network, b"1".to_vec()),
            ClientOutput::Write => self.write(network),
            ClientOutput::SendPong => self.outbox.push_back(Frame::text(b"3")),
            ClientOutput::OpenCandidate => {
                self.candidate = Some(WebSocket::ask(network, self.sid));
            }
            ClientOutput::ProbeCandidate => {
                let candidate = self.candidate.as_ref().expect("a candidate");
                candidate.write(network, &Frame::text(b"2probe"));
            }
            ClientOutput::SwitchToCandidate => {
                self.active = self.candidate.take();
                let active = self.active.as_ref().expect("a candidate");
                active.write(network, &Frame::text(b"5"));
            }
            ClientOutput::DropCandidate => {
                if let Some(candidate) = self.candidate.take() {
                    network.close(candidate.wire, Direction::Up);
                }
            }
            ClientOutput::CloseLink => {
                self.outbox.push_back(Frame::close(None, ""));
                self.write(network);
            }
            ClientOutput::Ended(reason) => {
                self.release(network);
                return Some(Told::Ended(reason));
            }
            ClientOutput::Deliver => panic!("no message was reported"),
        }
        None
    }

    fn post(&mut self, network: &mut Network, body: Vec<u8>) {
        assert!(!std::mem::replace(&mut self.is_posting, true), "a second POST (C-019)");
        let sid = self.sid.expect("the session is open");
        network.send(self.posts, Direction::Up, Event::Post { sid, body: Some(body) });
    }

    fn write(&mut self, network: &mut Network) {
        if let Some(active) = &self.active {
            self.outbox.drain(..).for_each(|frame| active.write(network, &frame));
        }
        network.plan_within(10, Event::ClientHasWritten { life: self.number });
    }
}
