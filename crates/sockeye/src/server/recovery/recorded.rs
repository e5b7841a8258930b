use std::sync::Arc;

use sockeye_proto::socket::{Encoded, Offset};

use super::Recovery;

/// An event as clients get it who may ask for it again: with its offset. Shared by all of them.
#[derive(Debug)]
pub(in crate::server) struct Recorded {
    recovery: Arc<Recovery>,
    offset: Offset,
    packet: Encoded,
    bytes: usize,
    affordable: bool,
}

impl Recorded {
    pub(super) const fn new(
        recovery: Arc<Recovery>,
        offset: Offset,
        packet: Encoded,
        bytes: usize,
        affordable: bool,
    ) -> Self {
        Self { recovery, offset, packet, bytes, affordable }
    }

    pub(super) const fn offset(&self) -> Offset {
        self.offset
    }

    pub(super) const fn packet(&self) -> &Encoded {
        &self.packet
    }

    /// Whether it may be kept.
    pub(super) const fn is_affordable(&self) -> bool {
        self.affordable
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.recovery.release(self.bytes);
    }
}
