//! Whole sessions on a virtual clock: a server on the session machine, a client, and a link that
//! delays, cuts and loses.
//!
//! All of it follows from a seed. A run that fails prints it; `SEED=<n>` repeats that run alone.

mod simulation_support;

use sockeye_proto::Moment;
use sockeye_proto::engine::{CloseReason, TransportName};
use sockeye_proto::websocket::Frame;

use simulation_support::client::{Client, Manner};
use simulation_support::network::{Event, Lane, Network, Random};
use simulation_support::server::Server;

const SEEDS: u64 = 10_000;
/// Messages that each side says.
const MESSAGES: u64 = 12;
/// When the last message is said and the fate is sealed, in milliseconds.
const TALK: u64 = 1_500;
/// When whoever is still there falls silent.
const SILENCE: u64 = 4_000;
/// More than any session takes.
const MOST_EVENTS: usize = 20_000;

/// What happens to the session at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    ServerCloses,
    ClientCloses,
    ClientFallsSilent,
    GetIsAborted,
    PostIsAborted,
    SecondGet,
    Nonsense,
    WebSocketIsCut,
}

const FATES: [Fate; 8] = [
    Fate::ServerCloses,
    Fate::ClientCloses,
    Fate::ClientFallsSilent,
    Fate::GetIsAborted,
    Fate::PostIsAborted,
    Fate::SecondGet,
    Fate::Nonsense,
    Fate::WebSocketIsCut,
];

impl Fate {
    /// What the application may be told. A fate that finds nothing to act on, such as a GET over
    /// WebSocket, ends in silence.
    fn reasons(self) -> &'static [CloseReason] {
        use CloseReason::{ForcedClose, ParseError, PingTimeout, TransportClose, TransportError};
        match self {
            Self::ServerCloses => &[ForcedClose],
            Self::ClientCloses | Self::WebSocketIsCut => &[TransportClose, PingTimeout],
            Self::ClientFallsSilent => &[PingTimeout],
            Self::GetIsAborted | Self::PostIsAborted | Self::SecondGet => {
                &[TransportError, PingTimeout]
            }
            Self::Nonsense => &[ParseError],
        }
    }
}

struct World {
    network: Network,
    server: Server,
    client: Client,
    fate: Fate,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let transport = random.choose(&[
            TransportName::Polling,
            TransportName::Polling,
            TransportName::WebSocket,
        ]);
        let manner =
            random.choose(&[Manner::Proper, Manner::Proper, Manner::Forgetful, Manner::Rude]);
        let fate = random.choose(&FATES);
        let server = Server::open(transport);
        let client = Client::open(transport, manner);
        let mut world = Self { network: Network::new(random), server, client, fate };
        world.plan();
        world
    }

    fn plan(&mut self) {
        for _ in 0..MESSAGES {
            self.plan_before(TALK, Event::ServerSpeaks);
            self.plan_before(TALK, Event::ClientSpeaks);
        }
        // In half of the runs too late to happen.
        self.plan_before(2 * TALK, Event::ClientUpgrades);
        self.plan_before(TALK, Event::Fate);
        self.network.plan(Moment::from_millis(SILENCE), Event::Silence);
    }

    fn plan_before(&mut self, milliseconds: u64, event: Event) {
        let moment = self.network.random.moment_before(milliseconds);
        self.network.plan(moment, event);
    }

    /// Lets time pass until nothing is left to happen.
    fn run(&mut self) {
        self.client.go_on(&mut self.network);
        for _ in 0..MOST_EVENTS {
            let arrival = self.network.next_moment();
            match (self.server.deadline(), arrival) {
                (Some(deadline), arrival) if arrival.is_none_or(|arrival| deadline <= arrival) => {
                    self.network.now = deadline;
                    self.server.deadline_passed(&mut self.network);
                }
                (_, None) => return,
                (_, Some(_)) => self.arrival(),
            }
        }
        panic!("the session goes on for ever");
    }

    fn arrival(&mut self) {
        let Self { network, server, client, .. } = self;
        match network.arrive() {
            Some(Event::Get) => server.get(network),
            Some(Event::GetAborted) => server.get_aborted(network),
            Some(Event::Post) => server.post(network),
            Some(Event::PostBody(body)) => server.post_body(network, &body),
            Some(Event::PostAborted) => server.post_aborted(network),
            Some(Event::WebSocketOpened) => server.websocket_opened(network),
            Some(Event::ToServer(bytes)) => server.bytes(network, bytes),
            Some(Event::ServerLosesWebSocket) => server.websocket_lost(network),
            Some(Event::ServerSpeaks) => server.speak(network),
            Some(Event::Fate) => self.seal(),
            Some(_) if client.over => {}
            Some(Event::GetAnswered(body)) => client.get_answered(network, &body),
            Some(Event::PostAnswered) => client.post_answered(network),
            Some(Event::ToClient(bytes)) => client.bytes(network, bytes),
            Some(Event::ClientLosesWebSocket) => client.websocket_lost(network),
            Some(Event::ClientSpeaks) => client.speak(network),
            Some(Event::ClientUpgrades) => client.upgrade(network),
            Some(Event::Refused | Event::Silence) => client.over = true,
            None => {}
        }
    }

    fn seal(&mut self) {
        let Self { network, server, client, fate } = self;
        match fate {
            Fate::ServerCloses => server.close(network),
            Fate::ClientCloses => client.hang_up(network),
            Fate::ClientFallsSilent => client.over = true,
            Fate::GetIsAborted => client.abort_get(network),
            Fate::PostIsAborted => client.abort_post(network),
            Fate::SecondGet if client.is_polling() => network.send(Lane::Gets, Event::Get),
            Fate::SecondGet => {}
            Fate::Nonsense => client.say(network, Frame::text(b"x")),
            Fate::WebSocketIsCut => network.cut(),
        }
    }

    fn check(&self) {
        let Self { server, client, fate, .. } = self;
        assert!(server.released, "every session is released");
        let reason = server.ended.expect("the application is told");
        assert!(fate.reasons().contains(&reason), "{fate:?} ended with {reason:?}");
        assert!(client.inbox.taken() <= server.sent && server.inbox.taken() <= client.sent);
        if *fate == Fate::ServerCloses {
            assert_eq!(client.inbox.taken(), server.sent, "what was queued is sent before the end");
        }
    }
}

/// Tells how to repeat a run that fails.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SEED={}", self.0);
        }
    }
}

#[test]
fn sessions_keep_order_and_end_whatever_happens() {
    let only = std::env::var("SEED").map(|seed| seed.parse::<u64>().expect("SEED is a number"));
    let seeds = only.map_or(1..=SEEDS, |seed| seed..=seed);
    for seed in seeds {
        let _replay = Replay(seed);
        let mut world = World::new(seed);
        world.run();
        world.check();
    }
}
