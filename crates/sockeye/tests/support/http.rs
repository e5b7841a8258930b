//! HTTP/1.1 written by hand, and long-polling over it.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// A connection that speaks HTTP/1.1 and is kept alive.
#[derive(Debug)]
pub(crate) struct Http<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The body as text; empty if it is none.
    pub(crate) body: String,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
    /// Status line and headers as they came.
    pub(crate) head: String,
}

impl Response {
    /// The values of a header, by its name in lower case.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The only value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.headers(name);
        assert!(values.len() < 2, "{name} comes {} times", values.len());
        values.first().copied()
    }
}

impl Http {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("the server listens"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    pub(crate) const fn over(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) async fn get(&mut self, target: &str) -> Response {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        self.receive(target).await
    }

    pub(crate) async fn post(&mut self, target: &str, body: &str) -> Response {
        let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n");
        self.send(&format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
        self.receive(target).await
    }

    /// A GET with these lines in its head.
    pub(crate) async fn get_with(&mut self, target: &str, lines: &[&str]) -> Response {
        self.request("GET", target, lines).await;
        self.receive(target).await
    }

    /// A request for a WebSocket, with these lines in its head.
    pub(crate) async fn upgrade_with(&mut self, target: &str, lines: &[&str]) -> Response {
        let mut all = vec![
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        all.extend(lines);
        self.get_with(target, &all).await
    }

    /// Sends a request without a body.
    pub(crate) async fn request(&mut self, method: &str, target: &str, lines: &[&str]) {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(&format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")).await;
    }

    /// Writes bytes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let written = within("a request to be taken", self.stream.write_all(bytes.as_ref()));
        written.await.expect("the server takes a request");
    }

    /// Reads a response that says how long it is.
    pub(crate) async fn receive(&mut self, what: &str) -> Response {
        let mut response = self.receive_head(what).await;
        let length = response.header("content-length");
        let length = length.map_or(0, |length| length.parse().expect("a number"));
        while self.buffer.len() < length {
            self.read_more(what).await;
        }
        response.bytes = self.buffer.drain(..length).collect();
        response.body = String::from_utf8(response.bytes.clone()).unwrap_or_default();
        response
    }

    /// Reads a response that has no body, whatever it says.
    pub(crate) async fn receive_head(&mut self, what: &str) -> Response {
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                break String::from_utf8(head).expect("a head in ASCII");
            }
            self.read_more(what).await;
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.expect("a status");
        Response { status, body: String::new(), bytes: Vec::new(), head }
    }

    /// Reads on until this text has come, of whatever protocol; all that came up to it.
    pub(crate) async fn receive_until(&mut self, text: &str) -> String {
        let end = loop {
            match find(&self.buffer, text.as_bytes()) {
                Some(start) => break start + text.len(),
                None => self.read_more(text).await,
            }
        };
        String::from_utf8_lossy(&self.buffer.drain(..end).collect::<Vec<_>>()).into_owned()
    }

    /// Awaits the end of the connection; nothing else may come.
    pub(crate) async fn expect_end(&mut self) {
        let read = self.stream.read_buf(&mut self.buffer);
        let end = within("the end of the connection", read).await;
        assert!(matches!(end, Ok(0) | Err(_)), "awaited the end; got {:?}", self.buffer);
    }

    /// The stream, for another protocol. Whatever was read too far is lost.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// The stream, and what was read too far.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.buffer)
    }

    async fn read_more(&mut self, what: &str) {
        let read = self.stream.read_buf(&mut self.buffer);
        let count = within(format!("the answer to {what}"), read).await.expect("an answer");
        assert!(count > 0, "awaited the answer to {what}; the connection ended");
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// A session over long-polling.
#[derive(Debug)]
pub(crate) struct Polling<S = TcpStream> {
    polls: Http<S>,
    pub(crate) posts: Http<S>,
    /// Path and query of its requests.
    pub(crate) target: String,
    /// The id of the session.
    pub(crate) sid: String,
}

impl Polling {
    /// Opens a session.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let (polls, posts) = (Http::open(address).await, Http::open(address).await);
        Self::over(polls, posts, "/socket.io/").await
    }

    /// Opens a session and joins `/`.
    pub(crate) async fn join(address: SocketAddr) -> Self {
        let mut polling = Self::open(address).await;
        polling.post("40").await;
        let answer = polling.poll().await;
        assert!(answer.starts_with("40{\"sid\":\""), "awaited 40{{…}}; got {answer}");
        polling
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Polling<S> {
    /// Opens a session over two connections: one for GETs, one for POSTs.
    pub(crate) async fn over(mut polls: Http<S>, posts: Http<S>, path: &str) -> Self {
        let target = format!("{path}?EIO=4&transport=polling");
        let open = polls.get(&target).await;
        assert_eq!(open.status, 200, "a handshake: {}", open.body);
        let sid = open.body.split('"').nth(3).expect("a sid in the OPEN packet").to_owned();
        Self { polls, posts, target: format!("{target}&sid={sid}"), sid }
    }

    /// Awaits what the server has to say.
    pub(crate) async fn poll(&mut self) -> String {
        self.start_poll().await;
        self.finish_poll().await
    }

    /// Sends a GET.
    pub(crate) async fn start_poll(&mut self) {
        let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", self.target);
        self.polls.send(&request).await;
    }

    /// Awaits the answer to it.
    pub(crate) async fn finish_poll(&mut self) -> String {
        let response = self.polls.receive("a poll").await;
        assert_eq!(response.status, 200, "a poll: {}", response.body);
        response.body
    }

    /// Sends packets.
    pub(crate) async fn post(&mut self, payload: &str) {
        let response = self.posts.post(&self.target, payload).await;
        assert_eq!((response.status, response.body.as_str()), (200, "ok"), "POST {payload}");
    }
}
