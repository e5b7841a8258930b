//! What the WebSocket tests share: messages that own their bytes, and the canonical loop.

#![allow(dead_code, reason = "each test file uses a part of it")]

use sockeye_proto::websocket::{DecodeError, Decoder, Limits, Message, Opcode, Role};

/// A message that outlives the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    /// The connection ended here.
    Error(DecodeError),
}

impl From<Message<'_>> for Said {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.to_owned()),
            Message::Binary(bytes) => Self::Binary(bytes.to_owned()),
            Message::Ping(bytes) => Self::Ping(bytes.to_owned()),
            Message::Pong(bytes) => Self::Pong(bytes.to_owned()),
            Message::Close(frame) => {
                Self::Close(frame.map(|frame| (frame.code.get(), frame.reason.to_owned())))
            }
        }
    }
}

/// Decodes one read from the peer. An error is the last thing said.
pub(crate) fn read(decoder: &mut Decoder, bytes: &[u8], limits: &Limits) -> Vec<Said> {
    let mut scratch = bytes.to_vec();
    let mut rest = &mut scratch[..];
    let mut said = Vec::new();
    loop {
        match decoder.decode(rest, limits) {
            Ok((used, Some(message))) => {
                said.push(message.into());
                rest = &mut rest[used..];
            }
            Ok((used, None)) => {
                assert_eq!(used, rest.len(), "without a message all is consumed");
                return said;
            }
            Err(error) => {
                said.push(Said::Error(error));
                return said;
            }
        }
    }
}

/// Decodes a whole connection that arrives in the given reads.
pub(crate) fn reads<'a>(
    role: Role,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
) -> Vec<Said> {
    let mut decoder = Decoder::new(role);
    let mut said = Vec::new();
    for chunk in chunks {
        said.extend(read(&mut decoder, chunk, limits));
        if let Some(Said::Error(_)) = said.last() {
            break;
        }
    }
    said
}

/// A frame written by hand: `first` is its first byte, so that it may break every rule.
pub(crate) fn raw_frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        0..=125 => frame.push(masked | payload.len() as u8),
        126..=0xffff => {
            frame.push(masked | 126);
            frame.extend((payload.len() as u16).to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    let key = key.inspect(|key| frame.extend(key)).unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// First byte of a frame that is the last of its message.
pub(crate) fn last(opcode: Opcode) -> u8 {
    0x80 | opcode as u8
}

/// First byte of a frame that is followed by more of its message.
pub(crate) fn more(opcode: Opcode) -> u8 {
    opcode as u8
}
