use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde_json::Number;

use super::MAX_DEPTH;
use super::date::Date;
use crate::socket::{DecodeError, Value};

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

impl From<DecodeError> for ReadError {
    fn from(error: DecodeError) -> Self {
        Self::Packet(error)
    }
}

/// Reads the one value that the message is. `None` is `undefined`.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Value>, ReadError> {
    let mut reader = Reader { rest: bytes, announced: 0 };
    let value = reader.value(0)?;
    match reader.rest.len() {
        0 => Ok(value),
        count => Err(ReadError::TrailingBytes(count)),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Values that open lists and maps still have to have. Each takes a byte or more, so whoever
    /// announces more than there are bytes lies; and lists can be made in their full size, because
    /// those of one message together have no more items than it has bytes.
    announced: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Option<Value>, ReadError> {
        let [marker] = self.array()?;
        let low = |mask: u8| usize::from(marker & mask);
        let value = match marker {
            0x00..=0x7f => Value::Number(marker.into()),
            0x80..=0x8f => self.map(low(0x0f), depth)?,
            0x90..=0x9f => self.list(low(0x0f), depth)?,
            0xa0..=0xbf => self.string(low(0x1f))?,
            0xc0 => Value::Null,
            0xc1 => return Err(ReadError::UnknownMarker),
            0xc2 | 0xc3 => Value::Bool(marker == 0xc3),
            0xc4..=0xc6 => {
                let length = self.length(marker - 0xc4)?;
                Value::Binary(Bytes::copy_from_slice(self.take(length)?))
            }
            0xc7..=0xc9 => {
                let length = self.length(marker - 0xc7)?;
                return self.extension(length, false);
            }
            0xca => float(f32::from_be_bytes(self.array()?).into()),
            0xcb => float(f64::from_be_bytes(self.array()?)),
            0xcc..=0xcf => Value::Number(self.unsigned(marker - 0xcc)?.into()),
            0xd0..=0xd3 => Value::Number(self.signed(marker - 0xd0)?.into()),
            0xd4..=0xd8 => return self.extension(1 << (marker - 0xd4), true),
            0xd9..=0xdb => {
                let length = self.length(marker - 0xd9)?;
                self.string(length)?
            }
            0xdc | 0xdd => {
                let count = self.length(marker - 0xdb)?;
                self.list(count, depth)?
            }
            0xde | 0xdf => {
                let count = self.length(marker - 0xdd)?;
                self.map(count, depth)?
            }
            0xe0..=0xff => Value::Number(marker.cast_signed().into()),
        };
        Ok(Some(value))
    }

    fn list(&mut self, count: usize, depth: usize) -> Result<Value, ReadError> {
        self.open(count, depth)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            self.announced -= 1;
            items.push(self.value(depth + 1)?.unwrap_or_default());
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, count: usize, depth: usize) -> Result<Value, ReadError> {
        self.open(count.saturating_mul(2), depth)?;
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            self.announced -= 2;
            let key = match self.value(depth + 1)? {
                Some(Value::String(text)) => text,
                // To JavaScript all keys are text.
                Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
                _ => return Err(ReadError::InvalidKey),
            };
            // Also of a key given twice the last value counts (`undefined` is none).
            match self.value(depth + 1)? {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
        }
        Ok(Value::Object(entries))
    }

    fn open(&mut self, values: usize, depth: usize) -> Result<(), ReadError> {
        if depth == MAX_DEPTH {
            return Err(ReadError::TooDeep);
        }
        self.announced = self.announced.saturating_add(values);
        if self.announced > self.rest.len() { Err(ReadError::Truncated) } else { Ok(()) }
    }

    fn string(&mut self, length: usize) -> Result<Value, ReadError> {
        let text = simdutf8::basic::from_utf8(self.take(length)?);
        Ok(Value::String(text.map_err(|_| ReadError::InvalidUtf8)?.to_owned()))
    }

    /// `undefined`, a date, or an `ArrayBuffer`: all are type 0, told apart by their form (S-020).
    fn extension(&mut self, length: usize, fixed: bool) -> Result<Option<Value>, ReadError> {
        let [kind] = self.array()?;
        let data = self.take(length)?;
        match (kind, fixed, data) {
            (0, true, [_]) => Ok(None),
            (0, true, &[a, b, c, d, e, f, g, h]) => {
                let date = Date::from_millis(i64::from_be_bytes([a, b, c, d, e, f, g, h]));
                Ok(Some(date.map_or(Value::Null, |date| Value::String(date.to_string()))))
            }
            (0, false, data) => Ok(Some(Value::Binary(Bytes::copy_from_slice(data)))),
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

    fn take(&mut self, count: usize) -> Result<&[u8], ReadError> {
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

/// What is no number in JSON is `null` there.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(json: serde_json::Value) -> Value {
        serde_json::from_value(json).unwrap()
    }

    #[track_caller]
    fn reads(bytes: &[u8], expected: serde_json::Value) {
        assert_eq!(read(bytes), Ok(Some(value(expected))), "{bytes:02x?}");
    }

    #[test]
    fn every_form_of_every_type() {
        reads(&[0x00], json!(0));
        reads(&[0x7f], json!(127));
        reads(&[0xe0], json!(-32));
        reads(&[0xff], json!(-1));
        reads(&[0xcc, 0xff], json!(255));
        reads(&[0xcd, 0xff, 0xff], json!(65_535));
        reads(&[0xce, 0xff, 0xff, 0xff, 0xff], json!(4_294_967_295_u32));
        reads(&[&[0xcf][..], &[0xff; 8]].concat(), json!(u64::MAX));
        reads(&[0xd0, 0x80], json!(-128));
        reads(&[0xd0, 0x01], json!(1));
        reads(&[0xd1, 0x80, 0x00], json!(-32_768));
        reads(&[0xd2, 0x80, 0, 0, 0], json!(i32::MIN));
        reads(&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], json!(i64::MIN));
        reads(&[0xca, 0x3f, 0xc0, 0, 0], json!(1.5));
        reads(&[0xcb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], json!(0.1));
        reads(&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], json!(null));
        reads(&[0xca, 0xff, 0x80, 0, 0], json!(null));
        reads(&[0xc0], json!(null));
        reads(&[0xc2], json!(false));
        reads(&[0xc3], json!(true));
        reads(&[0xa0], json!(""));
        reads(b"\xa5\xc3\xa9\xe2\x82\xac", json!("é€"));
        reads(b"\xd9\x01a", json!("a"));
        reads(b"\xda\x00\x01a", json!("a"));
        reads(b"\xdb\x00\x00\x00\x01a", json!("a"));
        reads(&[0x90], json!([]));
        reads(&[0x92, 1, 0x91, 2], json!([1, [2]]));
        reads(&[0xdc, 0, 1, 3], json!([3]));
        reads(&[0xdd, 0, 0, 0, 1, 3], json!([3]));
        reads(&[0x80], json!({}));
        reads(b"\x82\xa1b\x01\xa1a\x02", json!({"a": 2, "b": 1}));
        reads(b"\xde\x00\x01\xa1a\x80", json!({"a": {}}));
        reads(b"\xdf\x00\x00\x00\x01\xa1a\x90", json!({"a": []}));
    }

    #[test]
    fn binary_in_every_form() {
        let expected = Value::Binary(Bytes::from_static(&[9]));
        for bytes in [
            &[0xc4, 1, 9][..],
            &[0xc5, 0, 1, 9],
            &[0xc6, 0, 0, 0, 1, 9],
            &[0xc7, 1, 0, 9],
            &[0xc8, 0, 1, 0, 9],
            &[0xc9, 0, 0, 0, 1, 0, 9],
        ] {
            assert_eq!(read(bytes), Ok(Some(expected.clone())), "{bytes:02x?}");
        }
        // Eight bytes in an `ArrayBuffer` are no date.
        let eight = [&[0xc7, 8, 0][..], &[0; 8]].concat();
        assert_eq!(read(&eight), Ok(Some(Value::Binary(Bytes::from_static(&[0; 8])))));
    }

    #[test]
    fn s_020_undefined_is_null_in_a_list_and_nothing_in_a_map() {
        assert_eq!(read(&[0xd4, 0, 0]), Ok(None));
        reads(&[0x92, 0xd4, 0, 0, 0xd4, 0, 7], json!([null, null]));
        reads(b"\x82\xa1a\xd4\x00\x00\xa1b\x01", json!({"b": 1}));
    }

    #[test]
    fn s_020_a_date_is_its_text() {
        reads(&[0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0], json!("1970-01-01T00:00:00.000Z"));
        let before = [&[0xd7, 0][..], &[0xff; 8]].concat();
        reads(&before, json!("1969-12-31T23:59:59.999Z"));
        reads(&[0xd7, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0], json!(null));
    }

    #[test]
    fn of_a_key_given_twice_the_last_value_counts() {
        reads(b"\x82\xa1a\x01\xa1a\x02", json!({"a": 2}));
        reads(b"\x82\xa1a\x01\xa1a\xd4\x00\x00", json!({}));
        reads(b"\x82\x07\x01\xa17\x02", json!({"7": 2}));
    }

    #[test]
    fn p_12_what_is_no_message_is_named() {
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
            (&[0xc0, 0xc0, 0xc0], TrailingBytes(2)),
            (&[0xc1], UnknownMarker),
            (&[0xa1, 0xff], InvalidUtf8),
            (b"\xa3\xed\xa0\x80", InvalidUtf8),
            (&[0xd4, 1, 0], UnknownExtension(1)),
            (&[0xd4, 0xff, 0], UnknownExtension(-1)),
            (&[0xd6, 0, 0, 0, 0, 0], UnknownExtension(0)),
            (&[0xc7, 1, 5, 0], UnknownExtension(5)),
            (&[0x81, 0xc0, 0], InvalidKey),
            (&[0x81, 0xca, 0, 0, 0, 0, 0], InvalidKey),
            (&[0x81, 0xd4, 0, 0, 0], InvalidKey),
            (&[0x81, 0x90, 0], InvalidKey),
            (&nested(&[0x91], MAX_DEPTH + 1), TooDeep),
            (&nested(b"\x81\xa1a", MAX_DEPTH + 1), TooDeep),
            (&nested(&[0x91], 1_000_000), TooDeep),
            (&nested(b"\x81\xa1a", 1_000_000), TooDeep),
        ] {
            assert_eq!(read(bytes), Err(expected), "{:02x?}", &bytes[..bytes.len().min(20)]);
        }
        assert!(read(&nested(&[0x91], MAX_DEPTH)).is_ok());
        assert!(read(&nested(b"\x81\xa1a", MAX_DEPTH)).is_ok());
    }
}
