use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeMap as _, SerializeStruct as _};
use serde_json::json;

use super::*;

fn write(value: &(impl Serialize + ?Sized)) -> Result<String> {
    let (mut json, mut attachments) = (b"[".to_vec(), Attachments::new());
    value.serialize(&mut TextWriter { json: &mut json, attachments: &mut attachments })?;
    Ok(String::from_utf8(json.split_off(1)).unwrap())
}

#[track_caller]
fn is_what_serde_json_writes(value: &(impl Serialize + ?Sized)) {
    match serde_json::to_string(value) {
        Ok(expected) => assert_eq!(write(value).unwrap(), expected),
        Err(expected) => assert_eq!(write(value).unwrap_err().to_string(), expected.to_string()),
    }
}

#[test]
fn numbers_are_written_as_serde_json_writes_them() {
    is_what_serde_json_writes(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN));
    is_what_serde_json_writes(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX));
    is_what_serde_json_writes(&[
        0.0,
        -0.0,
        1.0,
        0.1,
        1e21,
        1e-7,
        f64::MAX,
        f64::NAN,
        f64::INFINITY,
    ]);
    is_what_serde_json_writes(&[0.1_f32, 16_777_216.0, f32::MIN_POSITIVE, f32::NAN]);
}

#[test]
fn strings_of_all_lengths_are_escaped_as_serde_json_escapes_them() {
    for length in 0..200 {
        let plain = "é".repeat(length);
        is_what_serde_json_writes(&plain);
        for special in ["\"", "\\", "\n", "\u{1}", "\u{7f}", "\u{2028}", "/"] {
            is_what_serde_json_writes(&format!("{plain}{special}x"));
        }
    }
    is_what_serde_json_writes(&('a', '"', '\0', 'é'));
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct New(u8);

#[derive(Serialize)]
struct Two(u8, &'static str);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Kind {
    Unit,
    #[serde(rename = "a \"new\" one")]
    New(u8),
    Tuple(u8, u8),
    Struct {
        a: u8,
        b: Option<u8>,
    },
    Nothing {},
}

#[derive(Serialize)]
struct Everything {
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
    unit: ((), Unit),
    new: New,
    two: Two,
    kinds: Vec<Kind>,
    options: [Option<bool>; 3],
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

#[test]
fn every_shape_of_data_is_written_as_serde_json_writes_it() {
    let new = Kind::New(1);
    let everything = Everything {
        left_out: None,
        unit: ((), Unit),
        new: New(1),
        two: Two(2, "two"),
        kinds: vec![
            Kind::Unit,
            new,
            Kind::Tuple(1, 2),
            Kind::Struct { a: 1, b: None },
            Kind::Nothing {},
        ],
        options: [None, Some(true), Some(false)],
        others: BTreeMap::from([("\n".into(), json!({"a": [{}, [], null, 1.5, -1, "x"]}))]),
    };
    is_what_serde_json_writes(&[&everything, &everything]);
    is_what_serde_json_writes(&Vec::<Everything>::new());
    is_what_serde_json_writes(&BTreeMap::<String, u8>::new());
}

#[test]
fn keys_are_strings_or_are_put_into_quotes_or_refused() {
    is_what_serde_json_writes(&BTreeMap::from([(1, 'a'), (-1, 'b')]));
    is_what_serde_json_writes(&BTreeMap::from([(true, 1), (false, 2)]));
    is_what_serde_json_writes(&BTreeMap::from([('x', 1), ('"', 2)]));
    is_what_serde_json_writes(&BTreeMap::from([(Kind::Unit, 1)]));
    is_what_serde_json_writes(&BTreeMap::from([(Some("x"), 1)]));
    is_what_serde_json_writes(&BTreeMap::from([(None::<&str>, 1)]));
    is_what_serde_json_writes(&BTreeMap::from([((), 1)]));
    is_what_serde_json_writes(&BTreeMap::from([((1, 2), 1)]));
    is_what_serde_json_writes(&BTreeMap::from([(Kind::Tuple(1, 2), 1)]));
}

#[test]
fn what_a_type_says_is_the_error() {
    struct Unwilling;
    impl Serialize for Unwilling {
        fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            Err(S::Error::custom("not today"))
        }
    }
    is_what_serde_json_writes(&(1, [Unwilling]));
}

#[test]
fn what_is_displayed_is_a_string() {
    struct Displayed;
    impl fmt::Display for Displayed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a \"{}\"", 1)
        }
    }
    impl Serialize for Displayed {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry(&format_args!("{self}"), &format_args!("{self}"))?;
            map.end()
        }
    }
    is_what_serde_json_writes(&Displayed);
}

/// As `RawValue` does, and `Number` where numbers have any precision.
#[test]
fn text_that_is_json_already_is_written_as_it_is() {
    struct Raw(&'static str);
    impl Serialize for Raw {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            const NAME: &str = "$serde_json::private::RawValue";
            let mut raw = serializer.serialize_struct(NAME, 1)?;
            raw.serialize_field(NAME, self.0)?;
            raw.end()
        }
    }
    let text = write(&[Raw("{ \"a\" : 1 }"), Raw("1e400")]).unwrap();
    assert_eq!(text, "[{ \"a\" : 1 },1e400]");
}
