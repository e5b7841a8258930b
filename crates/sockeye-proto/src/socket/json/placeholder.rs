//! What stands in a packet's text for its attachments: writes it, and checks that every one names an
//! attachment that the packet has (S-003, S-007).

use std::ops::Range;

use super::scan::{NotJson, Scanner};

/// What is before the number in a placeholder, and behind it, as everybody writes it.
const BEFORE: &str = "{\"_placeholder\":true,\"num\":";
const BEHIND: &str = "}";
/// The member that makes a placeholder of an object, if it is `true`.
pub(in crate::socket) const NAME: &str = "_placeholder";
/// The member that says which attachment it stands for.
pub(in crate::socket) const NUMBER: &str = "num";

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

/// Whether all placeholders in `text` are in range: JSON values with commas between them, or a list of
/// them.
///
/// What a decoder may dislike, such as half a surrogate pair, is no concern of this check: it is
/// judged when the arguments are decoded, as in a packet without attachments.
pub(super) fn all_in_range(text: &str, attachments: usize) -> bool {
    let mut is_in_range = |number: Option<usize>, _: Range<usize>| {
        if number.is_some_and(|number| number < attachments) { Ok(()) } else { Err(Illegal) }
    };
    are_usual(text, attachments) || each_placeholder(text, &mut is_in_range).is_ok()
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

/// Appends `list`, whose placeholders are in range, to `json`; their numbers are higher by `first`.
pub(in crate::socket) fn renumber(list: &str, first: usize, json: &mut Vec<u8>) {
    let mut numbers = Vec::new();
    let mut note = |number: Option<usize>, place: Range<usize>| {
        numbers.push((place.start, place.end, number.ok_or(Illegal)?));
        Ok(())
    };
    // It was checked.
    let _ = each_placeholder(list, &mut note);
    numbers.sort_unstable();
    let mut copied = 0;
    for (start, end, number) in numbers {
        json.extend_from_slice(list.get(copied..start).unwrap_or_default().as_bytes());
        let number = number.saturating_add(first);
        json.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        copied = end;
    }
    json.extend_from_slice(list.get(copied..).unwrap_or_default().as_bytes());
}

/// A placeholder that names no attachment, or text that was not checked to be JSON.
#[derive(Debug)]
struct Illegal;

impl From<NotJson> for Illegal {
    fn from(NotJson: NotJson) -> Self {
        Self
    }
}

/// Told the number of a placeholder, `None` if it is none, and where it stands.
type Found<'a> = dyn FnMut(Option<usize>, Range<usize>) -> Result<(), Illegal> + 'a;

/// Looks for the placeholders in JSON values with commas between them. One that is inside another comes
/// before it.
fn each_placeholder(text: &str, found: &mut Found<'_>) -> Result<(), Illegal> {
    let mut walk = Walk { text, scanner: Scanner::new(text), found };
    while !walk.scanner.at_end() {
        walk.value()?;
        walk.comma();
    }
    Ok(())
}

/// A way through JSON that was scanned before, and so is not nested too deep to recurse.
struct Walk<'a, 'b> {
    text: &'a str,
    scanner: Scanner<'a>,
    found: &'b mut Found<'b>,
}

impl Walk<'_, '_> {
    fn value(&mut self) -> Result<(), Illegal> {
        self.scanner.space();
        match self.scanner.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.list(),
            _ => Ok(self.scanner.value()?),
        }
    }

    fn list(&mut self) -> Result<(), Illegal> {
        self.scanner.expect(b'[')?;
        while !self.is_over(b']') {
            self.value()?;
            self.comma();
        }
        Ok(self.scanner.expect(b']')?)
    }

    fn object(&mut self) -> Result<(), Illegal> {
        let (mut is_placeholder, mut number) = (false, 0..0);
        self.scanner.expect(b'{')?;
        while !self.is_over(b'}') {
            let key = self.key()?;
            self.scanner.space();
            let start = self.scanner.at;
            self.value()?;
            let place = start..self.scanner.at;
            // Of a key given twice the last value counts.
            match key {
                Some(Key::Placeholder) => is_placeholder = self.text.get(place) == Some("true"),
                Some(Key::Number) => number = place,
                None => {}
            }
            self.comma();
        }
        self.scanner.expect(b'}')?;
        if !is_placeholder {
            return Ok(());
        }
        let digits = self.text.get(number.clone()).unwrap_or_default();
        (self.found)(digits.parse().ok(), number)
    }

    /// Steps over a key and its colon: whether it is one that counts.
    fn key(&mut self) -> Result<Option<Key>, Illegal> {
        let start = self.scanner.at;
        let escaped = self.scanner.string()?;
        let json = self.text.get(start..self.scanner.at).unwrap_or_default();
        self.scanner.expect(b':')?;
        // What cannot be decoded, being half a character, is neither.
        let own = if escaped { serde_json::from_str::<String>(json).ok() } else { None };
        let key = own.as_deref().unwrap_or_else(|| json.trim_matches('"'));
        Ok(match key {
            NAME => Some(Key::Placeholder),
            NUMBER => Some(Key::Number),
            _ => None,
        })
    }

    /// Whether the bracket is next.
    fn is_over(&mut self, bracket: u8) -> bool {
        self.scanner.space();
        self.scanner.peek() == Some(bracket)
    }

    fn comma(&mut self) {
        self.scanner.space();
        if self.scanner.peek() == Some(b',') {
            self.scanner.at += 1;
        }
    }
}

/// The keys of a placeholder.
enum Key {
    Placeholder,
    Number,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of one argument list each, with two attachments: whether all placeholders are in range.
    const TEXTS: [(&str, bool); 30] = [
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
        // What is before it cannot be decoded.
        (r#"["e",1e400,{"_placeholder":true,"num":9}]"#, false),
        (r#"["e","\ud800",{"_placeholder":true,"num":9}]"#, false),
        (r#"["e",{"\ud800":1,"_placeholder":true,"num":9}]"#, false),
        (r#"["e",{"\ud800":1},1e400,{"_placeholder":true,"num":1}]"#, true),
        (r#"["e",{"_placeholder":true,"num":0,"num":9}]"#, false),
        (r#"["e",{"_placeholder":true,"num":9,"num":0}]"#, true),
        (r#"["e",{"_placeholder":true,"_placeholder":false,"num":9}]"#, true),
        (r#"["e",{"_placeholder":[{"_placeholder":true,"num":9}],"num":9}]"#, false),
        (r#"["e",{"_placeholder":true,"n\u0075m":9}]"#, false),
        (r#"["é_placeholder",{"é":[],"è":{}},{"_placeholder":true,"num":9}]"#, false),
    ];

    #[test]
    fn s_007_a_placeholder_is_in_range_however_it_is_written() {
        for (text, in_range) in TEXTS {
            assert_eq!(all_in_range(text, 2), in_range, "{text}");
            assert!(in_range || !are_usual(text, 2), "{text}");
            let list = &text[1..text.len() - 1];
            assert_eq!(all_in_range(list, 2), in_range, "{text}");
        }
    }

    #[test]
    fn renumbered_only_the_numbers_of_placeholders_change() {
        for (list, expected) in [
            ("", ""),
            (r#"1e400, "\ud800""#, r#"1e400, "\ud800""#),
            (
                r#"{"_placeholder":true,"num":0},{"num":0}, [ { "num" : 1 , "_placeholder" : true } ]"#,
                r#"{"_placeholder":true,"num":9},{"num":0}, [ { "num" : 10 , "_placeholder" : true } ]"#,
            ),
            (
                r#"{"_placeholder":true,"num":0,"more":{"_placeholder":true,"num":1}},7"#,
                r#"{"_placeholder":true,"num":9,"more":{"_placeholder":true,"num":10}},7"#,
            ),
        ] {
            let mut json = Vec::new();
            renumber(list, 9, &mut json);
            assert_eq!(str::from_utf8(&json), Ok(expected));
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
