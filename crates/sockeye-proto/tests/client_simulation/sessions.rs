use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sockeye_proto::Moment;
use sockeye_proto::engine::{
    Control, Handshake, Input, Link, Output, Packet, PayloadDecoder, PayloadEncoder, PollAnswer,
    Received, Revision, Session, Timing, TransportName,
};
use sockeye_proto::socket::{Connection, Decoder};
use sockeye_proto::websocket::{self, Frame, Role};

use super::network::{Direction, Event, Network, Wire};
use super::wire::{Heard, hear};

/// One Engine.IO session of the server, with what is on it.
pub(crate) struct ServerSession {
    pub(crate) session: Session,
    outbox: VecDeque<Frame>,
    websocket: Option<WebSocket>,
    get: Option<Wire>,
    pub(crate) namespaces: Connection<usize>,
    pub(crate) decoder: Decoder,
    /// It has put somebody out, who may have said something meanwhile (S-025).
    pub(crate) has_kicked: bool,
}

struct WebSocket {
    wire: Wire,
    decoder: websocket::Decoder,
    link: Link,
}

/// What the layer above has to know.
#[derive(Debug)]
pub(crate) enum Told {
    Text(String),
    Binary(Vec<u8>),
    /// The client has answered a ping.
    Pong,
    Ended,
    /// Nobody asks for it any more.
    Released,
}

const PING_INTERVAL: u64 = 300;
const PING_TIMEOUT: u64 = 200;

/// What a session is told, in short.
type Outcome = Vec<Told>;

impl ServerSession {
    pub(crate) fn new(now: Moment, transport: TransportName, wire: Wire) -> Self {
        let timing = Timing {
            ping_interval: Duration::from_millis(PING_INTERVAL),
            ping_timeout: Duration::from_millis(PING_TIMEOUT),
            upgrade_timeout: Duration::from_millis(1_000),
            write_timeout: Duration::from_millis(1_000),
        };
        let websocket = (transport == TransportName::WebSocket).then(|| WebSocket {
            wire,
            decoder: websocket::Decoder::new(Role::Server),
            link: Link::Active,
        });
        Self {
            session: Session::open(now, Arc::new(timing), Revision::Four, transport),
            outbox: VecDeque::new(),
            websocket,
            get: None,
            namespaces: Connection::new(now, &super::server::LIMITS),
            decoder: Decoder::new(),
            has_kicked: false,
        }
    }

    /// The first GET, or the WebSocket, is there.
    pub(crate) fn open(&mut self, network: &mut Network, sid: u32, wire: Wire, max: usize) {
        let is_polling = self.session.transport() == TransportName::Polling;
        let upgrades = [TransportName::WebSocket];
        let handshake = Handshake {
            sid: &sid.to_string(),
            upgrades: if is_polling { &upgrades } else { &[] },
            ping_interval: PING_INTERVAL,
            ping_timeout: PING_TIMEOUT,
            max_payload: max,
        };
        self.outbox.push_back(Frame::text(handshake.to_string().as_bytes()));
        if is_polling {
            self.get(network, wire);
        } else {
            network.send(wire, Direction::Down, Event::WebSocketOpened);
            self.flush(network);
        }
    }

    pub(crate) fn queue(&mut self, network: &mut Network, frames: impl Iterator<Item = Frame>) {
        if self.session.is_open() {
            self.outbox.extend(frames);
            self.flush(network);
        }
    }

    pub(crate) fn get(&mut self, network: &mut Network, wire: Wire) -> Outcome {
        if self.refuses_polling() {
            network.close(wire, Direction::Down);
            return Outcome::new();
        }
        let queued = !self.outbox.is_empty();
        assert_eq!(self.get.replace(wire), None, "a second GET at the same time (C-019)");
        self.handle(network, Input::Poll { queued })
    }

    pub(crate) fn post(
        &mut self,
        network: &mut Network,
        wire: Wire,
        body: Option<Vec<u8>>,
    ) -> Outcome {
        if self.refuses_polling() {
            network.close(wire, Direction::Down);
            return Outcome::new();
        }
        let mut told = self.handle(network, Input::Post);
        let Some(body) = body else {
            told.extend(self.handle(network, Input::PostAborted));
            return told;
        };
        for packet in PayloadDecoder::new(str::from_utf8(&body).expect("UTF-8")) {
            told.extend(self.packet(network, Link::Active, &packet.expect("a packet")));
        }
        told.extend(self.handle(network, Input::PostDone));
        network.send(wire, Direction::Down, Event::PostAnswered);
        told
    }

    /// A WebSocket for this session.
    pub(crate) fn candidate(&mut self, network: &mut Network, wire: Wire) -> Outcome {
        let told = self.handle(network, Input::CandidateOpened);
        if self.websocket.is_none() {
            let decoder = websocket::Decoder::new(Role::Server);
            self.websocket = Some(WebSocket { wire, decoder, link: Link::Candidate });
            network.send(wire, Direction::Down, Event::WebSocketOpened);
        }
        told
    }

    pub(crate) fn bytes(&mut self, network: &mut Network, wire: Wire, bytes: Vec<u8>) -> Outcome {
        let mut told = Outcome::new();
        let Some(websocket) = self.websocket.as_mut().filter(|known| known.wire == wire) else {
            return told;
        };
        for heard in hear(&mut websocket.decoder, bytes) {
            let Some(WebSocket { link, .. }) = self.websocket else { return told };
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

    /// The client has let go of the wire, or it is broken.
    pub(crate) fn lost(&mut self, network: &mut Network, wire: Wire) -> Outcome {
        if self.get == Some(wire) {
            self.get = None;
            return self.handle(network, Input::PollAborted);
        }
        let Some(websocket) = self.websocket.take_if(|known| known.wire == wire) else {
            return Outcome::new();
        };
        network.close(wire, Direction::Down);
        self.handle(network, Input::LinkClosed { link: websocket.link })
    }

    pub(crate) fn handle(&mut self, network: &mut Network, input: Input) -> Outcome {
        self.session.handle(network.now, input);
        let mut told = Outcome::new();
        while let Some(output) = self.session.poll() {
            match output {
                Output::Ended(..) => told.push(Told::Ended),
                Output::Release => told.push(self.release(network)),
                other => self.carry_out(network, other),
            }
        }
        told
    }

    fn release(&self, network: &mut Network) -> Told {
        self.wires().for_each(|wire| network.close(wire, Direction::Down));
        Told::Released
    }

    /// All wires that this session holds.
    pub(crate) fn wires(&self) -> impl Iterator<Item = Wire> + use<> {
        let websocket = self.websocket.as_ref().map(|websocket| websocket.wire);
        websocket.into_iter().chain(self.get)
    }

    fn refuses_polling(&self) -> bool {
        self.session.admit(TransportName::Polling, false, Revision::Four).is_err()
    }

    fn packet(&mut self, network: &mut Network, link: Link, packet: &Packet<'_>) -> Outcome {
        let received = Received::from(packet);
        self.session.handle(network.now, Input::Packet { link, packet: received });
        let mut told = Outcome::new();
        while let Some(output) = self.session.poll() {
            match (output, packet) {
                (Output::Deliver, Packet::Message(message)) => told.push(message.into()),
                (Output::Ended(..), _) => told.push(Told::Ended),
                (Output::Release, _) => told.push(self.release(network)),
                (other, _) => self.carry_out(network, other),
            }
        }
        if matches!(packet, Packet::Pong(_)) && self.session.is_open() {
            told.push(Told::Pong);
        }
        told
    }

    fn carry_out(&mut self, network: &mut Network, output: Output) {
        match output {
            Output::Send(control) => {
                let packet = if control == Control::Ping { b"2" } else { b"3" };
                self.outbox.push_back(Frame::text(packet));
                self.flush(network);
            }
            Output::AnswerPoll(answer) => self.answer_poll(network, answer),
            Output::AnswerProbe => self.write(network, &Frame::text(b"3probe")),
            Output::CloseCandidate => {
                self.write(network, &Frame::close(None, ""));
                self.websocket = None;
            }
            Output::SwitchToCandidate => {
                self.websocket.as_mut().expect("a candidate").link = Link::Active;
                self.flush(network);
            }
            Output::CloseLink => {
                self.outbox.push_back(Frame::close(None, ""));
                self.flush(network);
            }
            other => panic!("{other:?} is for clients that break the rules"),
        }
    }

    fn answer_poll(&mut self, network: &mut Network, answer: PollAnswer) {
        let wire = self.get.take().expect("a GET waits");
        let mut payload = PayloadEncoder::new();
        match answer {
            PollAnswer::Queued => self.outbox.drain(..).for_each(|frame| payload.push(&frame)),
            PollAnswer::Noop => payload.push_text(b"6"),
            PollAnswer::Close => payload.push_text(b"1"),
            PollAnswer::NoopAndClose => {
                payload.push_text(b"6");
                payload.push_text(b"1");
            }
        }
        network.send(wire, Direction::Down, Event::GetAnswered(payload.finish()));
    }

    fn flush(&mut self, network: &mut Network) {
        if self.session.transport() == TransportName::Polling {
            if !self.outbox.is_empty() {
                self.handle(network, Input::Queued);
            }
            return;
        }
        for frame in std::mem::take(&mut self.outbox) {
            self.write(network, &frame);
        }
    }

    fn write(&self, network: &mut Network, frame: &Frame) {
        if let Some(websocket) = &self.websocket {
            network.send_bytes(websocket.wire, Direction::Down, frame.as_bytes());
        }
    }
}

/// Those that are there, under their ids.
pub(crate) type Sessions = BTreeMap<u32, ServerSession>;
