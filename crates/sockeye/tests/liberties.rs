//! What a program may do where it would not be expected to, and what becomes of it.

#![cfg(feature = "server")]

mod support;

use std::sync::{Arc, Mutex};

use sockeye::{DisconnectReason, Server, Socket};

use support::{Client, eventually, log, serve};

/// As in the reference: who is not in cannot be put out. A middleware refuses by its error, or closes
/// the connection.
#[tokio::test]
async fn a_disconnect_in_a_middleware_is_none() {
    let io = Server::new();
    io.of("/").middleware(async |socket: Socket| {
        socket.disconnect(true);
        Ok(())
    });
    io.of("/closed").middleware(async |socket: Socket| {
        socket.close_connection();
        Ok(())
    });
    let mut client = Client::join(serve(&io).await).await;
    assert!(io.sockets().remove(0).is_connected());
    client.send("40/closed,").await;
    client.expect_close().await;
    eventually("the end of the connection", || io.clients_count() == 0).await;
    assert!(io.of("/closed").sockets().is_empty());
}

#[tokio::test]
async fn who_joins_a_room_after_the_end_is_in_none() {
    let io = Server::new();
    let (pen, mut ended) = log::<Socket>();
    io.of("/").on_disconnect(move |socket: Socket, _: DisconnectReason| {
        socket.join("late");
        socket.leave("never joined");
        assert!(socket.emit("late", ()).is_err());
        socket.disconnect(true);
        pen.write(socket.clone());
        async {}
    });
    let client = Client::join(serve(&io).await).await;
    drop(client);
    let socket = ended.next("the end").await;
    socket.join(["late", "later"]);
    assert_eq!(socket.rooms(), [""; 0]);
    assert!(io.to("late").sockets().is_empty());
    // That it has left twice is not told twice.
    ended.expect_nothing();
}

/// What it has begun to serve it goes on to serve.
#[tokio::test]
async fn a_handler_may_drop_the_programs_last_handle_of_the_server() {
    let io = Server::new();
    let address = serve(&io).await;
    let last = Arc::new(Mutex::new(Some(io.clone())));
    io.of("/").on("drop", move || {
        let dropped = last.lock().map(|mut last| last.take()).is_ok_and(|last| last.is_some());
        async move { dropped }
    });
    drop(io);
    let mut client = Client::join(address).await;
    for (id, dropped) in [(1, true), (2, false)] {
        client.send(&format!(r#"42{id}["drop"]"#)).await;
        client.expect(&format!("43{id}[{dropped}]")).await;
    }
}

/// Whoever stops all in an event's handler is done before the next event.
#[tokio::test]
async fn a_handler_may_put_everybody_out_and_remove_all_handlers() {
    let io = Server::new();
    let server = io.clone();
    let (pen, mut said) = log::<&'static str>();
    io.of("/")
        .on("all out", move || {
            server.of("/").disconnect_sockets(false);
            server.of("/").off("all out");
            let pen = pen.clone();
            async move { pen.write("all out") }
        })
        .on("more", async || "never");
    let address = serve(&io).await;
    let mut other = Client::join(address).await;
    let mut client = Client::join(address).await;
    client.send_together(&[r#"42["all out"]"#, r#"421["more"]"#]).await;
    said.expect("all out").await;
    client.expect("41").await;
    other.expect("41").await;
    assert_eq!(io.of("/").listeners("all out"), 0);
    eventually("that all are out", || io.sockets().is_empty()).await;
    // The connection goes on.
    assert_ne!(other.connect("40").await, other.id);
}
