//! What a client may have, and what happens above it.

#![cfg(feature = "server")]

mod support;

use std::sync::Arc;

use sockeye::{EmitError, OwnedArguments, Server, SlowReaders, Socket};
use tokio::sync::Semaphore;

use support::{Client, Http, Log, Polling, eventually, log, serve};

const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";
const REFUSED: &str = r#"{"code":4,"message":"Too many connections"}"#;

#[tokio::test]
async fn no_more_connections_are_taken_than_there_are_places() {
    for per_address in [false, true] {
        let builder = Server::builder();
        let io = if per_address {
            builder.max_connections_per_address(2).build()
        } else {
            builder.max_connections(2).build()
        };
        let address = serve(&io).await;
        let websocket = Client::join(address).await;
        let _polling = Polling::join(address).await;
        let mut http = Http::open(address).await;
        let refused = http.get(HANDSHAKE).await;
        assert_eq!((refused.status, refused.body.as_str()), (403, REFUSED));
        drop(websocket);
        eventually("a place", || io.clients_count() == 1).await;
        assert_eq!(http.get(HANDSHAKE).await.status, 200, "the place is free again");
        assert_eq!(http.get(HANDSHAKE).await.status, 403);
    }
}

#[tokio::test]
async fn a_refused_handshake_gives_its_place_back() {
    let io =
        Server::builder().max_connections(1).allow_request(async |_| Err("not now".into())).build();
    let mut http = Http::open(serve(&io).await).await;
    for _ in 0..3 {
        assert_eq!(http.get(HANDSHAKE).await.body, r#"{"code":4,"message":"not now"}"#);
    }
}

#[tokio::test]
async fn one_attachment_or_packet_too_many_ends_the_connection() {
    let io = Server::builder().max_attachments(1).max_packets_per_payload(2).build();
    io.of("/").on("one", async || "ok");
    let address = serve(&io).await;
    let mut client = Client::join(address).await;
    client.send(r#"451-0["one",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[1]).await;
    client.expect(r#"430["ok"]"#).await;
    client.send(r#"452-["one",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
    client.expect_close().await;

    let mut polling = Polling::join(address).await;
    polling.post("6\u{1e}6").await;
    assert_eq!(io.sockets().len(), 1);
    polling.post("6\u{1e}6\u{1e}6").await;
    eventually("the end of the session", || io.sockets().is_empty()).await;
}

#[tokio::test]
async fn p_22_what_comes_with_connect_is_limited() {
    let io = Server::builder().max_auth_bytes(100).build();
    let mut client = Client::open(serve(&io).await).await;
    client.send(&format!("40{{\"token\":\"{}\"}}", "x".repeat(100))).await;
    client.expect(r#"44{"message":"Too much auth (max_auth_bytes)"}"#).await;
    assert!(io.sockets().is_empty());
    client.send(r#"40{"token":"short"}"#).await;
    client.expect("40{<any>").await;
}

/// Fills what may be queued for the client.
fn fill(socket: &Socket) -> EmitError {
    let payload = "x".repeat(64 * 1024);
    (0..1_000).find_map(|_| socket.emit("flood", &payload).err()).expect("a limit")
}

#[tokio::test]
async fn whoever_sends_much_can_wait_until_it_is_taken() {
    let io = Server::new();
    let mut slow = Client::join_with_small_buffer(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    socket.drained().await;
    let payload = "x".repeat(64 * 1024);
    while socket.buffered() == 0 {
        socket.emit("flood", &payload).unwrap();
    }
    let mut drained = tokio::spawn({
        let socket = socket.clone();
        async move { socket.drained().await }
    });
    let flood = format!(r#"42["flood","{payload}"]"#);
    while !drained.is_finished() {
        tokio::select! {
            _ = &mut drained => break,
            _ = slow.expect(&flood) => {}
        }
    }
    assert_eq!(socket.buffered(), 0);

    while socket.buffered() == 0 {
        socket.emit("flood", &payload).unwrap();
    }
    let drained = tokio::spawn(async move { socket.drained().await });
    drop(slow);
    support::within("the end", drained).await.unwrap();
}

/// What tells a client where it is cannot be refused: else it would never know.
#[tokio::test]
async fn a_slow_reader_that_cannot_be_told_where_it_is_is_disconnected_all_the_same() {
    for put_out in [false, true] {
        let io = Server::builder()
            .max_buffered_bytes(128 * 1024)
            .slow_readers(SlowReaders::Refuse)
            .build();
        let mut slow = Client::join_with_small_buffer(serve(&io).await).await;
        let socket = io.sockets().remove(0);
        // While so much is queued nothing is read from it: it asks before, and is let in late.
        let gate = Arc::new(Semaphore::new(0));
        let permits = Arc::clone(&gate);
        io.of("/other").middleware(move || {
            let permits = Arc::clone(&permits);
            async move {
                permits.acquire().await.expect("it is never closed").forget();
                Ok(())
            }
        });
        slow.send("40/other,").await;
        slow.expect_nothing().await;
        fill(&socket);
        if put_out {
            socket.disconnect(false);
        } else {
            gate.add_permits(1);
        }
        let flood = format!(r#"42["flood","{}"]"#, "x".repeat(64 * 1024));
        loop {
            match slow.next("the end").await {
                support::Incoming::Text(text) => assert_eq!(text, flood),
                support::Incoming::Close(_) | support::Incoming::End => break,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_slow_reader_may_be_refused_more_and_kept() {
    let io =
        Server::builder().max_buffered_bytes(128 * 1024).slow_readers(SlowReaders::Refuse).build();
    let mut slow = Client::join_with_small_buffer(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    let refused = fill(&socket);
    assert!(matches!(refused, EmitError::SlowReader), "{refused:?}");
    assert!(socket.is_connected());
    // It reads again: then there is room again.
    let flood = format!(r#"42["flood","{}"]"#, "x".repeat(64 * 1024));
    while socket.emit("after", ()).is_err() {
        slow.expect(&flood).await;
    }
    loop {
        match slow.next("the event after the flood").await {
            support::Incoming::Text(text) if text == r#"42["after"]"# => break,
            support::Incoming::Text(text) => assert_eq!(text, flood),
            other => panic!("{other:?}"),
        }
    }
}

/// Anybody can write such headers; a proxy's word counts where the program takes it.
#[tokio::test]
async fn an_address_in_a_header_is_not_believed() {
    let io = Server::builder().max_connections_per_address(1).build();
    let address = serve(&io).await;
    let client = Client::join(address).await;
    let mut http = Http::open(address).await;
    for line in ["X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4"] {
        assert_eq!(http.get_with(HANDSHAKE, &[line]).await.body, REFUSED);
    }
    let seen = io.of("/").socket(&client.id).and_then(|socket| socket.handshake().address());
    assert!(seen.is_some_and(|seen| seen.ip().is_loopback()));
}

/// A server that holds so many bytes of events, whose handlers write down that they have started, and go
/// on at a permit.
fn holding(bytes: usize) -> (Server, Log<usize>, Arc<Semaphore>) {
    let io = Server::builder().max_running_bytes(bytes).build();
    let (pen, started) = log::<usize>();
    let permits = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&permits);
    io.of("/").on("work", move |arguments: OwnedArguments| {
        pen.write(arguments.as_arguments().bytes());
        let gate = Arc::clone(&gate);
        async move { gate.acquire().await.expect("it is never closed").forget() }
    });
    (io, started, permits)
}

fn work(bytes: usize) -> String {
    format!(r#"42["work","{}"]"#, "x".repeat(bytes - 2))
}

#[tokio::test]
async fn what_is_handled_has_so_many_bytes_together_or_is_one_event() {
    let (io, mut started, permits) = holding(3_000);
    let address = serve(&io).await;
    let (mut client, mut other) = (Client::join(address).await, Client::join(address).await);
    client
        .send_together(&[1_001, 1_000, 1_002, 10_000, 3].map(work).each_ref().map(|it| &**it))
        .await;
    for bytes in [1_001, 1_000, 1_002] {
        started.expect(bytes).await;
    }
    // Another connection is not concerned; and when it is through, the fourth has had its chance.
    other.send(&work(7)).await;
    started.expect(7_usize).await;
    started.expect_nothing();
    permits.add_permits(1);
    started.expect(10_000_usize).await;
    started.expect_nothing();
    permits.add_permits(4);
    started.expect(3_usize).await;
    let announced = r#"451-["work",{"_placeholder":true,"num":0}]"#;
    client.send(announced).await;
    client.send_binary(&[1; 5_000]).await;
    started.expect(5_000 + r#"{"_placeholder":true,"num":0}"#.len()).await;
    client.send(&work(8)).await;
    other.send(&work(9)).await;
    started.expect(9_usize).await;
    started.expect_nothing();
    permits.add_permits(100);
    started.expect(8_usize).await;
}

#[tokio::test]
async fn what_middlewares_are_asked_about_has_so_many_bytes_too() {
    let (io, mut started, permits) = holding(3_000);
    let (pen, mut arrived) = log::<usize>();
    io.of("/").on_any(move |arguments: OwnedArguments| {
        pen.write(arguments.as_arguments().bytes());
        async {}
    });
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    io.of("/").event_middleware(move || {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.expect("it is never closed").forget();
            Ok(())
        }
    });
    let mut client = Client::join(serve(&io).await).await;
    permits.add_permits(10);
    client.send_together(&[1_000; 5].map(work).each_ref().map(|it| &**it)).await;
    for _ in 0..3 {
        arrived.expect(1_000_usize).await;
    }
    tokio::task::yield_now().await;
    arrived.expect_nothing();
    for _ in 0..2 {
        opened.add_permits(1);
        started.expect(1_000_usize).await;
        arrived.expect(1_000_usize).await;
    }
    opened.add_permits(3);
    for _ in 0..3 {
        started.expect(1_000_usize).await;
    }
}
