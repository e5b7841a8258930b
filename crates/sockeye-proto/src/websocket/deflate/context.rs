/// What one end of a connection keeps of the messages that it sent, or received, compressed.
///
/// 32 bytes, and nothing behind them unless context is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeflateContext {
    /// How far back a message may refer.
    window_bits: u8,
    /// How much is kept for the next message. `None`: each message is on its own.
    kept_bits: Option<u8>,
    /// The end of all messages so far.
    recent: Vec<u8>,
}

/// Each message on its own, and no limit on how far it may refer back: what everybody takes who has
/// agreed to nothing less.
impl Default for DeflateContext {
    fn default() -> Self {
        Self::new(super::negotiation::MAX_WINDOW_BITS, None)
    }
}

impl DeflateContext {
    pub(in crate::websocket) const fn new(window_bits: u8, kept_bits: Option<u8>) -> Self {
        Self { window_bits, kept_bits, recent: Vec::new() }
    }

    /// What the receiver keeps of messages that refer back as far as 2 to the power of `bits`.
    pub(in crate::websocket) const fn receiving(bits: u8) -> Self {
        Self::new(bits, Some(bits))
    }

    /// Whether a message may refer to earlier ones. If not, what is compressed for one connection
    /// is right for others: see [`takes_shared`](Self::takes_shared).
    #[must_use]
    pub const fn is_taken_over(&self) -> bool {
        self.kept_bits.is_some()
    }

    /// Whether a message of `length` bytes before compression may be sent as it was compressed in
    /// the [default](Self::default) context.
    #[must_use]
    pub const fn takes_shared(&self, length: usize) -> bool {
        !self.is_taken_over() && self.reaches(length)
    }

    /// Memory behind this value, in bytes.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.recent.capacity()
    }

    /// Whether a message of `length` bytes refers no farther back than is allowed even if its last
    /// byte refers to its first.
    pub(super) const fn reaches(&self, length: usize) -> bool {
        self.window_bits >= super::negotiation::MAX_WINDOW_BITS || length <= self.window_bytes()
    }

    /// What a message of `length` bytes may refer to.
    ///
    /// Compressors refer back as far as they can whatever window was agreed on, so they see no
    /// more than the message's last byte may refer to.
    pub(super) fn before(&self, length: usize) -> &[u8] {
        let reach = if self.window_bits >= super::negotiation::MAX_WINDOW_BITS {
            self.recent.len()
        } else {
            self.window_bytes().saturating_sub(length)
        };
        let start = self.recent.len().saturating_sub(reach);
        self.recent.get(start..).unwrap_or_default()
    }

    /// All that is kept.
    pub(super) fn recent(&self) -> &[u8] {
        &self.recent
    }

    /// Takes note of a message that was sent compressed.
    pub(super) fn remember(&mut self, message: &[u8]) {
        let Some(bits) = self.kept_bits else { return };
        let most = 1_usize << bits;
        let new = message.get(message.len().saturating_sub(most)..).unwrap_or_default();
        let excess = (self.recent.len() + new.len()).saturating_sub(most);
        self.recent.drain(..excess.min(self.recent.len()));
        let length = self.recent.len() + new.len();
        if length > self.recent.capacity() {
            let capacity = length.next_power_of_two().min(most);
            self.recent.reserve_exact(capacity - self.recent.len());
        }
        self.recent.extend_from_slice(new);
    }

    const fn window_bytes(&self) -> usize {
        1 << self.window_bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_no_more() {
        let mut context = DeflateContext::new(9, Some(9));
        let all: Vec<u8> = (0..=255).cycle().take(5_000).collect();
        let mut at = 0;
        for length in [0, 1, 100, 300, 200, 512, 511, 513, 2_000, 5] {
            context.remember(&all[at..at + length]);
            at += length;
            assert_eq!(context.recent(), &all[at.saturating_sub(512)..at]);
            assert!(context.heap_bytes() <= 512);
        }
        let mut forgetful = DeflateContext::new(9, None);
        forgetful.remember(&all);
        assert_eq!(forgetful, DeflateContext::new(9, None));
    }

    #[test]
    fn a_message_sees_no_more_than_its_last_byte_may_refer_to() {
        let mut context = DeflateContext::new(9, Some(9));
        context.remember(&[7; 600]);
        assert_eq!(context.before(12).len(), 500);
        assert_eq!(context.before(512).len(), 0);
        assert!(context.reaches(512) && !context.reaches(513));
        let mut unlimited = DeflateContext::new(15, Some(9));
        unlimited.remember(&[7; 600]);
        assert_eq!(unlimited.before(100_000).len(), 512);
        assert!(unlimited.reaches(100_000));
    }
}
