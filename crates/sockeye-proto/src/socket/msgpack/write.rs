use std::fmt;

use serde_json::Number;

use super::MAX_DEPTH;
use crate::socket::{Map, PacketKind, ParserPacket, Value};

/// Why a packet cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteError {
    TooDeep,
    TooLong,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooDeep => "nested deeper than 128",
            Self::TooLong => "a text, list or object is too long for MessagePack",
        })
    }
}

impl std::error::Error for WriteError {}

/// The packet as one map, with its keys in the reference's order (S-019).
pub(super) fn packet(packet: &ParserPacket) -> Result<Vec<u8>, WriteError> {
    let mut writer = Writer { bytes: Vec::with_capacity(64) };
    let ParserPacket { kind, namespace, id, data } = packet;
    // CONNECT has its data even if it is undefined (S-020).
    let has_data = data.is_some() || *kind == PacketKind::Connect;
    writer.bytes.push(0x82 + u8::from(has_data) + u8::from(id.is_some()));
    let id_goes_first = *kind == PacketKind::Acknowledgement;
    if id_goes_first {
        writer.id(*id)?;
    }
    writer.string("type")?;
    writer.bytes.push(kind.number());
    if has_data {
        writer.string("data")?;
        writer.data(*kind, data.as_ref())?;
    }
    if !id_goes_first {
        writer.id(*id)?;
    }
    writer.string("nsp")?;
    writer.string(namespace)?;
    Ok(writer.bytes)
}

/// The integer that a float is, if it is one that every JavaScript number can be.
pub(super) fn exact_integer(number: f64) -> Option<i64> {
    const LIMIT: f64 = (1_i64 << 53) as f64;
    let is_exact = number.fract() == 0.0 && number.abs() <= LIMIT;
    // The sign of minus zero would be lost.
    (is_exact && (number != 0.0 || number.is_sign_positive())).then_some(number as i64)
}

/// How the length of a value is written: with its marker in one byte, or behind it.
struct Form {
    /// The marker to which lengths below `fits` are added.
    fixed: u8,
    fits: u8,
    /// The marker before a length of 8 bits.
    eight: Option<u8>,
    /// The marker before a length of 16 bits; that for 32 is the next.
    sixteen: u8,
}

const STRING: Form = Form { fixed: 0xa0, fits: 0x20, eight: Some(0xd9), sixteen: 0xda };
const BINARY: Form = Form { fixed: 0, fits: 0, eight: Some(0xc4), sixteen: 0xc5 };
const LIST: Form = Form { fixed: 0x90, fits: 0x10, eight: None, sixteen: 0xdc };
const MAP: Form = Form { fixed: 0x80, fits: 0x10, eight: None, sixteen: 0xde };

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn id(&mut self, id: Option<u64>) -> Result<(), WriteError> {
        let Some(id) = id else { return Ok(()) };
        self.string("id")?;
        self.unsigned(id);
        Ok(())
    }

    fn data(&mut self, kind: PacketKind, data: Option<&Value>) -> Result<(), WriteError> {
        match (kind, data) {
            (_, None) => {
                self.undefined();
                Ok(())
            }
            (PacketKind::Connect, Some(Value::Object(entries))) if entries.contains_key("sid") => {
                self.ordered(entries, ["sid", "pid"])
            }
            (PacketKind::ConnectError, Some(Value::Object(entries)))
                if entries.contains_key("message") =>
            {
                self.ordered(entries, ["message", "data"])
            }
            (_, Some(data)) => self.value(data, 1),
        }
    }

    /// A map in which these keys go first, `undefined` if they are not there: what the reference's
    /// server makes is an object with all of its fields (S-020).
    fn ordered(&mut self, entries: &Map, first: [&str; 2]) -> Result<(), WriteError> {
        let is_other = |key: &str| !first.contains(&key);
        let others = entries.keys().filter(|key| is_other(key)).count();
        self.head(&MAP, first.len() + others)?;
        for key in first {
            self.string(key)?;
            match entries.get(key) {
                Some(value) => self.value(value, 2)?,
                None => self.undefined(),
            }
        }
        for (key, value) in entries.iter().filter(|(key, _)| is_other(key)) {
            self.string(key)?;
            self.value(value, 2)?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), WriteError> {
        match value {
            Value::Null => self.bytes.push(0xc0),
            Value::Bool(value) => self.bytes.push(0xc2 + u8::from(*value)),
            Value::Number(number) => self.number(number),
            Value::String(text) => self.string(text)?,
            Value::Binary(bytes) => {
                self.head(&BINARY, bytes.len())?;
                self.bytes.extend_from_slice(bytes);
            }
            Value::Array(items) => {
                let inside = deeper(depth)?;
                self.head(&LIST, items.len())?;
                items.iter().try_for_each(|item| self.value(item, inside))?;
            }
            Value::Object(entries) => {
                let inside = deeper(depth)?;
                self.head(&MAP, entries.len())?;
                for (key, value) in entries {
                    self.string(key)?;
                    self.value(value, inside)?;
                }
            }
        }
        Ok(())
    }

    /// In the shortest form, as for JavaScript, which has no other numbers than floats.
    fn number(&mut self, number: &Number) {
        if let Some(number) = number.as_u64() {
            self.unsigned(number);
        } else if let Some(number) = number.as_i64() {
            self.signed(number);
        } else {
            let float = number.as_f64().unwrap_or_default();
            match exact_integer(float) {
                Some(integer) => self.signed(integer),
                None => self.marked(0xcb, float.to_be_bytes()),
            }
        }
    }

    fn unsigned(&mut self, number: u64) {
        match number {
            0..=0x7f => self.bytes.push(number as u8),
            0x80..=0xff => self.marked(0xcc, [number as u8]),
            0x100..=0xffff => self.marked(0xcd, (number as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.marked(0xce, (number as u32).to_be_bytes()),
            _ => self.marked(0xcf, number.to_be_bytes()),
        }
    }

    fn signed(&mut self, number: i64) {
        match number {
            0.. => self.unsigned(number.unsigned_abs()),
            -0x20..0 => self.bytes.push(number as u8),
            -0x80..-0x20 => self.marked(0xd0, [number as u8]),
            -0x8000..-0x80 => self.marked(0xd1, (number as i16).to_be_bytes()),
            -0x8000_0000..-0x8000 => self.marked(0xd2, (number as i32).to_be_bytes()),
            _ => self.marked(0xd3, number.to_be_bytes()),
        }
    }

    fn string(&mut self, text: &str) -> Result<(), WriteError> {
        self.head(&STRING, text.len())?;
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn head(&mut self, form: &Form, length: usize) -> Result<(), WriteError> {
        match (u8::try_from(length), u16::try_from(length), form.eight) {
            (Ok(short), ..) if short < form.fits => self.bytes.push(form.fixed + short),
            (Ok(short), _, Some(eight)) => self.marked(eight, [short]),
            (_, Ok(medium), _) => self.marked(form.sixteen, medium.to_be_bytes()),
            _ => {
                let long = u32::try_from(length).map_err(|_| WriteError::TooLong)?;
                self.marked(form.sixteen + 1, long.to_be_bytes());
            }
        }
        Ok(())
    }

    fn undefined(&mut self) {
        self.marked(0xd4, [0, 0]);
    }

    fn marked<const N: usize>(&mut self, marker: u8, bytes: [u8; N]) {
        self.bytes.push(marker);
        self.bytes.extend_from_slice(&bytes);
    }
}

const fn deeper(depth: usize) -> Result<usize, WriteError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(WriteError::TooDeep) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::socket::msgpack::json;

    fn written(value: &Value) -> Vec<u8> {
        let mut writer = Writer { bytes: Vec::new() };
        writer.value(value, 0).unwrap();
        let read =
            json::to_json(&writer.bytes, json::Binary::Attached).and_then(super::super::value);
        assert_eq!(read, Ok(value.clone()));
        writer.bytes
    }

    #[track_caller]
    fn writes(json: serde_json::Value, expected: &[u8]) {
        assert_eq!(written(&serde_json::from_value(json).unwrap()), expected);
    }

    /// Bytes that `notepack.io` 2.2.0 made.
    #[test]
    fn numbers_are_as_short_as_the_references() {
        writes(json!(0), &[0x00]);
        writes(json!(127), &[0x7f]);
        writes(json!(128), &[0xcc, 0x80]);
        writes(json!(255), &[0xcc, 0xff]);
        writes(json!(256), &[0xcd, 0x01, 0x00]);
        writes(json!(65_535), &[0xcd, 0xff, 0xff]);
        writes(json!(65_536), &[0xce, 0, 1, 0, 0]);
        writes(json!(4_294_967_295_u32), &[0xce, 0xff, 0xff, 0xff, 0xff]);
        writes(json!(4_294_967_296_u64), &[0xcf, 0, 0, 0, 1, 0, 0, 0, 0]);
        writes(
            json!(9_007_199_254_740_991_u64),
            &[0xcf, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        );
        writes(json!(-1), &[0xff]);
        writes(json!(-32), &[0xe0]);
        writes(json!(-33), &[0xd0, 0xdf]);
        writes(json!(-128), &[0xd0, 0x80]);
        writes(json!(-129), &[0xd1, 0xff, 0x7f]);
        writes(json!(-32_768), &[0xd1, 0x80, 0x00]);
        writes(json!(-32_769), &[0xd2, 0xff, 0xff, 0x7f, 0xff]);
        writes(json!(-2_147_483_648), &[0xd2, 0x80, 0, 0, 0]);
        writes(json!(-2_147_483_649_i64), &[0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        writes(json!(1.5), &[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
        writes(json!(-0.1), &[0xcb, 0xbf, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]);
        writes(json!(5e-324), &[0xcb, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_float_that_is_whole_is_an_integer_as_in_javascript() {
        for (float, expected) in [
            (1.0, &[0x01][..]),
            (-33.0, &[0xd0, 0xdf]),
            (0.0, &[0x00]),
            (-0.0, &[0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            (9_007_199_254_740_992.0, &[0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0]),
            (1e21, &[0xcb, 0x44, 0x4b, 0x1a, 0xe4, 0xd6, 0xe2, 0xef, 0x50]),
        ] {
            let mut writer = Writer { bytes: Vec::new() };
            writer.number(&Number::from_f64(float).unwrap());
            assert_eq!(writer.bytes, expected, "{float}");
        }
    }

    #[test]
    fn lengths_are_as_short_as_the_references() {
        let head = |value: Value| written(&value)[..6].to_vec();
        let text = |length| head(Value::String("x".repeat(length)));
        assert_eq!(text(31)[..2], [0xbf, b'x']);
        assert_eq!(text(32)[..3], [0xd9, 0x20, b'x']);
        assert_eq!(text(255)[..3], [0xd9, 0xff, b'x']);
        assert_eq!(text(256)[..4], [0xda, 0x01, 0x00, b'x']);
        assert_eq!(text(65_535)[..4], [0xda, 0xff, 0xff, b'x']);
        assert_eq!(text(65_536), [0xdb, 0, 1, 0, 0, b'x']);
        let binary = |length| head(Value::Binary(Bytes::from(vec![7; length])));
        assert_eq!(binary(15)[..3], [0xc4, 0x0f, 7]);
        assert_eq!(binary(255)[..3], [0xc4, 0xff, 7]);
        assert_eq!(binary(256)[..4], [0xc5, 0x01, 0x00, 7]);
        assert_eq!(binary(65_536), [0xc6, 0, 1, 0, 0, 7]);
        let list = |length| head(Value::Array(vec![Value::Bool(true); length]));
        assert_eq!(list(15)[..2], [0x9f, 0xc3]);
        assert_eq!(list(16)[..4], [0xdc, 0x00, 0x10, 0xc3]);
        assert_eq!(list(65_536), [0xdd, 0, 1, 0, 0, 0xc3]);
        let map = |length| {
            head(Value::Object((0..length).map(|key| (format!("{key:06}"), Value::Null)).collect()))
        };
        assert_eq!(map(15)[..2], [0x8f, 0xa6]);
        assert_eq!(map(16)[..4], [0xde, 0x00, 0x10, 0xa6]);
        assert_eq!(map(65_536), [0xdf, 0, 1, 0, 0, 0xa6]);
    }

    #[test]
    fn others_are_the_references() {
        writes(json!("é€😀"), b"\xa9\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
        writes(json!(""), &[0xa0]);
        writes(json!([]), &[0x90]);
        writes(json!({}), &[0x80]);
        writes(json!([1, [2]]), &[0x92, 0x01, 0x91, 0x02]);
        let nested = b"\x82\xa1a\x01\xa1b\x81\xa1c\x93\xc0\xc3\xc2";
        writes(json!({"a": 1, "b": {"c": [null, true, false]}}), nested);
        assert_eq!(written(&Value::Binary(Bytes::new())), [0xc4, 0x00]);
    }
}
