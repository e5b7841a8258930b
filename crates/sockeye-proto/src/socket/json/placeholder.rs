//! What stands in a packet's text for its attachments: writes it, and checks that every one names an
//! attachment that the packet has (S-003, S-007).

use std::borrow::Cow;
use std::{fmt, io};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::de::StrRead;

use super::text::Text;

/// Writes what stands for the attachment of this number.
pub(in crate::socket) fn write_placeholder<W>(json: &mut W, number: usize) -> io::Result<()>
where
    W: ?Sized + io::Write,
{
    write!(json, "{{\"_placeholder\":true,\"num\":{number}}}")
}

/// Whether all placeholders in `text`, a list of JSON values in brackets, are in range.
///
/// What else a decoder may dislike, such as half a surrogate pair, is no concern of this check: it
/// is judged when the arguments are decoded, as in a packet without attachments.
pub(super) fn all_in_range(text: &str, attachments: usize) -> bool {
    let check = Check { attachments: attachments as u64 };
    if check.deserialize(&mut Text::new(text)).is_ok() {
        return true;
    }
    let mut json = serde_json::Deserializer::new(StrRead::new(text));
    !check.deserialize(&mut json).is_err_and(|error| error.is_data())
}

#[derive(Clone, Copy)]
struct Check {
    attachments: u64,
}

/// What a checked value was, as far as a placeholder's fields need to know.
enum Seen {
    True,
    Number(u64),
    Other,
}

impl<'de> DeserializeSeed<'de> for Check {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Seen, E> {
        Ok(if value { Seen::True } else { Seen::Other })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Seen, E> {
        Ok(Seen::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seen, A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(Seen::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Seen, A::Error> {
        let (mut placeholder, mut number) = (false, None);
        while let Some(key) = entries.next_key_seed(Key)? {
            let value = entries.next_value_seed(self)?;
            match &*key {
                "_placeholder" => placeholder = matches!(value, Seen::True),
                "num" => {
                    number = if let Seen::Number(number) = value { Some(number) } else { None }
                }
                _ => {}
            }
        }
        if placeholder && number.is_none_or(|number| number >= self.attachments) {
            return Err(de::Error::custom("illegal attachments"));
        }
        Ok(Seen::Other)
    }
}

/// An object's key, borrowed when it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
