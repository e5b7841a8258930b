//! From MessagePack to the form in which handlers decode: JSON, with attachments beside it. No tree
//! is built, so that what is kept of a message is never many times as large as the message.

use bytes::Bytes;
use serde::Serialize;

use super::date::Date;
use super::read::{ReadError, Reader, Token};
use crate::socket::json::{write_placeholder, write_string};

/// Data in the default parser's form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Json {
    pub(super) text: String,
    pub(super) attachments: Vec<Bytes>,
}

/// What bytes become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    /// Placeholders for attachments.
    Attached,
    /// Lists of numbers.
    Numbers,
}

/// Writes one value, no deeper than 128: it is written recursively.
pub(super) fn to_json(value: &[u8], binary: Binary) -> Result<Json, ReadError> {
    let mut writer = Writer {
        reader: Reader::new(value),
        binary,
        // Most values are a little longer in JSON.
        json: Vec::with_capacity(value.len() + value.len() / 4),
        attachments: Vec::new(),
    };
    writer.value()?;
    let text = String::from_utf8(writer.json).map_err(|_| ReadError::InvalidUtf8)?;
    Ok(Json { text, attachments: writer.attachments })
}

/// Memory takes everything, and JSON has all that is written here: no error is possible.
struct Writer<'a> {
    reader: Reader<'a>,
    binary: Binary,
    json: Vec<u8>,
    attachments: Vec<Bytes>,
}

impl<'a> Writer<'a> {
    fn value(&mut self) -> Result<(), ReadError> {
        let token = self.reader.token()?;
        self.token(token)
    }

    fn token(&mut self, token: Token<'a>) -> Result<(), ReadError> {
        match token {
            Token::Undefined | Token::Null => self.json.extend_from_slice(b"null"),
            Token::Bool(value) => self.scalar(&value),
            Token::Unsigned(number) => self.integer(number),
            Token::Signed(number) => self.integer(number),
            // What is no number in JSON is `null` there.
            Token::Float(number) => self.scalar(&number),
            Token::Text(text) => self.text(text),
            Token::Binary(bytes) => self.bytes(bytes),
            Token::Date(millis) => match Date::from_millis(millis) {
                Some(date) => self.text(&date.to_string()),
                None => self.json.extend_from_slice(b"null"),
            },
            Token::List(count) => return self.list(count),
            Token::Map(count) => return self.map(count),
        }
        Ok(())
    }

    fn list(&mut self, count: usize) -> Result<(), ReadError> {
        self.json.push(b'[');
        for index in 0..count {
            if index > 0 {
                self.json.push(b',');
            }
            self.value()?;
        }
        self.json.push(b']');
        Ok(())
    }

    /// Leaves out what is `undefined`, as JavaScript does when it writes JSON.
    fn map(&mut self, count: usize) -> Result<(), ReadError> {
        self.json.push(b'{');
        let mut is_first = true;
        for _ in 0..count {
            let key = self.reader.token()?;
            let value = self.reader.token()?;
            if value == Token::Undefined {
                check_key(key)?;
                continue;
            }
            if !std::mem::take(&mut is_first) {
                self.json.push(b',');
            }
            self.key(key)?;
            self.json.push(b':');
            self.token(value)?;
        }
        self.json.push(b'}');
        Ok(())
    }

    /// To JavaScript all keys are text.
    fn key(&mut self, key: Token<'_>) -> Result<(), ReadError> {
        match key {
            Token::Text(text) => self.text(text),
            Token::Unsigned(number) => self.text(&number.to_string()),
            Token::Signed(number) => self.text(&number.to_string()),
            _ => return Err(ReadError::InvalidKey),
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match self.binary {
            Binary::Attached => {
                let number = self.attachments.len();
                self.attachments.push(Bytes::copy_from_slice(bytes));
                write_placeholder(&mut self.json, number);
            }
            Binary::Numbers => self.scalar(bytes),
        }
    }

    fn text(&mut self, text: &str) {
        let _ = write_string(&mut self.json, text);
    }

    fn integer(&mut self, number: impl itoa::Integer) {
        self.json.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn scalar<T: Serialize + ?Sized>(&mut self, value: &T) {
        let _ = serde_json::to_writer(&mut self.json, value);
    }
}

fn check_key(key: Token<'_>) -> Result<(), ReadError> {
    match key {
        Token::Text(_) | Token::Unsigned(_) | Token::Signed(_) => Ok(()),
        _ => Err(ReadError::InvalidKey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(bytes: &[u8], expected: &str) {
        let json = to_json(bytes, Binary::Attached);
        let expected = Json { text: expected.to_owned(), attachments: Vec::new() };
        assert_eq!(json, Ok(expected), "{bytes:02x?}");
    }

    #[test]
    fn values_are_those_of_json() {
        is(&[0x05], "5");
        is(&[0xe0], "-32");
        is(&[&[0xcf][..], &[0xff; 8]].concat(), "18446744073709551615");
        is(&[0xca, 0x3f, 0xc0, 0, 0], "1.5");
        is(&[0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0], "-0.0");
        is(&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], "null");
        is(&[0xca, 0xff, 0x80, 0, 0], "null");
        is(&[0xc0], "null");
        is(&[0xc3], "true");
        is(b"\xa5\"\\\n\xc3\xa9", "\"\\\"\\\\\\n\u{e9}\"");
        is(&[0x93, 1, 0x90, 0x91, 2], "[1,[],[2]]");
        is(b"\x82\xa1b\x01\xa1a\x80", "{\"b\":1,\"a\":{}}");
        is(b"\x82\x07\x01\xff\x02", "{\"7\":1,\"-1\":2}");
    }

    #[test]
    fn s_020_undefined_is_null_in_a_list_and_nothing_in_a_map() {
        is(&[0xd4, 0, 0], "null");
        is(&[0x92, 0xd4, 0, 0, 0xd4, 0, 7], "[null,null]");
        is(b"\x83\xa1a\xd4\x00\x00\xa1b\x01\xa1c\xd4\x00\x00", "{\"b\":1}");
    }

    #[test]
    fn s_020_a_date_is_its_text() {
        is(&[0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0], "\"1970-01-01T00:00:00.000Z\"");
        is(&[0xd7, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0], "null");
    }

    #[test]
    fn bytes_are_attachments_or_numbers() {
        let list = [0x92, 0xc4, 1, 9, 0xc7, 2, 0, 8, 7];
        let attached = Json {
            text: "[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]".into(),
            attachments: vec![Bytes::from_static(&[9]), Bytes::from_static(&[8, 7])],
        };
        assert_eq!(to_json(&list, Binary::Attached), Ok(attached));
        let numbers = Json { text: "[[9],[8,7]]".into(), attachments: Vec::new() };
        assert_eq!(to_json(&list, Binary::Numbers), Ok(numbers));
    }

    #[test]
    fn keys_are_text_or_whole_numbers() {
        for bytes in [
            &[0x81, 0xc0, 0][..],
            &[0x81, 0xca, 0, 0, 0, 0, 0],
            &[0x81, 0xd4, 0, 0, 0],
            &[0x81, 0x90, 0],
            &[0x81, 0xc0, 0xd4, 0, 0],
        ] {
            let found = to_json(bytes, Binary::Attached);
            assert_eq!(found, Err(ReadError::InvalidKey), "{bytes:02x?}");
        }
    }
}
