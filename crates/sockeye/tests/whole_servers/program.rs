//! The program on the server: handlers, and those who emit to clients, put them into rooms and out.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;
use sockeye::engine::CloseDetail;
use sockeye::{AcknowledgementError, Data, DisconnectReason, EmitError, Namespace, Server, Socket};
use tokio::time::sleep;

use super::ledger::{Kind, Ledger, Target};
use super::random::Random;
use super::trace::Trace;

pub(crate) const ROOMS: [&str; 3] = ["red", "green", "blue"];
pub(crate) const NAMESPACES: [&str; 4] = ["/", "/chat", "/made/1", "/made/2"];
/// The longest event in bytes, with all that stands around its text.
pub(crate) const LONGEST: usize = 21_000;

/// What everybody in a run has in common.
pub(crate) struct World {
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) trace: Trace,
    pub(crate) max_buffered: usize,
    phase: AtomicU8,
    /// How many clients have settled, and how many of those have heard everything.
    pub(crate) settled: AtomicU64,
    pub(crate) served: AtomicU64,
    /// How many clients there are, and how many of them have nothing more to say.
    pub(crate) clients: u64,
    pub(crate) quiet: AtomicU64,
}

/// What goes on in a run: the one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Everything goes wrong.
    Storm,
    /// Nothing goes wrong any more.
    Calm,
    /// The program has emitted its last.
    Silence,
}

impl World {
    pub(crate) fn new(
        ledger: Ledger,
        trace: Trace,
        max_buffered: usize,
        phase: Phase,
        clients: u64,
    ) -> Self {
        Self {
            ledger: Mutex::new(ledger),
            trace,
            max_buffered,
            phase: AtomicU8::new(phase as u8),
            settled: AtomicU64::new(0),
            served: AtomicU64::new(0),
            clients,
            quiet: AtomicU64::new(0),
        }
    }

    pub(crate) fn begin(&self, phase: Phase) {
        self.trace.tell(format_args!("{phase:?}"));
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(crate) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    fn tell(&self, socket: &Socket, what: std::fmt::Arguments<'_>) {
        let name = self.ledger.lock().name(socket.id());
        self.trace.tell(format_args!("server: {name} {what}"));
    }

    fn said(&self, socket: &Socket, connection: u32, number: u32) {
        self.ledger.lock().said(socket.id(), connection, number);
        self.tell(socket, format_args!("said {connection}/{number}"));
    }
}

/// The text of an event follows from its number, so that nobody can take one for another.
pub(crate) fn text_of(event: u64) -> String {
    let length = match event % 23 {
        0 => 20_000,
        1..=4 => 2_000,
        5 => 130,
        _ => 10,
    };
    format!("{event}.").repeat(length / 8)
}

pub(crate) fn bytes_of(event: u64) -> Vec<u8> {
    vec![(event % 251) as u8; (event % 400) as usize]
}

/// Gives a namespace its handlers.
pub(crate) fn handle(namespace: &Namespace, world: &Arc<World>) {
    let w = Arc::clone(world);
    namespace.on_connect(move |socket: Socket| {
        let w = Arc::clone(&w);
        // The handler is prepared before its client is in, and runs when it is.
        async move {
            let rooms = socket.rooms();
            let name = socket.namespace().name().to_owned();
            w.ledger.lock().connected(socket.id(), &name, socket.recovered(), &rooms);
            w.tell(&socket, format_args!("connected {}", socket.recovered()));
        }
    });
    let w = Arc::clone(world);
    namespace.on_disconnect(move |socket: Socket, reason: DisconnectReason, why: CloseDetail| {
        w.tell(&socket, format_args!("disconnected {reason}, {why:?}"));
        w.ledger.lock().disconnected(socket.id(), reason.is_recoverable());
        ready(())
    });
    handle_events(namespace, world);
    handle_rooms(namespace, world);
}

fn handle_events(namespace: &Namespace, world: &Arc<World>) {
    let w = Arc::clone(world);
    namespace.on(
        "say",
        move |socket: Socket, Data((connection, number, text)): Data<(u32, u32, String)>| {
            w.said(&socket, connection, number);
            if text != text_of(number.into()) {
                w.ledger.lock().fail("I7: a client's text is not its own".to_owned());
            }
            ready(number + 1)
        },
    );
    let w = Arc::clone(world);
    namespace.on(
        "bytes",
        move |socket: Socket, Data((connection, number, bytes)): Data<(u32, u32, Bytes)>| {
            w.said(&socket, connection, number);
            if bytes != bytes_of(number.into()) {
                w.ledger.lock().fail("I7: a client's bytes are not its own".to_owned());
            }
            ready(number + 1)
        },
    );
    let w = Arc::clone(world);
    namespace.on(
        "slow",
        move |socket: Socket, Data((connection, number, time)): Data<(u32, u32, u64)>| {
            w.said(&socket, connection, number);
            async move {
                sleep(Duration::from_millis(time)).await;
                number + 1
            }
        },
    );
}

fn handle_rooms(namespace: &Namespace, world: &Arc<World>) {
    type Room = Data<(u32, u32, String)>;
    let w = Arc::clone(world);
    namespace.on("join", move |socket: Socket, Data((connection, number, room)): Room| {
        w.said(&socket, connection, number);
        w.join(&socket, &room);
        ready(number + 1)
    });
    let w = Arc::clone(world);
    namespace.on("leave", move |socket: Socket, Data((connection, number, room)): Room| {
        w.said(&socket, connection, number);
        w.leave(&socket, &room);
        ready(number + 1)
    });
    let w = Arc::clone(world);
    namespace.on("relay", move |socket: Socket, Data((connection, number, room)): Room| {
        w.said(&socket, connection, number);
        let target = Target {
            namespace: socket.namespace().name().to_owned(),
            rooms: vec![room.clone()],
            sender: Some(socket.id().to_owned()),
            ..Target::default()
        };
        let event = w.address(&target, Kind::Sure);
        let _ = socket.to(room).emit("n", (event, text_of(event)));
        ready(number + 1)
    });
}

impl World {
    fn join(&self, socket: &Socket, room: &str) {
        socket.join(room);
        self.ledger.lock().joined(socket.id(), room);
    }

    fn leave(&self, socket: &Socket, room: &str) {
        socket.leave(room);
        self.ledger.lock().left(socket.id(), room);
    }

    /// Writes down that an event goes out now.
    fn address(&self, target: &Target, kind: Kind) -> u64 {
        let mut ledger = self.ledger.lock();
        let receivers = ledger.receivers(target);
        let event = ledger.address(target, kind);
        let names: Vec<_> = receivers.iter().map(|id| ledger.members[id].name).collect();
        self.trace.tell(format_args!("server: emits {event} {kind:?} to {names:?}"));
        event
    }
}

/// One of those who emit on their own.
pub(crate) struct Emitter {
    pub(crate) io: Server,
    /// The namespaces that are made for clients and go with them.
    pub(crate) made: Namespace,
    pub(crate) world: Arc<World>,
    pub(crate) random: Random,
}

impl Emitter {
    pub(crate) async fn run(mut self) {
        let pace = self.random.choose(&[5, 20, 60]);
        while !self.world.is_in(Phase::Silence) {
            sleep(Duration::from_millis(1 + self.random.below(pace))).await;
            self.step();
            self.check_queues();
        }
    }

    fn step(&mut self) {
        self.world.ledger.lock().tally.steps += 1;
        let name = self.random.choose(&NAMESPACES);
        let Some(namespace) = self.find(name) else { return };
        let is_calm = !self.world.is_in(Phase::Storm);
        match self.random.below(20) {
            0..8 => self.broadcast(&namespace),
            8..16 => self.emit_to_one(&namespace),
            16..18 => self.move_around(&namespace),
            _ if is_calm => self.broadcast(&namespace),
            18 if self.random.one_in(4) => self.put_out(&namespace),
            _ => {
                let flood = if self.random.one_in(6) { 80 } else { 12 };
                for _ in 0..self.random.below(flood) {
                    self.broadcast(&namespace);
                }
            }
        }
    }

    /// A namespace, unless it is one of those that are not there at the moment.
    fn find(&self, name: &str) -> Option<Namespace> {
        if !name.starts_with("/made/") {
            return Some(self.io.of(name));
        }
        let there = self.made.sockets();
        there.iter().map(Socket::namespace).find(|it| it.name() == name).cloned()
    }

    pub(crate) fn broadcast(&mut self, of: &Namespace) {
        let Self { world, random, .. } = self;
        let mut target = Target { namespace: of.name().to_owned(), ..Target::default() };
        for room in ROOMS {
            match random.below(6) {
                0 | 1 => target.rooms.push(room.to_owned()),
                2 => target.except.push(room.to_owned()),
                _ => {}
            }
        }
        let kind = if random.one_in(5) { Kind::Volatile } else { Kind::Sure };
        let binary = random.one_in(4);
        let event = world.address(&target, kind);
        let mut operator = of.to(&target.rooms[..]).except(&target.except[..]);
        if kind == Kind::Volatile {
            operator = operator.volatile();
        }
        let sent = if binary {
            let [first, second] = [event, event + 1].map(|number| Bytes::from(bytes_of(number)));
            operator.emit("b", (event, first, second))
        } else {
            operator.emit("n", (event, text_of(event)))
        };
        if let Err(error) = sent {
            world.ledger.lock().fail(format!("a broadcast is not written: {error}"));
        }
    }

    fn anyone(&mut self, namespace: &Namespace) -> Option<Socket> {
        let sockets = namespace.sockets();
        (!sockets.is_empty()).then(|| self.random.choose(&sockets))
    }

    fn emit_to_one(&mut self, namespace: &Namespace) {
        let Some(socket) = self.anyone(namespace) else { return };
        let Self { world, random, .. } = self;
        let kind = random.choose(&[Kind::Sure, Kind::Sure, Kind::Volatile, Kind::Asked]);
        let target = Target {
            namespace: namespace.name().to_owned(),
            only: Some(socket.id().to_owned()),
            ..Target::default()
        };
        let event = world.address(&target, kind);
        let arguments = (event, text_of(event));
        let sent = match kind {
            Kind::Sure => socket.emit("n", arguments),
            Kind::Volatile => socket.volatile().emit("n", arguments),
            Kind::Asked => {
                let wait = Duration::from_millis(1 + random.below(400));
                ask(world, &socket, event, wait)
            }
        };
        if let Err(error) = sent {
            world.trace.tell(format_args!("server: {event} is refused: {error}"));
            // A volatile one that the connection was not ready for is counted.
            if !matches!(error, EmitError::NotWritable) {
                world.ledger.lock().refused(socket.id(), event);
            }
        }
    }

    fn move_around(&mut self, namespace: &Namespace) {
        let Some(socket) = self.anyone(namespace) else { return };
        let room = self.random.choose(&ROOMS);
        if self.random.one_in(3) {
            self.world.leave(&socket, room);
        } else {
            self.world.join(&socket, room);
        }
    }

    fn put_out(&mut self, namespace: &Namespace) {
        let Some(socket) = self.anyone(namespace) else { return };
        self.world.tell(&socket, format_args!("is put out"));
        match self.random.below(3) {
            0 => socket.close_connection(),
            1 => {
                self.world.ledger.lock().put_out(socket.id());
                socket.disconnect(false);
            }
            _ => {
                self.world.ledger.lock().put_out(socket.id());
                socket.disconnect(true);
            }
        }
    }

    /// Nobody has more queued than is allowed, and the one event that tells so.
    fn check_queues(&self) {
        let most = self.world.max_buffered + LONGEST;
        for name in NAMESPACES {
            let sockets = self.find(name).map(|it| it.sockets()).unwrap_or_default();
            for socket in sockets {
                let queued = socket.buffered();
                if queued > most {
                    let what = format!("I8: {queued} bytes are queued, and {most} may be");
                    self.world.ledger.lock().fail(what);
                }
            }
        }
    }
}

/// Asks a client, and waits for its answer in a task. Whether it was asked.
fn ask(world: &Arc<World>, socket: &Socket, event: u64, wait: Duration) -> Result<(), EmitError> {
    let answer = socket.emit_with_ack::<u64>("n", (event, text_of(event))).timeout(wait);
    let mut answer = Box::pin(answer.into_future());
    if let Some(Err(AcknowledgementError::Emit(error))) = (&mut answer).now_or_never() {
        return Err(error);
    }
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let answer = answer.await;
        world.trace.tell(format_args!("server: {event} is answered: {}", answer.is_ok()));
        let mut ledger = world.ledger.lock();
        match answer {
            Ok(answer) if answer == event + 1 => ledger.tally.answers += 1,
            Ok(answer) => ledger.fail(format!("I7: {event} is answered {answer}")),
            Err(_) => {}
        }
    });
    Ok(())
}
