use std::collections::BTreeMap;
use std::time::Duration;

use sockeye_proto::Moment;
use sockeye_proto::socket::{AcknowledgementId, AnswerTo, AuthRequest};

/// One of the two namespaces.
pub(crate) type Name = usize;

/// What arrives somewhere, or is planned.
#[derive(Debug)]
pub(crate) enum Event {
    // At the server, on a wire:
    Get {
        sid: Option<u32>,
    },
    /// Without a body if that was cut.
    Post {
        sid: u32,
        body: Option<Vec<u8>>,
    },
    WebSocketAsked {
        sid: Option<u32>,
    },
    ToServer(Vec<u8>),
    ServerLoses,
    // At the client, on a wire:
    GetAnswered(Vec<u8>),
    PostAnswered,
    WebSocketOpened,
    ToClient(Vec<u8>),
    ClientLoses,
    // Of the server's own accord:
    ServerDecides(Claim),
    ServerEmits,
    ServerAnswers {
        track: usize,
        id: AcknowledgementId,
        number: u32,
    },
    ServerIsUp,
    // Of the client's own accord:
    ClientEmits(Name),
    ClientAnswers {
        name: Name,
        answer: AnswerTo,
        number: u32,
    },
    ClientKnowsAuth {
        name: Name,
        request: AuthRequest,
    },
    ClientJoins(Name),
    ClientOpens,
    ClientIsLate {
        name: Name,
        id: AcknowledgementId,
        number: u32,
    },
    ClientHasWritten {
        life: u32,
    },
    // Of neither's:
    Fault,
    Calm,
    Check,
}

/// Who wants to be let in, and as whom.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) sid: u32,
    pub(crate) name: Name,
    pub(crate) pid: Option<String>,
    pub(crate) offset: Option<String>,
}

/// What keeps its order on the way: a WebSocket, or the GETs of a session, or its POSTs.
pub(crate) type Wire = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

#[derive(Clone, Copy)]
struct WireState {
    last: [Moment; 2],
    /// Nothing arrives any more, whatever is sent.
    cut: bool,
}

#[derive(Debug)]
struct Entry {
    on: Option<(Wire, Direction)>,
    event: Event,
}

/// Carries events, each as late as it likes, and those of one wire in their order.
pub(crate) struct Network {
    pub(crate) now: Moment,
    agenda: BTreeMap<(Moment, u64), Entry>,
    wires: Vec<WireState>,
    planned: u64,
    pub(crate) random: Random,
    /// Nothing goes wrong any more.
    pub(crate) calm: bool,
    /// Whether what happens is printed.
    pub(crate) tells: bool,
}

/// The longest delay, in milliseconds.
const DELAY: u64 = 15;

impl Network {
    pub(crate) fn new(random: Random) -> Self {
        Self {
            now: Moment::START,
            agenda: BTreeMap::new(),
            wires: Vec::new(),
            planned: 0,
            random,
            calm: false,
            tells: false,
        }
    }

    pub(crate) fn wire(&mut self) -> Wire {
        self.wires.push(WireState { last: [self.now; 2], cut: false });
        self.wires.len() - 1
    }

    /// Prints what happens, if somebody wants to read it.
    pub(crate) fn tell(&self, what: impl std::fmt::Debug) {
        if self.tells {
            eprintln!("{:5} {what:?}", self.now.as_millis());
        }
    }

    /// Plans something so many milliseconds from now.
    pub(crate) fn plan(&mut self, milliseconds: u64, event: Event) {
        let moment = self.now.after(Duration::from_millis(milliseconds));
        self.insert(moment, Entry { on: None, event });
    }

    /// Plans something within so many milliseconds from now.
    pub(crate) fn plan_within(&mut self, milliseconds: u64, event: Event) {
        let milliseconds = self.random.below(milliseconds);
        self.plan(milliseconds, event);
    }

    pub(crate) fn send(&mut self, wire: Wire, direction: Direction, event: Event) {
        if !self.wires[wire].cut {
            self.arrives(wire, direction, DELAY, event);
        }
    }

    /// Sends bytes that are divided anywhere on the way.
    pub(crate) fn send_bytes(&mut self, wire: Wire, direction: Direction, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let length = 1 + self.random.below(200) as usize;
            let (chunk, rest) = bytes.split_at(length.min(bytes.len()));
            let chunk = chunk.to_vec();
            let event = match direction {
                Direction::Up => Event::ToServer(chunk),
                Direction::Down => Event::ToClient(chunk),
            };
            self.send(wire, direction, event);
            bytes = rest;
        }
    }

    /// Cuts a wire: what is on the way arrives up to some byte. Whether the two sides learn of it
    /// is another question.
    pub(crate) fn cut(&mut self, wire: Wire, client_learns: bool, server_learns: bool) {
        if std::mem::replace(&mut self.wires[wire].cut, true) {
            return;
        }
        for direction in [Direction::Up, Direction::Down] {
            self.lose_from_some_byte_on(wire, direction);
        }
        if client_learns {
            self.arrives(wire, Direction::Down, 20 * DELAY, Event::ClientLoses);
        }
        if server_learns {
            self.arrives(wire, Direction::Up, 20 * DELAY, Event::ServerLoses);
        }
    }

    fn lose_from_some_byte_on(&mut self, wire: Wire, direction: Direction) {
        let Self { agenda, random, .. } = self;
        let is_on_it = |entry: &Entry| entry.on == Some((wire, direction));
        let on_it = agenda.iter().filter(|(_, entry)| is_on_it(entry)).map(|(key, _)| *key);
        let mut on_it: Vec<_> = on_it.collect();
        // What was put off is behind in time, but not in order.
        on_it.sort_unstable_by_key(|(_, place)| *place);
        let arrive = random.below(on_it.len() as u64 + 1) as usize;
        for (index, key) in on_it.into_iter().enumerate().skip(arrive) {
            let is_last = index == arrive;
            let is_left = |entry: &mut Entry| is_last && is_left_of(&mut entry.event, random);
            if !agenda.get_mut(&key).is_some_and(is_left) {
                agenda.remove(&key);
            }
        }
    }

    /// One side lets go of a wire, and the other one is told behind what is on the way.
    pub(crate) fn close(&mut self, wire: Wire, towards: Direction) {
        let event = match towards {
            Direction::Up => Event::ServerLoses,
            Direction::Down => Event::ClientLoses,
        };
        self.send(wire, towards, event);
    }

    /// Puts an event off that arrived at somebody who sleeps. It keeps its place.
    pub(crate) fn put_off(&mut self, until: Moment, arrival: Arrival) {
        let Arrival { place, wire, event } = arrival;
        self.agenda.insert((until, place), Entry { on: wire, event });
    }

    pub(crate) fn next_moment(&self) -> Option<Moment> {
        self.agenda.first_key_value().map(|((moment, _), _)| *moment)
    }

    pub(crate) fn arrive(&mut self) -> Option<Arrival> {
        let ((moment, place), Entry { on, event }) = self.agenda.pop_first()?;
        self.now = moment;
        Some(Arrival { place, wire: on, event })
    }

    fn arrives(&mut self, wire: Wire, direction: Direction, delay: u64, event: Event) {
        let delay = Duration::from_millis(self.random.below(delay));
        let last = &mut self.wires[wire].last[direction as usize];
        *last = self.now.after(delay).max(*last);
        let moment = *last;
        self.insert(moment, Entry { on: Some((wire, direction)), event });
    }

    fn insert(&mut self, moment: Moment, entry: Entry) {
        self.planned += 1;
        self.agenda.insert((moment, self.planned), entry);
    }
}

/// Whether some of it is left when the wire is cut right there.
fn is_left_of(event: &mut Event, random: &mut Random) -> bool {
    match event {
        Event::ToServer(bytes) | Event::ToClient(bytes) => {
            bytes.truncate(random.below(bytes.len() as u64) as usize);
            !bytes.is_empty()
        }
        Event::Post { body, .. } => {
            *body = None;
            true
        }
        _ => false,
    }
}

/// What has arrived.
pub(crate) struct Arrival {
    place: u64,
    pub(crate) wire: Option<(Wire, Direction)>,
    pub(crate) event: Event,
}

/// Marsaglia's xorshift: good enough to choose, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Small seeds differ in few bits; the multiplication spreads them. Zero would stay zero.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
