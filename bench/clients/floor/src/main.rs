//! The usual tokio shape without any Socket.IO logic: a task per connection that reads, answers what
//! it has read with one write, and is woken when something is to be emitted.
use client_kit::{Client, Lane};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: [u8; 4] = [0x5a, 0x13, 0xc7, 0x9e];
const REQUEST: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct Floor {
    emit: UnboundedSender<String>,
    task: JoinHandle<()>,
}

impl Client for Floor {
    async fn connect(port: u16, lane: Arc<Lane>) -> Result<Self, String> {
        let io = TcpStream::connect(("127.0.0.1", port)).await.map_err(|e| e.to_string())?;
        io.set_nodelay(true).map_err(|e| e.to_string())?;
        let (emit, orders) = unbounded_channel();
        let mut c = Conn { io, rest: Vec::new(), out: Vec::new(), lane };
        c.enter().await?;
        let task = tokio::spawn(async move { c.serve(orders).await });
        Ok(Floor { emit, task })
    }

    async fn emit(&self, text: String) -> Result<(), String> {
        self.emit.send(text).map_err(|e| e.to_string())
    }

    async fn close(self) {
        drop(self.emit);
        let _ = self.task.await;
    }
}

struct Conn {
    io: TcpStream,
    rest: Vec<u8>,
    out: Vec<u8>,
    lane: Arc<Lane>,
}

thread_local! {
    static SCRATCH: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 256 * 1024]);
}

impl Conn {
    /// The upgrade, `40`, and the server's answer.
    async fn enter(&mut self) -> Result<(), String> {
        self.out.extend_from_slice(REQUEST.as_bytes());
        self.flush().await?;
        let mut b = Vec::with_capacity(1024);
        let head = loop {
            self.more(&mut b).await?;
            if let Some(at) = b.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        if !b.starts_with(b"HTTP/1.1 101 ") {
            return Err("no upgrade".into());
        }
        b.drain(..head);
        put(&mut self.out, 1, &[b"40"]);
        self.flush().await?;
        loop {
            let mut p = 0;
            while let Some((_, s, e)) = frame(&b[p..]) {
                if b[p + s..p + e].starts_with(b"40") {
                    self.rest = b[p + e..].to_vec();
                    return Ok(());
                }
                p += e;
            }
            b.drain(..p);
            self.more(&mut b).await?;
        }
    }

    async fn more(&mut self, b: &mut Vec<u8>) -> Result<(), String> {
        match self.io.read_buf(b).await {
            Ok(0) => Err("closed".into()),
            Ok(_) => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    }

    async fn flush(&mut self) -> Result<(), String> {
        if !self.out.is_empty() {
            self.io.write_all(&self.out).await.map_err(|e| e.to_string())?;
            self.out.clear();
            if self.out.capacity() > 4096 {
                self.out = Vec::new();
            }
        }
        Ok(())
    }

    async fn serve(mut self, mut orders: UnboundedReceiver<String>) {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(text) => {
                        self.emit(&text);
                        while let Ok(text) = orders.try_recv() {
                            self.emit(&text);
                        }
                    }
                    None => {
                        put(&mut self.out, 1, &[b"41"]);
                        put(&mut self.out, 8, &[b"\x03\xe8"]);
                        let _ = self.flush().await;
                        return;
                    }
                },
                ready = self.io.readable() => {
                    let read = ready.and_then(|()| self.read());
                    if let Err(e) = read {
                        return self.lane.fail(e);
                    }
                }
            }
            if let Err(e) = self.flush().await {
                return self.lane.fail(e);
            }
        }
    }

    fn read(&mut self) -> std::io::Result<()> {
        SCRATCH.with(|scratch| {
            let scratch = &mut *scratch.borrow_mut();
            let n = match self.io.try_read(scratch) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            if self.rest.is_empty() {
                let used = self.input(&scratch[..n]);
                self.rest.extend_from_slice(&scratch[used..n]);
            } else {
                let mut all = std::mem::take(&mut self.rest);
                all.extend_from_slice(&scratch[..n]);
                let used = self.input(&all);
                self.rest.extend_from_slice(&all[used..]);
            }
            Ok(())
        })
    }

    fn input(&mut self, b: &[u8]) -> usize {
        let mut p = 0;
        while let Some((op, s, e)) = frame(&b[p..]) {
            let d = &b[p + s..p + e];
            p += e;
            let echo = d.strip_prefix(b"42[\"echo\",\"").and_then(|d| d.strip_suffix(b"\"]"));
            match (op, echo) {
                (1, Some(text)) => {
                    let next = self.lane.echoed(std::str::from_utf8(text).unwrap_or_default());
                    if let Some(text) = next {
                        self.emit(&text);
                    }
                }
                (1, None) if d == b"2" => put(&mut self.out, 1, &[b"3"]),
                (op, _) => self.lane.fail(format_args!("{op} {}", String::from_utf8_lossy(d))),
            }
        }
        p
    }

    fn emit(&mut self, text: &str) {
        put(&mut self.out, 1, &[b"42[\"echo\",\"", text.as_bytes(), b"\"]"]);
    }
}

/// One server frame: (opcode, payload start, payload end = bytes used).
fn frame(b: &[u8]) -> Option<(u8, usize, usize)> {
    let (s, len) = match *b.get(1)? {
        126 => (4, u16::from_be_bytes(b.get(2..4)?.try_into().ok()?) as usize),
        127 => (10, u64::from_be_bytes(b.get(2..10)?.try_into().ok()?) as usize),
        n => (2, n as usize),
    };
    (b.len() >= s + len).then(|| (b[0] & 15, s, s + len))
}

/// Appends a client frame, masked.
fn put(out: &mut Vec<u8>, op: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|p| p.len()).sum();
    out.push(0x80 | op);
    match len {
        0..126 => out.push(0x80 | len as u8),
        126..65536 => {
            out.push(0xfe);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&KEY);
    let start = out.len();
    for p in parts {
        out.extend_from_slice(p);
    }
    for (i, b) in out[start..].iter_mut().enumerate() {
        *b ^= KEY[i & 3];
    }
}

fn main() -> ExitCode {
    client_kit::run::<Floor>()
}
