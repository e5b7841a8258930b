//! What is left of a client's socket when its program gives something up: a future, a handle, the
//! connection, the runtime.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sockeye::client::{ClientBuilder, ConnectOptions, ManagerEvent};
use sockeye::{Server, TransportName};
use support::{ByHand, eventually, log, poll_once, within};

const SOON: Duration = Duration::from_millis(10);

fn builder(server: &ByHand, namespace: &str) -> ClientBuilder {
    let options = ConnectOptions::new().transports([TransportName::WebSocket]);
    ClientBuilder::new(&server.url(namespace)).options(options).reconnection_delay(SOON)
}

/// A port that refuses connections.
fn nobody() -> String {
    "http://127.0.0.1:1".to_owned()
}

#[tokio::test]
async fn an_event_that_nobody_has_read_keeps_no_socket_alive() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    drop(socket.events());
    socket.connect();
    let mut peer = server.join("a").await;
    peer.send_together(&["427[\"question\"]", "42[\"event\"]"]).await;
    eventually("a connection", || socket.is_connected()).await;
    peer.expect_nothing().await;
    drop(socket);
    peer.expect("41").await;
    peer.expect_close().await;
}

#[tokio::test]
async fn who_is_dropped_while_the_server_decides_leaves_when_it_is_let_in() {
    let server = ByHand::new().await;
    let manager = builder(&server, "/").manager().unwrap();
    let stays = manager.socket("/").build();
    stays.connect();
    let mut peer = server.join("a").await;
    within("a connection", stays.connected()).await.unwrap();
    let mut connecting = Box::pin(manager.socket("/other").connect());
    assert!(poll_once(connecting.as_mut()).is_pending());
    peer.expect("40/other,").await;
    drop(connecting);
    peer.expect_nothing().await;
    peer.send("40/other,{\"sid\":\"b\"}").await;
    peer.expect("41/other,").await;
    assert!(stays.is_connected());

    // And who comes back meanwhile waits for that.
    drop(manager.socket("/other").build().connect().clone());
    let again = manager.socket("/other").build();
    again.connect();
    peer.expect("40/other,").await;
    peer.send("40/other,{\"sid\":\"c\"}").await;
    within("a connection", again.connected()).await.unwrap();
    assert_eq!(again.id().as_deref(), Some("c"));
    peer.expect_nothing().await;
}

#[tokio::test]
async fn who_no_longer_wants_to_reconnect_waits_for_nothing() {
    let builder = ClientBuilder::new(&nobody()).reconnection_delay(Duration::from_millis(50));
    let socket = builder.build().unwrap();
    let (pen, mut steps) = log::<&str>();
    socket.manager().on_event(move |event| match event {
        ManagerEvent::Error(_) => pen.write("error"),
        ManagerEvent::ReconnectAttempt(_) => pen.write("attempt"),
        _ => {}
    });
    socket.connect();
    steps.expect("error").await;
    let manager = socket.manager();
    manager.set_reconnection(sockeye::client::ReconnectionOptions {
        enabled: false,
        ..manager.reconnection()
    });
    assert!(within("an end", socket.connected()).await.is_err());
    steps.expect_nothing();
}

#[tokio::test]
async fn connecting_again_does_not_shorten_the_time_between_attempts() {
    let builder = ClientBuilder::new(&nobody()).reconnection_delay(Duration::from_secs(60));
    let socket = builder.reconnection_delay_max(Duration::from_secs(60)).build().unwrap();
    let (pen, mut errors) = log::<String>();
    socket.on_connect_error(move |socket, error| {
        pen.write(error.message());
        socket.connect();
        async {}
    });
    socket.connect();
    errors.expect("xhr poll error").await;
    for _ in 0..100 {
        socket.connect();
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(SOON).await;
    errors.expect_nothing();
}

#[tokio::test]
async fn a_stream_ends_also_if_there_never_was_a_connection() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let mut events = socket.events();
    socket.connect().disconnect();
    assert!(within("the end", events.next()).await.is_none());
    // It begins anew with the next wish to connect.
    socket.connect();
    let mut peer = server.open().await;
    peer.expect("40").await;
    let mut next = Box::pin(events.next());
    assert!(poll_once(next.as_mut()).is_pending());
    socket.disconnect();
    assert!(within("the end", next).await.is_none());
}

#[tokio::test]
async fn what_a_socket_says_of_itself_is_not_found_out_for_a_connection_that_is_gone() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let server = ByHand::new().await;
    let asking = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asking);
    let ask = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        let counted = Counted(Arc::clone(&counter));
        async move {
            let _counted = counted;
            pending::<Result<(), Infallible>>().await
        }
    };
    let socket = builder(&server, "/").auth_with(ask).build().unwrap();
    socket.connect();
    for _ in 0..3 {
        let peer = server.open().await;
        eventually("a question", || asking.load(Ordering::SeqCst) == 1).await;
        drop(peer);
        eventually("the end of it", || asking.load(Ordering::SeqCst) == 0).await;
    }
}

#[test]
fn a_socket_whose_runtime_has_ended_can_be_used_in_another() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let socket = std::sync::OnceLock::new();
    let (first, second) = (runtime(), runtime());
    let (answer, url) = first.block_on(async {
        let server = ByHand::new().await;
        let socket = socket.get_or_init(|| builder(&server, "/").build().unwrap());
        socket.connect();
        let _peer = server.join("a").await;
        within("a connection", socket.connected()).await.unwrap();
        (socket.emit_with_ack::<()>("question", ()), server.url("/"))
    });
    drop(first);
    let socket = socket.get().expect("it was made");
    second.block_on(async {
        assert!(within("an answer", answer).await.is_err());
        assert!(!socket.is_connected());
        let listener = tokio::net::TcpListener::bind(&url[7..url.len() - 1]).await.unwrap();
        let io = Server::new();
        io.of("/").on_connect(async |_: sockeye::Socket| {});
        tokio::spawn(async move { io.serve(listener).await });
        within("a connection", socket.connect().connected()).await.unwrap();
    });
}
