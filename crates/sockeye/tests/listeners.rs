//! Listeners: of a namespace and of one socket, for one event, for one time, for all events that
//! arrive or are sent; who of several answers.

#![cfg(feature = "server")]

mod support;

use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Mutex};

use bytes::Bytes;
use sockeye::{
    Acknowledgement, Arguments, Data, EventName, HandlerErrorKind, ListenerId, Server, Socket,
};

use support::{Client, Log, Pen, log, serve};

/// A handler that writes down that it was called.
fn writes(pen: &Pen<String>, entry: &str) -> impl Fn() -> Ready<()> + Send + Sync + use<> {
    let (pen, entry) = (pen.clone(), entry.to_owned());
    move || {
        pen.write(entry.as_str());
        ready(())
    }
}

/// A server with one client, and what handlers write down.
async fn one_client() -> (Server, Client, Socket, Pen<String>, Log<String>) {
    let io = Server::new();
    let (pen, log) = log();
    let client = Client::join(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    (io, client, socket, pen, log)
}

fn panics(io: &Server) -> Log<String> {
    let (pen, panics) = log();
    io.on_error(move |error| {
        if let HandlerErrorKind::Panicked(message) = &error.kind {
            pen.write(format!("{}: {message}", error.event));
        }
    });
    panics
}

#[tokio::test]
async fn s_073_all_listeners_are_called_the_namespaces_before_the_sockets_own() {
    let (io, mut client, socket, pen, mut log) = one_client().await;
    socket.on("e", writes(&pen, "own")).on("e", writes(&pen, "own, second"));
    socket.on_any(writes(&pen, "own, any"));
    socket.prepend_any(writes(&pen, "own, any, prepended"));
    io.of("/").on("e", writes(&pen, "namespace")).on("e", writes(&pen, "namespace, second"));
    io.of("/").on_any(writes(&pen, "any"));
    io.of("/").prepend_any(writes(&pen, "any, prepended"));
    client.send(r#"42["e"]"#).await;
    for entry in [
        "any, prepended",
        "any",
        "own, any, prepended",
        "own, any",
        "namespace",
        "namespace, second",
        "own",
        "own, second",
    ] {
        log.expect(entry).await;
    }
    client.send(r#"42["unknown"]"#).await;
    for entry in ["any, prepended", "any", "own, any, prepended", "own, any"] {
        log.expect(entry).await;
    }
    client.expect_nothing().await;
    log.expect_nothing();
}

#[tokio::test]
async fn listeners_of_one_socket_are_not_called_for_another() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let address = serve(&io).await;
    let mut one = Client::join(address).await;
    let own = io.sockets().remove(0);
    let mut other = Client::join(address).await;
    own.on("e", writes(&pen, "own"));
    own.on_any(writes(&pen, "any"));
    let shown = pen.clone();
    own.on_any_outgoing(move |_, name, _| shown.write(name));
    other.send(r#"42["e"]"#).await;
    other.expect_nothing().await;
    io.sockets().iter().find(|socket| **socket != own).unwrap().emit("to the other", ()).unwrap();
    log.expect_nothing();
    one.send(r#"42["e"]"#).await;
    log.expect("any").await;
    log.expect("own").await;
}

#[tokio::test]
async fn of_several_the_first_that_returns_a_value_answers_or_else_the_last() {
    let (io, mut client, socket, _, _) = one_client().await;
    io.of("/")
        .on("value", async || ())
        .on("value", async || 1)
        .on("value", async || 2)
        .on("nothing", async || ())
        .on("taker", async || ())
        .on("taker", async |right: Option<Acknowledgement>| right.unwrap().send("taken").unwrap())
        .on("fast", async || {
            tokio::task::yield_now().await;
            "slow, but first"
        });
    socket.on("value", async || 3);
    socket.on("nothing", async || ());
    socket.on("taker", async || "too late");
    socket.on("fast", async || "fast, but second");
    for (event, answer) in [
        ("value", "[1]"),
        ("nothing", "[]"),
        ("taker", r#"["taken"]"#),
        ("fast", r#"["slow, but first"]"#),
    ] {
        client.send(&format!(r#"427["{event}"]"#)).await;
        client.expect(&format!("437{answer}")).await;
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_once_listener_is_called_once_even_if_two_events_come_in_one_batch() {
    let (io, mut client, socket, pen, mut log) = one_client().await;
    io.of("/").once("e", writes(&pen, "once"));
    socket.once("e", writes(&pen, "own, once"));
    io.of("/").on_fallback(async || "fallback");
    assert_eq!((io.of("/").listeners("e"), socket.listeners("e")), (1, 1));
    client.send_together(&[r#"420["e"]"#, r#"421["e"]"#, r#"422["e"]"#]).await;
    client.expect_all(&["430[]", r#"431["fallback"]"#, r#"432["fallback"]"#]).await;
    log.expect("once").await;
    log.expect("own, once").await;
    log.expect_nothing();
    assert_eq!((io.of("/").listeners("e"), socket.listeners("e")), (0, 0));
}

/// A namespace's `once` is for one event of whichever client is first, as its `on` is for all. The
/// other listeners and their answers are not concerned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clients_that_race_for_a_once_listener_one_calls_it_and_both_are_answered() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let address = serve(&io).await;
    io.of("/").on("e", async || ());
    let mut clients = [Client::join(address).await, Client::join(address).await];
    for round in 0..500 {
        io.of("/").once("e", writes(&pen, &format!("round {round}")));
        let [one, other] = &mut clients;
        let event = r#"427["e"]"#;
        tokio::join!(one.send(event), other.send(event));
        tokio::join!(one.expect("437[]"), other.expect("437[]"));
        log.expect(format!("round {round}")).await;
        log.expect_nothing();
    }
}

#[tokio::test]
async fn a_listener_may_remove_itself_and_add_others_while_it_is_called() {
    let (io, mut client, socket, pen, mut log) = one_client().await;
    let id = Arc::new(Mutex::new(None::<ListenerId>));
    let own_id = Arc::clone(&id);
    let added = pen.clone();
    let listener = socket.add_listener("e", move |socket: Socket| {
        added.write("first");
        socket.remove_listener(own_id.lock().unwrap().unwrap());
        socket.on("e", writes(&added, "added"));
        socket.namespace().once("e", writes(&added, "added to the namespace"));
        ready(())
    });
    *id.lock().unwrap() = Some(listener);
    socket.on("e", writes(&pen, "second"));
    client.send_together(&[r#"42["e"]"#, r#"42["e"]"#, r#"42["e"]"#]).await;
    // Who is added, or removed, during an event is called, or not, from the next one on.
    for entry in ["first", "second", "added to the namespace", "second", "added", "second", "added"]
    {
        log.expect(entry).await;
    }
    client.expect_nothing().await;
    log.expect_nothing();
    assert_eq!((io.of("/").listeners("e"), socket.listeners("e")), (0, 2));
}

/// An event goes to those who listened when it arrived, as in the official server.
#[tokio::test]
async fn a_listener_that_is_removed_by_an_earlier_one_still_gets_that_event() {
    let (_io, mut client, socket, pen, mut log) = one_client().await;
    socket.on("e", |socket: Socket| {
        socket.off("e");
        ready(())
    });
    socket.on("e", writes(&pen, "second"));
    client.send_together(&[r#"42["e"]"#, r#"42["e"]"#]).await;
    log.expect("second").await;
    client.expect_nothing().await;
    log.expect_nothing();
}

#[tokio::test]
async fn listeners_are_counted_and_removed_one_by_one_or_all_of_a_kind() {
    let (io, mut client, socket, pen, mut log) = one_client().await;
    let namespace = io.of("/");
    let one = namespace.add_listener("e", writes(&pen, "one"));
    namespace.on("e", writes(&pen, "two")).on("other", writes(&pen, "other"));
    assert_eq!([namespace.listeners("e"), namespace.listeners("other")], [2, 1]);
    namespace.remove_listener(one).remove_listener(one);
    client.send(r#"42["e"]"#).await;
    log.expect("two").await;
    namespace.off("e").off("never given");
    assert_eq!([namespace.listeners("e"), namespace.listeners("other")], [0, 1]);
    client.send_together(&[r#"42["e"]"#, r#"42["other"]"#]).await;
    log.expect("other").await;

    let any = socket.on_any(writes(&pen, "any"));
    socket.prepend_any(writes(&pen, "any, prepended"));
    let outgoing = socket.on_any_outgoing(|_, _, _| {});
    socket.prepend_any_outgoing(|_, _, _| {});
    assert_eq!([socket.listeners_any(), socket.listeners_any_outgoing()], [2, 2]);
    socket.remove_listener(any).remove_listener(outgoing);
    assert_eq!([socket.listeners_any(), socket.listeners_any_outgoing()], [1, 1]);
    client.send(r#"42["e"]"#).await;
    log.expect("any, prepended").await;
    socket.off_any().off_any_outgoing();
    assert_eq!([socket.listeners_any(), socket.listeners_any_outgoing()], [0, 0]);
    // One of another socket or namespace is unknown here.
    socket.remove_listener(namespace.on_any(writes(&pen, "any of all")));
    assert_eq!(namespace.listeners_any(), 1);
    client.send(r#"42["e"]"#).await;
    log.expect("any of all").await;
    client.expect_nothing().await;
    log.expect_nothing();
}

#[tokio::test]
async fn what_a_catch_all_listener_returns_is_not_sent_but_it_may_take_the_right_to_answer() {
    let (io, mut client, socket, _, _) = one_client().await;
    io.of("/").on("e", async || "handler");
    io.of("/").on_any(async || "not sent");
    client.send_together(&[r#"420["e"]"#, r#"421["unknown"]"#]).await;
    client.expect(r#"430["handler"]"#).await;
    client.expect_nothing().await;
    let any = async |EventName(name): EventName,
                     Data(number): Data<i64>,
                     right: Option<Acknowledgement>| {
        right.unwrap().send((name, number)).unwrap();
    };
    socket.on_any(any);
    client.send(r#"422["e",7]"#).await;
    client.expect(r#"432["e",7]"#).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_catch_all_listener_whose_types_do_not_fit_does_not_stop_the_event() {
    let (io, mut client, _, pen, mut log) = one_client().await;
    io.on_error(move |error| pen.write(format!("{}: {:?}", error.event, error.kind)));
    io.of("/").on_any(async |Data(_): Data<i64>| ());
    io.of("/").on("text", async |Data(text): Data<String>| text);
    client.send(r#"420["text","x"]"#).await;
    client.expect(r#"430["x"]"#).await;
    assert!(log.next("the mismatch").await.starts_with("text: Arguments("));
}

fn shown(pen: &Pen<String>, who: &str) -> impl Fn(&Socket, &str, Arguments<'_>) + use<> {
    let (pen, who) = (pen.clone(), who.to_owned());
    move |socket, name, arguments| {
        let arguments: Vec<_> = arguments.iter().collect();
        pen.write(format!("{who} {} {name} {arguments:?}", &socket.id()[..4]));
    }
}

#[tokio::test]
async fn s_073_outgoing_listeners_are_shown_emits_and_broadcasts_but_no_acknowledgements() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    io.of("/").on("ask", async || "an answer");
    let address = serve(&io).await;
    let mut one = Client::join(address).await;
    let first = io.sockets().remove(0);
    let mut other = Client::join(address).await;
    let other_id = other.id[..4].to_owned();
    io.of("/").on_any_outgoing(shown(&pen, "all"));
    io.of("/").prepend_any_outgoing(shown(&pen, "prepended"));
    first.on_any_outgoing(shown(&pen, "own"));
    let id = &one.id.clone()[..4];

    first.emit("one", (1, "é")).unwrap();
    for who in ["prepended", "all", "own"] {
        log.expect(format!(r#"{who} {id} one ["1", "\"é\""]"#)).await;
    }
    io.except(other.id.as_str()).emit("broadcast", ()).unwrap();
    for who in ["prepended", "all", "own"] {
        log.expect(format!("{who} {id} broadcast []")).await;
    }
    io.of("/").off_any_outgoing();
    first.broadcast().emit("not to it", ()).unwrap();
    log.expect_nothing();
    let answer = first.emit_with_ack::<i64>("question", Bytes::from_static(b"bytes"));
    let placeholder = r#"own <id> question ["{\"_placeholder\":true,\"num\":0}"]"#;
    log.expect(placeholder.replace("<id>", id)).await;
    one.expect(r#"42["one",1,"é"]"#).await;
    one.expect(r#"42["broadcast"]"#).await;
    one.expect(r#"451-0["question",{"_placeholder":true,"num":0}]"#).await;
    one.expect_binary(b"bytes").await;
    one.send("430[7]").await;
    assert_eq!(answer.await.unwrap(), 7);
    one.send(r#"421["ask"]"#).await;
    one.expect(r#"431["an answer"]"#).await;
    log.expect_nothing();
    other.expect(r#"42["not to it"]"#).await;
    io.of("/").on_any_outgoing(shown(&pen, "all"));
    io.to(other.id.as_str()).emit("to the other", ()).unwrap();
    log.expect(format!("all {other_id} to the other []")).await;
    log.expect_nothing();
}

/// It may send too; and what it sends is shown as well.
#[tokio::test]
async fn an_outgoing_listener_may_emit_and_look_at_its_socket() {
    let (_io, mut client, socket, pen, mut log) = one_client().await;
    socket.on_any_outgoing(move |socket, name, _| {
        pen.write(name);
        if name == "first" {
            socket.join("room");
            socket.emit("second", socket.rooms().len()).unwrap();
        }
    });
    socket.emit("first", ()).unwrap();
    client.expect(r#"42["second",2]"#).await;
    client.expect(r#"42["first"]"#).await;
    log.expect("first").await;
    log.expect("second").await;
}

#[tokio::test]
async fn a_panic_in_any_kind_of_listener_concerns_no_other_and_not_the_connection() {
    let (io, mut client, socket, pen, mut log) = one_client().await;
    let mut panics = panics(&io);
    let at_once = || -> Ready<()> { panic!("at once") };
    let later = async || -> () {
        tokio::task::yield_now().await;
        panic!("later")
    };
    io.of("/").on_any(at_once);
    io.of("/").on_any(later);
    io.of("/").once("e", at_once);
    socket.on("e", at_once);
    socket.on("e", later);
    socket.on("e", writes(&pen, "still called"));
    io.of("/").on_any_outgoing(|_, _, _| panic!("outgoing"));
    socket.on_any_outgoing(shown(&pen, "own"));
    client.send(r#"420["e"]"#).await;
    // Whose turn it was to answer, the last one's, has answered.
    client.expect("430[]").await;
    log.expect("still called").await;
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(panics.next("a panic").await);
    }
    told.sort();
    assert_eq!(told, ["e: at once", "e: at once", "e: at once", "e: later", "e: later"]);
    socket.emit("sent all the same", ()).unwrap();
    client.expect(r#"42["sent all the same"]"#).await;
    log.expect(format!("own {} sent all the same []", &client.id[..4])).await;
}

/// S-014, S-015.
#[tokio::test]
async fn s_014_reserved_names_cannot_be_listened_to_and_numbers_are_names() {
    let (_io, mut client, socket, _, _) = one_client().await;
    for name in ["connect", "disconnect", "disconnecting", "newListener", "removeListener"] {
        let on = catch_unwind(AssertUnwindSafe(|| socket.add_listener(name, async || ())));
        let once = catch_unwind(AssertUnwindSafe(|| socket.once(name, async || ())));
        for panic in [on.unwrap_err(), once.unwrap_err()] {
            let message = panic.downcast_ref::<String>().expect("a message");
            assert!(message.contains(&format!("\"{name}\" is a reserved event name")), "{message}");
        }
    }
    socket.on("7", async || "seven");
    client.send("420[7]").await;
    client.expect(r#"430["seven"]"#).await;
}

/// What a listener holds on to, and what that does when it is dropped.
struct LeavesWhenDropped(Socket);

impl Drop for LeavesWhenDropped {
    fn drop(&mut self) {
        self.0.leave("room");
        self.0.on("left", async || ());
    }
}

/// Else a program could stop its own connection by a listener that owns something.
#[tokio::test]
async fn what_a_removed_listener_owned_may_use_the_socket_when_it_is_dropped() {
    let removals: [fn(&Socket, ListenerId) -> &Socket; 4] = [
        |socket, id| socket.remove_listener(id),
        |socket, _| socket.off("e"),
        |socket, _| socket.off_any(),
        |socket, _| socket.off_any_outgoing(),
    ];
    for (round, remove) in removals.into_iter().enumerate() {
        let (_io, _client, socket, _, _) = one_client().await;
        socket.join("room");
        let owned = LeavesWhenDropped(socket.clone());
        let handler = move || {
            let _ = &owned;
            ready(())
        };
        let id = match round {
            0 | 1 => socket.add_listener("e", handler),
            2 => socket.on_any(handler),
            _ => socket.on_any_outgoing(move |_, _, _| drop(handler())),
        };
        remove(&socket, id);
        assert_eq!(socket.rooms(), [socket.id()]);
        assert_eq!(socket.listeners("left"), 1);
    }
}

/// Threads that add and remove while events arrive: nobody's listener is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_that_are_changed_by_many_threads_at_once_are_all_counted() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 200;
    let (io, mut client, socket, _, _) = one_client().await;
    let start = Arc::new(Barrier::new(THREADS));
    let changes = (0..THREADS).map(|_| {
        let (io, socket, start) = (io.clone(), socket.clone(), Arc::clone(&start));
        std::thread::spawn(move || {
            start.wait();
            for _ in 0..ROUNDS {
                let kept = socket.add_listener("e", async || ());
                socket.remove_listener(socket.on_any(async || ()));
                socket.remove_listener(kept);
                socket.on("kept", async || ());
                io.of("/").remove_listener(io.of("/").add_listener("e", async || ()));
                io.of("/").on_any_outgoing(|_, _, _| {});
            }
        })
    });
    let changes: Vec<_> = changes.collect();
    for number in 0..200 {
        client.send(&format!(r#"42{number}["e"]"#)).await;
    }
    tokio::task::spawn_blocking(move || changes.into_iter().for_each(|all| all.join().unwrap()))
        .await
        .unwrap();
    assert_eq!([socket.listeners("e"), io.of("/").listeners("e")], [0, 0]);
    assert_eq!(socket.listeners("kept"), THREADS * ROUNDS);
    assert_eq!(io.of("/").listeners_any_outgoing(), THREADS * ROUNDS);
}
