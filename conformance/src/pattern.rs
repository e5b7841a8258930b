//! The little pattern language of expectations.

/// Matches `text` with `pattern` and returns what stood in the places of the placeholders.
///
/// | placeholder | stands for |
/// | --- | --- |
/// | `<sid>` | 20 characters of URL-safe base64 (E-004) |
/// | `<number>` | one or more decimal digits |
/// | `<text>` | anything up to the next quotation mark |
/// | `<any>` | all the rest |
///
/// All else stands for itself.
///
/// ```
/// use conformance::capture;
///
/// let text = r#"40{"sid":"cDauGyDYj8wUZAuEAAAH"}"#;
/// assert_eq!(capture(r#"40{"sid":"<sid>"}"#, text), Some(vec!["cDauGyDYj8wUZAuEAAAH".into()]));
/// assert_eq!(capture("41", text), None);
/// ```
#[must_use]
pub fn capture(pattern: &str, text: &str) -> Option<Vec<String>> {
    let mut captured = Vec::new();
    let (mut pattern, mut text) = (pattern, text);
    while let Some(expected) = pattern.chars().next() {
        if let Some((rest, length)) = placeholder(pattern, text) {
            captured.push(text.get(..length?)?.to_owned());
            text = &text[length?..];
            pattern = rest;
        } else {
            text = text.strip_prefix(expected)?;
            pattern = &pattern[expected.len_utf8()..];
        }
    }
    text.is_empty().then_some(captured)
}

/// If `pattern` begins with a placeholder: the pattern after it, and how much of `text` it takes.
fn placeholder<'pattern>(
    pattern: &'pattern str,
    text: &str,
) -> Option<(&'pattern str, Option<usize>)> {
    if let Some(rest) = pattern.strip_prefix("<sid>") {
        let long_enough = text.len() >= 20 && text.bytes().take(20).all(is_url_safe);
        return Some((rest, long_enough.then_some(20)));
    }
    if let Some(rest) = pattern.strip_prefix("<number>") {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        return Some((rest, (digits > 0).then_some(digits)));
    }
    if let Some(rest) = pattern.strip_prefix("<any>") {
        return Some((rest, Some(text.len())));
    }
    let rest = pattern.strip_prefix("<text>")?;
    Some((rest, Some(text.find('"').unwrap_or(text.len()))))
}

/// Whether `byte` belongs to the URL-safe base64 alphabet.
fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
