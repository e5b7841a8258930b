//! Arrays and objects.
//!
//! What programs write has no space in it, mostly short keys and strings, and whole numbers. That is
//! stepped over a word at a time, keys a byte at a time, and of a window of bytes it is asked once whether it is there: the
//! quick functions in here. They say nothing of what does not look like it, and the careful ones
//! decide.

use super::careful::{behind_key, behind_literal, behind_number, behind_space, behind_string};
use super::{MAX_DEPTH, NotJson};
use crate::socket::json::plain::{ascii_bytes_of_word, ascii_bytes_one_by_one};

/// What follows something that is as it must be.
type Rest<'a> = Result<&'a [u8], NotJson>;

/// The most that a quick key takes: the mark before it, quotes, eight characters and a colon.
const KEY: usize = 12;

/// The most that a quick scalar takes: quotes and eight characters, and what stands behind it.
const SCALAR: usize = 11;

/// The arrays and objects that a value is in: iterative, so the depth that a peer may nest is a number
/// and not the size of a stack.
#[derive(Default)]
struct Open {
    /// One bit for each open bracket, the innermost lowest: set for an object.
    objects: u128,
    depth: u32,
}

impl Open {
    #[inline(always)]
    fn enter(&mut self, bracket: u8) -> Result<(), NotJson> {
        if self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        self.objects = self.objects << 1 | u128::from(bracket == b'{');
        self.depth += 1;
        Ok(())
    }

    /// Whether that was the outermost one.
    #[inline(always)]
    fn leave(&mut self) -> bool {
        self.objects >>= 1;
        self.depth -= 1;
        self.depth == 0
    }

    #[inline(always)]
    const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    /// What closes the innermost one.
    #[inline(always)]
    const fn close(&self) -> u8 {
        if self.in_object() { b'}' } else { b']' }
    }

    /// From a bracket, one that opens or one that closes, up to the mark before what is inside or
    /// behind it. What is returned begins with no mark if the outermost one was left.
    #[inline(always)]
    fn up_to_mark<'a>(&mut self, rest: &'a [u8]) -> Rest<'a> {
        let mut rest = rest;
        loop {
            match rest {
                [bracket @ (b'{' | b'['), ..] => {
                    self.enter(*bracket)?;
                    match without_items(rest, self.close()) {
                        Some(close) => rest = close,
                        None => return Ok(rest),
                    }
                }
                [_, behind @ ..] => {
                    if self.leave() {
                        return Ok(behind);
                    }
                    rest = next_mark(behind, self.close())?;
                    if rest.first() == Some(&b',') {
                        return Ok(rest);
                    }
                }
                [] => return Err(NotJson),
            }
        }
    }
}

/// What follows the array or object with which `text` begins.
pub(super) fn behind_nested(text: &[u8]) -> Rest<'_> {
    let mut open = Open::default();
    let mut rest = text;
    loop {
        let marked = open.up_to_mark(rest)?;
        if open.depth == 0 {
            return Ok(marked);
        }
        rest = if open.in_object() { members(marked)? } else { items(marked)? };
    }
}

/// From the mark before a key, a bracket or comma, to the end of the object or a bracket that opens.
#[inline(always)]
fn members(marked: &[u8]) -> Rest<'_> {
    let mut marked = marked;
    loop {
        let value = match quick_key(marked) {
            Some((window, at)) => {
                if let Some(end) = quick_scalar(window, at) {
                    match window[end] {
                        b',' => {
                            marked = &marked[end..];
                            continue;
                        }
                        b'}' => return Ok(&marked[end..]),
                        _ => {}
                    }
                }
                without_space(&marked[at..])
            }
            None => careful_key(marked)?,
        };
        if let [b'{' | b'[', ..] = value {
            return Ok(value);
        }
        marked = next_mark(careful_scalar(value)?, b'}')?;
        if marked.first() != Some(&b',') {
            return Ok(marked);
        }
    }
}

/// The same in an array.
#[inline(always)]
fn items(marked: &[u8]) -> Rest<'_> {
    let mut marked = marked;
    loop {
        if let [_, value @ ..] = marked
            && let [b'{' | b'[', ..] = value
        {
            return Ok(value);
        }
        if let Some(window) = marked.first_chunk::<{ 1 + SCALAR }>()
            && let Some(end) = quick_scalar(window, 1)
        {
            match window[end] {
                b',' => {
                    marked = &marked[end..];
                    continue;
                }
                b']' => return Ok(&marked[end..]),
                _ => {}
            }
        }
        let value = without_space(marked.get(1..).unwrap_or_default());
        if let [b'{' | b'[', ..] = value {
            return Ok(value);
        }
        marked = next_mark(careful_scalar(value)?, b']')?;
        if marked.first() != Some(&b',') {
            return Ok(marked);
        }
    }
}

/// What begins with `close`, if nothing but space is between it and the bracket with which `text` begins.
#[inline(always)]
fn without_items(text: &[u8], close: u8) -> Option<&[u8]> {
    match text {
        [_, inside, ..] if *inside > b' ' && *inside != close => None,
        _ => Some(without_space(text.get(1..)?)).filter(|inside| inside.first() == Some(&close)),
    }
}

/// What begins with the comma or with `close` behind a member or item.
#[inline(always)]
fn next_mark(behind: &[u8], close: u8) -> Rest<'_> {
    let behind = without_space(behind);
    match behind {
        [mark, ..] if *mark == b',' || *mark == close => Ok(behind),
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
    let plain = ascii_bytes_one_by_one(window[2..].first_chunk()?);
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

/// The value behind a mark and a key.
#[inline(never)]
fn careful_key(marked: &[u8]) -> Rest<'_> {
    let member = marked.get(1..).unwrap_or_default();
    let at = behind_key(member, 0)?;
    Ok(without_space(member.get(at..).unwrap_or_default()))
}

#[inline(never)]
fn careful_scalar(text: &[u8]) -> Rest<'_> {
    let text = without_space(text);
    let at = match text.first().ok_or(NotJson)? {
        b'"' => behind_string(text, 0)?.0,
        b'-' | b'0'..=b'9' => behind_number(text, 0)?,
        _ => behind_literal(text, 0)?,
    };
    Ok(text.get(at..).unwrap_or_default())
}

#[inline(always)]
fn without_space(text: &[u8]) -> &[u8] {
    match text {
        [first, ..] if *first > b' ' => text,
        _ => text.get(behind_space(text, 0)..).unwrap_or_default(),
    }
}
