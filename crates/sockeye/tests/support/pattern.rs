//! The little pattern language of expectations.

/// Matches `text` with `pattern` and returns what stood in the places of the placeholders: `<sid>`
/// is an id (E-004), `<text>` anything up to the next quotation mark, `<any>` all the rest. All
/// else stands for itself.
pub(super) fn capture(pattern: &str, text: &str) -> Option<Vec<String>> {
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
fn placeholder<'p>(pattern: &'p str, text: &str) -> Option<(&'p str, Option<usize>)> {
    if let Some(rest) = pattern.strip_prefix("<sid>") {
        let is_id = text.len() >= 20 && text.bytes().take(20).all(is_url_safe);
        return Some((rest, is_id.then_some(20)));
    }
    if let Some(rest) = pattern.strip_prefix("<any>") {
        return Some((rest, Some(text.len())));
    }
    let rest = pattern.strip_prefix("<text>")?;
    Some((rest, Some(text.find('"').unwrap_or(text.len()))))
}

fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
