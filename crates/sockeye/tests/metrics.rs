//! What a server counts: exact numbers of scripted conversations.

#![cfg(feature = "server")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use axum::Router;
use sockeye::engine::{
    Application, CloseDetail, CloseReason, Engine, EngineMetrics, EngineOptions, Message, Session,
};
use sockeye::{
    AcknowledgementError, ConnectError, ConnectionStateRecovery, Data, EmitError, EventContext,
    FromEvent, Metrics, Rejection, Server, SlowReaders, Socket,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use support::{Client, Http, Polling, eventually, log, serve};

/// Sends back what comes; says goodbye when it is told to.
struct Echo;

impl Application for Echo {
    fn message(&mut self, session: &Arc<Session>, _: &mut Context<'_>, message: Message<'_>) {
        // Who is gone needs no echo.
        let _ = match message {
            Message::Text("close") => return session.close(),
            Message::Text(text) => session.send_text(text),
            Message::Binary(data) => session.send_binary(&data),
        };
    }

    fn poll(&mut self, _: &Arc<Session>, _: &mut Context<'_>) {}

    fn ended(&mut self, _: &Arc<Session>, _: &mut Context<'_>, _: CloseReason, _: CloseDetail) {}
}

type Connector = fn(&Arc<Session>) -> Echo;

/// An engine that sends everything back, on a free port.
async fn echoing(options: EngineOptions) -> (Engine<Connector>, SocketAddr) {
    let engine: Engine<Connector> = Engine::new(options, |_| Echo);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let router = Router::new().fallback_service(engine.service());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (engine, address)
}

async fn open(address: SocketAddr) -> Client {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut client = Client::over(stream, "/engine.io/").await;
    client.expect_open().await;
    client
}

async fn open_polling(address: SocketAddr) -> Polling {
    let (polls, posts) = (Http::open(address).await, Http::open(address).await);
    Polling::over(polls, posts, "/engine.io/").await
}

/// Packets and bytes, received and sent.
const fn traffic(metrics: &EngineMetrics) -> [u64; 4] {
    let EngineMetrics { packets_received, bytes_received, packets_sent, bytes_sent, .. } = *metrics;
    [packets_received, bytes_received, packets_sent, bytes_sent]
}

/// What has come to it since `before`.
fn since(before: &EngineMetrics, now: &EngineMetrics) -> [u64; 4] {
    let (before, now) = (traffic(before), traffic(now));
    std::array::from_fn(|index| now[index] - before[index])
}

#[tokio::test]
async fn an_engine_counts_packets_and_bytes_over_websocket() {
    let (engine, address) = echoing(EngineOptions::default()).await;
    assert_eq!(engine.metrics(), EngineMetrics::default());
    let mut client = open(address).await;
    let opened = engine.metrics();
    assert_eq!((opened.sessions.websocket, opened.sessions_opened.websocket), (1, 1));
    let open_packet = r#"0{"sid":"12345678901234567890","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(traffic(&opened), [0, 0, 1, 2 + open_packet.len() as u64]);

    // A frame of a client has a head of 6 bytes, one of the server 2.
    client.send("4héllo").await;
    client.expect("4héllo").await;
    client.send_binary(&[1, 2, 3]).await;
    client.expect_binary(&[1, 2, 3]).await;
    assert_eq!(since(&opened, &engine.metrics()), [2, 13 + 9, 2, 9 + 5]);

    // Ping and pong of the WebSocket are no packets, but they are bytes.
    let before = engine.metrics();
    client.expect_nothing().await;
    assert_eq!(since(&before, &engine.metrics()), [0, 6 + 8, 0, 2 + 8]);

    client.close().await;
    eventually("the end of the session", || engine.metrics().sessions.total() == 0).await;
    let after = engine.metrics();
    assert_eq!(after.sessions.total(), 0);
    assert_eq!(after.sessions_closed.of(CloseReason::TransportClose), 1);
    assert_eq!(after.sessions_closed.total(), after.sessions_opened.total());
}

#[tokio::test]
async fn an_engine_counts_bodies_over_polling_and_upgrades() {
    let (engine, address) = echoing(EngineOptions::default()).await;
    let mut polling = open_polling(address).await;
    let opened = engine.metrics();
    assert_eq!((opened.sessions.polling, opened.sessions_opened.polling), (1, 1));
    let open_packet = r#"0{"sid":"12345678901234567890","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(traffic(&opened), [0, 0, 1, open_packet.len() as u64]);

    polling.post("4one\u{1e}bAQID").await;
    assert_eq!(engine.metrics().bytes_buffered, (2 + 4) + (2 + 3));
    assert_eq!(polling.poll().await, "4one\u{1e}bAQID");
    assert_eq!(since(&opened, &engine.metrics()), [2, 10, 2, 10]);
    assert_eq!(engine.metrics().bytes_buffered, 0);

    let before = engine.metrics();
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut client = Client::upgrading(stream, "/engine.io/", &polling.sid).await;
    client.send("2probe").await;
    client.expect("3probe").await;
    assert_eq!(engine.metrics().upgrades, 0);
    client.send("5").await;
    client.send("4two").await;
    client.expect("4two").await;
    let upgraded = engine.metrics();
    assert_eq!(since(&before, &upgraded), [3, 12 + 7 + 10, 2, 8 + 6]);
    assert_eq!(
        (upgraded.upgrades, upgraded.sessions.polling, upgraded.sessions.websocket),
        (1, 0, 1)
    );
    client.send("4close").await;
    client.expect_close().await;
    eventually("the end of the session", || engine.metrics().sessions.total() == 0).await;
    assert_eq!(engine.metrics().sessions_closed.forced_close, 1);
    assert_eq!(engine.metrics().sessions.total(), 0);
}

#[tokio::test]
async fn an_engine_counts_what_it_refuses() {
    let (engine, address) = echoing(EngineOptions::default()).await;
    let mut http = Http::open(address).await;
    let base = "/engine.io/?EIO=4";
    http.get(&format!("{base}&transport=pigeon")).await;
    http.get(&format!("{base}&transport=polling&sid=nobody")).await;
    http.get(&format!("{base}&transport=polling&sid=nobody")).await;
    http.post(&format!("{base}&transport=polling"), "").await;
    http.get(&format!("{base}&transport=websocket")).await;
    http.get("/engine.io/?transport=polling").await;
    engine.close();
    http.get(&format!("{base}&transport=polling")).await;
    let refused = engine.metrics().requests_refused;
    assert_eq!(
        [
            refused.transport_unknown,
            refused.session_unknown,
            refused.bad_handshake_method,
            refused.bad_request,
            refused.forbidden,
            refused.unsupported_version,
        ],
        [1, 2, 1, 1, 1, 1]
    );
    assert_eq!(refused.total(), 7);
    assert_eq!(engine.metrics().sessions_opened.total(), 0);
}

#[tokio::test]
async fn an_engine_counts_violations_by_kind() {
    let mut options = EngineOptions::default();
    options.max_http_buffer_size = 100;
    let (engine, address) = echoing(options).await;
    // However much rubbish comes at once, it is one violation.
    let mut undecodable = open(address).await;
    undecodable.send_together(&["9", "9", "9"]).await;
    undecodable.expect_end().await;
    let mut too_large = open(address).await;
    too_large.send(&"4".repeat(101)).await;
    too_large.expect_end().await;
    let mut invalid = open(address).await;
    invalid.send_bytes(b"\xc1\x80\0\0\0\0").await;
    invalid.expect_end().await;
    let mut pinging = open(address).await;
    pinging.send("2").await;
    pinging.expect_end().await;
    let mut overlapping = open_polling(address).await;
    overlapping.start_poll().await;
    let again = format!("/engine.io/?EIO=4&transport=polling&sid={}", overlapping.sid);
    assert_eq!(Http::open(address).await.get(&again).await.status, 400);
    overlapping.finish_poll().await;
    let large = open_polling(address).await;
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={}", large.sid);
    let posted = Http::open(address).await.post(&target, &"4".repeat(101)).await;
    assert_eq!(posted.status, 413);
    let octets = "Content-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\n4";
    let mut http = Http::open(address).await;
    http.send(format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{octets}")).await;
    assert_eq!(http.receive("a POST").await.status, 400);
    eventually("the end of all sessions", || engine.metrics().sessions.total() == 0).await;
    let metrics = engine.metrics();
    let violations = metrics.violations;
    assert_eq!(
        [
            violations.undecodable,
            violations.invalid_frames,
            violations.too_large,
            violations.overlapping_requests,
            violations.invalid_content,
            violations.heartbeat_direction,
        ],
        [1, 1, 2, 1, 1, 1]
    );
    assert_eq!(metrics.sessions_closed.parse_error, 1);
    assert_eq!(metrics.sessions_closed.transport_error, 5);
    assert_eq!(metrics.requests_refused.bad_request, 1);
}

/// Nobody is let through.
struct Nobody;

impl FromEvent<Socket> for Nobody {
    fn from_event(_: &EventContext<'_>) -> Result<Self, Rejection> {
        Err(Rejection::from("not for you"))
    }
}

#[tokio::test]
async fn a_server_counts_sockets_events_and_answers() {
    let io = Server::new();
    let (pen, mut answers) = log::<Result<u8, AcknowledgementError>>();
    io.of("/")
        .on_connect(async |_: Socket| {})
        .on("hello", async |socket: Socket| socket.emit("hi", ()).unwrap())
        .on("sum", async |Data((a, b)): Data<(i64, i64)>| a + b)
        .on("ask me", move |socket: Socket| {
            let pen = pen.clone();
            async move { pen.write(socket.emit_with_ack("which?", ()).await) }
        })
        .on_disconnect(async || {});
    assert_eq!(io.metrics(), Metrics::default());
    let address = serve(&io).await;
    let mut first = Client::join(address).await;
    let mut second = Client::join(address).await;
    first.send("42[\"hello\"]").await;
    first.expect("42[\"hi\"]").await;
    first.send("421[\"sum\",1,2]").await;
    first.expect("431[3]").await;
    // Without a handler.
    first.send("42[\"nobody listens\"]").await;
    second.send("42[\"ask me\"]").await;
    second.expect("420[\"which?\"]").await;
    let asking = io.metrics();
    assert_eq!((asking.handlers.running, asking.acknowledgements_received), (1, 0));
    second.send("430[7]").await;
    assert_eq!(answers.next("the answer").await.unwrap(), 7);
    io.emit("to all", ()).unwrap();
    first.expect("42[\"to all\"]").await;
    second.expect("42[\"to all\"]").await;

    let metrics = io.metrics();
    assert_eq!(
        (metrics.sockets, metrics.sockets_connected, metrics.engine.sessions.websocket),
        (2, 2, 2)
    );
    assert_eq!((metrics.events_received, metrics.events_sent), (4, 4));
    assert_eq!((metrics.acknowledgements_received, metrics.acknowledgements_sent), (1, 1));
    // Two connect handlers, and three events that somebody listens to.
    assert_eq!((metrics.handlers.running, metrics.handlers.called), (0, 5));
    assert_eq!(metrics.handlers.failed.total(), 0);
    // Of each client OPEN's answer `40`, and its events; no two of them came in one read.
    assert_eq!(metrics.engine.packets_received, 2 + 4 + 1);
    // OPEN and CONNECT for both, and what was emitted and answered.
    assert_eq!(metrics.engine.packets_sent, 2 * 2 + 4 + 1);

    first.send("41").await;
    first.expect_nothing().await;
    let left = io.metrics();
    assert_eq!(
        (left.sockets, left.sockets_disconnected, left.engine.sessions.websocket),
        (1, 1, 2)
    );
    first.close().await;
    second.close().await;
    eventually("the end of all sessions", || io.metrics().engine.sessions.total() == 0).await;
    eventually("the end of all sockets", || io.metrics().sockets == 0).await;
    let end = io.metrics();
    assert_eq!((end.sockets_connected, end.sockets_disconnected), (2, 2));
    assert_eq!((end.handlers.running, end.handlers.called), (0, 7));
    assert_eq!((end.engine.bytes_buffered, end.recovery.bytes), (0, 0));
    assert_eq!((end.handlers.measured, end.handlers.time), (0, Duration::ZERO));
}

/// What is there, and not only what has been: all of it is zero again when nobody is left.
#[tokio::test]
async fn all_that_a_server_holds_is_counted_and_goes_with_its_clients() {
    let io = Server::new();
    io.of_matching(|name| name.starts_with("/dynamic"));
    let (pen, mut answers) = log::<Result<u8, AcknowledgementError>>();
    io.of("/").on_connect(async |socket: Socket| socket.join(["one", "two"])).on(
        "ask me",
        move |socket: Socket| {
            let pen = pen.clone();
            async move { pen.write(socket.emit_with_ack("which?", ()).await) }
        },
    );
    let address = serve(&io).await;
    let mut first = Client::join(address).await;
    let mut second = Client::join(address).await;
    first.connect("40/dynamic-1,").await;
    for (client, id) in [(&mut first, 0), (&mut second, 1)] {
        client.send("42[\"ask me\"]").await;
        client.expect(&format!("42{id}[\"which?\"]")).await;
    }
    let held = |metrics: &Metrics| {
        let Metrics { rooms, dynamic_namespaces, acknowledgements_pending, engine, .. } = *metrics;
        let EngineMetrics { sessions_ending, deadlines, ids_held, .. } = engine;
        (
            [rooms, dynamic_namespaces, acknowledgements_pending],
            [deadlines, ids_held + sessions_ending],
        )
    };
    assert_eq!(held(&io.metrics()), ([2, 1, 2], [2, 0]));
    first.send("430[7]").await;
    assert_eq!(answers.next("the answer").await.unwrap(), 7);
    assert_eq!(held(&io.metrics()), ([2, 1, 1], [2, 0]));
    first.close().await;
    eventually("one client", || held(&io.metrics()) == ([2, 0, 1], [1, 0])).await;
    second.close().await;
    answers.next("the end of the wait").await.unwrap_err();
    eventually("nobody", || held(&io.metrics()) == ([0; 3], [0; 2])).await;
}

#[tokio::test]
async fn a_server_counts_handlers_that_fail_by_kind() {
    let io = Server::new();
    io.of("/")
        .on("add", async |Data((a, b)): Data<(i64, i64)>| a + b)
        .on("forbidden", async |_: Nobody| {})
        .on("panic", async || {
            if true {
                panic!("on purpose")
            }
        })
        .on("late panic", async || {
            tokio::task::yield_now().await;
            if true {
                panic!("on purpose")
            }
        });
    let address = serve(&io).await;
    let mut client = Client::join(address).await;
    for event in
        ["[\"add\",\"x\"]", "[\"add\"]", "[\"forbidden\"]", "[\"panic\"]", "[\"late panic\"]"]
    {
        client.send(&format!("42{event}")).await;
    }
    client.expect_nothing().await;
    eventually("the late panic", || io.metrics().handlers.failed.panicked == 2).await;
    let handlers = io.metrics().handlers;
    assert_eq!((handlers.failed.arguments, handlers.failed.rejected), (2, 1));
    assert_eq!((handlers.called, handlers.running), (2, 0));
    assert_eq!(io.metrics().events_received, 5);
}

#[tokio::test]
async fn a_server_counts_several_handlers_of_one_event_and_those_behind_middlewares() {
    let io = Server::new();
    io.of("/").on("twice", async || {}).on("twice", async || {}).on_any(async || {});
    io.of("/gated").on("event", async || {}).event_middleware(async || Ok(()));
    let address = serve(&io).await;
    let mut client = Client::join(address).await;
    client.connect("40/gated,").await;
    client.send("42[\"twice\"]").await;
    client.send("42[\"other\"]").await;
    client.send("42/gated,[\"event\"]").await;
    client.expect_nothing().await;
    let metrics = io.metrics();
    assert_eq!((metrics.events_received, metrics.handlers.called), (3, 3 + 1 + 1));
}

#[tokio::test]
async fn a_server_counts_clients_that_are_refused_and_violations() {
    // Long enough for who asks at once, on a busy machine too.
    let timeout = Duration::from_millis(500);
    let io = Server::builder().connect_timeout(timeout).max_namespaces(1).build();
    io.of("/closed").middleware(async |_: Socket| Err(ConnectError::new("closed")));
    let address = serve(&io).await;
    let mut client = Client::open(address).await;
    for namespace in ["/closed", "/unknown"] {
        client.send(&format!("40{namespace},")).await;
        client.expect(&format!("44{namespace},{{\"message\":\"<text>\"}}")).await;
    }
    client.connect("40").await;
    client.send("40/closed,").await;
    client.expect("44/closed,{\"message\":\"<text>\"}").await;
    assert_eq!((io.metrics().clients_refused, io.metrics().sockets_connected), (3, 1));
    client.send_together(&["4nonsense", "4nonsense"]).await;
    client.expect_end().await;
    let mut early = Client::open(address).await;
    early.send("42[\"too early\"]").await;
    early.expect_end().await;
    let mut silent = Client::open(address).await;
    silent.expect_end().await;
    eventually("the end of all sessions", || io.metrics().engine.sessions.total() == 0).await;
    let metrics = io.metrics();
    let violations = metrics.violations;
    assert_eq!(
        [violations.invalid_packets, violations.packets_out_of_place, violations.no_connect],
        [1, 1, 1]
    );
    assert_eq!(metrics.engine.sessions_closed.forced_close, 3);
    assert_eq!(metrics.sockets, 0);
}

/// Whoever emits to one socket is told; of a broadcast nobody is.
#[tokio::test]
async fn a_server_counts_broadcasts_that_a_receiver_did_not_get() {
    let io = Server::builder().slow_readers(SlowReaders::Refuse).max_buffered_bytes(1_000).build();
    let address = serve(&io).await;
    let mut client = Client::join(address).await;
    let _polling = Polling::join(address).await;
    let text = "x".repeat(2_000);
    for _ in 0..3 {
        io.emit("news", &text).unwrap();
        client.expect(&format!(r#"42["news","{text}"]"#)).await;
    }
    let metrics = io.metrics();
    assert_eq!((metrics.events_sent, metrics.broadcasts_missed), (4, 2));
    let others = io.sockets();
    let slow = others.iter().find(|socket| socket.id() != client.id).expect("it is connected");
    assert!(slow.emit("to one", ()).is_err());
    assert_eq!(io.metrics().broadcasts_missed, 2);
}

#[tokio::test]
async fn a_server_counts_volatile_events_that_were_dropped() {
    let io = Server::new();
    let address = serve(&io).await;
    let mut polling = Polling::join(address).await;
    let mut client = Client::join(address).await;
    // No poll waits.
    io.of("/").volatile().emit("now or never", ()).unwrap();
    client.expect("42[\"now or never\"]").await;
    let others = io.sockets();
    let socket = others.iter().find(|socket| socket.id() != client.id).expect("it is connected");
    let dropped = socket.volatile().emit("now or never", ());
    assert!(matches!(dropped, Err(EmitError::NotWritable)), "{dropped:?}");
    let asked = socket.volatile().emit_with_ack::<()>("now or never", ()).await;
    assert!(asked.is_err());
    assert_eq!((io.metrics().events_sent, io.metrics().volatile_dropped), (1, 3));
    socket.emit("later", ()).unwrap();
    assert_eq!(polling.poll().await, "42[\"later\"]");
    assert_eq!(io.metrics().events_sent, 2);
}

#[tokio::test]
async fn a_server_counts_slow_readers_and_bytes_queued_for_them() {
    let io = Server::builder().max_buffered_bytes(100_000).build();
    let address = serve(&io).await;
    let client = Client::join_with_small_buffer(address).await;
    let socket = io.sockets().remove(0);
    let part = "x".repeat(10_000);
    let mut most = 0;
    while socket.emit("part", &part).is_ok() {
        most = most.max(io.metrics().engine.bytes_buffered);
    }
    assert!((100_000..=111_000).contains(&most), "{most} bytes were queued at most");
    let metrics = io.metrics();
    assert_eq!(
        (metrics.engine.slow_readers, metrics.engine.sessions_closed.transport_error),
        (1, 1)
    );
    assert_eq!(metrics.engine.sessions.total(), 0);
    drop(client);
    eventually("the end of the connection", || io.clients_count() == 0).await;
    assert_eq!((io.metrics().engine.bytes_buffered, io.metrics().sockets), (0, 0));
}

#[tokio::test]
async fn a_server_counts_who_comes_back() {
    let io = Server::builder().connection_state_recovery(ConnectionStateRecovery::new()).build();
    let address = serve(&io).await;
    let mut client = Client::open(address).await;
    client.send("40").await;
    let pid = client.expect("40{\"sid\":\"<sid>\",\"pid\":\"<sid>\"}").await.remove(1);
    io.emit("seen", ()).unwrap();
    let offset = client.expect("42[\"seen\",\"<text>\"]").await.remove(0);
    drop(client);
    eventually("the end of the socket", || io.metrics().sockets == 0).await;
    io.emit("missed", ()).unwrap();
    let away = io.metrics();
    // What is kept is not sent.
    assert_eq!((away.events_sent, away.recovery.bytes > 0), (1, true));
    let mut client = Client::open(address).await;
    client.send(&format!("40{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}")).await;
    client.expect("42[\"missed\",\"<text>\"]").await;
    client.expect("40{\"sid\":\"<sid>\",\"pid\":\"<sid>\"}").await;
    let back = io.metrics();
    assert_eq!((back.events_sent, back.recovery.succeeded, back.recovery.refused), (2, 1, 0));
    assert_eq!((back.sockets, back.sockets_connected, back.sockets_disconnected), (1, 2, 1));
    let mut stranger = Client::open(address).await;
    stranger.send("40{\"pid\":\"nobody\",\"offset\":\"0\"}").await;
    stranger.expect("40{\"sid\":\"<sid>\",\"pid\":\"<sid>\"}").await;
    assert_eq!(io.metrics().recovery.refused, 1);
    client.send("41").await;
    stranger.send("41").await;
    eventually("the end of all sockets", || io.metrics().sockets == 0).await;
    eventually("nothing to be kept", || io.metrics().recovery.bytes == 0).await;
}

#[tokio::test]
async fn handlers_are_measured_where_that_is_wanted() {
    let io = Server::builder().measure_handlers(true).build();
    let proceed = Arc::new(Notify::new());
    let gate = Arc::clone(&proceed);
    io.of("/").on("wait", move || {
        let gate = Arc::clone(&gate);
        async move { gate.notified().await }
    });
    let address = serve(&io).await;
    let mut client = Client::join(address).await;
    client.send("421[\"wait\"]").await;
    client.expect_nothing().await;
    let started = Instant::now();
    assert_eq!((io.metrics().handlers.running, io.metrics().handlers.measured), (1, 0));
    client.expect_nothing().await;
    let waited = started.elapsed();
    proceed.notify_one();
    client.expect("431[]").await;
    let handlers = io.metrics().handlers;
    assert_eq!((handlers.running, handlers.measured, handlers.called), (0, 1, 1));
    assert!(handlers.time >= waited, "{:?}, and it waited {waited:?}", handlers.time);
}
