//! Finds where JSON values end and whether they are JSON at all, without building anything.

use std::ops::Range;

mod careful;
mod nested;

use careful::{behind, behind_literal};
pub(super) use careful::{behind_number, behind_space, behind_string};
use nested::behind_nested;

use super::placeholder::usual_placeholder;

/// How deep arrays and objects of one argument may be nested; what a decoder can take too, with
/// the list of arguments around them.
pub(in crate::socket) const MAX_DEPTH: u32 = 126;

/// The text is not one JSON value at this place, or it is nested too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::socket) struct NotJson;

/// The text of the first value of a list of values, and what follows its comma.
/// The list must have been scanned before.
pub(in crate::socket) fn first_value(list: &str) -> Option<(&str, &str)> {
    let mut scanner = Scanner::new(list);
    scanner.space();
    let start = scanner.at;
    scanner.value().ok()?;
    let value = list.get(start..scanner.at)?;
    scanner.space();
    if scanner.peek() == Some(b',') {
        scanner.at += 1;
    }
    Some((value, list.get(scanner.at..)?))
}

/// A place in a text that is being read as JSON.
pub(in crate::socket) struct Scanner<'a> {
    bytes: &'a [u8],
    /// The offset of the next byte.
    pub(in crate::socket) at: usize,
}

impl<'a> Scanner<'a> {
    pub(in crate::socket) const fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }

    #[inline(always)]
    pub(in crate::socket) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    pub(in crate::socket) fn space(&mut self) {
        self.at = behind_space(self.bytes, self.at);
    }

    /// Steps over one value, after optional space.
    #[inline]
    pub(in crate::socket) fn value(&mut self) -> Result<(), NotJson> {
        self.space();
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => self.nested_value(),
            _ => self.scalar(),
        }
    }

    #[inline(never)]
    fn nested_value(&mut self) -> Result<(), NotJson> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let rest = match usual_placeholder(rest) {
            Some((_, behind)) => behind,
            None => behind_nested(rest)?,
        };
        self.at = self.bytes.len() - rest.len();
        Ok(())
    }

    #[inline(never)]
    fn scalar(&mut self) -> Result<(), NotJson> {
        self.at = match self.peek() {
            Some(b'-' | b'0'..=b'9') => behind_number(self.bytes, self.at)?,
            _ => behind_literal(self.bytes, self.at)?,
        };
        Ok(())
    }

    /// Steps over `expected`, after optional space.
    pub(in crate::socket) fn expect(&mut self, expected: u8) -> Result<(), NotJson> {
        self.at = behind(self.bytes, self.at, expected)?;
        Ok(())
    }

    /// Steps over `[`, to the first item of the array. `false` if it is empty.
    #[inline]
    pub(in crate::socket) fn enter_array(&mut self) -> Result<bool, NotJson> {
        self.expect(b'[')?;
        self.space();
        Ok(self.peek() != Some(b']'))
    }

    /// Behind an item: steps over all others and `]`; the place of the others.
    #[inline]
    pub(in crate::socket) fn other_items(&mut self) -> Result<Range<usize>, NotJson> {
        self.space();
        let start = self.at + 1;
        while self.peek() == Some(b',') {
            self.at += 1;
            self.value()?;
            self.space();
        }
        let end = self.at;
        self.expect(b']')?;
        Ok(start.min(end)..end)
    }

    /// Whether only space is left.
    pub(in crate::socket) fn at_end(&mut self) -> bool {
        self.space();
        self.at == self.bytes.len()
    }

    /// Steps over a string; the scanner stands at its opening quote. Whether it has escapes.
    #[inline]
    pub(in crate::socket) fn string(&mut self) -> Result<bool, NotJson> {
        let (behind, escaped) = behind_string(self.bytes, self.at)?;
        self.at = behind;
        Ok(escaped)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    fn is_json(text: &str) -> bool {
        let mut scanner = Scanner::new(text);
        scanner.value().is_ok() && scanner.at_end()
    }

    #[test]
    fn it_agrees_with_serde_json() {
        for text in [
            "null",
            "true",
            "false",
            "nul",
            "tru",
            "0",
            "-0",
            "-",
            "01",
            "1.",
            "1.5",
            ".5",
            "1e5",
            "1E+2",
            "1e",
            "1e-",
            "NaN",
            "\"\"",
            "\"a\\u00e9\"",
            "\"\\u00g0\"",
            "\"\\x\"",
            "\"a",
            "\"\n\"",
            "[]",
            "[ ]",
            "[1,2]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[",
            "]",
            "{}",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "{\"a\":[{\"b\":{}}]}",
            "[}",
            "{]",
            "1 2",
            "",
            " ",
            " [ 1 , { \"a\" : \"\\\\\" } ] ",
            "{\"a\":1,\"a\":2}",
            "[[[[[]]]]]",
            "\u{feff}1",
        ] {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(is_json(text), expected, "{text:?}");
        }
    }

    /// What is written with and without space, with keys, strings and numbers of all lengths.
    fn documents() -> impl Iterator<Item = String> {
        let of_length = (0..20).map(|length| {
            let (text, number) = ("k".repeat(length), "7".repeat(length + 1));
            format!(r#"[{{"{text}":{number},"b":"{text}","{text}":"é{text}"}},{number},"{text}"]"#)
        });
        let others = [
            r#"{"active":true,"id":1000,"off":false,"pos":[0,-7,1.5,2e-3],"tag":null,"end":[]}"#,
            r#" { "a" : [ true , false , null , { } , [ ] ] , "b" : { "c" : -1 } , "d" : "\u00e9" } "#,
            r#"{"a":{"b":[{"c":{"d":[[[1,2],[3]],{}]}}]},"escaped\"key\\":"\ud83d\n and more of it"}"#,
        ];
        of_length.chain(others.map(str::to_owned))
    }

    const CHANGES: [&str; 20] = [
        "", " ", "\t", "\"", "\\", "{", "}", "[", "]", ":", ",", "0", "1", "-", ".", "e", "t",
        "\u{1}", "\u{7f}", "é",
    ];

    #[test]
    fn with_any_byte_of_a_document_changed_or_missing_it_agrees_with_serde_json() {
        let mut count = [0, 0];
        let mut compare = |text: &str| {
            let expected = serde_json::from_str::<IgnoredAny>(text).is_ok();
            assert_eq!(is_json(text), expected, "{text}");
            count[usize::from(expected)] += 1;
        };
        for document in documents() {
            for (place, character) in document.char_indices() {
                let (before, rest) = document.split_at(place);
                let after = &rest[character.len_utf8()..];
                compare(before);
                for change in CHANGES {
                    compare(&format!("{before}{change}{after}"));
                    compare(&format!("{before}{change}{rest}"));
                }
            }
        }
        assert!(count.iter().all(|count| *count > 10_000), "{count:?}");
    }

    #[test]
    fn depth_is_limited_and_takes_no_stack() {
        const STACK_BYTES: usize = 16 * 1024;
        let check = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(check_depth);
        check.unwrap().join().unwrap();
    }

    fn check_depth() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_json(&nested(126)));
        let objects = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        assert!(is_json(&objects(126)));
        assert!(is_json(&objects(126).replace(':', " : ").replace('}', " } ")));
        for depth in [127, 5_000, 1_000_000] {
            assert!(!is_json(&nested(depth)) && !is_json(&objects(depth)));
        }
    }

    #[test]
    fn values_of_a_list_come_one_by_one() {
        let mut rest = " 1 ,[2,{\"a\":\",\"}], \"x,\" ";
        let mut values = Vec::new();
        while let Some((value, tail)) = first_value(rest) {
            values.push(value);
            rest = tail;
        }
        assert_eq!(values, ["1", "[2,{\"a\":\",\"}]", "\"x,\""]);
    }
}
