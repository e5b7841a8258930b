//! What the server counts beside its metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use sockeye::{DisconnectReason, Server};
use tokio::runtime::Handle;

use crate::memory;

#[derive(Default)]
pub(crate) struct Numbers {
    /// Handlers of `slow` that were called.
    pub(crate) begun: AtomicU64,
    panics: Arc<AtomicU64>,
    reasons: Mutex<BTreeMap<&'static str, u64>>,
}

impl Numbers {
    pub(crate) fn counting_panics() -> Self {
        let numbers = Self::default();
        let panics = Arc::clone(&numbers.panics);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            panics.fetch_add(1, Ordering::Relaxed);
            before(panic);
        }));
        numbers
    }

    pub(crate) fn left(&self, reason: DisconnectReason) {
        *self.reasons.lock().entry(reason.as_str()).or_default() += 1;
    }

    /// Everything that can be counted. What the asking client itself needs is in it.
    pub(crate) fn tell(&self, io: &Server) -> Json {
        let metrics = io.metrics();
        let engine = metrics.engine;
        json!({
            "held": {
                "sockets": metrics.sockets,
                "rooms": metrics.rooms,
                "dynamic namespaces": metrics.dynamic_namespaces,
                "answers awaited": metrics.acknowledgements_pending,
                "handlers running": metrics.handlers.running,
                "bytes kept for who may come back": metrics.recovery.bytes,
                "sessions": engine.sessions.total(),
                "sessions ending": engine.sessions_ending,
                "deadlines": engine.deadlines,
                "ids held": engine.ids_held,
                "bytes queued": engine.bytes_buffered,
                "tasks": Handle::current().metrics().num_alive_tasks(),
            },
            "opened": engine.sessions_opened.total(),
            "closed": engine.sessions_closed.total(),
            "ping timeouts": engine.sessions_closed.ping_timeout,
            "slow readers": engine.slow_readers,
            "packets sent": engine.packets_sent,
            "packets received": engine.packets_received,
            "running": metrics.handlers.running,
            "begun": self.begun.load(Ordering::Relaxed),
            "allocated": memory::allocated(),
            "panics": self.panics.load(Ordering::Relaxed),
            "reasons": *self.reasons.lock(),
        })
    }
}
