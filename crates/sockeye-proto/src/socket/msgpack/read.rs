use std::fmt;

use smallvec::SmallVec;

use super::MAX_DEPTH;
use super::write::exact_integer;
use crate::socket::{DecodeError, PacketKind, ParserError};

/// Why a message is no packet. Where the reference has words for it, they are these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    Text,
    Truncated,
    TrailingBytes(usize),
    UnknownMarker,
    TooDeep,
    InvalidUtf8,
    UnknownExtension(i8),
    InvalidKey,
    NotAMap,
    PacketType,
    Namespace,
    Packet(DecodeError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "got a text message where packets are MessagePack",
            Self::Truncated => "the message ends before the packet does",
            Self::TrailingBytes(count) => return write!(f, "{count} trailing bytes"),
            Self::UnknownMarker => "Could not parse",
            Self::TooDeep => "nested deeper than 128",
            Self::InvalidUtf8 => "a text is no UTF-8",
            Self::UnknownExtension(kind) => return write!(f, "unknown extension type {kind}"),
            Self::InvalidKey => "a key is neither text nor a whole number",
            Self::NotAMap => "the packet is no map",
            Self::PacketType => "invalid packet type",
            Self::Namespace => "invalid namespace",
            Self::Packet(error) => return error.fmt(f),
        })
    }
}

impl std::error::Error for ReadError {}

impl From<ReadError> for ParserError {
    fn from(error: ReadError) -> Self {
        Self::new(error)
    }
}

impl From<DecodeError> for ReadError {
    fn from(error: DecodeError) -> Self {
        Self::Packet(error)
    }
}

/// The parts of a packet.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    pub(super) kind: PacketKind,
    pub(super) namespace: &'a str,
    pub(super) id: Option<u64>,
    /// One value, which has been looked through: it is whole, and no deeper than it may be.
    pub(super) data: Option<&'a [u8]>,
}

/// Takes a message apart. Keys that are not the packet's are ignored; the official client sends
/// `options` (S-019). Of a key given twice the last one counts, and `undefined` is as none.
pub(super) fn fields(message: &[u8]) -> Result<Fields<'_>, ReadError> {
    let mut reader = Reader::new(message);
    let Token::Map(count) = reader.token()? else { return Err(ReadError::NotAMap) };
    let (mut kind, mut namespace, mut id, mut data) = (None, None, None, None);
    for _ in 0..count {
        let key = reader.token()?;
        let value = reader.value()?;
        match key {
            Token::Text("type") => kind = value,
            Token::Text("nsp") => namespace = value,
            Token::Text("id") => id = value,
            Token::Text("data") => data = value,
            Token::Text(_) | Token::Unsigned(_) | Token::Signed(_) => {}
            _ => return Err(ReadError::InvalidKey),
        }
    }
    if !reader.rest.is_empty() {
        return Err(ReadError::TrailingBytes(reader.rest.len()));
    }
    let kind = kind.and_then(first).and_then(whole_number).and_then(PacketKind::from_number);
    let kind = kind.ok_or(ReadError::PacketType)?;
    let Some(Token::Text(namespace)) = namespace.and_then(first) else {
        return Err(ReadError::Namespace);
    };
    let id = match id {
        Some(id) => Some(first(id).and_then(whole_number).ok_or(DecodeError::InvalidId)?),
        None => None,
    };
    Ok(Fields { kind, namespace, id, data })
}

fn first(value: &[u8]) -> Option<Token<'_>> {
    Reader::new(value).token().ok()
}

/// To JavaScript `1.0` and `1` are the same.
fn whole_number(token: Token<'_>) -> Option<u64> {
    match token {
        Token::Unsigned(number) => Some(number),
        Token::Signed(number) => u64::try_from(number).ok(),
        Token::Float(number) => exact_integer(number).and_then(|number| u64::try_from(number).ok()),
        _ => None,
    }
}

/// What stands at one place of a message. Of a list or map it is the beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Undefined,
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
    Binary(&'a [u8]),
    /// Milliseconds since the epoch.
    Date(i64),
    /// So many values follow.
    List(usize),
    /// So many keys follow, each with its value.
    Map(usize),
}

/// A place in a message.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    pub(super) fn token(&mut self) -> Result<Token<'a>, ReadError> {
        let [marker] = self.array()?;
        let low = |mask: u8| usize::from(marker & mask);
        Ok(match marker {
            0x00..=0x7f => Token::Unsigned(marker.into()),
            0x80..=0x8f => Token::Map(low(0x0f)),
            0x90..=0x9f => Token::List(low(0x0f)),
            0xa0..=0xbf => self.text(low(0x1f))?,
            0xc0 => Token::Null,
            0xc1 => return Err(ReadError::UnknownMarker),
            0xc2 | 0xc3 => Token::Bool(marker == 0xc3),
            0xc4..=0xc6 => {
                let length = self.length(marker - 0xc4)?;
                Token::Binary(self.take(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(marker - 0xc7)?;
                self.extension(length, false)?
            }
            0xca => Token::Float(f32::from_be_bytes(self.array()?).into()),
            0xcb => Token::Float(f64::from_be_bytes(self.array()?)),
            0xcc..=0xcf => Token::Unsigned(self.unsigned(marker - 0xcc)?),
            0xd0..=0xd3 => Token::Signed(self.signed(marker - 0xd0)?),
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4), true)?,
            0xd9..=0xdb => {
                let length = self.length(marker - 0xd9)?;
                self.text(length)?
            }
            0xdc | 0xdd => Token::List(self.length(marker - 0xdb)?),
            0xde | 0xdf => Token::Map(self.length(marker - 0xdd)?),
            0xe0..=0xff => Token::Signed(marker.cast_signed().into()),
        })
    }

    /// Steps over the value of one of the packet's keys, and checks what can be checked without
    /// keeping anything. `None` is `undefined`.
    fn value(&mut self) -> Result<Option<&'a [u8]>, ReadError> {
        let start = self.rest;
        let first = Self::new(start).token()?;
        self.skip()?;
        let value = start.get(..start.len() - self.rest.len());
        Ok(value.filter(|_| first != Token::Undefined))
    }

    fn skip(&mut self) -> Result<(), ReadError> {
        // How many values each open list or map still has to have.
        let mut open = SmallVec::<[usize; 8]>::new();
        loop {
            let values = match self.token()? {
                Token::List(count) => Some(count),
                Token::Map(count) => Some(count.saturating_mul(2)),
                _ => None,
            };
            if let Some(values) = values {
                // The packet itself is the outermost.
                if open.len() + 1 == MAX_DEPTH {
                    return Err(ReadError::TooDeep);
                }
                open.push(values);
            }
            loop {
                match open.last_mut() {
                    None => return Ok(()),
                    Some(0) => drop(open.pop()),
                    Some(left) => {
                        *left -= 1;
                        break;
                    }
                }
            }
        }
    }

    fn text(&mut self, length: usize) -> Result<Token<'a>, ReadError> {
        let text = simdutf8::basic::from_utf8(self.take(length)?);
        text.map(Token::Text).map_err(|_| ReadError::InvalidUtf8)
    }

    /// `undefined`, a date, or an `ArrayBuffer`: all are type 0, told apart by their form (S-020).
    fn extension(&mut self, length: usize, fixed: bool) -> Result<Token<'a>, ReadError> {
        let [kind] = self.array()?;
        match (kind, fixed, self.take(length)?) {
            (0, true, [_]) => Ok(Token::Undefined),
            (0, true, &[a, b, c, d, e, f, g, h]) => {
                Ok(Token::Date(i64::from_be_bytes([a, b, c, d, e, f, g, h])))
            }
            (0, false, data) => Ok(Token::Binary(data)),
            _ => Err(ReadError::UnknownExtension(kind.cast_signed())),
        }
    }

    /// A number of 1, 2, 4 or 8 bytes: two to the power of `width`.
    fn unsigned(&mut self, width: u8) -> Result<u64, ReadError> {
        let bytes = self.take(1 << width)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, width: u8) -> Result<i64, ReadError> {
        let free = 64 - (8 << width);
        Ok((self.unsigned(width)? << free).cast_signed() >> free)
    }

    fn length(&mut self, width: u8) -> Result<usize, ReadError> {
        // On a machine that cannot count so far the message cannot have so many bytes.
        Ok(usize::try_from(self.unsigned(width)?).unwrap_or(usize::MAX))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(bytes: &[u8], expected: Token<'_>) {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.token(), Ok(expected), "{bytes:02x?}");
        assert!(reader.rest.is_empty(), "{bytes:02x?}");
    }

    #[test]
    fn every_form_of_every_type() {
        use Token::*;
        reads(&[0x00], Unsigned(0));
        reads(&[0x7f], Unsigned(127));
        reads(&[0xe0], Signed(-32));
        reads(&[0xff], Signed(-1));
        reads(&[0xcc, 0xff], Unsigned(255));
        reads(&[0xcd, 0xff, 0xff], Unsigned(65_535));
        reads(&[0xce, 0xff, 0xff, 0xff, 0xff], Unsigned(4_294_967_295));
        reads(&[&[0xcf][..], &[0xff; 8]].concat(), Unsigned(u64::MAX));
        reads(&[0xd0, 0x80], Signed(-128));
        reads(&[0xd0, 0x01], Signed(1));
        reads(&[0xd1, 0x80, 0x00], Signed(-32_768));
        reads(&[0xd2, 0x80, 0, 0, 0], Signed(i32::MIN.into()));
        reads(&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], Signed(i64::MIN));
        reads(&[0xca, 0x3f, 0xc0, 0, 0], Float(1.5));
        reads(&[0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], Float(0.1));
        reads(&[0xc0], Null);
        reads(&[0xc2], Bool(false));
        reads(&[0xc3], Bool(true));
        reads(&[0xa0], Text(""));
        reads(b"\xa5\xc3\xa9\xe2\x82\xac", Text("é€"));
        reads(b"\xd9\x01a", Text("a"));
        reads(b"\xda\x00\x01a", Text("a"));
        reads(b"\xdb\x00\x00\x00\x01a", Text("a"));
        reads(&[0x92], List(2));
        reads(&[0xdc, 1, 0], List(256));
        reads(&[0xdd, 0, 0, 1, 0], List(256));
        reads(&[0x82], Map(2));
        reads(&[0xde, 1, 0], Map(256));
        reads(&[0xdf, 0, 0, 1, 0], Map(256));
    }

    #[test]
    fn s_020_extensions_of_type_0_are_told_apart_by_their_form() {
        use Token::*;
        reads(&[0xd4, 0, 0], Undefined);
        reads(&[0xd4, 0, 9], Undefined);
        reads(&[&[0xd7, 0][..], &[0xff; 8]].concat(), Date(-1));
        for bytes in [
            &[0xc4, 1, 9][..],
            &[0xc5, 0, 1, 9],
            &[0xc6, 0, 0, 0, 1, 9],
            &[0xc7, 1, 0, 9],
            &[0xc8, 0, 1, 0, 9],
            &[0xc9, 0, 0, 0, 1, 0, 9],
        ] {
            reads(bytes, Binary(&[9]));
        }
        reads(&[&[0xc7, 8, 0][..], &[0; 8]].concat(), Binary(&[0; 8]));
    }

    #[test]
    fn p_12_what_is_no_value_is_named() {
        use ReadError::*;
        let nested = |marker: &[u8], depth: usize| [marker.repeat(depth), vec![0xc0]].concat();
        for (bytes, expected) in [
            (&[][..], Truncated),
            (&[0xcd, 1], Truncated),
            (&[0xa2, b'a'], Truncated),
            (&[0xdd, 0xff, 0xff, 0xff, 0xff], Truncated),
            (&[0xdf, 0xff, 0xff, 0xff, 0xff], Truncated),
            (&[0xc6, 0xff, 0xff, 0xff, 0xff], Truncated),
            (&[0xc9, 0xff, 0xff, 0xff, 0xff, 0], Truncated),
            (&[0xdb, 0xff, 0xff, 0xff, 0xff], Truncated),
            (&[0x92, 0x92, 0, 0], Truncated),
            (&[0xc1], UnknownMarker),
            (&[0xa1, 0xff], InvalidUtf8),
            (b"\xa3\xed\xa0\x80", InvalidUtf8),
            (&[0xd4, 1, 0], UnknownExtension(1)),
            (&[0xd4, 0xff, 0], UnknownExtension(-1)),
            (&[0xd6, 0, 0, 0, 0, 0], UnknownExtension(0)),
            (&[0xc7, 1, 5, 0], UnknownExtension(5)),
            (&nested(&[0x91], MAX_DEPTH), TooDeep),
            (&nested(b"\x81\xa1a", MAX_DEPTH), TooDeep),
            (&nested(&[0x91], 1_000_000), TooDeep),
            (&nested(b"\x81\xa1a", 1_000_000), TooDeep),
            (&nested(&[0x81], 1_000_000), TooDeep),
        ] {
            let found = Reader::new(bytes).value();
            assert_eq!(found, Err(expected), "{:02x?}", &bytes[..bytes.len().min(20)]);
        }
        for marker in [&[0x91][..], b"\x81\xa1a"] {
            let deepest = nested(marker, MAX_DEPTH - 1);
            assert_eq!(Reader::new(&deepest).value(), Ok(Some(&deepest[..])));
        }
    }
}
