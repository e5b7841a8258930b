//! How connections end, and that nothing of them is left.

#![cfg(feature = "server")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sockeye::engine::CloseDetail;
use sockeye::{DisconnectReason, EmitError, Server, Socket};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use support::{Client, Http, Log, Polling, eventually, log, serve, serve_until_closed, within};

/// What the disconnect handler of `/` saw.
fn disconnections(io: &Server) -> Log<(String, DisconnectReason, CloseDetail)> {
    let (pen, disconnections) = log();
    io.of("/").on_disconnect(
        move |socket: Socket, reason: DisconnectReason, detail: CloseDetail| {
            pen.write((socket.id().to_owned(), reason, detail));
            async {}
        },
    );
    disconnections
}

/// Emits until it is refused.
fn fill(socket: &Socket) -> EmitError {
    let payload = "x".repeat(64 * 1024);
    (0..1_000)
        .find_map(|_| socket.emit("flood", &payload).err())
        .expect("a client that does not read is disconnected before 64 MB are queued")
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_when_its_limit_is_reached() {
    let io = Server::builder().max_buffered_bytes(256 * 1024).build();
    let mut disconnections = disconnections(&io);
    let address = serve(&io).await;
    let slow = Client::join_with_small_buffer(address).await;
    let mut other = Client::join(address).await;
    let socket = io.of("/").socket(&slow.id).unwrap();
    socket.join("room");
    let refused = fill(&socket);
    assert!(matches!(refused, EmitError::SlowReader), "{refused:?}");
    assert!(matches!(socket.emit("more", ()), Err(EmitError::Disconnected)));
    let (id, reason, detail) = disconnections.next("the disconnection").await;
    assert_eq!((id, reason.as_str()), (slow.id.clone(), "transport error"));
    assert_eq!(detail, CloseDetail::SlowReader);
    assert!(io.to("room").sockets().is_empty());
    io.emit("still", ()).unwrap();
    other.expect(r#"42["still"]"#).await;
    drop(slow);
    eventually("the end of the connection", || io.clients_count() == 1).await;
    disconnections.expect_nothing();
}

#[tokio::test]
async fn a_broadcast_disconnects_who_does_not_read_and_reaches_the_others() {
    let io = Server::builder().max_buffered_bytes(256 * 1024).build();
    let mut disconnections = disconnections(&io);
    let address = serve(&io).await;
    let slow = Client::join_with_small_buffer(address).await;
    let mut other = Client::join(address).await;
    let payload = "x".repeat(64 * 1024);
    let mut number = 0;
    while io.sockets().len() == 2 {
        io.emit("flood", (number, &payload)).unwrap();
        other.expect(&format!(r#"42["flood",{number},"{payload}"]"#)).await;
        number += 1;
        assert!(number < 1_000, "a client that does not read is disconnected");
    }
    let (id, reason, _) = disconnections.next("the disconnection").await;
    assert_eq!((id, reason), (slow.id.clone(), DisconnectReason::TransportError));
    other.expect_nothing().await;
}

/// Also a single packet beyond the limit is sent.
#[tokio::test]
async fn one_packet_may_be_larger_than_the_limit() {
    let io = Server::builder().max_buffered_bytes(1_000).build();
    let mut client = Client::join(serve(&io).await).await;
    let payload = "x".repeat(3_000_000);
    io.sockets()[0].emit("large", &payload).unwrap();
    client.expect(&format!(r#"42["large","{payload}"]"#)).await;
    io.sockets()[0].emit("next", ()).unwrap();
    client.expect(r#"42["next"]"#).await;
}

#[tokio::test]
async fn a_client_that_stalls_is_disconnected_on_time_and_can_be_by_hand() {
    let io = Server::builder()
        .ping_interval(Duration::from_millis(50))
        .ping_timeout(Duration::from_millis(50))
        .build();
    let mut disconnections = disconnections(&io);
    let address = serve(&io).await;
    let stalled = Client::join_with_small_buffer(address).await;
    let socket = io.of("/").socket(&stalled.id).unwrap();
    socket.join("room");
    let payload = "x".repeat(64 * 1024);
    while socket.buffered() == 0 {
        socket.emit("flood", &payload).unwrap();
    }
    let (id, reason, _) = disconnections.next("the ping timeout").await;
    assert_eq!((&id, reason), (&stalled.id, DisconnectReason::PingTimeout));
    assert!(io.to("room").sockets().is_empty() && io.sockets().is_empty());

    let io = Server::new();
    let mut disconnections = self::disconnections(&io);
    let _stalled = Client::join_with_small_buffer(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    while socket.buffered() == 0 {
        socket.emit("flood", &payload).unwrap();
    }
    socket.disconnect(true);
    let (_, reason, _) = disconnections.next("the disconnection by hand").await;
    assert_eq!(reason, DisconnectReason::ServerNamespaceDisconnect);
    assert!(io.sockets().is_empty());
}

/// S-095.
#[tokio::test]
async fn closing_the_server_ends_listening_and_all_connections() {
    let io = Server::new();
    let mut disconnections = disconnections(&io);
    let (address, serving) = serve_until_closed(&io).await;
    let mut client = Client::join(address).await;
    let mut polling = Polling::join(address).await;
    polling.start_poll().await;
    let mut idle = Client::open(address).await;
    let mut http = Http::open(address).await;
    let welcome = http.get("/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(welcome.status, 200);
    let socket = io.of("/").socket(&client.id).unwrap();
    eventually("the poll to wait", || {
        let polling = io.sockets().into_iter().find(|other| *other != socket);
        polling.is_some_and(|polling| polling.volatile().emit("ready", ()).is_ok())
    })
    .await;
    assert_eq!(polling.finish_poll().await, r#"42["ready"]"#);
    socket.emit("last", ()).unwrap();
    io.close();
    assert!(matches!(socket.emit("late", ()), Err(EmitError::Disconnected)));
    within("the end of serving", serving).await.unwrap();
    client.expect(r#"42["last"]"#).await;
    // No DISCONNECT packet: the client comes back.
    client.expect_close().await;
    idle.expect_close().await;
    for _ in 0..2 {
        let (_, reason, _) = disconnections.next("a disconnection").await;
        assert_eq!(reason.as_str(), "server shutting down");
    }
    assert!(io.sockets().is_empty());
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    let refused = http.get("/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(refused.status, 503, "{}", refused.body);
}

#[tokio::test]
async fn a_handler_may_close_the_server() {
    let io = Server::new();
    let mut disconnections = disconnections(&io);
    let server = io.clone();
    io.of("/").on("stop", move |socket: Socket| {
        socket.emit("stopping", ()).unwrap();
        server.close();
        async {}
    });
    let (address, serving) = serve_until_closed(&io).await;
    let (mut client, mut other) = (Client::join(address).await, Client::join(address).await);
    client.send(r#"42["stop"]"#).await;
    client.expect(r#"42["stopping"]"#).await;
    client.expect_close().await;
    other.expect_close().await;
    within("the end of serving", serving).await.unwrap();
    for _ in 0..2 {
        let (_, reason, _) = disconnections.next("a disconnection").await;
        assert_eq!(reason, DisconnectReason::ServerShuttingDown);
    }
}

#[tokio::test]
async fn a_server_that_was_closed_before_it_serves_ends_at_once() {
    let io = Server::new();
    io.close();
    let (_, serving) = serve_until_closed(&io).await;
    within("the end of serving", serving).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_clients_have_left_nothing_is_left_of_them() {
    const CLIENTS: usize = 60;
    let io = Server::new();
    io.of("/other");
    let mut disconnections = disconnections(&io);
    io.of("/").on_connect(async |socket: Socket| {
        socket.join(["everybody", "and more"]);
        socket.set_extension(vec![0_u8; 10]);
    });
    io.of("/").on("slow", async || tokio::time::sleep(Duration::from_millis(20)).await);
    let address = serve(&io).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Client::join(address).await;
        client.connect("40/other,").await;
        client.send(r#"42["slow"]"#).await;
        clients.push(client);
    }
    let weak: Vec<_> = io
        .sockets()
        .iter()
        .map(|socket| Arc::downgrade(&socket.extension::<Vec<u8>>().expect("set on connect")))
        .collect();
    assert_eq!((io.clients_count(), weak.len()), (CLIENTS, CLIENTS));
    for (number, mut client) in clients.into_iter().enumerate() {
        match number % 4 {
            0 => client.close().await,
            1 => client.send("41").await,
            2 => client.send_bytes(&[0xff; 8]).await,
            _ => {}
        }
    }
    for _ in 0..CLIENTS {
        disconnections.next("a disconnection").await;
    }
    eventually("the end of all connections", || io.clients_count() == 0).await;
    eventually("the other namespace to be empty", || io.of("/other").sockets().is_empty()).await;
    assert!(io.sockets().is_empty());
    assert!(io.to(["everybody", "and more"]).sockets().is_empty());
    eventually("the end of all sockets", || weak.iter().all(|data| data.upgrade().is_none())).await;
    disconnections.expect_nothing();
}

/// The table of section 2.10.
#[tokio::test]
async fn disconnect_reasons_are_those_of_the_reference() {
    let io = Server::new();
    let mut disconnections = disconnections(&io);
    let address = serve(&io).await;
    // What the client says, or sends as bytes; and what its handler is told.
    let said: [(&str, &str); 6] = [
        ("41", "client namespace disconnect"),
        ("40", "forced close"),
        ("42/elsewhere,[\"x\"]", "forced close"),
        ("44{}", "forced close"),
        ("4not a packet", "forced close"),
        ("x", "parse error"),
    ];
    for (text, reason) in said {
        let mut client = Client::join(address).await;
        client.send(text).await;
        let (id, told, _) = disconnections.next(format!("{reason} after {text}")).await;
        assert_eq!((id, told.as_str()), (client.id.clone(), reason), "after {text}");
    }
    // An unmasked frame.
    let mut client = Client::join(address).await;
    client.send_bytes(&[0x81, 0x01, b'2']).await;
    let (_, told, detail) = disconnections.next("a broken frame").await;
    assert_eq!((told.as_str(), detail), ("transport error", CloseDetail::InvalidFrame));
    let mut client = Client::join(address).await;
    client.send_binary(&vec![0; 1_000_001]).await;
    let (_, told, detail) = disconnections.next("a message that is too large").await;
    let too_large = CloseDetail::PayloadTooLarge { size: 1_000_001, limit: 1_000_000 };
    assert_eq!((told.as_str(), detail), ("transport error", too_large));
    let text = "Max payload size exceeded: at least 1000001 bytes, and the limit is 1000000";
    assert_eq!(detail.to_string(), text);

    Client::join(address).await.close().await;
    let (_, told, _) = disconnections.next("a close frame").await;
    assert_eq!(told.as_str(), "transport close");
    drop(Client::join(address).await);
    let (_, told, _) = disconnections.next("the end of the stream").await;
    assert_eq!(told.as_str(), "transport close");
    Polling::join(address).await.post("1").await;
    let (_, told, _) = disconnections.next("a CLOSE packet").await;
    assert_eq!(told.as_str(), "transport close");

    let client = Client::join(address).await;
    io.of("/").socket(&client.id).unwrap().close_connection();
    let (_, told, _) = disconnections.next("close_connection").await;
    assert_eq!(told.as_str(), "forced close");
    let client = Client::join(address).await;
    io.of("/").socket(&client.id).unwrap().disconnect(true);
    let (_, told, _) = disconnections.next("disconnect(true)").await;
    assert_eq!(told.as_str(), "server namespace disconnect");
    disconnections.expect_nothing();
}

/// The clock is tokio's, so no time passes.
#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_is_disconnected() {
    let io = Server::builder()
        .ping_interval(Duration::from_secs(3))
        .ping_timeout(Duration::from_secs(2))
        .build();
    let mut disconnections = disconnections(&io);
    let mut client = Client::join(serve(&io).await).await;
    client.ignore_pings();
    let start = tokio::time::Instant::now();
    client.expect("2").await;
    assert!(start.elapsed() >= Duration::from_millis(2_990), "after {:?}", start.elapsed());
    let (id, reason, _) = disconnections.next("the ping timeout").await;
    assert_eq!((&id, reason.as_str()), (&client.id, "ping timeout"));
    assert!(start.elapsed() >= Duration::from_millis(4_990), "after {:?}", start.elapsed());
    client.expect_close().await;
}

#[tokio::test]
async fn a_disconnect_handler_that_panics_still_frees_the_socket_and_its_rooms() {
    for late in [false, true] {
        let io = Server::new();
        let (pen, mut reports) = log::<String>();
        io.on_error(move |error| pen.write(error.to_string()));
        let address = serve(&io).await;
        io.of("/").on_disconnect(move |_: Socket| {
            assert!(late, "at once");
            async move {
                tokio::task::yield_now().await;
                panic!("late");
            }
        });
        let mut client = Client::join(address).await;
        let socket = io.sockets().remove(0);
        socket.join("room");
        client.close().await;
        let report = reports.next("a report").await;
        assert!(report.contains(if late { "late" } else { "at once" }), "{report}");
        assert!(io.sockets().is_empty() && io.to("room").sockets().is_empty());
        eventually("the end of the connection", || io.clients_count() == 0).await;
    }
}

/// When the handler runs, the socket is out; but it may still speak to the others.
#[tokio::test]
async fn a_disconnect_handler_may_tell_the_others() {
    let io = Server::new();
    io.of("/").on_disconnect(async |socket: Socket, reason: DisconnectReason| {
        assert!(!socket.is_connected() && socket.rooms().is_empty());
        socket.broadcast().emit("left", (socket.id(), reason.as_str())).unwrap();
    });
    let address = serve(&io).await;
    let (mut stays, mut leaves) = (Client::join(address).await, Client::join(address).await);
    leaves.send("41").await;
    let left = format!(r#"42["left","{}","client namespace disconnect"]"#, leaves.id);
    stays.expect(&left).await;
    leaves.expect_nothing().await;
}

/// A WebSocket whose 101 was on its way when the server closed does not become a session.
#[tokio::test]
async fn a_connection_that_was_being_opened_when_the_server_closed_is_closed_too() {
    let io = Server::new();
    // So small that the 101 does not fit: the upgrade is complete when the client has read it.
    let (mut client, server) = tokio::io::duplex(64);
    let connection = support::serve_stream(&io, server);
    let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
                   Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let sent = tokio::io::AsyncWriteExt::write_all(&mut client, request.as_bytes());
    within("the request to be taken", sent).await.unwrap();
    let mut answer = [0; 12];
    within("the 101", client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    io.close();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(support::PATIENCE, client.read_to_end(&mut rest)).await;
    let rest = String::from_utf8_lossy(&rest);
    assert!(ended.is_ok(), "awaited the end of the connection; got {rest}");
    drop((client, connection));
    eventually("the end of the session", || io.clients_count() == 0).await;
}

/// What `drain` promises: nobody new, an even pace, everything queued still sent, an end.
#[tokio::test(start_paused = true)]
async fn a_drained_server_sends_its_clients_away_one_by_one() {
    let io = Server::new();
    let mut disconnections = disconnections(&io);
    let (address, serving) = serve_until_closed(&io).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Client::join(address).await);
    }
    let mut polling = Polling::join(address).await;
    let start = tokio::time::Instant::now();
    let draining = tokio::spawn({
        let io = io.clone();
        async move { io.drain(Duration::from_secs(10)).await }
    });
    let mut times = Vec::new();
    for _ in 0..5 {
        let (_, reason, _) = disconnections.next("a disconnection").await;
        assert_eq!(reason, DisconnectReason::ServerShuttingDown);
        times.push(start.elapsed().as_secs());
        if times.len() == 1 {
            io.emit("last", "words").unwrap();
            let refused =
                Http::open(address).await.get("/socket.io/?EIO=4&transport=polling").await;
            assert_eq!(refused.status, 503);
            assert_eq!(refused.body, r#"{"code":4,"message":"Server is shutting down"}"#);
        }
    }
    assert_eq!(times, [0, 2, 4, 6, 8]);
    let mut told = 0;
    for client in &mut clients {
        while let support::Incoming::Text(text) = client.next("the end").await {
            assert_eq!(text, r#"42["last","words"]"#, "no DISCONNECT packet is sent");
            told += 1;
        }
    }
    assert!(told >= 3, "the first may have been gone already");
    let _ = polling.poll().await;
    within("the end of the drain", draining).await.unwrap();
    within("the end of the server", serving).await.unwrap();
    assert_eq!(io.clients_count(), 0);
}
