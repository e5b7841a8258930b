//! Rooms that come and go, and what a socket is still in while it leaves.

#![cfg(feature = "server")]

mod support;

use sockeye::engine::CloseDetail;
use sockeye::{DisconnectReason, Namespace, RoomEvent, Server, Socket};

use support::{Client, Log, log, serve};

/// What happens to the rooms of a namespace.
fn watch(namespace: &Namespace) -> Log<String> {
    let (pen, log) = log();
    namespace.on_room_event(move |event| {
        pen.write(match event {
            RoomEvent::Created { room } => format!("create {room}"),
            RoomEvent::Joined { room, socket } => format!("join {room} {socket}"),
            RoomEvent::Left { room, socket } => format!("leave {room} {socket}"),
            RoomEvent::Deleted { room } => format!("delete {room}"),
        });
    });
    log
}

async fn expect_all(log: &mut Log<String>, entries: &[String]) {
    for entry in entries {
        log.expect(entry.as_str()).await;
    }
    log.expect_nothing();
}

/// What a disconnect handler and one for `disconnecting` are told, and the rooms they see.
type Seen = (&'static str, DisconnectReason, CloseDetail, Vec<String>);

fn endings(namespace: &Namespace) -> Log<Seen> {
    let (pen, log) = log();
    let (leaving, left) = (pen.clone(), pen);
    namespace.on_disconnecting(
        move |socket: Socket, reason: DisconnectReason, detail: CloseDetail| {
            leaving.write(("disconnecting", reason, detail, socket.rooms()));
            // Who is in its rooms can still be told.
            let _ = socket.to("room").emit("leaving", reason.as_str());
            async {}
        },
    );
    namespace.on_disconnect(
        move |socket: Socket, reason: DisconnectReason, detail: CloseDetail| {
            left.write(("disconnect", reason, detail, socket.rooms()));
            async {}
        },
    );
    log
}

/// Both handlers are told reason and detail (S-074).
#[tokio::test]
async fn s_050_while_a_socket_is_leaving_it_is_in_its_rooms_and_then_it_is_not() {
    let io = Server::new();
    let mut seen = endings(&io.of("/"));
    let address = serve(&io).await;
    let mut other = Client::join(address).await;
    io.sockets()[0].join("room");
    for (end, reason, detail) in [
        (&b"\x81\x82\0\0\0\x0041"[..], "client namespace disconnect", CloseDetail::None),
        (b"\x88\x80\0\0\0\0", "transport close", CloseDetail::None),
        (b"\x81\x01x", "transport error", CloseDetail::InvalidFrame),
    ] {
        let mut client = Client::join(address).await;
        io.of("/").socket(&client.id).unwrap().join(["room", "another"]);
        client.send_bytes(end).await;
        let reason_of = |seen: &Seen| seen.1.as_str().to_owned();
        let first = seen.next("disconnecting").await;
        assert_eq!((first.0, reason_of(&first), first.2), ("disconnecting", reason.into(), detail));
        assert_eq!(first.3, [client.id.as_str(), "room", "another"]);
        let second = seen.next("disconnect").await;
        assert_eq!((second.0, reason_of(&second), second.2), ("disconnect", reason.into(), detail));
        assert!(second.3.is_empty());
        other.expect(&format!(r#"42["leaving","{reason}"]"#)).await;
        assert_eq!(io.to("room").sockets().len(), 1);
        assert!(io.to("another").sockets().is_empty());
    }
    seen.expect_nothing();
}

#[tokio::test]
async fn s_051_rooms_are_told_of_when_they_come_and_go() {
    let io = Server::new();
    let mut log = watch(&io.of("/"));
    io.of("/other");
    let address = serve(&io).await;
    let mut a = Client::join(address).await;
    let (id, one) = (a.id.clone(), io.sockets().remove(0));
    expect_all(&mut log, &[format!("create {id}"), format!("join {id} {id}")]).await;
    one.join(["x", "y"]);
    one.join("x");
    let joined = ["create x", "join x ID", "create y", "join y ID"];
    expect_all(&mut log, &joined.map(|entry| entry.replace("ID", &id))).await;

    let mut b = Client::join(address).await;
    let other = b.id.clone();
    expect_all(&mut log, &[format!("create {other}"), format!("join {other} {other}")]).await;
    io.of("/").socket(&other).unwrap().join("x");
    expect_all(&mut log, &[format!("join x {other}")]).await;
    one.leave(["x", "never joined"]);
    expect_all(&mut log, &[format!("leave x {id}")]).await;
    b.send("41").await;
    let mut left = [
        format!("leave x {other}"),
        "delete x".into(),
        format!("leave {other} {other}"),
        format!("delete {other}"),
    ];
    expect_all(&mut log, &left).await;

    // Other namespaces have rooms of their own.
    a.connect("40/other,").await;
    io.of("/other").sockets()[0].join("x");
    log.expect_nothing();
    one.disconnect(true);
    a.expect("41").await;
    left = [
        format!("leave y {id}"),
        "delete y".into(),
        format!("leave {id} {id}"),
        format!("delete {id}"),
    ];
    expect_all(&mut log, &left).await;
}
