//! Answers to polls in fewer bytes (E-049).

#![cfg(feature = "server")]

mod support;

use std::io::Read as _;
use std::net::SocketAddr;

use sockeye::{Data, HttpCompression, Server, Socket};

use support::{Http, Response, serve};

const TARGET: &str = "/socket.io/?EIO=4&transport=polling";

/// A session whose polls are made with these lines in their heads.
struct Session {
    http: Http,
    target: String,
}

impl Session {
    async fn join(address: SocketAddr) -> Self {
        let mut http = Http::open(address).await;
        let open = http.get(TARGET).await;
        let sid = open.body.split('"').nth(3).expect("a sid");
        let mut session = Self { target: format!("{TARGET}&sid={sid}"), http };
        session.post("40").await;
        assert!(session.poll("").await.body.starts_with("40{"));
        session
    }

    async fn post(&mut self, payload: &str) {
        assert_eq!(self.http.post(&self.target, payload).await.body, "ok");
    }

    async fn poll(&mut self, accepted: &str) -> Response {
        let line = format!("Accept-Encoding: {accepted}");
        let response = self.http.get_with(&self.target, &[&line]).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("transfer-encoding"), None);
        assert!(response.header("content-length").is_some());
        response
    }
}

/// Emits as many letters as it is asked for.
async fn served(compression: impl Into<Option<HttpCompression>>) -> (Server, SocketAddr) {
    let io = Server::builder().http_compression(compression).build();
    io.of("/")
        .on("give", async |socket: Socket, Data(letters): Data<usize>| {
            let _ = socket.emit("x", "é".repeat(letters));
        })
        .on("give as it is", async |socket: Socket, Data(letters): Data<usize>| {
            let _ = socket.compress(false).emit("x", "é".repeat(letters));
        });
    let address = serve(&io).await;
    (io, address)
}

fn event(letters: usize) -> String {
    format!("42[\"x\",\"{}\"]", "é".repeat(letters))
}

#[track_caller]
fn expect_plain(response: &Response, body: &str) {
    assert_eq!((response.header("content-encoding"), response.body.as_str()), (None, body));
}

fn inflate(response: &Response) -> String {
    let mut body = String::new();
    let bytes = response.bytes.as_slice();
    match response.header("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(bytes).read_to_string(&mut body),
        Some("deflate") => flate2::read::ZlibDecoder::new(bytes).read_to_string(&mut body),
        Some("br") => brotli::Decompressor::new(bytes, 4096).read_to_string(&mut body),
        other => panic!("coding {other:?}"),
    }
    .expect("a compressed body");
    body
}

#[tokio::test]
async fn long_answers_are_compressed_as_the_client_likes() {
    let (_io, address) = served(HttpCompression::new()).await;
    let mut session = Session::join(address).await;
    // The last is so long that another thread does it.
    for letters in [1_000, 30_000, 200_000] {
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", "gzip"),
            ("br, deflate, gzip", "gzip"),
            ("deflate, br", "deflate"),
            ("br", "br"),
            ("gzip;q=0.1, br;q=0.2", "br"),
            ("*", "gzip"),
        ] {
            session.post(&format!("42[\"give\",{letters}]")).await;
            let response = session.poll(accepted).await;
            assert_eq!(response.header("content-encoding"), Some(coding), "{accepted}");
            assert_eq!(inflate(&response), event(letters), "{accepted}");
            assert!(response.bytes.len() < letters / 2);
        }
    }
}

#[tokio::test]
async fn who_takes_no_coding_gets_none() {
    let (_io, address) = served(HttpCompression::new()).await;
    let mut session = Session::join(address).await;
    for accepted in ["", "identity", "zstd", "gzip;q=0", "*;q=0"] {
        session.post("42[\"give\",1000]").await;
        let response = session.poll(accepted).await;
        expect_plain(&response, &event(1_000));
    }
}

#[tokio::test]
async fn the_threshold_counts_bytes() {
    for (threshold, letters, compressed) in [
        // The event has ten bytes around its letters, of which each has two.
        (1_024, 507, true),
        (1_024, 506, false),
        (100, 45, true),
        (100, 44, false),
    ] {
        let (_io, address) = served(HttpCompression::new().threshold(threshold)).await;
        let mut session = Session::join(address).await;
        session.post(&format!("42[\"give\",{letters}]")).await;
        let response = session.poll("gzip").await;
        assert_eq!(event(letters).len(), letters * 2 + 10);
        let is_compressed = response.header("content-encoding").is_some();
        assert_eq!(is_compressed, compressed, "{letters} letters, {threshold} bytes");
    }
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let (_io, address) = served(None).await;
    let mut session = Session::join(address).await;
    session.post("42[\"give\",1000]").await;
    let response = session.poll("gzip").await;
    expect_plain(&response, &event(1_000));
}

#[tokio::test]
async fn one_packet_that_may_be_compressed_is_enough() {
    let (io, address) = served(HttpCompression::new()).await;
    let mut session = Session::join(address).await;
    session.post("42[\"give as it is\",1000]\u{1e}42[\"give as it is\",1000]").await;
    let response = session.poll("gzip").await;
    expect_plain(&response, &format!("{0}\u{1e}{0}", event(1_000)));

    session.post("42[\"give as it is\",1000]\u{1e}42[\"give\",1]").await;
    let response = session.poll("gzip").await;
    assert_eq!(inflate(&response), format!("{}\u{1e}{}", event(1_000), event(1)));

    // What was sent before has no say.
    io.of("/").compress(false).emit("x", "é".repeat(1_000)).expect("an event");
    let response = session.poll("gzip").await;
    expect_plain(&response, &event(1_000));
}

/// More of them than there are threads for it.
#[tokio::test]
async fn a_long_broadcast_reaches_everybody_compressed() {
    let (io, address) = served(HttpCompression::new()).await;
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(Session::join(address).await);
    }
    io.emit("x", "é".repeat(100_000)).expect("an event");
    let polls = sessions.iter_mut().map(|session| session.poll("gzip"));
    for response in futures_util::future::join_all(polls).await {
        assert_eq!(inflate(&response), event(100_000));
    }
}

/// Random letters of base64 do not get shorter than three quarters, and a few of them get longer.
#[tokio::test]
async fn what_would_get_longer_stays_as_it_is() {
    let (io, address) = served(HttpCompression::new().threshold(0)).await;
    let mut session = Session::join(address).await;
    io.emit("x", "q8Zr").expect("an event");
    for accepted in ["gzip", "deflate"] {
        let response = session.poll(accepted).await;
        expect_plain(&response, "42[\"x\",\"q8Zr\"]");
        io.emit("x", "q8Zr").expect("an event");
    }
    // A packet of the engine itself is never touched.
    io.close();
    let response = session.poll("gzip").await;
    assert_eq!(response.header("content-encoding"), None);
}
