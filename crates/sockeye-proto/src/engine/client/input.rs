use std::time::Duration;

use super::{Opening, Upgrades};
use crate::engine::{Link, Received};

/// What happened to a client's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "drivers must report each")]
pub enum ClientInput {
    /// The OPEN packet arrived (E-001): see [`Opening`], of which this is made.
    Opened {
        /// What the server would take over to.
        upgrades: Upgrades,
        /// Time between two pings of the server.
        ping_interval: Duration,
        /// Time that a ping may be late.
        ping_timeout: Duration,
    },
    /// Any other packet arrived.
    Packet {
        /// Where.
        link: Link,
        /// Which.
        packet: Received,
    },
    /// Something arrived that is no packet, or an OPEN packet that cannot be read.
    Undecodable {
        /// Where.
        link: Link,
    },
    /// A GET was answered, and all packets of the answer were reported.
    PollDone,
    /// A GET failed: no answer, or one that is not 200.
    PollFailed,
    /// A POST was answered.
    PostDone {
        /// Whether the outbox has packets: a POST takes only what fits (C-020).
        queued: bool,
    },
    /// A POST failed: no answer, or one that is not 200.
    PostFailed,
    /// The WebSocket that [`OpenCandidate`](super::ClientOutput::OpenCandidate) asked for is open.
    CandidateOpened,
    /// A link is gone: the peer closed it.
    LinkClosed {
        /// Which.
        link: Link,
    },
    /// A link is gone: it could not be opened, or broke, or the peer broke its rules or one of our
    /// limits.
    LinkFailed {
        /// Which.
        link: Link,
    },
    /// The application put packets into the outbox.
    Queued,
    /// All that was queued is written on the active WebSocket.
    Drained,
    /// The driver has not read for a while, for a reason that is not the peer's: a ping may lie
    /// unread.
    Unread,
    /// The application ends the session, after what is queued (C-026).
    Close,
    /// A moment passed that [`ClientSession::deadline`](super::ClientSession::deadline) had named.
    DeadlinePassed,
}

impl From<&Opening> for ClientInput {
    fn from(opening: &Opening) -> Self {
        Self::Opened {
            upgrades: opening.upgrades,
            ping_interval: opening.ping_interval,
            ping_timeout: opening.ping_timeout,
        }
    }
}
