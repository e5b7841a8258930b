//! Reaching sockets from afar: one by one with `fetch_sockets`, all at once with `sockets_join` and
//! its like, other servers with `server_side_emit`; and ways of sending to one socket.

#![cfg(feature = "server")]

mod support;

use std::time::Duration;

use sockeye::{AcknowledgementError, Data, EmitError, RemoteSocket, Server, Socket};

use support::{Client, Polling, eventually, log, serve};

/// A server and clients in these rooms, with their sockets.
async fn clients_in<const N: usize>(rooms: [&[&str]; N]) -> (Server, [Client; N], [Socket; N]) {
    let io = Server::new();
    let address = serve(&io).await;
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for rooms in rooms {
        let client = Client::join(address).await;
        let socket = io.of("/").socket(&client.id).expect("it is in");
        socket.join(rooms);
        clients.push(client);
        sockets.push(socket);
    }
    let clients = clients.try_into().expect("a client for each");
    (io, clients, sockets.try_into().expect("a socket for each"))
}

fn ids(sockets: &[RemoteSocket]) -> Vec<&str> {
    let mut ids: Vec<_> = sockets.iter().map(RemoteSocket::id).collect();
    ids.sort_unstable();
    ids
}

fn sorted<const N: usize>(sockets: [&Socket; N]) -> [&str; N] {
    let mut ids = sockets.map(Socket::id);
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn s_068_sockets_are_fetched_as_they_are_at_that_moment() {
    let (io, [_one, _two, mut three], [first, second, third]) =
        clients_in([&["a"], &["a", "b"], &["c"]]).await;
    first.set_data(("name", 7)).unwrap();
    assert_eq!(ids(&io.fetch_sockets().await), sorted([&first, &second, &third]));
    assert_eq!(ids(&io.to("a").fetch_sockets().await), sorted([&first, &second]));
    assert_eq!(ids(&io.to(["b", "c"]).fetch_sockets().await), sorted([&second, &third]));
    assert_eq!(ids(&io.except("b").fetch_sockets().await), sorted([&first, &third]));
    assert_eq!(ids(&io.of("/").local().fetch_sockets().await), sorted([&first, &second, &third]));
    assert_eq!(ids(&first.to("a").fetch_sockets().await), [second.id()]);
    assert!(io.to("nobody").fetch_sockets().await.is_empty());
    assert!(io.of("/other").fetch_sockets().await.is_empty());

    let fetched = io.in_(first.id()).fetch_sockets().await.remove(0);
    assert_eq!(fetched.rooms(), [first.id(), "a"]);
    assert_eq!(fetched.data::<(String, u8)>().unwrap(), ("name".to_owned(), 7));
    assert!(fetched.data::<String>().is_err());
    assert!(fetched.handshake().query().any(|(key, value)| key == "EIO" && value == "4"));
    // A copy: what changes later does not change it.
    first.leave("a");
    first.set_data(()).unwrap();
    assert_eq!(fetched.rooms(), [first.id(), "a"]);
    assert_eq!(fetched.data::<(String, u8)>().unwrap().1, 7);

    three.close().await;
    eventually("the end of the socket", || !third.is_connected()).await;
    assert_eq!(io.fetch_sockets().await.len(), 2);
}

#[tokio::test]
async fn s_048_data_is_kept_with_the_socket_and_is_null_at_first() {
    let (io, [mut client], [socket]) = clients_in([&[]]).await;
    io.of("/").on("name", async |socket: Socket, Data(name): Data<String>| {
        socket.set_data(serde_json::json!({ "name": name })).unwrap();
    });
    assert_eq!(socket.data::<Option<u8>>().unwrap(), None);
    assert_eq!(socket.data::<serde_json::Value>().unwrap(), serde_json::Value::Null);
    client.send(r#"420["name","é"]"#).await;
    client.expect("430[]").await;
    assert_eq!(socket.data::<serde_json::Value>().unwrap()["name"], "é");
    // What JSON does not have is refused, and leaves what was there.
    assert!(socket.set_data(std::collections::HashMap::from([((1, 2), 3)])).is_err());
    assert_eq!(socket.data::<serde_json::Value>().unwrap()["name"], "é");
}

#[tokio::test]
async fn s_068_a_fetched_socket_can_be_sent_to_and_asked() {
    let (io, [mut client], _) = clients_in([&[]]).await;
    let fetched = io.fetch_sockets().await.remove(0);
    fetched.emit("hello", (1, "é")).unwrap();
    client.expect(r#"42["hello",1,"é"]"#).await;
    let answer = fetched.emit_with_ack::<i64>("ask", (), Duration::from_secs(5));
    client.expect(r#"420["ask"]"#).await;
    client.send("430[7]").await;
    assert_eq!(answer.await.unwrap(), 7);
    let emitted = fetched.emit("disconnecting", ());
    assert!(matches!(emitted, Err(EmitError::Encode(_))), "{emitted:?}");
    client.close().await;
    eventually("the end of the socket", || io.sockets().is_empty()).await;
    assert!(matches!(fetched.emit("late", ()), Err(EmitError::Disconnected)));
}

#[tokio::test(start_paused = true)]
async fn s_067_an_answer_of_a_fetched_socket_that_does_not_come_in_time_is_an_error() {
    let (io, [mut client], _) = clients_in([&[]]).await;
    let fetched = io.fetch_sockets().await.remove(0);
    let answer = fetched.emit_with_ack::<i64>("ask", (), Duration::from_secs(3));
    client.expect(r#"420["ask"]"#).await;
    assert!(matches!(answer.await, Err(AcknowledgementError::TimedOut)));
}

#[tokio::test]
async fn s_068_a_fetched_socket_joins_leaves_and_is_disconnected() {
    let (io, [mut client], [socket]) = clients_in([&["a"]]).await;
    let fetched = io.fetch_sockets().await.remove(0);
    fetched.join(["b", "c"]);
    fetched.leave("a");
    let mut rooms = socket.rooms();
    rooms[1..].sort();
    assert_eq!(rooms, [socket.id(), "b", "c"]);
    fetched.disconnect(false);
    client.expect("41").await;
    let again = client.connect("40").await;
    let fetched = io.fetch_sockets().await.remove(0);
    assert_eq!(fetched.id(), again);
    fetched.disconnect(true);
    client.expect("41").await;
    client.expect_close().await;
}

#[tokio::test]
async fn s_069_all_sockets_of_some_rooms_join_leave_or_are_disconnected() {
    let (io, mut clients, sockets) = clients_in([&["a"], &["a", "b"], &["c"], &[]]).await;
    let in_room = |room: &str| -> Vec<bool> {
        let members = io.to(room).sockets();
        sockets.iter().map(|socket| members.contains(socket)).collect()
    };
    io.of("/").sockets_join(["all", "everybody"]);
    assert_eq!(in_room("all"), [true; 4]);
    io.to(["a", "c"]).except("b").sockets_join("x");
    assert_eq!(in_room("x"), [true, false, true, false]);
    sockets[0].to("a").sockets_join("y");
    assert_eq!(in_room("y"), [false, true, false, false]);
    sockets[0].broadcast().sockets_leave("all");
    assert_eq!(in_room("all"), [true, false, false, false]);
    io.in_(sockets[2].id()).sockets_leave(vec!["x", "everybody", "never joined"]);
    assert_eq!(in_room("x"), [true, false, false, false]);
    assert_eq!(in_room("everybody"), [true, true, false, true]);
    // The room itself may be left by all who are in it.
    io.to("everybody").sockets_leave("everybody");
    assert_eq!(in_room("everybody"), [false; 4]);

    io.to("a").disconnect_sockets(false);
    clients[0].expect("41").await;
    clients[1].expect("41").await;
    io.of("/").disconnect_sockets(true);
    for client in &mut clients[2..] {
        client.expect("41").await;
        client.expect_close().await;
    }
    clients[0].connect("40").await;
}

/// S-070, S-071: there is no other server, so nothing happens; mistakes are mistakes all the same.
#[tokio::test]
async fn s_070_a_server_that_stands_alone_emits_to_no_other() {
    let io = Server::new();
    let (pen, mut events) = log::<String>();
    io.of("/").on_fallback(move || {
        pen.write("called");
        std::future::ready(())
    });
    let namespace = io.of("/");
    namespace.server_side_emit("hello", (1, "é")).unwrap();
    let answers = namespace.server_side_emit_with_ack::<i64>("ask", ()).await;
    assert!(answers.unwrap().is_empty());
    for name in ["connect", "connection", "new_namespace"] {
        let emitted = namespace.server_side_emit(name, ());
        assert!(matches!(emitted, Err(EmitError::Encode(_))), "{emitted:?}");
        assert!(namespace.server_side_emit_with_ack::<i64>(name, ()).await.is_err());
    }
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(namespace.server_side_emit("hello", unwritable).is_err());
    events.expect_nothing();
}

#[tokio::test]
async fn s_054_send_is_the_event_message_on_all_that_send() {
    let (io, [mut one, mut two], [first, _]) = clients_in([&["a"], &[]]).await;
    first.send("to one").unwrap();
    one.expect(r#"42["message","to one"]"#).await;
    io.of("/").send(("all", 2)).unwrap();
    io.to("a").send(()).unwrap();
    one.expect_all(&[r#"42["message","all",2]"#, r#"42["message"]"#]).await;
    two.expect(r#"42["message","all",2]"#).await;
    two.expect_nothing().await;
}

#[tokio::test]
async fn s_055_a_volatile_event_to_one_socket_is_dropped_unless_a_request_waits() {
    let io = Server::new();
    let mut polling = Polling::join(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    let dropped = socket.volatile().emit("tick", 1);
    assert!(matches!(dropped, Err(EmitError::NotWritable)), "{dropped:?}");
    socket.emit("reliable", ()).unwrap();
    assert_eq!(polling.poll().await, r#"42["reliable"]"#);
    let asked = socket.volatile().emit_with_ack::<i64>("ask", ()).await;
    let not_writable = AcknowledgementError::Emit(EmitError::NotWritable);
    assert_eq!(format!("{asked:?}"), format!("{:?}", Err::<i64, _>(not_writable)));
    polling.start_poll().await;
    eventually("a request that waits", || socket.volatile().emit("tick", 2).is_ok()).await;
    assert_eq!(polling.finish_poll().await, r#"42["tick",2]"#);
}

#[tokio::test(start_paused = true)]
async fn s_061_a_time_for_the_answer_can_be_chosen_before_what_is_asked() {
    let (_io, [mut client], [socket]) = clients_in([&[]]).await;
    let answer = socket.timeout(Duration::from_secs(3)).emit_with_ack::<String>("ask", 1);
    client.expect(r#"420["ask",1]"#).await;
    client.send(r#"430["in time"]"#).await;
    assert_eq!(answer.await.unwrap(), "in time");
    let late = socket.compress(false).timeout(Duration::from_secs(3)).emit_with_ack::<()>("ask", 2);
    client.expect(r#"421["ask",2]"#).await;
    assert!(matches!(late.await, Err(AcknowledgementError::TimedOut)));
    socket.compress(false).emit("plain", ()).unwrap();
    client.expect(r#"42["plain"]"#).await;
}
