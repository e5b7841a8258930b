//! The span of a session.

use std::sync::atomic::{AtomicU64, Ordering};

use sockeye_proto::engine::{CloseDetail, CloseReason, TransportName};
use tracing::Span;

use super::session::Session;

/// The span in which a session's driver works, and with it whatever it calls; `None`, which is all
/// that is kept then, if nobody wants to see it.
pub(super) fn session_span(session: &Session) -> Option<Box<Span>> {
    let handshake = session.handshake();
    let span = tracing::debug_span!(
        // The request that opens a session is over long before it.
        parent: None,
        "session",
        id = next_number(),
        transport = session.transport().as_str(),
        address = handshake.address().map(tracing::field::display),
        user_agent = handshake.user_agent(),
    );
    if span.is_disabled() {
        return None;
    }
    span.in_scope(|| tracing::debug!(revision = session.revision().number(), "session opened"));
    Some(Box::new(span))
}

/// The session that this thread is working for has another transport now.
pub(super) fn upgraded() {
    Span::current().record("transport", TransportName::WebSocket.as_str());
    tracing::debug!("session upgraded");
}

/// The session that this thread is working for has ended.
pub(super) fn ended(reason: CloseReason, detail: CloseDetail) {
    if matches!(detail, CloseDetail::SlowReader | CloseDetail::WriteStalled) {
        tracing::debug!(%reason, %detail, "session ended: slow reader");
    } else {
        tracing::debug!(%reason, %detail, "session ended");
    }
}

/// Tells the sessions of a process apart; their own ids are credentials.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
