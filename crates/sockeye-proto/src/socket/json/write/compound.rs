use serde::ser::{self, Error as _, Serialize};
use serde_json::{Error, Result, Value};

use super::TextWriter;

/// A list or an object that is being written.
pub(in crate::socket) struct Compound<'w, 'a> {
    writer: &'w mut TextWriter<'a>,
    /// What stands at its end; `None` if it is no list, but text that is JSON already.
    close: Option<&'static str>,
    is_empty: bool,
}

impl<'w, 'a> Compound<'w, 'a> {
    #[inline]
    pub(super) const fn new(writer: &'w mut TextWriter<'a>, close: &'static str) -> Self {
        Self { writer, close: Some(close), is_empty: true }
    }

    pub(super) const fn verbatim(writer: &'w mut TextWriter<'a>) -> Self {
        Self { writer, close: None, is_empty: true }
    }

    #[inline]
    fn comma(&mut self) {
        if !self.is_empty {
            self.writer.json.push(b',');
        }
        self.is_empty = false;
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.comma();
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn member<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<()> {
        if self.close.is_none() {
            return self.text_of(value);
        }
        self.comma();
        self.writer.name(key)?;
        value.serialize(&mut *self.writer)
    }

    #[cold]
    fn text_of<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let Value::String(text) = serde_json::to_value(value)? else {
            return Err(Error::custom("expected text that is JSON"));
        };
        self.writer.literal(&text);
        Ok(())
    }

    #[inline]
    #[expect(clippy::unnecessary_wraps, reason = "what serde asks for")]
    fn close(self) -> Result<()> {
        self.writer.literal(self.close.unwrap_or_default());
        Ok(())
    }
}

macro_rules! list {
    ($($kind:ident: $method:ident,)*) => {$(
        impl ser::$kind for Compound<'_, '_> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.item(value)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.close()
            }
        }
    )*};
}

list! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! object {
    ($($kind:ident)*) => {$(
        impl ser::$kind for Compound<'_, '_> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<()> {
                self.member(key, value)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.close()
            }
        }
    )*};
}

object! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.comma();
        self.writer.key(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.close()
    }
}
