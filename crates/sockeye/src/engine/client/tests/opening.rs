use ::http::{HeaderName, HeaderValue};
use sockeye_proto::engine::{CloseReason, TransportName};
use sockeye_proto::websocket::{Frame, PerMessageDeflate};

use super::super::proxy::Proxy;
use super::peer::{Client, Served, open_packet, raw_websocket};
use super::*;
use crate::engine::{EngineOptions, SessionCookie};

const POLLING: [TransportName; 1] = [TransportName::Polling];
const WEBSOCKET: [TransportName; 1] = [TransportName::WebSocket];
const BOTH: [TransportName; 2] = [TransportName::Polling, TransportName::WebSocket];

/// How an attempt to connect ends.
async fn failure(url: &str, options: ConnectOptions) -> String {
    let ended = Client::open(url, options).end().await;
    assert_eq!(ended.reason, CloseReason::TransportError);
    assert!(!ended.opened);
    ended.error.expect("there is a reason").to_string()
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_of_as_such() {
    let (_held, address) = closed_port();
    for (transports, message) in [(POLLING, "xhr poll error: "), (WEBSOCKET, "websocket error: ")] {
        let options = ConnectOptions::new().transports(transports);
        let error = failure(&format!("http://{address}"), options.clone()).await;
        assert!(error.starts_with(message) && error.contains("refused"), "{error}");
        let error = failure("http://sockeye.invalid", options).await;
        assert!(error.starts_with(&format!("{message}no address for the name: ")), "{error}");
    }
    let none = ConnectOptions::new().transports([]);
    assert_eq!(failure("http://localhost", none).await, "No transports available", "C-030");
}

#[tokio::test]
async fn an_answer_that_is_none_of_engine_io_is_told_of_as_such() {
    let ok = |body: &str| answer("200 OK", "", body);
    for (raw, expected) in [
        (
            answer("400 Bad Request", "", "{\"code\":0,\"message\":\"Transport unknown\"}"),
            "xhr poll error: the server answered 400: Transport unknown (code 0)",
        ),
        (
            answer("500 Internal Server Error", "", "oops"),
            "xhr poll error: the server answered 500: oops",
        ),
        (
            answer("301 Moved Permanently", "location: https://b/\r\n", ""),
            "xhr poll error: the server answered 301 and sends to https://b/",
        ),
        (
            ok("<!doctype html>"),
            "server error: the server does not speak Engine.IO: unknown packet type '<'",
        ),
        (ok(""), "server error: the server does not speak Engine.IO: empty packet"),
        (ok("4early"), "server error: the first packet is not OPEN"),
        (ok("6"), "server error: the first packet is not OPEN"),
        (ok("0{}"), "server error: the server does not speak Engine.IO: "),
        (ok("0nonsense"), "server error: the server does not speak Engine.IO: "),
        (
            ok("85:0{\"sid\":\"abc\"}"),
            "server error: the server speaks Engine.IO 3 (Socket.IO 2), which this client does not",
        ),
    ] {
        let (address, _) = answering(&[&raw]).await;
        let options = ConnectOptions::new().transports(POLLING);
        let error = failure(&format!("http://{address}"), options).await;
        assert!(error.starts_with(expected), "{error}");
    }
    let (address, _) = answering(&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n\u{7f}"]).await;
    let error = failure(&format!("http://{address}"), ConnectOptions::new()).await;
    assert!(error.starts_with("server error: "), "{error}");
}

#[tokio::test]
async fn a_websocket_that_is_not_opened_properly_is_none() {
    for (raw, expected) in [
        (
            answer("400 Bad Request", "", "Transport unknown"),
            "websocket error: the server answered 400: Transport unknown",
        ),
        (answer("200 OK", "", "hello"), "websocket error: the server answered 200: hello"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
                .to_owned(),
            "websocket error: no WebSocket was opened: missing or wrong sec-websocket-accept",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
                .to_owned(),
            "websocket error: no WebSocket was opened: missing upgrade: websocket",
        ),
    ] {
        let (address, _) = answering(&[&raw]).await;
        let options = ConnectOptions::new().transports(WEBSOCKET);
        assert_eq!(failure(&format!("http://{address}"), options).await, expected);
    }
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let client = Client::open(&format!("ws://{address}"), options);
    let extension = "sec-websocket-extensions: permessage-deflate\r\n";
    let _stream = raw_websocket(&listener, extension).await;
    let error = client.end().await.error.unwrap().to_string();
    assert!(error.ends_with("an extension that was not offered"), "{error}");
}

#[tokio::test]
async fn the_next_transport_is_tried_if_that_was_asked_for() {
    for (polling, websocket, expected) in [
        (false, true, Some("opened websocket")),
        (true, true, Some("opened polling")),
        (false, false, None),
    ] {
        let mut limits = EngineOptions::default();
        (limits.polling, limits.websocket) = (polling, websocket);
        let served = Served::new(limits).await;
        let options = ConnectOptions::new().transports(BOTH).try_all_transports(true);
        let mut client = Client::open(&served.url(), options.clone());
        client.text("queued");
        let Some(expected) = expected else {
            let error = failure(&served.url(), options).await;
            assert!(
                error.starts_with("websocket error: the server answered 400"),
                "C-007: {error}"
            );
            continue;
        };
        client.expect(expected).await;
        client.expect("queued").await;
    }
    // And from WebSocket to polling.
    let limits = EngineOptions { websocket: false, ..EngineOptions::default() };
    let served = Served::new(limits).await;
    let options = ConnectOptions::new().transports([BOTH[1], BOTH[0]]).try_all_transports(true);
    let mut client = Client::open(&served.url(), options.clone());
    client.expect("opened polling").await;
    let error = failure(&served.url(), options.try_all_transports(false)).await;
    assert!(error.starts_with("websocket error: the server answered 400"), "{error}");
}

#[tokio::test]
async fn each_request_has_headers_query_and_cookies() {
    let (address, requests) = answering(&[
        answer(
            "200 OK",
            "set-cookie: io=s1; Path=/\r\n",
            &open_packet("\"websocket\"", 25_000, 20_000),
        ),
        answer("200 OK", "", "6"),
        answer("200 OK", "", "6"),
        answer("200 OK", "", "6"),
    ])
    .await;
    let options = ConnectOptions::new()
        .header(HeaderName::from_static("x-room"), HeaderValue::from_static("lobby"))
        .protocols(HeaderValue::from_static("a, b"))
        .per_message_deflate(PerMessageDeflate::new())
        .cookies(true);
    let client = Client::open(&format!("http://{address}/chat?token=a%20b"), options);
    client.text("hello");
    client.end().await;
    let requests = requests.all();
    assert!(requests.len() > 3, "{requests:?}");
    for (index, request) in requests.iter().enumerate() {
        let line = request.lines().next().unwrap();
        assert!(line.contains(" /socket.io/?token=a%20b&EIO=4&transport="), "{line}");
        assert_eq!(line.contains("&sid=s1"), index > 0, "C-018: {line}");
        assert_eq!(line.contains("&t="), line.contains("transport=polling"), "C-010: {line}");
        assert_eq!(header(request, "x-room"), Some("lobby"), "C-013");
        assert_eq!(header(request, "cookie"), (index > 0).then_some("io=s1"), "C-012");
    }
    let upgrade = requests.iter().find(|it| header(it, "upgrade").is_some()).expect("a probe");
    assert_eq!(header(upgrade, "sec-websocket-protocol"), Some("a, b"), "C-015");
    assert_eq!(header(upgrade, "sec-websocket-version"), Some("13"));
    let offer = "permessage-deflate; client_max_window_bits; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(header(upgrade, "sec-websocket-extensions"), Some(offer), "C-014");
}

#[tokio::test]
async fn our_own_servers_cookie_is_kept() {
    let limits =
        EngineOptions { cookie: Some(SessionCookie::default()), ..EngineOptions::default() };
    let served = Served::new(limits).await;
    let mut client = Client::open(&served.url(), ConnectOptions::new().cookies(true));
    client.expect("opened polling").await;
    client.expect("upgraded websocket").await;
}

/// Everything that a byte stream goes through on its way to the server.
#[tokio::test]
async fn tls_and_proxies_carry_both_transports() {
    let served = Served::new(EngineOptions::default()).await;
    let (encrypted, trusting) = tls::relay(served.address).await;
    let (tunnel, tunnelled) = proxy::http_proxy().await;
    let (socks, _) = proxy::socks_proxy(served.address, None).await;
    let (encrypted_socks, _) = proxy::socks_proxy(encrypted, None).await;
    let secure = format!("https://localhost:{}", encrypted.port());
    let through = |proxy: String| ConnectOptions::new().proxy(Proxy::new(proxy).unwrap());
    for (url, options) in [
        (secure.clone(), ConnectOptions::new()),
        (secure.clone(), through(format!("http://{tunnel}"))),
        (served.url(), through(format!("http://{tunnel}"))),
        (served.url(), through(format!("socks5h://{socks}"))),
        (secure.clone(), through(format!("socks5h://{encrypted_socks}"))),
    ] {
        let options = options.tls(trusting.clone());
        for transports in [&POLLING[..], &WEBSOCKET, &BOTH] {
            let options = options.clone().transports(transports.iter().copied());
            let mut client = Client::open(&url, options);
            client.expect(&format!("opened {}", transports[0])).await;
            if transports.len() == 2 {
                client.expect("upgraded websocket").await;
            }
            let long = "x".repeat(300_000);
            client.text(&long);
            client.expect(&long).await;
            client.text("short");
            client.expect("short").await;
            client.tell(|outgoing| outgoing.close());
            assert_eq!(client.end().await.reason, CloseReason::ForcedClose);
        }
    }
    let asked = tunnelled.all();
    assert!(asked.iter().any(|it| it.starts_with("CONNECT ")));
    assert!(asked.iter().any(|it| it.starts_with("GET http://")));
    for (transports, message) in [(POLLING, "xhr poll error"), (WEBSOCKET, "websocket error")] {
        let options = ConnectOptions::new().transports(transports);
        let options = options.tls(
            super::super::tls::TlsOptions::new()
                .root_certificates(tls::somebodys_certificate())
                .unwrap(),
        );
        let error = failure(&secure, options).await;
        let expected = "the server's certificate is signed by nobody who is trusted";
        assert_eq!(error, format!("{message}: {expected}"));
    }
}

#[tokio::test]
async fn packets_right_behind_the_handshake_are_not_lost() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let mut client = Client::open(&format!("http://{address}"), options);
    let (mut stream, _) = within("a connection", listener.accept()).await.unwrap();
    let request = read_request(&mut stream).await.unwrap();
    let key = header(&request, "sec-websocket-key").unwrap();
    let accept = sockeye_proto::websocket::accept_key(key.as_bytes());
    let mut bytes = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept.as_str()
    )
    .into_bytes();
    bytes.extend_from_slice(Frame::text(open_packet("", 25_000, 20_000).as_bytes()).as_bytes());
    (0..50).for_each(|number| {
        bytes.extend_from_slice(Frame::text(format!("4{number}").as_bytes()).as_bytes());
    });
    stream.write_all(&bytes).await.unwrap();
    client.expect("opened websocket").await;
    for number in 0..50 {
        client.expect(&number.to_string()).await;
    }
}
