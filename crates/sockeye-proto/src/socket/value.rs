use std::fmt;

use bytes::Bytes;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

use super::json::placeholder;

mod attachments;
mod deserialize;
mod key;
mod map;

pub(super) use attachments::Nameable;
use key::Key;

pub use map::{Map, MapIntoIter, MapIter};

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
    /// An object. Of a key given twice the last value counts.
    Object(Map),
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
            Self::Object(members) => members.serialize(serializer),
        }
    }
}

impl<'de> de::Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueSeed { attachments: &Nameable::none() }.deserialize(deserializer)
    }
}

/// Builds a value and puts attachments where their placeholders stand, by number.
#[derive(Clone, Copy)]
pub(super) struct ValueSeed<'a> {
    pub(super) attachments: &'a Nameable<'a>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let mut value = Value::Null;
        let Self { attachments } = self;
        InPlace { place: &mut value, attachments }.deserialize(deserializer)?;
        Ok(value)
    }
}

/// Builds a value where it is to lie: one that is handed over is copied several times on its way, which
/// takes as long as to read it.
struct InPlace<'a> {
    place: &'a mut Value,
    attachments: &'a Nameable<'a>,
}

impl InPlace<'_> {
    #[inline(always)]
    fn put<E>(self, value: Value) -> Result<(), E> {
        *self.place = value;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for InPlace<'_> {
    type Value = ();

    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for InPlace<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON or bytes")
    }

    #[inline]
    fn visit_unit<E>(self) -> Result<(), E> {
        self.put(Value::Null)
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.put(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    #[inline]
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put(Value::Bool(value))
    }

    #[inline]
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.put(Value::Number(value.into()))
    }

    #[inline]
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.put(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.put(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    #[inline]
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.put(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<(), E> {
        self.put(Value::String(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<(), E> {
        self.put(Value::Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<(), E> {
        self.put(Value::Binary(bytes.into()))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { place, attachments } = self;
        let mut list = Vec::new();
        while items.next_element_seed(Item { list: &mut list, attachments })?.is_some() {}
        *place = Value::Array(list);
        Ok(())
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { place, attachments } = self;
        let mut object = Map::new();
        while let Some(key) = members.next_key_seed(Key)? {
            members.next_value_seed(InPlace { place: object.place_of(&key), attachments })?;
        }
        *place = match attachment_number(&object, attachments) {
            Some(number) => Value::Binary(attachments.take(number)?),
            None => Value::Object(object),
        };
        Ok(())
    }
}

/// The next item of a list, if there is one.
struct Item<'a> {
    list: &'a mut Vec<Value>,
    attachments: &'a Nameable<'a>,
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { list, attachments } = self;
        let place = list.push_mut(Value::Null);
        InPlace { place, attachments }.deserialize(deserializer)
    }
}

/// The attachment's number if `object` is a placeholder: `Some(None)` if it names none that could
/// exist. An object with other keys beside them is a placeholder too, as in the reference; in data
/// that has no attachments it is just an object.
#[inline]
fn attachment_number(object: &Map, attachments: &Nameable<'_>) -> Option<Option<usize>> {
    if attachments.is_empty() || object.get(placeholder::NAME) != Some(&Value::Bool(true)) {
        return None;
    }
    let Some(Value::Number(number)) = object.get(placeholder::NUMBER) else { return Some(None) };
    Some(number.as_u64().and_then(|number| usize::try_from(number).ok()))
}
