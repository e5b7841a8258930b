use std::borrow::Cow;

/// Digits of an index that are kept: more than any page counts to.
const MAX_INDEX_DIGITS: usize = 20;

/// Polling by script elements, for browsers that cannot do it otherwise: a response is a script
/// that calls `___eio[<index>]`, a request is a form (E-117).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jsonp {
    index: Box<str>,
}

impl Jsonp {
    /// From the parameter `j` of the session's first request. All responses of the session call the
    /// function with this index, as in the reference. Only the digits count, so that nothing else
    /// gets into the script.
    #[must_use]
    pub fn new(j: &str) -> Self {
        let digits = j.chars().filter(char::is_ascii_digit).take(MAX_INDEX_DIGITS);
        Self { index: digits.collect() }
    }

    /// The script that hands a payload over.
    #[must_use]
    pub fn script(&self, payload: &str) -> String {
        let mut script = String::with_capacity(payload.len() + payload.len() / 4 + 32);
        for part in ["___eio[", &self.index, "]("] {
            script.push_str(part);
        }
        push_string(&mut script, payload);
        script.push_str(");");
        script
    }

    /// The payload in a form: its field `d`. `None` if there is none, or more than one; the
    /// reference ignores such a request.
    #[must_use]
    pub fn payload(form: &[u8]) -> Option<String> {
        let mut fields = form_urlencoded::parse(form).filter(|(name, _)| name == "d");
        let (_, payload) = fields.next()?;
        fields.next().is_none().then(|| unescape(payload))
    }
}

/// A JavaScript string: JSON, and two characters escaped that JSON has in strings and JavaScript
/// long had not.
fn push_string(script: &mut String, text: &str) {
    let json = serde_json::Value::from(text).to_string();
    let mut rest = json.as_str();
    while let Some(at) = rest.find(['\u{2028}', '\u{2029}']) {
        let (before, separator) = rest.split_at(at);
        script.push_str(before);
        script.push_str(if separator.starts_with('\u{2028}') { "\\u2028" } else { "\\u2029" });
        rest = separator.get('\u{2028}'.len_utf8()..).unwrap_or_default();
    }
    script.push_str(rest);
}

/// Undoes what the client does to newlines, which browsers change in forms: a newline comes as
/// `\n`, and what was written `\n` comes as `\\n`.
fn unescape(text: Cow<'_, str>) -> String {
    if !text.contains("\\n") {
        return text.into_owned();
    }
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find("\\n") {
        let before = &rest[..at];
        match before.strip_suffix('\\') {
            Some(before) => unescaped.extend([before, "\\n"]),
            None => unescaped.extend([before, "\n"]),
        }
        rest = &rest[at + 2..];
    }
    unescaped.push_str(rest);
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_the_references_script() {
        // From polling-eio3-csr.txt.
        let jsonp = Jsonp::new("0");
        assert_eq!(jsonp.script("2:40"), "___eio[0](\"2:40\");");
        assert_eq!(
            jsonp.script("25:42[\"hi\",\"é€😀\",\"Q7vyee2\"]"),
            "___eio[0](\"25:42[\\\"hi\\\",\\\"é€😀\\\",\\\"Q7vyee2\\\"]\");"
        );
    }

    #[test]
    fn nothing_but_digits_gets_into_the_index() {
        for (j, index) in [
            ("12", "12"),
            ("007", "007"),
            ("", ""),
            ("alert(1)//", "1"),
            ("][1", "1"),
            ("１２", ""),
            ("123456789012345678901234567890", "12345678901234567890"),
        ] {
            assert_eq!(Jsonp::new(j).script(""), format!("___eio[{index}](\"\");"), "{j}");
        }
    }

    #[test]
    fn a_script_holds_no_line_separator() {
        assert_eq!(
            Jsonp::new("1")
                .script("\u{2028}a\u{2029}\u{2029}é\"\\\n\r\t\u{1}\u{1e}\u{7f}</script>"),
            "___eio[1](\"\\u2028a\\u2029\\u2029é\\\"\\\\\\n\\r\\t\\u0001\\u001e\u{7f}</script>\");"
        );
    }

    #[test]
    fn newlines_come_out_as_they_were() {
        for (form, payload) in [
            // From polling-eio3-csr.txt.
            ("d=10%3A42%5B%22emit%22%5D", Some("10:42[\"emit\"]")),
            ("d=a%5Cnb", Some("a\nb")),
            ("d=a%5C%5Cnb", Some("a\\nb")),
            ("d=a%5C%5C%5Cnb", Some("a\\\\nb")),
            ("d=%5Cn%5C%5Cn%5Cn", Some("\n\\n\n")),
            ("d=%5C", Some("\\")),
            ("d=n%5C", Some("n\\")),
            ("d=a+b%2B", Some("a b+")),
            ("d=", Some("")),
            ("x=1&d=1&y=2", Some("1")),
            ("d", Some("")),
            ("", None),
            ("x=1", None),
            ("d=1&d=2", None),
        ] {
            assert_eq!(Jsonp::payload(form.as_bytes()).as_deref(), payload, "{form}");
        }
    }

    /// The official client's part, engine.io-client 3.5: `\n` of the text gets another backslash by
    /// way of a newline, and then newlines become `\n`. (A backslash right before a newline it
    /// cannot tell from one before an `n`; JSON has none.)
    #[test]
    fn what_the_official_client_does_to_newlines_is_undone() {
        for text in ["", "\n", "\\n", "\\\\n", "\n\\n\n", "a\\\\\\n\n\\b\\nn", "\r\n"] {
            let sent = text.replace("\\n", "\\\n").replace('\n', "\\n");
            assert_eq!(unescape(sent.into()), text);
        }
    }
}
