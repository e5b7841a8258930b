//! What visitors ask for the parts of a list, an object, or a variant.

use std::borrow::Cow;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Decoded, Text, Unfit, unfit};

/// What stands between the brackets of a list or an object, part by part.
pub(super) struct Parts<'a, 'de> {
    text: &'a mut Text<'de>,
    is_first: bool,
}

impl<'a, 'de> Parts<'a, 'de> {
    pub(super) const fn new(text: &'a mut Text<'de>) -> Self {
        Self { text, is_first: true }
    }

    /// Steps over the comma before the next part. `false` before the bracket.
    #[inline(always)]
    fn has_next(&mut self, bracket: u8) -> Decoded<bool> {
        if self.text.next() == Some(bracket) {
            return Ok(false);
        }
        if !self.is_first {
            self.text.step(b',')?;
        }
        self.is_first = false;
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Unfit;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Decoded<Option<S::Value>> {
        if !self.has_next(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.text).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = Unfit;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Decoded<Option<S::Value>> {
        if !self.has_next(b'}')? {
            return Ok(None);
        }
        let key = seed.deserialize(Key(self.text.string()?))?;
        self.text.step(b':')?;
        Ok(Some(key))
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Decoded<S::Value> {
        seed.deserialize(&mut *self.text)
    }
}

/// An object's key.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Unfit;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Decoded<V::Value> {
        match self.0 {
            Cow::Borrowed(key) => visitor.visit_borrowed_str(key),
            Cow::Owned(key) => visitor.visit_str(&key),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Decoded<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Decoded<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Decoded<V::Value> {
        match self.0 {
            Cow::Borrowed(key) => visitor.visit_enum(BorrowedStrDeserializer::new(key)),
            Cow::Owned(_) => Err(Unfit),
        }
    }

    // A number in quotes is one to who asks for one.
    unfit! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_bytes deserialize_byte_buf
    }

    forward_to_deserialize_any! {
        char str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A variant: its name, or an object with its name and what it holds.
pub(super) struct Variant<'a, 'de> {
    pub(super) text: &'a mut Text<'de>,
    pub(super) has_data: bool,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Unfit;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Decoded<(S::Value, Self)> {
        let variant = seed.deserialize(&mut *self.text)?;
        if self.has_data {
            self.text.step(b':')?;
        }
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Unfit;

    fn unit_variant(self) -> Decoded<()> {
        if self.has_data { Deserialize::deserialize(self.text) } else { Ok(()) }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Decoded<S::Value> {
        if self.has_data { seed.deserialize(self.text) } else { Err(Unfit) }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Decoded<V::Value> {
        if self.has_data { self.text.deserialize_seq(visitor) } else { Err(Unfit) }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Decoded<V::Value> {
        if self.has_data { self.text.deserialize_struct("", fields, visitor) } else { Err(Unfit) }
    }
}
