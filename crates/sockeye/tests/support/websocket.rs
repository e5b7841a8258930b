//! A client over WebSocket, with somebody else's codec.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use super::pattern::capture;
use super::{PATIENCE, within};

/// How much of what was said before a failure is shown.
const TRANSCRIPT_LINES: usize = 12;

/// A WebSocket connection to the server.
#[derive(Debug)]
pub(crate) struct Client<S = TcpStream> {
    stream: WebSocketStream<S>,
    answers_pings: bool,
    /// The id of the Engine.IO session.
    pub(crate) session: String,
    /// The id of the socket in `/`, after [`Client::join`].
    pub(crate) id: String,
    transcript: Vec<String>,
}

/// What comes from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame with this code, or 1005.
    Close(u16),
    /// The end of the stream, or an error.
    End,
}

impl Client {
    /// Opens a session.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let mut client = Self::over(stream, "/socket.io/").await;
        client.expect_open().await;
        client
    }

    /// Opens a session and joins `/`.
    pub(crate) async fn join(address: SocketAddr) -> Self {
        let mut client = Self::open(address).await;
        client.id = client.connect("40").await;
        client
    }

    /// The same through a small receive buffer: what the client does not read soon fills the
    /// server's.
    pub(crate) async fn join_with_small_buffer(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a receive buffer of that size");
        let stream = socket.connect(address).await.expect("the server listens");
        let mut client = Self::over(stream, "/socket.io/").await;
        client.expect_open().await;
        client.id = client.connect("40").await;
        client
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Makes a stream a WebSocket; reads nothing yet.
    pub(crate) async fn over(stream: S, path: &str) -> Self {
        Self::with_query(stream, &format!("{path}?EIO=4&transport=websocket")).await
    }

    /// The same for a polling session that is to be upgraded.
    pub(crate) async fn upgrading(stream: S, path: &str, sid: &str) -> Self {
        Self::with_query(stream, &format!("{path}?EIO=4&transport=websocket&sid={sid}")).await
    }

    /// The same with a path and query of one's own.
    pub(crate) async fn with_query(stream: S, target: &str) -> Self {
        let handshake = client_async(format!("ws://localhost{target}"), stream);
        let (stream, _) = within("a WebSocket", handshake).await.expect("a WebSocket");
        Self::new(stream)
    }

    /// The other side of a WebSocket: a server written by hand.
    pub(crate) async fn accepted(stream: S) -> Self {
        let handshake = accept_async(stream);
        Self::new(within("a WebSocket", handshake).await.expect("a WebSocket"))
    }

    const fn new(stream: WebSocketStream<S>) -> Self {
        Self {
            stream,
            answers_pings: true,
            session: String::new(),
            id: String::new(),
            transcript: Vec::new(),
        }
    }

    /// Reads the OPEN packet.
    #[track_caller]
    pub(crate) fn expect_open(&mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let captured = self.expect_at(place, "0{\"sid\":\"<sid>\"<any>").await;
            self.session = captured[0].clone();
        }
    }

    /// Sends a CONNECT packet, and awaits the answer to it: the id of the socket.
    #[track_caller]
    pub(crate) fn connect(&mut self, packet: &str) -> impl Future<Output = String> {
        let place = Location::caller();
        let packet = packet.to_owned();
        async move {
            let name = packet.strip_prefix("40").expect("a CONNECT packet");
            let name = name.split(',').next().unwrap_or_default();
            let name = if name.starts_with('/') { format!("{name},") } else { String::new() };
            self.send(&packet).await;
            self.expect_at(place, &format!("40{name}{{\"sid\":\"<sid>\"}}")).await.remove(0)
        }
    }

    /// Leaves heartbeats unanswered.
    pub(crate) fn ignore_pings(&mut self) {
        self.answers_pings = false;
    }

    /// Sends a text message.
    #[track_caller]
    pub(crate) fn send(&mut self, text: &str) -> impl Future<Output = ()> {
        let message = Message::text(text);
        self.note(format!("> {text}"));
        within("a message to be taken", self.write(vec![message]))
    }

    /// Sends a binary message.
    #[track_caller]
    pub(crate) fn send_binary(&mut self, bytes: &[u8]) -> impl Future<Output = ()> {
        let message = Message::binary(bytes.to_vec());
        self.note(format!("> {} bytes", bytes.len()));
        within("a message to be taken", self.write(vec![message]))
    }

    /// Sends text messages in one write.
    #[track_caller]
    pub(crate) fn send_together(&mut self, texts: &[&str]) -> impl Future<Output = ()> {
        self.note(format!("> {texts:?}"));
        let messages = texts.iter().map(|text| Message::text(*text)).collect();
        within("messages to be taken", self.write(messages))
    }

    /// Sends bytes that need not be a frame.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.note(format!("> bytes {bytes:02x?}"));
        let written = within("bytes to be taken", self.stream.get_mut().write_all(bytes)).await;
        written.expect("the server takes bytes");
    }

    /// Awaits a text message.
    #[track_caller]
    pub(crate) fn expect(&mut self, pattern: &str) -> impl Future<Output = Vec<String>> {
        let place = Location::caller();
        let pattern = pattern.to_owned();
        async move { self.expect_at(place, &pattern).await }
    }

    /// Awaits text messages, one after the other.
    #[track_caller]
    pub(crate) fn expect_all(&mut self, patterns: &[&str]) -> impl Future<Output = ()> {
        let place = Location::caller();
        let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        async move {
            for pattern in patterns {
                self.expect_at(place, &pattern).await;
            }
        }
    }

    /// Awaits a binary message.
    #[track_caller]
    pub(crate) fn expect_binary(&mut self, bytes: &[u8]) -> impl Future<Output = ()> {
        let wanted = Incoming::Binary(bytes.to_vec());
        self.expect_incoming(Location::caller(), wanted)
    }

    /// Fails if the server has said anything: the next thing that comes must be the answer to a
    /// WebSocket ping.
    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let ping = Message::Ping(b"nothing?".to_vec().into());
            within("a ping to be taken", self.write(vec![ping])).await;
            self.expect_incoming(place, Incoming::Pong(b"nothing?".to_vec())).await;
        }
    }

    /// Awaits a close frame without a code, and the end of the stream.
    #[track_caller]
    pub(crate) fn expect_close(&mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            self.expect_incoming(place, Incoming::Close(1005)).await;
            self.expect_incoming(place, Incoming::End).await;
        }
    }

    /// Reads to the end of the stream, whatever comes before.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move { while self.next_at(place, "the end of the stream").await != Incoming::End {} }
    }

    /// Says goodbye and waits until the server has too.
    #[track_caller]
    pub(crate) fn close(&mut self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let closed = within("a close frame to be taken", self.stream.close(None)).await;
            closed.expect("the server takes a close frame");
            while self.next_at(place, "the end of the stream").await != Incoming::End {}
        }
    }

    /// What comes next.
    #[track_caller]
    pub(crate) fn next(&mut self, awaited: &str) -> impl Future<Output = Incoming> {
        let place = Location::caller();
        async move { self.next_at(place, awaited).await }
    }

    async fn expect_at(&mut self, place: &Location<'_>, pattern: &str) -> Vec<String> {
        let got = self.next_at(place, pattern).await;
        let captured = match &got {
            Incoming::Text(text) => capture(pattern, text),
            _ => None,
        };
        captured.unwrap_or_else(|| self.fail(place, pattern, &got))
    }

    async fn expect_incoming(&mut self, place: &Location<'_>, wanted: Incoming) {
        let awaited = format!("{wanted:.200?}");
        let got = self.next_at(place, &awaited).await;
        if got != wanted {
            self.fail(place, &awaited, &got)
        }
    }

    async fn next_at(&mut self, place: &Location<'_>, awaited: &str) -> Incoming {
        let Ok(incoming) = timeout(PATIENCE, self.read()).await else {
            let transcript = self.transcript();
            panic!("{place}: awaited {awaited}; nothing within {PATIENCE:?}{transcript}");
        };
        self.note(format!("< {}", excerpt(&incoming)));
        incoming
    }

    async fn read(&mut self) -> Incoming {
        loop {
            let Some(Ok(message)) = self.stream.next().await else { return Incoming::End };
            return match message {
                Message::Text(text) if self.answers_pings && text.as_str() == "2" => {
                    self.write(vec![Message::text("3")]).await;
                    continue;
                }
                Message::Text(text) => Incoming::Text(text.as_str().to_owned()),
                Message::Binary(bytes) => Incoming::Binary(bytes.to_vec()),
                Message::Pong(bytes) => Incoming::Pong(bytes.to_vec()),
                Message::Close(frame) => {
                    Incoming::Close(frame.map_or(1005, |frame| u16::from(frame.code)))
                }
                Message::Ping(_) | Message::Frame(_) => continue,
            };
        }
    }

    /// Writes messages at once. That the server has closed is for the next wait to find out.
    async fn write(&mut self, messages: Vec<Message>) {
        let written = async {
            for message in messages {
                self.stream.feed(message).await?;
            }
            self.stream.flush().await
        };
        match written.await {
            Ok(()) | Err(Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed) => {}
            Err(Error::Protocol(_)) => {}
            Err(error) => panic!("cannot write: {error}"),
        }
    }

    fn note(&mut self, line: String) {
        self.transcript.push(line);
    }

    fn transcript(&self) -> String {
        let first = self.transcript.len().saturating_sub(TRANSCRIPT_LINES);
        self.transcript[first..].iter().map(|line| format!("\n      {line:.200}")).collect()
    }

    fn fail(&self, place: &Location<'_>, awaited: &str, got: &Incoming) -> ! {
        let (got, transcript) = (excerpt(got), self.transcript());
        panic!("{place}: awaited {awaited}; got {got}{transcript}")
    }
}

fn excerpt(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Text(text) => format!("{text:.200}"),
        Incoming::Binary(bytes) => {
            format!("{} bytes {:02x?}", bytes.len(), &bytes[..bytes.len().min(16)])
        }
        other => format!("{other:?}"),
    }
}
