//! Servers written by hand: they say what a test wants, also what ours never says, and show what they
//! were asked.

use std::future::Future;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{Client, within};

/// An OPEN packet without upgrades, and with time for everything.
pub(crate) const OPEN: &str = "0{\"sid\":\"s1\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";

/// A server over WebSocket, one connection at a time.
pub(crate) struct ByHand {
    listener: TcpListener,
    address: SocketAddr,
}

impl ByHand {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        Self { listener, address }
    }

    /// The URL for this namespace.
    pub(crate) fn url(&self, namespace: &str) -> String {
        format!("http://{}{namespace}", self.address)
    }

    /// Takes the next connection, and says nothing.
    #[track_caller]
    pub(crate) fn accept(&self) -> impl Future<Output = Client> {
        within("a WebSocket", async {
            let (stream, _) = self.listener.accept().await.expect("a connection");
            Client::accepted(stream).await
        })
    }

    /// Takes the next connection, and says this as its OPEN packet.
    pub(crate) async fn open_with(&self, open: &str) -> Client {
        let mut client = self.accept().await;
        client.send(open).await;
        client
    }

    /// Takes the next connection, and opens it.
    pub(crate) async fn open(&self) -> Client {
        self.open_with(OPEN).await
    }

    /// Takes the next connection, opens it, and lets it into `/` under this id.
    pub(crate) async fn join(&self, id: &str) -> Client {
        let mut client = self.open().await;
        client.expect("40").await;
        client.send(&format!("40{{\"sid\":\"{id}\"}}")).await;
        client
    }
}

/// A server over long-polling: the test answers each request.
pub(crate) struct Requests {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Request>,
    waiting: Vec<Request>,
}

/// A request that waits for its answer.
pub(crate) struct Request {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: String,
    answer: mpsc::UnboundedSender<String>,
}

impl Requests {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, sender.clone()));
            }
        });
        Self { address, requests, waiting: Vec::new() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request whose line begins with this. Others wait: a poll and a POST may come in any
    /// order.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) -> impl Future<Output = Request> {
        let line = line.to_owned();
        within(format!("a request {line}"), async move {
            loop {
                let found = self.waiting.iter().position(|it| it.head.starts_with(&line));
                if let Some(place) = found {
                    return self.waiting.remove(place);
                }
                self.waiting.push(self.requests.recv().await.expect("the server runs"));
            }
        })
    }

    /// Fails if there is a request that nobody has awaited.
    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) {
        self.waiting.extend(self.requests.try_recv());
        if let Some(request) = self.waiting.first() {
            panic!("awaited no request; got {}", request.head);
        }
    }
}

impl Request {
    /// The request line.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Answers with 200.
    pub(crate) fn answer(self, body: &str) {
        self.answer_with("200 OK", "", body);
    }

    /// Answers with a status, lines of headers, and a body.
    pub(crate) fn answer_with(self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
        // Who asked may have gone.
        let _ = self.answer.send(answer);
    }
}

async fn converse(mut stream: TcpStream, requests: mpsc::UnboundedSender<Request>) {
    while let Some((head, body)) = read(&mut stream).await {
        let (answer, mut answers) = mpsc::unbounded_channel();
        if requests.send(Request { head, body, answer }).is_err() {
            return;
        }
        let Some(answer) = answers.recv().await else { return };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, String::from_utf8(body).ok()?))
}
