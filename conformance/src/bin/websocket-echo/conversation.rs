//! What is said on an open WebSocket: the same back, until one of both says goodbye.

use std::io;
use std::time::Duration;

use sockeye_proto::websocket::{
    CloseCode, Decoder, DeflateAgreement, DeflateContext, Deflater, Frame, Inflater, Limits,
    Message, PerMessageDeflate, Role,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What the largest message of the suite takes, and more.
const MOST_BYTES: usize = 64 << 20;
/// How long the other side may take to hang up.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Conversation {
    role: Role,
    decoder: Decoder,
    inflater: Inflater,
    deflate: Option<Deflate>,
    /// What is to be written.
    out: Vec<u8>,
    frames: u32,
    over: bool,
}

struct Deflate {
    deflater: Deflater,
    settings: PerMessageDeflate,
    context: DeflateContext,
}

fn limits() -> Limits {
    let mut limits = Limits::new(MOST_BYTES);
    limits.max_fragments = u32::MAX;
    limits
}

impl Conversation {
    pub(crate) fn new(
        role: Role,
        agreement: Option<DeflateAgreement>,
        settings: PerMessageDeflate,
    ) -> Self {
        let decoder = match &agreement {
            Some(agreement) => Decoder::with_deflate(role, agreement),
            None => Decoder::new(role),
        };
        let deflate = agreement.map(|agreement| Deflate {
            deflater: Deflater::new(),
            settings,
            context: agreement.sending(role),
        });
        let (out, frames, over) = (Vec::new(), 0, false);
        Self { role, decoder, inflater: Inflater::new(), deflate, out, frames, over }
    }

    /// Echoes until one side has said goodbye, and the other hangs up.
    pub(crate) async fn echo(mut self, mut stream: TcpStream, early: Vec<u8>) -> io::Result<()> {
        let mut bytes = early;
        let mut scratch = vec![0; 64 * 1024];
        loop {
            self.take(&mut bytes);
            stream.write_all(&self.out).await?;
            self.out.clear();
            if self.over {
                break;
            }
            let count = stream.read(&mut scratch).await?;
            if count == 0 {
                return Ok(());
            }
            bytes.clear();
            bytes.extend_from_slice(&scratch[..count]);
        }
        // The server hangs up first (RFC 6455 section 7.1.1).
        if self.role == Role::Server {
            stream.shutdown().await?;
        }
        let hung_up = async {
            while stream.read(&mut scratch).await? > 0 {}
            io::Result::Ok(())
        };
        // The suite may also reset the connection, or keep it: all was said.
        let _ = timeout(PATIENCE, hung_up).await;
        Ok(())
    }

    /// Works through what has arrived.
    fn take(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        let limits = limits();
        while !self.over {
            let Self { decoder, inflater, .. } = self;
            let decoded = if decoder.inflates() {
                decoder.decode_with(rest, &limits, inflater)
            } else {
                decoder.decode(rest, &limits)
            };
            let (used, reply) = match decoded {
                Ok((_, None)) => return,
                Ok((used, Some(message))) => (used, reply(message)),
                Err(error) => (0, Some(Frame::close(Some(error.close_code()), ""))),
            };
            if let Some(reply) = reply {
                self.say(reply);
            }
            rest = &mut rest[used..];
        }
    }

    fn say(&mut self, frame: Frame) {
        self.over = frame.opcode() == sockeye_proto::websocket::Opcode::Close;
        let compressed = self.deflate.as_mut().and_then(|deflate| {
            let Deflate { deflater, settings, context } = deflate;
            deflater.deflate(&frame, settings, context)
        });
        let frame = compressed.unwrap_or(frame);
        match self.role {
            Role::Server => self.out.extend_from_slice(frame.as_bytes()),
            Role::Client => {
                self.frames = self.frames.wrapping_add(0x9e37_79b9);
                frame.mask_into(&mut self.out, self.frames.to_be_bytes());
            }
        }
    }
}

fn reply(message: Message<'_>) -> Option<Frame> {
    match message {
        Message::Text(text) => Some(Frame::text(text.as_bytes())),
        Message::Binary(bytes) => Some(Frame::binary(bytes)),
        Message::Ping(payload) => Some(Frame::pong(payload)),
        Message::Pong(_) => None,
        Message::Close(frame) => {
            let code = frame.map_or(CloseCode::NORMAL, |frame| frame.code);
            Some(Frame::close(Some(code), ""))
        }
    }
}

/// The first text message of a server, if it is there.
pub(crate) fn first_text(bytes: &[u8]) -> io::Result<Option<String>> {
    let mut input = bytes.to_vec();
    match Decoder::new(Role::Client).decode(&mut input, &limits()) {
        Ok((_, Some(Message::Text(text)))) => Ok(Some(text.to_owned())),
        Ok((_, None)) => Ok(None),
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
    }
}
