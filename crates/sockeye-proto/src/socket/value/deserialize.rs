//! Decoding a user's type out of a [`Value`]: the road of packets with attachments.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    self, Deserializer, EnumAccess, IntoDeserializer, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::Value;

type Error = serde_json::Error;

impl<'de> IntoDeserializer<'de, Error> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(number) => number.deserialize_any(visitor),
            Self::String(text) => visitor.visit_string(text),
            Self::Binary(bytes) => visitor.visit_byte_buf(bytes.into()),
            Self::Array(items) => visit_list(items.into_iter(), visitor),
            Self::Object(entries) => {
                let mut map = MapDeserializer::new(entries.into_iter());
                let value = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Bytes are a list of numbers to who asks for a list, so that `Vec<u8>` takes an attachment.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Binary(bytes) => visit_list(bytes.into_iter(), visitor),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let one_key = "a string or an object with one key";
        match self {
            Self::String(variant) => visitor.visit_enum(Variant { variant, data: None }),
            Self::Object(entries) if entries.len() == 1 => {
                let mut entries = entries.into_iter();
                let (variant, data) = entries.next().unwrap_or_default();
                visitor.visit_enum(Variant { variant, data: Some(data) })
            }
            Self::Object(_) => Err(de::Error::invalid_value(Unexpected::Map, &one_key)),
            _ => Err(de::Error::invalid_type(Unexpected::Other("no enum"), &one_key)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

fn visit_list<'de, V, I>(items: I, visitor: V) -> Result<V::Value, Error>
where
    V: Visitor<'de>,
    I: Iterator,
    I::Item: IntoDeserializer<'de, Error>,
{
    let mut list = SeqDeserializer::new(items);
    let value = visitor.visit_seq(&mut list)?;
    list.end()?;
    Ok(value)
}

struct Variant {
    variant: String,
    data: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = VariantData;

    fn variant_seed<S: de::DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, VariantData), Error> {
        let variant = seed.deserialize(self.variant.into_deserializer())?;
        Ok((variant, VariantData(self.data)))
    }
}

struct VariantData(Option<Value>);

impl VariantData {
    fn required(self) -> Result<Value, Error> {
        self.0.ok_or_else(|| de::Error::custom("the variant has no data"))
    }
}

impl<'de> VariantAccess<'de> for VariantData {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(de::Error::custom("the variant takes no data")),
        }
    }

    fn newtype_variant_seed<S: de::DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.required()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.required()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.required()?.deserialize_any(visitor)
    }
}
