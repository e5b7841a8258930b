//! Arrays and objects.
//!
//! What programs write has no space in it, mostly short keys and strings, and whole numbers. That is
//! stepped over a word at a time, and of a window of bytes it is asked once whether it is there: the
//! quick functions in here. They say nothing of what does not look like it, and the careful ones
//! decide.

use super::careful::{behind_key, behind_literal, behind_number, behind_space, behind_string};
use super::{MAX_DEPTH, NotJson};
use crate::socket::json::plain::ascii_bytes_of_word;

/// What follows something that is as it must be.
type Rest<'a> = Result<&'a [u8], NotJson>;

/// The most that a quick key takes: the mark before it, quotes, eight characters and a colon.
const KEY: usize = 12;

/// The most that a quick scalar takes: quotes and eight characters, and what stands behind it.
const SCALAR: usize = 11;

/// What follows the array or object with which `text` begins.
pub(super) fn behind_nested(text: &[u8]) -> Rest<'_> {
    if text.first() == Some(&b'{') { object(text, MAX_DEPTH) } else { array(text, MAX_DEPTH) }
}

/// `depth` is how many may be open within each other, this one too.
fn object(text: &[u8], depth: u32) -> Rest<'_> {
    let depth = depth.checked_sub(1).ok_or(NotJson)?;
    if let Some(behind) = behind_empty(text, b'}') {
        return Ok(behind);
    }
    let mut marked = text;
    loop {
        let behind = match quick_key(marked) {
            Some((window, at)) => {
                if let Some(end) = quick_scalar(window, at) {
                    match window[end] {
                        b',' => {
                            marked = &marked[end..];
                            continue;
                        }
                        b'}' => return Ok(&marked[end + 1..]),
                        _ => {}
                    }
                }
                value(&marked[at..], depth)?
            }
            None => careful_member(marked, depth)?,
        };
        marked = match next_of(behind, b'}')? {
            Next::Mark(marked) => marked,
            Next::Nothing(behind) => return Ok(behind),
        };
    }
}

/// See [`object`].
fn array(text: &[u8], depth: u32) -> Rest<'_> {
    let depth = depth.checked_sub(1).ok_or(NotJson)?;
    if let Some(behind) = behind_empty(text, b']') {
        return Ok(behind);
    }
    let mut marked = text;
    loop {
        if let Some(window) = marked.first_chunk::<{ 1 + SCALAR }>()
            && let Some(end) = quick_scalar(window, 1)
        {
            match window[end] {
                b',' => {
                    marked = &marked[end..];
                    continue;
                }
                b']' => return Ok(&marked[end + 1..]),
                _ => {}
            }
        }
        let behind = value(marked.get(1..).unwrap_or_default(), depth)?;
        marked = match next_of(behind, b']')? {
            Next::Mark(marked) => marked,
            Next::Nothing(behind) => return Ok(behind),
        };
    }
}

/// What follows the bracket with which `text` begins, and `close`, if nothing but space is between.
#[inline(always)]
fn behind_empty(text: &[u8], close: u8) -> Option<&[u8]> {
    match text {
        [_, inside, ..] if *inside > b' ' && *inside != close => None,
        _ => without_space(text.get(1..)?).strip_prefix(&[close]),
    }
}

/// What stands behind a member or item.
enum Next<'a> {
    /// The comma before another one.
    Mark(&'a [u8]),
    /// None: what follows the bracket.
    Nothing(&'a [u8]),
}

#[inline(always)]
fn next_of(behind: &[u8], close: u8) -> Result<Next<'_>, NotJson> {
    let behind = match behind {
        [b' ' | b'\t' | b'\n' | b'\r', ..] => without_space(behind),
        _ => behind,
    };
    match behind {
        [b',', ..] => Ok(Next::Mark(behind)),
        [end, behind @ ..] if *end == close => Ok(Next::Nothing(behind)),
        _ => Err(NotJson),
    }
}

/// Where the value begins behind a mark and a short key, in a window that holds a short one, too.
#[inline(always)]
fn quick_key(marked: &[u8]) -> Option<(&[u8; KEY + SCALAR], usize)> {
    let window: &[u8; KEY + SCALAR] = marked.first_chunk()?;
    if window[1] != b'"' {
        return None;
    }
    let plain = ascii_bytes_of_word(window[2..].first_chunk()?);
    (window[plain + 2..plain + 4] == *b"\":").then_some((window, plain + 4))
}

/// Where a short string, a literal, or a number without fraction and sign ends that begins at `at`.
/// Of a longer number it is not the end.
#[inline(always)]
fn quick_scalar<const N: usize>(window: &[u8; N], at: usize) -> Option<usize> {
    let first = window[at..].first_chunk::<4>()?;
    match first {
        // Compared as one number each, which patterns are not.
        _ if first == b"true" || first == b"null" => Some(at + 4),
        [b'"', ..] => {
            let end = at + 1 + ascii_bytes_of_word(window[at + 1..].first_chunk()?);
            (window[end] == b'"').then_some(end + 1)
        }
        [b'1'..=b'9', b'0'..=b'9', ..] => Some(at + digits_of_word(window[at..].first_chunk()?)),
        [b'0'..=b'9', ..] => Some(at + 1),
        _ if first == b"fals" => (window[at + 4] == b'e').then_some(at + 5),
        _ => None,
    }
}

/// How many of the first bytes are digits.
#[inline(always)]
const fn digits_of_word(word: &[u8; 8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let word = u64::from_le_bytes(*word);
    // The first other one shows by its highest bit; those behind it mean nothing.
    let others =
        word.wrapping_sub(ONES * b'0' as u64) | word.wrapping_add(HIGH - ONES * b':' as u64);
    (others & HIGH).trailing_zeros() as usize / 8
}

#[inline(always)]
fn value(text: &[u8], depth: u32) -> Rest<'_> {
    match text.first() {
        Some(b'{') => object(text, depth),
        Some(b'[') => array(text, depth),
        _ => careful_value(text, depth),
    }
}

#[inline(never)]
fn careful_member(marked: &[u8], depth: u32) -> Rest<'_> {
    let member = marked.get(1..).unwrap_or_default();
    let at = behind_key(member, 0)?;
    value(member.get(at..).unwrap_or_default(), depth)
}

#[inline(never)]
fn careful_value(text: &[u8], depth: u32) -> Rest<'_> {
    let text = without_space(text);
    let at = match text.first().ok_or(NotJson)? {
        b'{' => return object(text, depth),
        b'[' => return array(text, depth),
        b'"' => behind_string(text, 0)?.0,
        b'-' | b'0'..=b'9' => behind_number(text, 0)?,
        _ => behind_literal(text, 0)?,
    };
    Ok(text.get(at..).unwrap_or_default())
}

#[inline(always)]
fn without_space(text: &[u8]) -> &[u8] {
    text.get(behind_space(text, 0)..).unwrap_or_default()
}
