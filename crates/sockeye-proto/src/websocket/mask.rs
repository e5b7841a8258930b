//! Masking (RFC 6455 section 5.3). Never draws a key.

/// Masks `payload` in place, or unmasks it, which is the same.
///
/// `phase` is how many bytes of the frame's payload came before these: 0 for a whole payload.
#[inline]
pub fn mask(payload: &mut [u8], key: [u8; 4], phase: usize) {
    let mut key = key;
    key.rotate_left(phase % 4);
    let word = u32::from_ne_bytes(key);
    let (blocks, rest) = payload.as_chunks_mut::<BLOCK_BYTES>();
    for block in blocks {
        mask_words(block, word);
    }
    let (blocks, rest) = rest.as_chunks_mut::<SHORT_BLOCK_BYTES>();
    for block in blocks {
        mask_words(block, word);
    }
    let tail = mask_words(rest, word);
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Masks whole words and returns the bytes behind the last of them.
#[inline]
fn mask_words(bytes: &mut [u8], key: u32) -> &mut [u8] {
    let (words, tail) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    tail
}

/// Known lengths, of which the compiler makes wide vector instructions without a loop.
const BLOCK_BYTES: usize = 64;
const SHORT_BLOCK_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn masking_in_pieces_is_masking_at_once() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..=255).cycle().take(300).collect();
        let expected: Vec<u8> =
            plain.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
        for cut in 0..=plain.len() {
            let mut masked = plain.clone();
            let (before, after) = masked.split_at_mut(cut);
            mask(before, key, 0);
            mask(after, key, cut);
            assert_eq!(masked, expected, "cut at {cut}");
        }
    }
}
