//! Where something ends that begins at a place. Takes any text, so also with space wherever JSON
//! allows it, and up to the last byte.

use super::NotJson;
use crate::socket::json::plain::plain_bytes;

#[inline(always)]
pub(in crate::socket::json) fn behind_space(bytes: &[u8], at: usize) -> usize {
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
pub(super) fn behind(bytes: &[u8], at: usize, expected: u8) -> Result<usize, NotJson> {
    let at = behind_space(bytes, at);
    if bytes.get(at) == Some(&expected) { Ok(at + 1) } else { Err(NotJson) }
}

/// Behind an object's key and its colon.
#[inline(always)]
pub(super) fn behind_key(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    let at = behind_space(bytes, at);
    if bytes.get(at) != Some(&b'"') {
        return Err(NotJson);
    }
    let (at, _) = behind_string(bytes, at)?;
    behind(bytes, at, b':')
}

/// Behind the string whose opening quote stands at `at`, and whether it has escapes.
#[inline(always)]
pub(in crate::socket::json) fn behind_string(
    bytes: &[u8],
    at: usize,
) -> Result<(usize, bool), NotJson> {
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
pub(in crate::socket::json) fn behind_number(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
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
pub(super) fn behind_literal(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    match bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        Some(b"true" | b"null") => Ok(at + 4),
        Some(b"fals") if bytes.get(at + 4) == Some(&b'e') => Ok(at + 5),
        _ => Err(NotJson),
    }
}
