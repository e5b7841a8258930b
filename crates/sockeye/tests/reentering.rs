//! The program's code, wherever it is called, may use the whole server: no lock of ours is held then.
//!
//! A deadlock would stop a thread, which no time-out of the runtime's could tell: so each story is told
//! in a thread of its own, and another one waits for it.

#![cfg(feature = "server")]

mod support;

use std::future::{Future, ready};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use http::{HeaderMap, request};
use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use sockeye::{
    ConnectionStateRecovery, Cors, Data, DisconnectReason, Handshake, RoomEvent, Server, Socket,
};

use support::{Client, Http, eventually, serve};

/// How long a story may take. It takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the server is used in one story, at most.
const MOST_TIMES: usize = 50;

/// Tells a story in a thread of its own, and fails if that does not end.
fn in_time<F: Future<Output = ()>>(story: impl FnOnce() -> F + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let told = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(story());
        // Whoever waited may have given up.
        let _ = done.send(());
    });
    match wait.recv_timeout(PATIENCE) {
        Ok(()) => {}
        Err(mpsc::RecvTimeoutError::Timeout) => {
            panic!("the program's code waits for a lock of ours")
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(told.join().expect_err("it has not come to its end"));
        }
    }
}

/// Uses all of a server, but not while it is doing so already.
#[derive(Clone)]
struct Meddler {
    io: Server,
    busy: Arc<AtomicBool>,
    times: Arc<AtomicUsize>,
}

impl Meddler {
    fn of(io: &Server) -> Self {
        Self { io: io.clone(), busy: Arc::default(), times: Arc::default() }
    }

    fn meddle(&self) {
        // Who is told of rooms and changes rooms is told again, without end.
        if self.times.load(Ordering::SeqCst) > MOST_TIMES || self.busy.swap(true, Ordering::SeqCst)
        {
            return;
        }
        let io = &self.io;
        for socket in io.sockets() {
            Self::meddle_with(&socket);
        }
        io.to("meddled").except("nobody").emit("meddled", 1).expect("there is room");
        io.of("/").sockets_join("meddled");
        io.of("/").sockets_leave("meddled");
        let number = self.times.load(Ordering::SeqCst);
        let other = io.of(&format!("/meddled-{number}"));
        other.on("event", || ready(())).middleware(|| ready(Ok(())));
        let listener = io.of("/").add_listener("meddled", || ready(()));
        io.of("/").remove_listener(listener);
        assert!(
            io.metrics().sockets <= 10 && io.clients_count() <= 10 && io.recovery_bytes() < 1 << 20
        );
        self.times.fetch_add(1, Ordering::SeqCst);
        self.busy.store(false, Ordering::SeqCst);
    }

    fn meddle_with(socket: &Socket) {
        socket.join(["meddled", "more"]);
        let _ = socket.emit("meddled", 2);
        let _ = socket.volatile().emit("meddled", 3);
        socket.leave("more");
        socket.on("meddled", || ready(()));
        socket.off("meddled");
        assert!(socket.rooms().len() < 10 && socket.buffered() < 1 << 20);
        assert!(!socket.id().is_empty() && !socket.handshake().url().is_empty());
        assert!(!socket.transport().as_str().is_empty());
        // Whether it is there depends on the story.
        let _ = (socket.extension::<String>(), socket.data::<Option<u8>>());
    }

    /// That it has done so once more.
    fn expect_times(&self, least: usize) {
        let times = self.times.load(Ordering::SeqCst);
        assert!(times >= least, "{times} times");
    }
}

/// Meddles while it is written.
struct MeddlesWhenWritten(Meddler);

impl Serialize for MeddlesWhenWritten {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.meddle();
        serializer.serialize_str("written")
    }
}

/// Meddles when it is dropped.
struct MeddlesWhenDropped(Meddler);

impl Drop for MeddlesWhenDropped {
    fn drop(&mut self) {
        self.0.meddle();
    }
}

thread_local! {
    static READS: std::cell::RefCell<Option<Meddler>> = const { std::cell::RefCell::new(None) };
}

/// Meddles while it is read.
struct MeddlesWhenRead;

impl<'de> Deserialize<'de> for MeddlesWhenRead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let meddler = READS.with_borrow(Clone::clone);
        if let Some(meddler) = meddler {
            meddler.meddle();
        }
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Servers that keep for clients what they miss, and those that do not.
fn servers() -> [Server; 2] {
    let recovering = ConnectionStateRecovery::new();
    [Server::new(), Server::builder().connection_state_recovery(recovering).build()]
}

/// A client in `/`, of any kind of server.
async fn join(io: &Server) -> Client {
    let mut client = Client::open(serve(io).await).await;
    client.send("40").await;
    client.expect("40{<any>").await;
    client
}

/// The client, until it is told that all is over.
async fn hear_out(client: &mut Client) {
    loop {
        match client.next("the last event").await {
            support::Incoming::Text(text) if text.starts_with(r#"42["last""#) => return,
            support::Incoming::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_sent_may_use_the_server_while_it_is_written() {
    in_time(|| async {
        for io in servers() {
            let meddler = Meddler::of(&io);
            let mut client = join(&io).await;
            let socket = io.sockets().remove(0);
            let argument = || MeddlesWhenWritten(meddler.clone());
            socket.emit("one", argument()).unwrap();
            socket.volatile().emit("volatile", argument()).unwrap();
            drop(socket.emit_with_ack::<()>("asked", argument()));
            io.emit("all", argument()).unwrap();
            io.to(socket.id()).emit("room", argument()).unwrap();
            drop(io.of("/").timeout(Duration::ZERO).emit_with_ack::<()>("asked", argument()).await);
            socket.set_data(argument()).unwrap();
            meddler.expect_times(7);
            io.emit("last", ()).unwrap();
            hear_out(&mut client).await;
        }
    });
}

#[test]
fn what_handlers_take_and_answer_may_use_the_server() {
    in_time(|| async {
        for io in servers() {
            let meddler = Meddler::of(&io);
            READS.set(Some(meddler.clone()));
            let answer = meddler.clone();
            io.of("/")
                .on("read", async |Data(_): Data<MeddlesWhenRead>| {})
                .on("answer", move || ready(MeddlesWhenWritten(answer.clone())));
            let mut client = join(&io).await;
            client.send(r#"42["read",1]"#).await;
            client.send(r#"421["answer"]"#).await;
            loop {
                if let support::Incoming::Text(text) = client.next("the answer").await
                    && text == r#"431["written"]"#
                {
                    break;
                }
            }
            let socket = io.sockets().remove(0);
            socket.set_data(1).unwrap();
            assert!(
                socket.data::<MeddlesWhenRead>().is_ok()
                    && socket.auth::<MeddlesWhenRead>().is_ok()
            );
            meddler.expect_times(4);
            READS.set(None);
        }
    });
}

#[test]
fn what_handlers_and_sockets_own_may_use_the_server_when_it_is_dropped() {
    in_time(|| async {
        for io in servers() {
            let meddler = Meddler::of(&io);
            let owned = || Arc::new(MeddlesWhenDropped(meddler.clone()));
            let mut client = join(&io).await;
            let socket = io.sockets().remove(0);
            let handler = |owned: Arc<MeddlesWhenDropped>| {
                move || {
                    let _ = &owned;
                    ready(())
                }
            };
            io.of("/").on("of the namespace", handler(owned()));
            io.of("/").off("of the namespace");
            socket.on("of the socket", handler(owned()));
            io.of("/").on_any(handler(owned()));
            io.of("/").off_any();
            let outgoing = handler(owned());
            io.of("/").on_any_outgoing(move |_, _, _| drop(outgoing()));
            io.of("/").off_any_outgoing();
            meddler.expect_times(3);
            // One takes the place of the other.
            socket.set_extension(MeddlesWhenDropped(meddler.clone()));
            socket.set_extension(MeddlesWhenDropped(meddler.clone()));
            meddler.expect_times(4);
            let kept = owned();
            io.of("/").on("waits", move || {
                let kept = Arc::clone(&kept);
                async move {
                    std::future::pending::<()>().await;
                    drop(kept);
                }
            });
            client.send(r#"42["waits"]"#).await;
            eventually("the handler", || io.metrics().handlers.running == 1).await;
            drop((client, socket));
            eventually("the end of the socket", || io.sockets().is_empty()).await;
            io.close();
        }
    });
}

#[test]
fn who_is_asked_about_requests_may_use_the_server() {
    in_time(|| async {
        let place: Arc<std::sync::OnceLock<Meddler>> = Arc::default();
        let asked = |place: &Arc<std::sync::OnceLock<Meddler>>| {
            let place = Arc::clone(place);
            move || place.get().expect("it is set before anybody asks").meddle()
        };
        let (allow, initial, headers, refused, origin) =
            (asked(&place), asked(&place), asked(&place), asked(&place), asked(&place));
        let io = Server::builder()
            .allow_request(move |_: Handshake| {
                allow();
                ready(Ok(()))
            })
            .initial_headers(move |_: &mut HeaderMap, _: &request::Parts| initial())
            .headers(move |_: &mut HeaderMap, _: &request::Parts| headers())
            .connection_error(move |_| refused())
            .cors(Cors::matching(move |_| {
                origin();
                true
            }))
            .build();
        let meddler = Meddler::of(&io);
        place.set(meddler.clone()).ok().expect("it is set once");
        let address = serve(&io).await;
        let mut http = Http::open(address).await;
        let origin = &["Origin: http://a.example"];
        let good = http.get_with("/socket.io/?EIO=4&transport=polling", origin).await;
        assert_eq!(good.status, 200);
        meddler.expect_times(4);
        assert_eq!(http.get_with("/socket.io/?EIO=4", origin).await.status, 400);
        meddler.expect_times(6);
        let mut client = Client::join(address).await;
        io.emit("last", ()).unwrap();
        hear_out(&mut client).await;
    });
}

#[test]
fn who_is_told_of_namespaces_sockets_rooms_and_errors_may_use_the_server() {
    in_time(|| async {
        for io in servers() {
            let meddler = Meddler::of(&io);
            let asked = || {
                let meddler = meddler.clone();
                move || meddler.meddle()
            };
            let (new, pattern, rooms, report) = (asked(), asked(), asked(), asked());
            io.on_new_namespace(move |_| new());
            io.of_matching(move |name| {
                pattern();
                name == "/made"
            });
            io.of("/").on_room_event(move |_: RoomEvent<'_>| rooms());
            io.on_error(move |_| report());
            let (outgoing, middleware, connect, disconnecting, disconnect) =
                (asked(), asked(), asked(), asked(), asked());
            io.of("/")
                .on_connect(move |_: Socket| {
                    connect();
                    ready(())
                })
                .on_disconnecting(move |_: Socket| {
                    disconnecting();
                    ready(())
                })
                .on_disconnect(move |_: Socket, _: DisconnectReason| {
                    disconnect();
                    ready(())
                })
                .middleware(move |_: Socket| {
                    middleware();
                    ready(Ok(()))
                })
                .on("number", async |Data(_): Data<u8>| {});
            io.of("/").on_any_outgoing(move |_, _, _| outgoing());
            let mut client = join(&io).await;
            client.send("40/made,").await;
            client.send(r#"42["number","x"]"#).await;
            let least = meddler.times.load(Ordering::SeqCst);
            io.emit("last", ()).unwrap();
            hear_out(&mut client).await;
            meddler.expect_times(least.max(4));
            drop(client);
            io.of("/").disconnect_sockets(true);
            eventually("the end of the connection", || io.clients_count() == 0).await;
        }
    });
}
