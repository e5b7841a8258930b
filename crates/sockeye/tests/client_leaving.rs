//! What is left of a client's socket when its program gives something up: a future, a handle, the
//! connection, the runtime.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use sockeye::client::{ClientBuilder, ConnectOptions, ManagerEvent, Socket, SocketEvent};
use sockeye::{AcknowledgementError, EmitError, Server, TransportName};
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
    let builder = ClientBuilder::new(&nobody()).reconnection_delay(Duration::from_secs(60));
    let socket = builder.reconnection_delay_max(Duration::from_secs(60)).build().unwrap();
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

#[tokio::test]
async fn who_waits_no_longer_changes_nothing() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let manager = socket.manager();
    socket.connect();
    let mut peer = server.open().await;
    peer.expect("40").await;
    // Neither for the connection: it comes about.
    assert!(poll_once(pin!(socket.connected())).is_pending());
    assert!(poll_once(pin!(socket.first_attempt())).is_pending());
    peer.send("40{\"sid\":\"a\"}").await;
    within("a connection", socket.connected()).await.unwrap();
    // Nor for what is queued, or for the end: it is sent, and there is none.
    socket.emit("event", ()).unwrap();
    assert!(poll_once(pin!(socket.drained())).is_pending());
    assert!(poll_once(pin!(manager.closed())).is_pending());
    peer.expect("42[\"event\"]").await;
    within("an empty queue", socket.drained()).await;
    assert!(socket.is_connected());
    socket.disconnect();
    peer.expect("41").await;
    let mut closed = Box::pin(manager.closed());
    assert!(poll_once(closed.as_mut()).is_pending());
    peer.close().await;
    within("the end", closed).await;
}

#[tokio::test]
async fn a_stream_that_is_waited_for_no_longer_loses_no_event() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let mut events = socket.events();
    socket.connect();
    let mut peer = server.join("a").await;
    for number in 0..100 {
        assert!(number > 0 || poll_once(pin!(events.next())).is_pending());
        peer.send(&format!("42[\"event\",{number}]")).await;
    }
    let Some(SocketEvent::Connect { .. }) = within("an event", events.next()).await else {
        panic!("no connection")
    };
    for number in 0..100 {
        // It may be there, or not yet.
        let polled = poll_once(pin!(events.next()));
        let next = match polled {
            Poll::Ready(event) => event,
            Poll::Pending => within("an event", events.next()).await,
        };
        let Some(SocketEvent::Event(event)) = next else { panic!("{next:?}") };
        assert_eq!(event.decode::<i32>().unwrap(), number);
    }
}

#[tokio::test]
async fn an_answer_that_is_waited_for_no_longer_is_the_only_thing_that_is_lost() {
    let server = ByHand::new().await;
    let builder = builder(&server, "/").max_pending_acknowledgements(2);
    let socket = builder.build().unwrap();
    // Kept, and sent all the same.
    drop(socket.emit_with_ack::<()>("kept", ()));
    socket.connect();
    let mut peer = server.join("a").await;
    peer.expect("420[\"kept\"]").await;
    let mut first = Box::pin(socket.emit_with_ack::<i32>("first", ()));
    let second = socket.emit_with_ack::<i32>("second", ());
    assert!(poll_once(first.as_mut()).is_pending());
    let refused = within("a refusal", socket.emit_with_ack::<i32>("third", ())).await;
    assert!(matches!(refused, Err(AcknowledgementError::Emit(EmitError::TooManyPending))));
    // Its place is free again.
    drop(first);
    let third = socket.emit_with_ack::<i32>("third", ());
    peer.expect_all(&["421[\"first\"]", "422[\"second\"]", "424[\"third\"]"]).await;
    peer.send_together(&["430[0]", "431[1]", "434[3]", "432[2]"]).await;
    assert_eq!(within("an answer", second).await.unwrap(), 2);
    assert_eq!(within("an answer", third).await.unwrap(), 3);
}

#[tokio::test]
async fn any_thread_may_emit_and_ask() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").ack_timeout(SOON).build().unwrap();
    socket.connect();
    let mut peer = server.join("a").await;
    within("a connection", socket.connected()).await.unwrap();
    let asking = std::thread::spawn(move || {
        socket.emit("event", ()).unwrap();
        let patient = socket.timeout(Duration::MAX).emit_with_ack::<i32>("patient", ());
        (patient, socket.emit_with_ack::<()>("late", ()))
    });
    let (patient, late) = asking.join().unwrap();
    peer.expect_all(&["42[\"event\"]", "420[\"patient\"]", "421[\"late\"]"]).await;
    let error = within("a time-out", late).await.unwrap_err();
    assert!(matches!(error, AcknowledgementError::TimedOut), "{error}");
    peer.send("430[7]").await;
    assert_eq!(within("an answer", patient).await.unwrap(), 7);
}

#[tokio::test]
async fn a_handler_that_never_ends_holds_up_no_goodbye() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let manager = socket.manager();
    socket.on_connect(async |_: Socket| pending().await);
    socket.connect();
    let mut peer = server.join("a").await;
    within("a connection", socket.connected()).await.unwrap();
    socket.disconnect();
    peer.expect("41").await;
    peer.close().await;
    within("the end", manager.closed()).await;
    // And the socket can be used again.
    socket.connect();
    let mut closed = Box::pin(manager.closed());
    assert!(poll_once(closed.as_mut()).is_pending());
    let _peer = server.join("b").await;
    within("a connection", socket.connected()).await.unwrap();
    assert!(poll_once(closed.as_mut()).is_pending());
}
