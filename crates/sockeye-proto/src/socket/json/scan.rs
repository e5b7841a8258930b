//! Finds where JSON values end and whether they are JSON at all, without building anything.
//!
//! Iterative, so the depth that a peer may nest is a number and not the size of a stack.

use std::ops::Range;

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
    /// One bit for each open bracket, the innermost lowest: set for an object.
    objects: u128,
    depth: u32,
}

impl<'a> Scanner<'a> {
    pub(in crate::socket) const fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, objects: 0, depth: 0 }
    }

    pub(in crate::socket) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(in crate::socket) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
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
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{') if self.open(1)? => continue,
                Some(b'[') if self.open(0)? => continue,
                Some(b'{' | b'[') => {}
                Some(b'-' | b'0'..=b'9') => self.number()?,
                _ => self.literal()?,
            }
            if self.depth == 0 || self.close_until_next()? {
                return Ok(());
            }
        }
    }

    /// Steps over `expected`, after optional space.
    pub(in crate::socket) fn expect(&mut self, expected: u8) -> Result<(), NotJson> {
        self.space();
        if self.peek() != Some(expected) {
            return Err(NotJson);
        }
        self.at += 1;
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

    /// Enters an array or object; `false` if it was empty and is already left.
    fn open(&mut self, object: u128) -> Result<bool, NotJson> {
        if self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        self.at += 1;
        self.space();
        let closing = if object == 1 { b'}' } else { b']' };
        if self.peek() == Some(closing) {
            self.at += 1;
            return Ok(false);
        }
        self.objects = self.objects << 1 | object;
        self.depth += 1;
        if object == 1 {
            self.key()?;
        }
        Ok(true)
    }

    /// After a value: leaves what ends here. `true` when the outermost value is complete,
    /// `false` when another value follows.
    fn close_until_next(&mut self) -> Result<bool, NotJson> {
        while self.depth > 0 {
            self.space();
            let in_object = self.objects & 1 == 1;
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    if in_object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                Some(b'}') if in_object => self.close(),
                Some(b']') if !in_object => self.close(),
                _ => return Err(NotJson),
            }
        }
        Ok(true)
    }

    const fn close(&mut self) {
        self.at += 1;
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn key(&mut self) -> Result<(), NotJson> {
        self.space();
        if self.peek() != Some(b'"') {
            return Err(NotJson);
        }
        self.string()?;
        self.expect(b':')
    }

    /// Steps over a string; the scanner stands at its opening quote. Whether it has escapes.
    #[inline]
    pub(in crate::socket) fn string(&mut self) -> Result<bool, NotJson> {
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.next_special()? {
                b'"' => return Ok(escaped),
                b'\\' => self.escape()?,
                _ => return Err(NotJson),
            }
            escaped = true;
        }
    }

    /// Steps over plain characters of a string, and over the byte behind them: a quote, a
    /// backslash, or a control character.
    #[inline]
    fn next_special(&mut self) -> Result<u8, NotJson> {
        let rest = self.bytes.get(self.at..).ok_or(NotJson)?;
        let (words, tail) = rest.as_chunks();
        for word in words {
            let special = specials(u64::from_le_bytes(*word));
            if special != 0 {
                let index = special.trailing_zeros() as usize / 8;
                self.at += index + 1;
                return Ok(word[index]);
            }
            self.at += word.len();
        }
        let index = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        self.at += index.ok_or(NotJson)? + 1;
        tail.get(index.unwrap_or_default()).copied().ok_or(NotJson)
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 1..self.at + 5).ok_or(NotJson)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(NotJson);
                }
                self.at += 5;
            }
            _ => return Err(NotJson),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), NotJson> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(NotJson) } else { Ok(()) }
    }

    fn literal(&mut self) -> Result<(), NotJson> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        for literal in [&b"true"[..], b"false", b"null"] {
            if rest.starts_with(literal) {
                self.at += literal.len();
                return Ok(());
            }
        }
        Err(NotJson)
    }
}

/// Marks the lowest byte of eight that is a quote, a backslash or a control character, by its
/// highest bit. Bits above that one mean nothing.
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    (quote | backslash | below(word, 0x20)) & HIGH
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
    fn specials_are_found_at_every_place_among_all_bytes() {
        for plain in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0x9f, 0xa2, 0xdc, 0xff] {
            assert_eq!(specials(u64::from_le_bytes([plain; 8])), 0, "{plain}");
            for special in [0, 1, 0x1f, b'\n', b'"', b'\\'] {
                for place in 0..8 {
                    let mut bytes = [plain; 8];
                    bytes[place] = special;
                    let found = specials(u64::from_le_bytes(bytes)).trailing_zeros() as usize / 8;
                    assert_eq!(found, place);
                }
            }
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
