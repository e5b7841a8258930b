//! Managers with several sockets each, whose handles are used at random by several tasks, while
//! connections are cut, closed by the server, and refused. Each event arrives once and in order, every
//! answer that is awaited comes or is given up, and in the end nothing is left.
//!
//! A run is repeated, as far as threads allow, with its seed: `SOCKEYE_STORM=7 cargo test --test client_at_random`.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sockeye::client::{ClientBuilder, ConnectOptions, Manager, Socket};
use sockeye::{ConnectionStateRecovery, Data, Server, TransportName};
use support::{eventually, serve_until_closed, within};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];
const MANAGERS: usize = 3;
const PING: Duration = Duration::from_secs(1);
const OPERATIONS: usize = 120;

/// Numbers that look drawn at random and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What must not happen, and did.
#[derive(Clone, Default)]
struct Mistakes(Arc<Mutex<Vec<String>>>);

impl Mistakes {
    fn note(&self, mistake: String) {
        self.0.lock().unwrap().push(mistake);
    }

    fn check(&self, seed: u64) {
        let mistakes = self.0.lock().unwrap();
        assert!(mistakes.is_empty(), "seed {seed}: {mistakes:?}");
    }
}

/// What may be cut, and refuses while it is down.
struct Proxy {
    address: SocketAddr,
    cut: watch::Sender<u64>,
    down: Arc<AtomicBool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, scissors) = watch::channel(0);
        let down = Arc::new(AtomicBool::new(false));
        let refuses = Arc::clone(&down);
        let accepting = tokio::spawn(async move {
            let mut carried = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                if !refuses.load(Ordering::SeqCst) {
                    carried.spawn(carry(stream, server, scissors.clone()));
                }
                while carried.try_join_next().is_some() {}
            }
        });
        Self { address, cut, down, accepting }
    }

    fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

async fn carry(mut near: TcpStream, server: SocketAddr, mut scissors: watch::Receiver<u64>) {
    scissors.borrow_and_update();
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = scissors.changed() => {}
    }
}

/// The server's part: numbers what it sends to each of its sockets, and looks at what they send.
fn server(recovery: bool, mistakes: &Mistakes) -> Server {
    // A connection whose requests were cut is missed only by its pongs.
    let mut builder = Server::builder().ping_interval(PING).ping_timeout(PING);
    if recovery {
        builder = builder.connection_state_recovery(ConnectionStateRecovery::new());
    }
    let io = builder.build();
    for namespace in NAMESPACES {
        let sent: Arc<Mutex<HashMap<String, u64>>> = Arc::default();
        let (counted, told) = (Arc::clone(&sent), Arc::clone(&sent));
        let heard: Mutex<HashMap<(String, u64), u64>> = Mutex::default();
        let mistakes = mistakes.clone();
        io.of(namespace)
            .on("number", move |socket: sockeye::Socket, Data((key, number)): Data<(u64, u64)>| {
                let last = heard.lock().unwrap().insert((socket.id().to_string(), key), number);
                if last.is_some_and(|last| last >= number) {
                    mistakes.note(format!("the server heard {number} of {key} after {last:?}"));
                }
                async {}
            })
            .on("more", move |socket: sockeye::Socket, Data(count): Data<u64>| {
                let mut counted = counted.lock().unwrap();
                let next = counted.entry(socket.id().to_string()).or_default();
                for _ in 0..count {
                    let _ = socket.emit("number", (socket.id().to_string(), *next));
                    *next += 1;
                }
                async {}
            })
            .on("sent", move |socket: sockeye::Socket| {
                let sent = told.lock().unwrap().get(&socket.id().to_string()).copied();
                async move { sent.unwrap_or_default() }
            })
            .on("late", async |socket: sockeye::Socket| {
                sleep(Duration::from_millis(3)).await;
                drop(socket);
                1
            })
            .on("out", async |socket: sockeye::Socket| socket.disconnect(false));
    }
    io
}

/// A place for a socket, which is made anew now and then.
struct Seat {
    manager: Manager,
    namespace: &'static str,
    socket: Mutex<Occupant>,
    keys: Arc<AtomicU64>,
    /// How many numbers came from each of the server's sockets.
    heard: Arc<Mutex<HashMap<String, u64>>>,
    mistakes: Mistakes,
}

/// A socket, its key, and the next number that it sends.
struct Occupant {
    socket: Socket,
    key: u64,
    next: u64,
}

impl Seat {
    fn new(
        manager: &Manager,
        namespace: &'static str,
        keys: &Arc<AtomicU64>,
        mistakes: &Mistakes,
    ) -> Self {
        let heard = Arc::default();
        Self {
            manager: manager.clone(),
            namespace,
            socket: Mutex::new(occupant(manager, namespace, keys, &heard, mistakes)),
            keys: Arc::clone(keys),
            heard,
            mistakes: mistakes.clone(),
        }
    }

    fn socket(&self) -> Socket {
        self.socket.lock().unwrap().socket.clone()
    }

    fn emit_number(&self) {
        let mut occupant = self.socket.lock().unwrap();
        occupant.socket.emit("number", (occupant.key, occupant.next)).unwrap();
        occupant.next += 1;
    }

    /// Drops the socket, and makes another one, unless somebody still has a handle.
    fn rebuild(&self) {
        let mut place = self.socket.lock().unwrap();
        let other = self.manager.socket("/elsewhere").build();
        let old = std::mem::replace(&mut place.socket, other);
        drop(old);
        let Self { manager, namespace, keys, heard, mistakes, .. } = self;
        *place = occupant(manager, namespace, keys, heard, mistakes);
        place.socket.connect();
    }
}

fn occupant(
    manager: &Manager,
    namespace: &'static str,
    keys: &AtomicU64,
    heard: &Arc<Mutex<HashMap<String, u64>>>,
    mistakes: &Mistakes,
) -> Occupant {
    let socket = manager.socket(namespace).build();
    let (heard, mistakes) = (Arc::clone(heard), mistakes.clone());
    // It is the old one if somebody holds it.
    if socket.listeners("number") == 0 {
        socket.on("number", move |Data((id, number)): Data<(String, u64)>| {
            let mut heard = heard.lock().unwrap();
            let next = heard.entry(id.clone()).or_default();
            if *next != number {
                mistakes.note(format!("{namespace} {id}: heard {number} instead of {next}"));
            }
            *next = number + 1;
            async {}
        });
    }
    Occupant { socket, key: keys.fetch_add(1, Ordering::SeqCst), next: 0 }
}

type Answers = Arc<tokio::sync::Mutex<JoinSet<()>>>;

/// Does things at random.
async fn rage(seats: Arc<Vec<Seat>>, proxy: Arc<Proxy>, io: Server, answers: Answers, seed: u64) {
    let mut random = Random::new(seed);
    for _ in 0..OPERATIONS {
        let seat = &seats[random.below(seats.len() as u64) as usize];
        let socket = seat.socket();
        match random.below(40) {
            0..8 => seat.emit_number(),
            8..14 => socket.emit("more", random.below(20)).unwrap(),
            14..18 => {
                let timeout = Duration::from_millis(random.below(30));
                let answer = socket.emit_with_ack::<u64>("late", ()).timeout(timeout);
                answers.lock().await.spawn(async move { drop(answer.await) });
            }
            18 | 19 => {
                let answer = socket.emit_with_ack::<u64>("sent", ());
                answers.lock().await.spawn(async move { drop(answer.await) });
            }
            20 => drop(socket.emit_with_ack::<u64>("late", ())),
            21 => drop(socket.volatile().emit("more", 1)),
            22..25 => _ = socket.connect(),
            25 => _ = socket.disconnect(),
            26 => _ = socket.disconnect().connect(),
            27 | 28 => {
                drop(socket);
                seat.rebuild();
            }
            29 => socket.emit("out", ()).unwrap(),
            30 => proxy.cut(),
            31 => io.of(seat.namespace).sockets().iter().for_each(|it| it.disconnect(false)),
            32 => {
                io.of(seat.namespace).sockets().iter().for_each(sockeye::Socket::close_connection)
            }
            33 => {
                proxy.down.store(true, Ordering::SeqCst);
                proxy.cut();
                sleep(Duration::from_millis(random.below(10))).await;
                proxy.down.store(false, Ordering::SeqCst);
            }
            34 => {
                seat.manager.close();
                socket.connect();
            }
            35 => {
                let _ = tokio::time::timeout(Duration::from_millis(5), socket.connected()).await;
            }
            36 => {
                let _ = tokio::time::timeout(Duration::from_millis(5), socket.drained()).await;
            }
            _ => sleep(Duration::from_millis(random.below(8))).await,
        }
    }
}

fn manager(address: SocketAddr, kind: u64) -> Manager {
    let options = match kind {
        0 => ConnectOptions::new(),
        1 => ConnectOptions::new().upgrade(false),
        _ => ConnectOptions::new().transports([TransportName::WebSocket]),
    };
    ClientBuilder::new(&format!("http://{address}"))
        .options(options)
        .reconnection_delay(Duration::from_millis(3))
        .reconnection_delay_max(Duration::from_millis(10))
        .manager()
        .unwrap()
}

/// The clients have a runtime of their own, so that their tasks can be counted.
async fn storm(seed: u64) {
    let mut random = Random::new(seed);
    let mistakes = Mistakes::default();
    let io = server(random.below(2) == 0, &mistakes);
    let (address, serving) = serve_until_closed(&io).await;
    let proxy = Arc::new(Proxy::start(address).await);
    let clients =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let kinds = [0; MANAGERS].map(|_| random.below(3));
    let raging = suffer(seed, kinds, Arc::clone(&proxy), io.clone(), mistakes.clone());
    clients.spawn(raging).await.unwrap();
    let tasks = || clients.metrics().num_alive_tasks();
    eventually(format!("seed {seed}: the end of all tasks"), || tasks() == 0).await;
    clients.shutdown_background();
    mistakes.check(seed);
    io.close();
    within("the server's end", serving).await.unwrap();
    proxy.accepting.abort();
}

/// What is done with the clients.
async fn suffer(
    seed: u64,
    kinds: [u64; MANAGERS],
    proxy: Arc<Proxy>,
    io: Server,
    mistakes: Mistakes,
) {
    let keys = Arc::default();
    let managers = kinds.map(|kind| manager(proxy.address, kind));
    let seats = managers
        .iter()
        .flat_map(|manager| NAMESPACES.map(|name| Seat::new(manager, name, &keys, &mistakes)));
    let seats: Arc<Vec<_>> = Arc::new(seats.collect());
    seats.iter().for_each(|seat| _ = seat.socket().connect());
    let answers = Answers::default();
    let mut raging = JoinSet::new();
    for number in 0..4 {
        let seed = seed * 4 + number;
        let (seats, proxy) = (Arc::clone(&seats), Arc::clone(&proxy));
        raging.spawn(rage(seats, proxy, io.clone(), Arc::clone(&answers), seed));
    }
    within(format!("seed {seed}: the end of the storm"), raging.join_all()).await;
    calm(&seats, seed).await;
    let answers = std::mem::take(&mut *answers.lock().await);
    within(format!("seed {seed}: all answers"), answers.join_all()).await;
    leave(Arc::into_inner(seats).unwrap(), &io, seed).await;
    for manager in managers {
        within(format!("seed {seed}: a manager at rest"), manager.closed()).await;
    }
}

/// Everybody connects, and has heard everything.
async fn calm(seats: &[Seat], seed: u64) {
    for (number, seat) in seats.iter().enumerate() {
        let name = |what| format!("seed {seed}: {what} of {number} at {}", seat.namespace);
        let socket = seat.socket();
        let mut sent = None;
        // What the storm has sent to the server may still put it out.
        while sent.is_none() {
            within(name("a connection"), async {
                while let Err(error) = socket.connect().connected().await {
                    assert!(
                        matches!(error, sockeye::client::ConnectError::Disconnected),
                        "{}: {error}",
                        name("a connection")
                    );
                }
            })
            .await;
            let id = socket.id();
            // Put out just now, it keeps the event until it connects again.
            let answer = socket.emit_with_ack::<u64>("sent", ()).timeout(2 * PING);
            let answer = within(name("an answer"), answer).await;
            sent = answer.ok().zip(id).filter(|_| socket.id().is_some());
        }
        let (sent, id) = sent.unwrap();
        let heard = || seat.heard.lock().unwrap().get(&id).copied().unwrap_or_default();
        eventually(name("all numbers"), || heard() >= sent).await;
        within(name("an empty buffer"), socket.drained()).await;
        eventually(name("an empty buffer"), || socket.buffered() == 0).await;
    }
}

/// Some sockets are disconnected, the others dropped.
async fn leave(seats: Vec<Seat>, io: &Server, seed: u64) {
    seats.iter().step_by(2).for_each(|seat| _ = seat.socket().disconnect());
    drop(seats);
    for namespace in NAMESPACES {
        eventually(format!("seed {seed}: nobody at {namespace}"), || {
            io.of(namespace).sockets().is_empty()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_done_with_handles_events_arrive_once_and_in_order_and_nothing_is_left() {
    let variable = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = variable("SOCKEYE_STORM").unwrap_or(1);
    let seeds = variable("SOCKEYE_STORMS").unwrap_or(6);
    for seed in first..first + seeds {
        println!("SOCKEYE_STORM={seed}");
        storm(seed).await;
    }
}
