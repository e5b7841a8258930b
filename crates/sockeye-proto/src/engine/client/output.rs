use crate::engine::CloseReason;

/// What the driver of a client's session has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "drivers must carry out each")]
pub enum ClientOutput {
    /// Send a GET; the first one, without a session id, is the handshake.
    Poll,
    /// Take from the outbox what fits into one POST, and send it: see
    /// [`take_payload`](super::take_payload) (C-020).
    Post,
    /// Write the outbox on the active WebSocket, and report
    /// [`Drained`](super::ClientInput::Drained) when all of it is written. It may be said again
    /// before that.
    Write,
    /// Put `3` into the outbox. `Post` or `Write` follows when it can go out.
    SendPong,
    /// Hand the message that was just reported to the application.
    Deliver,
    /// Open a WebSocket for this session, beside the active link (C-021).
    OpenCandidate,
    /// Send `2probe` on the candidate (C-021).
    ProbeCandidate,
    /// Send `5` on the candidate: it is the active link from now on (C-021).
    SwitchToCandidate,
    /// Let go of the candidate, if it is not gone by itself. The session goes on without it; tell
    /// the application that the upgrade failed.
    DropCandidate,
    /// Send `1` in a POST. The outbox is empty.
    PostClose,
    /// Write the outbox on the active WebSocket, then a close frame.
    CloseLink,
    /// The session is over: tell the application, and let go of everything, also of what is on its
    /// way. This is the last output.
    Ended(CloseReason),
}
