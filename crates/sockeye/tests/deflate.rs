//! Compressed messages over loopback: `per_message_deflate` (E-020, RFC 7692).
//!
//! The client is the protocol crate's codec in the other role, and tells which frames came compressed;
//! other people's clients are in the conformance suite.

#![cfg(feature = "server")]

mod support;

use std::net::SocketAddr;

use bytes::Bytes;
use sockeye::{Data, DisconnectReason, PerMessageDeflate, Server, Socket, Value};
use sockeye_proto::websocket::{
    CloseCode, Decoder, DeflateAgreement, DeflateContext, Deflater, Frame, Inflater, Limits,
    Message, Opcode, Role, encode_masked,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use support::{Client, Http, Polling, log, serve, serve_stream, within};

const OFFER: &str = "permessage-deflate; client_max_window_bits";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const KEY: [u8; 4] = [1, 2, 3, 4];

/// A WebSocket on which compression is agreed on.
struct Raw<S = TcpStream> {
    stream: S,
    /// What was read and not yet taken.
    unread: Vec<u8>,
    decoder: Decoder,
    inflater: Inflater,
    deflater: Deflater,
    settings: PerMessageDeflate,
    context: DeflateContext,
}

/// A message, and how it came over the wire.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    text: String,
    bytes: Vec<u8>,
    compressed: bool,
    /// Length of the frame.
    length: usize,
}

impl Raw {
    /// Opens a session and joins `/`.
    async fn join(address: SocketAddr, settings: &PerMessageDeflate) -> Self {
        let mut raw = Self::open(address, WEBSOCKET, settings, OFFER).await;
        raw.enter().await;
        raw
    }

    async fn open(
        address: SocketAddr,
        target: &str,
        settings: &PerMessageDeflate,
        offer: &str,
    ) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        Self::over(stream, target, settings, offer).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Upgrades a connection. What the server answers is what these settings answer.
    async fn over(stream: S, target: &str, settings: &PerMessageDeflate, offer: &str) -> Self {
        let mut http = Http::over(stream);
        let lines = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            &format!("Sec-WebSocket-Extensions: {offer}"),
        ];
        http.request("GET", target, &lines).await;
        let response = http.receive_head("the upgrade").await;
        assert_eq!(response.status, 101, "{}", response.head);
        let agreement = agreed(settings, offer);
        let answer = response.header("sec-websocket-extensions");
        assert_eq!(answer, Some(&*agreement.to_string()));
        let (stream, unread) = http.into_parts();
        Self {
            stream,
            unread,
            decoder: Decoder::with_deflate(Role::Client, &agreement),
            inflater: Inflater::new(),
            deflater: Deflater::new(),
            settings: settings.clone(),
            context: agreement.sending(Role::Client),
        }
    }

    async fn enter(&mut self) {
        assert!(self.next().await.text.starts_with("0{"));
        self.send("40").await;
        assert!(self.next().await.text.starts_with("40{"));
    }

    /// Sends a text message, compressed if the settings say so.
    async fn send(&mut self, text: &str) {
        self.send_frame(Frame::text(text.as_bytes())).await;
    }

    async fn send_frame(&mut self, frame: Frame) {
        let deflated = self.deflater.deflate(&frame, &self.settings, &mut self.context);
        let mut wire = Vec::new();
        deflated.unwrap_or(frame).mask_into(&mut wire, KEY);
        self.write(&wire).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        within("room to write", self.stream.write_all(bytes)).await.expect("an open connection");
    }

    /// The next text or binary message.
    async fn next(&mut self) -> Got {
        loop {
            let mut frame = self.frame().await;
            let (compressed, length) = (frame[0] & 0x40 != 0, frame.len());
            let limits = Limits::new(10_000_000);
            let message = self.decoder.decode_with(&mut frame, &limits, &mut self.inflater);
            let (text, bytes) = match message.expect("the server keeps to the rules").1 {
                Some(Message::Text("2")) => {
                    self.send("3").await;
                    continue;
                }
                Some(Message::Text(text)) => (text.to_owned(), Vec::new()),
                Some(Message::Binary(bytes)) => (String::new(), bytes.to_owned()),
                Some(Message::Ping(_) | Message::Pong(_)) => continue,
                other => panic!("awaited a message; got {other:?}"),
            };
            return Got { text, bytes, compressed, length };
        }
    }

    async fn expect(&mut self, text: &str, compressed: bool) -> usize {
        let got = self.next().await;
        assert_eq!((&*got.text, got.compressed), (text, compressed));
        got.length
    }

    /// Awaits a close frame with this code.
    async fn expect_close(&mut self, code: CloseCode) {
        let mut frame = self.frame().await;
        let message = self.decoder.decode(&mut frame, &Limits::new(1_000));
        let Ok((_, Some(Message::Close(Some(close))))) = message else { panic!("{message:?}") };
        assert_eq!(close.code, code);
    }

    /// The bytes of the next frame; a server masks and splits none.
    async fn frame(&mut self) -> Vec<u8> {
        loop {
            let header = match self.unread[..] {
                [_, short @ 0..=125, ..] => Some((2, usize::from(short))),
                [_, 126, a, b, ..] => Some((4, usize::from(u16::from_be_bytes([a, b])))),
                [_, 127, 0, 0, 0, 0, a, b, c, d, ..] => {
                    Some((10, u32::from_be_bytes([a, b, c, d]) as usize))
                }
                _ => None,
            };
            match header.map(|(header, payload)| header + payload) {
                Some(length) if self.unread.len() >= length => {
                    return self.unread.drain(..length).collect();
                }
                _ => {
                    let read = within("a frame", self.stream.read_buf(&mut self.unread)).await;
                    assert!(read.expect("an open connection") > 0, "the connection ended");
                }
            }
        }
    }
}

fn agreed(settings: &PerMessageDeflate, offer: &str) -> DeflateAgreement {
    settings.negotiate([offer.as_bytes()]).expect("an offer that can be taken")
}

fn server(settings: &PerMessageDeflate) -> Server {
    let io = Server::builder().per_message_deflate(settings.clone()).build();
    io.of("/").on("echo", async |socket: Socket, Data(value): Data<Value>| {
        let _ = socket.emit("echo", value);
    });
    io
}

/// An event `echo` with this much text, which is nothing but repetition.
fn echo(length: usize) -> String {
    format!("42[\"echo\",\"{}\"]", "sockeye ".repeat(length / 8))
}

/// A client, and its socket in `/`.
async fn joined(io: &Server, settings: &PerMessageDeflate) -> (Raw, Socket) {
    let raw = Raw::join(serve(io).await, settings).await;
    let socket = io.of("/").sockets().pop().expect("the client is in");
    (raw, socket)
}

#[tokio::test]
async fn e_020_nothing_is_compressed_by_default() {
    let address = serve(&Server::new()).await;
    let offer = format!("Sec-WebSocket-Extensions: {OFFER}");
    let response = {
        let mut http = Http::open(address).await;
        http.upgrade_with(WEBSOCKET, &[&offer]).await
    };
    assert_eq!(response.status, 101);
    assert_eq!(response.header("sec-websocket-extensions"), None);
}

#[tokio::test]
async fn who_offers_nothing_acceptable_is_served_plain() {
    let settings = PerMessageDeflate::new();
    let address = serve(&server(&settings)).await;
    for offer in ["permessage-deflate; unknown", "other", "permessage-deflate; =", ""] {
        let line = format!("Sec-WebSocket-Extensions: {offer}");
        let response = Http::open(address).await.upgrade_with(WEBSOCKET, &[&line]).await;
        assert_eq!(response.status, 101, "{offer}");
        assert_eq!(response.header("sec-websocket-extensions"), None, "{offer}");
    }
    let mut client = Client::join(address).await;
    client.send(&echo(5_000)).await;
    client.expect(&echo(5_000)).await;
}

#[tokio::test]
async fn long_messages_are_compressed_both_ways_and_short_ones_are_not() {
    let settings = PerMessageDeflate::new();
    let io = server(&settings);
    let (mut client, _) = joined(&io, &settings).await;
    for length in [8, 1_000, 1_024, 5_000, 200_000] {
        let text = echo(length);
        client.send(&text).await;
        // The digit in front counts.
        let sent = client.expect(&text, text.len() >= 1024).await;
        assert!(text.len() < 1024 || sent < text.len() / 10, "{length}: {sent}");
    }
}

#[tokio::test]
async fn attachments_are_compressed_each_for_itself() {
    let settings = PerMessageDeflate::new();
    let io = server(&settings);
    let (mut client, _) = joined(&io, &settings).await;
    let text = "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]";
    for (bytes, compressed) in [(vec![7; 5_000], true), (vec![7; 100], false)] {
        client.send(text).await;
        client.send_frame(Frame::binary(&bytes)).await;
        client.expect(text, false).await;
        let got = client.next().await;
        assert_eq!((got.bytes, got.compressed), (bytes, compressed));
    }
}

#[tokio::test]
async fn a_compressed_message_comes_in_fragments_with_a_ping_between() {
    let settings = PerMessageDeflate::new();
    let io = server(&settings);
    let (mut client, _) = joined(&io, &settings).await;
    let text = echo(3_000);
    let frame = Frame::text(text.as_bytes());
    let frame = client.deflater.deflate(&frame, &settings, &mut DeflateContext::default());
    let frame = frame.expect("long enough");
    let (first, second) = frame.payload().split_at(10);
    let mut wire = Vec::new();
    encode_masked(&mut wire, Opcode::Text, first, KEY);
    // Compressed, and not the last.
    wire[0] = wire[0] & 0x7f | 0x40;
    encode_masked(&mut wire, Opcode::Ping, b"between", KEY);
    encode_masked(&mut wire, Opcode::Continuation, second, KEY);
    for byte in wire {
        client.write(&[byte]).await;
    }
    assert_eq!(client.frame().await, Frame::pong(b"between").as_bytes());
    client.expect(&text, true).await;
}

#[tokio::test]
async fn a_broadcast_comes_the_same_to_all_and_plain_to_who_wants_it_plain() {
    let settings = PerMessageDeflate::new();
    let io = server(&settings);
    let address = serve(&io).await;
    let mut plain = Client::join(address).await;
    let mut narrow = {
        let offer = "permessage-deflate; server_max_window_bits=10";
        Raw::open(address, WEBSOCKET, &settings, offer).await
    };
    narrow.enter().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Raw::join(address, &settings).await);
    }
    let attachment = Bytes::from(vec![9; 2_000]);
    io.emit("all", ("sockeye ".repeat(300), attachment.clone())).expect("an event");
    let placeholder = "{\"_placeholder\":true,\"num\":0}";
    let text = format!("451-[\"all\",\"{}\",{placeholder}]", "sockeye ".repeat(300));
    plain.expect(&text).await;
    let mut lengths = Vec::new();
    for client in &mut clients {
        let length = client.expect(&text, true).await;
        let got = client.next().await;
        assert!(got.compressed && got.bytes == attachment);
        lengths.push((length, got.length));
    }
    assert!(lengths.iter().all(|length| *length == lengths[0] && length.0 < 200), "{lengths:?}");
    // What does not fit into its window comes plain, and what comes after it as well.
    narrow.expect(&text, false).await;
    assert_eq!(narrow.next().await.bytes, attachment);
}

#[tokio::test]
async fn after_an_upgrade_messages_are_compressed_and_what_was_queued_before_is_plain() {
    let settings = PerMessageDeflate::new();
    let io = server(&settings);
    let address = serve(&io).await;
    let polling = Polling::join(address).await;
    let target = format!("{WEBSOCKET}&sid={}", polling.sid);
    let mut client = Raw::open(address, &target, &settings, OFFER).await;
    let before = "sockeye ".repeat(300);
    io.emit("before", &*before).expect("an event");
    client.send("2probe").await;
    client.expect("3probe", false).await;
    client.send("5").await;
    client.expect(&format!("42[\"before\",\"{before}\"]"), false).await;
    client.send(&echo(5_000)).await;
    client.expect(&echo(5_000), true).await;
}

#[tokio::test]
async fn context_that_is_taken_over_makes_alike_events_short_both_ways() {
    let settings =
        PerMessageDeflate::new().server_context_takeover(true).client_context_takeover(true);
    let io = server(&settings);
    let (mut client, socket) = joined(&io, &settings).await;
    let mut last = usize::MAX;
    for number in 0..50 {
        let text = format!("42[\"echo\",{{\"price\":10{number},\"symbol\":\"SOCK\"}}]");
        client.send(&text).await;
        let length = client.expect(&text, true).await;
        assert!(number == 0 || length < 20, "{number}: {length}");
        last = last.min(length);
    }
    // Broadcasts too, with the context of each client.
    let mut other = Raw::join(serve(&io).await, &settings).await;
    for number in 0..5 {
        io.emit("tick", number).expect("an event");
        for client in [&mut client, &mut other] {
            let text = format!("42[\"tick\",{number}]");
            let got = client.next().await;
            assert_eq!((got.text, got.compressed), (text, true));
        }
    }
    // Far more than is kept.
    for _ in 0..3 {
        client.send(&echo(100_000)).await;
        client.expect(&echo(100_000), true).await;
    }
    assert!(socket.is_connected());
}

#[tokio::test]
async fn what_is_not_to_be_compressed_is_not() {
    let settings =
        PerMessageDeflate::new().server_context_takeover(true).client_context_takeover(true);
    for settings in [PerMessageDeflate::new(), settings] {
        let io = server(&settings);
        let (mut client, socket) = joined(&io, &settings).await;
        let text = "sockeye ".repeat(500);
        let expected = format!("42[\"e\",\"{text}\"]");
        for compress in [true, false, true] {
            socket.compress(compress).emit("e", &*text).expect("an event");
            client.expect(&expected, compress).await;
            io.of("/").compress(compress).emit("e", &*text).expect("an event");
            client.expect(&expected, compress).await;
        }
    }
}

#[tokio::test]
async fn what_is_queued_is_counted_as_it_is_sent() {
    let settings = PerMessageDeflate::new();
    let io = server(&settings);
    let (pen, mut buffered) = log::<usize>();
    io.of("/").on("measure", move |socket: Socket| {
        // What a handler emits is written when it is done.
        let _ = socket.emit("long", "sockeye ".repeat(10_000));
        pen.write(socket.buffered());
        async {}
    });
    let (mut client, _) = joined(&io, &settings).await;
    client.send("42[\"measure\"]").await;
    let bytes = buffered.next("what is queued").await;
    assert_eq!(client.next().await.length, bytes);
    assert!(bytes < 1_000, "{bytes}");
}

#[tokio::test]
async fn a_bomb_and_a_broken_message_end_the_connection() {
    let settings = PerMessageDeflate::new();
    let io = server(&settings);
    let (pen, mut reasons) = log::<&'static str>();
    io.of("/").on_disconnect(move |reason: DisconnectReason| {
        pen.write(reason.as_str());
        async {}
    });
    let (mut client, _) = joined(&io, &settings).await;
    client.send_frame(Frame::binary(&vec![0; 5_000_000])).await;
    client.expect_close(CloseCode::TOO_LARGE).await;
    reasons.expect("transport error").await;

    let (mut client, _) = joined(&io, &settings).await;
    let mut wire = Vec::new();
    encode_masked(&mut wire, Opcode::Text, b"neither text nor deflate", KEY);
    wire[0] |= 0x40;
    client.write(&wire).await;
    client.expect_close(CloseCode::INVALID_PAYLOAD).await;
    reasons.expect("transport error").await;
}

#[tokio::test]
async fn a_stream_that_is_no_socket_is_compressed_too() {
    let settings = PerMessageDeflate::new().level(1);
    let io = server(&settings);
    let (near, far) = tokio::io::duplex(1_000);
    serve_stream(&io, far);
    let mut client = Raw::over(near, WEBSOCKET, &settings, OFFER).await;
    client.enter().await;
    client.send(&echo(5_000)).await;
    client.expect(&echo(5_000), true).await;
}
