use sockeye_proto::websocket::{
    CloseFrame, DecodeError, Decoder, Frame, Limits, Message, Opcode, Role, encode_masked,
};

/// Longest message that is taken, small enough to be met by short inputs.
pub(crate) const MESSAGE_BYTES: usize = 1_000;
/// What a decoder may hold: a message with as much again in reserve, a control frame, itself.
pub(crate) const BUFFERED_BYTES: usize = 2 * MESSAGE_BYTES + 2 * 125 + 256;
/// The shortest frame.
const FRAME_BYTES: usize = 2;

/// Any bytes as what one peer of a WebSocket sends.
///
/// The first byte says who it is, and how its bytes are cut on the way; the rest is on the wire.
pub fn websocket_frames(data: &[u8]) {
    let Some((&setting, wire)) = data.split_first() else { return };
    let role = if setting & 1 == 0 { Role::Server } else { Role::Client };
    let whole = hear(role, &[wire]);
    assert!(whole.len() <= wire.len() / FRAME_BYTES + 1, "work is bounded");
    let size = usize::from(setting >> 1).max(1);
    assert_eq!(hear(role, &wire.chunks(size).collect::<Vec<_>>()), whole, "in chunks of {size}");
    let (before, after) = wire.split_at(size.min(wire.len()));
    assert_eq!(hear(role, &[before, after]), whole, "cut at {size}");
    for said in &whole {
        survives_encoding(said);
    }
    goes_on_after_an_error(role, wire, size);
}

/// A message that owns its bytes, or the end of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Data(Opcode, Vec<u8>),
    Close(Option<(u16, String)>),
    Error(DecodeError),
}

impl From<Message<'_>> for Said {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Data(Opcode::Text, text.into()),
            Message::Binary(bytes) => Self::Data(Opcode::Binary, bytes.into()),
            Message::Ping(bytes) => Self::Data(Opcode::Ping, bytes.into()),
            Message::Pong(bytes) => Self::Data(Opcode::Pong, bytes.into()),
            Message::Close(frame) => Self::Close(
                frame.map(|CloseFrame { code, reason }| (code.get(), reason.to_owned())),
            ),
        }
    }
}

pub(crate) fn limits() -> Limits {
    let mut limits = Limits::new(MESSAGE_BYTES);
    limits.max_fragments = 5;
    limits
}

/// What is heard until the first error.
fn hear(role: Role, chunks: &[&[u8]]) -> Vec<Said> {
    let mut decoder = Decoder::new(role);
    let mut said = Vec::new();
    for chunk in chunks {
        read(&mut decoder, chunk, &mut said);
        if let Some(Said::Error(_)) = said.last() {
            break;
        }
        assert!(decoder.buffered_bytes() <= BUFFERED_BYTES, "{}", decoder.buffered_bytes());
    }
    said
}

fn read(decoder: &mut Decoder, chunk: &[u8], said: &mut Vec<Said>) {
    let mut chunk = chunk.to_vec();
    let mut rest = &mut chunk[..];
    loop {
        match decoder.decode(rest, &limits()) {
            Ok((used, Some(message))) => {
                assert!(used > 0, "a message takes bytes");
                said.push(message.into());
                rest = &mut rest[used..];
            }
            Ok((used, None)) => return assert_eq!(used, rest.len(), "all is consumed"),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                let goodbye = Frame::close(Some(error.close_code()), "");
                assert_eq!(goodbye.opcode(), Opcode::Close);
                return said.push(Said::Error(error));
            }
        }
    }
}

/// Says the same as a server and as a client.
fn survives_encoding(said: &Said) {
    let (opcode, payload) = match said {
        Said::Data(opcode, payload) => (*opcode, payload.clone()),
        Said::Close(None) => (Opcode::Close, Vec::new()),
        Said::Close(Some((code, reason))) => {
            (Opcode::Close, [&code.to_be_bytes()[..], reason.as_bytes()].concat())
        }
        Said::Error(_) => return,
    };
    let frame = Frame::from_parts(opcode, &[&payload]);
    assert_eq!((frame.opcode(), frame.payload()), (opcode, &payload[..]));
    assert_eq!(hear(Role::Client, &[frame.as_bytes()]), std::slice::from_ref(said));
    let mut masked = Vec::new();
    encode_masked(&mut masked, opcode, &payload, [0x37, 0xfa, 0x21, 0x3d]);
    assert_eq!(hear(Role::Server, &[&masked]), std::slice::from_ref(said));
}

/// Nobody should, but it must do no harm.
fn goes_on_after_an_error(role: Role, wire: &[u8], size: usize) {
    let mut decoder = Decoder::new(role);
    for chunk in wire.chunks(size) {
        read(&mut decoder, chunk, &mut Vec::new());
    }
}
