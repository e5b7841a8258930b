use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

mod deserialize;

/// Any Socket.IO data: JSON, with bytes anywhere in it.
///
/// For a program that does not know its types, such as a relay that changes what it relays. A
/// handler that knows them decodes straight into them.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has exactly these values")]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number of JSON.
    Number(Number),
    /// Text.
    String(String),
    /// Bytes; an attachment on the wire.
    Binary(Bytes),
    /// A list.
    Array(Vec<Self>),
    /// An object. Of a key given twice the last one counts.
    Object(BTreeMap<String, Self>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Binary(bytes) => serializer.serialize_bytes(bytes),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(entries) => serializer.collect_map(entries),
        }
    }
}

impl<'de> de::Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueSeed { attachments: &[] }.deserialize(deserializer)
    }
}

/// Builds a value and puts attachments where their placeholders stand, by number.
#[derive(Clone, Copy)]
pub(super) struct ValueSeed<'a> {
    pub(super) attachments: &'a [Bytes],
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON or bytes")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Binary(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            object.insert(key, entries.next_value_seed(self)?);
        }
        if self.attachments.is_empty() {
            return Ok(Value::Object(object));
        }
        match attachment_number(&object) {
            Some(number) => self.attachment(number).map_err(de::Error::custom),
            None => Ok(Value::Object(object)),
        }
    }
}

impl ValueSeed<'_> {
    fn attachment(&self, number: Option<usize>) -> Result<Value, &'static str> {
        let attachment = number.and_then(|number| self.attachments.get(number));
        attachment.cloned().map(Value::Binary).ok_or("illegal attachments")
    }
}

/// The attachment's number if `object` is a placeholder: `Some(None)` if it names none that could
/// exist. An object with other keys beside them is a placeholder too, as in the reference; in data
/// that has no attachments it is just an object.
fn attachment_number(object: &BTreeMap<String, Value>) -> Option<Option<usize>> {
    if object.get("_placeholder") != Some(&Value::Bool(true)) {
        return None;
    }
    let Some(Value::Number(number)) = object.get("num") else { return Some(None) };
    Some(number.as_u64().and_then(|number| usize::try_from(number).ok()))
}
