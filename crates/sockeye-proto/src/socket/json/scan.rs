//! Finds where JSON values end and whether they are JSON at all, without building anything.
//!
//! Iterative, so the depth that a peer may nest is a number and not the size of a stack.

use std::ops::Range;

use super::plain::plain_bytes;

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
            _ => self.nested_value(),
        }
    }

    fn nested_value(&mut self) -> Result<(), NotJson> {
        let Self { bytes, mut at, .. } = *self;
        let mut open = Open::default();
        loop {
            at = behind_space(bytes, at);
            let first = *bytes.get(at).ok_or(NotJson)?;
            at = match first {
                b'"' => behind_string(bytes, at)?.0,
                b'{' | b'[' => {
                    let (inside, entered) = open.enter(bytes, at, first)?;
                    at = inside;
                    if entered {
                        continue;
                    }
                    at
                }
                b'-' | b'0'..=b'9' => behind_number(bytes, at)?,
                _ => behind_literal(bytes, at)?,
            };
            match open.leave_until_next(bytes, at)? {
                (behind, true) => {
                    self.at = behind;
                    return Ok(());
                }
                (next, false) => at = next,
            }
        }
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

/// The arrays and objects that a value is in.
#[derive(Default)]
struct Open {
    /// One bit for each open bracket, the innermost lowest: set for an object.
    objects: u128,
    depth: u32,
}

impl Open {
    /// Enters the array or object whose bracket stands at `at`, up to its first value; `false` if it
    /// was empty and is already left.
    #[inline(always)]
    fn enter(&mut self, bytes: &[u8], at: usize, bracket: u8) -> Result<(usize, bool), NotJson> {
        if self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        let object = bracket == b'{';
        let at = behind_space(bytes, at + 1);
        if bytes.get(at) == Some(if object { &b'}' } else { &b']' }) {
            return Ok((at + 1, false));
        }
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
        let at = if object { behind_key(bytes, at)? } else { at };
        Ok((at, true))
    }

    /// After a value: leaves what ends here. `true` when the outermost value is complete, `false`
    /// when another value follows.
    #[inline(always)]
    fn leave_until_next(&mut self, bytes: &[u8], at: usize) -> Result<(usize, bool), NotJson> {
        let mut at = at;
        while self.depth > 0 {
            at = behind_space(bytes, at);
            let in_object = self.objects & 1 == 1;
            match bytes.get(at) {
                Some(b',') if in_object => return Ok((behind_key(bytes, at + 1)?, false)),
                Some(b',') => return Ok((at + 1, false)),
                Some(b'}') if in_object => {}
                Some(b']') if !in_object => {}
                _ => return Err(NotJson),
            }
            at += 1;
            self.objects >>= 1;
            self.depth -= 1;
        }
        Ok((at, true))
    }
}

// Where something ends that begins at a place: positions go from one to the next in registers, for
// which reason most of these are inlined into the one loop.

#[inline(always)]
fn behind_space(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    // Nearly always there is none, and one comparison tells.
    while bytes.get(at).is_some_and(|byte| *byte <= b' ' && is_space(*byte)) {
        at += 1;
    }
    at
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[inline(always)]
fn behind(bytes: &[u8], at: usize, expected: u8) -> Result<usize, NotJson> {
    let at = behind_space(bytes, at);
    if bytes.get(at) == Some(&expected) { Ok(at + 1) } else { Err(NotJson) }
}

/// Behind an object's key and its colon.
#[inline(always)]
fn behind_key(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    let at = behind_space(bytes, at);
    if bytes.get(at) != Some(&b'"') {
        return Err(NotJson);
    }
    let (at, _) = behind_string(bytes, at)?;
    behind(bytes, at, b':')
}

/// Behind the string whose opening quote stands at `at`, and whether it has escapes.
#[inline(always)]
fn behind_string(bytes: &[u8], at: usize) -> Result<(usize, bool), NotJson> {
    let start = at + 1;
    let at = start + plain_bytes(bytes.get(start..).unwrap_or_default());
    if bytes.get(at) == Some(&b'"') {
        return Ok((at + 1, false));
    }
    Ok((behind_escaped_string(bytes, at)?, true))
}

/// Behind a string, the plain beginning of which ends at `at`.
#[inline(never)]
fn behind_escaped_string(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    let mut at = at;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = behind_escape(bytes, at + 1)?,
            _ => return Err(NotJson),
        }
        at += plain_bytes(bytes.get(at..).unwrap_or_default());
    }
}

fn behind_escape(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => {
            let digits = bytes.get(at + 1..at + 5).ok_or(NotJson)?;
            if digits.iter().all(u8::is_ascii_hexdigit) { Ok(at + 5) } else { Err(NotJson) }
        }
        _ => Err(NotJson),
    }
}

#[inline(always)]
fn behind_number(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    let at = if bytes.get(at) == Some(&b'-') { at + 1 } else { at };
    let at = match bytes.get(at) {
        Some(b'0') => at + 1,
        _ => behind_digits(bytes, at)?,
    };
    match bytes.get(at) {
        Some(b'.' | b'e' | b'E') => behind_fraction(bytes, at),
        _ => Ok(at),
    }
}

#[inline(never)]
fn behind_fraction(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    let mut at = at;
    if bytes.get(at) == Some(&b'.') {
        at = behind_digits(bytes, at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = behind_digits(bytes, at + 1 + usize::from(signed))?;
    }
    Ok(at)
}

#[inline(always)]
fn behind_digits(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    let mut end = at;
    while bytes.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    if end == at { Err(NotJson) } else { Ok(end) }
}

#[inline(always)]
fn behind_literal(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    match bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        Some(b"true" | b"null") => Ok(at + 4),
        Some(b"fals") if bytes.get(at + 4) == Some(&b'e') => Ok(at + 5),
        _ => Err(NotJson),
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn depth_is_limited_and_takes_no_stack() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_json(&nested(126)));
        assert!(serde_json::from_str::<serde_json::Value>(&nested(127)).is_ok());
        for depth in [127, 5_000, 1_000_000] {
            assert!(!is_json(&nested(depth)));
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
