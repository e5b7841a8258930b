//! How many bytes of request bodies are held at once, for all sessions together. What one body may
//! have is not decided here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::session::Session;

/// The bytes of all bodies that are arriving, or wait to be worked through.
#[derive(Debug, Default)]
pub(super) struct Bodies(AtomicUsize);

/// The part of one body; given back when it is dropped.
#[derive(Debug)]
pub(super) struct BodyShare {
    session: Arc<Session>,
    bytes: usize,
}

impl BodyShare {
    pub(super) fn new(session: &Arc<Session>) -> Self {
        Self { session: Arc::clone(session), bytes: 0 }
    }

    /// Takes so many bytes more. `false` if that would be too many.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let shared = self.session.shared();
        self.bytes += bytes;
        let all = shared.bodies.0.fetch_add(bytes, Ordering::Relaxed) + bytes;
        all <= shared.options.max_body_bytes_in_flight
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        self.session.shared().bodies.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
