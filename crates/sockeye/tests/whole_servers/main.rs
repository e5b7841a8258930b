//! Whole servers on a virtual clock: a real `Server` behind real HTTP, and clients written by hand, over
//! connections in memory that are late, stand still, and break at any byte. Clients poll, change to
//! WebSocket, come back to where they were or as somebody new, and leave in every way; the program emits,
//! asks, moves them about, and puts them out; at last it drains or closes.
//!
//! A ledger that shares no code with the server knows what ought to happen. It holds that
//!
//! * I1 no event comes out of order, and I2 none comes twice, in either direction;
//! * I3 who is told that it is recovered has missed nothing;
//! * I4 what was emitted arrives, or its connection ended, or it was refused or counted as dropped;
//! * I5 each connect has one disconnect;
//! * I6 an event is for who was in the room when it was emitted, and I7 nobody gets what is another's;
//! * I8 no more is queued than may be;
//! * I9 in the end nothing is left: no counter, no task, no memory of the server;
//! * I10 nothing panics.
//!
//! Everything runs on one thread and follows from a seed: the same one twice is the same run. What the
//! simulation leaves out are plain TCP sockets, to which a server also writes outside its driver. A run that
//! fails prints its seed; `SEED=<n> cargo test -p sockeye --test whole_servers whatever` repeats that run alone, and
//! prints what happens in it; `SEED=<n>-<m>` are the runs from here to there. With `SOCKEYE_LONG=1` there are many more runs (use `--release`).

#![cfg(feature = "server")]

mod client;
mod ledger;
mod program;
mod random;
mod trace;
mod transport;
mod wire;

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sockeye::{ConnectionStateRecovery, Metrics, Namespace, Server, ServerBuilder};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use client::Client;
use ledger::{Ledger, Tally};
use program::{Emitter, NAMESPACES, Phase, World, handle};
use random::Random;
use trace::Trace;
use transport::Network;

/// How many runs there are, and how many where there is time.
const SEEDS: u64 = 150;
const LONG_SEEDS: u64 = 100_000;
/// No more are begun after this.
const LONGEST: Duration = Duration::from_secs(1_800);
/// How many of them are repeated, to see that they are the same.
const REPEATED: u64 = 10;

/// After how many runs that failed no more are made.
const FAILURES: usize = 5;

/// What a run was like.
struct Outcome {
    trace: u64,
    tally: Tally,
    metrics: Metrics,
    failures: Vec<String>,
}

/// The settings of a run.
struct Settings {
    recovers: bool,
    connect_first: bool,
    window: Duration,
    max_packets: usize,
    max_bytes: usize,
    max_buffered: usize,
    clients: u64,
    emitters: u64,
    /// Nothing goes wrong: then sums are exact.
    calm: bool,
}

impl Settings {
    fn draw(random: &mut Random) -> Self {
        Self {
            recovers: random.one_in(2),
            connect_first: random.one_in(2),
            window: Duration::from_millis(random.choose(&[300, 1_000])),
            max_packets: random.choose(&[20, 10_000, 10_000]),
            max_bytes: random.choose(&[50_000, 64 << 20, 64 << 20]),
            max_buffered: random.choose(&[60_000, 100_000, 1_000_000]),
            clients: 2 + random.below(4),
            emitters: 1 + random.below(2),
            calm: random.one_in(8),
        }
    }

    fn server(&self, random: &mut Random) -> ServerBuilder {
        let ids = AtomicU64::new(0);
        let io = Server::builder()
            .ping_interval(Duration::from_millis(300))
            .ping_timeout(Duration::from_millis(random.choose(&[100, 250])))
            .upgrade_timeout(Duration::from_millis(random.choose(&[20, 500])))
            .connect_timeout(Duration::from_millis(500))
            .max_buffered_bytes(self.max_buffered)
            .max_running_handlers(random.choose(&[1, 3, 256]))
            .http_compression(None)
            .generate_id(move |_| {
                let id = ids.fetch_add(1, Ordering::Relaxed);
                std::future::ready(Ok::<_, sockeye::IdGenerationError>(format!("session{id:013}")))
            });
        if !self.recovers {
            return io;
        }
        let recovery = ConnectionStateRecovery::new()
            .max_disconnection_duration(self.window)
            .max_packets(self.max_packets)
            .max_bytes(self.max_bytes)
            .connect_first(self.connect_first);
        io.connection_state_recovery(recovery)
    }
}

/// One run, in a runtime of its own whose clock stands still while there is something to do.
fn run(seed: u64, tells: bool) -> Outcome {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    PANICS.set(0);
    let mut outcome = runtime.block_on(live(seed, tells));
    if PANICS.get() > 0 {
        outcome.failures.push(format!("I10: {} panics", PANICS.get()));
    }
    outcome
}

async fn live(seed: u64, tells: bool) -> Outcome {
    let mut random = Random::new(seed, 0);
    let settings = Settings::draw(&mut random);
    let io = settings.server(&mut random).build();
    let phase = if settings.calm { Phase::Calm } else { Phase::Storm };
    let is_roomy = settings.max_packets > 100 && settings.max_bytes > 1 << 20;
    let ledger = Ledger::new(settings.recovers, is_roomy.then_some(settings.window));
    let world = Arc::new(World::new(
        ledger,
        Trace::new(tells),
        settings.max_buffered,
        phase,
        settings.clients,
    ));
    let made = program(&io, &world);
    let mut lives = Vec::new();
    for index in 1..=settings.clients {
        let network = Network { io: io.clone(), calm: settings.calm, random: random.fork() };
        let mut client = Client::new(index, Arc::clone(&world), network, Random::new(seed, index));
        client.connect_first = settings.connect_first;
        let times = if settings.calm { 0 } else { 1 + random.below(4) };
        lives.push(tokio::spawn(client.live(times)));
    }
    let emitters: Vec<_> = (0..settings.emitters)
        .map(|_| Emitter {
            io: io.clone(),
            made: made.clone(),
            world: Arc::clone(&world),
            random: random.fork(),
        })
        .collect();
    let emitters = emitters.into_iter().map(|emitter| tokio::spawn(emitter.run())).collect();
    let metrics = end(io, made, &world, random, lives, emitters).await;
    check_left_overs(&world).await;
    let mut ledger = world.ledger.lock();
    ledger.settle();
    check_sums(&mut ledger, &metrics, &settings);
    let failures = std::mem::take(&mut ledger.failures);
    Outcome { trace: world.trace.hash(), tally: ledger.tally, metrics, failures }
}

fn program(io: &Server, world: &Arc<World>) -> Namespace {
    for name in NAMESPACES.iter().filter(|name| !name.starts_with("/made/")) {
        handle(&io.of(name), world);
    }
    let made = io.of_matching(|name| name.starts_with("/made/"));
    handle(&made, world);
    let failed = Arc::clone(world);
    io.on_error(move |error| failed.ledger.lock().fail(format!("I10: {error:?}")));
    made
}

/// Everybody comes back for good, hears everything, and is sent home.
async fn end(
    io: Server,
    made: Namespace,
    world: &Arc<World>,
    mut random: Random,
    lives: Vec<JoinHandle<Client>>,
    emitters: Vec<JoinHandle<()>>,
) -> Metrics {
    let mut clients = Vec::new();
    for life in lives {
        clients.extend(life.await);
    }
    world.begin(Phase::Calm);
    let count = clients.len() as u64;
    let clients: Vec<_> = clients.into_iter().map(|it| tokio::spawn(it.settle())).collect();
    all(&world.settled, count).await;
    world.begin(Phase::Silence);
    for emitter in emitters {
        let _ = emitter.await;
    }
    all(&world.served, count).await;
    match random.below(5) {
        0 => io.close(),
        _ => io.drain(Duration::from_millis(random.below(500))).await,
    }
    for client in clients {
        let _ = client.await;
    }
    sleep(Duration::from_secs(3)).await;
    if io.clients_count() > 0 {
        // A client that polls has 30 s to fetch the news that it is over (E-032).
        sleep(Duration::from_secs(30)).await;
    }
    let metrics = io.metrics();
    check_zero(&io, &made, world, &metrics);
    metrics
}

/// Waits until that many have come so far; not for ever.
async fn all(come: &AtomicU64, count: u64) {
    for _ in 0..1_000 {
        if come.load(Ordering::Relaxed) == count {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Nothing is counted as being there.
fn check_zero(io: &Server, made: &Namespace, world: &World, metrics: &Metrics) {
    let mut rooms = 0;
    for name in ["/", "/chat"] {
        rooms += io.of(name).sockets().len();
        rooms +=
            program::ROOMS.iter().map(|room| io.of(name).to(*room).sockets().len()).sum::<usize>();
    }
    let left = [
        ("sessions", metrics.engine.sessions.total()),
        ("clients", io.clients_count() as u64),
        ("sockets", metrics.sockets),
        ("sockets of made namespaces", made.sockets().len() as u64),
        ("members", rooms as u64),
        ("running handlers", metrics.handlers.running),
        ("queued bytes", metrics.engine.bytes_buffered),
        ("kept bytes", metrics.recovery.bytes),
    ];
    for (what, count) in left.iter().filter(|(_, count)| *count > 0) {
        world.ledger.lock().fail(format!("I9: {count} {what} are left"));
    }
}

/// The server is dropped, and with it everything that it had.
async fn check_left_overs(world: &Arc<World>) {
    sleep(Duration::from_secs(1)).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let held = Arc::strong_count(world) - 1;
    if tasks + held > 0 {
        world.ledger.lock().fail(format!("I9: {tasks} tasks, and {held} who hold the world"));
    }
}

/// What the server has counted is what was written down.
fn check_sums(ledger: &mut Ledger, metrics: &Metrics, settings: &Settings) {
    let Tally { addressed, heard, connects, disconnects, recovered, said, .. } = ledger.tally;
    let mut equal = vec![
        ("connects", metrics.sockets_connected, connects),
        ("disconnects", metrics.sockets_disconnected, disconnects),
        ("recovered", metrics.recovery.succeeded, recovered),
        ("received", metrics.events_received, said),
    ];
    let Metrics { events_sent, volatile_dropped, broadcasts_missed, .. } = metrics;
    let fates = events_sent + volatile_dropped + broadcasts_missed;
    // What is kept for who may come back has no fate yet, and perhaps several later.
    if fates != addressed && (settings.calm || !settings.recovers) {
        ledger.fail(format!("I4: {addressed} were to be sent; {metrics:?}, {:?}", ledger.tally));
    }
    if settings.calm {
        equal.push(("heard", *events_sent, heard));
    }
    for (what, counted, noted) in equal {
        if counted != noted {
            ledger.fail(format!("I4, I5: {what}: {counted} were counted, {noted} there were"));
        }
    }
    if heard > *events_sent {
        ledger.fail(format!("I4: {heard} were heard, {events_sent} were sent"));
    }
}

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Has the panics of each thread counted.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}

/// The seeds of the runs, and whether these tell what happens in them.
fn seeds() -> (RangeInclusive<u64>, bool) {
    let number = |text: &str| text.parse().expect("SEED is a number, or two with a dash between");
    match std::env::var("SEED") {
        Ok(seeds) => match seeds.split_once('-') {
            Some((first, last)) => (number(first)..=number(last), false),
            None => (number(&seeds)..=number(&seeds), true),
        },
        Err(_) if std::env::var_os("SOCKEYE_LONG").is_some() => (1..=LONG_SEEDS, false),
        Err(_) => (1..=SEEDS, false),
    }
}

#[test]
fn whatever_happens_to_whole_servers_every_event_has_one_fate() {
    count_panics();
    let (seeds, tells) = seeds();
    let begun = std::time::Instant::now();
    let (mut runs, mut sum, mut failed) = (0, [0; 8], Vec::new());
    for seed in seeds {
        let Outcome { tally, metrics, failures, .. } = run(seed, tells);
        runs += 1;
        failed.extend((!failures.is_empty()).then(|| format!("SEED={seed}: {failures:#?}")));
        if failed.len() == FAILURES || begun.elapsed() > LONGEST {
            break;
        }
        let Tally { heard, said, recovered, answers, upgrades, cuts, .. } = tally;
        let counted = [metrics.volatile_dropped, metrics.engine.slow_readers];
        let happened = [heard, said, recovered, answers, upgrades, cuts];
        for (sum, times) in sum.iter_mut().zip(happened.into_iter().chain(counted)) {
            *sum += times;
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let [heard, said, recovered, answers, upgrades, cuts, _, slow] = sum;
    println!(
        "figure F10: {runs} runs of whole servers: {heard} events heard, {said} said, {answers} answered, \
         {upgrades} upgrades, {cuts} cuts, {recovered} recoveries, {slow} slow readers"
    );
    assert!(runs < SEEDS || sum.iter().all(|times| *times > 0), "{sum:?}");
}

#[test]
fn a_seed_is_one_run() {
    count_panics();
    for seed in 1..=REPEATED {
        assert_eq!(run(seed, false).trace, run(seed, false).trace, "SEED={seed}");
    }
}
