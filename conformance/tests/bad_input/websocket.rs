//! WebSocket: messages that are no packets, frames that are no frames.

use std::sync::Arc;

use conformance::raw::{Frame, Opcode, WebSocket, upgrade_request};
use conformance::{Case, Failure, Outcome, Server};

/// The largest message: maxPayload of the handshake.
const LIMIT: usize = 1_000_000;

/// Text messages that close the session with a close frame without a code.
const UNDECODABLE: &[(&str, &str, &str)] = &[
    ("websocket: an empty message", "E-071", ""),
    ("websocket: letters", "E-071", "abc"),
    ("websocket: an unknown packet type", "E-071", "9"),
    ("websocket: a multi-byte character instead of a type", "P02", "é2345"),
    ("websocket: an emoji instead of a type", "P02", "🦀"),
    ("websocket: base64 with a bad alphabet", "P14", "b!!!!"),
    ("websocket: a client's ping", "E-079", "2"),
    ("websocket: a probe in steady state", "E-079 W19", "2probe"),
];

/// Messages and what comes back.
const ANSWERED: &[(&str, &str, &[&str])] = &[
    ("websocket: text", "E-067", &["> 4é€😀\u{feff}\0", "< 4é€😀\u{feff}\0"]),
    ("websocket: an empty text packet", "E-096", &["> 4", "< 4"]),
    ("websocket: binary", "E-067", &[">> 00 ff 1e", "<< 00 ff 1e"]),
    ("websocket: base64 in text is binary", "E-068", &["> bAQIDBA==", "<< 01 02 03 04"]),
    ("websocket: an unsolicited pong is kept", "E-079", &["> 3", "> 3", "> 4a", "< 4a"]),
    ("websocket: an open packet is ignored", "E-080", &["> 0", "> 4a", "< 4a"]),
    ("websocket: a close packet is ignored", "E-080", &["> 1", "> 4a", "< 4a"]),
    ("websocket: an upgrade packet is ignored", "E-080", &["> 5", "> 4a", "< 4a"]),
    ("websocket: a noop packet is ignored", "E-080", &["> 6", "> 4a", "< 4a"]),
    ("websocket: a separator is text", "E-067", &["> 4a\u{1e}4b", "< 4a\u{1e}4b"]),
];

pub(crate) fn message_cases() -> Vec<Case> {
    let undecodable = UNDECODABLE
        .iter()
        .map(|&(name, ids, text)| Case::new(name, ids, move |server| closes_after(server, text)));
    let answered = ANSWERED.iter().map(|&(name, ids, lines)| {
        Case::new(name, ids, move |server| async move {
            WebSocket::open(&server).await?.play(lines).await
        })
    });
    let others = [
        Case::new("websocket: base64 if asked for", "E-069", base64_answers),
        Case::new("websocket: the largest message", "E-070 W10", largest_message),
        Case::new("websocket: a message right behind the handshake", "E-010", behind_the_handshake),
        Case::new("websocket: no answer to the close is needed twice", "W09", closes_once),
    ];
    undecodable.chain(answered).chain(others).collect()
}

/// Frames, and the codes one of which the close frame has.
type Offence = (&'static str, &'static str, fn() -> Vec<Frame>, &'static [u16]);

const OFFENCES: &[Offence] = &[
    ("frame: RSV1", "W01", || vec![Frame::with_first_byte(0xc1, "4a")], &[1002]),
    ("frame: RSV2", "W01", || vec![Frame::with_first_byte(0xa1, "4a")], &[1002]),
    ("frame: RSV3", "W01", || vec![Frame::with_first_byte(0x91, "4a")], &[1002]),
    ("frame: opcode 3", "W01", || vec![Frame::with_first_byte(0x83, "4a")], &[1002]),
    ("frame: opcode 7", "W01", || vec![Frame::with_first_byte(0x87, "4a")], &[1002]),
    ("frame: opcode 11", "W01", || vec![Frame::with_first_byte(0x8b, "4a")], &[1002]),
    ("frame: opcode 15", "W01", || vec![Frame::with_first_byte(0x8f, "4a")], &[1002]),
    ("frame: no mask", "W01", || vec![Frame::new(Opcode::Text, "4a").unmasked()], &[1002]),
    ("frame: no mask on a ping", "W01", || vec![Frame::new(Opcode::Ping, "").unmasked()], &[1002]),
    (
        "frame: a fragmented ping",
        "W01",
        || vec![Frame::new(Opcode::Ping, "").unfinished()],
        &[1002],
    ),
    ("frame: a fragmented close", "W01", || vec![Frame::close(1000, b"").unfinished()], &[1002]),
    ("frame: a ping of 126 bytes", "W01", || vec![Frame::new(Opcode::Ping, vec![0; 126])], &[1002]),
    ("frame: a close of 126 bytes", "W01", || vec![Frame::close(1000, &[b'x'; 124])], &[1002]),
    (
        "frame: a continuation of nothing",
        "W01",
        || vec![Frame::new(Opcode::Continuation, "a")],
        &[1002],
    ),
    ("frame: text within a fragmented message", "W01", || interleaved(Opcode::Text), &[1002]),
    ("frame: binary within a fragmented message", "W01", || interleaved(Opcode::Binary), &[1002]),
    ("frame: close with one byte", "W09", || vec![Frame::new(Opcode::Close, "x")], &[1002]),
    ("frame: close 0", "W09", || vec![Frame::close(0, b"")], &[1002]),
    ("frame: close 999", "W09", || vec![Frame::close(999, b"")], &[1002]),
    ("frame: close 1004", "W09", || vec![Frame::close(1004, b"")], &[1002]),
    ("frame: close 1005", "W09", || vec![Frame::close(1005, b"")], &[1002]),
    ("frame: close 1006", "W09", || vec![Frame::close(1006, b"")], &[1002]),
    ("frame: close 1015", "W09", || vec![Frame::close(1015, b"")], &[1002]),
    ("frame: close 2999", "W09", || vec![Frame::close(2999, b"")], &[1002]),
    ("frame: close 5000", "W09", || vec![Frame::close(5000, b"")], &[1002]),
    (
        "frame: close for a reason that is no text",
        "W09",
        || vec![Frame::close(1000, b"\xff")],
        &[1007],
    ),
    ("frame: text that is not UTF-8", "P13", || vec![Frame::new(Opcode::Text, *b"4\xff")], &[1007]),
    (
        "frame: text with a surrogate",
        "P13",
        || vec![Frame::new(Opcode::Text, *b"4\xed\xa0\x80")],
        &[1007],
    ),
    ("frame: overlong text", "P13", || vec![Frame::new(Opcode::Text, *b"4\xc0\xaf")], &[1007]),
    (
        "frame: text that ends in a character",
        "W16",
        || vec![Frame::new(Opcode::Text, *b"4\xe2\x82")],
        &[1007],
    ),
    ("frame: bad text over two fragments", "W16", bad_text_in_fragments, &[1007]),
    ("frame: a message above the limit", "E-070 W10", || vec![too_large()], &[1009]),
    ("frame: fragments above the limit", "E-070 W10", too_large_in_fragments, &[1009]),
    ("frame: a length above the limit, announced", "W10", || announcing(LIMIT as u64 + 1), &[1009]),
    ("frame: a length of 2^32", "W10", || announcing(1 << 32), &[1009]),
    ("frame: a length of 2^63 - 1", "W10", || announcing((1 << 63) - 1), &[1009]),
    ("frame: a length of 2^63", "W10", || announcing(1 << 63), &[1002, 1009]),
    ("frame: a length of 2^64 - 1", "W10", || announcing(u64::MAX), &[1002, 1009]),
];

/// Frames that are unusual and right, and the lines of dialogue that follow.
type Unusual = (&'static str, &'static str, fn() -> Vec<Frame>, &'static [&'static str]);

const UNUSUAL: &[Unusual] = &[
    ("frame: a message in fragments", "W17", || fragments(&["4", "h", "", "i"]), &["< 4hi"]),
    (
        "frame: a message in empty fragments",
        "W11",
        || fragments(&["", "", "4hi", "", ""]),
        &["< 4hi"],
    ),
    ("frame: a character over two fragments", "W16", character_in_fragments, &["< 4€"]),
    (
        "frame: a longer form of a length",
        "W10",
        || vec![Frame::new(Opcode::Text, "4hi").announcing(3)],
        &["< 4hi"],
    ),
    (
        "frame: an unsolicited pong",
        "W17",
        || vec![Frame::new(Opcode::Pong, "x")],
        &["> 4a", "< 4a"],
    ),
];

pub(crate) fn frame_cases() -> Vec<Case> {
    let offences = OFFENCES.iter().map(|&(name, ids, frames, codes)| {
        Case::new(name, ids, move |server| offence(server, frames, codes))
    });
    let unusual = UNUSUAL.iter().map(|&(name, ids, frames, lines)| {
        Case::new(name, ids, move |server| unusual(server, frames, lines))
    });
    let closes = [
        ("frame: close 1000 is answered", 1000),
        ("frame: close 1001 is answered", 1001),
        ("frame: close 1003 is answered", 1003),
        ("frame: close 3000 is answered", 3000),
        ("frame: close 4999 is answered", 4999),
    ];
    let closes = closes.into_iter().map(|(name, code)| {
        Case::new(name, "W09", move |server| async move {
            let mut socket = WebSocket::open(&server).await?;
            socket.close(code).await?;
            socket.expect_close(code).await
        })
    });
    let others = [
        Case::new("frame: close without a code is answered", "W09 E-074", close_without_code),
        Case::new("frame: a ping is answered", "W17", ping),
        Case::new("frame: a ping within a fragmented message is answered", "W17", ping_between),
        Case::new("frame: nothing is answered after close", "W09", data_after_close),
        Case::new("frame: one byte at a time", "W12", one_byte_at_a_time),
        Case::new("frame: an offence right behind the handshake", "W01", offence_behind_handshake),
    ];
    offences.chain(unusual).chain(closes).chain(others).collect()
}

async fn closes_after(server: Arc<Server>, text: &'static str) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.send(text).await?;
    socket.expect_close(1005).await
}

async fn base64_answers(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::connect(&server, "EIO=4&transport=websocket&b64=1").await?;
    socket.expect(&server.open_packet("websocket")).await?;
    socket.play(&[">> 01 02 03 04", "< bAQIDBA=="]).await
}

async fn largest_message(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    let text = format!("4{}", "x".repeat(LIMIT - 1));
    socket.send(text.clone()).await?;
    socket.expect(&text).await?;
    let bytes = vec![7; LIMIT];
    socket.send_binary(&bytes).await?;
    socket.expect_binary(&bytes).await
}

/// In the same segment.
async fn behind_the_handshake(server: Arc<Server>) -> Outcome {
    let request = upgrade_request(&server.target("EIO=4&transport=websocket"));
    let frame = Frame::new(Opcode::Text, "4hello");
    let bytes = [request.bytes(), frame.bytes()].concat();
    let (mut socket, _) = WebSocket::handshake(&server, &bytes).await?;
    socket.expect(&server.open_packet("websocket")).await?;
    socket.expect("4hello").await.map(drop)
}

/// A second offence behind the first changes nothing.
async fn closes_once(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    let offence = Frame::new(Opcode::Text, "abc").bytes();
    socket.send_bytes(&[offence.clone(), offence].concat()).await?;
    socket.expect_close(1005).await
}

async fn offence(
    server: Arc<Server>,
    frames: fn() -> Vec<Frame>,
    codes: &'static [u16],
) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    for frame in frames() {
        socket.send_frame(&frame).await?;
    }
    socket.expect_close_of(codes).await
}

async fn unusual(
    server: Arc<Server>,
    frames: fn() -> Vec<Frame>,
    lines: &'static [&'static str],
) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    for frame in frames() {
        socket.send_frame(&frame).await?;
    }
    socket.play(lines).await
}

async fn close_without_code(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.send_frame(&Frame::new(Opcode::Close, "")).await?;
    socket.expect_close(1005).await
}

async fn ping(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    for payload in [b"".to_vec(), b"hello".to_vec(), vec![0xff; 125]] {
        socket.send_frame(&Frame::new(Opcode::Ping, payload.clone())).await?;
        socket.expect_pong(&payload).await?;
    }
    Ok(())
}

async fn ping_between(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.send_frame(&Frame::new(Opcode::Text, "4he").unfinished()).await?;
    socket.send_frame(&Frame::new(Opcode::Ping, "x")).await?;
    socket.expect_pong(b"x").await?;
    socket.send_frame(&Frame::new(Opcode::Continuation, "llo")).await?;
    socket.expect("4hello").await.map(drop)
}

async fn data_after_close(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    let frames = [Frame::close(1000, b"").bytes(), Frame::new(Opcode::Text, "4hello").bytes()];
    socket.send_bytes(&frames.concat()).await?;
    socket.expect_close(1000).await
}

async fn one_byte_at_a_time(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    for byte in Frame::new(Opcode::Text, format!("4{}", "é".repeat(100))).bytes() {
        socket.send_bytes(&[byte]).await?;
        tokio::task::yield_now().await;
    }
    socket.expect(&format!("4{}", "é".repeat(100))).await.map(drop)
}

/// The open packet may come before the close.
async fn offence_behind_handshake(server: Arc<Server>) -> Outcome {
    let request = upgrade_request(&server.target("EIO=4&transport=websocket"));
    let frame = Frame::with_first_byte(0xc1, "4hello");
    let bytes = [request.bytes(), frame.bytes()].concat();
    let (mut socket, _) = WebSocket::handshake(&server, &bytes).await?;
    Failure::unless_equal("the close code", &socket.expect_closing().await?, &1002)
}

/// A text message in these fragments.
fn fragments(parts: &[&str]) -> Vec<Frame> {
    let last = parts.len() - 1;
    let frames = parts.iter().enumerate().map(|(index, part)| {
        let opcode = if index == 0 { Opcode::Text } else { Opcode::Continuation };
        let frame = Frame::new(opcode, *part);
        if index == last { frame } else { frame.unfinished() }
    });
    frames.collect()
}

fn character_in_fragments() -> Vec<Frame> {
    vec![
        Frame::new(Opcode::Text, *b"4\xe2\x82").unfinished(),
        Frame::new(Opcode::Continuation, *b"\xac"),
    ]
}

fn bad_text_in_fragments() -> Vec<Frame> {
    vec![
        Frame::new(Opcode::Text, *b"4\xe2\x82").unfinished(),
        Frame::new(Opcode::Continuation, *b"a"),
    ]
}

fn interleaved(opcode: Opcode) -> Vec<Frame> {
    vec![Frame::new(Opcode::Text, "4a").unfinished(), Frame::new(opcode, "4b")]
}

fn too_large() -> Frame {
    Frame::new(Opcode::Text, vec![b'4'; LIMIT + 1])
}

fn too_large_in_fragments() -> Vec<Frame> {
    let mut frames = vec![Frame::new(Opcode::Binary, vec![0; LIMIT / 4]).unfinished()];
    frames.extend(vec![Frame::new(Opcode::Continuation, vec![0; LIMIT / 4]).unfinished(); 4]);
    frames
}

/// The header alone.
fn announcing(length: u64) -> Vec<Frame> {
    vec![Frame::new(Opcode::Binary, "").announcing(length)]
}
