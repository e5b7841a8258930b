use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use sockeye_proto::Moment;
use sockeye_proto::socket::{
    Action, Connection, ConnectionLimits, Decoder, Packet, Payload, Violation,
};

const LIMITS: ConnectionLimits = ConnectionLimits {
    namespaces: 3,
    auth_bytes: 1 << 20,
    connect_timeout: Duration::from_secs(45),
    attachment_timeout: Duration::from_secs(10),
};

/// Any packets, decisions and departures on one Socket.IO connection, while time goes on.
pub fn connection(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let mut watched = Watched::new();
    while !data.is_empty() {
        let Ok(operation) = data.arbitrary() else { break };
        watched.apply(operation);
    }
    watched.close();
}

/// One thing that happens.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Receive {
        packet: Kind,
        namespace: Name,
    },
    /// The oldest decision that is still to be made, or another one.
    Decide {
        which: u8,
        accept: bool,
    },
    Leave {
        namespace: Name,
    },
    Wait {
        milliseconds: u16,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Connect { auth: bool },
    Disconnect,
    Event { acknowledged: bool },
    Acknowledgement { id: bool },
    ConnectError,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    Root,
    One,
    Two,
    Three,
    Four,
}

impl Name {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::One => "/one",
            Self::Two => "/two",
            Self::Three => "/three",
            Self::Four => "/four",
        }
    }
}

impl Kind {
    fn text(self, namespace: Name) -> String {
        let (kind, payload) = match self {
            Self::Connect { auth: true } => ("0", "{\"token\":1}"),
            Self::Connect { auth: false } => ("0", ""),
            Self::Disconnect => ("1", ""),
            Self::Event { acknowledged: true } => ("2", "7[\"event\",1]"),
            Self::Event { acknowledged: false } => ("2", "[\"event\",1]"),
            Self::Acknowledgement { id: true } => ("3", "7[]"),
            Self::Acknowledgement { id: false } => ("3", "[]"),
            Self::ConnectError => ("4", "{}"),
        };
        format!("{kind}{},{payload}", namespace.as_str())
    }
}

/// A socket, as its driver would hold it.
type Socket = (&'static str, u32);

/// What the client is to a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Connecting,
    Connected(Socket),
}

/// A connection, and what its driver knows about it.
struct Watched {
    machine: Connection<Socket>,
    now: Moment,
    joined_once: bool,
    timed_out: bool,
    standings: BTreeMap<&'static str, Standing>,
    /// What the application is asked, and has not answered.
    undecided: Vec<&'static str>,
    made: u32,
}

impl Watched {
    fn new() -> Self {
        Self {
            machine: Connection::new(Moment::START, &LIMITS),
            now: Moment::START,
            joined_once: false,
            timed_out: false,
            standings: BTreeMap::new(),
            undecided: Vec::new(),
            made: 0,
        }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Receive { packet, namespace } => self.receive(packet, namespace),
            Operation::Decide { which, accept } => self.decide(which.into(), accept),
            Operation::Leave { namespace } => self.leave(namespace.as_str()),
            Operation::Wait { milliseconds } => self.wait(milliseconds),
        }
        self.check();
    }

    fn receive(&mut self, kind: Kind, namespace: Name) {
        let text = kind.text(namespace);
        let packet = Decoder::new().text(&text, 0).expect("a packet").expect("without attachments");
        let namespace = namespace.as_str();
        assert_eq!(packet.namespace, namespace);
        let standing = self.standings.get(namespace).copied();
        match (kind, standing) {
            (Kind::ConnectError, _) => self.is_violation(packet, Violation::ServerPacket),
            (Kind::Connect { .. }, Some(Standing::Connected(_))) => {
                self.is_violation(packet, Violation::AlreadyConnected);
            }
            (Kind::Connect { .. }, Some(Standing::Connecting)) => self.is_ignored(packet),
            (Kind::Connect { .. }, None) => self.connects(packet, namespace),
            (_, Some(Standing::Connected(socket))) => self.is_for(packet, socket),
            _ => self.is_violation(packet, Violation::NotConnected),
        }
    }

    fn is_violation(&mut self, packet: Packet<'_>, expected: Violation) {
        assert_eq!(self.machine.receive(&packet, &LIMITS).err(), Some(expected));
    }

    fn is_ignored(&mut self, packet: Packet<'_>) {
        let action = self.machine.receive(&packet, &LIMITS);
        assert!(matches!(action, Ok(Action::Ignore)), "{action:?}");
    }

    fn connects(&mut self, packet: Packet<'_>, namespace: &'static str) {
        match self.machine.receive(&packet, &LIMITS).expect("CONNECT is allowed") {
            Action::Connect { namespace: asked, .. } => {
                assert_eq!(asked, namespace);
                self.undecided.push(namespace);
                self.standings.insert(namespace, Standing::Connecting);
            }
            Action::TooManyNamespaces { namespace: asked } => {
                assert_eq!(asked, namespace);
                assert!(self.places_taken() >= LIMITS.namespaces, "there is room");
            }
            other => panic!("{other:?}"),
        }
    }

    fn is_for(&mut self, packet: Packet<'_>, expected: Socket) {
        let (asked_id, is_event) = (packet.id, matches!(packet.payload, Payload::Event { .. }));
        match self.machine.receive(&packet, &LIMITS).expect("the client is in the namespace") {
            Action::Event { socket, id, name, arguments } => {
                assert!(is_event);
                assert_eq!((*socket, id, name), (expected, asked_id, "event"));
                assert_eq!(arguments.decode::<u8>().ok(), Some(1));
            }
            Action::Acknowledgement { socket, id, .. } => {
                assert_eq!((*socket, Some(id)), (expected, asked_id));
            }
            Action::Left(socket) => {
                assert_eq!(socket, expected, "another socket left");
                self.standings.remove(expected.0);
            }
            Action::Ignore => assert_eq!(asked_id, None),
            other => panic!("{other:?}"),
        }
    }

    fn decide(&mut self, which: usize, accept: bool) {
        if self.undecided.is_empty() {
            return;
        }
        let namespace = self.undecided.remove(which % self.undecided.len());
        let is_awaited = self.standings.get(namespace) == Some(&Standing::Connecting);
        if accept {
            self.made += 1;
            let socket = (namespace, self.made);
            assert_eq!(self.machine.accept(namespace, socket), is_awaited);
            if is_awaited {
                self.joined_once = true;
                self.standings.insert(namespace, Standing::Connected(socket));
            }
        } else {
            assert_eq!(self.machine.refuse(namespace), is_awaited);
            if is_awaited {
                self.standings.remove(namespace);
            }
        }
    }

    /// Who is put out while joining need not be decided about any more.
    fn leave(&mut self, namespace: &'static str) {
        self.undecided.retain(|undecided| *undecided != namespace);
        let expected = match self.standings.remove(namespace) {
            Some(Standing::Connected(socket)) => Some(socket),
            Some(Standing::Connecting) | None => None,
        };
        assert_eq!(self.machine.leave(namespace), expected);
    }

    fn wait(&mut self, milliseconds: u16) {
        self.now = self.now.after(Duration::from_millis(milliseconds.into()));
        let limit = Moment::START.after(LIMITS.connect_timeout);
        let is_late = !self.joined_once && !self.timed_out && self.now >= limit;
        self.timed_out |= is_late;
        let expected = if is_late { Err(Violation::ConnectTimeout) } else { Ok(()) };
        assert_eq!(self.machine.deadline_passed(self.now), expected);
    }

    /// Namespaces that the client is in or joining, and those that it gave up but the
    /// application still thinks about: they cost the same.
    fn places_taken(&self) -> usize {
        let given_up = |name: &&&str| !self.standings.contains_key(**name);
        self.standings.len() + self.undecided.iter().filter(given_up).count()
    }

    fn check(&self) {
        let connected = self.standings.values().filter_map(|standing| match standing {
            Standing::Connected(socket) => Some(*socket),
            Standing::Connecting => None,
        });
        let mut sockets: Vec<Socket> = self.machine.sockets().copied().collect();
        sockets.sort_unstable();
        assert!(connected.eq(sockets), "a socket is lost, or in a namespace twice");
        assert!(self.places_taken() <= LIMITS.namespaces, "namespaces are limited");
        let mut undecided = self.undecided.clone();
        undecided.sort_unstable();
        undecided.dedup();
        assert_eq!(undecided.len(), self.undecided.len(), "one question is asked twice at a time");
        let deadline = self.machine.deadline();
        assert_eq!(deadline.is_none(), self.joined_once || self.timed_out);
    }

    fn close(&mut self) {
        let on_it: Vec<Socket> = self.machine.sockets().copied().collect();
        let closed: Vec<Socket> = self.machine.close().collect();
        assert_eq!(closed, on_it);
        assert_eq!(self.machine.sockets().count(), 0);
        assert_eq!(self.machine.deadline(), None);
    }
}
