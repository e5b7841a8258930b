//! Requests and frames that are large, many, ambiguous, or broken off anywhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::raw::{Connection, Frame, Opcode, Polling, Request, WebSocket, upgrade_request};
use conformance::{Case, Failure, Outcome, Server};
use tokio::time::sleep;

use crate::figure;

/// A handshake without a fault.
const GOOD: &str = "EIO=4&transport=polling";
/// The largest message: maxPayload of the handshake.
const LIMIT: usize = 1_000_000;

/// Lines in the head of a POST that leave open where its body ends, or are no lines.
const AMBIGUOUS: &[(&str, &str)] = &[
    ("smuggling: a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    ("smuggling: a length with a plus", "Content-Length: +5\r\n"),
    ("smuggling: a length in hexadecimal", "Content-Length: 0x5\r\n"),
    ("smuggling: a negative length", "Content-Length: -5\r\n"),
    ("smuggling: two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
    ("smuggling: two lengths in one line", "Content-Length: 5, 6\r\n"),
    ("smuggling: chunks by another name", "Transfer-Encoding: xchunked\r\n"),
    ("smuggling: chunks that are not the last coding", "Transfer-Encoding: chunked, gzip\r\n"),
    ("smuggling: a line that is folded", "X-Folded: a\r\n b\r\nContent-Length: 5\r\n"),
    ("smuggling: a null character", "X-Null: a\0b\r\nContent-Length: 5\r\n"),
    ("smuggling: a space before the colon", "Content-Length : 5\r\n"),
    ("smuggling: a bare carriage return", "X-Bare: a\rb\r\nContent-Length: 5\r\n"),
];

/// Keys of WebSockets that are not sixteen bytes.
const KEYS: &[(&str, &str)] = &[
    ("upgrade: a key of fifteen bytes", "AAAAAAAAAAAAAAAAAAAA"),
    ("upgrade: a key of seventeen bytes", "AAAAAAAAAAAAAAAAAAAAAAA="),
    ("upgrade: a key of twenty bytes", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("upgrade: a key without padding", "dGhlIHNhbXBsZSBub25jZQ"),
    ("upgrade: a key of a thousand characters", KEY_OF_1000),
];

const KEY_OF_1000: &str = {
    const BYTES: [u8; 1000] = [b'A'; 1000];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

/// A line in an upgrade that must not be believed: name, ids, header and value.
type Offer = (&'static str, &'static str, fn() -> (&'static str, Vec<u8>));

const OFFERS: &[Offer] = &[
    ("offer: hundreds of parameters", "W05", || {
        let parameters = "; server_no_context_takeover".repeat(500);
        ("Sec-WebSocket-Extensions", format!("permessage-deflate{parameters}").into())
    }),
    ("offer: a quotation that never ends", "W05", || {
        ("Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits=\"8".to_vec())
    }),
    ("offer: windows of no size", "W05", || {
        let offers = ["0", "7", "16", "-1", "\"\"", "08"];
        let offer = |bits| format!("permessage-deflate; server_max_window_bits={bits}");
        ("Sec-WebSocket-Extensions", offers.map(offer).join(", ").into())
    }),
    ("offer: an extension named constructor", "W05", || {
        ("Sec-WebSocket-Extensions", b"constructor; __proto__".to_vec())
    }),
    ("offer: a subprotocol that is no ASCII", "W06", || {
        ("Sec-WebSocket-Protocol", b"\xe9\xff".to_vec())
    }),
    ("offer: a subprotocol of spaces", "W06", || ("Sec-WebSocket-Protocol", vec![b' '; 8_000])),
    ("offer: three thousand subprotocols", "W06", || {
        ("Sec-WebSocket-Protocol", "ab, ".repeat(3_000).into())
    }),
];

pub(crate) fn cases() -> Vec<Case> {
    let ambiguous = AMBIGUOUS.iter().map(|&(name, lines)| {
        Case::new(name, "E13 H9", move |server| refused_and_closed(server, lines))
    });
    let keys = KEYS.iter().map(|&(name, key)| {
        Case::new(name, "W08 V6", move |server| async move {
            let target = server.target("EIO=4&transport=websocket");
            let request = upgrade_request(&target).header("Sec-WebSocket-Key", key);
            let response = Connection::once(&server, &request).await?;
            Failure::unless_equal("status", &response.status(), &400)
        })
    });
    let offers = OFFERS.iter().map(|&(name, ids, line)| {
        Case::new(name, ids, move |server| async move {
            let target = server.target("EIO=4&transport=websocket");
            let (header, value) = line();
            let request = upgrade_request(&target).header(header, value);
            let status = Connection::once(&server, &request).await?.status();
            if matches!(status, 101 | 400) { Ok(()) } else { Err(unexpected(status)) }
        })
    });
    let others = [
        Case::new("request: a sid of a megabyte", "E04", sid_of_a_megabyte),
        Case::new("request: a head of a megabyte", "E14", head_of_a_megabyte),
        Case::new("request: two hundred headers", "E14 W07", many_headers),
        Case::new("request: a head as large as may be", "E14", |server| {
            head_of(server, 15_000, 200)
        }),
        Case::new("request: paths that are none of ours", "E22 E23 E-029", other_paths),
        Case::new("request: an origin with a line break", "E24", origin_with_line_break),
        Case::new("request: chunks with long extensions", "E17", chunk_extensions),
        Case::new("request: trailers behind the chunks", "E17", trailers),
        Case::new("request: chunks of one byte", "E17", one_byte_chunks),
        Case::new("request: an announced body of 100 GB", "E01 H1", announced_body),
        Case::new("request: chunks that never end", "E01 H1", endless_chunks),
        Case::new("payload: a megabyte of separators", "P24", separators),
        Case::new("payload: as many packets as may be", "P24 F7", |server| {
            packets(server, 16_384, true)
        }),
        Case::new("payload: a packet too many", "P24", |server| packets(server, 16_385, false)),
        Case::new("frame: one fragment too many", "W11 V5", too_many_fragments),
        Case::new("frame: empty fragments without end", "W11 V5", empty_fragments),
        Case::new("frame: a hundred kilobytes, three bytes at a time", "W12 V5", small_segments),
        Case::new(
            "frame: a message that is announced and does not come",
            "W10 V3",
            announced_message,
        ),
        Case::new("reset: at every byte of a handshake", "E03 W02 V8", resets_of_handshakes),
        Case::new("reset: at every byte of a POST", "E09 H5", resets_of_posts),
        Case::new("session: a thousand that are never used", "H8", unused_sessions),
    ];
    ambiguous.chain(keys).chain(offers).chain(others).collect()
}

fn unexpected(status: u16) -> Failure {
    Failure::new("a refusal", format_args!("status {status}"))
}

/// Whatever stands behind the head must not be taken for a request.
async fn refused_and_closed(server: Arc<Server>, lines: &'static str) -> Outcome {
    let session = Polling::open(&server).await?;
    let mut connection = Connection::open(&server).await?;
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n", session.target());
    let smuggled = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", server.target(GOOD));
    connection.send(format!("{head}0\r\n\r\n{smuggled}").as_bytes()).await?;
    let answer = String::from_utf8_lossy(&connection.end().await?).into_owned();
    let mut answers = answer.split("HTTP/1.1 ").skip(1);
    let first = answers.next().and_then(|first| first.get(..3)).unwrap_or_default();
    // Who gives both a length and chunks means the chunks (RFC 9112, section 6.3), and is not heard
    // any further.
    let is_known = first == "400" || (first == "200" && lines.contains("5\r\nTransfer"));
    Failure::unless_equal("a refusal, and not", &(is_known, first), &(true, first))?;
    Failure::unless_equal("further answers", &answers.count(), &0)
}

async fn status_of(server: &Server, request: &Request) -> Outcome<u16> {
    Ok(Connection::once(server, request).await?.status())
}

async fn sid_of_a_megabyte(server: Arc<Server>) -> Outcome {
    let target = server.target(&format!("{GOOD}&sid={}", "x".repeat(LIMIT)));
    let status = status_of(&server, &Request::get(&target)).await?;
    if matches!(status, 414 | 431) { Ok(()) } else { Err(unexpected(status)) }
}

async fn head_of_a_megabyte(server: Arc<Server>) -> Outcome {
    head_of(server, LIMIT, 431).await
}

async fn head_of(server: Arc<Server>, bytes: usize, expected: u16) -> Outcome {
    let request = Request::get(&server.target(GOOD)).header("Cookie", "a=b; ".repeat(bytes / 5));
    Failure::unless_equal("status", &status_of(&server, &request).await?, &expected)
}

/// With what makes it an upgrade as the last.
async fn many_headers(server: Arc<Server>) -> Outcome {
    let target = server.target("EIO=4&transport=websocket");
    let mut request = Request::get(&target);
    for number in 0..200 {
        request = request.header(&format!("X-{number}"), "1");
    }
    let request = request.header("Connection", "Upgrade").header("Upgrade", "websocket");
    Failure::unless_equal("status", &status_of(&server, &request).await?, &431)
}

async fn other_paths(server: Arc<Server>) -> Outcome {
    let own = server.path().trim_end_matches('/');
    for path in
        [format!("{own}foo/"), format!("/{own}/"), format!("{own}%2F"), format!("/%2e%2e{own}/")]
    {
        let request = Request::get(&format!("{path}?{GOOD}"));
        Failure::unless_equal(&path, &status_of(&server, &request).await?, &404)?;
    }
    Ok(())
}

/// It ends the line: what is behind it is a header of the request, and none of the answer.
async fn origin_with_line_break(server: Arc<Server>) -> Outcome {
    let request = Request::get(&server.target(GOOD)).header("Origin", "http://a\r\nX-Injected: y");
    let response = Connection::once(&server, &request).await?;
    Failure::unless_equal("x-injected", &response.header("x-injected"), &None)
}

async fn chunked_post(server: &Arc<Server>, body: &str) -> Outcome<(Polling, u16)> {
    let mut session = Polling::open(server).await?;
    let head = Request::post_chunks(&session.target(), Vec::new()).head();
    session.posts().send(&[&head, body.as_bytes()].concat()).await?;
    let status = session.posts().receive().await?.status();
    Ok((session, status))
}

async fn chunk_extensions(server: Arc<Server>) -> Outcome {
    let body = format!("2;{}\r\n4a\r\n0\r\n\r\n", "x=y;".repeat(100));
    let (mut session, status) = chunked_post(&server, &body).await?;
    Failure::unless_equal("status", &status, &200)?;
    session.expect("4a").await?;
    // More than the HTTP server allows: it is refused before it is all there.
    let endless = format!("2;{}", "x=y;".repeat(10_000));
    let mut connection = Connection::open(&server).await?;
    let head = Request::post_chunks(&session.target(), Vec::new()).head();
    connection.send(&[&head, endless.as_bytes()].concat()).await?;
    Failure::unless_equal("status", &connection.receive().await?.status(), &400)
}

async fn trailers(server: Arc<Server>) -> Outcome {
    let (mut session, status) =
        chunked_post(&server, "2\r\n4a\r\n0\r\nX-Trailer: y\r\n\r\n").await?;
    Failure::unless_equal("status", &status, &200)?;
    session.expect("4a").await.map(drop)
}

async fn one_byte_chunks(server: Arc<Server>) -> Outcome {
    let text = format!("4{}", "x".repeat(20_000));
    let body: String = text.chars().map(|one| format!("1\r\n{one}\r\n")).collect();
    let (mut session, status) = chunked_post(&server, &format!("{body}0\r\n\r\n")).await?;
    Failure::unless_equal("status", &status, &200)?;
    session.expect(&text).await.map(drop)
}

/// Before a byte of it has come.
async fn announced_body(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n", session.target());
    let mut connection = Connection::open(&server).await?;
    connection.send(format!("{head}Content-Length: 100000000000\r\n\r\n4").as_bytes()).await?;
    connection.receive().await?.expect(413, "")?;
    session.expect_echo().await
}

async fn endless_chunks(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let before = server.resident_bytes();
    let chunks = vec![vec![b'x'; 50_000]; 100];
    let request = Request::post_chunks(&session.target(), chunks);
    session.exchange(&request).await?.expect(413, "")?;
    let growth = server.resident_bytes().saturating_sub(before) / 1_000;
    figure("E01", format_args!("chunks without end, growth {growth} kB"));
    session.expect_echo().await
}

async fn separators(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let started = Instant::now();
    session.post("\u{1e}".repeat(LIMIT)).await?.expect(200, "ok")?;
    figure("P24", format_args!("a megabyte of separators: {} ms", started.elapsed().as_millis()));
    session.expect_closed().await
}

async fn packets(server: Arc<Server>, count: usize, taken: bool) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let started = Instant::now();
    session.post(vec!["6"; count].join("\u{1e}")).await?.expect(200, "ok")?;
    if taken {
        figure(
            "F7",
            format_args!("{count} packets in one payload: {} ms", started.elapsed().as_millis()),
        );
        session.expect_echo().await
    } else {
        session.expect_closed().await
    }
}

/// A message in so many frames, the last of which is not its end.
fn unfinished(count: usize, payload: &[u8]) -> Vec<u8> {
    let first = Frame::new(Opcode::Text, payload).unfinished().bytes();
    let next = Frame::new(Opcode::Continuation, payload).unfinished().bytes();
    [first, next.repeat(count - 1)].concat()
}

async fn too_many_fragments(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.send_bytes(&unfinished(16_384, b"4")).await?;
    socket.send_frame(&Frame::new(Opcode::Continuation, "4")).await?;
    socket.expect_close(1008).await
}

async fn empty_fragments(server: Arc<Server>) -> Outcome {
    let before = server.resident_bytes();
    let mut socket = WebSocket::open(&server).await?;
    let started = Instant::now();
    socket.send_bytes(&unfinished(200_000, b"")).await?;
    socket.expect_closing().await?;
    let growth = server.resident_bytes().saturating_sub(before) / 1_000;
    let took = started.elapsed().as_millis();
    figure("W11", format_args!("200 000 empty fragments: {took} ms, growth {growth} kB"));
    Ok(())
}

async fn small_segments(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    let text = format!("4{}", "x".repeat(100_000));
    let started = Instant::now();
    for part in Frame::new(Opcode::Text, text.clone()).bytes().chunks(3) {
        socket.send_bytes(part).await?;
    }
    socket.expect(&text).await?;
    figure(
        "W12",
        format_args!("100 kB in segments of 3 bytes: {} ms", started.elapsed().as_millis()),
    );
    Ok(())
}

/// Nothing is kept for what is announced.
async fn announced_message(server: Arc<Server>) -> Outcome {
    let before = server.resident_bytes();
    let mut sockets = Vec::new();
    for _ in 0..100 {
        let mut socket = WebSocket::open(&server).await?;
        socket.send_frame(&Frame::new(Opcode::Text, "4").announcing(LIMIT as u64)).await?;
        sockets.push(socket);
    }
    let growth = server.resident_bytes().saturating_sub(before);
    figure("W10", format_args!("100 megabytes announced, growth {} kB", growth / 1_000));
    Failure::unless_equal("more than 20 MB", &(growth > 20_000_000), &false)
}

/// Waits until the server has no more files open than `most`.
async fn files_closed(server: &Server, most: usize) -> Outcome<Duration> {
    let started = Instant::now();
    for _ in 0..600 {
        if server.open_files() <= most {
            return Ok(started.elapsed());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Err(Failure::new(format_args!("{most} open files"), server.open_files()))
}

/// What others have open at the same time comes and goes.
const OTHERS: usize = 60;

async fn resets_of_handshakes(server: Arc<Server>) -> Outcome {
    let base = server.open_files();
    let bytes = [
        upgrade_request(&server.target("EIO=4&transport=websocket")).bytes(),
        Frame::new(Opcode::Text, "4hello").bytes(),
    ]
    .concat();
    for end in 0..=bytes.len() {
        let mut connection = Connection::open(&server).await?;
        connection.send(&bytes[..end]).await?;
        connection.reset()?;
    }
    let took = files_closed(&server, base + OTHERS).await?;
    figure(
        "V8",
        format_args!("{} resets, all closed after {} ms", bytes.len() + 1, took.as_millis()),
    );
    Ok(())
}

async fn resets_of_posts(server: Arc<Server>) -> Outcome {
    let base = server.open_files();
    let mut session = Polling::open(&server).await?;
    let length = Request::post(&session.target(), "4hello").bytes().len();
    for end in (0..length).step_by(7) {
        let mut connection = Connection::open(&server).await?;
        connection.send(&Request::post(&session.target(), "4hello").bytes()[..end]).await?;
        connection.reset()?;
        // Without a body the server does not know of it; with a part of it the session ends.
        session = Polling::open(&server).await?;
    }
    files_closed(&server, base + OTHERS).await.map(drop)
}

async fn unused_sessions(server: Arc<Server>) -> Outcome {
    let mut connection = Connection::open(&server).await?;
    for _ in 0..1_000 {
        let response = connection.exchange(&Request::get(&server.target(GOOD))).await?;
        Failure::unless_equal("status", &response.status(), &200)?;
    }
    Ok(())
}
