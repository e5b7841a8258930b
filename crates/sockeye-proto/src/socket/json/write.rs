//! Writes whatever is `Serialize` as compact JSON, and the bytes in it as attachments (S-003).
//!
//! What it writes is what `serde_json` writes, byte for byte, but for bytes. It never looks at what a
//! value means, and leaves to `serde_json` how a fraction is written and what in a string must be
//! escaped.

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::{Error, Result};

use super::encode::{Attachments, write_string};
use super::placeholder::write_placeholder;

mod compound;
#[cfg(test)]
mod tests;

use compound::Compound;

/// Types of `serde_json` that are text which is JSON already say so by the beginning of their name.
const VERBATIM: &str = "$serde_json::private::";

/// The end of a text of JSON, where the next value will stand, and the attachments of its packet.
pub(in crate::socket) struct TextWriter<'a> {
    pub(in crate::socket) json: &'a mut Vec<u8>,
    pub(in crate::socket) attachments: &'a mut Attachments,
}

impl TextWriter<'_> {
    #[inline]
    fn literal(&mut self, literal: &str) {
        self.json.extend_from_slice(literal.as_bytes());
    }

    /// The name of a member, and the colon behind it.
    #[inline]
    fn name(&mut self, name: &'static str) -> Result<()> {
        write_string(self.json, name)?;
        self.json.push(b':');
        Ok(())
    }

    /// The same of what may be no string. `serde_json` takes numbers and booleans as keys, too, and puts
    /// them into quotes.
    fn key(&mut self, key: &(impl Serialize + ?Sized)) -> Result<()> {
        let start = self.json.len();
        key.serialize(&mut *self)?;
        match self.json.get(start) {
            Some(b'"') => {}
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                self.json.insert(start, b'"');
                self.json.push(b'"');
            }
            _ => return Err(Error::custom("key must be a string")),
        }
        self.json.push(b':');
        Ok(())
    }

    /// An object with one member, whose value follows.
    fn variant(&mut self, variant: &'static str) -> Result<()> {
        self.json.push(b'{');
        self.name(variant)
    }
}

macro_rules! whole_numbers {
    ($($method:ident: $number:ty,)*) => {$(
        #[inline]
        fn $method(self, number: $number) -> Result<()> {
            self.literal(itoa::Buffer::new().format(number));
            Ok(())
        }
    )*};
}

/// What is rare, or what `serde_json` knows better.
macro_rules! left_to_serde_json {
    ($($method:ident: $value:ty,)*) => {$(
        fn $method(self, value: $value) -> Result<()> {
            serde_json::to_writer(&mut *self.json, &value)
        }
    )*};
}

impl<'w, 'a> Serializer for &'w mut TextWriter<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'w, 'a>;
    type SerializeTuple = Compound<'w, 'a>;
    type SerializeTupleStruct = Compound<'w, 'a>;
    type SerializeTupleVariant = Compound<'w, 'a>;
    type SerializeMap = Compound<'w, 'a>;
    type SerializeStruct = Compound<'w, 'a>;
    type SerializeStructVariant = Compound<'w, 'a>;

    whole_numbers! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
    }

    left_to_serde_json! {
        serialize_i128: i128,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<()> {
        self.literal(if value { "true" } else { "false" });
        Ok(())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<()> {
        write_string(self.json, text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        let number = self.attachments.len();
        self.attachments.push(bytes);
        write_placeholder(self.json, number);
        Ok(())
    }

    #[inline]
    fn serialize_unit(self) -> Result<()> {
        self.literal("null");
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<()> {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.literal("}");
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, _length: Option<usize>) -> Result<Self::SerializeSeq> {
        self.literal("[");
        Ok(Compound::new(self, "]"))
    }

    #[inline]
    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple> {
        self.serialize_seq(Some(length))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant> {
        self.variant(variant)?;
        self.literal("[");
        Ok(Compound::new(self, "]}"))
    }

    #[inline]
    fn serialize_map(self, _length: Option<usize>) -> Result<Self::SerializeMap> {
        self.literal("{");
        Ok(Compound::new(self, "}"))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Self::SerializeStruct> {
        if name.starts_with(VERBATIM) {
            return Ok(Compound::verbatim(self));
        }
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant> {
        self.variant(variant)?;
        self.literal("{");
        Ok(Compound::new(self, "}}"))
    }
}
