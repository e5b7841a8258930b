//! What a client's sockets say to a server that is written by hand, and what they make of what it says:
//! the order of things, and what no server of ours would do.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use sockeye::client::{
    ClientBuilder, ConnectError, ConnectOptions, DisconnectReason, ManagerEvent, ReconnectionState,
    Socket,
};
use sockeye::{Arguments, Data, EmitError, EventName, PerMessageDeflate, TransportName};
use support::{ByHand, Log, OPEN, Pen, eventually, log, poll_once, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const SOON: Duration = Duration::from_millis(10);

/// A client over WebSocket that comes back soon.
fn builder(server: &ByHand, namespace: &str) -> ClientBuilder {
    let options = ConnectOptions::new().transports([TransportName::WebSocket]);
    ClientBuilder::new(&server.url(namespace)).options(options).reconnection_delay(SOON)
}

/// Writes down why a socket is disconnected.
fn reasons(socket: &Socket) -> Log<DisconnectReason> {
    let (pen, reasons) = log();
    socket.on_disconnect(move |_, disconnect| {
        pen.write(disconnect.reason());
        async {}
    });
    reasons
}

/// Writes down each step of a manager.
fn steps(socket: &Socket) -> Log<String> {
    let (pen, steps) = log();
    socket.manager().on_event(move |event| {
        pen.write(match event {
            ManagerEvent::Open { transport } => format!("open {transport}"),
            ManagerEvent::Error(error) => format!("error {}", error.message()),
            ManagerEvent::Close { reason, .. } => format!("close {reason}"),
            ManagerEvent::ReconnectScheduled { attempt, .. } => format!("scheduled {attempt}"),
            ManagerEvent::ReconnectAttempt(attempt) => format!("attempt {attempt}"),
            ManagerEvent::ReconnectError(error) => format!("failed {}", error.message()),
            ManagerEvent::Reconnect(attempt) => format!("reconnect {attempt}"),
            other => format!("{other:?}"),
        });
    });
    steps
}

/// Writes down that an event arrived.
fn note<T: From<&'static str> + Send + 'static>(socket: &Socket, name: &'static str, pen: &Pen<T>) {
    let pen = pen.clone();
    socket.on(name, move |_: Socket| {
        pen.write(name);
        async {}
    });
}

#[tokio::test]
async fn c_044_what_waited_goes_in_and_out_before_connect_is_told() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").retries(1).build().unwrap();
    let (pen, mut seen) = log::<&str>();
    let early = pen.clone();
    socket.on("early", move |socket: Socket| {
        early.write("early");
        socket.volatile().emit("reply", ()).unwrap();
        async {}
    });
    socket.on_connect(move |socket| {
        pen.write("connect");
        socket.volatile().emit("hello", ()).unwrap();
        async {}
    });
    socket.emit("retried", 1).unwrap();
    let kept = socket.volatile();
    socket.connect();
    let mut peer = server.open().await;
    peer.expect("40").await;
    // The transport is there, the namespace is not: that is no reason to drop it (C-045).
    eventually("a connection", || socket.manager().is_open()).await;
    kept.emit("kept", 2).unwrap();
    peer.expect_nothing().await;
    peer.send_together(&["42[\"early\"]", "40{\"sid\":\"a\"}"]).await;
    seen.expect("early").await;
    seen.expect("connect").await;
    // What was emitted first goes first, also before what a handler of an early event says.
    peer.expect_all(&["42[\"kept\",2]", "420[\"retried\",1]"]).await;
    peer.expect_all(&["42[\"reply\"]", "42[\"hello\"]"]).await;
}

#[tokio::test]
async fn c_051_who_comes_back_says_who_it_was_and_what_it_has_seen() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").auth(json!({ "token": "t" })).build().unwrap();
    let (pen, mut seen) = log::<&str>();
    note(&socket, "news", &pen);
    let recovered = pen.clone();
    socket.on_connect(move |socket| {
        recovered.write(if socket.recovered() { "recovered" } else { "new" });
        async {}
    });
    socket.connect();
    let mut peer = server.open().await;
    peer.expect("40{\"token\":\"t\"}").await;
    peer.send("40{\"sid\":\"a\",\"pid\":\"p\"}").await;
    peer.send("42[\"news\",1,\"o1\"]").await;
    seen.expect("new").await;
    seen.expect("news").await;
    drop(peer);

    let mut peer = server.open().await;
    peer.expect("40{\"pid\":\"p\",\"offset\":\"o1\",\"token\":\"t\"}").await;
    peer.send_together(&["42[\"news\",2,\"o2\"]", "40{\"sid\":\"a\",\"pid\":\"p\"}"]).await;
    seen.expect("news").await;
    seen.expect("recovered").await;
    assert_eq!(socket.id().as_deref(), Some("a"));
    drop(peer);

    let mut peer = server.open().await;
    peer.expect("40{\"pid\":\"p\",\"offset\":\"o2\",\"token\":\"t\"}").await;
    peer.send("40{\"sid\":\"b\",\"pid\":\"q\"}").await;
    seen.expect("new").await;
    assert!(!socket.recovered());
}

#[tokio::test]
async fn c_051_auth_may_say_something_else() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").auth(json!({ "offset": "mine" })).build().unwrap();
    socket.connect();
    let mut peer = server.open().await;
    peer.expect("40{\"offset\":\"mine\"}").await;
    peer.send("40{\"sid\":\"a\",\"pid\":\"p\"}").await;
    eventually("a connection", || socket.is_connected()).await;
    drop(peer);
    let mut peer = server.open().await;
    peer.expect("40{\"pid\":\"p\",\"offset\":\"mine\"}").await;
}

#[tokio::test]
async fn c_041_a_server_of_version_two_is_told_of_as_such() {
    let server = ByHand::new().await;
    let connecting = tokio::spawn(builder(&server, "/").connect());
    let mut peer = server.open().await;
    peer.expect("40").await;
    peer.send("40").await;
    let error = within("an error", connecting).await.unwrap().unwrap_err();
    assert!(
        error.message().starts_with("It seems you are trying to reach a Socket.IO server in v2.x")
    );
    peer.expect_end().await;
}

#[tokio::test]
async fn c_037_what_is_no_packet_ends_the_connection_and_it_comes_back() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let mut reasons = reasons(&socket);
    socket.connect();
    for nonsense in ["4", "4x", "42{}", "42[1", "42[\"connect\"]", "4999", "45-[]", "44{"] {
        let mut peer = server.join("a").await;
        eventually("a connection", || socket.is_connected()).await;
        peer.send(nonsense).await;
        reasons.expect(DisconnectReason::ParseError).await;
        peer.expect_end().await;
    }
    // Attachments that nobody has announced, and text where some are missing.
    let mut peer = server.join("a").await;
    peer.send_binary(&[1]).await;
    reasons.expect(DisconnectReason::ParseError).await;
    let mut peer = server.join("a").await;
    peer.send_together(&["451-[\"x\",{\"_placeholder\":true,\"num\":0}]", "42[\"y\"]"]).await;
    reasons.expect(DisconnectReason::ParseError).await;
    let _peer = server.join("b").await;
    eventually("a connection", || socket.id().as_deref() == Some("b")).await;
}

#[tokio::test]
async fn c_037_what_exactly_is_no_packet_is_told() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let (pen, mut told) = log::<String>();
    socket.on_disconnect(move |_, disconnect| {
        pen.write(disconnect.to_string());
        async {}
    });
    socket.connect();
    server.join("a").await.send("4?").await;
    let told = told.next("an end").await;
    assert_eq!(told, "parse error: unknown packet type ?");
}

#[tokio::test]
async fn c_033_each_step_is_told_in_its_order() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let mut steps = steps(&socket);
    socket.connect();
    let mut peer = server.join("a").await;
    steps.expect("open websocket").await;
    peer.send("2").await;
    steps.expect("Ping").await;
    peer.expect("3").await;
    drop(peer);
    steps.expect("close transport close").await;
    for attempt in 1..3 {
        steps.expect(format!("scheduled {attempt}")).await;
        steps.expect(format!("attempt {attempt}")).await;
        server.accept().await.send("nonsense").await;
        // The error is the manager's and the attempt's.
        steps.expect("error server error").await;
        steps.expect("failed server error").await;
    }
    steps.expect("scheduled 3").await;
    steps.expect("attempt 3").await;
    let mut peer = server.join("b").await;
    steps.expect("open websocket").await;
    steps.expect("reconnect 3").await;
    // Attempts are counted anew (C-034).
    within("a connection", socket.connected()).await.unwrap();
    peer.send("1").await;
    steps.expect("close transport close").await;
    steps.expect("scheduled 1").await;
    socket.disconnect();
    eventually("the end", || socket.manager().state() == ReconnectionState::Idle).await;
}

#[tokio::test]
async fn c_042_a_socket_says_how_it_stands() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/chat").build().unwrap();
    let standing = || (socket.is_active(), socket.is_connected(), socket.id(), socket.recovered());
    assert_eq!(standing(), (false, false, None, false));
    assert_eq!((socket.namespace(), socket.buffered()), ("/chat", 0));
    socket.connect();
    assert_eq!(standing(), (true, false, None, false));
    let mut peer = server.open().await;
    peer.expect("40/chat,").await;
    socket.emit("kept", ()).unwrap();
    assert!(socket.buffered() > 0);
    peer.send("40/chat,{\"sid\":\"a\",\"pid\":\"p\"}").await;
    within("a connection", socket.connected()).await.unwrap();
    assert_eq!(standing(), (true, true, Some("a".to_owned()), false));
    within("an empty queue", socket.drained()).await;
    assert_eq!(socket.buffered(), 0);
    drop(peer);
    eventually("the loss", || standing() == (true, false, None, false)).await;
    socket.disconnect();
    assert_eq!(standing(), (false, false, None, false));
}

#[tokio::test]
async fn packets_for_namespaces_that_nobody_is_in_are_ignored() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let (pen, mut seen) = log::<&str>();
    note(&socket, "event", &pen);
    socket.connect();
    let mut peer = server.join("a").await;
    for ignored in
        ["42/other,[\"event\"]", "41/other,", "43/other,0[]", "44/other,{}", "439[]", "42"]
    {
        peer.send(ignored).await;
    }
    peer.send("42[\"event\"]").await;
    seen.expect("event").await;
    seen.expect_nothing();
    assert!(socket.is_connected());
}

#[tokio::test]
async fn c_054_an_event_is_answered_once_and_reserved_names_are_not_sent() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    for answer in [1, 2] {
        socket.on("question", move |_: Socket| async move { answer });
    }
    socket.connect();
    let mut peer = server.join("a").await;
    eventually("a connection", || socket.is_connected()).await;
    for name in
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        let refused = socket.emit(name, ());
        assert!(matches!(refused, Err(EmitError::Encode(_))), "{name}: {refused:?}");
        let refused = within("a refusal", socket.emit_with_ack::<()>(name, ())).await;
        assert!(refused.is_err(), "{name}");
    }
    peer.send("427[\"question\"]").await;
    peer.expect("437[1]").await;
    peer.expect_nothing().await;
}

#[tokio::test]
async fn c_036_the_connection_goes_with_the_last_socket_that_wants_it() {
    let server = ByHand::new().await;
    let manager = builder(&server, "/").manager().unwrap();
    let (main, other) = (manager.socket("/").build(), manager.socket("/other").build());
    main.connect();
    other.connect();
    let mut peer = server.open().await;
    peer.expect_all(&["40", "40/other,"]).await;
    peer.send_together(&["40{\"sid\":\"a\"}", "40/other,{\"sid\":\"b\"}"]).await;
    eventually("both", || main.is_connected() && other.is_connected()).await;
    main.disconnect();
    peer.expect("41").await;
    peer.expect_nothing().await;
    // Who is put out does not want it either (C-052).
    let mut reasons = reasons(&other);
    peer.send("41/other,").await;
    reasons.expect(DisconnectReason::ServerDisconnect).await;
    peer.expect_close().await;
    assert!(!manager.is_open());

    // Nor who is refused.
    other.connect();
    let mut peer = server.open().await;
    peer.expect("40/other,").await;
    peer.send("44/other,{\"message\":\"no\"}").await;
    peer.expect_close().await;
    let error = within("an error", other.connected()).await.unwrap_err();
    assert_eq!((error.message(), other.is_active()), ("no", false));
}

#[tokio::test]
async fn c_053_a_connect_can_be_taken_back_and_made_again() {
    let server = ByHand::new().await;
    let manager = builder(&server, "/").manager().unwrap();
    let main = manager.socket("/").build();
    main.connect().disconnect();
    assert!(!main.is_active());
    let stays = manager.socket("/stays").build();
    stays.connect();
    let mut peer = server.open().await;
    peer.expect("40/stays,").await;
    peer.send("40/stays,{\"sid\":\"s\"}").await;
    eventually("a connection", || stays.is_connected()).await;

    // The connection is there: it is asked for at once.
    main.connect();
    peer.expect("40").await;
    // The answer is awaited before it leaves, since a server takes nothing else before it.
    main.disconnect();
    peer.expect_nothing().await;
    peer.send("40{\"sid\":\"a\"}").await;
    peer.expect("41").await;
    assert!(matches!(main.connected().await, Err(ConnectError::Disconnected)));

    main.connect();
    peer.expect("40").await;
    peer.send("40{\"sid\":\"b\"}").await;
    within("a connection", main.connected()).await.unwrap();
    main.disconnect().connect();
    peer.expect_all(&["41", "40"]).await;
    peer.send("40{\"sid\":\"c\"}").await;
    within("a connection", main.connected()).await.unwrap();
    assert_eq!(main.id().as_deref(), Some("c"));
}

#[tokio::test]
async fn c_049_one_after_the_other_until_each_is_answered_or_given_up() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").retries(2).ack_timeout(SOON).build().unwrap();
    let first = socket.emit_with_ack::<()>("first", ());
    let patient = socket.timeout(support::PATIENCE).emit_with_ack::<i32>("second", ());
    socket.volatile().emit("volatile", ()).unwrap_err();
    socket.connect();
    let mut peer = server.join("a").await;
    // Sent once, and twice again; the volatile one never.
    peer.expect_all(&["420[\"first\"]", "420[\"first\"]", "420[\"first\"]", "421[\"second\"]"])
        .await;
    assert!(within("the end", first).await.is_err());
    drop(peer);
    // Its answer has not come: it is sent again on the next connection.
    let mut peer = server.join("b").await;
    peer.expect("421[\"second\"]").await;
    peer.expect_nothing().await;
    peer.send("431[7]").await;
    assert_eq!(within("an answer", patient).await.unwrap(), 7);
}

#[tokio::test]
async fn c_046_what_waits_to_be_sent_keeps_waiting_for_its_answer_when_the_connection_is_lost() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let kept = socket.emit_with_ack::<i32>("kept", ());
    socket.connect();
    let mut peer = server.open().await;
    peer.expect("40").await;
    drop(peer);
    let mut peer = server.join("a").await;
    peer.expect("420[\"kept\"]").await;
    let lost = socket.emit_with_ack::<i32>("lost", ());
    peer.expect("421[\"lost\"]").await;
    peer.send("430[1]").await;
    assert_eq!(within("an answer", kept).await.unwrap(), 1);
    drop(peer);
    let error = within("the end", lost).await.unwrap_err();
    assert_eq!(error.to_string(), "the socket was disconnected before it answered");
}

#[tokio::test]
async fn c_047_the_sockets_time_out_counts_for_each_answer_that_has_none_of_its_own() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").ack_timeout(SOON).build().unwrap();
    socket.connect();
    let mut peer = server.join("a").await;
    eventually("a connection", || socket.is_connected()).await;
    let late = socket.emit_with_ack::<()>("late", ());
    let patient = socket.timeout(support::PATIENCE).emit_with_ack::<i32>("patient", ());
    peer.expect_all(&["420[\"late\"]", "421[\"patient\"]"]).await;
    assert_eq!(
        within("a time-out", late).await.unwrap_err().to_string(),
        "operation has timed out"
    );
    // An answer that comes too late is nobody's.
    peer.send_together(&["430[]", "431[7]"]).await;
    assert_eq!(within("an answer", patient).await.unwrap(), 7);
}

#[tokio::test]
async fn c_052_each_way_to_lose_a_connection_has_its_reason() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let mut reasons = reasons(&socket);
    socket.connect();
    let mut peer = server.join("a").await;
    peer.send("1").await;
    reasons.expect(DisconnectReason::TransportClose).await;
    drop(server.join("b").await);
    reasons.expect(DisconnectReason::TransportClose).await;
    let mut peer = server.join("c").await;
    // A frame that no server may send.
    peer.send_bytes(&[0xc1, 0x80, 0, 0, 0, 0]).await;
    reasons.expect(DisconnectReason::TransportError).await;
    let mut peer = server
        .open_with("0{\"sid\":\"s\",\"upgrades\":[],\"pingInterval\":30,\"pingTimeout\":20}")
        .await;
    peer.expect("40").await;
    peer.send("40{\"sid\":\"d\"}").await;
    reasons.expect(DisconnectReason::PingTimeout).await;
    let _peer = server.join("e").await;
    eventually("a connection", || socket.id().as_deref() == Some("e")).await;
}

#[tokio::test]
async fn c_011_binary_goes_as_text_if_that_was_asked_for() {
    let server = ByHand::new().await;
    let options = ConnectOptions::new().transports([TransportName::WebSocket]).force_base64(true);
    let socket = builder(&server, "/").options(options).build().unwrap();
    let (pen, mut seen) = log::<Bytes>();
    socket.on("echo", move |Data(bytes): Data<Bytes>| {
        pen.write(bytes);
        async {}
    });
    socket.connect();
    let mut peer = server.join("a").await;
    eventually("a connection", || socket.is_connected()).await;
    socket.emit("echo", Bytes::from_static(&[1, 2])).unwrap();
    peer.expect_all(&["451-[\"echo\",{\"_placeholder\":true,\"num\":0}]", "bAQI="]).await;
    peer.send_together(&["451-[\"echo\",{\"_placeholder\":true,\"num\":0}]", "bAwQ="]).await;
    seen.expect(Bytes::from_static(&[3, 4])).await;
}

/// The program's clock goes on, and nobody runs meanwhile.
#[tokio::test]
async fn c_024_what_is_emitted_after_the_ping_was_due_waits_for_the_next_connection() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let mut reasons = reasons(&socket);
    socket.connect();
    let mut peer = server.join("a").await;
    within("a connection", socket.connected()).await.unwrap();
    tokio::time::pause();
    let mut advance = Box::pin(tokio::time::advance(Duration::from_secs(46)));
    assert!(poll_once(advance.as_mut()).is_pending());
    emit_after_a_sleep(&socket);
    tokio::time::resume();
    reasons.expect(DisconnectReason::PingTimeout).await;
    peer.expect_end().await;
    let mut peer = server.join("b").await;
    peer.expect_all(&["42[\"kept\"]", "421[\"asked\"]"]).await;
}

/// The machine sleeps: the program's clock stands still, and the system's goes on.
#[tokio::test]
async fn c_024_what_is_emitted_after_the_machine_slept_waits_for_the_next_connection() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let mut reasons = reasons(&socket);
    socket.connect();
    let open = "0{\"sid\":\"s\",\"upgrades\":[],\"pingInterval\":300,\"pingTimeout\":200}";
    let mut peer = server.open_with(open).await;
    peer.expect("40").await;
    peer.send("40{\"sid\":\"a\"}").await;
    within("a connection", socket.connected()).await.unwrap();
    tokio::time::pause();
    std::thread::sleep(Duration::from_millis(510));
    emit_after_a_sleep(&socket);
    tokio::time::resume();
    reasons.expect(DisconnectReason::PingTimeout).await;
    peer.expect_end().await;
    let mut peer = server.join("b").await;
    peer.expect_all(&["42[\"kept\"]", "421[\"asked\"]"]).await;
}

fn emit_after_a_sleep(socket: &Socket) {
    let volatile = socket.volatile().emit_with_ack::<()>("volatile", ());
    let volatile = poll_once(std::pin::pin!(volatile));
    assert!(matches!(volatile, Poll::Ready(Err(_))), "{volatile:?}");
    socket.emit("kept", ()).unwrap();
    drop(socket.emit_with_ack::<()>("asked", ()));
    assert!(socket.is_connected(), "nobody has found out yet");
}

#[tokio::test]
async fn c_050_catch_all_listeners_are_added_before_or_behind_and_removed() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").build().unwrap();
    let (pen, mut seen) = log::<String>();
    let incoming = |label: &'static str| {
        let pen = pen.clone();
        move |EventName(name): EventName| {
            pen.write(format!("{label} {name}"));
            async {}
        }
    };
    let outgoing = |label: &'static str| {
        let pen = pen.clone();
        move |_: &Socket, name: &str, _: Arguments<'_>| pen.write(format!("{label} {name}"))
    };
    socket.on_any(incoming("second"));
    socket.prepend_any(incoming("first"));
    let third = socket.on_any(incoming("third"));
    socket.on_any_outgoing(outgoing("second"));
    socket.prepend_any_outgoing(outgoing("first"));
    socket.remove_listener(third);
    assert_eq!((socket.listeners_any(), socket.listeners_any_outgoing()), (2, 2));
    note(&socket, "event", &pen);
    socket.connect();
    let mut peer = server.join("a").await;
    within("a connection", socket.connected()).await.unwrap();
    socket.send("hello").unwrap();
    peer.expect("42[\"message\",\"hello\"]").await;
    peer.send("42[\"event\"]").await;
    for expected in ["first message", "second message", "first event", "second event", "event"] {
        seen.expect(expected).await;
    }
    socket.off_any().off_any_outgoing();
    assert_eq!((socket.listeners_any(), socket.listeners_any_outgoing()), (0, 0));
    socket.emit("other", ()).unwrap();
    peer.send("42[\"event\"]").await;
    seen.expect("event").await;
    seen.expect_nothing();
}

/// What the official client with its parser sends, byte by byte (section 10).
#[cfg(feature = "msgpack")]
#[tokio::test]
async fn c_056_with_message_pack_packets_are_the_official_clients() {
    let server = ByHand::new().await;
    let socket = builder(&server, "/").parser(sockeye::MessagePack).build().unwrap();
    socket.connect();
    let mut peer = server.open().await;
    peer.expect_binary(b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/").await;
    peer.send_binary(b"\x83\xa4type\x00\xa4data\x82\xa3sid\xa1a\xa3pid\xd4\x00\x00\xa3nsp\xa1/")
        .await;
    within("a connection", socket.connected()).await.unwrap();
    socket.disconnect();
    peer.expect_binary(b"\x82\xa4type\x01\xa3nsp\xa1/").await;
}

#[tokio::test]
async fn c_005_a_second_manager_is_a_second_connection() {
    let server = ByHand::new().await;
    let (first, second) = (builder(&server, "/").build(), builder(&server, "/").build());
    first.as_ref().unwrap().connect();
    let mut first_peer = server.join("a").await;
    second.as_ref().unwrap().connect();
    let _second_peer = server.join("b").await;
    drop(first);
    first_peer.expect("41").await;
    within("a connection", second.unwrap().connected()).await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn c_013_it_connects_from_the_address_that_it_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for transport in [TransportName::Polling, TransportName::WebSocket] {
        let options = ConnectOptions::new().transports([transport]);
        let options = options.local_address([127, 0, 0, 2].into());
        let socket = ClientBuilder::new(&url).options(options).build().unwrap();
        socket.connect();
        let (_stream, from) = within("a connection", listener.accept()).await.unwrap();
        assert_eq!(from.ip().to_string(), "127.0.0.2");
    }
}

#[tokio::test]
async fn c_050_what_must_not_be_compressed_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = ConnectOptions::new().transports([TransportName::WebSocket]);
    let options = options.per_message_deflate(PerMessageDeflate::new());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let socket = ClientBuilder::new(&url).options(options).build().unwrap();
    socket.connect();
    let (mut stream, _) = within("a connection", listener.accept()).await.unwrap();
    within("a WebSocket", accept_deflate(&mut stream)).await;
    say(&mut stream, OPEN).await;
    assert!(!within("CONNECT", is_compressed(&mut stream)).await, "it is short");
    say(&mut stream, "40{\"sid\":\"a\"}").await;
    within("a connection", socket.connected()).await.unwrap();
    let long = "again and ".repeat(1_000);
    socket.emit("long", &long).unwrap();
    socket.compress(false).emit("long", &long).unwrap();
    socket.compress(true).emit("long", &long).unwrap();
    for expected in [true, false, true] {
        assert_eq!(within("an event", is_compressed(&mut stream)).await, expected);
    }
}

/// Makes a connection a WebSocket with compression.
async fn accept_deflate(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Sends a short text.
async fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(&[0x81, u8::try_from(text.len()).unwrap()]).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Reads a frame of the client: whether what is in it is compressed.
async fn is_compressed(stream: &mut TcpStream) -> bool {
    let first = stream.read_u8().await.unwrap();
    let length = match stream.read_u8().await.unwrap() & 0x7f {
        126 => usize::from(stream.read_u16().await.unwrap()),
        127 => usize::try_from(stream.read_u64().await.unwrap()).unwrap(),
        short => usize::from(short),
    };
    stream.read_exact(&mut vec![0; length + 4]).await.unwrap();
    first & 0x40 != 0
}
