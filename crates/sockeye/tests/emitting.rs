//! Ways out to clients: emits, acknowledgements, rooms, broadcasts.

#![cfg(feature = "server")]

mod support;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::ser::{Error as _, Serialize, Serializer};
use sockeye::{AcknowledgementError, EmitError, Server, Socket};
use tokio::sync::Barrier;

use support::{Client, Incoming, Polling, eventually, serve, within};

/// A server, a client of it, and the client's socket.
async fn pair() -> (Server, Client, Socket) {
    let io = Server::new();
    let client = Client::join(serve(&io).await).await;
    let socket = io.of("/").socket(&client.id).expect("the client is in");
    (io, client, socket)
}

/// A server with clients, which are in these rooms.
async fn clients_in<const N: usize>(rooms: [&[&str]; N]) -> (Server, [Client; N], [Socket; N]) {
    let io = Server::new();
    let address = serve(&io).await;
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for rooms in rooms {
        let client = Client::join(address).await;
        let socket = io.of("/").socket(&client.id).expect("the client is in");
        socket.join(rooms);
        clients.push(client);
        sockets.push(socket);
    }
    let clients = clients.try_into().expect("N clients");
    (io, clients, sockets.try_into().expect("N sockets"))
}

/// Each client gets the event that says its name once, or nothing.
async fn expect_in(clients: &mut [Client], event: &str, receivers: &[usize]) {
    for (number, client) in clients.iter_mut().enumerate() {
        if receivers.contains(&number) {
            client.expect(&format!(r#"42["{event}"]"#)).await;
        }
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn what_is_emitted_after_the_end_is_refused() {
    let (io, mut client, socket) = pair().await;
    client.close().await;
    eventually("the end of the socket", || !socket.is_connected()).await;
    assert!(matches!(socket.emit("late", ()), Err(EmitError::Disconnected)));
    assert!(matches!(socket.volatile().emit("late", ()), Err(EmitError::Disconnected)));
    let answer = within("the refusal", socket.emit_with_ack::<()>("late", ())).await;
    let refused = matches!(answer, Err(AcknowledgementError::Emit(EmitError::Disconnected)));
    assert!(refused, "{answer:?}");
    io.emit("late", ()).expect("a broadcast to nobody is no error");
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_and_leaves_no_trace() {
    let (io, mut client, socket) = pair().await;
    let no_json = HashMap::from([((1, 2), 3)]);
    for event in
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        let refused = socket.emit(event, ()).expect_err("a reserved name");
        assert!(matches!(refused, EmitError::Encode(_)), "{refused:?}");
        assert!(refused.to_string().contains(event), "{refused}");
        assert!(matches!(io.emit(event, ()), Err(EmitError::Encode(_))));
    }
    let refused = socket.emit("map", ("first", &no_json)).expect_err("a key that is no string");
    assert!(matches!(refused, EmitError::Encode(_)), "{refused:?}");
    assert!(matches!(io.emit("map", &no_json), Err(EmitError::Encode(_))));
    let answer = socket.emit_with_ack::<()>("map", &no_json).await;
    let refused = matches!(answer, Err(AcknowledgementError::Emit(EmitError::Encode(_))));
    assert!(refused, "{answer:?}");
    let everybody = io.of("/").local().timeout(Duration::from_secs(1));
    assert!(everybody.emit_with_ack::<()>("map", &no_json).await.is_err());
    socket.emit("next", 1).unwrap();
    client.expect(r#"42["next",1]"#).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn arguments_go_out_as_a_call_has_them() {
    let (_io, mut client, socket) = pair().await;
    socket.emit("none", ()).unwrap();
    socket.emit("one", "x").unwrap();
    socket.emit("two", (1, "two")).unwrap();
    socket.emit("list", vec![1, 2]).unwrap();
    socket.emit("null", None::<i32>).unwrap();
    socket.emit("bytes", (Bytes::from_static(b"a"), 1, Bytes::from_static(b"b"))).unwrap();
    client
        .expect_all(&[
            r#"42["none"]"#,
            r#"42["one","x"]"#,
            r#"42["two",1,"two"]"#,
            r#"42["list",[1,2]]"#,
            r#"42["null",null]"#,
            r#"452-["bytes",{"_placeholder":true,"num":0},1,{"_placeholder":true,"num":1}]"#,
        ])
        .await;
    client.expect_binary(b"a").await;
    client.expect_binary(b"b").await;
}

/// A value that emits while it is being written.
struct Nested<'a>(&'a Socket);

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.emit("inner", 1).map_err(S::Error::custom)?;
        serializer.serialize_str("outer")
    }
}

/// A value that cannot be written, and does not say so in time.
struct Panics;

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("this value panics")
    }
}

#[tokio::test]
async fn a_value_may_emit_or_panic_while_it_is_written() {
    let (_io, mut client, socket) = pair().await;
    socket.emit("event", ("first", Nested(&socket))).unwrap();
    client.expect_all(&[r#"42["inner",1]"#, r#"42["event","first","outer"]"#]).await;
    let emit = std::panic::AssertUnwindSafe(|| socket.emit("event", ("first", Panics)));
    assert!(std::panic::catch_unwind(emit).is_err());
    socket.emit("next", ()).unwrap();
    client.expect(r#"42["next"]"#).await;
}

/// The limit of ten attachments (S-008) is for what arrives.
#[tokio::test]
async fn more_attachments_can_be_sent_than_may_be_received() {
    let (_io, mut client, socket) = pair().await;
    let parts: Vec<_> = (0..11_u8).map(|number| Bytes::copy_from_slice(&[number])).collect();
    socket.emit("parts", parts).unwrap();
    client.expect("4511-[\"parts\",[{\"_placeholder\":true,\"num\":0}<any>").await;
    for number in 0..11 {
        client.expect_binary(&[number]).await;
    }
}

/// Counts how often it is written.
struct Counted(Cell<usize>);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.set(self.0.get() + 1);
        serializer.serialize_str("value")
    }
}

/// S-057.
#[tokio::test]
async fn a_broadcast_is_written_once_for_all() {
    let (io, mut clients, _sockets) = clients_in([&[], &[], &[]]).await;
    let mut polling = Polling::join(serve(&io).await).await;
    let value = Counted(Cell::new(0));
    io.emit("event", &value).unwrap();
    for client in &mut clients {
        client.expect(r#"42["event","value"]"#).await;
    }
    assert_eq!(polling.poll().await, r#"42["event","value"]"#);
    assert_eq!(value.0.get(), 1);
}

/// S-059, S-060.
#[tokio::test]
async fn an_acknowledgement_resolves_with_what_the_client_answers() {
    let (_io, mut client, socket) = pair().await;
    let one = socket.emit_with_ack::<String>("one", 1);
    let two = socket.emit_with_ack::<(i64, Option<String>)>("two", ());
    let none = socket.emit_with_ack::<()>("none", ());
    let bytes = socket.emit_with_ack::<Bytes>("bytes", ());
    // Sent before anybody waits.
    client.expect(r#"420["one",1]"#).await;
    client.expect_all(&[r#"421["two"]"#, r#"422["none"]"#, r#"423["bytes"]"#]).await;
    // Answers come in any order, and count once.
    client.send("431[2]").await;
    client.send("432[]").await;
    client.send(r#"461-3[{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(b"abc").await;
    client.send(r#"430["x"]"#).await;
    client.send(r#"430["y"]"#).await;
    assert_eq!(within("an answer", one).await.unwrap(), "x");
    assert_eq!(within("an answer", two).await.unwrap(), (2, None));
    within("an answer", none).await.unwrap();
    assert_eq!(within("an answer", bytes).await.unwrap(), &b"abc"[..]);
    // Unknown ids are ignored.
    client.send("4399[]").await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_an_error() {
    let (_io, mut client, socket) = pair().await;
    let answer = socket.emit_with_ack::<i64>("question", ());
    client.expect(r#"420["question"]"#).await;
    client.send(r#"430["x"]"#).await;
    let answer = within("an answer", answer).await;
    assert!(matches!(answer, Err(AcknowledgementError::Arguments(_))), "{answer:?}");
}

/// S-061.
#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_an_error_and_ignored_when_it_comes() {
    let (_io, mut client, socket) = pair().await;
    let answer = socket.emit_with_ack::<i64>("question", ()).timeout(Duration::from_millis(5));
    let answer = within("the time-out", answer).await;
    assert!(matches!(answer, Err(AcknowledgementError::TimedOut)), "{answer:?}");
    assert_eq!(answer.unwrap_err().to_string(), "operation has timed out");
    client.expect(r#"420["question"]"#).await;
    client.send("430[1]").await;
    let second = socket.emit_with_ack::<i64>("question", ());
    client.expect(r#"421["question"]"#).await;
    client.send("431[2]").await;
    assert_eq!(within("the second answer", second).await.unwrap(), 2);
}

/// Unlike S-062: it always resolves.
#[tokio::test]
async fn when_the_client_goes_away_nobody_waits_for_its_answer() {
    for put_out in [false, true] {
        let (_io, mut client, socket) = pair().await;
        let answer = socket.emit_with_ack::<i64>("question", ());
        client.expect(r#"420["question"]"#).await;
        if put_out {
            socket.disconnect(false);
        } else {
            client.close().await;
        }
        let answer = within("the end of waiting", answer).await;
        assert!(matches!(answer, Err(AcknowledgementError::Disconnected)), "{answer:?}");
    }
}

#[tokio::test]
async fn so_many_answers_are_awaited_and_no_more_and_giving_up_makes_room() {
    let io = Server::builder().max_pending_acknowledgements(2).build();
    let mut client = Client::join(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    let first = socket.emit_with_ack::<i64>("question", ());
    let second = socket.emit_with_ack::<i64>("question", ());
    let third = socket.emit_with_ack::<i64>("question", ()).await;
    let refused = matches!(third, Err(AcknowledgementError::Emit(EmitError::TooManyPending)));
    assert!(refused, "{third:?}");
    drop(first);
    let fourth = socket.emit_with_ack::<i64>("question", ());
    client.expect_all(&[r#"420["question"]"#, r#"421["question"]"#, r#"423["question"]"#]).await;
    // The answer that nobody waits for any more changes nothing.
    client.send("430[1]").await;
    client.send("431[2]").await;
    client.send("433[4]").await;
    assert_eq!(within("the second answer", second).await.unwrap(), 2);
    assert_eq!(within("the fourth answer", fourth).await.unwrap(), 4);
}

/// S-055.
#[tokio::test]
async fn volatile_events_need_a_request_that_waits() {
    let io = Server::new();
    let mut client = Polling::join(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    let dropped = socket.volatile().emit("dropped", ());
    assert!(matches!(dropped, Err(EmitError::NotWritable)), "{dropped:?}");
    io.of("/").volatile().emit("dropped too", ()).unwrap();
    socket.emit("kept", ()).unwrap();
    assert_eq!(client.poll().await, r#"42["kept"]"#);
    client.start_poll().await;
    eventually("the poll to wait", || socket.volatile().emit("sent", ()).is_ok()).await;
    assert_eq!(client.finish_poll().await, r#"42["sent"]"#);
}

/// The reference drops all but the first, since its transport is busy until the next tick (S-056).
#[tokio::test]
async fn several_volatile_events_in_one_go_all_arrive() {
    let (io, mut client, socket) = pair().await;
    io.of("/").on("ask", async |socket: Socket| {
        (0..3).for_each(|number| socket.volatile().emit("tick", number).unwrap());
    });
    (0..3).for_each(|number| socket.volatile().emit("tick", number).unwrap());
    client.send(r#"42["ask"]"#).await;
    for _ in 0..2 {
        client.expect_all(&[r#"42["tick",0]"#, r#"42["tick",1]"#, r#"42["tick",2]"#]).await;
    }
}

#[tokio::test]
async fn volatile_events_to_a_client_that_does_not_read_are_dropped_whole() {
    let io = Server::new();
    let address = serve(&io).await;
    let mut client = Client::join_with_small_buffer(address).await;
    let socket = io.sockets().remove(0);
    let payload = "x".repeat(100_000);
    let mut sent = 0;
    while socket.volatile().emit("tick", (sent, &payload)).is_ok() {
        sent += 1;
        assert!(sent < 1_000, "awaited a full buffer");
    }
    for number in 0..sent {
        client.expect(&format!(r#"42["tick",{number},"{payload}"]"#)).await;
    }
    client.expect_nothing().await;
    eventually("room", || socket.volatile().emit("room", ()).is_ok()).await;
    client.expect(r#"42["room"]"#).await;
}

/// S-059, S-063, S-065.
#[tokio::test]
async fn a_broadcast_gathers_the_answers_of_all() {
    let (io, [mut a, mut b, mut c], [_, _, third]) = clients_in([&["room"], &["room"], &[]]).await;
    let asked = io.clone();
    let answers = tokio::spawn(async move {
        let room = asked.to("room").timeout(Duration::from_secs(5));
        room.emit_with_ack::<i64>("question", 1).await
    });
    for (client, answer) in [(&mut a, 1), (&mut b, 2)] {
        client.expect(r#"420["question",1]"#).await;
        client.send(&format!("430[{answer}]")).await;
    }
    c.expect_nothing().await;
    let mut answers = within("the answers", answers).await.unwrap().unwrap();
    answers.sort_unstable();
    assert_eq!(answers, [1, 2]);
    let nobody = io.to("nowhere").timeout(Duration::from_secs(5));
    let none = within("no answers", nobody.emit_with_ack::<i64>("question", ())).await.unwrap();
    assert!(none.is_empty());
    // Ids are those of the namespace: the two broadcasts had one each.
    drop(third.emit_with_ack::<()>("question", ()));
    c.expect(r#"422["question"]"#).await;
}

#[tokio::test]
async fn a_broadcast_that_is_not_answered_by_all_keeps_the_answers_it_got() {
    let (io, [mut answers, mut leaves, mut silent, mut wrong], _) =
        clients_in([&["room"], &["room"], &["room"], &["room"]]).await;
    let asked = io.to("room").timeout(Duration::from_millis(300));
    let gathered = tokio::spawn(async move { asked.emit_with_ack::<i64>("question", ()).await });
    for client in [&mut answers, &mut leaves, &mut silent, &mut wrong] {
        client.expect(r#"420["question"]"#).await;
    }
    answers.send("430[7]").await;
    wrong.send(r#"430["x"]"#).await;
    leaves.close().await;
    let partial = within("the answers", gathered).await.unwrap().unwrap_err();
    assert_eq!((partial.answers(), partial.missing()), (&[7][..], 3));
    let message = partial.to_string();
    assert!(message.starts_with("operation has timed out"), "{message}");
    // Too late: ignored.
    silent.send("430[8]").await;
    silent.expect_nothing().await;
    assert_eq!(partial.into_answers(), [7]);
}

/// S-066: what nobody waits for any more counts for nothing.
#[tokio::test]
async fn a_broadcast_that_was_not_answered_in_time_leaves_nothing_behind() {
    let io = Server::builder().max_pending_acknowledgements(1).build();
    let mut client = Client::join(serve(&io).await).await;
    for id in 0..3 {
        let asked = io.of("/").timeout(Duration::from_millis(5));
        let partial = asked.emit_with_ack::<i64>("question", ()).await.unwrap_err();
        assert_eq!(partial.missing(), 1);
        client.expect(&format!(r#"42{id}["question"]"#)).await;
    }
}

/// S-049, S-052, S-053.
#[tokio::test]
async fn rooms_choose_receivers() {
    let (io, mut clients, sockets) = clients_in([&["a"], &["a", "b"], &["b"], &[]]).await;
    io.emit("all", ()).unwrap();
    expect_in(&mut clients, "all", &[0, 1, 2, 3]).await;
    io.to("a").emit("a", ()).unwrap();
    expect_in(&mut clients, "a", &[0, 1]).await;
    io.to("a").to("b").emit("one copy", ()).unwrap();
    expect_in(&mut clients, "one copy", &[0, 1, 2]).await;
    io.to(["a", "b"]).except("b").emit("a but not b", ()).unwrap();
    expect_in(&mut clients, "a but not b", &[0]).await;
    io.except(vec!["a", "b"]).emit("neither", ()).unwrap();
    expect_in(&mut clients, "neither", &[3]).await;
    io.to(sockets[2].id()).to("b").emit("own id", ()).unwrap();
    expect_in(&mut clients, "own id", &[1, 2]).await;
    io.except(sockets[0].id()).emit("but one", ()).unwrap();
    expect_in(&mut clients, "but one", &[1, 2, 3]).await;
    sockets[1].broadcast().emit("others", ()).unwrap();
    expect_in(&mut clients, "others", &[0, 2, 3]).await;
    sockets[1].to(["a", "b"]).emit("others in rooms", ()).unwrap();
    expect_in(&mut clients, "others in rooms", &[0, 2]).await;
    sockets[3].except("a").emit("others without a", ()).unwrap();
    expect_in(&mut clients, "others without a", &[2]).await;
    io.to("nowhere").emit("nobody", ()).unwrap();
    expect_in(&mut clients, "nobody", &[]).await;
    // An operator is a value: it can be kept, and what is added to a copy is not in it.
    let kept = io.in_("a");
    let _wider = kept.clone().to("b");
    kept.emit("kept", ()).unwrap();
    expect_in(&mut clients, "kept", &[0, 1]).await;
}

#[tokio::test]
async fn broadcasts_stay_in_their_namespace() {
    let io = Server::new();
    io.of("/other");
    let address = serve(&io).await;
    let (mut root, mut other) = (Client::join(address).await, Client::open(address).await);
    other.connect("40/other,").await;
    io.sockets()[0].join("room");
    io.of("/other").sockets()[0].join("room");
    io.to("room").emit("root", ()).unwrap();
    io.of("/other").to("room").emit("other", ()).unwrap();
    root.expect(r#"42["root"]"#).await;
    other.expect(r#"42/other,["other"]"#).await;
    root.expect_nothing().await;
    other.expect_nothing().await;
}

#[tokio::test]
async fn a_socket_enters_and_leaves_rooms() {
    let (io, [_client], [socket]) = clients_in([&[]]).await;
    let own = socket.id().to_owned();
    assert_eq!(socket.rooms(), [own.as_str()]);
    socket.join("a");
    socket.join(["b", "c"]);
    socket.join(String::from("a"));
    assert_eq!(socket.rooms(), [own.as_str(), "a", "b", "c"]);
    socket.leave(["a", "c", "never entered"]);
    assert_eq!(socket.rooms(), [own.as_str(), "b"]);
    assert!(io.to("a").sockets().is_empty());
    assert_eq!(io.to("b").sockets(), std::slice::from_ref(&socket));
    assert_eq!(io.to(own.as_str()).sockets(), [socket]);
}

/// S-069.
#[tokio::test]
async fn rooms_are_changed_and_left_for_many_at_once() {
    let (io, mut clients, sockets) = clients_in([&["a"], &["a", "b"], &["b"]]).await;
    io.to("a").sockets_join(["x", "y"]);
    assert_eq!(io.to("x").sockets().len(), 2);
    io.to("b").sockets_leave("x");
    assert_eq!(io.to("x").sockets(), [sockets[0].clone()]);
    assert_eq!(io.to("y").sockets().len(), 2);
    io.to("y").except("b").disconnect_sockets(false);
    clients[0].expect("41").await;
    assert_eq!(io.sockets().len(), 2);
    io.of("/").disconnect_sockets(true);
    for client in &mut clients[1..] {
        client.expect("41").await;
        client.expect_close().await;
    }
    clients[0].expect_nothing().await;
    assert!(io.to(["a", "b", "x", "y"]).sockets().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_of_two_tasks_never_interleave() {
    const EVENTS: usize = 1_000;
    let (_io, mut client, socket) = pair().await;
    let barrier = Arc::new(Barrier::new(2));
    let emitters = ["a", "b"].map(|name| {
        let (socket, barrier) = (socket.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            barrier.wait().await;
            for number in 0..EVENTS {
                let first = Bytes::from(format!("{name}{number}.0"));
                let second = Bytes::from(format!("{name}{number}.1"));
                socket.emit(name, (number, first, second)).unwrap();
                if number % 100 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
    });
    let mut next = HashMap::from([("a", 0), ("b", 0)]);
    for _ in 0..2 * EVENTS {
        let Incoming::Text(header) = client.next("a header").await else {
            panic!("awaited a header")
        };
        let name = if header.starts_with("452-[\"a\"") { "a" } else { "b" };
        let number = next[name];
        let placeholder = |number| format!(r#"{{"_placeholder":true,"num":{number}}}"#);
        let (first, second) = (placeholder(0), placeholder(1));
        assert_eq!(header, format!(r#"452-["{name}",{number},{first},{second}]"#));
        client.expect_binary(format!("{name}{number}.0").as_bytes()).await;
        client.expect_binary(format!("{name}{number}.1").as_bytes()).await;
        next.insert(name, number + 1);
    }
    assert_eq!(next, HashMap::from([("a", EVENTS), ("b", EVENTS)]));
    for emitter in emitters {
        emitter.await.unwrap();
    }
}

#[tokio::test]
async fn what_another_thread_emits_arrives_without_any_other_traffic() {
    let (io, mut client, socket) = pair().await;
    let mut polling = Polling::join(serve(&io).await).await;
    polling.start_poll().await;
    client.expect_nothing().await;
    std::thread::spawn(move || {
        socket.emit("to one", ()).unwrap();
        io.emit("to all", ()).unwrap();
    });
    client.expect_all(&[r#"42["to one"]"#, r#"42["to all"]"#]).await;
    assert_eq!(polling.finish_poll().await, r#"42["to all"]"#);
}
