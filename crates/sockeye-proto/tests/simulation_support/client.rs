use std::collections::VecDeque;
use std::time::Duration;

use sockeye_proto::Moment;
use sockeye_proto::engine::{Packet, PayloadDecoder, PayloadEncoder, TransportName};
use sockeye_proto::websocket::{Decoder, Frame, Opcode, Role, encode_masked};

use super::network::{Event, Lane, Network};
use super::{Heard, Inbox, hear, numbered};

/// How the client upgrades, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Proper,
    /// It probes, and leaves it at that.
    Forgetful,
    /// It says something else on the candidate.
    Rude,
}

/// A tenth of a second until the server ends the GET, and two for the way.
const PAUSE: Duration = Duration::from_millis(200);

/// How far an upgrade is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    None,
    Probing,
    /// Since then it waits until its GET and its POST are done.
    Pausing(Moment),
}

/// A client that does what the official one does, as far as a server can tell.
pub(crate) struct Client {
    transport: TransportName,
    manner: Manner,
    upgrade: Upgrade,
    queue: VecDeque<Frame>,
    websocket: Option<Decoder>,
    getting: bool,
    posting: bool,
    pub(crate) sent: usize,
    pub(crate) inbox: Inbox,
    /// It neither says nor hears anything any more.
    pub(crate) over: bool,
}

impl Client {
    pub(crate) fn open(transport: TransportName, manner: Manner) -> Self {
        let websocket = transport == TransportName::WebSocket;
        Self {
            transport,
            manner,
            upgrade: Upgrade::None,
            queue: VecDeque::new(),
            websocket: websocket.then(|| Decoder::new(Role::Client)),
            getting: false,
            posting: false,
            sent: 0,
            inbox: Inbox::default(),
            over: false,
        }
    }

    pub(crate) fn is_polling(&self) -> bool {
        self.transport == TransportName::Polling
    }

    pub(crate) fn speak(&mut self, network: &mut Network) {
        if !self.over {
            self.say(network, numbered(self.sent));
            self.sent += 1;
        }
    }

    pub(crate) fn say(&mut self, network: &mut Network, packet: Frame) {
        self.queue.push_back(packet);
        self.go_on(network);
    }

    pub(crate) fn hang_up(&mut self, network: &mut Network) {
        if self.is_polling() {
            return self.say(network, Frame::text(b"1"));
        }
        self.over = true;
        send_frame(network, &Frame::close(None, ""));
    }

    pub(crate) fn abort_get(&mut self, network: &mut Network) {
        self.over = true;
        if self.getting {
            network.send(Lane::Gets, Event::GetAborted);
        }
    }

    pub(crate) fn abort_post(&mut self, network: &mut Network) {
        self.over = true;
        if self.is_polling() && !self.posting {
            network.send(Lane::Posts, Event::Post);
            network.send(Lane::Posts, Event::PostAborted);
        }
    }

    pub(crate) fn upgrade(&mut self, network: &mut Network) {
        if self.over || !self.is_polling() {
            return;
        }
        self.upgrade = Upgrade::Probing;
        self.websocket = Some(Decoder::new(Role::Client));
        network.send(Lane::Up, Event::WebSocketOpened);
        let first: &[u8] = if self.manner == Manner::Rude { b"4hello" } else { b"2probe" };
        send_frame(network, &Frame::text(first));
    }

    pub(crate) fn get_answered(&mut self, network: &mut Network, body: &[u8]) {
        self.getting = false;
        for packet in PayloadDecoder::new(str::from_utf8(body).expect("UTF-8")) {
            self.packet(network, &packet.expect("servers send packets"));
        }
        self.go_on(network);
    }

    pub(crate) fn post_answered(&mut self, network: &mut Network) {
        self.posting = false;
        self.go_on(network);
    }

    pub(crate) fn bytes(&mut self, network: &mut Network, bytes: Vec<u8>) {
        let Some(decoder) = &mut self.websocket else { return };
        for heard in hear(decoder, bytes) {
            match heard {
                Heard::Text(text) => {
                    self.packet(network, &Packet::decode(&text).expect("a packet"))
                }
                Heard::Binary(data) => self.packet(network, &Packet::binary(&data)),
                Heard::Close => {
                    network.send(Lane::Up, Event::ServerLosesWebSocket);
                    self.websocket_lost(network);
                }
            }
        }
        self.go_on(network);
    }

    /// The loss of a candidate costs nothing, unless it has already been switched to.
    pub(crate) fn websocket_lost(&mut self, network: &mut Network) {
        self.websocket = None;
        self.upgrade = Upgrade::None;
        self.over |= !self.is_polling();
        self.go_on(network);
    }

    fn packet(&mut self, network: &Network, packet: &Packet<'_>) {
        match packet {
            Packet::Message(message) => self.inbox.take(message),
            Packet::Ping("") => self.queue.push_back(Frame::text(b"3")),
            Packet::Pong("probe") if self.manner == Manner::Proper => {
                self.upgrade = Upgrade::Pausing(network.now);
            }
            Packet::Pong("probe") | Packet::Noop => {}
            Packet::Close => self.over = true,
            other => panic!("a server does not send {other:?}"),
        }
    }

    /// Does what can be done now.
    pub(crate) fn go_on(&mut self, network: &mut Network) {
        if self.over {
            return;
        }
        if self.is_polling()
            && let Upgrade::Pausing(since) = self.upgrade
        {
            if self.getting || self.posting {
                return;
            }
            assert!(network.now.since(since) < PAUSE, "the upgrade is held up");
            send_frame(network, &Frame::text(b"5"));
            self.transport = TransportName::WebSocket;
        }
        if self.is_polling() {
            self.go_on_polling(network);
        } else {
            self.queue.drain(..).for_each(|packet| send_frame(network, &packet));
        }
    }

    fn go_on_polling(&mut self, network: &mut Network) {
        if !std::mem::replace(&mut self.getting, true) {
            network.send(Lane::Gets, Event::Get);
        }
        if !self.posting && !self.queue.is_empty() {
            self.posting = true;
            let mut payload = PayloadEncoder::new();
            self.queue.drain(..).for_each(|packet| payload.push(&packet));
            network.send(Lane::Posts, Event::Post);
            network.send(Lane::Posts, Event::PostBody(payload.finish()));
        }
    }
}

fn send_frame(network: &mut Network, frame: &Frame) {
    let key = (network.random.below(1 << 32) as u32).to_be_bytes();
    let mut bytes = Vec::new();
    let opcode: Opcode = frame.opcode();
    encode_masked(&mut bytes, opcode, frame.payload(), key);
    network.send_bytes(Lane::Up, &bytes);
}
