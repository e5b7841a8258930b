use super::negotiation::{MAX_WINDOW_BITS, MIN_WINDOW_BITS};

/// How messages are compressed on a WebSocket, where the peer can do it too (RFC 7692, E-020).
///
/// # What it costs
///
/// *Memory for each connection*: as good as nothing, unless context is taken over; see
/// [`context_bytes`](Self::context_bytes). *For each thread* that serves connections: 380 KB for
/// compressing and 50 KB for inflating, from the first time on. *Time*: 18 µs for a JSON event of
/// 1 KiB, which becomes 0.3 KiB; sending it plain takes 4 µs. An event that goes to many is
/// compressed once, unless context is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct PerMessageDeflate {
    pub(super) threshold: usize,
    pub(super) level: u8,
    pub(super) server_context_takeover: bool,
    pub(super) client_context_takeover: bool,
    pub(super) context_bits: u8,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 6,
            server_context_takeover: false,
            client_context_takeover: false,
            context_bits: 12,
        }
    }
}

impl PerMessageDeflate {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages of fewer bytes are sent plain. Default 1024 (E-020). Does not count where the
    /// server's context is taken over: there short messages gain the most.
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How hard to try, from 1, the fastest, to 9, the smallest. Default 6. At 1 an event takes
    /// less than half the time, and a third more bytes.
    ///
    /// # Panics
    /// If it is 0 or above 9.
    #[track_caller]
    pub const fn level(mut self, level: u8) -> Self {
        assert!(matches!(level, 1..=9), "a level of compression is from 1 to 9");
        self.level = level;
        self
    }

    /// Whether what is sent may refer to what was sent before. Default false.
    ///
    /// It makes short events that are alike much smaller. But each connection keeps up to
    /// [`context_bytes`](Self::context_bytes) of what was sent, and everything is compressed for
    /// each connection anew, also what goes to many.
    pub const fn server_context_takeover(mut self, allowed: bool) -> Self {
        self.server_context_takeover = allowed;
        self
    }

    /// Whether what a client sends may refer to what it sent before. Default false. Each
    /// connection then keeps up to [`context_bytes`](Self::context_bytes) of what was received. A
    /// client that cannot keep itself to so little is told to do without.
    pub const fn client_context_takeover(mut self, allowed: bool) -> Self {
        self.client_context_takeover = allowed;
        self
    }

    /// How much each connection keeps where context is taken over, in bytes for each direction:
    /// a power of two from 512 to 32 768, or the next lower one. Default 4096. Nothing is kept
    /// before something was compressed.
    pub const fn context_bytes(mut self, bytes: usize) -> Self {
        self.context_bits = match bytes.checked_ilog2() {
            Some(bits) if bits >= MAX_WINDOW_BITS as u32 => MAX_WINDOW_BITS,
            // One less than the least that zlib can do on the other side.
            Some(bits) if bits > MIN_WINDOW_BITS as u32 => bits as u8,
            _ => MIN_WINDOW_BITS + 1,
        };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_a_power_of_two() {
        let bits = |bytes| PerMessageDeflate::new().context_bytes(bytes).context_bits;
        assert_eq!([0, 256, 511, 512, 1023].map(bits), [9; 5]);
        assert_eq!([4095, 4096, 32_767, 32_768, usize::MAX].map(bits), [11, 12, 14, 15, 15]);
    }
}
