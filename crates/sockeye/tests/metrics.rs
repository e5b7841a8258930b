//! What a server counts: exact numbers of scripted conversations.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;

use axum::Router;
use sockeye::engine::{
    Application, CloseDetail, CloseReason, Engine, EngineMetrics, EngineOptions, Message, Session,
};
use tokio::net::{TcpListener, TcpStream};

use support::{Client, Http, Polling, eventually};

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
