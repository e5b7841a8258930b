//! Clients whose connections break at any time, come back, and take over from themselves, while many
//! threads emit to them. Each event arrives exactly once, in the order of who emitted it; or the
//! client is told that it is a new one.

#![cfg(feature = "server")]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sockeye::{ConnectionStateRecovery, RoomEvent, Server, Socket};
use tokio::sync::Semaphore;

use support::{Client, Incoming, eventually, serve, within};

/// Numbers that look drawn at random and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

const EMITTERS: usize = 5;
/// How many events each connection lets each emitter send.
const EVENTS: usize = 20;

type Permits = [Semaphore; EMITTERS];

/// A client with what it has seen of each emitter.
struct Victim {
    address: SocketAddr,
    random: Random,
    /// Its id and secret.
    identity: Option<(String, String)>,
    offset: Option<String>,
    seen: [Option<u64>; EMITTERS],
    /// How often it came back as what it was, and as a new one.
    returns: [usize; 2],
    /// Connections that it has given up without closing them.
    abandoned: Vec<Client>,
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Connect,
    Event,
    End,
}

impl Victim {
    fn new(address: SocketAddr, seed: u64) -> Self {
        Self {
            address,
            random: Random(seed),
            identity: None,
            offset: None,
            seen: [None; EMITTERS],
            returns: [0; 2],
            abandoned: Vec::new(),
        }
    }

    /// Comes and goes.
    async fn suffer(mut self, connections: usize, permits: Arc<Permits>, io: Server) -> Self {
        for _ in 0..connections {
            let mut client = self.open().await;
            // Some connections break before all was sent that was missed.
            let mut is_in = self.random.below(4) == 0;
            let mut patience = 1 + self.random.below(40);
            while patience > 0 {
                match self.listen(&mut client, &permits).await {
                    Heard::Connect => is_in = true,
                    Heard::Event if is_in => patience -= 1,
                    Heard::Event => {}
                    Heard::End => break,
                }
            }
            self.give_up(client, &io).await;
        }
        self
    }

    /// Comes back for good, until it has seen everything up to these.
    async fn see_all(mut self, last: [Option<u64>; EMITTERS]) -> Self {
        let mut client = self.open().await;
        let none: Permits = std::array::from_fn(|_| Semaphore::new(0));
        let came_back = self.returns[0];
        while self.seen != last || self.returns[0] == came_back {
            let heard = self.listen(&mut client, &none).await;
            assert_ne!(heard, Heard::End, "{:?} of {last:?}", self.seen);
        }
        client.close().await;
        self
    }

    async fn open(&self) -> Client {
        let mut client = Client::open(self.address).await;
        client.send(&self.connect()).await;
        client
    }

    fn connect(&self) -> String {
        match (&self.identity, &self.offset) {
            (Some((_, pid)), Some(offset)) => {
                format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#)
            }
            (Some((_, pid)), None) => format!(r#"40{{"pid":"{pid}"}}"#),
            (None, _) => "40".to_owned(),
        }
    }

    /// Reads one packet.
    async fn listen(&mut self, client: &mut Client, permits: &Permits) -> Heard {
        match client.next("an event").await {
            Incoming::Text(text) if text.starts_with("40") => {
                self.connected(&text);
                permits.iter().for_each(|emitter| emitter.add_permits(EVENTS));
                Heard::Connect
            }
            Incoming::Text(text) => {
                self.saw(&text);
                Heard::Event
            }
            Incoming::End | Incoming::Close(_) => Heard::End,
            other => panic!("{other:?}"),
        }
    }

    fn connected(&mut self, text: &str) {
        let texts: Vec<_> = text.split('"').collect();
        let identity = (texts[3].to_owned(), texts[7].to_owned());
        match &self.identity {
            Some(known) if *known == identity => self.returns[0] += 1,
            Some(_) => {
                self.returns[1] += 1;
                // What it missed is unknown: anything later may follow.
                self.offset = None;
                self.identity = Some(identity);
            }
            None => self.identity = Some(identity),
        }
    }

    fn saw(&mut self, text: &str) {
        let fields: Vec<_> = text.trim_end_matches("\"]").split(['"', ',']).collect();
        let [emitter, number] =
            [fields[3], fields[4]].map(|field| field.parse::<u64>().expect("a number"));
        let offset = fields.last().expect("a field");
        let seen = &mut self.seen[emitter as usize];
        let is_next = match *seen {
            None => true,
            Some(before) if self.returns[1] == 0 => number == before + 1,
            Some(before) => number > before,
        };
        assert!(is_next, "emitter {emitter}: after {seen:?} came {text}");
        *seen = Some(number);
        self.offset = Some((*offset).to_owned());
    }

    /// One of the ways in which connections end.
    async fn give_up(&mut self, mut client: Client, io: &Server) {
        match self.random.below(4) {
            0 => drop(client),
            1 => client.send_bytes(b"\x88\x80\0\0\0\0").await,
            2 => {
                let (id, _) = self.identity.as_ref().expect("it is in");
                io.of("/").socket(id).iter().for_each(Socket::close_connection);
            }
            // The server still believes in it.
            _ => self.abandoned.push(client),
        }
    }
}

/// Emits events, in its own way, to all clients at once; the number of the last.
async fn emit(io: Server, first: Vec<Socket>, emitter: usize, permits: Arc<Permits>) -> u64 {
    let mut number = 0;
    loop {
        let event = (emitter, number);
        let emitted = match emitter {
            0 => io.emit("n", event),
            1 => io.to("room").emit("n", event),
            2 => io.to(["room", "other"]).emit("n", event),
            3 => first.iter().try_for_each(|socket| io.to(socket.id()).emit("n", event)),
            // Handles of the beginning lead to their clients for as long as these can come back.
            _ => {
                first.iter().for_each(|socket| drop(socket.emit("n", event)));
                Ok(())
            }
        };
        emitted.expect("it can be written");
        match permits[emitter].acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return number,
        }
        number += 1;
    }
}

/// Who is in which room, as far as it was told.
#[derive(Default)]
struct Told {
    rooms: HashMap<String, usize>,
    mistakes: Vec<String>,
}

impl Told {
    fn hear(&mut self, event: RoomEvent<'_>) {
        let members = match event {
            RoomEvent::Created { room } => {
                let before = self.rooms.insert(room.to_owned(), 0);
                before.is_none().then_some(0)
            }
            RoomEvent::Joined { room, .. } => self.rooms.get_mut(room).map(|members| {
                *members += 1;
                *members
            }),
            RoomEvent::Left { room, .. } => self.rooms.get_mut(room).and_then(|members| {
                *members = members.checked_sub(1)?;
                Some(*members)
            }),
            RoomEvent::Deleted { room } => self.rooms.remove(room).filter(|members| *members == 0),
        };
        if members.is_none() {
            self.mistakes.push(format!("{event:?}"));
        }
    }
}

/// A server whose connected clients are noted, and what was told of its rooms.
fn server(recovery: ConnectionStateRecovery) -> (Server, Arc<Mutex<Told>>, support::Log<Socket>) {
    let io = Server::builder().connection_state_recovery(recovery).build();
    let told = Arc::new(Mutex::new(Told::default()));
    let hearing = Arc::clone(&told);
    io.of("/").on_room_event(move |event| hearing.lock().expect("no panic").hear(event));
    let (pen, arrivals) = support::log();
    io.of("/").on_connect(move |socket: Socket| {
        let pen = pen.clone();
        async move {
            if !socket.recovered() {
                socket.join(["room", "other"]);
                pen.write(socket);
            }
        }
    });
    (io, told, arrivals)
}

/// Has three clients suffer: how often they came back as what they were, and as new ones.
async fn storm(recovery: ConnectionStateRecovery, seed: u64, connections: usize) -> [usize; 2] {
    let (io, told, mut arrivals) = server(recovery);
    let address = serve(&io).await;
    let permits: Arc<Permits> = Arc::new(std::array::from_fn(|_| Semaphore::new(0)));
    let victims = [1, 2, 3].map(|client| {
        let victim = Victim::new(address, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ client);
        tokio::spawn(victim.suffer(connections, Arc::clone(&permits), io.clone()))
    });
    let mut first = Vec::new();
    for _ in &victims {
        first.push(arrivals.next("a client").await);
    }
    let emitters: [_; EMITTERS] = std::array::from_fn(|emitter| {
        tokio::spawn(emit(io.clone(), first.clone(), emitter, Arc::clone(&permits)))
    });
    let mut survivors = Vec::new();
    for victim in victims {
        // Each of its waits has an end.
        survivors.push(victim.await.expect("it survives"));
    }
    permits.iter().for_each(Semaphore::close);
    let mut last = [None; EMITTERS];
    for (emitter, last) in emitters.into_iter().zip(&mut last) {
        *last = Some(within("an emitter", emitter).await.expect("it ends"));
    }
    let mut returns = [0; 2];
    for mut survivor in survivors {
        if survivor.returns[1] == 0 {
            survivor = survivor.see_all(last).await;
        }
        returns = [0, 1].map(|way| returns[way] + survivor.returns[way]);
    }
    eventually("that no client is there twice", || io.sockets().len() <= 3).await;
    settle(&io, &told).await;
    returns
}

/// When all have gone nothing is left of them, and what was told adds up.
async fn settle(io: &Server, told: &Mutex<Told>) {
    eventually("the end of all connections", || io.clients_count() == 0).await;
    eventually("the end of all sockets", || io.sockets().is_empty()).await;
    assert!(io.to("room").sockets().is_empty());
    let told = || told.lock().expect("no panic");
    eventually("that all rooms are told of as gone", || told().rooms.is_empty()).await;
    assert!(told().mistakes.is_empty(), "{:?}", told().mistakes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_085_each_event_arrives_exactly_once_and_in_order_however_often_connections_break() {
    for seed in 1..=4 {
        let [came_back, came_as_new] = storm(ConnectionStateRecovery::new(), seed, 40).await;
        assert!(came_back > 60, "seed {seed}: {came_back}");
        assert_eq!(came_as_new, 0, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_085_where_little_is_kept_a_client_gets_all_it_missed_or_is_a_new_one() {
    for seed in 1..=4 {
        let recovery = ConnectionStateRecovery::new().max_packets(200).max_bytes(100_000);
        let [came_back, came_as_new] = storm(recovery, seed, 40).await;
        assert!(came_back > 5 && came_as_new > 5, "seed {seed}: {came_back} and {came_as_new}");
    }
}
