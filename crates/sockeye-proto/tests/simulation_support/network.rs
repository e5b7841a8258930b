use std::collections::BTreeMap;
use std::time::Duration;

use sockeye_proto::Moment;

/// What arrives somewhere, or is planned.
#[derive(Debug)]
pub(crate) enum Event {
    // At the server:
    Get,
    GetAborted,
    /// The head of a POST; its body follows, or it is aborted.
    Post,
    PostBody(Vec<u8>),
    PostAborted,
    WebSocketOpened,
    ToServer(Vec<u8>),
    ServerLosesWebSocket,
    // At the client:
    GetAnswered(Vec<u8>),
    PostAnswered,
    Refused,
    ToClient(Vec<u8>),
    ClientLosesWebSocket,
    // Of their own accord:
    ServerSpeaks,
    ClientSpeaks,
    ClientUpgrades,
    Fate,
    Silence,
}

/// What keeps its order on the way.
#[derive(Clone, Copy)]
pub(crate) enum Lane {
    Gets,
    Posts,
    Up,
    Down,
}

/// Carries events, each as late as it likes, and those of one lane in their order.
pub(crate) struct Network {
    pub(crate) now: Moment,
    agenda: BTreeMap<(Moment, u64), Event>,
    last: [Moment; 4],
    planned: u64,
    pub(crate) random: Random,
}

/// The longest delay; a heartbeat with its detours must fit into the time for a pong.
const DELAY_MILLISECONDS: u64 = 15;

impl Network {
    pub(crate) fn new(random: Random) -> Self {
        let (now, agenda) = (Moment::START, BTreeMap::new());
        Self { now, agenda, last: [now; 4], planned: 0, random }
    }

    /// Plans something at a moment.
    pub(crate) fn plan(&mut self, moment: Moment, event: Event) {
        self.planned += 1;
        self.agenda.insert((moment, self.planned), event);
    }

    pub(crate) fn send(&mut self, lane: Lane, event: Event) {
        let delay = Duration::from_millis(self.random.below(DELAY_MILLISECONDS));
        let last = &mut self.last[lane as usize];
        *last = self.now.after(delay).max(*last);
        let moment = *last;
        self.plan(moment, event);
    }

    /// Sends bytes that are cut anywhere on the way.
    pub(crate) fn send_bytes(&mut self, lane: Lane, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let length = 1 + self.random.below(40) as usize;
            let (chunk, rest) = bytes.split_at(length.min(bytes.len()));
            let chunk = chunk.to_vec();
            self.send(
                lane,
                match lane {
                    Lane::Up => Event::ToServer(chunk),
                    _ => Event::ToClient(chunk),
                },
            );
            bytes = rest;
        }
    }

    /// Breaks the WebSocket: of what is on the way only a part arrives, down to half a frame.
    pub(crate) fn cut(&mut self) {
        let Self { agenda, random, .. } = self;
        let mut lost = false;
        agenda.retain(|_, event| {
            let is_bytes = matches!(event, Event::ToServer(_) | Event::ToClient(_));
            lost |= is_bytes && random.below(4) == 0;
            !(is_bytes && lost)
        });
        self.send(Lane::Up, Event::ServerLosesWebSocket);
        self.send(Lane::Down, Event::ClientLosesWebSocket);
    }

    pub(crate) fn next_moment(&self) -> Option<Moment> {
        self.agenda.first_key_value().map(|((moment, _), _)| *moment)
    }

    pub(crate) fn arrive(&mut self) -> Option<Event> {
        let ((moment, _), event) = self.agenda.pop_first()?;
        self.now = moment;
        Some(event)
    }
}

/// Marsaglia's xorshift: good enough to choose, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Small seeds differ in few bits; the multiplication spreads them. Zero would stay zero.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.below(1);
        random
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn moment_before(&mut self, milliseconds: u64) -> Moment {
        Moment::from_millis(self.below(milliseconds))
    }

    pub(crate) fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
