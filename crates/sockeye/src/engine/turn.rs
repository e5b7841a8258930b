//! A task's turn on its thread: how much it does before the others that are ready have theirs.
//!
//! A peer that sends faster than its messages are handled always has more, and tokio counts reads,
//! not what is in them. Nothing here looks at a clock.

use std::future::Future;
use std::pin::pin;
use std::task::Context;

use tokio::task::yield_now;

/// What is done in one turn: so many messages, or so many KiB, or a mixture. At a microsecond each
/// it is half a millisecond.
const WORK: u32 = 512;

/// What is left of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    left: u32,
}

impl Turn {
    pub(super) const fn new() -> Self {
        Self { left: WORK }
    }

    /// One message, or packet, was worked through, of so many bytes.
    pub(super) const fn spend(&mut self, bytes: usize) {
        // What one read brings is far less than four gigabytes.
        self.left = self.left.saturating_sub(1 + (bytes / 1024) as u32);
    }

    pub(super) const fn is_over(self) -> bool {
        self.left == 0
    }
}

/// Has the task polled again once all others that are ready have been, and the runtime has looked
/// at what the network and its timers have brought. (Waking it would not do that: on one thread,
/// tokio looks at the network only when nobody is ready, or after 61 others.)
pub(crate) fn give_way(cx: &mut Context<'_>) {
    let _pending = pin!(yield_now()).poll(cx);
}

/// What was read and could not be worked through in one turn.
#[derive(Debug)]
pub(super) struct Rest {
    bytes: Vec<u8>,
    at: usize,
}

impl Rest {
    /// `None` if nothing is left.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self { bytes: bytes.to_vec(), at: 0 })
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.at..).unwrap_or_default()
    }

    /// So many bytes more are worked through. `None` if nothing is left.
    pub(super) fn without(mut self, used: usize) -> Option<Self> {
        self.at += used;
        (self.at < self.bytes.len()).then_some(self)
    }
}
