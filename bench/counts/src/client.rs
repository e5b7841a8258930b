//! A client that costs nearly nothing: frames are put together beforehand, and what comes is compared.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use sockeye_proto::websocket::{Frame, Opcode, encode_masked};

/// Nothing takes that long, not even under valgrind on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A WebSocket to a server, in blocking mode. Panics if anything is not as it should be.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Opens a session.
    #[must_use]
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut client = Self { stream, buffer: Vec::new() };
        client.write(UPGRADE.as_bytes());
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(client.read(1)[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", answer.escape_ascii());
        assert!(client.read_text().starts_with("0{"), "the OPEN packet");
        client
    }

    /// Opens a session and joins the namespace `/`.
    #[must_use]
    pub fn join(address: SocketAddr) -> Self {
        let mut client = Self::open(address);
        client.write(&requests(&["40".to_owned()]));
        assert!(client.read_text().starts_with("40{"), "the answer to CONNECT");
        client
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes them");
    }

    /// Awaits so many bytes.
    pub fn read(&mut self, bytes: usize) -> &[u8] {
        self.buffer.resize(bytes, 0);
        self.stream.read_exact(&mut self.buffer).expect("the server answers");
        &self.buffer
    }

    /// Awaits a frame of text.
    fn read_text(&mut self) -> String {
        let length = match self.read(2) {
            [0x81, 126] => {
                let length = self.read(2);
                usize::from(u16::from_be_bytes([length[0], length[1]]))
            }
            [0x81, length @ 0..126] => usize::from(*length),
            other => panic!("no frame of text: {other:?}"),
        };
        String::from_utf8(self.read(length).to_vec()).expect("UTF-8")
    }
}

/// What a client sends for these Engine.IO packets.
pub(crate) fn requests(packets: &[String]) -> Vec<u8> {
    let mut frames = Vec::new();
    for packet in packets {
        encode_masked(&mut frames, Opcode::Text, packet.as_bytes(), [0x37, 0xfa, 0x21, 0x3d]);
    }
    frames
}

/// What a server sends for these.
pub(crate) fn replies(packets: &[String]) -> Vec<u8> {
    let frames = packets.iter().map(|packet| Frame::text(packet.as_bytes()));
    frames.flat_map(|frame| frame.as_bytes().to_vec()).collect()
}
