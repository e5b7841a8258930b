//! WebSocket, over somebody else's codec.

use std::io;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frame::Frame;
use super::http::{Connection, Request};
use super::response::Response;
use crate::failure::{excerpt, within};
use crate::{Failure, Outcome, Server, capture};

/// The key of every handshake, and of the example in RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A correct upgrade request.
#[must_use]
pub fn upgrade_request(target: &str) -> Request {
    Request::get(target)
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", KEY)
        .header("Sec-WebSocket-Version", "13")
}

/// A WebSocket connection.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<TcpStream>,
    answers_pings: bool,
    transcript: Vec<String>,
}

/// What comes from the server.
#[derive(Debug, PartialEq, Eq)]
enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame with this code, or 1005.
    Close(u16),
}

impl WebSocket {
    /// Opens a session, and reads its open packet.
    ///
    /// # Errors
    ///
    /// If the server refuses, or sends another packet; E-010.
    pub async fn open(server: &Server) -> Outcome<Self> {
        let mut socket = Self::connect(server, "EIO=4&transport=websocket").await?;
        socket.expect(&server.open_packet("websocket")).await?;
        Ok(socket)
    }

    /// Connects to upgrade a polling session.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub async fn upgrade(server: &Server, sid: &str) -> Outcome<Self> {
        Self::connect(server, &format!("EIO=4&transport=websocket&sid={sid}")).await
    }

    /// Connects with a query string.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub async fn connect(server: &Server, query: &str) -> Outcome<Self> {
        let request = upgrade_request(&server.target(query));
        Ok(Self::handshake(server, &request.bytes()).await?.0)
    }

    /// Sends a handshake, and maybe more, at once.
    ///
    /// # Errors
    ///
    /// If the server refuses, or answers with a wrong key.
    pub async fn handshake(server: &Server, bytes: &[u8]) -> Outcome<(Self, Response)> {
        let mut connection = Connection::open(server).await?;
        connection.send(bytes).await?;
        let response = connection.receive().await?;
        Failure::unless_equal("status", &response.status(), &101)?;
        response.expect_header("sec-websocket-accept", &derive_accept_key(KEY.as_bytes()))?;
        let (stream, rest) = connection.into_parts();
        let stream = WebSocketStream::from_partially_read(stream, rest, Role::Client, None).await;
        Ok((Self { stream, answers_pings: true, transcript: Vec::new() }, response))
    }

    /// Leaves heartbeats to the test.
    pub fn ignore_pings(&mut self) {
        self.answers_pings = false;
    }

    /// Sends a text message.
    ///
    /// # Errors
    ///
    /// If the server does not take it.
    pub async fn send(&mut self, text: impl Into<String>) -> Outcome {
        let text = text.into();
        self.transcript.push(format!("> {}", excerpt(text.as_bytes())));
        self.send_message(Message::text(text)).await
    }

    /// Sends a binary message.
    ///
    /// # Errors
    ///
    /// If the server does not take it.
    pub async fn send_binary(&mut self, bytes: &[u8]) -> Outcome {
        self.transcript.push(format!("> {bytes:02x?}"));
        self.send_message(Message::binary(bytes.to_vec())).await
    }

    /// Sends a frame written by hand.
    ///
    /// # Errors
    ///
    /// If the server does not take it.
    pub async fn send_frame(&mut self, frame: &Frame) -> Outcome {
        self.send_bytes(&frame.bytes()).await
    }

    /// Sends bytes of any meaning. A server that has closed already need not take them all.
    ///
    /// # Errors
    ///
    /// If they cannot be written in time.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Outcome {
        self.transcript.push(format!("> bytes {}", excerpt(bytes)));
        within("bytes to be taken", async {
            match self.stream.get_mut().write_all(bytes).await {
                Err(error) if is_end(error.kind()) => Ok(()),
                written => written,
            }
        })
        .await
    }

    /// Sends a close frame with this code.
    ///
    /// # Errors
    ///
    /// If the server does not take it.
    pub async fn close(&mut self, code: u16) -> Outcome {
        self.send_frame(&Frame::close(code, b"")).await
    }

    /// Awaits a text message.
    ///
    /// # Errors
    ///
    /// If something else comes.
    pub async fn expect(&mut self, pattern: &str) -> Outcome<Vec<String>> {
        let incoming = self.next(pattern).await?;
        let captured = match &incoming {
            Incoming::Text(text) => capture(pattern, text),
            Incoming::Binary(_) | Incoming::Pong(_) | Incoming::Close(_) => None,
        };
        captured.ok_or_else(|| self.unexpected(pattern, &incoming))
    }

    /// Awaits a text message, whatever comes before it.
    pub(crate) async fn await_text(&mut self, pattern: &str) -> Outcome {
        loop {
            match self.next(pattern).await? {
                Incoming::Text(text) if capture(pattern, &text).is_some() => return Ok(()),
                Incoming::Close(code) => {
                    return Err(self.unexpected(pattern, &Incoming::Close(code)));
                }
                _ => {}
            }
        }
    }

    /// Answers pings until the server ends the connection.
    pub(crate) async fn idle(&mut self) {
        while let Ok(incoming) = self.receive().await {
            if let Incoming::Close(_) = incoming {
                return;
            }
        }
    }

    /// Awaits a binary message.
    ///
    /// # Errors
    ///
    /// If something else comes.
    pub async fn expect_binary(&mut self, bytes: &[u8]) -> Outcome {
        self.expect_incoming(Incoming::Binary(bytes.to_vec())).await
    }

    /// Awaits a pong frame.
    ///
    /// # Errors
    ///
    /// If something else comes.
    pub async fn expect_pong(&mut self, payload: &[u8]) -> Outcome {
        self.expect_incoming(Incoming::Pong(payload.to_vec())).await
    }

    /// Awaits a close frame with this code (1005: without a code), and the end of the connection.
    ///
    /// # Errors
    ///
    /// If something else comes.
    pub async fn expect_close(&mut self, code: u16) -> Outcome {
        self.expect_incoming(Incoming::Close(code)).await?;
        self.expect_end().await
    }

    /// Awaits a close frame with one of these codes, and the end of the connection.
    ///
    /// # Errors
    ///
    /// If something else comes.
    pub async fn expect_close_of(&mut self, codes: &[u16]) -> Outcome {
        let awaited = format!("close with one of {codes:?}");
        match self.next(&awaited).await? {
            Incoming::Close(code) if codes.contains(&code) => self.expect_end().await,
            other => Err(self.unexpected(&awaited, &other)),
        }
    }

    /// Reads until the server closes, whatever it says before, and returns the code.
    ///
    /// # Errors
    ///
    /// If it does not close.
    pub async fn expect_closing(&mut self) -> Outcome<u16> {
        loop {
            if let Incoming::Close(code) = self.next("a close frame").await? {
                self.expect_end().await?;
                return Ok(code);
            }
        }
    }

    /// Speaks lines of a dialogue: `> text` is sent, `< pattern` awaited, `>> 01 02` and `<< 01 02`
    /// are binary messages.
    ///
    /// # Errors
    ///
    /// If something else comes than what is awaited.
    ///
    /// # Panics
    ///
    /// If a line is none of these.
    pub async fn play(&mut self, lines: &[&str]) -> Outcome {
        for line in lines {
            match line.split_once(' ') {
                Some((">", text)) => self.send(text).await?,
                Some(("<", pattern)) => drop(self.expect(pattern).await?),
                Some((">>", bytes)) => self.send_binary(&hexadecimal(bytes)).await?,
                Some(("<<", bytes)) => self.expect_binary(&hexadecimal(bytes)).await?,
                _ => panic!("not a line of a dialogue: {line:?}"),
            }
        }
        Ok(())
    }

    /// Awaits exactly this.
    async fn expect_incoming(&mut self, wanted: Incoming) -> Outcome {
        let got = self.next(&format!("{wanted:?}")).await?;
        if got == wanted { Ok(()) } else { Err(self.unexpected(&format!("{wanted:?}"), &got)) }
    }

    /// Waits until the server ends the TCP connection.
    async fn expect_end(&mut self) -> Outcome {
        within("the end of the closing handshake", async {
            while let Some(Ok(_)) = self.stream.next().await {}
            Ok(())
        })
        .await
        .map_err(|failure| failure.after(&self.transcript))
    }

    /// The next message that is not a ping.
    async fn next(&mut self, awaited: &str) -> Outcome<Incoming> {
        let incoming = within(awaited, self.receive()).await;
        let incoming = incoming.map_err(|failure| failure.after(&self.transcript))?;
        self.transcript.push(incoming.summary());
        Ok(incoming)
    }

    /// Reads, and answers pings on the way.
    async fn receive(&mut self) -> io::Result<Incoming> {
        loop {
            let message = match self.stream.next().await {
                Some(message) => message.map_err(io::Error::other)?,
                None => return Err(io::Error::other(Error::ConnectionClosed)),
            };
            match Incoming::from_message(message) {
                Some(Incoming::Text(text)) if self.answers_pings && text == "2" => {
                    self.stream.send(Message::text("3")).await.map_err(io::Error::other)?;
                }
                Some(incoming) => return Ok(incoming),
                None => {}
            }
        }
    }

    /// Sends a message. That the server has closed meanwhile is for the next wait to find out.
    async fn send_message(&mut self, message: Message) -> Outcome {
        within("a message to be taken", async {
            match self.stream.send(message).await {
                Err(Error::Io(error)) if is_end(error.kind()) => Ok(()),
                Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Ok(()),
                Err(error) => Err(io::Error::other(error)),
            }
        })
        .await
    }

    /// The failure for something else than what was awaited.
    fn unexpected(&self, awaited: &str, got: &Incoming) -> Failure {
        Failure::new(excerpt(awaited.as_bytes()), got.summary()).after(&self.transcript)
    }
}

impl Incoming {
    /// What a message is; pings of WebSocket are answered by the codec.
    fn from_message(message: Message) -> Option<Self> {
        match message {
            Message::Text(text) => Some(Self::Text(text.as_str().to_owned())),
            Message::Binary(bytes) => Some(Self::Binary(bytes.to_vec())),
            Message::Pong(bytes) => Some(Self::Pong(bytes.to_vec())),
            Message::Close(frame) => {
                Some(Self::Close(frame.map_or(1005, |frame| u16::from(frame.code))))
            }
            Message::Ping(_) | Message::Frame(_) => None,
        }
    }

    /// What a transcript says of it.
    fn summary(&self) -> String {
        match self {
            Self::Text(text) => format!("< {}", excerpt(text.as_bytes())),
            Self::Binary(bytes) => format!("< {:02x?}", &bytes[..bytes.len().min(32)]),
            Self::Pong(bytes) => format!("< pong {}", excerpt(bytes)),
            Self::Close(code) => format!("< close {code}"),
        }
    }
}

/// Whether an error only says that the other side has gone.
fn is_end(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Bytes written as `01 fe`.
fn hexadecimal(text: &str) -> Vec<u8> {
    text.split(' ')
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"))
        .collect()
}
