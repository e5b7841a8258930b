//! What is decoded here is what `serde_json` decodes: each document as each type, by both.

#![expect(dead_code, reason = "what they hold is compared as it is written for debugging")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::*;
use crate::socket::Value;

#[derive(Debug, Deserialize)]
struct Note {
    id: String,
    score: i64,
    #[serde(default)]
    tags: Vec<String>,
    pos: Option<(f64, f32)>,
}

#[derive(Debug, Deserialize)]
struct Flat {
    id: String,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
enum Command {
    Stop,
    Say(String),
    Move(i32, i32),
    Draw { width: u8 },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Note { id: String },
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Any {
    Number(f64),
    Note(Note),
    Texts(Vec<String>),
    Else(Value),
}

#[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
struct Name(String);

#[derive(Debug, Deserialize)]
struct Nothing;

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "7",
    "-7",
    "127",
    "128",
    "-129",
    "255",
    "256",
    "4294967296",
    "999999999999999999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "9999999999999999999",
    "10000000000000000000",
    "18446744073709551615",
    "18446744073709551616",
    "-18446744073709551616",
    "1.5",
    "-1.5e3",
    "1E+2",
    "1e-2",
    "0.0",
    "-0.0",
    "0e9",
    "1e400",
    "-1e400",
    "1e-400",
    "1e39",
    "123456789.12345679",
    "16777217.0",
    "2.2250738585072011e-308",
    "1.00000017881393432617187499",
    "1.000000178813934326171875",
    "0.1",
    "100000000000000000000.5",
];

const TEXTS: &[&str] = &[
    r#""""#,
    r#""a""#,
    r#""é""#,
    r#""€ and more of it""#,
    r#""1234567""#,
    r#""12345678""#,
    r#""a\nb""#,
    r#""\u00e9""#,
    r#""\ud83d\ude00""#,
    r#""\ud800""#,
    r#""\\""#,
    r#""\"""#,
    r#""\u0000""#,
    r#""Stop""#,
    r#""Other""#,
    r#""St\u006fp""#,
    r#""1""#,
];

const OTHERS: &[&str] = &[
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    "[[],[]]",
    "[null]",
    "[1,2]",
    "[1,2,3]",
    "[ 1 , 2 ]",
    "[1.5,-2]",
    r#"["a","b"]"#,
    r#"["a",1]"#,
    r#"[{"a":1},{"a":2}]"#,
    r#"{"a":1,"a":2}"#,
    r#"{"a":{"b":[true,false,null]}}"#,
    r#"{ "a" : 1 , "b" : 2 }"#,
    r#"{"id":"x","score":1}"#,
    r#"{"id":"x","score":-1,"tags":["a","\n"],"pos":[1,2.5]}"#,
    r#"{"pos":null,"more":[{}],"score":1,"id":"x"}"#,
    r#"{"id":"x","score":1.5}"#,
    r#"{"id":"x","id":"y","score":1}"#,
    r#"["x",1,[],null]"#,
    r#"["x",1,[],null,2]"#,
    r#"{"1":2,"3":4}"#,
    r#"{"1":2,"01":4}"#,
    r#"{"true":1}"#,
    r#"{"\u0061":1}"#,
    r#"{"Stop":1}"#,
    r#"{"Say":"x"}"#,
    r#"{"Move":[1,2]}"#,
    r#"{"Move":[1,2,3]}"#,
    r#"{"Draw":{"width":3}}"#,
    r#"{"Draw":[3]}"#,
    r#"{"Stop":null}"#,
    r#"{"Say":"x","Stop":null}"#,
    r#"{"kind":"Other"}"#,
    r#"{"id":"x","kind":"Note"}"#,
    r#"{"id":"x","kind":"None"}"#,
    r#"[255,0]"#,
    r#"[256]"#,
    r#"{"_placeholder":true,"num":0}"#,
];

fn documents() -> impl Iterator<Item = String> {
    let all = || NUMBERS.iter().chain(TEXTS).chain(OTHERS);
    let within = all().flat_map(|json| {
        [
            format!("[{json}]"),
            format!("{{\"a\":{json}}}"),
            format!(" {json}\n"),
            format!("[0,{json}]"),
        ]
    });
    all().map(|json| (*json).to_owned()).chain(within)
}

/// How many of the documents are decoded quickly, and how many at all.
fn compare<T: DeserializeOwned + Debug>() -> (usize, usize) {
    let (mut quick, mut all) = (0, 0);
    for json in documents() {
        let mut text = Text::new(&json);
        let decoded = T::deserialize(&mut text);
        let expected = serde_json::from_str::<T>(&json);
        all += usize::from(expected.is_ok());
        if let Ok(decoded) = decoded {
            assert_eq!(text.next(), None, "all of {json}");
            let expected = expected.expect("serde_json decodes it, too");
            assert_eq!(format!("{decoded:?}"), format!("{expected:?}"), "{json}");
            quick += 1;
        }
    }
    (quick, all)
}

#[test]
fn what_is_decoded_is_what_serde_json_decodes() {
    for (decoded, of) in [
        compare::<serde_json::Value>(),
        compare::<Value>(),
        compare::<Vec<Value>>(),
        compare::<BTreeMap<String, Value>>(),
        compare::<BTreeMap<Name, IgnoredAny>>(),
        compare::<BTreeMap<Option<Command>, IgnoredAny>>(),
        compare::<Note>(),
        compare::<Option<Note>>(),
        compare::<Flat>(),
        compare::<Command>(),
        compare::<BTreeMap<String, Command>>(),
        compare::<Tagged>(),
        compare::<Any>(),
        compare::<Name>(),
        compare::<Nothing>(),
        compare::<()>(),
        compare::<bool>(),
        compare::<char>(),
        compare::<String>(),
        compare::<IgnoredAny>(),
        compare::<(f32, f64)>(),
        compare::<[i32; 2]>(),
        compare::<Vec<u8>>(),
        compare::<i8>(),
        compare::<u8>(),
        compare::<i64>(),
        compare::<u64>(),
        compare::<f32>(),
        compare::<f64>(),
    ] {
        assert_eq!(decoded, of);
        assert!(of > 0);
    }
}

#[test]
fn what_is_rare_is_left_to_serde_json() {
    for (decoded, of) in [
        compare::<i128>(),
        compare::<u128>(),
        compare::<Bytes>(),
        compare::<Box<RawValue>>(),
        compare::<BTreeMap<u32, IgnoredAny>>(),
        compare::<BTreeMap<Option<bool>, IgnoredAny>>(),
    ] {
        assert!(decoded < of, "{decoded} of {of}");
    }
}
