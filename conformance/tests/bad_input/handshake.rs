//! First requests that are refused, and those that look as if they should be.

use std::sync::Arc;

use conformance::raw::{Connection, Request, WebSocket, upgrade_request};
use conformance::{Case, Failure, Outcome, Server, capture};

/// A handshake without a fault.
const GOOD: &str = "EIO=4&transport=polling";

/// A refused handshake: name, ids, method, query, code of the error.
type Refusal = (&'static str, &'static str, &'static str, &'static str, u8);

const REFUSALS: &[Refusal] = &[
    ("http: no query", "E-033", "GET", "", 0),
    ("http: no transport", "E-033", "GET", "EIO=4", 0),
    ("http: empty transport", "E-033 E04", "GET", "EIO=4&transport=", 0),
    ("http: unknown transport", "E-033", "GET", "EIO=4&transport=abc", 0),
    ("http: transport in capitals", "E-033", "GET", "EIO=4&transport=POLLING", 0),
    ("http: transport as an array", "E04", "GET", "EIO=4&transport[]=polling", 0),
    ("http: two transports", "E04", "GET", "EIO=4&transport=polling&transport=abc", 0),
    ("http: transport webtransport", "E-033", "GET", "EIO=4&transport=webtransport", 0),
    ("http: transport __proto__", "E-040", "GET", "EIO=4&transport=__proto__", 0),
    ("http: transport constructor", "E-040", "GET", "EIO=4&transport=constructor", 0),
    ("http: transport toString", "E-040", "GET", "EIO=4&transport=toString", 0),
    ("http: unknown sid", "E-033", "GET", "EIO=4&transport=polling&sid=zzz", 1),
    (
        "http: well-formed unknown sid",
        "E-033",
        "GET",
        "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA",
        1,
    ),
    ("http: empty sid", "E04", "GET", "EIO=4&transport=polling&sid=", 1),
    ("http: sid __proto__", "E-040 E04", "GET", "EIO=4&transport=polling&sid=__proto__", 1),
    ("http: sid constructor", "E-040 E04", "GET", "EIO=4&transport=polling&sid=constructor", 1),
    ("http: invalid percent escape in sid", "E04", "GET", "EIO=4&transport=polling&sid=%zz%", 1),
    ("http: POST with an unknown sid", "E-033", "POST", "EIO=4&transport=polling&sid=zzz", 1),
    (
        "http: the transport is checked before the sid",
        "E-033",
        "GET",
        "EIO=4&transport=abc&sid=zzz",
        0,
    ),
    ("http: handshake by POST", "E-033 E07", "POST", GOOD, 2),
    ("http: handshake by PUT", "E-033 E07", "PUT", GOOD, 2),
    ("http: handshake by DELETE", "E-033 E07", "DELETE", GOOD, 2),
    ("http: handshake by PATCH", "E-033 E07", "PATCH", GOOD, 2),
    ("http: handshake by TRACE", "E-033 E07", "TRACE", GOOD, 2),
    ("http: the method is checked before the revision", "E-033", "POST", "transport=polling", 2),
    ("http: websocket without an upgrade", "E-036", "GET", "EIO=4&transport=websocket", 3),
    ("http: no EIO", "E-007 E-008", "GET", "transport=polling", 5),
    ("http: EIO 3", "E-008 E05", "GET", "EIO=3&transport=polling", 5),
    ("http: EIO 5", "E-007 E05", "GET", "EIO=5&transport=polling", 5),
    ("http: EIO with letters", "E-007", "GET", "EIO=4x&transport=polling", 5),
    ("http: EIO with a leading zero", "E-007", "GET", "EIO=04&transport=polling", 5),
];

/// A refused upgrade: name, ids, method, query, message.
type UpgradeRefusal = (&'static str, &'static str, &'static str, &'static str, &'static str);

const UPGRADE_REFUSALS: &[UpgradeRefusal] = &[
    ("upgrade: no transport", "E-035", "GET", "EIO=4", "Transport unknown"),
    ("upgrade: unknown transport", "E-035", "GET", "EIO=4&transport=abc", "Transport unknown"),
    (
        "upgrade: transport webtransport",
        "E-035",
        "GET",
        "EIO=4&transport=webtransport",
        "Transport unknown",
    ),
    (
        "upgrade: transport __proto__",
        "E-040",
        "GET",
        "EIO=4&transport=__proto__",
        "Transport unknown",
    ),
    (
        "upgrade: unknown sid",
        "E-035 E-084",
        "GET",
        "EIO=4&transport=websocket&sid=zzz",
        "Session ID unknown",
    ),
    ("upgrade: empty sid", "E04", "GET", "EIO=4&transport=websocket&sid=", "Session ID unknown"),
    (
        "upgrade: sid __proto__",
        "E-040",
        "GET",
        "EIO=4&transport=websocket&sid=__proto__",
        "Session ID unknown",
    ),
    ("upgrade: by POST", "E-035 W08", "POST", "EIO=4&transport=websocket", "Bad handshake method"),
    ("upgrade: EIO 3", "E-008", "GET", "EIO=3&transport=websocket", "Unsupported protocol version"),
    ("upgrade: no EIO", "E-008", "GET", "transport=websocket", "Unsupported protocol version"),
];

pub(crate) fn http_cases() -> Vec<Case> {
    let refusals = REFUSALS.iter().map(|&(name, ids, method, query, code)| {
        Case::new(name, ids, move |server| refused(server, method, query, code))
    });
    let others = [
        Case::new("http: a handshake has all its headers", "E-001 E-043", |server| {
            opens(server, GOOD)
        }),
        Case::new("http: EIO may be percent-encoded", "E-007", |server| {
            opens(server, "EIO=%34&transport=polling")
        }),
        Case::new("http: the last of two EIO counts", "E-007", |server| {
            opens(server, "EIO=3&EIO=4&transport=polling")
        }),
        Case::new("http: any other query is ignored", "E-001", |server| {
            opens(server, "EIO=4&transport=polling&t=abc&token=%00%ff&&=x")
        }),
        Case::new("http: the path is a prefix", "E-029", prefix_path),
        Case::new("http: the path without its slash", "E-027 E-029 E23", path_without_slash),
        Case::new("http: a longer name is another path", "E-029", longer_path),
        Case::new("http: handshake by HEAD", "E-033 E07", head),
        Case::new("http: an origin with a control character", "E-036 E-039", origin_with_control),
        Case::new("http: an origin in Latin-1", "E-039", |server| {
            accepts_origin(server, b"http://\xe9t\xe9.example")
        }),
        Case::new("http: an origin with a tab", "E-039", |server| {
            accepts_origin(server, b"http://a\tb.example")
        }),
        Case::new("http: an error has CORS headers", "E-048", cors_of_error),
        Case::new("http: a preflight is answered", "E-048", preflight),
        Case::new("http: a handshake in HTTP/1.0", "E10", http10),
        Case::new("http: a header without a name", "E13", nameless_header),
    ];
    refusals.chain(others).collect()
}

pub(crate) fn websocket_cases() -> Vec<Case> {
    let refusals = UPGRADE_REFUSALS.iter().map(|&(name, ids, method, query, message)| {
        Case::new(name, ids, move |server| upgrade_refused(server, method, query, message))
    });
    let others = [
        Case::new("upgrade: transport polling", "E-041", upgrade_to_polling),
        Case::new("upgrade: the 101 has its headers", "E-048 E-010", switching_protocols),
        Case::new("upgrade: the first subprotocol is taken", "E-075", subprotocol),
        Case::new("upgrade: no deflate unless asked for", "E-020", no_deflate),
        Case::new("upgrade: without Upgrade header", "W08 E-036", |server| {
            not_switched(server, |request| request.without("Upgrade"), &[400])
        }),
        Case::new("upgrade: without Connection header", "W08 E-036", |server| {
            not_switched(server, |request| request.without("Connection"), &[400])
        }),
        Case::new("upgrade: to another protocol", "W08", |server| {
            not_switched(server, |request| request.header("Upgrade", "h2c"), &[400])
        }),
        Case::new("upgrade: without key", "W08", |server| {
            not_switched(server, |request| request.without("Sec-WebSocket-Key"), &[400])
        }),
        Case::new("upgrade: with a short key", "W08", |server| {
            not_switched(server, |request| request.header("Sec-WebSocket-Key", "AAAA"), &[400])
        }),
        Case::new("upgrade: with a key that is no base64", "W08", |server| {
            not_switched(
                server,
                |request| request.header("Sec-WebSocket-Key", "!".repeat(24)),
                &[400],
            )
        }),
        Case::new("upgrade: version 7", "W08", |server| unsupported_version(server, "7")),
        Case::new("upgrade: version 0", "W08", |server| unsupported_version(server, "0")),
        Case::new("upgrade: empty version", "W08", |server| unsupported_version(server, "")),
        Case::new("upgrade: HTTP/1.0", "W08", |server| {
            not_switched(server, Request::http10, &[400, 426])
        }),
    ];
    refusals.chain(others).collect()
}

async fn refused(server: Arc<Server>, method: &str, query: &str, code: u8) -> Outcome {
    let request = Request::new(method, &server.target(query));
    Connection::once(&server, &request).await?.expect_error(code)
}

/// The body is what a browser never shows: plain text; the connection ends.
async fn upgrade_refused(server: Arc<Server>, method: &str, query: &str, message: &str) -> Outcome {
    let request = upgrade_request(&server.target(query)).method(method);
    let mut connection = Connection::open(&server).await?;
    let response = connection.exchange(&request).await?;
    response.expect(400, message)?;
    response.expect_header("connection", "close")?;
    response.expect_header("content-type", "text/html")?;
    response.expect_header("content-length", &message.len().to_string())?;
    connection.expect_end().await
}

async fn opens(server: Arc<Server>, query: &str) -> Outcome {
    let response = Connection::once(&server, &Request::get(&server.target(query))).await?;
    let body = response.text();
    Failure::unless_equal("status", &response.status(), &200)?;
    response.expect_header("content-type", "text/plain; charset=UTF-8")?;
    response.expect_header("content-length", &body.len().to_string())?;
    response.expect_header("cache-control", "no-store")?;
    response.expect_header("access-control-allow-origin", "*")?;
    Failure::unless_equal("set-cookie", &response.header("set-cookie"), &None)?;
    let pattern = server.open_packet("polling");
    capture(&pattern, &body).map(drop).ok_or_else(|| Failure::new(pattern, body))
}

async fn prefix_path(server: Arc<Server>) -> Outcome {
    let target = format!("{}any/thing?{GOOD}", server.path());
    let response = Connection::once(&server, &Request::get(&target)).await?;
    Failure::unless_equal("status", &response.status(), &200)
}

async fn path_without_slash(server: Arc<Server>) -> Outcome {
    let target = format!("{}?{GOOD}", server.path().trim_end_matches('/'));
    let response = Connection::once(&server, &Request::get(&target)).await?;
    Failure::unless_equal("status", &response.status(), &200)
}

async fn longer_path(server: Arc<Server>) -> Outcome {
    let target = format!("{}x/?{GOOD}", server.path().trim_end_matches('/'));
    let response = Connection::once(&server, &Request::get(&target)).await?;
    Failure::unless_equal("status", &response.status(), &404)
}

async fn head(server: Arc<Server>) -> Outcome {
    let request = Request::new("HEAD", &server.target(GOOD));
    Connection::once(&server, &request).await?.expect(400, "")
}

/// An HTTP parser may refuse it before we see it.
async fn origin_with_control(server: Arc<Server>) -> Outcome {
    for origin in [b"http://a\x01b".as_slice(), b"http://a\x7fb", b"http://a\0b"] {
        let request = Request::get(&server.target(GOOD)).header("Origin", origin);
        let response = Connection::once(&server, &request).await?;
        Failure::unless_equal("status", &response.status(), &400)?;
    }
    Ok(())
}

async fn accepts_origin(server: Arc<Server>, origin: &'static [u8]) -> Outcome {
    let request = Request::get(&server.target(GOOD)).header("Origin", origin);
    let response = Connection::once(&server, &request).await?;
    Failure::unless_equal("status", &response.status(), &200)
}

async fn cors_of_error(server: Arc<Server>) -> Outcome {
    let request = Request::get(&server.target("")).header("Origin", "http://a.example");
    let response = Connection::once(&server, &request).await?;
    response.expect_error(0)?;
    response.expect_header("access-control-allow-origin", "*")
}

async fn preflight(server: Arc<Server>) -> Outcome {
    let request = Request::new("OPTIONS", &server.target(GOOD))
        .header("Origin", "http://a.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "x-foo");
    let response = Connection::once(&server, &request).await?;
    Failure::unless_equal("status", &response.status(), &204)?;
    response.expect_header("access-control-allow-origin", "*")?;
    response.expect_header("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE")?;
    response.expect_header("access-control-allow-headers", "x-foo")
}

async fn http10(server: Arc<Server>) -> Outcome {
    let mut connection = Connection::open(&server).await?;
    let request = Request::get(&server.target(GOOD)).http10();
    connection.send(&request.bytes()).await?;
    let answer = String::from_utf8_lossy(&connection.end().await?).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1);
    Failure::unless_equal("status", &status, &Some("200"))?;
    capture(&server.open_packet("polling"), body)
        .map(drop)
        .ok_or_else(|| Failure::new("an open packet", body))
}

async fn nameless_header(server: Arc<Server>) -> Outcome {
    let request = Request::get(&server.target(GOOD)).header("", "value");
    let response = Connection::once(&server, &request).await?;
    Failure::unless_equal("status", &response.status(), &400)
}

async fn upgrade_to_polling(server: Arc<Server>) -> Outcome {
    let request = upgrade_request(&server.target(GOOD));
    let response = Connection::once(&server, &request).await?;
    Failure::unless_equal("status", &response.status(), &400)
}

async fn switching_protocols(server: Arc<Server>) -> Outcome {
    let request = upgrade_request(&server.target("EIO=4&transport=websocket"))
        .header("Origin", "http://a.example");
    let (mut socket, response) = WebSocket::handshake(&server, &request.bytes()).await?;
    let upgrade = response.header("upgrade").map(str::to_ascii_lowercase);
    Failure::unless_equal("upgrade", &upgrade.as_deref(), &Some("websocket"))?;
    let connection = response.header("connection").map(str::to_ascii_lowercase);
    Failure::unless_equal("connection", &connection.as_deref(), &Some("upgrade"))?;
    response.expect_header("access-control-allow-origin", "*")?;
    socket.expect(&server.open_packet("websocket")).await.map(drop)
}

async fn subprotocol(server: Arc<Server>) -> Outcome {
    let request = upgrade_request(&server.target("EIO=4&transport=websocket"))
        .header("Sec-WebSocket-Protocol", "chat, other");
    let (_socket, response) = WebSocket::handshake(&server, &request.bytes()).await?;
    response.expect_header("sec-websocket-protocol", "chat")
}

async fn no_deflate(server: Arc<Server>) -> Outcome {
    let request = upgrade_request(&server.target("EIO=4&transport=websocket"))
        .header("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
    let (_socket, response) = WebSocket::handshake(&server, &request.bytes()).await?;
    Failure::unless_equal("extensions", &response.header("sec-websocket-extensions"), &None)
}

/// A request with one fault gets one of these answers, and no WebSocket.
async fn not_switched(
    server: Arc<Server>,
    fault: fn(Request) -> Request,
    statuses: &'static [u16],
) -> Outcome {
    let request = fault(upgrade_request(&server.target("EIO=4&transport=websocket")));
    let response = Connection::once(&server, &request).await?;
    if statuses.contains(&response.status()) {
        return Ok(());
    }
    Err(Failure::new(format_args!("one of {statuses:?}"), response.status()))
}

/// The answer tells which version would do.
async fn unsupported_version(server: Arc<Server>, version: &str) -> Outcome {
    let request = upgrade_request(&server.target("EIO=4&transport=websocket"))
        .header("Sec-WebSocket-Version", version);
    let response = Connection::once(&server, &request).await?;
    if !matches!(response.status(), 400 | 426) {
        return Err(Failure::new("400 or 426", response.status()));
    }
    let supported = response.header("sec-websocket-version").unwrap_or_default();
    let told = supported.split(',').any(|version| version.trim() == "13");
    Failure::unless_equal("version 13 to be offered", &told, &true)
}
