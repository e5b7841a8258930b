//! How a client's sockets connect, are refused, lose their connection, and come back.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value as Json, json};
use sockeye::client::{
    self, ClientBuilder, ConnectError, ConnectOptions, DisconnectReason, ManagerEvent, Socket,
    SocketEvent,
};
use sockeye::{Auth, ConnectError as Refusal, Data, Server, TransportName};
use support::{eventually, log, serve, serve_until_closed, within};
use tokio::runtime::Handle;

/// The task that a server starts with its first session, for all its deadlines.
const CLOCK: usize = 1;

const SOON: Duration = Duration::from_millis(10);

fn url(address: std::net::SocketAddr) -> String {
    format!("http://{address}")
}

#[tokio::test]
async fn connecting_resolves_when_the_namespace_is_connected() {
    let io = Server::new();
    let (pen, mut ids) = log::<String>();
    io.of("/").on_connect(move |socket: sockeye::Socket| {
        pen.write(socket.id());
        async {}
    });
    let address = serve(&io).await;
    let socket = within("a connection", client::connect(&url(address))).await.unwrap();
    assert_eq!(socket.id(), Some(ids.next("the server's id").await));
    assert!(socket.is_connected() && socket.is_active() && !socket.recovered());
    assert_eq!(socket.namespace(), "/");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_listened_to_after_connecting_is_not_told_of_that_connection() {
    let io = Server::new();
    io.of("/").on("same", async |arguments: sockeye::OwnedArguments| arguments);
    let address = serve(&io).await;
    let (pen, mut told) = log::<&str>();
    for _ in 0..50 {
        let socket = within("a connection", client::connect(&url(address))).await.unwrap();
        let (pen, mut events) = (pen.clone(), socket.events());
        socket.on_connect(move |_| {
            pen.write("connected");
            async {}
        });
        within("an answer", socket.emit_with_ack::<u32>("same", 1)).await.unwrap();
        let event = events.next().now_or_never();
        assert!(event.is_none(), "{event:?}");
    }
    told.expect_nothing();
}

#[tokio::test]
async fn a_handler_of_the_end_may_connect_again_and_the_stream_goes_on() {
    let io = Server::new();
    io.of("/").on("leave me", async |socket: sockeye::Socket| socket.disconnect(false));
    let address = serve(&io).await;
    let socket = within("a connection", client::connect(&url(address))).await.unwrap();
    socket.on_disconnect(async |socket: Socket, _| {
        socket.connect();
    });
    let mut events = socket.events();
    socket.emit("leave me", ()).unwrap();
    let event = within("the end", events.next()).await;
    assert!(matches!(event, Some(SocketEvent::Disconnect(_))), "{event:?}");
    let event = within("a connection", events.next()).await;
    assert!(matches!(event, Some(SocketEvent::Connect { .. })), "{event:?}");
}

#[tokio::test]
async fn c_021_it_begins_with_polling_and_goes_on_over_a_websocket() {
    let io = Server::new();
    io.of("/").on_connect(async |_: sockeye::Socket| {});
    let address = serve(&io).await;
    let socket = within("a connection", client::connect(&url(address))).await.unwrap();
    eventually("the upgrade", || socket.transport() == Some(TransportName::WebSocket)).await;
}

#[tokio::test]
async fn c_006_only_the_transports_that_are_named_are_used() {
    let io = Server::new();
    io.of("/").on("transport", async |socket: sockeye::Socket| socket.transport().as_str());
    let address = serve(&io).await;
    for transport in [TransportName::Polling, TransportName::WebSocket] {
        let options = ConnectOptions::new().transports([transport]).upgrade(false);
        let connecting = ClientBuilder::new(&url(address)).options(options).connect();
        let socket = within("a connection", connecting).await.unwrap();
        assert_eq!(socket.transport(), Some(transport));
        let answer = socket.emit_with_ack::<String>("transport", ());
        assert_eq!(within("an answer", answer).await.unwrap(), transport.as_str());
    }
}

#[tokio::test]
async fn c_041_a_refusal_has_the_servers_message_and_data_and_is_final() {
    let io = Server::new();
    io.of("/closed").middleware(async |_: sockeye::Socket| {
        Err(Refusal::new("not you").with_data(json!({ "code": 7 })))
    });
    let address = serve(&io).await;
    let connecting = client::connect(&format!("{}/closed", url(address)));
    let error = within("a refusal", connecting).await.unwrap_err();
    assert_eq!((error.message(), error.data()), ("not you", Some(&json!({ "code": 7 }))));
    let connecting = client::connect(&format!("{}/unknown", url(address)));
    let error = within("a refusal", connecting).await.unwrap_err();
    assert_eq!(error.to_string(), "the namespace was refused: Invalid namespace");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_names_it() {
    let connecting = client::connect("http://127.0.0.1:1/");
    let error = within("an error", connecting).await.unwrap_err();
    assert!(matches!(error, ConnectError::Transport(_)), "{error:?}");
    assert_eq!(error.message(), "xhr poll error");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
    let error = within("an error", client::connect("http:///")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Url(_)), "{error:?}");
}

#[tokio::test]
async fn c_040_auth_is_sent_and_asked_for_anew_at_each_connect() {
    let io = Server::new();
    let (pen, mut tokens) = log::<Json>();
    io.of("/").middleware(move |Auth(auth): Auth<Json>| {
        pen.write(auth);
        async { Ok(()) }
    });
    let address = serve(&io).await;
    let connecting = ClientBuilder::new(&url(address)).auth(json!({ "token": "t" })).connect();
    let fixed = within("a connection", connecting).await.unwrap();
    tokens.expect(json!({ "token": "t" })).await;
    drop(fixed);

    let count = Arc::new(AtomicU32::new(0));
    let ask = move || {
        let token = count.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, Infallible>(json!({ "token": token })) }
    };
    let builder = ClientBuilder::new(&url(address)).auth_with(ask).reconnection_delay(SOON);
    let socket = within("a connection", builder.connect()).await.unwrap();
    tokens.expect(json!({ "token": 0 })).await;
    for server_side in io.of("/").sockets() {
        server_side.close_connection();
    }
    tokens.expect(json!({ "token": 1 })).await;
    drop(socket);
}

#[tokio::test]
async fn auth_that_fails_is_a_connect_error_and_final() {
    let io = Server::new();
    io.of("/").on_connect(async |_: sockeye::Socket| {});
    let address = serve(&io).await;
    let builder = ClientBuilder::new(&url(address)).auth_with(async || Err::<(), _>("no token"));
    let error = within("an error", builder.connect()).await.unwrap_err();
    assert_eq!(error.message(), "auth failed: no token");
    let builder = ClientBuilder::new(&url(address)).auth_with(async || Ok::<_, Infallible>(7));
    let error = within("an error", builder.connect()).await.unwrap_err();
    assert!(error.message().starts_with("auth failed: "), "{error}");
    let panics = async || -> Result<(), Infallible> { panic!("oh no") };
    let error = within("an error", ClientBuilder::new(&url(address)).auth_with(panics).connect());
    assert_eq!(error.await.unwrap_err().message(), "auth failed: panicked: oh no");
}

#[tokio::test]
async fn c_005_sockets_of_a_manager_share_a_connection() {
    let io = Server::new();
    for namespace in ["/", "/a", "/b"] {
        io.of(namespace)
            .on("where", async |socket: sockeye::Socket| socket.namespace().name().to_owned());
    }
    let address = serve(&io).await;
    let manager = ClientBuilder::new(&url(address)).manager().unwrap();
    let a = within("/a", manager.socket("/a").connect()).await.unwrap();
    let b = within("/b", manager.socket("b").connect()).await.unwrap();
    let main = within("/", manager.socket("/").connect()).await.unwrap();
    for (socket, name) in [(&a, "/a"), (&b, "/b"), (&main, "/")] {
        let answer = within("an answer", socket.emit_with_ack::<String>("where", ())).await;
        assert_eq!((socket.namespace(), answer.unwrap().as_str()), (name, name));
    }
    assert_eq!(
        io.metrics().engine.sessions_opened.websocket + io.metrics().engine.sessions_opened.polling,
        1
    );
    // The same namespace again is the same socket.
    assert_eq!(manager.socket("/a").build().id(), a.id());
    a.disconnect();
    b.disconnect();
    assert!(manager.is_open());
    main.disconnect();
    within("the end of the connection", manager.closed()).await;
    assert!(!manager.is_open());
}

#[tokio::test]
async fn c_052_each_disconnection_has_its_reason() {
    let io = Server::new();
    io.of("/").on("leave me", async |socket: sockeye::Socket| socket.disconnect(false));
    io.of("/").on("close me", async |socket: sockeye::Socket| socket.close_connection());
    let address = serve(&io).await;
    let (pen, mut reasons) = log::<DisconnectReason>();
    let socket = ClientBuilder::new(&url(address)).reconnection_delay(SOON).build().unwrap();
    socket.on_disconnect(move |_, disconnect| {
        pen.write(disconnect.reason());
        async {}
    });
    within("a connection", socket.connect().connected()).await.unwrap();
    socket.emit("leave me", ()).unwrap();
    reasons.expect(DisconnectReason::ServerDisconnect).await;
    assert!(!socket.is_active());

    within("a connection", socket.connect().connected()).await.unwrap();
    socket.disconnect();
    reasons.expect(DisconnectReason::ClientDisconnect).await;
    assert_eq!((socket.is_active(), socket.id()), (false, None));
    assert!(matches!(socket.connected().await, Err(ConnectError::Disconnected)));

    within("a connection", socket.connect().connected()).await.unwrap();
    socket.emit("close me", ()).unwrap();
    reasons.expect(DisconnectReason::TransportClose).await;
    within("a reconnection", socket.connected()).await.unwrap();

    socket.manager().close();
    reasons.expect(DisconnectReason::ForcedClose).await;
    within("a connection", socket.connect().connected()).await.unwrap();
}

#[tokio::test]
async fn c_034_it_keeps_trying_until_the_server_is_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (pen, mut steps) = log::<String>();
    let socket = ClientBuilder::new(&url(address)).reconnection_delay(SOON).build().unwrap();
    socket.manager().on_event(move |event| match event {
        ManagerEvent::ReconnectAttempt(1) => pen.write("attempt"),
        ManagerEvent::Reconnect(_) => pen.write("reconnect"),
        _ => {}
    });
    socket.connect();
    steps.expect("attempt").await;
    let io = Server::new();
    io.of("/").on_connect(async |_: sockeye::Socket| {});
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let serving = io.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    within("a connection", socket.connected()).await.unwrap();
    steps.expect("reconnect").await;
}

#[tokio::test]
async fn c_031_it_gives_up_after_so_many_attempts() {
    let (pen, mut steps) = log::<String>();
    let builder = ClientBuilder::new("http://127.0.0.1:1").reconnection_delay(SOON);
    let socket = builder.reconnection_attempts(2).build().unwrap();
    socket.manager().on_event(move |event| {
        pen.write(match event {
            ManagerEvent::Error(_) => "error".to_owned(),
            ManagerEvent::ReconnectScheduled { attempt, .. } => format!("scheduled {attempt}"),
            ManagerEvent::ReconnectAttempt(attempt) => format!("attempt {attempt}"),
            ManagerEvent::ReconnectError(_) => "reconnect error".to_owned(),
            ManagerEvent::ReconnectFailed => "failed".to_owned(),
            other => format!("{other:?}"),
        });
    });
    socket.connect();
    steps.expect("error").await;
    for attempt in [1, 2] {
        steps.expect(format!("scheduled {attempt}")).await;
        steps.expect(format!("attempt {attempt}")).await;
        steps.expect("error").await;
        steps.expect("reconnect error").await;
    }
    steps.expect("failed").await;
    let error = within("an error", socket.connected()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Transport(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let builder = ClientBuilder::new(&url(address)).timeout(Some(Duration::from_millis(50)));
    let error = within("an error", builder.connect()).await.unwrap_err();
    assert_eq!(error.message(), "timeout");
    drop(listener);
}

#[tokio::test]
async fn the_last_handle_closes_the_connection_and_no_task_outlives_it() {
    let io = Server::new();
    let (pen, mut reasons) = log::<String>();
    io.of("/").on_disconnect(move |reason: sockeye::DisconnectReason| {
        pen.write(reason.as_str());
        async {}
    });
    let (address, serving) = serve_until_closed(&io).await;
    // The server accepts in a task of its own, which it starts when it is first polled.
    tokio::task::yield_now().await;
    let before = Handle::current().metrics().num_alive_tasks();
    let socket = within("a connection", client::connect(&url(address))).await.unwrap();
    let clone = socket.clone();
    socket.on("never", async |_: Socket| {});
    let manager = socket.manager();
    drop(socket);
    assert!(clone.is_connected());
    drop(clone);
    reasons.expect("client namespace disconnect").await;
    eventually("the end of all tasks", || {
        !manager.is_open() && Handle::current().metrics().num_alive_tasks() <= before + CLOCK
    })
    .await;
    serving.abort();
}

#[tokio::test]
async fn a_connect_that_is_dropped_closes_what_it_has_opened() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let before = Handle::current().metrics().num_alive_tasks();
    let connecting = tokio::time::timeout(SOON, client::connect(&url(address))).await;
    assert!(connecting.is_err());
    drop(listener);
    eventually("the end of all tasks", || Handle::current().metrics().num_alive_tasks() <= before)
        .await;
}

#[tokio::test]
async fn who_waits_for_the_end_of_the_connection_knows_that_everything_has_gone_out() {
    let io = Server::new();
    let (pen, mut heard) = log::<String>();
    io.of("/").on("word", move |Data(word): Data<String>| {
        pen.write(word);
        async {}
    });
    let address = serve(&io).await;
    for transport in [TransportName::Polling, TransportName::WebSocket] {
        let options = ConnectOptions::new().transports([transport]);
        let connecting = ClientBuilder::new(&url(address)).options(options).connect();
        let socket = within("a connection", connecting).await.unwrap();
        let manager = socket.manager();
        for word in ["one", "two", "last"] {
            socket.emit("word", word).unwrap();
        }
        drop(socket);
        within("the end of the connection", manager.closed()).await;
        for word in ["one", "two", "last"] {
            heard.expect(word).await;
        }
    }
}

#[test]
fn a_socket_that_was_connected_outside_of_a_runtime_can_be_connected_in_one() {
    let socket = ClientBuilder::new("http://127.0.0.1:1").reconnection(false).build().unwrap();
    let connect = || drop(socket.connect().clone());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(connect)).is_err());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result =
        runtime.block_on(async { within("a refusal", socket.connect().connected()).await });
    assert!(result.is_err(), "nobody is there");
}

#[tokio::test]
async fn a_socket_that_is_dropped_before_it_is_in_leaves_and_the_next_one_comes_in_by_itself() {
    let io = Server::new();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (pen, mut asked) = log::<Json>();
    let opened = Arc::clone(&gate);
    io.of("/slow").on_connect(async |_: sockeye::Socket| {});
    io.of("/slow").middleware(move |_: sockeye::Socket, Auth(auth): Auth<Json>| {
        pen.write(auth);
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok::<_, Refusal>(())
        }
    });
    io.of("/").on_connect(async |_: sockeye::Socket| {});
    let address = serve(&io).await;
    let keeping = ClientBuilder::new(&format!("http://{address}")).build().unwrap();
    within("a connection", keeping.connect().connected()).await.unwrap();
    let make = |who: u32| keeping.manager().socket("/slow").auth(json!({ "who": who })).build();
    let first = make(1);
    first.connect();
    asked.expect(json!({ "who": 1 })).await;
    drop(first);
    let second = make(2);
    second.connect();
    gate.add_permits(1);
    asked.expect(json!({ "who": 2 })).await;
    gate.add_permits(1);
    within("a connection", second.connected()).await.unwrap();
    let ids = || io.of("/slow").sockets().iter().map(|it| it.id().to_string()).collect::<Vec<_>>();
    eventually("one socket", || ids() == [second.id().unwrap()]).await;
    drop(second);
    eventually("no socket", || ids().is_empty()).await;
}

#[tokio::test]
async fn a_socket_that_connects_again_while_its_manager_closes_has_not_given_up() {
    let io = Server::new();
    let address = serve(&io).await;
    let socket = ClientBuilder::new(&format!("http://{address}")).connect().await.unwrap();
    let mut events = socket.events();
    for _ in 0..20 {
        socket.manager().close();
        socket.connect();
        let gone = within("the end", events.next()).await;
        assert!(matches!(gone, Some(SocketEvent::Disconnect(_))), "{gone:?}");
        let back = within("a connection", events.next()).await;
        assert!(matches!(back, Some(SocketEvent::Connect { .. })), "{back:?}");
        within("a connection", socket.connected()).await.unwrap();
    }
}

#[tokio::test]
async fn the_stream_of_a_socket_that_disconnects_while_it_is_not_connected_ends() {
    let socket = ClientBuilder::new("http://127.0.0.1:1").build().unwrap();
    let mut events = socket.events();
    socket.connect();
    let failed = within("a refusal", events.next()).await;
    assert!(matches!(failed, Some(SocketEvent::ConnectError(_))), "{failed:?}");
    socket.disconnect();
    assert!(within("the end", events.next()).await.is_none());
}

#[test]
fn a_thread_that_never_stops_emitting_does_not_keep_others_from_theirs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let io = Server::new();
        let address = serve(&io).await;
        let socket = ClientBuilder::new(&format!("http://{address}")).connect().await.unwrap();
        let going = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let (emitter, goes) = (socket.clone(), Arc::clone(&going));
        let thread = std::thread::spawn(move || {
            while goes.load(Ordering::SeqCst) {
                let _ = emitter.volatile().emit("x", 1);
            }
        });
        let waited = tokio::time::timeout(support::PATIENCE, async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let waited = waited.await;
        going.store(false, Ordering::SeqCst);
        thread.join().unwrap();
        waited.unwrap();
    });
}
