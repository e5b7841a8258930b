use std::borrow::Cow;

use crate::socket::Arguments;

/// The place up to which the client has seen what it was sent: the last text at the end of an
/// event's arguments (C-051).
///
/// Two texts that the official client takes for offsets are none, and the one before is still
/// right: the name of an event without arguments (S-089), and a text of more than 256 bytes.
#[derive(Debug, Default)]
pub(super) struct LastOffset(String);

/// Bytes of JSON that an offset may have. Known ones have less than thirty.
const MAX_BYTES: usize = 256;

impl LastOffset {
    pub(super) fn note(&mut self, arguments: Arguments<'_>) {
        if let Some(text) = last_text(arguments.list) {
            self.0.clear();
            self.0.push_str(&text);
        }
    }

    pub(super) fn get(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&self.0)
    }

    pub(super) fn clear(&mut self) {
        self.0 = String::new();
    }
}

/// The last of these JSON values, if it is a text, and not too long.
fn last_text(list: &str) -> Option<Cow<'_, str>> {
    let list = list.trim_ascii_end();
    let inner = list.strip_suffix('"')?.as_bytes();
    let from = inner.len().saturating_sub(MAX_BYTES + 1);
    let mut end = inner.len();
    // A quote inside has a backslash before it that has none itself.
    let quote = loop {
        end = from + inner.get(from..end)?.iter().rposition(|byte| *byte == b'"')?;
        let before = inner.get(..end)?.iter().rev();
        if before.take_while(|byte| **byte == b'\\').count().is_multiple_of(2) {
            break end;
        }
    };
    let text = list.get(quote + 1..inner.len())?;
    if text.contains('\\') {
        return serde_json::from_str(list.get(quote..)?).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_051_the_last_text_of_the_arguments_is_the_offset() {
        for (list, expected) in [
            ("", None),
            ("1", None),
            ("\"~1\"", Some("~1")),
            ("1,\"~1\" ", Some("~1")),
            ("\"a\",\"~1\"", Some("~1")),
            ("\"a\",{\"b\":\"~1\"}", None),
            ("\"a\",[\"~1\"]", None),
            (r#""a\"b""#, Some("a\"b")),
            (r#""a","\\""#, Some("\\")),
            (r#""\"""#, Some("\"")),
            (r#""\\\"\\""#, Some("\\\"\\")),
            ("\"\"", Some("")),
        ] {
            assert_eq!(last_text(list).as_deref(), expected, "{list}");
        }
    }

    #[test]
    fn a_long_text_is_no_offset() {
        let text = |length| format!("1,\"{}\"", "é".repeat(length / 2));
        assert!(last_text(&text(MAX_BYTES)).is_some());
        assert!(last_text(&text(MAX_BYTES + 2)).is_none());
        assert!(last_text(&text(100_000)).is_none());
    }

    #[test]
    fn an_empty_text_is_no_offset_to_come_back_with() {
        let mut offset = LastOffset::default();
        offset.note(Arguments { list: "\"~1\"", attachments: &[] });
        assert_eq!(offset.get(), Some("~1"));
        offset.note(Arguments { list: "1", attachments: &[] });
        assert_eq!(offset.get(), Some("~1"));
    }
}
