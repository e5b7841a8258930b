//! Whole clients against whole servers on a virtual clock: the client's machines (session, namespaces,
//! reconnection) and the server's (sessions, namespaces, histories), and a network that delays, divides
//! anywhere, and cuts at any byte. It never reorders what is on one connection.
//!
//! Meanwhile the server crashes, puts clients out and refuses them, the client's process sleeps, and
//! its program leaves, joins and closes. Then it is calm, and everything must come in order.
//!
//! All of it follows from a seed. A run that fails prints it; `SEED=<n>` repeats that run alone, and
//! prints what happens in it.

mod client;
mod life;
mod member;
mod network;
mod program;
mod server;
mod sessions;
mod sockets;
mod wire;

use std::time::Duration;

use sockeye_proto::Moment;

use client::Client;
use member::Fate;
use network::{Arrival, Direction, Event, Network, Random};
use server::Server;

const SEEDS: u64 = 10_000;
/// When it is calm, in milliseconds.
const CALM: u64 = 1_500;
/// After which time both sides know of each cut.
const SILENCE: u64 = 600;
/// When it must be over.
const END: u64 = 10_000;
/// Time between two looks at it.
const CHECK: u64 = 50;
/// How many looks must find that nothing is left to be done: what is on the way has arrived then.
const LOOKS: u32 = 4;

struct World {
    network: Network,
    server: Server,
    client: Client,
    settled: u32,
}

/// How often things happened, for a test that is to test something.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    heard: u64,
    twice: u64,
    lost: u64,
    connected: u64,
    recovered: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let recovers = random.one_in(2);
        let max_payload = random.choose(&[100, 300, 100_000]);
        let mut network = Network::new(random);
        let client = Client::new(&mut network);
        let server = Server::new(recovers, max_payload);
        let mut world = Self { network, server, client, settled: 0 };
        world.plan();
        world
    }

    fn plan(&mut self) {
        let Self { network, .. } = self;
        for _ in 0..8 + network.random.below(24) {
            let name = network.random.below(2) as usize;
            network.plan_within(CALM, Event::ClientEmits(name));
        }
        for _ in 0..8 + network.random.below(24) {
            network.plan_within(CALM, Event::ServerEmits);
        }
        for _ in 0..network.random.below(6) {
            network.plan_within(CALM, Event::Fault);
        }
        for name in 0..2 {
            network.plan_within(100, Event::ClientJoins(name));
        }
        network.plan(CALM, Event::Calm);
        network.plan(CALM + SILENCE, Event::Check);
    }

    /// Lets time pass until nothing is left to be done.
    fn run(&mut self) {
        while self.settled < LOOKS {
            let Self { network, server, client, .. } = self;
            let arrival = network.next_moment().expect("somebody looks");
            assert!(arrival.as_millis() < END, "something is left to be done for ever");
            match (server.deadline(), client.deadline()) {
                (Some(deadline), other) if deadline <= arrival.min(other.unwrap_or(arrival)) => {
                    network.now = deadline.max(network.now);
                    server.deadline_passed(network);
                    let next = server.deadline();
                    assert!(next.is_none_or(|next| next > network.now), "time stands still");
                }
                (_, Some(deadline)) if deadline <= arrival && !self.oversleeps(arrival) => {
                    self.client_deadline(deadline);
                }
                _ => self.arrival(),
            }
        }
        self.client.finish(&mut self.network);
    }

    /// Who wakes up may first read, or first look at the clock.
    fn oversleeps(&mut self, arrival: Moment) -> bool {
        let woke = self.client.asleep_until == arrival;
        woke && self.network.random.one_in(2)
    }

    fn client_deadline(&mut self, deadline: Moment) {
        let Self { network, client, .. } = self;
        network.now = deadline.max(network.now);
        client.deadline_passed(network);
        assert!(client.deadline().is_none_or(|next| next > network.now), "time stands still");
    }

    fn arrival(&mut self) {
        let Self { network, client, .. } = self;
        let Some(arrival) = network.arrive() else { return };
        if client.asleep_until > network.now && is_for_client(&arrival) {
            return network.put_off(client.asleep_until, arrival);
        }
        self.happens(arrival);
    }

    fn happens(&mut self, arrival: Arrival) {
        let Self { network, server, client, .. } = self;
        network.tell((&arrival.wire, &arrival.event));
        match (arrival.event, arrival.wire) {
            (event, Some((wire, Direction::Up))) => server.arrival(network, wire, event),
            (event, Some((wire, Direction::Down))) => client.arrival(network, wire, event),
            (Event::ServerDecides(claim), _) => server.decide(network, &claim),
            (Event::ServerEmits, _) => server.emit(network),
            (Event::ServerAnswers { track, id, number }, _) => {
                server.answer(network, track, id, number);
            }
            (Event::ServerIsUp, _) => server.rise(),
            (Event::ClientEmits(name), _) => client.emit(network, name),
            (Event::ClientAnswers { name, answer, number }, _) => {
                client.answer(network, name, answer, number);
            }
            (Event::ClientKnowsAuth { name, request }, _) => {
                client.knows_auth(network, name, request);
            }
            (Event::ClientJoins(name), _) => client.join(network, name),
            (Event::ClientOpens, _) => client.open(network),
            (Event::ClientIsLate { name, id, number }, _) => client.is_late(name, id, number),
            (Event::ClientHasWritten { life }, _) => client.has_written(network, life),
            (Event::Fault, _) => self.fault(),
            (Event::Calm, _) => self.calm(),
            (Event::Check, _) => self.look(),
            (other, None) => panic!("{other:?} without a wire"),
        }
        self.client.flush(&mut self.network);
    }

    fn fault(&mut self) {
        let Self { network, server, client, .. } = self;
        let name = network.random.below(2) as usize;
        match network.random.below(9) {
            0..3 => {
                let (client_learns, server_learns) =
                    (!network.random.one_in(3), !network.random.one_in(3));
                client.wires().into_iter().for_each(|wire| {
                    network.cut(wire, client_learns, server_learns);
                });
            }
            3 => {
                let wires = client.wires();
                if !wires.is_empty() {
                    let wire = network.random.choose(&wires);
                    network.cut(wire, true, true);
                }
            }
            4 => server.crash(network),
            5 => {
                let length = Duration::from_millis(network.random.below(900));
                let until = network.now.after(length).max(client.asleep_until);
                client.asleep_until = until.min(Moment::from_millis(CALM));
            }
            6 => server.kick(network),
            7 => server.close_sessions(network),
            _ if network.random.one_in(3) => client.close(network),
            _ => client.leave(network, name),
        }
    }

    /// Nothing goes wrong any more, and the program wants to be everywhere.
    fn calm(&mut self) {
        let Self { network, client, .. } = self;
        network.calm = true;
        for name in 0..2 {
            client.join(network, name);
        }
        client.open(network);
    }

    fn look(&mut self) {
        let is_settled = self.client.members.iter().all(member::Member::is_settled);
        self.settled = if is_settled { self.settled + 1 } else { 0 };
        self.network.plan(CHECK, Event::Check);
    }

    /// Whatever happened, nothing is lost in silence that was sent on the last connection, or kept.
    fn check(&self, tally: &mut Tally) {
        for (member, heard) in self.client.members.iter().zip(&self.server.heard) {
            assert!(member.waiters.is_empty(), "{:?} wait for ever", member.waiters);
            for (number, (fate, is_retried)) in (0..).zip(&member.fates) {
                let times = heard.get(&number).copied().unwrap_or_default();
                match *fate {
                    Fate::Kept => panic!("{number} was kept for ever"),
                    Fate::Sent(connection) if connection == member.connections || *is_retried => {
                        assert!(times > 0, "{number} is lost");
                    }
                    Fate::Sent(_) | Fate::ToldLost => tally.lost += u64::from(times == 0),
                }
                tally.heard += u64::from(times > 0);
                tally.twice += u64::from(times > 1);
            }
        }
        tally.connected += u64::from(self.client.connected);
        tally.recovered += u64::from(self.client.recovered);
    }
}

fn is_for_client(arrival: &Arrival) -> bool {
    match (&arrival.event, arrival.wire) {
        (_, Some((_, direction))) => direction == Direction::Down,
        (
            Event::ClientEmits(_)
            | Event::ClientAnswers { .. }
            | Event::ClientKnowsAuth { .. }
            | Event::ClientJoins(_)
            | Event::ClientOpens
            | Event::ClientIsLate { .. }
            | Event::ClientHasWritten { .. },
            None,
        ) => true,
        _ => false,
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
fn clients_and_servers_agree_whatever_happens() {
    let only = std::env::var("SEED").map(|seed| seed.parse::<u64>().expect("SEED is a number"));
    let tells = only.is_ok();
    let seeds = only.map_or(1..=SEEDS, |seed| seed..=seed);
    let mut tally = Tally::default();
    for seed in seeds {
        let _replay = Replay(seed);
        let mut world = World::new(seed);
        world.network.tells = tells;
        world.run();
        world.check(&mut tally);
    }
    let Tally { heard, twice, lost, connected, recovered } = tally;
    let happened = [heard, twice, lost, connected, recovered];
    assert!(tells || happened.iter().all(|times| *times > SEEDS / 10), "{tally:?}");
}
