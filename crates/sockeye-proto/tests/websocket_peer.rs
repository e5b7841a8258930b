//! The codec against tungstenite: each reads what the other wrote, in both directions.

mod websocket_support;

use std::io::{self, Cursor, Read, Write};

use sockeye_proto::websocket::{CloseCode, Frame, Limits, Opcode, Role, encode_masked};
use tungstenite::protocol::frame::coding::{CloseCode as PeerCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame as PeerFrame};
use tungstenite::protocol::{Role as PeerRole, WebSocket};
use tungstenite::{Bytes, Message};
use websocket_support::{Said, reads};

const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
const LIMITS: Limits = Limits::new(1 << 20);

/// A connection that has already said everything, and remembers what it is told.
struct Recorded {
    input: Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Read for Recorded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn peer(role: PeerRole, input: Vec<u8>) -> WebSocket<Recorded> {
    let stream = Recorded { input: Cursor::new(input), output: Vec::new() };
    WebSocket::from_raw_socket(stream, role, None)
}

fn text_of(size: usize) -> String {
    "0123456789".chars().cycle().take(size).collect()
}

fn said(message: Message) -> Said {
    match message {
        Message::Text(text) => Said::Text(text.to_string()),
        Message::Binary(bytes) => Said::Binary(bytes.to_vec()),
        Message::Ping(bytes) => Said::Ping(bytes.to_vec()),
        Message::Pong(bytes) => Said::Pong(bytes.to_vec()),
        Message::Close(frame) => {
            Said::Close(frame.map(|frame| (frame.code.into(), frame.reason.to_string())))
        }
        Message::Frame(frame) => panic!("{frame:?}"),
    }
}

/// All kinds of message in all sizes, as opcodes and payloads.
fn script() -> Vec<(Opcode, Vec<u8>)> {
    let mut script = Vec::new();
    for size in SIZES {
        script.push((Opcode::Text, text_of(size).into_bytes()));
        script.push((Opcode::Binary, text_of(size).into_bytes()));
        script.push((Opcode::Ping, text_of(size.min(125)).into_bytes()));
        script.push((Opcode::Pong, text_of(size.min(125)).into_bytes()));
    }
    let mut close = CloseCode::GOING_AWAY.get().to_be_bytes().to_vec();
    close.extend(b"home");
    script.push((Opcode::Close, close));
    script
}

fn expected() -> Vec<Said> {
    let say = |(opcode, payload): (Opcode, Vec<u8>)| match opcode {
        Opcode::Text => Said::Text(String::from_utf8(payload).expect("digits are UTF-8")),
        Opcode::Binary => Said::Binary(payload),
        Opcode::Ping => Said::Ping(payload),
        Opcode::Pong => Said::Pong(payload),
        Opcode::Close => Said::Close(Some((1001, "home".to_owned()))),
        Opcode::Continuation => panic!("not in the script"),
    };
    script().into_iter().map(say).collect()
}

fn heard_by(mut peer: WebSocket<Recorded>) -> Vec<Said> {
    let mut heard = Vec::new();
    while !matches!(heard.last(), Some(Said::Close(_))) {
        heard.push(said(peer.read().expect("what we wrote is right")));
    }
    heard
}

#[test]
fn the_peer_as_client_reads_our_frames() {
    let frames = script()
        .into_iter()
        .flat_map(|(opcode, payload)| Frame::from_parts(opcode, &[&payload]).as_bytes().to_vec())
        .collect();
    assert_eq!(heard_by(peer(PeerRole::Client, frames)), expected());
}

#[test]
fn the_peer_as_server_reads_our_masked_frames() {
    let mut frames = Vec::new();
    for (index, (opcode, payload)) in script().into_iter().enumerate() {
        encode_masked(&mut frames, opcode, &payload, [index as u8, 0x5a, 0xff, 3]);
    }
    assert_eq!(heard_by(peer(PeerRole::Server, frames)), expected());
}

fn written_by(role: PeerRole) -> Vec<u8> {
    let mut peer = peer(role, Vec::new());
    for said in expected() {
        let message = match said {
            Said::Text(text) => Message::text(text),
            Said::Binary(bytes) => Message::binary(bytes),
            Said::Ping(bytes) => Message::Ping(Bytes::from(bytes)),
            Said::Pong(bytes) => Message::Pong(Bytes::from(bytes)),
            Said::Close(_) => {
                Message::Close(Some(CloseFrame { code: PeerCode::Away, reason: "home".into() }))
            }
            Said::Error(error) => panic!("{error}"),
        };
        peer.send(message).expect("a buffer takes everything");
    }
    peer.into_inner().output
}

#[test]
fn we_read_the_peers_frames_in_reads_of_any_size() {
    for (theirs, ours) in [(PeerRole::Client, Role::Server), (PeerRole::Server, Role::Client)] {
        let bytes = written_by(theirs);
        for size in [97, 1_400, 65_536, bytes.len()] {
            assert_eq!(reads(ours, bytes.chunks(size), &LIMITS), expected(), "reads of {size}");
        }
    }
}

#[test]
fn we_read_the_peers_fragments() {
    let mut peer = peer(PeerRole::Client, Vec::new());
    let data = |kind, text: &'static str, is_final| {
        PeerFrame::message(Bytes::from(text), OpCode::Data(kind), is_final)
    };
    let frames = [
        data(Data::Text, "in ", false),
        data(Data::Continue, "three ", false),
        PeerFrame::ping("now"),
        data(Data::Continue, "pieces", true),
    ];
    for frame in frames {
        peer.send(Message::Frame(frame)).unwrap();
    }
    let bytes = peer.into_inner().output;
    let expected = [Said::Ping(b"now".to_vec()), Said::Text("in three pieces".to_owned())];
    for size in 1..=bytes.len() {
        assert_eq!(reads(Role::Server, bytes.chunks(size), &LIMITS), expected);
    }
}
