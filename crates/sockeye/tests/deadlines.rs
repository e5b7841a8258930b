//! Peers that begin something and do not go on with it.

#![cfg(feature = "server")]

mod support;

use std::time::Duration;

use sockeye::engine::CloseDetail;
use sockeye::{DisconnectReason, Server, Socket};
use tokio::io::{AsyncRead, AsyncWrite};

use support::{Client, Log, eventually, log, serve, serve_stream, within};

/// How long a peer may do nothing here, where it matters.
const SOON: Duration = Duration::from_millis(200);

fn endings(io: &Server) -> Log<(DisconnectReason, CloseDetail)> {
    let (pen, endings) = log();
    io.of("/").on_disconnect(move |reason: DisconnectReason, detail: CloseDetail| {
        pen.write((reason, detail));
        async {}
    });
    endings
}

/// Emits until something is left in the outbox.
async fn fill(socket: &Socket) {
    let payload = "x".repeat(64 * 1024);
    while socket.buffered() == 0 {
        socket.emit("flood", &payload).expect("there is room");
        tokio::task::yield_now().await;
    }
}

/// Sends pongs until the server has closed the connection, and reads nothing.
async fn say_pong_for_ever<S: AsyncRead + AsyncWrite + Unpin>(mut client: Client<S>) {
    loop {
        client.send("3").await;
        tokio::time::sleep(SOON / 4).await;
    }
}

#[tokio::test]
async fn b_03_a_client_that_answers_pings_and_takes_nothing_is_disconnected() {
    let io = Server::builder().write_timeout(SOON).build();
    let mut endings = endings(&io);
    let address = serve(&io).await;
    let mut other = Client::join(address).await;
    let stalled = Client::join_with_small_buffer(address).await;
    fill(&io.of("/").socket(&stalled.id).unwrap()).await;
    let talking = tokio::spawn(say_pong_for_ever(stalled));
    let stalled = (DisconnectReason::TransportError, CloseDetail::WriteStalled);
    endings.expect(stalled).await;
    eventually("the end of the connection", || io.clients_count() == 1).await;
    assert_eq!(io.metrics().engine.slow_readers, 1);
    assert_eq!(io.metrics().engine.bytes_buffered, 0);
    io.emit("still", ()).unwrap();
    other.expect(r#"42["still"]"#).await;
    talking.abort();
}

#[tokio::test]
async fn b_03_over_a_stream_that_is_no_tcp_socket_too() {
    let io = Server::builder().write_timeout(SOON).build();
    let mut endings = endings(&io);
    let (here, there) = tokio::io::duplex(4096);
    let _server = serve_stream(&io, there);
    let mut client = Client::over(here, "/socket.io/").await;
    client.expect_open().await;
    client.connect("40").await;
    fill(&io.sockets().remove(0)).await;
    let talking = tokio::spawn(say_pong_for_ever(client));
    endings.expect((DisconnectReason::TransportError, CloseDetail::WriteStalled)).await;
    eventually("the end of the connection", || io.clients_count() == 0).await;
    talking.abort();
}

/// What it takes, it takes: the time begins anew.
#[tokio::test]
async fn a_client_that_reads_at_last_is_kept() {
    let io = Server::builder().write_timeout(SOON).build();
    let mut slow = Client::join_with_small_buffer(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    fill(&socket).await;
    let flood = format!(r#"42["flood","{}"]"#, "x".repeat(64 * 1024));
    while socket.buffered() > 0 {
        slow.expect(&flood).await;
    }
    // Nothing can be awaited: nothing is to happen.
    tokio::time::sleep(2 * SOON).await;
    assert!(socket.is_connected());
    socket.emit("after", ()).unwrap();
    let after = async {
        loop {
            match slow.next("the event after the flood").await {
                support::Incoming::Text(text) if text == r#"42["after"]"# => return,
                support::Incoming::Text(text) => assert_eq!(text, flood),
                other => panic!("{other:?}"),
            }
        }
    };
    within("the event after the flood", after).await;
}
