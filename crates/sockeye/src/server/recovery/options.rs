use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Handshake, Revision};

/// Settings of connection state recovery (S-077): see
/// [`ServerBuilder::connection_state_recovery`](crate::ServerBuilder::connection_state_recovery).
///
/// What it costs: each event is sent with its offset (about six bytes more), and is kept until
/// the client's answers to two pings show that it has arrived, at most
/// [`max_packets`](Self::max_packets) for each client and [`max_bytes`](Self::max_bytes) in all.
#[derive(Clone)]
#[must_use]
pub struct ConnectionStateRecovery {
    pub(super) max_disconnection_duration: Duration,
    pub(in crate::server) skip_middlewares: bool,
    pub(super) max_bytes: usize,
    pub(super) max_packets: usize,
    pub(super) connect_first: bool,
    offered: Arc<dyn Fn(&Handshake) -> bool + Send + Sync>,
}

impl Default for ConnectionStateRecovery {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ConnectionStateRecovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionStateRecovery")
            .field("max_disconnection_duration", &self.max_disconnection_duration)
            .field("skip_middlewares", &self.skip_middlewares)
            .field("max_bytes", &self.max_bytes)
            .field("max_packets", &self.max_packets)
            .field("connect_first", &self.connect_first)
            .finish_non_exhaustive()
    }
}

impl ConnectionStateRecovery {
    /// The defaults: two minutes, middlewares are skipped, 64 MiB, 10 000 packets for each client.
    pub fn new() -> Self {
        Self {
            max_disconnection_duration: Duration::from_secs(120),
            skip_middlewares: true,
            max_bytes: 64 << 20,
            max_packets: 10_000,
            connect_first: false,
            offered: Arc::new(can_use_offsets),
        }
    }

    /// How long a client may be away. Default two minutes.
    pub const fn max_disconnection_duration(mut self, duration: Duration) -> Self {
        self.max_disconnection_duration = duration;
        self
    }

    /// Whether a client that comes back is let in without asking the middlewares again. Default
    /// true, as in the official server (S-077, S-086). Choose false if a middleware checks
    /// something that can change meanwhile, such as a token's expiry.
    pub const fn skip_middlewares(mut self, skip: bool) -> Self {
        self.skip_middlewares = skip;
        self
    }

    /// Bytes of packets that are kept for all clients together; a packet for several is counted
    /// once. Default 64 MiB. Above it, clients to whom more is sent cannot recover what lies
    /// before; they come back as new ones.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Packets that are kept for one client, 16 bytes each beside their content. Default 10 000. A
    /// client that missed more comes back as a new one; so does one that missed more than half of the
    /// bytes that [`max_buffered_bytes`](crate::ServerBuilder::max_buffered_bytes) lets be queued for
    /// it: the other half is for what is emitted meanwhile.
    pub const fn max_packets(mut self, packets: usize) -> Self {
        self.max_packets = packets;
        self
    }

    /// Whether a client that comes back is told so before it is sent what it missed. Default false:
    /// afterwards, as from the official server (S-085).
    ///
    /// The official client keeps what comes before it is told, also if its connection breaks in
    /// between; it then asks for the same again, and its handlers get it twice. Choose true if
    /// connections break that often.
    pub const fn connect_first(mut self, first: bool) -> Self {
        self.connect_first = first;
        self
    }

    /// Chooses to which clients recovery is offered, by what the first request of their connection
    /// said. Others see no offsets among their arguments.
    ///
    /// Default: to all but those whose `User-Agent` names a client library that cannot recover
    /// (of Java, Swift, C++, Python, Unity). Clients of Socket.IO 2 are never offered it.
    pub fn offered_to(
        mut self,
        choose: impl Fn(&Handshake) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.offered = Arc::new(choose);
        self
    }

    pub(super) fn is_offered_to(&self, handshake: &Handshake, revision: Revision) -> bool {
        revision == Revision::Four && (self.offered)(handshake)
    }
}

/// How the libraries that know nothing of offsets introduce themselves.
const WITHOUT_RECOVERY: &[&str] =
    &["okhttp", "CFNetwork", "WebSocket++", "python", "Python", "aiohttp", "UnityPlayer"];

fn can_use_offsets(handshake: &Handshake) -> bool {
    let agent = handshake.header("user-agent").unwrap_or_default();
    !WITHOUT_RECOVERY.iter().any(|name| agent.contains(name))
}
