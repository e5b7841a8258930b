//! Halves of characters in JSON, which JavaScript sends and Rust's texts cannot hold. Never touches
//! text without them.

/// The same JSON with U+FFFD in the place of each half of a surrogate pair that stands alone; `None` if
/// there is none.
pub(in crate::socket) fn replace_lone_surrogates(json: &str) -> Option<String> {
    let mut replaced: Option<String> = None;
    let mut at = 0;
    while let Some(found) = json.get(at..)?.find('\\') {
        at += found;
        let Some(unit) = escaped_unit(json, at) else {
            // Another escape: two characters, the second of which may be a backslash too.
            at += 2;
            continue;
        };
        let is_pair = is_high(unit) && escaped_unit(json, at + 6).is_some_and(is_low);
        if !is_pair && (is_high(unit) || is_low(unit)) {
            let text = replaced.get_or_insert_with(|| json.to_owned());
            text.replace_range(at..at + 6, "\\ufffd");
        }
        at += if is_pair { 12 } else { 6 };
    }
    replaced
}

/// The code unit of the escape `\u0000` that begins here.
fn escaped_unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

const fn is_high(unit: u16) -> bool {
    matches!(unit, 0xd800..=0xdbff)
}

const fn is_low(unit: u16) -> bool {
    matches!(unit, 0xdc00..=0xdfff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_13_halves_of_characters_are_replaced_and_nothing_else() {
        for (json, replaced) in [
            (r#""\ud800""#, Some(r#""\ufffd""#)),
            (r#""\uDC00a\uD83D""#, Some(r#""\ufffda\ufffd""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
            (r#""\ud83d\ude00\u00e9\n""#, None),
            (r#""\\ud800""#, None),
            (r#""\\\ud800é""#, Some(r#""\\\ufffdé""#)),
            (r#""plain €""#, None),
            (r#""\"#, None),
            (r#""\ud8"#, None),
        ] {
            assert_eq!(replace_lone_surrogates(json).as_deref(), replaced, "{json}");
        }
    }
}
