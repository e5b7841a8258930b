//! HTTP/1.1, written by hand.

use std::fmt::Write as _;
use std::io;
use std::pin::pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::response::{Response, receive};
use crate::failure::{excerpt, within};
use crate::{Failure, Outcome, Server};

/// A request; a `Host` header and the headers of its body are added.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    version: &'static str,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
}

/// How the body of a request is delimited.
#[derive(Clone, Debug)]
enum Body {
    None,
    Sized(Vec<u8>),
    Chunked(Vec<Vec<u8>>),
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1",
            headers: Vec::new(),
            body: Body::None,
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST of text.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Sized(body.into()), ..Self::new("POST", target) }
            .header("Content-Type", "text/plain;charset=UTF-8")
    }

    /// A POST whose body comes in chunks, without a `Content-Length`.
    #[must_use]
    pub fn post_chunks(target: &str, chunks: Vec<Vec<u8>>) -> Self {
        Self { body: Body::Chunked(chunks), ..Self::new("POST", target) }
    }

    /// Sets a header; an earlier value goes.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Takes a header away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Uses another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Speaks HTTP/1.0.
    #[must_use]
    pub fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        match &self.body {
            Body::None => {}
            Body::Sized(body) => bytes.extend_from_slice(body),
            Body::Chunked(chunks) => {
                for chunk in chunks {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }

    /// The bytes up to the empty line.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} {}\r\nHost: localhost\r\n", self.method, self.target, self.version);
        match &self.body {
            Body::None => {}
            Body::Sized(body) => {
                write!(head, "Content-Length: {}\r\n", body.len()).expect("strings take anything");
            }
            Body::Chunked(_) => head.push_str("Transfer-Encoding: chunked\r\n"),
        }
        let mut head = head.into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// What a transcript says of it.
    pub(super) fn summary(&self) -> String {
        let body = match &self.body {
            Body::None => String::new(),
            Body::Sized(body) => format!(" {}", excerpt(body)),
            Body::Chunked(chunks) => format!(" {} chunks", chunks.len()),
        };
        format!("> {} {}{body}", self.method, self.target)
    }

    /// Whether it is a GET.
    pub(super) fn is_get(&self) -> bool {
        self.method == "GET"
    }

    /// Whether a response to it has a body.
    fn is_answered_with_body(&self) -> bool {
        self.method != "HEAD"
    }
}

/// A TCP connection that speaks HTTP/1.1 and is kept alive.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If nobody listens.
    pub async fn open(server: &Server) -> Outcome<Self> {
        let stream = within("a TCP connection", TcpStream::connect(server.address())).await?;
        within("TCP_NODELAY", async { stream.set_nodelay(true) }).await?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends one request over a connection of its own.
    ///
    /// # Errors
    ///
    /// If no response comes.
    pub async fn once(server: &Server, request: &Request) -> Outcome<Response> {
        Self::open(server).await?.exchange(request).await
    }

    /// Writes bytes.
    ///
    /// # Errors
    ///
    /// If the server does not take them.
    pub async fn send(&mut self, bytes: &[u8]) -> Outcome {
        within(format!("{} to be taken", excerpt(bytes)), self.stream.write_all(bytes)).await
    }

    /// Reads a response.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub async fn receive(&mut self) -> Outcome<Response> {
        within("a response", receive(&mut self.stream, &mut self.buffer, true)).await
    }

    /// Sends a request and reads the response, which may come before the whole request is sent.
    ///
    /// # Errors
    ///
    /// If no response comes.
    pub async fn exchange(&mut self, request: &Request) -> Outcome<Response> {
        let bytes = request.bytes();
        let (mut reader, mut writer) = self.stream.split();
        let mut response =
            pin!(receive(&mut reader, &mut self.buffer, request.is_answered_with_body()));
        within(format!("a response to {}", request.summary()), async {
            tokio::select! {
                biased;
                early = &mut response => early,
                // A server that refuses a body may stop reading it; its answer is what counts.
                _ = writer.write_all(&bytes) => response.await,
            }
        })
        .await
    }

    /// Waits until the server ends the connection; whatever comes before is returned.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn end(&mut self) -> Outcome<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        within("the end of the connection", async {
            match self.stream.read_to_end(&mut rest).await {
                Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
                _ => Ok(()),
            }
        })
        .await?;
        Ok(rest)
    }

    /// Fails unless the server ends the connection without another byte.
    ///
    /// # Errors
    ///
    /// If it says something, or goes on.
    pub async fn expect_end(&mut self) -> Outcome {
        match self.end().await?.as_slice() {
            [] => Ok(()),
            rest => Err(Failure::new("the end of the connection", excerpt(rest))),
        }
    }

    /// Ends the connection by a reset: nothing that is on its way arrives.
    ///
    /// # Errors
    ///
    /// If the system does not let it.
    pub fn reset(self) -> Outcome {
        self.stream.set_zero_linger().map_err(|error| Failure::new("a reset", error))
    }

    /// Gives the stream to another protocol, with what was read already.
    pub(super) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }
}
