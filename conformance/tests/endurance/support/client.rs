//! A client that owns a socket and a buffer, and nothing else.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Server, within};

/// The key of every handshake, and of the example in RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What comes from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// A text message.
    Text(String),
    /// Another frame, a close among them, with its opcode.
    Frame(u8),
    /// The end of the stream, or a reset.
    End,
}

/// Where a client connects to, and how.
pub(crate) struct Transport {
    /// Bytes of the receive buffer; `None` for what the system gives.
    pub(crate) receives: Option<u32>,
}

/// A WebSocket, or the connection of HTTP that it begins as.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    /// Whether it answers pings.
    pub(crate) answers: bool,
    /// The id of its session.
    pub(crate) session: String,
    /// The id of its socket in `/`.
    pub(crate) id: String,
}

impl Client {
    /// Connects, and says nothing.
    pub(crate) async fn connect(address: SocketAddr, transport: &Transport) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(receives) = transport.receives {
            socket.set_recv_buffer_size(receives)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let (session, id) = (String::new(), String::new());
        Ok(Self { stream, buffer: Vec::new(), answers: true, session, id })
    }

    /// Opens a session over WebSocket.
    pub(crate) async fn open(server: &Server) -> Self {
        let transport = Transport { receives: None };
        let opened = Self::try_open(server.address, &transport);
        within("a session", opened).await.expect("the server takes it")
    }

    /// The same, and joins `/`.
    pub(crate) async fn join(server: &Server) -> Self {
        Self::try_join(server.address, &Transport { receives: None }).await.expect("it is let in")
    }

    /// The same through a receive buffer of 4 KiB: what it does not read soon fills the server's.
    pub(crate) async fn join_with_small_buffer(server: &Server) -> Self {
        let joined = Self::try_join(server.address, &Transport { receives: Some(4096) });
        joined.await.expect("it is let in")
    }

    pub(crate) async fn try_open(address: SocketAddr, transport: &Transport) -> io::Result<Self> {
        let mut client = Self::connect(address, transport).await?;
        client.upgrade("").await?;
        let Packet::Text(open) = client.next().await else { return Err(ended("OPEN")) };
        let sid = open.split('"').nth(3).ok_or_else(|| ended("an id"))?;
        client.session = sid.to_owned();
        Ok(client)
    }

    pub(crate) async fn try_join(address: SocketAddr, transport: &Transport) -> io::Result<Self> {
        let mut client = Self::try_open(address, transport).await?;
        client.try_send("40").await?;
        let Packet::Text(connect) = client.next().await else { return Err(ended("CONNECT")) };
        let id = connect.strip_prefix("40{\"sid\":\"").and_then(|rest| rest.split('"').next());
        client.id = id.ok_or_else(|| ended("an id"))?.to_owned();
        Ok(client)
    }

    /// Makes the connection a WebSocket, of the polling session `sid` unless that is empty.
    pub(crate) async fn upgrade(&mut self, sid: &str) -> io::Result<()> {
        let sid = if sid.is_empty() { String::new() } else { format!("&sid={sid}") };
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket{sid} HTTP/1.1\r\nHost: localhost\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).await?;
        let head = self.head().await?;
        if head.starts_with("HTTP/1.1 101") { Ok(()) } else { Err(ended(&head)) }
    }

    /// A request over HTTP: the body of its answer.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        query: &str,
        body: &str,
    ) -> io::Result<String> {
        let request = format!(
            "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let head = self.head().await?.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length = length.and_then(|length| length.parse().ok()).ok_or_else(|| ended(&head))?;
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(String::from_utf8_lossy(&self.buffer.drain(..length).collect::<Vec<u8>>()).into_owned())
    }

    /// Opens a session over polling and joins `/`.
    pub(crate) async fn poll(server: &Server) -> io::Result<Self> {
        let mut client = Self::connect(server.address, &Transport { receives: None }).await?;
        let open = client.request("GET", "", "").await?;
        client.session = open.split('"').nth(3).ok_or_else(|| ended(&open))?.to_owned();
        let query = format!("&sid={}", client.session);
        client.request("POST", &query, "40").await?;
        let connect = client.request("GET", &query, "").await?;
        let id = connect.split("40{\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        client.id = id.ok_or_else(|| ended(&connect))?.to_owned();
        Ok(client)
    }

    async fn head(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            self.fill().await?;
        }
    }

    /// Reads more. What is empty owns no memory.
    async fn fill(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
            self.stream.readable().await?;
        }
        self.buffer.reserve(4096);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        within("a message to be taken", self.try_send(text)).await.expect("the server takes it");
    }

    pub(crate) async fn try_send(&mut self, text: &str) -> io::Result<()> {
        self.try_send_frame(0x81, text.as_bytes()).await
    }

    /// Sends a frame with this first byte: flags and opcode.
    pub(crate) async fn try_send_frame(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(first, payload)).await
    }

    /// Sends a close frame.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.try_send_frame(0x88, &[]).await
    }

    /// Awaits a text that begins so: the rest.
    pub(crate) async fn expect(&mut self, start: &str) -> String {
        match within(start, self.next()).await {
            Packet::Text(text) if text.starts_with(start) => text[start.len()..].to_owned(),
            other => panic!("awaited {start}; got {other:?}"),
        }
    }

    /// What comes next, however long it takes.
    pub(crate) async fn next(&mut self) -> Packet {
        loop {
            let frame = match self.frame() {
                Some(frame) => frame,
                None if self.fill().await.is_err() => return Packet::End,
                None => continue,
            };
            match frame {
                (1, text) if text == "2" && self.answers => {
                    if self.try_send("3").await.is_err() {
                        return Packet::End;
                    }
                }
                (1, text) => return Packet::Text(text),
                (opcode, _) => return Packet::Frame(opcode),
            }
        }
    }

    /// The first frame in the buffer.
    fn frame(&mut self) -> Option<(u8, String)> {
        let (opcode, short) = (*self.buffer.first()? & 15, *self.buffer.get(1)?);
        let (start, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes(self.buffer.get(2..4)?.try_into().ok()?))),
            127 => {
                let length = u64::from_be_bytes(self.buffer.get(2..10)?.try_into().ok()?);
                (10, usize::try_from(length).ok()?)
            }
            short => (2, usize::from(short)),
        };
        let payload = self.buffer.get(start..start + length)?;
        let text = String::from_utf8_lossy(payload).into_owned();
        self.buffer.drain(..start + length);
        Some((opcode, text))
    }

    /// Answers pings and reads to the end, whatever comes.
    pub(crate) async fn idle(mut self) {
        loop {
            if matches!(self.next().await, Packet::End) {
                return;
            }
        }
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        // Without the option it is an ordinary end.
        let _ = self.stream.set_zero_linger();
    }
}

/// A frame of a client, whose mask is zeros: the server does not care.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap_or_default()),
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

fn ended(awaited: &str) -> io::Error {
    io::Error::other(format!("instead of what was awaited: {awaited}"))
}

/// Runs so many of what `make` makes at once, and returns what they return.
pub(crate) async fn all<F>(count: usize, mut make: impl FnMut(usize) -> F) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let mut running = tokio::task::JoinSet::new();
    (0..count).for_each(|index| drop(running.spawn(make(index))));
    within("all of them", running.join_all()).await
}
