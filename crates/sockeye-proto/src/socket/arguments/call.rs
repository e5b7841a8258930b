//! Arguments as a call takes them, one after the other.

use std::marker::PhantomData;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::de::StrRead;

use super::{Arguments, ArgumentsError, Shape};
use crate::socket::json::{Text, Unfit, first_value};
use crate::socket::value::{Nameable, ValueSeed};

/// The arguments, as many as `T` takes.
pub(super) fn decode_call<T: DeserializeOwned>(
    arguments: Arguments<'_>,
) -> Result<T, ArgumentsError> {
    quickly(arguments, |call| call.decode())
        .map_or_else(|| carefully(arguments, |call| call.decode()), Ok)
}

/// All arguments.
pub(super) fn decode_each<T: DeserializeOwned>(
    arguments: Arguments<'_>,
) -> Result<Vec<T>, ArgumentsError> {
    quickly(arguments, |call| call.decode_each())
        .map_or_else(|| carefully(arguments, |call| call.decode_each()), Ok)
}

/// As nearly all arguments are decoded. `None` says nothing of whether they fit.
#[inline]
fn quickly<'a, T>(
    Arguments { list, attachments }: Arguments<'a>,
    decode: impl FnOnce(&mut Call<Checked<'a>>) -> Result<T, Unfit>,
) -> Option<T> {
    let source = Checked { text: Text::new(list), attachments: Nameable::new(attachments) };
    decode(&mut Call { source, taken: 0 }).ok()
}

/// As all arguments can be decoded; if not, it says why.
#[inline(never)]
fn carefully<'a, T>(
    Arguments { list, attachments }: Arguments<'a>,
    decode: impl FnOnce(&mut Call<Unchecked<'a>>) -> serde_json::Result<T>,
) -> Result<T, ArgumentsError> {
    let source = Unchecked { list, attachments: Nameable::new(attachments) };
    let mut call = Call { source, taken: 0 };
    decode(&mut call).map_err(|source| ArgumentsError { argument: call.taken, source })
}

/// Where arguments come from.
trait Source<'de> {
    type Error: de::Error;

    /// Whether all were taken.
    fn is_over(&mut self) -> bool;

    /// Decodes one, and steps over its comma.
    fn take<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Self::Error>;
}

/// Arguments that were checked to be JSON: all are, but here it matters.
struct Checked<'a> {
    text: Text<'a>,
    attachments: Nameable<'a>,
}

/// Arguments of which nothing is known.
struct Unchecked<'a> {
    list: &'a str,
    attachments: Nameable<'a>,
}

impl<'de> Source<'de> for Checked<'de> {
    type Error = Unfit;

    #[inline]
    fn is_over(&mut self) -> bool {
        self.text.next().is_none()
    }

    #[inline]
    fn take<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unfit> {
        let Self { text, attachments } = self;
        let start = text.at();
        let value = if attachments.is_empty() {
            seed.deserialize(&mut *text)?
        } else {
            let value = ValueSeed { attachments: &*attachments }.deserialize(&mut *text)?;
            seed.deserialize(value).map_err(|_| Unfit)?
        };
        if text.at() == start {
            // The type has not looked at it.
            text.skip()?;
        }
        if text.next().is_some() {
            text.step(b',')?;
        }
        Ok(value)
    }
}

impl<'de> Source<'de> for Unchecked<'de> {
    type Error = serde_json::Error;

    fn is_over(&mut self) -> bool {
        self.list.trim_ascii_start().is_empty()
    }

    fn take<S: DeserializeSeed<'de>>(&mut self, seed: S) -> serde_json::Result<S::Value> {
        let Self { list, attachments } = &*self;
        let list = *list;
        let mut text = serde_json::Deserializer::from_str(list);
        let value = if attachments.is_empty() {
            seed.deserialize(&mut text)?
        } else {
            seed.deserialize(ValueSeed { attachments }.deserialize(&mut text)?)?
        };
        self.list = behind_first(list, text);
        Ok(value)
    }
}

/// What follows the first value of a list, and its comma, when a decoder has taken the value.
fn behind_first<'a>(list: &'a str, decoder: serde_json::Deserializer<StrRead<'a>>) -> &'a str {
    let taken = decoder.into_iter::<IgnoredAny>().byte_offset();
    if taken == 0 {
        // The type has not looked at it.
        return first_value(list).map_or("", |(_, rest)| rest);
    }
    let rest = list.get(taken..).unwrap_or_default().trim_ascii_start();
    rest.strip_prefix(',').unwrap_or(rest)
}

/// Gives a tuple its arguments, one for each item.
struct Call<S> {
    source: S,
    /// How many were asked for.
    taken: usize,
}

impl<'de, S: Source<'de>> Call<S> {
    fn decode<T: Deserialize<'de>>(&mut self) -> Result<T, S::Error> {
        match Shape::of::<T>() {
            Shape::None | Shape::Tuple => T::deserialize(self),
            Shape::Single => self.next(PhantomData),
        }
    }

    fn decode_each<T: Deserialize<'de>>(&mut self) -> Result<Vec<T>, S::Error> {
        let mut all = Vec::new();
        while !self.source.is_over() {
            all.push(self.next(PhantomData)?);
        }
        Ok(all)
    }

    #[inline]
    fn next<D: DeserializeSeed<'de>>(&mut self, seed: D) -> Result<D::Value, S::Error> {
        self.taken += 1;
        if self.source.is_over() {
            return seed.deserialize(Missing(PhantomData));
        }
        self.source.take(seed)
    }
}

impl<'de, S: Source<'de>> Deserializer<'de> for &mut Call<S> {
    type Error = S::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, S::Error> {
        visitor.visit_seq(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, S::Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, S: Source<'de>> SeqAccess<'de> for Call<S> {
    type Error = S::Error;

    #[inline]
    fn next_element_seed<D: DeserializeSeed<'de>>(
        &mut self,
        seed: D,
    ) -> Result<Option<D::Value>, S::Error> {
        self.next(seed).map(Some)
    }
}

/// An argument that was not given: `None` or `()` to who can do without.
struct Missing<E>(PhantomData<E>);

impl<'de, E: de::Error> Deserializer<'de> for Missing<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, E> {
        Err(E::custom("missing"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
