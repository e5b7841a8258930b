//! The plain characters of a string: everything up to a quote, a backslash or a control character.
//! Never looks at what an escape means.
//!
//! With the second lowest bit turned over, a quote is the first character above the control
//! characters, and space and `!` lie behind it: so one comparison finds both.

/// Bytes looked at together once a string has turned out to be long. The compiler makes vector
/// instructions of a loop over so many.
const BLOCK_BYTES: usize = 64;

/// Bytes after which a string is long.
const SOON: usize = 16;

const TURNED: u8 = 0b10;
const QUOTE: u8 = b'"' ^ TURNED;
const BACKSLASH: u8 = b'\\' ^ TURNED;

/// How many of the first bytes are plain. All of them: the string does not end here.
#[inline(always)]
pub(super) fn plain_bytes(bytes: &[u8]) -> usize {
    match bytes.first_chunk::<8>().map(plain_bytes_of_word) {
        Some(plain @ 0..8) => plain,
        Some(word) => word + plain_bytes_of_more(bytes.get(word..).unwrap_or_default()),
        None => plain_bytes_of_tail(bytes),
    }
}

#[inline(never)]
fn plain_bytes_of_more(bytes: &[u8]) -> usize {
    // Most strings end soon, and so do most tails.
    let soon = bytes.get(..SOON).unwrap_or(bytes);
    let mut at = plain_bytes_by_word(soon);
    if at < soon.len() || at == bytes.len() {
        return at;
    }
    let (blocks, _) = bytes.get(at..).unwrap_or_default().as_chunks::<BLOCK_BYTES>();
    at += BLOCK_BYTES * blocks.iter().position(has_special).unwrap_or(blocks.len());
    at + plain_bytes_by_word(bytes.get(at..).unwrap_or_default())
}

fn plain_bytes_by_word(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let plain = plain_bytes_of_word(word);
        if plain < word.len() {
            return index * word.len() + plain;
        }
    }
    bytes.len() - tail.len() + plain_bytes_of_tail(tail)
}

/// The same of less than eight bytes.
#[inline(always)]
fn plain_bytes_of_tail(tail: &[u8]) -> usize {
    let (Some(first), Some(last)) = (tail.first_chunk::<4>(), tail.last_chunk::<4>()) else {
        return tail.iter().position(|byte| is_special(*byte)).unwrap_or(tail.len());
    };
    // Both overlap, so that together they are a word.
    let word = u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    match specials(word).trailing_zeros() as usize / 8 {
        plain @ 0..4 => plain,
        plain => plain + tail.len() - 8,
    }
}

/// The same for a piece of ASCII: other characters are not counted as plain.
#[inline(always)]
pub(super) const fn ascii_bytes_of_word(word: &[u8; 8]) -> usize {
    (below(u64::from_le_bytes(*word)) & HIGH).trailing_zeros() as usize / 8
}

/// The same. More instructions, but none waits for where the last one has found an end: of what comes
/// again and again, as keys do, a processor knows the length before it has looked.
#[inline(always)]
pub(super) fn ascii_bytes_one_by_one(word: &[u8; 8]) -> usize {
    const IS_PLAIN: [bool; 256] = {
        let mut is_plain = [false; 256];
        let mut byte = 0;
        while byte < 0x80 {
            is_plain[byte as usize] = !is_special(byte);
            byte += 1;
        }
        is_plain
    };
    let mut count = 0;
    while count < word.len() && IS_PLAIN[usize::from(word[count])] {
        count += 1;
    }
    count
}

#[inline(always)]
pub(super) const fn is_special(byte: u8) -> bool {
    let turned = byte ^ TURNED;
    turned <= QUOTE || turned == BACKSLASH
}

/// Without a branch, so that all bytes are looked at together.
#[inline]
fn has_special(block: &[u8; BLOCK_BYTES]) -> bool {
    let found = block.iter().fold(0, |found, &byte| {
        let turned = byte ^ TURNED;
        found | u8::from(turned <= QUOTE) | u8::from(turned == BACKSLASH)
    });
    found != 0
}

/// How many of the first bytes are plain, without a branch.
#[inline(always)]
pub(super) const fn plain_bytes_of_word(word: &[u8; 8]) -> usize {
    specials(u64::from_le_bytes(*word)).trailing_zeros() as usize / 8
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// Marks the lowest byte of eight that is a quote, a backslash or a control character, by its
/// highest bit. Bits above that one mean nothing.
#[inline(always)]
const fn specials(word: u64) -> u64 {
    below(word) & !word & HIGH
}

/// Marks it, too, or a byte below it that is no ASCII.
#[inline(always)]
const fn below(word: u64) -> u64 {
    let turned = word ^ (ONES * TURNED as u64);
    let backslash = turned ^ (ONES * BACKSLASH as u64);
    backslash.wrapping_sub(ONES) | turned.wrapping_sub(ONES * (QUOTE as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_bytes_one_by_one(bytes: &[u8]) -> usize {
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        bytes.iter().position(is_special).unwrap_or(bytes.len())
    }

    const PLAIN: [u8; 11] = [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0x9f, 0xa2, 0xdc, 0xff];
    const SPECIAL: [u8; 6] = [0, 1, 0x1f, b'\n', b'"', b'\\'];

    #[test]
    fn specials_are_found_at_every_place_of_every_length_among_all_bytes() {
        for plain in PLAIN {
            for length in
                [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 23, 24, 25, 79, 80, 81, 88, 144, 200]
            {
                let mut bytes = vec![plain; length];
                assert_eq!(plain_bytes(&bytes), length, "{plain} {length}");
                for place in 0..length {
                    for special in SPECIAL {
                        bytes[place] = special;
                        assert_eq!(plain_bytes(&bytes), place, "{plain} {length} {special}");
                    }
                    bytes[place] = plain;
                }
            }
        }
    }

    #[test]
    fn of_ascii_it_is_the_same_by_word_and_one_by_one() {
        for first in 0..=u8::MAX {
            for place in 0..8 {
                let mut word = *b"abcdefgh";
                word[place] = first;
                let plain = (0x20..0x80).contains(&first) && !matches!(first, b'"' | b'\\');
                assert_eq!(ascii_bytes_one_by_one(&word), if plain { 8 } else { place });
                assert_eq!(ascii_bytes_of_word(&word), ascii_bytes_one_by_one(&word), "{first}");
            }
        }
    }

    #[test]
    fn the_first_of_several_specials_counts() {
        let bytes: Vec<u8> = SPECIAL.iter().chain(&PLAIN).copied().cycle().take(300).collect();
        for start in 0..bytes.len() {
            let expected = plain_bytes_one_by_one(&bytes[start..]);
            assert_eq!(plain_bytes(&bytes[start..]), expected, "{start}");
        }
    }
}
