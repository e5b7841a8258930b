//! Bare Engine.IO: an application of one's own on sessions.

#![cfg(feature = "server")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::Duration;

use axum::Router;
use sockeye::engine::{
    Application, CloseDetail, CloseReason, Engine, EngineOptions, InitialPacket, Message,
    SendError, Session,
};
use tokio::net::{TcpListener, TcpStream};

use support::{Client, Http, Log, Pen, Polling, eventually, log};

/// Sends back what comes, and writes down what happens.
struct Echo {
    pen: Pen<String>,
    ready: Arc<AtomicBool>,
}

impl Application for Echo {
    fn message(&mut self, session: &Arc<Session>, _: &mut Context<'_>, message: Message<'_>) {
        let sent = match message {
            Message::Text("close") => return session.close(),
            Message::Text(text) => session.send_text(text),
            Message::Binary(data) => session.send_binary(&data),
        };
        sent.expect("the session is open");
    }

    fn poll(&mut self, _: &Arc<Session>, _: &mut Context<'_>) {
        self.pen.write("polled");
    }

    fn ended(
        &mut self,
        session: &Arc<Session>,
        _: &mut Context<'_>,
        reason: CloseReason,
        _: CloseDetail,
    ) {
        assert!(!session.is_open());
        self.pen.write(format!("ended: {reason}"));
    }

    fn heartbeat(&mut self) {
        self.pen.write("heartbeat");
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }
}

struct Served {
    engine: Arc<dyn Fn() -> usize + Send + Sync>,
    close: Box<dyn Fn() + Send + Sync>,
    address: std::net::SocketAddr,
    log: Log<String>,
    sessions: Log<Arc<Session>>,
    ready: Arc<AtomicBool>,
}

/// An echo server on a free port.
async fn serve(options: EngineOptions) -> Served {
    let (pen, log) = log();
    let (opened, sessions) = support::log();
    let ready = Arc::new(AtomicBool::new(true));
    let is_ready = Arc::clone(&ready);
    let engine = Engine::new(options, move |session: &Arc<Session>| {
        opened.write(Arc::clone(session));
        Echo { pen: pen.clone(), ready: Arc::clone(&is_ready) }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let router = Router::new().fallback_service(engine.service());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let closing = engine.clone();
    Served {
        engine: Arc::new(move || engine.clients_count()),
        close: Box::new(move || closing.close()),
        address,
        log,
        sessions,
        ready,
    }
}

impl Served {
    async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        let mut client = Client::over(stream, "/engine.io/").await;
        client.expect_open().await;
        client
    }

    async fn polling(&self) -> Polling {
        let (polls, posts) = (Http::open(self.address).await, Http::open(self.address).await);
        Polling::over(polls, posts, "/engine.io/").await
    }

    /// The end, after any number of polls.
    async fn expect_end(&mut self, reason: &str) {
        let end = format!("ended: {reason}");
        while self.log.next(&end).await != end {}
    }
}

#[tokio::test]
async fn messages_come_and_go_over_websocket() {
    let mut served = serve(EngineOptions::default()).await;
    let mut client = served.client().await;
    client.send("4héllo").await;
    client.expect("4héllo").await;
    client.send("4").await;
    client.expect("4").await;
    client.send_binary(&[1, 2, 3]).await;
    client.expect_binary(&[1, 2, 3]).await;
    let session = served.sessions.next("the session").await;
    assert_eq!(session.id(), client.session);
    assert_eq!((served.engine)(), 1);
    session.send_text("from outside").unwrap();
    client.expect("4from outside").await;
    client.send("4close").await;
    client.expect_close().await;
    served.expect_end("forced close").await;
    assert_eq!(session.send_text("late"), Err(SendError::Closed));
    eventually("the end of the session", || (served.engine)() == 0).await;
}

#[tokio::test]
async fn messages_come_and_go_over_polling_and_through_an_upgrade() {
    let mut served = serve(EngineOptions::default()).await;
    let mut polling = served.polling().await;
    polling.post("4one\u{1e}bAQID").await;
    assert_eq!(polling.poll().await, "4one\u{1e}bAQID");
    let stream = TcpStream::connect(served.address).await.expect("the server listens");
    let mut client = Client::upgrading(stream, "/engine.io/", &polling.sid).await;
    client.send("2probe").await;
    client.expect("3probe").await;
    client.send("5").await;
    client.send("4two").await;
    client.expect("4two").await;
    client.send_binary(&[1, 2, 3]).await;
    client.expect_binary(&[1, 2, 3]).await;
    client.close().await;
    served.expect_end("transport close").await;
}

#[tokio::test]
async fn an_application_is_polled_when_its_session_is_woken_or_its_moment_has_come() {
    let mut served = serve(EngineOptions::default()).await;
    let mut client = served.client().await;
    let session = served.sessions.next("the session").await;
    client.expect_nothing().await;
    while served.log.next("the first poll").await != "polled" {}
    session.wake();
    served.log.expect("polled").await;
    session.set_application_deadline(Some(session.now().after(Duration::from_millis(20))));
    served.log.expect("polled").await;
}

#[tokio::test]
async fn nothing_is_read_while_the_application_is_not_ready() {
    let mut served = serve(EngineOptions::default()).await;
    let mut client = served.client().await;
    let session = served.sessions.next("the session").await;
    client.send("4first").await;
    client.expect("4first").await;
    served.ready.store(false, Ordering::SeqCst);
    client.send("4second").await;
    session.send_text("still sent").unwrap();
    client.expect("4still sent").await;
    served.ready.store(true, Ordering::SeqCst);
    session.wake();
    client.expect("4second").await;
}

#[tokio::test]
async fn closing_the_engine_ends_all_sessions_and_refuses_new_ones() {
    let mut served = serve(EngineOptions::default()).await;
    let mut client = served.client().await;
    (served.close)();
    client.expect_close().await;
    served.expect_end("forced close").await;
    let mut http = Http::open(served.address).await;
    assert_eq!(http.get("/engine.io/?EIO=4&transport=polling").await.status, 503);
    assert_eq!(http.get("/other").await.status, 404);
}

#[tokio::test]
async fn what_a_connector_sends_comes_right_behind_the_open_packet() {
    let (pen, _log) = log();
    let engine = Engine::new(EngineOptions::default(), move |session: &Arc<Session>| {
        session.send_text("welcome").expect("the session is open");
        Echo { pen: pen.clone(), ready: Arc::new(AtomicBool::new(true)) }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let router = Router::new().fallback_service(engine.service());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut client = Client::over(stream, "/engine.io/").await;
    client.expect_open().await;
    client.expect("4welcome").await;
    let (polls, posts) = (Http::open(address).await, Http::open(address).await);
    let mut polling = Polling::over(polls, posts, "/engine.io/").await;
    assert_eq!(polling.poll().await, "4welcome");
}

/// E-082: in revision 3 the client pings, so nothing is learned about what has arrived.
#[tokio::test]
async fn an_application_is_told_of_pongs() {
    let mut served = serve(with_eio3()).await;
    let mut client = served.client().await;
    client.send("3").await;
    while served.log.next("a heartbeat").await != "heartbeat" {}
    client.close().await;
    served.expect_end("transport close").await;

    let stream = TcpStream::connect(served.address).await.expect("the server listens");
    let mut client = Client::with_query(stream, "/engine.io/?EIO=3&transport=websocket").await;
    client.expect_open().await;
    client.send("2").await;
    client.expect("3").await;
    client.close().await;
    loop {
        match served.log.next("the end").await.as_str() {
            "ended: transport close" => return,
            entry => assert_eq!(entry, "polled"),
        }
    }
}

fn with_eio3() -> EngineOptions {
    let mut options = EngineOptions::default();
    options.allow_eio3 = true;
    options
}

/// E-007, E-008.
#[tokio::test]
async fn revision_3_is_refused_unless_it_is_allowed() {
    let served = serve(EngineOptions::default()).await;
    let mut http = Http::open(served.address).await;
    for query in ["EIO=3&transport=polling", "transport=polling", "EIO=5&transport=polling"] {
        let response = http.get(&format!("/engine.io/?{query}")).await;
        assert_eq!(response.status, 400);
        assert_eq!(response.body, r#"{"code":5,"message":"Unsupported protocol version"}"#);
    }
    let served = serve(with_eio3()).await;
    let mut http = Http::open(served.address).await;
    for (query, code) in [
        ("EIO=3&transport=other", 0),
        ("EIO=3&transport=polling&sid=x", 1),
        ("EIO=3&transport=websocket", 3),
    ] {
        let response = http.get(&format!("/engine.io/?{query}")).await;
        assert!(response.body.starts_with(&format!("{{\"code\":{code},")), "{}", response.body);
    }
}

/// E-112, E-113, E-114, E-043, E-037; after polling-eio3-csr.txt.
#[tokio::test]
async fn polling_of_revision_3_has_its_three_forms() {
    let served = serve(with_eio3()).await;
    let mut http = Http::open(served.address).await;
    let octets = "Content-Type: application/octet-stream\r\n";
    for (query, head, body, content_type, answer) in [
        (
            "EIO=3",
            "",
            &b"3:4\xc3\xa9\x612:4b"[..],
            "text/plain; charset=UTF-8",
            &b"3:4\xc3\xa9\x612:4b"[..],
        ),
        ("", "", b"6:b4AQI=", "application/octet-stream", b"\x01\x03\xff\x04\x01\x02"),
        (
            "EIO=3",
            octets,
            b"\0\x03\xff4\xc3\xa9\x01\x03\xff\x04\x01\x02",
            "application/octet-stream",
            b"\0\x03\xff4\xc3\xa9\x01\x03\xff\x04\x01\x02",
        ),
        (
            "EIO=3&b64=1",
            octets,
            b"\x01\x03\xff\x04\x01\x02",
            "text/plain; charset=UTF-8",
            b"6:b4AQI=",
        ),
    ] {
        let target = format!("/engine.io/?transport=polling&{query}");
        let open = http.get(&target).await;
        let (length, packet) = open.body.split_once(':').expect("a length");
        assert_eq!(length.parse(), Ok(packet.len()));
        let sid = packet.split('"').nth(3).expect("a sid");
        let target = format!("{target}&sid={sid}");
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {}\r\n\r\n",
            body.len()
        );
        http.send([request.as_bytes(), body].concat()).await;
        assert_eq!(http.receive("a POST").await.body, "ok");
        http.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let poll = http.receive("a poll").await;
        assert_eq!(poll.header("content-type"), Some(content_type), "{query}");
        assert_eq!(poll.bytes, answer, "{query}");
        let mismatch = http.get(&format!("{target}&EIO=4")).await;
        assert_eq!(mismatch.body, r#"{"code":3,"message":"Bad request"}"#);
        let pong = http.post(&target, "1:2").await;
        assert_eq!(pong.body, "ok");
        assert_eq!(http.get(&target).await.body, "1:3");
    }
}

/// E-116: what is broken ends the session.
#[tokio::test]
async fn a_broken_payload_of_revision_3_is_a_parse_error() {
    let mut served = serve(with_eio3()).await;
    let mut http = Http::open(served.address).await;
    for (octets, body) in
        [(false, &b"9:4a"[..]), (false, b""), (false, b"4a"), (true, b"\0\x09\xff4a")]
    {
        let target = "/engine.io/?EIO=3&transport=polling";
        let open = http.get(target).await;
        let sid = open.body.split('"').nth(3).expect("a sid");
        let head = if octets { "Content-Type: application/octet-stream\r\n" } else { "" };
        let length = body.len();
        let request = format!(
            "POST {target}&sid={sid} HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {length}\r\n\r\n"
        );
        http.send([request.as_bytes(), body].concat()).await;
        assert_eq!(http.receive("a POST").await.body, "ok");
        served.expect_end("parse error").await;
    }
}

/// E-117; after polling-eio3-csr.txt.
#[tokio::test]
async fn jsonp_works_in_both_revisions() {
    let served = serve(with_eio3()).await;
    let mut http = Http::open(served.address).await;
    for (revision, sent, answer) in [
        (4, "d=4%5Cn%5C%5Cn%E2%80%A8", "___eio[7](\"4\\n\\\\n\\u2028\");"),
        (3, "d=5%3A4%5Cn%5C%5Cn%E2%80%A8", "___eio[7](\"5:4\\n\\\\n\\u2028\");"),
        (4, "d=bAQI%3D", "___eio[7](\"bAQI=\");"),
        (3, "d=6%3Ab4AQI%3D", "___eio[7](\"6:b4AQI=\");"),
    ] {
        let target = format!("/engine.io/?EIO={revision}&transport=polling");
        let open = http.get(&format!("{target}&j=7")).await;
        assert!(open.body.starts_with("___eio[7](\""), "{}", open.body);
        let sid = open.body.split("\\\"").nth(3).expect("a sid");
        let target = format!("{target}&sid={sid}");
        assert_eq!(http.post(&format!("{target}&j=8"), sent).await.body, "ok");
        assert_eq!(http.post(&format!("{target}&j=8"), "no=payload").await.body, "ok");
        http.send(format!("GET {target}&j=9 HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let poll = http.receive("a poll").await;
        assert_eq!(poll.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(poll.body, answer);
    }
}

/// E-115, E-081, and an upgrade.
#[tokio::test]
async fn a_websocket_of_revision_3_has_typed_binary_and_pings() {
    let mut served = serve(with_eio3()).await;
    let address = served.address;
    let open = async |query: &str| {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let target = format!("/engine.io/?EIO=3&transport=websocket{query}");
        Client::with_query(stream, &target).await
    };
    let mut client = open("").await;
    client.expect_open().await;
    client.send_binary(&[4, 1, 2]).await;
    client.expect_binary(&[4, 1, 2]).await;
    client.send("b4AQI=").await;
    client.expect_binary(&[4, 1, 2]).await;
    client.send("2").await;
    client.expect("3").await;
    client.send_binary(&[1, 2]).await;
    client.expect_close().await;
    served.expect_end("parse error").await;

    let mut client = open("&b64=1").await;
    client.expect_open().await;
    client.send_binary(&[4, 1, 2]).await;
    client.expect("b4AQI=").await;
    client.send("3").await;
    client.expect_close().await;
    served.expect_end("transport error").await;

    let mut http = Http::open(address).await;
    let body = http.get("/engine.io/?transport=polling").await.body;
    let sid = body.split('"').nth(3).expect("a sid");
    let mut client = open(&format!("&sid={sid}")).await;
    client.send("2probe").await;
    client.expect("3probe").await;
    let noop = http.get(&format!("/engine.io/?transport=polling&sid={sid}")).await;
    assert_eq!(noop.body, "1:6");
    client.send("5").await;
    client.send("4a").await;
    client.expect("4a").await;
}

/// E-009: it comes with the handshake, before anything that the application sends.
#[tokio::test]
async fn an_initial_packet_comes_with_the_handshake() {
    for (packet, four, three) in [
        (InitialPacket::text("wélcome"), "\u{1e}4wélcome", "8:4wélcome"),
        (InitialPacket::binary(&[1, 2]), "\u{1e}bAQI=", "6:b4AQI="),
        (InitialPacket::text(""), "\u{1e}4", "1:4"),
    ] {
        let mut options = with_eio3();
        options.initial_packet = Some(packet);
        let served = serve(options).await;
        let mut http = Http::open(served.address).await;
        for (query, end) in [("EIO=4", four), ("EIO=3&b64=1", three)] {
            let open = http.get(&format!("/engine.io/?transport=polling&{query}")).await;
            let packet = open.body.strip_suffix(end).expect("the packet at the end");
            assert!(packet.ends_with("\"maxPayload\":1000000}"), "{packet}");
        }
        let mut client = served.client().await;
        match end_of(four) {
            Some(text) => drop(client.expect(text).await),
            None => client.expect_binary(&[1, 2]).await,
        }
        client.expect_nothing().await;
    }
    let mut options = with_eio3();
    options.initial_packet = Some(InitialPacket::binary(&[1, 2]));
    let served = serve(options).await;
    let mut http = Http::open(served.address).await;
    let open = http.get("/engine.io/?transport=polling").await;
    assert_eq!(open.header("content-type"), Some("application/octet-stream"));
    assert!(open.bytes.ends_with(b"\x01\x03\xff\x04\x01\x02"), "{:?}", open.bytes);
}

/// The text packet behind the separator, if it is one.
fn end_of(payload: &str) -> Option<&str> {
    payload.strip_prefix('\u{1e}').filter(|packet| packet.starts_with('4'))
}
