//! Decodes JSON that was checked before, and so with less care than a parser of unknown text needs.
//!
//! What it decodes is what `serde_json` decodes. Where it cannot, for whatever reason, it says no
//! more than that: `serde_json` is asked then, and tells why. So it may leave out what is rare.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, Visitor};

use super::plain::plain_bytes;
use super::scan::{Scanner, behind_space, behind_string};

mod access;
mod number;
#[cfg(test)]
mod tests;

use access::{Parts, Variant};

/// Why something was not decoded: which `serde_json` knows.
#[derive(Debug)]
pub(in crate::socket) struct Unfit;

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("does not fit")
    }
}

impl std::error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Decoded<T> = Result<T, Unfit>;

/// A place in a text of JSON.
pub(in crate::socket) struct Text<'de> {
    json: &'de str,
    at: usize,
}

impl<'de> Text<'de> {
    pub(in crate::socket) const fn new(json: &'de str) -> Self {
        Self { json, at: 0 }
    }

    /// The next byte that is no space, where the next value begins if there is one.
    #[inline(always)]
    pub(in crate::socket) fn next(&mut self) -> Option<u8> {
        let bytes = self.json.as_bytes();
        match bytes.get(self.at) {
            Some(byte) if *byte > b' ' => Some(*byte),
            _ => {
                self.at = behind_space(bytes, self.at);
                bytes.get(self.at).copied()
            }
        }
    }

    /// Steps over this byte and space before it, if that is what comes.
    #[inline(always)]
    pub(in crate::socket) fn step(&mut self, byte: u8) -> Decoded<()> {
        if self.next() != Some(byte) {
            return Err(Unfit);
        }
        self.at += 1;
        Ok(())
    }

    #[inline(always)]
    fn rest(&self) -> &'de [u8] {
        self.json.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// How many bytes were read.
    pub(in crate::socket) const fn at(&self) -> usize {
        self.at
    }

    /// Steps over a value.
    pub(in crate::socket) fn skip(&mut self) -> Decoded<()> {
        let mut scanner = Scanner::new(self.json.get(self.at..).ok_or(Unfit)?);
        scanner.value().map_err(|_| Unfit)?;
        self.at += scanner.at;
        Ok(())
    }

    /// The string that begins here.
    #[inline(always)]
    fn string(&mut self) -> Decoded<Cow<'de, str>> {
        self.step(b'"')?;
        let start = self.at;
        let end = start + plain_bytes(self.rest());
        if self.json.as_bytes().get(end) != Some(&b'"') {
            return self.escaped_string(start - 1).map(Cow::Owned);
        }
        self.at = end + 1;
        self.json.get(start..end).map(Cow::Borrowed).ok_or(Unfit)
    }

    #[inline(never)]
    fn escaped_string(&mut self, start: usize) -> Decoded<String> {
        let (end, _) = behind_string(self.json.as_bytes(), start).map_err(|_| Unfit)?;
        self.at = end;
        let string = self.json.get(start..end).ok_or(Unfit)?;
        serde_json::from_str(string).map_err(|_| Unfit)
    }

    #[inline(always)]
    fn visit_string<V: Visitor<'de>>(&mut self, visitor: V) -> Decoded<V::Value> {
        match self.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_str(&text),
        }
    }

    #[inline(always)]
    fn literal(&mut self, literal: &str) -> Decoded<()> {
        if !self.rest().starts_with(literal.as_bytes()) {
            return Err(Unfit);
        }
        self.at += literal.len();
        Ok(())
    }

    #[inline(always)]
    fn visit_bool<V: Visitor<'de>>(&mut self, visitor: V) -> Decoded<V::Value> {
        let value = self.next() == Some(b't');
        self.literal(if value { "true" } else { "false" })?;
        visitor.visit_bool(value)
    }

    #[inline(always)]
    fn visit_null<V: Visitor<'de>>(&mut self, visitor: V) -> Decoded<V::Value> {
        self.next();
        self.literal("null")?;
        visitor.visit_unit()
    }

    #[inline(always)]
    fn visit_list<V: Visitor<'de>>(&mut self, visitor: V) -> Decoded<V::Value> {
        self.step(b'[')?;
        let value = visitor.visit_seq(Parts::new(self))?;
        // A visitor may have left some, which is an error.
        self.step(b']')?;
        Ok(value)
    }

    #[inline(always)]
    fn visit_object<V: Visitor<'de>>(&mut self, visitor: V) -> Decoded<V::Value> {
        self.step(b'{')?;
        let value = visitor.visit_map(Parts::new(self))?;
        self.step(b'}')?;
        Ok(value)
    }
}

/// What is left to `serde_json`.
macro_rules! unfit {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Decoded<V::Value> {
            Err(Unfit)
        }
    )*};
}
use unfit;

macro_rules! as_it_is {
    ($($method:ident => $visit:ident,)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Decoded<V::Value> {
            self.$visit(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Text<'de> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Decoded<V::Value> {
        match self.next().ok_or(Unfit)? {
            b'"' => self.visit_string(visitor),
            b'{' => self.visit_object(visitor),
            b'[' => self.visit_list(visitor),
            b't' | b'f' => self.visit_bool(visitor),
            b'n' => self.visit_null(visitor),
            _ => self.visit_number(visitor),
        }
    }

    as_it_is! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_number,
        deserialize_i16 => visit_number,
        deserialize_i32 => visit_number,
        deserialize_i64 => visit_number,
        deserialize_u8 => visit_number,
        deserialize_u16 => visit_number,
        deserialize_u32 => visit_number,
        deserialize_u64 => visit_number,
        deserialize_f64 => visit_number,
        deserialize_f32 => visit_short_number,
        deserialize_char => visit_string,
        deserialize_str => visit_string,
        deserialize_string => visit_string,
        deserialize_identifier => visit_string,
        deserialize_unit => visit_null,
        deserialize_seq => visit_list,
        deserialize_map => visit_object,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Decoded<V::Value> {
        if self.next() == Some(b'n') {
            self.literal("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Decoded<V::Value> {
        // `RawValue` expects something else of `serde_json`, and so gets nothing of this.
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Decoded<V::Value> {
        self.visit_null(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Decoded<V::Value> {
        self.visit_list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Decoded<V::Value> {
        self.visit_list(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Decoded<V::Value> {
        match self.next() {
            Some(b'[') => self.visit_list(visitor),
            _ => self.visit_object(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Decoded<V::Value> {
        match self.next() {
            Some(b'"') => visitor.visit_enum(Variant { text: self, has_data: false }),
            _ => {
                self.step(b'{')?;
                let value = visitor.visit_enum(Variant { text: self, has_data: true })?;
                self.step(b'}')?;
                Ok(value)
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Decoded<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }

    unfit! { deserialize_i128 deserialize_u128 deserialize_bytes deserialize_byte_buf }
}
