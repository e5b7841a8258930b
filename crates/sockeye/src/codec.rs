use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sockeye_proto::engine::Message;
use sockeye_proto::socket::{
    Arguments, Assembled, DecodeError, Decoder, EncodeError, Encoded, Encoder, Packet, Parser,
    ParserDecoder, ParserError, ParserInput, ParserMessage, ParserPacket, Payload, ReceivedPacket,
    Scratch, Written,
};

use crate::engine::{Panicked, catch, lend};
use crate::limited::limited;

/// The parser of a server and all of its clients, or of a client: the default one, or one that the program brought
/// (S-018).
///
/// Everything above writes and reads packets of the default one; the other translates.
#[derive(Clone, Default)]
pub(crate) struct Codec {
    custom: Option<Arc<dyn Parser>>,
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.custom.is_some() { "custom" } else { "default" })
    }
}

impl Codec {
    pub(crate) fn new(parser: impl Parser + 'static) -> Self {
        Self { custom: Some(Arc::new(Guarded(parser))) }
    }

    /// What reads the messages of a new connection.
    pub(crate) fn decoder(&self) -> MessageDecoder {
        match &self.custom {
            None => MessageDecoder::Json(Decoder::new()),
            Some(parser) => MessageDecoder::Custom(parser.decoder()),
        }
    }

    /// Writes a packet of this namespace for one receiver, and has it sent.
    pub(crate) fn send<R>(
        &self,
        namespace: &str,
        write: impl FnOnce(Encoder<'_>) -> Result<Written<'_>, EncodeError>,
        send: impl FnOnce(PacketForOne<'_>) -> R,
    ) -> Result<R, EncodeError> {
        with_scratch(|scratch| {
            let packet = write(Encoder::new(scratch, namespace))?;
            Ok(send(match &self.custom {
                None => PacketForOne::Written(packet),
                Some(parser) => {
                    let packet = packet.into_encoded().with_parser(parser, namespace)?;
                    PacketForOne::Translated(Box::new(packet))
                }
            }))
        })
    }

    /// A packet of this namespace, as it goes over the wire.
    pub(crate) fn encode(
        &self,
        namespace: &str,
        write: impl FnOnce(&mut Encoder<'_>) -> Result<Encoded, EncodeError>,
    ) -> Result<Encoded, EncodeError> {
        let packet = with_scratch(|scratch| write(&mut Encoder::new(scratch, namespace)))?;
        match &self.custom {
            None => Ok(packet),
            Some(parser) => packet.with_parser(parser, namespace),
        }
    }
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Lends the thread's buffer for packets that are being written.
fn with_scratch<R>(use_it: impl FnOnce(&mut Scratch) -> R) -> R {
    let capacity = |scratch: &Option<Box<Scratch>>| scratch.as_deref().map_or(0, Scratch::capacity);
    lend(&SCRATCH, capacity, |scratch| {
        let scratch = scratch.get_or_insert_default();
        let result = use_it(scratch);
        scratch.clear();
        result
    })
}

/// A packet for one receiver, as its parser writes it.
#[derive(Debug)]
pub(crate) enum PacketForOne<'a> {
    /// The default parser: it lies in the encoder's buffer.
    Written(Written<'a>),
    /// Another.
    Translated(Box<Encoded>),
}

/// Reads the messages of one connection. The default parser is not behind a pointer.
pub(crate) enum MessageDecoder {
    Json(Decoder),
    Custom(Box<dyn ParserDecoder>),
}

impl fmt::Debug for MessageDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "Json",
            Self::Custom(_) => "Custom",
        })
    }
}

/// A packet, complete.
pub(crate) enum Complete<'a> {
    Whole(Packet<'a>),
    Assembled(Assembled),
    Custom(ReceivedPacket),
}

/// Why a message is no packet.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Decode(DecodeError),
    Parser(ParserError),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Parser(error) => error.fmt(f),
        }
    }
}

impl Complete<'_> {
    /// The packet.
    pub(crate) fn packet(&self) -> Result<Packet<'_>, DecodeError> {
        match self {
            Self::Whole(packet) => Ok(packet.clone()),
            Self::Assembled(assembled) => Ok(assembled.packet()),
            Self::Custom(received) => received.packet(),
        }
    }
}

impl MessageDecoder {
    /// Takes a message; the packet, if one is complete with it.
    pub(crate) fn read<'a>(
        &mut self,
        message: &'a Message<'_>,
        max_attachments: usize,
    ) -> Result<Option<Complete<'a>>, Unreadable> {
        match (self, message) {
            (Self::Json(decoder), Message::Text(text)) => decoder
                .text(text, max_attachments)
                .map(|packet| packet.map(Complete::Whole))
                .map_err(Unreadable::Decode),
            (Self::Json(decoder), Message::Binary(data)) => decoder
                .binary(data)
                .map(|packet| packet.map(Complete::Assembled))
                .map_err(Unreadable::Decode),
            (Self::Custom(decoder), message) => receive(&mut **decoder, message)
                .map(|packet| packet.map(Complete::Custom))
                .map_err(Unreadable::Parser),
        }
    }
}

/// Reads an event that was written, for who wants to look into it.
pub(crate) fn with_event(packet: &Encoded, look: impl FnOnce(&str, Arguments<'_>)) {
    let text = std::str::from_utf8(packet.text()).unwrap_or_default();
    let attachments: Vec<_> = packet.attachments().map(Bytes::copy_from_slice).collect();
    let packet = Decoder::read_back(text, &attachments).map(|packet| packet.payload);
    if let Ok(Payload::Event { name, arguments }) = packet {
        look(&name, arguments);
    }
}

/// Has a custom parser read a message; the packet, if one is complete with it.
pub(crate) fn receive(
    decoder: &mut dyn ParserDecoder,
    message: &Message<'_>,
) -> Result<Option<ReceivedPacket>, ParserError> {
    let message = match message {
        Message::Text(text) => ParserInput::Text(text),
        Message::Binary(data) => ParserInput::Binary(data),
    };
    decoder.receive(message)
}

/// A parser or decoder whose panics are errors: they end one connection at most.
struct Guarded<P>(P);

impl<P: Parser> Parser for Guarded<P> {
    fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError> {
        catch(|| self.0.encode(packet)).unwrap_or_else(|panicked| Err(error_of(&panicked)))
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Box::new(Guarded(catch(|| self.0.decoder())))
    }
}

impl ParserDecoder for Guarded<Result<Box<dyn ParserDecoder>, Panicked>> {
    fn add(&mut self, message: ParserInput<'_>) -> Result<Option<ParserPacket>, ParserError> {
        self.catch(|decoder| decoder.add(message))
    }

    fn receive(&mut self, message: ParserInput<'_>) -> Result<Option<ReceivedPacket>, ParserError> {
        self.catch(|decoder| decoder.receive(message))
    }
}

impl Guarded<Result<Box<dyn ParserDecoder>, Panicked>> {
    fn catch<T>(
        &mut self,
        call: impl FnOnce(&mut dyn ParserDecoder) -> Result<T, ParserError>,
    ) -> Result<T, ParserError> {
        match &mut self.0 {
            Ok(decoder) => {
                catch(|| call(&mut **decoder)).unwrap_or_else(|panicked| Err(error_of(&panicked)))
            }
            Err(panicked) => Err(error_of(panicked)),
        }
    }
}

fn error_of(Panicked(message): &Panicked) -> ParserError {
    limited!(warn, message, "the parser panicked");
    ParserError::new(format!("the parser panicked: {message}"))
}
