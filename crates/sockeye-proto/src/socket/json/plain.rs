//! The plain characters of a string: everything up to a quote, a backslash or a control character.
//! Never looks at what an escape means.

/// Bytes looked at together once a string has turned out to be long. The compiler makes vector
/// instructions of a loop over so many.
const BLOCK_BYTES: usize = 64;

/// How many of the first bytes are plain. All of them: the string does not end here.
#[inline(always)]
pub(super) fn plain_bytes(bytes: &[u8]) -> usize {
    match bytes.first_chunk::<8>() {
        Some(word) => match first_special(word) {
            Some(index) => index,
            None => 8 + plain_bytes_of_rest(bytes.get(8..).unwrap_or_default()),
        },
        None => plain_bytes_one_by_one(bytes),
    }
}

fn plain_bytes_of_rest(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    let plain_blocks = blocks.iter().position(has_special).unwrap_or(blocks.len());
    let mut at = plain_blocks * BLOCK_BYTES;
    let (words, tail) = bytes.get(at..).unwrap_or_default().as_chunks::<8>();
    for word in words {
        if let Some(index) = first_special(word) {
            return at + index;
        }
        at += word.len();
    }
    at + plain_bytes_one_by_one(tail)
}

fn plain_bytes_one_by_one(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len())
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Without a branch, so that all bytes are looked at together.
#[inline]
fn has_special(block: &[u8; BLOCK_BYTES]) -> bool {
    let found = block.iter().fold(0, |found, &byte| {
        found | u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20)
    });
    found != 0
}

#[inline(always)]
const fn first_special(word: &[u8; 8]) -> Option<usize> {
    match specials(u64::from_le_bytes(*word)) {
        0 => None,
        special => Some(special.trailing_zeros() as usize / 8),
    }
}

/// Marks the lowest byte of eight that is a quote, a backslash or a control character, by its
/// highest bit. Bits above that one mean nothing.
#[inline(always)]
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    (quote | backslash | below(word, 0x20)) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [u8; 11] = [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0x9f, 0xa2, 0xdc, 0xff];
    const SPECIAL: [u8; 6] = [0, 1, 0x1f, b'\n', b'"', b'\\'];

    #[test]
    fn specials_are_found_at_every_place_of_every_length_among_all_bytes() {
        for plain in PLAIN {
            for length in [0, 1, 7, 8, 9, 15, 16, 71, 72, 73, 136, 200] {
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
    fn the_first_of_several_specials_counts() {
        let bytes: Vec<u8> = SPECIAL.iter().chain(&PLAIN).copied().cycle().take(300).collect();
        for start in 0..bytes.len() {
            let expected = plain_bytes_one_by_one(&bytes[start..]);
            assert_eq!(plain_bytes(&bytes[start..]), expected, "{start}");
        }
    }
}
