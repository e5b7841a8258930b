//! What an Engine.IO server tells about itself.

use sockeye_proto::engine::{CloseReason, TransportName};

use super::counters::{Count, EngineCounters};
use super::session::Session;

/// What an [`Engine`](super::Engine) has done since it was made, and what it holds now: see
/// [`Engine::metrics`](super::Engine::metrics).
///
/// Numbers that only grow are counted while others are read, so they are of nearly the same moment,
/// not of exactly the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineMetrics {
    /// Sessions that are open now, by the transport that they have now. One that has ended and is
    /// still sending what was queued is not among them.
    pub sessions: PerTransport,
    /// Sessions that have ended and still hold something: what is queued for their peer is being
    /// sent, or a request of theirs is not answered yet.
    pub sessions_ending: u64,
    /// Sessions whose next deadline is known: one for each that is open.
    pub deadlines: u64,
    /// Ids that `generate_id` has chosen for sessions that are not open yet.
    pub ids_held: u64,
    /// Sessions that were opened, by the transport of their first request.
    pub sessions_opened: PerTransport,
    /// Sessions that have ended, by the reason. What is open now and was not closed is the
    /// difference to `sessions_opened`.
    pub sessions_closed: PerCloseReason,
    /// Sessions that have changed from polling to WebSocket.
    pub upgrades: u64,
    /// Requests that were refused, by the code of the refusal; mostly handshakes.
    pub requests_refused: PerRefusal,
    /// Engine.IO packets that have arrived: messages, and those of heartbeat, probe and end. Over
    /// WebSocket also what turned out to be no packet.
    pub packets_received: u64,
    /// Engine.IO packets that were written to a WebSocket, or put into the answer to a poll.
    pub packets_sent: u64,
    /// Bytes that have arrived: WebSocket frames with their heads, and bodies of POSTs. Neither HTTP
    /// heads nor TLS are in it.
    pub bytes_received: u64,
    /// Bytes that were written: WebSocket frames with their heads, and bodies of answers to polls
    /// before they are compressed. What is still written after a session's end is not in it.
    pub bytes_sent: u64,
    /// Bytes that are queued for peers now, of all sessions: of a broadcast, each receiver's share
    /// is counted, though they share the memory.
    pub bytes_buffered: u64,
    /// Sessions that were ended because `max_buffered_bytes` were queued for a peer that did not read
    /// (they are among `sessions_closed.transport_error`).
    pub slow_readers: u64,
    /// What peers did against the rules.
    pub violations: EngineViolations,
}

/// A number for each transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerTransport {
    /// Long-polling.
    pub polling: u64,
    /// WebSocket.
    pub websocket: u64,
}

/// A number for each reason of a session's end: see [`CloseReason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerCloseReason {
    /// The peer broke the rules of the transport, gave up a request, or did not read.
    pub transport_error: u64,
    /// The peer closed the connection, or it was lost.
    pub transport_close: u64,
    /// The peer did not answer a ping in time.
    pub ping_timeout: u64,
    /// The peer sent something that is no Engine.IO packet.
    pub parse_error: u64,
    /// The application closed the session.
    pub forced_close: u64,
}

/// A number for each code with which a request is refused (section 1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerRefusal {
    /// Code 0: no such transport, or it is not enabled.
    pub transport_unknown: u64,
    /// Code 1: no session has this id; mostly it has ended, or is on another server.
    pub session_unknown: u64,
    /// Code 2: the first request of a session was not a GET.
    pub bad_handshake_method: u64,
    /// Code 3: a bad request, among them WebSocket upgrades in which something is missing, and
    /// bodies above the limit.
    pub bad_request: u64,
    /// Code 4: the program refused, or the server takes no new sessions.
    pub forbidden: u64,
    /// Code 5: this revision of the protocol is not enabled.
    pub unsupported_version: u64,
}

/// What peers did against the rules of Engine.IO and WebSocket, by kind. Most of it ends the
/// session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineViolations {
    /// Messages and payloads that are no Engine.IO packets (E-058, E-071).
    pub undecodable: u64,
    /// WebSocket frames that break RFC 6455.
    pub invalid_frames: u64,
    /// Messages and request bodies above `max_http_buffer_size` (E-054, E-070).
    pub too_large: u64,
    /// A second poll or POST while one was waiting (E-051, E-052).
    pub overlapping_requests: u64,
    /// POSTs with a content type that their revision does not know (E-053).
    pub invalid_content: u64,
    /// Pings from who must not ping, and pongs from who must (E-079).
    pub heartbeat_direction: u64,
}

impl PerTransport {
    /// Of all transports together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.polling + self.websocket
    }
}

impl PerCloseReason {
    /// For all reasons together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        let Self { transport_error, transport_close, ping_timeout, parse_error, forced_close } =
            self;
        *transport_error + *transport_close + *ping_timeout + *parse_error + *forced_close
    }

    /// The number for this reason.
    #[must_use]
    pub const fn of(&self, reason: CloseReason) -> u64 {
        match reason {
            CloseReason::TransportError => self.transport_error,
            CloseReason::TransportClose => self.transport_close,
            CloseReason::PingTimeout => self.ping_timeout,
            CloseReason::ParseError => self.parse_error,
            CloseReason::ForcedClose => self.forced_close,
        }
    }
}

impl PerRefusal {
    /// For all codes together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.transport_unknown
            + self.session_unknown
            + self.bad_handshake_method
            + self.bad_request
            + self.forbidden
            + self.unsupported_version
    }
}

impl EngineMetrics {
    pub(super) fn of<'a>(
        counters: &EngineCounters,
        sessions: impl IntoIterator<Item = &'a std::sync::Arc<Session>>,
    ) -> Self {
        let mut metrics = Self::of_counters(counters);
        for session in sessions {
            let (transport, buffered) = session.gauge();
            metrics.bytes_buffered += buffered as u64;
            match transport {
                Some(TransportName::Polling) => metrics.sessions.polling += 1,
                Some(_) => metrics.sessions.websocket += 1,
                None => metrics.sessions_ending += 1,
            }
        }
        metrics
    }

    fn of_counters(counters: &EngineCounters) -> Self {
        let sum = |what| counters.sum(what);
        Self {
            sessions: PerTransport::default(),
            sessions_ending: 0,
            deadlines: 0,
            ids_held: 0,
            sessions_opened: PerTransport {
                polling: sum(Count::OpenedOverPolling),
                websocket: sum(Count::OpenedOverWebSocket),
            },
            sessions_closed: PerCloseReason {
                transport_error: sum(Count::TransportErrors),
                transport_close: sum(Count::TransportCloses),
                ping_timeout: sum(Count::PingTimeouts),
                parse_error: sum(Count::ParseErrors),
                forced_close: sum(Count::ForcedCloses),
            },
            upgrades: sum(Count::Upgrades),
            requests_refused: PerRefusal::of(counters),
            packets_received: sum(Count::PacketsReceived),
            packets_sent: sum(Count::PacketsSent),
            bytes_received: sum(Count::BytesReceived),
            bytes_sent: sum(Count::BytesSent),
            bytes_buffered: 0,
            slow_readers: sum(Count::SlowReaders),
            violations: EngineViolations {
                undecodable: sum(Count::Undecodable),
                invalid_frames: sum(Count::InvalidFrames),
                too_large: sum(Count::TooLarge),
                overlapping_requests: sum(Count::OverlappingRequests),
                invalid_content: sum(Count::InvalidContent),
                heartbeat_direction: sum(Count::HeartbeatDirection),
            },
        }
    }
}

impl PerRefusal {
    fn of(counters: &EngineCounters) -> Self {
        let code = |code| counters.refusals(code);
        Self {
            transport_unknown: code(0),
            session_unknown: code(1),
            bad_handshake_method: code(2),
            bad_request: code(3),
            forbidden: code(4),
            unsupported_version: code(5),
        }
    }
}
