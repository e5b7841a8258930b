//! Rooms: who is in them, when they are left, and what those are told who watch them.

#![cfg(feature = "server")]

mod support;

use std::collections::{HashMap, HashSet};
use std::future::ready;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier, Mutex};

use sockeye::{ConnectionStateRecovery, RoomEvent, Server, Socket};
use tokio::sync::Semaphore;

use support::{Client, Log, Lost, Returning, eventually, log, recovering, serve};

/// Writes down what happens to rooms of `/`: `+room`, `room+socket`, `room-socket`, `-room`. Ids are
/// shown as what `named` calls them.
fn watch(io: &Server) -> (Log<String>, Arc<Mutex<HashMap<String, String>>>) {
    let (pen, events) = log();
    let names = Arc::new(Mutex::new(HashMap::new()));
    let named = Arc::clone(&names);
    io.of("/").on_room_event(move |event| {
        let names = named.lock().expect("no panic");
        let name = |id: &str| names.get(id).cloned().unwrap_or_else(|| "?".to_owned());
        let room = |room: &str| if room.len() == 20 { name(room) } else { room.to_owned() };
        pen.write(match event {
            RoomEvent::Created { room: created } => format!("+{}", room(created)),
            RoomEvent::Joined { room: joined, socket } => {
                format!("{}+{}", room(joined), name(socket))
            }
            RoomEvent::Left { room: left, socket } => format!("{}-{}", room(left), name(socket)),
            RoomEvent::Deleted { room: deleted } => format!("-{}", room(deleted)),
        });
    });
    (events, names)
}

async fn expect_all(log: &mut Log<String>, entries: &[&str]) {
    for entry in entries {
        log.expect(*entry).await;
    }
}

/// A client with its socket.
async fn join(io: &Server, address: SocketAddr) -> (Client, Socket) {
    let client = Client::join(address).await;
    let socket = io.of("/").socket(&client.id).expect("it is in");
    (client, socket)
}

/// The room of one's own id comes with the connection and goes with it, and cannot be left.
#[tokio::test]
async fn s_049_a_socket_is_in_the_room_of_its_id_from_the_beginning_to_the_end() {
    let io = Server::new();
    let (mut events, _) = watch(&io);
    let address = serve(&io).await;
    let (mut client, socket) = join(&io, address).await;
    expect_all(&mut events, &["+?", "?+?"]).await;
    let id = client.id.as_str();
    socket.join(id);
    socket.leave(id);
    assert_eq!(socket.rooms(), [id]);
    io.to(id).emit("hello", ()).unwrap();
    events.expect_nothing();
    client.expect(r#"42["hello"]"#).await;
    client.close().await;
    expect_all(&mut events, &["?-?", "-?"]).await;
    assert!(socket.rooms().is_empty());
    socket.join("a");
    assert!(socket.rooms().is_empty(), "a socket that is gone joins nothing");
    events.expect_nothing();
}

#[tokio::test]
async fn s_042_rooms_joined_in_a_middleware_are_entered_when_the_client_is_let_in() {
    let io = Server::new();
    let (mut events, names) = watch(&io);
    io.of("/").middleware(async |socket: Socket| {
        assert!(socket.rooms().is_empty());
        socket.join(["early", "left again", "early"]);
        socket.leave("left again");
        assert_eq!(socket.rooms(), ["early"]);
        match socket.auth::<serde_json::Value>().unwrap().get("let") {
            Some(_) => Ok(()),
            None => Err("no".into()),
        }
    });
    let mut client = Client::open(serve(&io).await).await;
    client.send("40").await;
    client.expect(r#"44{"message":"no"}"#).await;
    events.expect_nothing();
    let id = client.connect(r#"40{"let":"me in"}"#).await;
    names.lock().unwrap().insert(id, "one".to_owned());
    expect_all(&mut events, &["+?", "?+?", "+early", "early+?"]).await;
    assert_eq!(io.to("early").sockets()[0].rooms().len(), 2);
    client.send("41").await;
    expect_all(&mut events, &["early-one", "-early", "one-one", "-one"]).await;
    events.expect_nothing();
}

/// What it does until its first await it does in its rooms; it cannot hold the socket there.
#[tokio::test]
async fn a_disconnecting_handler_that_waits_does_not_keep_the_socket_in_its_rooms() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let gate = Arc::new(Semaphore::new(0));
    let (permits, after) = (Arc::clone(&gate), pen.clone());
    io.of("/").on_disconnecting(move |socket: Socket| {
        let (permits, pen) = (Arc::clone(&permits), pen.clone());
        async move {
            pen.write(format!("disconnecting, in {}", socket.rooms().len()));
            permits.acquire().await.expect("it is never closed").forget();
            pen.write(format!("later, in {}", socket.rooms().len()));
        }
    });
    io.of("/").on_disconnect(move |socket: Socket| {
        after.write(format!("disconnect, in {}", socket.rooms().len()));
        ready(())
    });
    let address = serve(&io).await;
    let (mut client, socket) = join(&io, address).await;
    socket.join("room");
    client.close().await;
    log.expect("disconnecting, in 2").await;
    log.expect("disconnect, in 0").await;
    gate.add_permits(1);
    log.expect("later, in 0").await;
}

#[tokio::test]
async fn a_disconnecting_handler_that_panics_still_frees_the_rooms() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    io.on_error(move |error| pen.write(&*error.event));
    io.of("/").on_disconnecting(|| -> std::future::Ready<()> { panic!("at once") });
    io.of("/").on_disconnecting(async || panic!("first poll"));
    let address = serve(&io).await;
    let (mut client, socket) = join(&io, address).await;
    socket.join("room");
    client.close().await;
    log.expect("disconnecting").await;
    log.expect("disconnecting").await;
    eventually("the room to be empty", || io.to("room").sockets().is_empty()).await;
    assert!(socket.rooms().is_empty());
}

#[tokio::test]
async fn an_observer_of_rooms_that_panics_or_changes_rooms_disturbs_nobody() {
    let io = Server::new();
    io.of("/").on_room_event(|_| panic!("an observer"));
    let server = Arc::new(Mutex::new(None::<Server>));
    let (known, (pen, mut log)) = (Arc::clone(&server), log::<String>());
    io.of("/").on_room_event(move |event| {
        pen.write(format!("{event:?}").split(' ').next().unwrap_or_default());
        let Some(io) = known.lock().unwrap().clone() else { return };
        if let RoomEvent::Created { room: "first" } = event {
            io.of("/").sockets_join("second");
            io.to("second").emit("created", ()).unwrap();
        }
    });
    let address = serve(&io).await;
    let (mut client, socket) = join(&io, address).await;
    expect_all(&mut log, &["Created", "Joined"]).await;
    *server.lock().unwrap() = Some(io.clone());
    socket.join("first");
    client.expect(r#"42["created"]"#).await;
    assert_eq!(socket.rooms(), [socket.id(), "first", "second"]);
    for event in ["Created", "Created", "Joined", "Joined"] {
        assert!(["Created", "Joined"].contains(&log.next(event).await.as_str()));
    }
    log.expect_nothing();
}

/// A client that may come back, with its socket and under a name in what is watched.
async fn returning(
    io: &Server,
    address: SocketAddr,
    names: &Mutex<HashMap<String, String>>,
    name: &str,
) -> (Returning, Socket) {
    let returning = Returning::join(address).await;
    let id = returning.client.id.clone();
    let socket = io.of("/").socket(&id).expect("it is in");
    names.lock().expect("no panic").insert(id, name.to_owned());
    (returning, socket)
}

/// A client that may come back has left its rooms, for all who watch, until it does.
#[tokio::test]
async fn s_051_a_client_that_is_away_has_left_its_rooms_and_joins_them_when_it_is_back() {
    let io = recovering().build();
    let address = serve(&io).await;
    let (mut events, names) = watch(&io);
    let (one, first) = returning(&io, address, &names, "one").await;
    let (two, second) = returning(&io, address, &names, "two").await;
    expect_all(&mut events, &["+?", "?+?", "+?", "?+?"]).await;
    first.join(["a", "b"]);
    second.join("b");
    expect_all(&mut events, &["+a", "a+one", "+b", "b+one", "b+two"]).await;
    let one = {
        first.close_connection();
        Lost { id: one.client.id.clone(), pid: one.pid }
    };
    expect_all(&mut events, &["a-one", "-a", "b-one", "one-one", "-one"]).await;
    let two = two.vanish(&io).await;
    expect_all(&mut events, &["b-two", "-b", "two-two", "-two"]).await;
    let mut client = one.come_back(address, "").await;
    one.expect_new(&mut client).await;
    expect_all(&mut events, &["+?", "?+?"]).await;
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}"}}"#, two.pid)).await;
    two.expect_recovered(&mut client).await;
    expect_all(&mut events, &["+two", "two+two", "+b", "b+two"]).await;
    events.expect_nothing();
}

#[tokio::test]
async fn s_051_a_room_in_which_all_are_away_is_gone_for_who_watches() {
    let io = recovering().build();
    let address = serve(&io).await;
    let (mut events, names) = watch(&io);
    let (away, first) = returning(&io, address, &names, "away").await;
    expect_all(&mut events, &["+?", "?+?"]).await;
    first.join("a");
    expect_all(&mut events, &["+a", "a+away"]).await;
    let away = away.vanish(&io).await;
    expect_all(&mut events, &["a-away", "-a", "away-away", "-away"]).await;

    let (mut here, second) = returning(&io, address, &names, "here").await;
    expect_all(&mut events, &["+?", "?+?"]).await;
    second.join("a");
    expect_all(&mut events, &["+a", "a+here"]).await;
    second.leave("a");
    expect_all(&mut events, &["a-here", "-a"]).await;
    second.join("a");
    expect_all(&mut events, &["+a", "a+here"]).await;
    here.client.send("41").await;
    expect_all(&mut events, &["a-here", "-a", "here-here", "-here"]).await;

    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}"}}"#, away.pid)).await;
    away.expect_recovered(&mut client).await;
    expect_all(&mut events, &["+away", "away+away", "+a", "a+away"]).await;
    client.send("41").await;
    expect_all(&mut events, &["a-away", "-a", "away-away", "-away"]).await;
    events.expect_nothing();
}

/// What a socket's handle leaves while the client is away, the client does not come back to.
#[tokio::test]
async fn a_room_that_is_left_while_the_client_is_away_is_left() {
    let io = recovering().build();
    let address = serve(&io).await;
    let (mut events, names) = watch(&io);
    let (away, socket) = returning(&io, address, &names, "away").await;
    socket.join(["a", "b"]);
    expect_all(&mut events, &["+?", "?+?", "+a", "a+away", "+b", "b+away"]).await;
    let away = away.vanish(&io).await;
    expect_all(&mut events, &["a-away", "-a", "b-away", "-b", "away-away", "-away"]).await;
    socket.leave("a");
    socket.join("c");
    io.to("a").emit("nobody is there", ()).unwrap();
    events.expect_nothing();
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}"}}"#, away.pid)).await;
    away.expect_recovered(&mut client).await;
    assert_eq!(io.sockets()[0].rooms(), [away.id.as_str(), "b"]);
    expect_all(&mut events, &["+away", "away+away", "+b", "b+away"]).await;
    events.expect_nothing();
}

/// Another connection is no reason to leave a room.
#[tokio::test]
async fn s_051_a_client_that_takes_over_from_its_own_connection_has_never_left() {
    let io = recovering().build();
    let address = serve(&io).await;
    let (mut events, names) = watch(&io);
    let (before, socket) = returning(&io, address, &names, "one").await;
    socket.join("a");
    expect_all(&mut events, &["+?", "?+?", "+a", "a+one"]).await;
    let lost = Lost { id: before.client.id.clone(), pid: before.pid.clone() };
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}"}}"#, lost.pid)).await;
    lost.expect_recovered(&mut client).await;
    let mut dead = before.client;
    dead.expect_close().await;
    eventually("the end of the first connection", || io.clients_count() == 1).await;
    // What its handlers do from now on is too late.
    socket.join("late");
    assert!(socket.rooms().is_empty() && io.to("late").sockets().is_empty());
    events.expect_nothing();
    assert_eq!(io.to("a").sockets(), io.sockets());
    client.send("41").await;
    expect_all(&mut events, &["a-one", "-a", "one-one", "-one"]).await;
    events.expect_nothing();
}

#[tokio::test(start_paused = true)]
async fn s_051_who_does_not_come_back_in_time_has_left_already() {
    let time = std::time::Duration::from_secs(3);
    let recovery = ConnectionStateRecovery::new().max_disconnection_duration(time);
    let io = Server::builder().connection_state_recovery(recovery).build();
    let address = serve(&io).await;
    let (mut events, names) = watch(&io);
    let (away, socket) = returning(&io, address, &names, "away").await;
    socket.join("a");
    expect_all(&mut events, &["+?", "?+?", "+a", "a+away"]).await;
    away.vanish(&io).await;
    expect_all(&mut events, &["a-away", "-a", "away-away", "-away"]).await;
    tokio::time::sleep(time + time).await;
    assert!(socket.rooms().is_empty());
    assert!(socket.emit("late", ()).is_err());
    events.expect_nothing();
}

/// What a watcher has been told adds up to what is.
#[derive(Default)]
struct Model {
    rooms: HashMap<String, HashSet<String>>,
    mistakes: Vec<String>,
}

impl Model {
    fn see(&mut self, event: RoomEvent<'_>) {
        let is_right = match event {
            RoomEvent::Created { room } => {
                self.rooms.insert(room.to_owned(), HashSet::new()).is_none()
            }
            RoomEvent::Joined { room, socket } => {
                self.rooms.get_mut(room).is_some_and(|room| room.insert(socket.to_owned()))
            }
            RoomEvent::Left { room, socket } => {
                self.rooms.get_mut(room).is_some_and(|room| room.remove(socket))
            }
            RoomEvent::Deleted { room } => {
                self.rooms.remove(room).is_some_and(|members| members.is_empty())
            }
        };
        if !is_right {
            self.mistakes.push(format!("{event:?}"));
        }
    }
}

/// A cluster's node decides by these events what it listens to: one in the wrong order would make
/// it deaf.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_051_room_events_are_in_order_when_many_threads_join_and_leave() {
    const THREADS: usize = 4;
    let io = Server::new();
    let model = Arc::new(Mutex::new(Model::default()));
    let seen = Arc::clone(&model);
    io.of("/").on_room_event(move |event| seen.lock().unwrap().see(event));
    let address = serve(&io).await;
    let mut clients = Vec::new();
    for _ in 0..THREADS {
        clients.push(join(&io, address).await);
    }
    let start = Arc::new(Barrier::new(THREADS));
    let threads = clients.iter().map(|(_, socket)| {
        let (socket, start) = (socket.clone(), Arc::clone(&start));
        std::thread::spawn(move || {
            start.wait();
            for round in 0..5_000 {
                socket.join(["a", "b"]);
                socket.leave(if round % 2 == 0 { ["a", "b"] } else { ["b", "a"] });
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    let all = move || threads.into_iter().for_each(|thread| thread.join().unwrap());
    tokio::task::spawn_blocking(all).await.unwrap();
    {
        let model = model.lock().unwrap();
        let few: Vec<_> = model.mistakes.iter().take(5).collect();
        assert!(few.is_empty(), "{} mistakes: {few:?}…", model.mistakes.len());
        assert_eq!(model.rooms.len(), THREADS, "their own");
    }
    for (mut client, _) in clients {
        client.close().await;
    }
    eventually("all rooms to be gone", || model.lock().unwrap().rooms.is_empty()).await;
    assert!(model.lock().unwrap().mistakes.is_empty());
}
