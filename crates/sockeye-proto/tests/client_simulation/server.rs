use std::collections::BTreeMap;
use std::time::Duration;

use sockeye_proto::Moment;
use sockeye_proto::engine::{Input, TransportName};
use sockeye_proto::socket::{
    Action, ConnectionLimits, Encoded, History, Packet, PendingAcknowledgements,
};

use super::network::{Claim, Event, Name, Network, Wire};
use super::sessions::{ServerSession, Sessions, Told};

pub(crate) const NAMES: [&str; 2] = ["/", "/chat"];
pub(crate) const LIMITS: ConnectionLimits = ConnectionLimits {
    namespaces: 2,
    auth_bytes: 1 << 20,
    connect_timeout: Duration::from_secs(45),
    attachment_timeout: Duration::from_secs(10),
};

/// A socket, from its first connection to the end of its last one.
pub(crate) struct Track {
    pub(crate) name: Name,
    /// On which session it is; `None` while it is away.
    pub(crate) on: Option<u32>,
    /// It cannot come back.
    pub(crate) over: bool,
    pub(crate) next: u32,
    pub(crate) history: History<Encoded>,
    pub(crate) questions: PendingAcknowledgements<u32>,
    /// The last numbers that it heard.
    pub(crate) last: [Option<u32>; 2],
}

impl Track {
    pub(crate) fn new(name: Name) -> Self {
        Self {
            name,
            on: None,
            over: false,
            next: 0,
            history: History::default(),
            questions: PendingAcknowledgements::default(),
            last: [None; 2],
        }
    }
}

/// A Socket.IO server that counts, asks, answers, and sometimes says no.
pub(crate) struct Server {
    pub(crate) sessions: Sessions,
    pub(crate) tracks: Vec<Track>,
    pub(crate) next_sid: u32,
    pub(crate) next_offset: u64,
    pub(crate) next_question: u32,
    pub(crate) next_id: u64,
    /// Sockets may come back.
    pub(crate) recovers: bool,
    pub(crate) max_payload: usize,
    pub(crate) is_up: bool,
    /// How often each number was heard, for each namespace.
    pub(crate) heard: [BTreeMap<u32, u32>; 2],
}

impl Server {
    pub(crate) fn new(recovers: bool, max_payload: usize) -> Self {
        Self {
            sessions: Sessions::new(),
            tracks: Vec::new(),
            next_sid: 0,
            next_offset: 0,
            next_question: 0,
            next_id: 0,
            recovers,
            max_payload,
            is_up: true,
            heard: [BTreeMap::new(), BTreeMap::new()],
        }
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.sessions.values().filter_map(|session| session.session.deadline()).min()
    }

    pub(crate) fn deadline_passed(&mut self, network: &mut Network) {
        let late = |session: &ServerSession| {
            session.session.deadline().is_some_and(|deadline| deadline <= network.now)
        };
        let late: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| late(session))
            .map(|(sid, _)| *sid)
            .collect();
        for sid in late {
            self.handle(network, sid, Input::DeadlinePassed);
        }
    }

    /// What arrives on a wire.
    pub(crate) fn arrival(&mut self, network: &mut Network, wire: Wire, event: Event) {
        match event {
            Event::Get { sid } => self.get(network, wire, sid),
            Event::Post { sid, body } => {
                self.on_session(network, wire, sid, |session, network| {
                    session.post(network, wire, body)
                });
            }
            Event::WebSocketAsked { sid: None } if self.is_up => {
                self.open(network, TransportName::WebSocket, wire);
            }
            Event::WebSocketAsked { sid } => {
                let sid = sid.unwrap_or(u32::MAX);
                self.on_session(network, wire, sid, |session, network| {
                    session.candidate(network, wire)
                });
            }
            Event::ToServer(bytes) => {
                let Some(sid) = self.holder(wire) else { return };
                self.on_session(network, wire, sid, |session, network| {
                    session.bytes(network, wire, bytes)
                });
            }
            Event::ServerLoses => {
                let Some(sid) = self.holder(wire) else { return };
                self.on_session(network, wire, sid, |session, network| session.lost(network, wire));
            }
            other => panic!("{other:?} is not for the server"),
        }
    }

    pub(crate) fn holder(&self, wire: Wire) -> Option<u32> {
        let mut sessions = self.sessions.iter();
        let holder = sessions.find(|(_, session)| session.wires().any(|known| known == wire));
        holder.map(|(sid, _)| *sid)
    }

    pub(crate) fn get(&mut self, network: &mut Network, wire: Wire, sid: Option<u32>) {
        match sid {
            None if self.is_up => self.open(network, TransportName::Polling, wire),
            sid => {
                let sid = sid.unwrap_or(u32::MAX);
                self.on_session(network, wire, sid, |session, network| session.get(network, wire));
            }
        }
    }

    pub(crate) fn open(&mut self, network: &mut Network, transport: TransportName, wire: Wire) {
        self.next_sid += 1;
        let mut session = ServerSession::new(network.now, transport, wire);
        session.open(network, self.next_sid, wire, self.max_payload);
        self.sessions.insert(self.next_sid, session);
    }

    /// Whoever asks for a session that is not there is refused.
    pub(crate) fn on_session(
        &mut self,
        network: &mut Network,
        wire: Wire,
        sid: u32,
        act: impl FnOnce(&mut ServerSession, &mut Network) -> Vec<Told>,
    ) {
        match self.sessions.get_mut(&sid) {
            Some(session) => {
                let told = act(session, network);
                self.told(network, sid, told);
            }
            None => network.close(wire, super::network::Direction::Down),
        }
    }

    pub(crate) fn handle(&mut self, network: &mut Network, sid: u32, input: Input) {
        if let Some(session) = self.sessions.get_mut(&sid) {
            let told = session.handle(network, input);
            self.told(network, sid, told);
        }
    }

    pub(crate) fn told(&mut self, network: &mut Network, sid: u32, told: Vec<Told>) {
        for told in told {
            let Some(session) = self.sessions.get_mut(&sid) else { return };
            match told {
                Told::Text(text) => {
                    let packet = session.decoder.text(&text, 10).expect("clients write packets");
                    if let Some(packet) = packet {
                        self.packet(network, sid, packet);
                    }
                }
                Told::Binary(data) => {
                    let packet = session.decoder.binary(&data).expect("it was announced");
                    if let Some(packet) = packet {
                        self.packet(network, sid, packet.packet());
                    }
                }
                Told::Pong => {
                    for track in session.namespaces.sockets() {
                        self.tracks[*track].history.confirm();
                    }
                }
                Told::Ended => self.ended(sid),
                Told::Released => drop(self.sessions.remove(&sid)),
            }
        }
    }

    /// Whoever was on it is away, and may come back.
    pub(crate) fn ended(&mut self, sid: u32) {
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        for track in session.namespaces.close() {
            self.tracks[track].on = None;
            self.tracks[track].over |= !self.recovers;
        }
    }

    pub(crate) fn packet(&mut self, network: &mut Network, sid: u32, packet: Packet<'_>) {
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        match session.namespaces.receive(&packet, &LIMITS) {
            Ok(Action::Connect { namespace, auth }) => {
                let name = usize::from(namespace != NAMES[0]);
                assert_eq!(namespace, NAMES[name]);
                let auth: BTreeMap<String, String> = auth
                    .map_or_else(BTreeMap::new, |auth| serde_json::from_str(auth).expect("text"));
                let (pid, offset) = (auth.get("pid").cloned(), auth.get("offset").cloned());
                let claim = Claim { sid, name, pid, offset };
                network.plan_within(20, Event::ServerDecides(claim));
            }
            Ok(Action::Event { socket, name, id, arguments }) => {
                let track = *socket;
                self.heard(network, track, name, id, arguments);
            }
            Ok(Action::Acknowledgement { socket, id, arguments }) => {
                let question = self.tracks[*socket].questions.take(id);
                let number: u32 = arguments.decode().expect("a number");
                assert!(question.is_none_or(|question| question == number), "a wrong answer");
            }
            Ok(Action::Left(track)) => {
                self.tracks[track].on = None;
                self.tracks[track].over = true;
            }
            Ok(Action::Ignore) => panic!("a client says nothing twice"),
            Ok(Action::TooManyNamespaces { .. } | Action::AuthTooLong { .. }) => {
                panic!("there are only two, with little to say")
            }
            Err(violation) => {
                assert!(session.has_kicked, "{violation}");
                self.handle(network, sid, Input::Close);
            }
        }
    }

    pub(crate) fn close_sessions(&mut self, network: &mut Network) {
        let sids: Vec<u32> = self.sessions.keys().copied().collect();
        for sid in sids {
            self.handle(network, sid, Input::Close);
        }
    }

    /// It goes down, and forgets everything; ids begin anew.
    pub(crate) fn crash(&mut self, network: &mut Network) {
        let learns = !network.random.one_in(4);
        for session in std::mem::take(&mut self.sessions).into_values() {
            session.wires().for_each(|wire| network.cut(wire, learns, false));
        }
        for track in &mut self.tracks {
            track.on = None;
            track.over = true;
        }
        self.next_id = 0;
        self.is_up = false;
        network.plan_within(400, Event::ServerIsUp);
    }

    pub(crate) fn rise(&mut self) {
        self.is_up = true;
    }
}
