//! What clients in the wild do that the official one does not, as far as HTTP sees it. Each is a habit
//! of clients that are in use: none of them may be turned away for it.

#![cfg(feature = "server")]

mod support;

use sockeye::{AllowedOrigins, Cors, Data, Server, Socket, TransportName, Value};
use tokio::net::TcpStream;

use support::{Client, Http, Polling, Response, eventually, serve};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";
const SOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

fn echo() -> Server {
    let io = Server::new();
    io.of("/").on("echo", async |socket: Socket, Data(value): Data<Value>| {
        let _ = socket.emit("echo", value);
    });
    io
}

fn sid_of(open: &Response) -> &str {
    assert_eq!(open.status, 200, "{}", open.body);
    open.body.split('"').nth(3).expect("a sid in the OPEN packet")
}

#[tokio::test]
async fn the_time_stamp_in_a_query_may_be_anything() {
    let mut http = Http::open(serve(&echo()).await).await;
    for stamp in ["", "&t=1763600000", "&t=1763600000.123", "&t=1763600000123", "&t=PgD2h.0", "&t"]
    {
        sid_of(&http.get(&format!("{POLL}{stamp}")).await);
    }
}

#[tokio::test]
async fn the_path_may_lack_its_slash() {
    let address = serve(&echo()).await;
    let mut client = {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        Client::over(stream, "/socket.io").await
    };
    client.expect_open().await;
    client.connect("40").await;
    let (polls, posts) = (Http::open(address).await, Http::open(address).await);
    let mut polling = Polling::over(polls, posts, "/socket.io").await;
    polling.post("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    // What was begun without it may go on with it.
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut client = Client::upgrading(stream, "/socket.io/", &polling.sid).await;
    client.send("2probe").await;
    client.expect("3probe").await;
}

/// Some look for the text `"sid":"` in the first line, and take numbers for numbers.
#[tokio::test]
async fn the_open_packet_is_compact_and_begins_with_the_sid() {
    let mut http = Http::open(serve(&echo()).await).await;
    let open = http.get(POLL).await;
    let rest = open.body.strip_prefix("0{\"sid\":\"").expect("the sid first");
    assert_eq!(
        &rest[20..],
        "\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\
         \"maxPayload\":1000000}"
    );
}

/// A microcontroller has one connection, reads as little of an answer as it needs, and wants the
/// header to say `Upgrade` and nothing else.
#[tokio::test]
async fn a_connection_that_polled_may_be_upgraded_itself() {
    let io = echo();
    let mut http = Http::open(serve(&io).await).await;
    let open = http.get(POLL).await;
    assert_eq!(open.header("connection"), None);
    let target = format!("{SOCKET}&sid={}", sid_of(&open));
    let lines = ["Sec-WebSocket-Protocol: arduino", "Origin: file://", "User-Agent: small"];
    let answer = http.upgrade_with(&target, &lines).await;
    assert!(answer.head.starts_with("HTTP/1.1 101 "), "{}", answer.head);
    assert_eq!(answer.header("connection"), Some("Upgrade"));
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("sec-websocket-protocol"), Some("arduino"));
    // `2probe` and `5` without a wait between them, then CONNECT; masked with zeroes.
    let frame = |text: &str| {
        let length = 0x80 | u8::try_from(text.len()).expect("a short frame");
        [&[0x81, length, 0, 0, 0, 0], text.as_bytes()].concat()
    };
    http.send([frame("2probe"), frame("5"), frame("40")].concat()).await;
    let said = http.receive_until("40{\"sid\":").await;
    assert!(said.contains("3probe"), "{said}");
    eventually("the upgrade", || io.sockets().len() == 1).await;
    assert_eq!(io.sockets()[0].transport(), TransportName::WebSocket);
}

#[tokio::test]
async fn origins_that_are_no_pages_are_not_refused() {
    let cors = Cors::new(AllowedOrigins::List(vec!["https://app.example".into()]));
    let address = serve(&Server::builder().cors(cors).build()).await;
    for origin in ["file://", "null", "capacitor://localhost", "https://elsewhere.example"] {
        let line = format!("Origin: {origin}");
        let mut http = Http::open(address).await;
        sid_of(&http.get_with(POLL, &[&line]).await);
        assert_eq!(http.upgrade_with(SOCKET, &[&line]).await.status, 101, "{origin}");
    }
}

/// One HTTP library says how long the body of every request is, also of a GET.
#[tokio::test]
async fn a_get_may_have_the_headers_of_a_body() {
    let mut http = Http::open(serve(&echo()).await).await;
    let lines = ["Content-Length: 0", "Content-Type: text/plain; charset=utf-8"];
    let open = http.get_with(POLL, &lines).await;
    let target = format!("{POLL}&sid={}", sid_of(&open));
    assert_eq!(http.post(&target, "40").await.body, "ok");
    assert!(http.get_with(&target, &lines).await.body.starts_with("40{"));
}

/// `b64` is of no account over polling in revision 4: binary is base64 anyway.
#[tokio::test]
async fn asking_for_base64_changes_no_poll() {
    let mut http = Http::open(serve(&echo()).await).await;
    for query in ["", "&b64=1", "&b64=true"] {
        let open = http.get(&format!("{POLL}{query}")).await;
        let target = format!("{POLL}{query}&sid={}", sid_of(&open));
        let packets = "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQI=";
        assert_eq!(http.post(&target, &format!("40\u{1e}{packets}")).await.body, "ok");
        let mut answer = http.get(&target).await.body;
        while !answer.ends_with(packets) {
            answer.push_str(&http.get(&target).await.body);
        }
    }
}

/// While it changes over, one client posts a NOOP, and answers what nobody asked.
#[tokio::test]
async fn noops_and_pongs_with_data_are_no_offence() {
    let address = serve(&echo()).await;
    let mut polling = Polling::join(address).await;
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut client = Client::upgrading(stream, "/socket.io/", &polling.sid).await;
    client.send("2probe").await;
    client.expect("3probe").await;
    polling.post("6").await;
    polling.post("3probe\u{1e}6\u{1e}3").await;
    client.send_together(&["5", "6", "3anything", "42[\"echo\",1]"]).await;
    client.expect("42[\"echo\",1]").await;
}

#[tokio::test]
async fn a_server_may_speak_websocket_alone() {
    let io = Server::builder().polling(false).cors(Cors::any()).build();
    let address = serve(&io).await;
    Client::join(address).await;
    // A page can read why it is refused.
    let refused = Http::open(address).await.get_with(POLL, &["Origin: http://a.example"]).await;
    assert_eq!(refused.body, r#"{"code":0,"message":"Transport unknown"}"#);
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_server_may_speak_polling_alone() {
    let io = Server::builder().websocket(false).build();
    let address = serve(&io).await;
    let polling = Polling::join(address).await;
    let open = Http::open(address).await.get(POLL).await;
    assert!(open.body.contains("\"upgrades\":[],"), "{}", open.body);
    for target in [SOCKET.to_owned(), format!("{SOCKET}&sid={}", polling.sid)] {
        let answer = Http::open(address).await.upgrade_with(&target, &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, "Transport unknown"));
    }
}

/// Some read neither chunks nor content types with parameters.
#[tokio::test]
async fn every_answer_says_how_long_it_is() {
    let mut http = Http::open(serve(&echo()).await).await;
    let open = http.get(POLL).await;
    let target = format!("{POLL}&sid={}", sid_of(&open));
    let answers = [
        (http.post(&target, "40").await, "text/html"),
        (http.get(&target).await, "text/plain; charset=UTF-8"),
        (http.get("/socket.io/").await, "application/json"),
        (http.get(&format!("{POLL}&sid=x")).await, "application/json"),
        (open, "text/plain; charset=UTF-8"),
    ];
    for (answer, content_type) in answers {
        let length = answer.bytes.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
        assert_eq!(answer.header("transfer-encoding"), None);
        assert_eq!(answer.header("content-type"), Some(content_type));
    }
}

/// The official client packs as much into a request as `maxPayload` allows.
#[tokio::test]
async fn a_request_may_bring_thousands_of_packets() {
    let mut http = Http::open(serve(&echo()).await).await;
    let target = format!("{POLL}&sid={}", sid_of(&http.get(POLL).await));
    http.post(&target, "40").await;
    http.get(&target).await;
    let packets = vec!["42[\"echo\",1]"; 10_000];
    assert_eq!(http.post(&target, &packets.join("\u{1e}")).await.body, "ok");
    let answer = http.get(&target).await.body;
    assert_eq!(answer.split('\u{1e}').count(), 10_000);
    assert!(answer.split('\u{1e}').all(|packet| packet == packets[0]));
}

/// E-042: three of the official server's vulnerabilities were of this kind.
#[tokio::test]
async fn a_handshake_that_breaks_off_or_is_garbage_harms_nobody_else() {
    let io = echo();
    let address = serve(&io).await;
    let upgrade = format!(
        "GET {SOCKET} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let bad: [&[u8]; 6] =
        [b"", b"\0\xff\x16\x03\x01", &[0xff; 64], b"\x81\xfe\xff\xff", b"\x88\x81", b"\x8f\x00"];
    for garbage in bad {
        for whole in [&upgrade.as_bytes()[..40], upgrade.as_bytes()] {
            let mut http = Http::open(address).await;
            http.send([whole, garbage].concat()).await;
            drop(http);
        }
        let mut http = Http::open(address).await;
        http.send(garbage).await;
        drop(http);
        let mut http = Http::open(address).await;
        http.send([upgrade.as_bytes(), garbage].concat()).await;
        http.receive_head("an upgrade").await;
    }
    Client::join(address).await.close().await;
    eventually("the end of all sessions", || io.clients_count() == 0).await;
}
