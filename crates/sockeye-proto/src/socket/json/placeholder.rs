//! What stands in a packet's text for its attachments: writes it, and checks that every one names an
//! attachment that the packet has (S-003, S-007).

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::de::StrRead;

use super::key::Key;
use super::text::Text;

/// What is before the number in a placeholder, and behind it, as everybody writes it.
const BEFORE: &str = "{\"_placeholder\":true,\"num\":";
const BEHIND: &str = "}";
/// The member that makes a placeholder of an object.
const NAME: &str = "_placeholder";

/// Writes what stands for the attachment of this number.
pub(in crate::socket) fn write_placeholder(json: &mut Vec<u8>, number: usize) {
    for part in [BEFORE, itoa::Buffer::new().format(number), BEHIND] {
        json.extend_from_slice(part.as_bytes());
    }
}

/// The number of the placeholder with which `text` begins, and what is behind it. `None` says only that
/// there is none that is written as everybody does.
#[inline]
pub(super) fn usual_placeholder(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut rest = text.strip_prefix(BEFORE.as_bytes())?;
    let mut number = 0_u32;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        number = number.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
        // More digits behind a zero would be no JSON.
        if number == 0 && matches!(behind, [b'0'..=b'9', ..]) {
            return None;
        }
        rest = behind;
    }
    let behind = rest.strip_prefix(BEHIND.as_bytes())?;
    // There was a digit.
    (text.len() - behind.len() > BEFORE.len() + BEHIND.len()).then_some((number, behind))
}

/// Whether all placeholders in `text`, a list of JSON values in brackets, are in range.
///
/// What else a decoder may dislike, such as half a surrogate pair, is no concern of this check: it
/// is judged when the arguments are decoded, as in a packet without attachments.
pub(super) fn all_in_range(text: &str, attachments: usize) -> bool {
    are_usual(text, attachments) || are_in_range(text, attachments)
}

/// Whether they are written as everybody writes them. Without escapes the name of their first member
/// stands in `text` as it is, and a quote is the end of a string.
fn are_usual(text: &str, attachments: usize) -> bool {
    let is_usual = |at: usize| {
        let placeholder = at.checked_sub("{\"".len()).and_then(|at| text.as_bytes().get(at..));
        let number = placeholder.and_then(usual_placeholder).map(|(number, _)| number as usize);
        number.is_some_and(|number| number < attachments)
    };
    !text.contains('\\')
        && (text.match_indices('_'))
            .filter(|(at, _)| text[*at..].starts_with(NAME))
            .all(|(at, _)| is_usual(at))
}

fn are_in_range(text: &str, attachments: usize) -> bool {
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
                NAME => placeholder = matches!(value, Seen::True),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of one argument list each, with two attachments: whether all placeholders are in range.
    const TEXTS: [(&str, bool); 20] = [
        (r#"["e",{"_placeholder":true,"num":0}]"#, true),
        (r#"["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#, true),
        (r#"["e",{"_placeholder":true,"num":2}]"#, false),
        (r#"["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]"#, false),
        (r#"["e",[{"a":{"_placeholder":true,"num":1}}]]"#, true),
        (r#"["e",[{"a":{"_placeholder":true,"num":10}}]]"#, false),
        (r#"["e",{"_placeholder":true,"num":4294967296}]"#, false),
        (r#"["e",{"_placeholder":true,"num":18446744073709551616}]"#, false),
        (r#"["e",{"_placeholder":true,"num":-1}]"#, false),
        (r#"["e",{"_placeholder":true,"num":0.5}]"#, false),
        (r#"["e",{"_placeholder":true}]"#, false),
        (r#"["e",{"_placeholder":false,"num":7}]"#, true),
        (r#"["e", { "num" : 1 , "_placeholder" : true }]"#, true),
        (r#"["e", { "num" : 2 , "_placeholder" : true }]"#, false),
        (r#"["e",{"_placeholder":true,"num":0,"more":1}]"#, true),
        (r#"["e",{"\u005fplaceholder":true,"num":2}]"#, false),
        (r#"["e","{\"_placeholder\":true,\"num\":2}"]"#, true),
        (r#"["e","_placeholder",{"x_placeholder":true,"num":2}]"#, true),
        (r#"["e",{"_placeholder":true,"num":0},{"_placeholder":1,"num":9}]"#, true),
        (r#"["_placeholder",{"a_b":"_","_":1}]"#, true),
    ];

    #[test]
    fn s_007_a_placeholder_is_in_range_however_it_is_written() {
        for (text, in_range) in TEXTS {
            assert_eq!(are_in_range(text, 2), in_range, "{text}");
            assert_eq!(all_in_range(text, 2), in_range, "{text}");
        }
    }

    #[test]
    fn only_what_everybody_writes_is_usual() {
        for number in [0, 1, 9, 10, 123, u32::MAX] {
            let mut json = Vec::new();
            write_placeholder(&mut json, number as usize);
            json.extend_from_slice(b",1");
            assert_eq!(usual_placeholder(&json), Some((number, &b",1"[..])));
        }
        for number in ["", "00", "01", "-1", "1.0", "1e0", " 1", "4294967296"] {
            let json = format!("{BEFORE}{number}{BEHIND}");
            assert_eq!(usual_placeholder(json.as_bytes()), None, "{json}");
        }
        assert_eq!(usual_placeholder(BEFORE.as_bytes()), None);
    }
}
