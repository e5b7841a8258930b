//! Engine.IO from a client's end, written by hand: long-polling, WebSocket, and the way from one to the
//! other. It shares no code with the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sockeye::Server;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_service::Service;

use super::random::Random;
use super::wire::{Broken, Reader, Weather, Writer, wire};

/// How long a client waits for an answer that does not depend on the program.
const PATIENCE: Duration = Duration::from_secs(2);

/// What comes from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    End,
}

/// What goes to it: a packet with its type, or an attachment.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    Text(String),
    Binary(Vec<u8>),
}

/// What a session needs to make connections.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) io: Server,
    pub(crate) calm: bool,
    pub(crate) random: Random,
}

/// One Engine.IO session. Dropped, all its connections break.
pub(crate) struct Session {
    network: Network,
    pub(crate) sid: String,
    pub(crate) incoming: mpsc::UnboundedReceiver<Incoming>,
    sender: mpsc::UnboundedSender<Incoming>,
    link: Link,
    weather: Vec<Arc<Weather>>,
    tasks: Vec<JoinHandle<()>>,
}

enum Link {
    Polling {
        posts: Option<(Reader, Writer)>,
        paused: Arc<AtomicBool>,
        polls: JoinHandle<Result<(), Broken>>,
    },
    WebSocket(Writer),
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Link::Polling { polls, .. } = &self.link {
            polls.abort();
        }
    }
}

impl Network {
    fn connect(&mut self) -> (Reader, Writer, Arc<Weather>) {
        let weather = if self.calm { Weather::calm() } else { Weather::any(&mut self.random) };
        let (reader, writer, far) = wire(&weather, &mut self.random);
        let service = self.io.service();
        let service = service_fn(move |request| service.clone().call(request));
        let mut builder = http1::Builder::new();
        let connection =
            builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(far), service);
        tokio::spawn(async move {
            // How it ends is seen at the other end.
            let _ = connection.with_upgrades().await;
        });
        (reader, writer, weather)
    }
}

impl Session {
    /// Opens one over polling.
    pub(crate) async fn poll(mut network: Network) -> Result<Self, Broken> {
        let (mut reader, mut writer, weather) = network.connect();
        let path = "/socket.io/?EIO=4&transport=polling";
        let (status, body) = ask(&mut reader, &mut writer, "GET", path, b"").await?;
        if status != 200 {
            return Err(Broken);
        }
        let sid = sid_of(&String::from_utf8_lossy(&body)).ok_or(Broken)?;
        let (sender, incoming) = mpsc::unbounded_channel();
        let paused = Arc::new(AtomicBool::new(false));
        let path = format!("{path}&sid={sid}");
        let polls =
            tokio::spawn(keep_polling(reader, writer, path, sender.clone(), Arc::clone(&paused)));
        let link = Link::Polling { posts: None, paused, polls };
        Ok(Self { network, sid, incoming, sender, link, weather: vec![weather], tasks: Vec::new() })
    }

    /// Opens one over a WebSocket.
    pub(crate) async fn websocket(mut network: Network) -> Result<Self, Broken> {
        let (mut reader, mut writer, weather) = network.connect();
        let mut rest = upgrade(&mut reader, &mut writer, "").await?;
        let Incoming::Text(open) = next_frame(&mut reader, &mut rest).await? else {
            return Err(Broken);
        };
        let sid = sid_of(&open).ok_or(Broken)?;
        let (sender, incoming) = mpsc::unbounded_channel();
        let tasks = vec![tokio::spawn(keep_reading(reader, rest, sender.clone()))];
        let link = Link::WebSocket(writer);
        Ok(Self { network, sid, incoming, sender, link, weather: vec![weather], tasks })
    }

    pub(crate) const fn is_polling(&self) -> bool {
        matches!(self.link, Link::Polling { .. })
    }

    /// Changes to a WebSocket; or gives up on the way, and polls on. `true` if it has changed.
    pub(crate) async fn upgrade(&mut self) -> Result<bool, Broken> {
        let Link::Polling { paused, .. } = &self.link else { return Ok(false) };
        let paused = Arc::clone(paused);
        let gives_up = if self.network.calm { 9 } else { self.network.random.below(10) };
        let (mut reader, mut writer, weather) = self.network.connect();
        let probe = async {
            let mut rest = upgrade(&mut reader, &mut writer, &format!("&sid={}", self.sid)).await?;
            if gives_up == 0 {
                return Err(Broken);
            }
            writer.write(&frame(1, b"2probe")).await?;
            let answer = next_frame(&mut reader, &mut rest).await?;
            if answer != Incoming::Text("3probe".to_owned()) || gives_up == 1 {
                return Err(Broken);
            }
            Ok(rest)
        };
        let Ok(rest) = probe.await else { return Ok(false) };
        paused.store(true, Ordering::Relaxed);
        let Link::Polling { polls, .. } = &mut self.link else { return Ok(false) };
        // The server ends the poll that waits.
        timeout(PATIENCE, polls).await.map_err(|_| Broken)?.map_err(|_| Broken)??;
        writer.write(&frame(1, b"5")).await?;
        self.tasks.push(tokio::spawn(keep_reading(reader, rest, self.sender.clone())));
        self.link = Link::WebSocket(writer);
        self.weather.push(weather);
        Ok(true)
    }

    /// Sends packets, in one go.
    pub(crate) async fn send(&mut self, packets: &[Packet]) -> Result<(), Broken> {
        match &mut self.link {
            Link::WebSocket(writer) => {
                let frames = packets.iter().flat_map(|packet| match packet {
                    Packet::Text(text) => frame(1, text.as_bytes()),
                    Packet::Binary(bytes) => frame(2, bytes),
                });
                writer.write(&frames.collect::<Vec<u8>>()).await
            }
            Link::Polling { posts, .. } => {
                if posts.is_none() {
                    let (reader, writer, weather) = self.network.connect();
                    self.weather.push(weather);
                    *posts = Some((reader, writer));
                }
                let (reader, writer) = posts.as_mut().ok_or(Broken)?;
                let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid);
                let records = packets.iter().map(|packet| match packet {
                    Packet::Text(text) => text.clone(),
                    Packet::Binary(bytes) => format!("b{}", STANDARD.encode(bytes)),
                });
                let body = records.collect::<Vec<_>>().join("\x1e");
                let (status, _) = ask(reader, writer, "POST", &path, body.as_bytes()).await?;
                if status == 200 { Ok(()) } else { Err(Broken) }
            }
        }
    }

    /// Says goodbye to a WebSocket as WebSocket has it.
    pub(crate) async fn close_frame(&mut self) -> Result<(), Broken> {
        match &mut self.link {
            Link::WebSocket(writer) => writer.write(&frame(8, &1_000_u16.to_be_bytes())).await,
            Link::Polling { .. } => self.send(&[Packet::Text("1".to_owned())]).await,
        }
    }

    /// Reads nothing for so many milliseconds.
    pub(crate) fn stall(&self, milliseconds: u64) {
        self.weather.iter().for_each(|weather| weather.stall(milliseconds));
    }
}

fn sid_of(open: &str) -> Option<String> {
    let (_, rest) = open.strip_prefix('0')?.split_once(r#""sid":""#)?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Polls until the session ends, or the transport changes; an error if it could not hear the answer to its last
/// poll.
async fn keep_polling(
    mut reader: Reader,
    mut writer: Writer,
    path: String,
    sender: mpsc::UnboundedSender<Incoming>,
    paused: Arc<AtomicBool>,
) -> Result<(), Broken> {
    while !paused.load(Ordering::Relaxed) {
        let answer = ask(&mut reader, &mut writer, "GET", &path, b"").await;
        let Ok((200, body)) = answer else {
            let _ = sender.send(Incoming::End);
            return Err(Broken);
        };
        for record in String::from_utf8_lossy(&body).split('\x1e') {
            let packet = match record.strip_prefix('b') {
                Some(encoded) => Incoming::Binary(STANDARD.decode(encoded).unwrap_or_default()),
                None if record == "6" => continue,
                None => Incoming::Text(record.to_owned()),
            };
            let _ = sender.send(packet);
        }
    }
    Ok(())
}

/// Reads frames until the end.
async fn keep_reading(
    mut reader: Reader,
    mut rest: Vec<u8>,
    sender: mpsc::UnboundedSender<Incoming>,
) {
    while let Ok(packet) = next_frame(&mut reader, &mut rest).await {
        let is_end = packet == Incoming::End;
        let _ = sender.send(packet);
        if is_end {
            return;
        }
    }
    let _ = sender.send(Incoming::End);
}

/// One request of HTTP, and its answer: status and body.
async fn ask(
    reader: &mut Reader,
    writer: &mut Writer,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<(u16, Vec<u8>), Broken> {
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    writer.write(head.as_bytes()).await?;
    writer.write(body).await?;
    let mut bytes = Vec::new();
    let (status, length) = read_head(reader, &mut bytes).await?;
    while bytes.len() < length {
        reader.read(&mut bytes).await?;
    }
    Ok((status, bytes))
}

/// Reads a head, and leaves what came behind it: the status, and the length of the body.
async fn read_head(reader: &mut Reader, bytes: &mut Vec<u8>) -> Result<(u16, usize), Broken> {
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            let head = String::from_utf8_lossy(bytes).to_lowercase();
            *bytes = rest;
            let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or(Broken)?;
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|it| it.split("\r\n").next()?.parse().ok()).unwrap_or(0);
            return Ok((status, length));
        }
        reader.read(bytes).await?;
    }
}

/// Asks for a WebSocket: what came behind the 101.
async fn upgrade(reader: &mut Reader, writer: &mut Writer, query: &str) -> Result<Vec<u8>, Broken> {
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: x\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    writer.write(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    match read_head(reader, &mut bytes).await? {
        (101, _) => Ok(bytes),
        _ => Err(Broken),
    }
}

/// A client's frame.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The next frame of the server, which sends whole, unmasked ones.
async fn next_frame(reader: &mut Reader, bytes: &mut Vec<u8>) -> Result<Incoming, Broken> {
    loop {
        if let Some((opcode, start, end)) = whole_frame(bytes) {
            let rest = bytes.split_off(end);
            let payload = bytes.split_off(start);
            *bytes = rest;
            return match opcode {
                1 => String::from_utf8(payload).map(Incoming::Text).map_err(|_| Broken),
                2 => Ok(Incoming::Binary(payload)),
                8 => Ok(Incoming::End),
                _ => Err(Broken),
            };
        }
        reader.read(bytes).await?;
    }
}

/// Opcode of the first frame, and where its payload lies.
fn whole_frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (start, length) = match *bytes.get(1)? {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        short => (2, short as usize),
    };
    (bytes.len() >= start + length).then(|| (bytes[0] & 0x0f, start, start + length))
}
