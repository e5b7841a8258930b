//! What is told to `tracing`, and what is not.

#![cfg(feature = "server")]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sockeye::{ConnectError, ConnectionStateRecovery, Data, Server, ServerBuilder, Socket};
use tokio::net::TcpStream;
use tracing::Level;

use support::{Capture, Client, Http, Line, Polling, eventually, serve};

fn builder() -> ServerBuilder {
    let recovery = ConnectionStateRecovery::new();
    Server::builder().connection_state_recovery(recovery).allow_eio3(true)
}

fn server(builder: ServerBuilder) -> Server {
    let io = builder.build();
    io.of("/")
        .on("number", async |Data(_): Data<u8>| {})
        .on("leave", async |socket: Socket| socket.disconnect(false));
    io.of("/closed").middleware(async |_: Socket| Err(ConnectError::new("closed today")));
    io
}

/// A client with a name that may come back: it, and its secret.
async fn join(address: SocketAddr) -> (Client, String) {
    let mut client = Client::open(address).await;
    client.send("40").await;
    let mut answer = client.expect("40{\"sid\":\"<sid>\",\"pid\":\"<sid>\"}").await;
    client.id = answer.remove(0);
    (client, answer.remove(0))
}

/// The texts of lines that were said in a span.
fn said_in(capture: &Capture, span: usize) -> Vec<String> {
    let lines = capture.lines().into_iter().filter(|line| line.span == Some(span));
    lines.map(|line| line.text).collect()
}

#[tokio::test]
async fn a_session_has_a_span_in_which_its_life_is_told() {
    let (capture, _guard) = Capture::start(Level::DEBUG);
    let io = server(Server::builder());
    let address = serve(&io).await;
    let mut polling = Polling::open(address).await;
    polling.post("40").await;
    let id = polling.poll().await;
    let id = id.split('"').nth(3).expect("an id").to_owned();
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut client = Client::upgrading(stream, "/socket.io/", &polling.sid).await;
    client.send("2probe").await;
    client.expect("3probe").await;
    client.send("5").await;
    client.send("40/closed,").await;
    client.expect("44/closed,{\"message\":\"closed today\"}").await;
    client.send("40/unknown,").await;
    client.expect("44/unknown,{\"message\":\"Invalid namespace\"}").await;
    client.send("42[\"number\",\"x\"]").await;
    client.send("42[\"leave\"]").await;
    client.expect("41").await;
    client.send("4nonsense").await;
    client.expect_end().await;
    eventually("the end of the span", || capture.spans().iter().all(|span| span.is_closed())).await;
    let spans = capture.spans();
    assert_eq!(spans.len(), 1);
    let span = &spans[0].text;
    assert!(span.starts_with("session id="), "{span}");
    assert!(span.contains(" transport=\"polling\" address=127.0.0.1:"), "{span}");
    assert!(span.ends_with(" transport=\"websocket\""), "{span}");
    let expected = [
        "session opened revision=4".to_owned(),
        format!("joined a namespace namespace=\"/\" socket={id} recovered=false"),
        "session upgraded".to_owned(),
        "refused by a namespace namespace=\"/closed\" reason=\"closed today\"".to_owned(),
        "refused by a namespace namespace=\"/unknown\" reason=\"Invalid namespace\"".to_owned(),
        format!("handler not called namespace=\"/\" socket={id} event=number error="),
        format!("left a namespace namespace=\"/\" socket={id} reason=server namespace disconnect"),
        "connection closed: the client sent no Socket.IO packet error=".to_owned(),
        "session ended reason=forced close".to_owned(),
    ];
    let said = said_in(&capture, 0);
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(&expected) {
        assert!(said.starts_with(expected), "awaited {expected:?}; got {said:?}");
    }
    assert!(capture.lines().iter().all(|line| line.level >= Level::DEBUG));
}

#[tokio::test]
async fn no_line_and_no_span_holds_a_secret() {
    let (capture, _guard) = Capture::start(Level::TRACE);
    let io = server(builder());
    let address = serve(&io).await;
    let mut secrets = Vec::new();

    // One who comes back, and one who cannot.
    let (mut client, pid) = join(address).await;
    secrets.extend([client.session.clone(), pid.clone()]);
    io.emit("hello", ()).unwrap();
    let offset = client.expect("42[\"hello\",\"<text>\"]").await.remove(0);
    drop(client);
    eventually("the end of the session", || io.clients_count() == 0).await;
    for (pid, offset) in [(&*pid, &*offset), (&*pid, "nonsense"), ("a stranger's secret", "0")] {
        let mut client = Client::open(address).await;
        client.send(&format!("40{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}")).await;
        let answer = client.expect("40{\"sid\":\"<sid>\",\"pid\":\"<sid>\"}").await;
        secrets.extend([client.session.clone(), answer[1].clone()]);
        client.close().await;
    }
    secrets.push("a stranger's secret".to_owned());

    // Socket ids of Socket.IO 2 clients are the ids of their sessions.
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut old = Client::with_query(stream, "/socket.io/?EIO=3&transport=websocket").await;
    old.expect_open().await;
    secrets.push(old.session.clone());
    old.expect("40").await;
    old.send("42[\"number\",\"x\"]").await;
    old.send("42[\"leave\"]").await;
    old.expect("41").await;
    old.close().await;

    // Requests that are refused, and broken packets, over both transports.
    let polling = Polling::open(address).await;
    secrets.push(polling.sid.clone());
    let mut http = Http::open(address).await;
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", polling.sid);
    http.get(&format!("{target}&EIO=3")).await;
    http.get("/socket.io/?EIO=4&transport=polling&sid=of-another-node").await;
    secrets.push("of-another-node".to_owned());
    http.post(&target, "nonsense").await;
    for packet in ["9", "4nonsense", "42/closed,[\"too early\"]"] {
        let mut client = Client::open(address).await;
        secrets.push(client.session.clone());
        client.send(packet).await;
        client.expect_end().await;
    }

    // A slow reader.
    let slow = Server::builder().max_buffered_bytes(50_000).build();
    let client = Client::join_with_small_buffer(serve(&slow).await).await;
    secrets.push(client.session.clone());
    let socket = slow.sockets().remove(0);
    while socket.emit("part", "x".repeat(10_000)).is_ok() {}
    eventually("the end of the slow reader", || capture.find("slow reader").len() == 1).await;
    drop((client, socket));
    io.close();
    eventually("the end of all sessions", || io.clients_count() == 0).await;

    for (part, count) in [
        ("recovered=true", 1),
        ("not recovered", 2),
        ("undecodable packet", 2),
        ("broke the protocol", 1),
        ("no Socket.IO packet", 1),
        ("request refused reason=Session ID unknown: none has this id here", 1),
        ("request refused reason=Bad request", 1),
        ("socket=(not shown)", 3),
    ] {
        assert_eq!(capture.find(part).len(), count, "{part}: {:#?}", capture.lines());
    }
    let lines = capture.lines().into_iter().map(|line| line.text);
    let texts: Vec<_> = lines.chain(capture.spans().into_iter().map(|span| span.text)).collect();
    assert!(secrets.iter().all(|secret| secret.len() > 10));
    for secret in secrets {
        let with_it = texts.iter().find(|text| text.contains(&secret));
        assert_eq!(with_it, None, "{secret} is a secret");
    }
}

#[tokio::test]
async fn nothing_is_kept_or_said_of_a_session_where_only_info_is_wanted() {
    let (capture, _guard) = Capture::start(Level::INFO);
    let io = server(Server::builder());
    let mut client = Client::join(serve(&io).await).await;
    client.send("42[\"number\",\"x\"]").await;
    client.send("9").await;
    client.expect_end().await;
    eventually("the end of the session", || io.metrics().engine.sessions.total() == 0).await;
    assert!(capture.spans().is_empty());
    assert!(capture.lines().is_empty(), "{:#?}", capture.lines());
}

/// The first is at this level, and then one a second; the others are at `debug`.
#[track_caller]
fn expect_limited(lines: &[Line], level: Level, started: Instant) {
    let most = 1 + started.elapsed().as_secs();
    let loud = lines.iter().filter(|line| line.level == level).count() as u64;
    assert_eq!(lines[0].level, level);
    assert!(loud <= most, "{loud} lines at {level}");
    assert!(lines.iter().all(|line| [level, Level::DEBUG].contains(&line.level)));
}

#[tokio::test]
async fn a_client_that_does_not_send_connect_is_named_once_a_second() {
    let started = Instant::now();
    let (capture, _guard) = Capture::start(Level::DEBUG);
    let io = Server::builder().connect_timeout(Duration::from_millis(20)).build();
    let address = serve(&io).await;
    for _ in 0..2 {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let mut http = Http::over(stream);
        http.send(
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\
             User-Agent: arduino-WebSocket-Client\r\n\r\n",
        )
        .await;
        assert_eq!(http.receive("a handshake").await.status, 200);
    }
    eventually("both ends", || capture.find("no CONNECT received").len() == 2).await;
    let lines = capture.find("no CONNECT received");
    expect_limited(&lines, Level::INFO, started);
    assert!(lines.iter().all(|line| line.text.contains("user_agent=\"arduino-WebSocket-Client\"")));
}

#[tokio::test]
async fn panics_of_handlers_are_warned_of_once_a_second() {
    let started = Instant::now();
    let (capture, _guard) = Capture::start(Level::DEBUG);
    let io = Server::new();
    io.of("/").on("panic", async |Data(text): Data<String>| {
        if !text.is_empty() {
            panic!("{text}");
        }
    });
    let mut client = Client::join(serve(&io).await).await;
    let packet = format!("42[\"panic\",\"{}\"]", "x".repeat(10_000));
    client.send_together(&[packet.as_str(); 20]).await;
    client.expect_nothing().await;
    let lines = capture.find("handler panicked");
    assert_eq!(lines.len(), 20);
    expect_limited(&lines, Level::WARN, started);
    assert!(lines.iter().all(|line| line.text.len() < 500));
    assert_eq!(io.metrics().handlers.failed.panicked, 20);
}
