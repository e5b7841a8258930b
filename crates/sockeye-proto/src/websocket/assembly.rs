//! A message whose bytes did not arrive at once. Never trusts an announced length.

use super::error::DecodeError;

/// The part of a data message that has arrived.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// Whether the message is text.
    is_text: bool,
    /// Whether what arrives is to be inflated.
    compressed: bool,
    /// Frames of it that are complete.
    fragments: u32,
    bytes: Vec<u8>,
    /// Text before this index is UTF-8. At most an incomplete character lies behind it.
    checked: usize,
}

impl Assembly {
    pub(super) fn new(is_text: bool, compressed: bool) -> Self {
        Self { is_text, compressed, ..Self::default() }
    }

    pub(super) fn is_text(&self) -> bool {
        self.is_text
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.compressed
    }

    pub(super) fn fragments(&self) -> u32 {
        self.fragments
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes unmasked bytes, and fails on the first that can not be text. See [`append`].
    pub(super) fn take(&mut self, chunk: &[u8], missing: Option<u64>) -> Result<(), DecodeError> {
        append(&mut self.bytes, chunk, missing);
        if self.is_text && !self.compressed { self.check_text() } else { Ok(()) }
    }

    /// Counts a frame of this message as complete.
    pub(super) fn end_fragment(&mut self) {
        self.fragments = self.fragments.saturating_add(1);
    }

    /// Looks only at new bytes, so that many short chunks cost no more than one long one.
    fn check_text(&mut self) -> Result<(), DecodeError> {
        let unchecked = self.bytes.get(self.checked..).unwrap_or_default();
        match simdutf8::compat::from_utf8(unchecked) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(DecodeError::InvalidUtf8),
        }
        Ok(())
    }
}

/// Appends `chunk`, after which `missing` more bytes are announced; `None`: nobody knows.
///
/// Memory doubles with what arrived, and stops at what is announced. So it is never more than
/// twice what the peer paid for, and a chunk is copied a constant number of times on average.
pub(super) fn append(bytes: &mut Vec<u8>, chunk: &[u8], missing: Option<u64>) {
    if bytes.capacity() - bytes.len() < chunk.len() {
        let doubled = bytes.len().max(MIN_GROWTH_BYTES);
        let missing = missing.and_then(|missing| usize::try_from(missing).ok());
        let announced = missing.map_or(usize::MAX, |missing| missing.saturating_add(chunk.len()));
        bytes.reserve_exact(doubled.min(announced).max(chunk.len()));
    }
    bytes.extend_from_slice(chunk);
}

/// First buffer of a message that arrives in pieces.
const MIN_GROWTH_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each check begins at `checked`: if that keeps up, all checks together are linear.
    #[test]
    fn text_is_looked_at_once() {
        let mut assembly = Assembly::new(true, false);
        for byte in "aß€\u{1f980}".repeat(100).bytes() {
            assembly.take(&[byte], None).unwrap();
            assert!(assembly.bytes.len() - assembly.checked <= 3);
        }
        assert_eq!(assembly.checked, assembly.bytes.len());
    }

    #[test]
    fn memory_ends_where_the_announcement_ends() {
        let mut bytes = Vec::new();
        append(&mut bytes, &[0; 60], Some(40));
        append(&mut bytes, &[0; 10], Some(30));
        assert_eq!(bytes.capacity(), 100);
    }
}
