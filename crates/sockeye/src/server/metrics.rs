use std::time::Duration;

use super::counters::{Count, ServerCounters};
use super::server::Server;
use crate::engine::EngineMetrics;

/// What a [`Server`] has done since it was made, and what it holds now: see [`Server::metrics`].
///
/// Numbers that only grow are counted while others are read, so they are of nearly the same moment,
/// not of exactly the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// The connections that carry it all: sessions, packets, bytes.
    pub engine: EngineMetrics,
    /// Sockets that are connected now, in all namespaces.
    pub sockets: u64,
    /// Namespaces that patterns have made and that there are now.
    pub dynamic_namespaces: u64,
    /// Rooms that somebody is in now, or will be again when they come back, in all namespaces. The
    /// room that each socket has for itself is not counted.
    pub rooms: u64,
    /// Clients that were let into a namespace, also those that came back.
    pub sockets_connected: u64,
    /// Sockets that have left their namespace, or whose connection is gone.
    pub sockets_disconnected: u64,
    /// Clients that were not let into a namespace.
    pub clients_refused: u64,
    /// Events that came from clients that were in the namespace, whether there was a handler or not.
    pub events_received: u64,
    /// Events that were sent, counted once for each receiver of a broadcast. Those that are kept for
    /// a client that may come back are counted when they are sent.
    pub events_sent: u64,
    /// Volatile events that were dropped, once for each receiver whose connection was not ready.
    pub volatile_dropped: u64,
    /// Broadcast events that a receiver did not get, because its connection was over and its socket not
    /// told yet, or because it read too slowly: once for each. Of what is sent to one socket, whoever
    /// sends it gets an error.
    pub broadcasts_missed: u64,
    /// Answers of clients to events of the server.
    pub acknowledgements_received: u64,
    /// Answers of clients that somebody waits for now.
    pub acknowledgements_pending: u64,
    /// Answers to events of clients.
    pub acknowledgements_sent: u64,
    /// The calling of handlers.
    pub handlers: HandlerMetrics,
    /// Clients that come back.
    pub recovery: RecoveryMetrics,
    /// What clients did against the rules of Socket.IO; what they did against those of the transport
    /// is in `engine.violations`.
    pub violations: Violations,
}

/// The calling of handlers of events, connects and disconnects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerMetrics {
    /// Handlers that have begun and are waiting for something now. One that is at work is not among
    /// them before its first wait.
    pub running: u64,
    /// Handlers that were called.
    pub called: u64,
    /// Handlers and middlewares that could not be called or have failed, by kind.
    pub failed: PerFailure,
    /// Handlers whose time was measured:
    /// [`measure_handlers`](crate::ServerBuilder::measure_handlers).
    pub measured: u64,
    /// Their time in all, from call to end, waits included.
    pub time: Duration,
}

/// A number for each way in which handlers fail: see
/// [`HandlerErrorKind`](crate::HandlerErrorKind).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerFailure {
    /// The client's arguments do not fit the handler's types; it was not called.
    pub arguments: u64,
    /// An extractor or an event middleware refused; the handler was not called.
    pub rejected: u64,
    /// The handler panicked.
    pub panicked: u64,
}

/// Connection state recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryMetrics {
    /// Bytes of packets that are kept now: see
    /// [`Server::recovery_bytes`](crate::Server::recovery_bytes).
    pub bytes: u64,
    /// Clients that came back to their socket.
    pub succeeded: u64,
    /// Clients that wanted to, and came back as new ones.
    pub refused: u64,
}

/// What clients did against the rules of Socket.IO, by kind. Each ends the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violations {
    /// Messages that are no Socket.IO packets (S-027).
    pub invalid_packets: u64,
    /// Packets that are not allowed at their place, such as an event for a namespace that the client
    /// is not in (S-025).
    pub packets_out_of_place: u64,
    /// Clients that announced attachments and sent nothing for `attachment_timeout`.
    pub no_attachments: u64,
    /// Clients that joined no namespace within `connect_timeout` (S-022).
    pub no_connect: u64,
}

impl PerFailure {
    /// Of all kinds together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.arguments + self.rejected + self.panicked
    }
}

impl Server {
    /// What the server has done since it was made, and what it holds now.
    ///
    /// Counting is going on anyway; asking costs a moment with each open connection, about 0.1 µs,
    /// so ask every few seconds, not for each event. With the feature `metrics` it can be written to
    /// the recorder of the `metrics` crate.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let counters = self.counters();
        let sum = |count| counters.sum(count);
        let connected = sum(Count::SocketsConnected);
        let disconnected = sum(Count::SocketsDisconnected);
        // Those that are settled are read first: none is settled before it is awaited.
        let settled = sum(Count::AcknowledgementsSettled);
        Metrics {
            engine: self.engine().metrics(),
            sockets: connected.saturating_sub(disconnected),
            dynamic_namespaces: self.count_dynamic_namespaces() as u64,
            rooms: self.all_namespaces().iter().map(|all| all.rooms().count() as u64).sum(),
            sockets_connected: connected,
            sockets_disconnected: disconnected,
            clients_refused: sum(Count::ClientsRefused),
            events_received: sum(Count::EventsWithOneHandler) + sum(Count::OtherEventsReceived),
            events_sent: sum(Count::EventsSent),
            volatile_dropped: sum(Count::VolatileDropped),
            broadcasts_missed: sum(Count::BroadcastsMissed),
            acknowledgements_received: sum(Count::AcknowledgementsReceived),
            acknowledgements_pending: sum(Count::AcknowledgementsAwaited).saturating_sub(settled),
            acknowledgements_sent: sum(Count::AcknowledgementsSent),
            handlers: HandlerMetrics::of(counters),
            recovery: RecoveryMetrics {
                bytes: self.recovery_bytes() as u64,
                succeeded: sum(Count::Recovered),
                refused: sum(Count::NotRecovered),
            },
            violations: Violations {
                invalid_packets: sum(Count::InvalidPackets),
                packets_out_of_place: sum(Count::PacketsOutOfPlace),
                no_attachments: sum(Count::NoAttachments),
                no_connect: sum(Count::NoConnect),
            },
        }
    }
}

impl HandlerMetrics {
    fn of(counters: &ServerCounters) -> Self {
        let sum = |count| counters.sum(count);
        // Those that are done are read first: none is done before it is counted as waiting.
        let done = sum(Count::HandlersDone);
        Self {
            running: sum(Count::HandlersWaiting).saturating_sub(done),
            called: sum(Count::EventsWithOneHandler) + sum(Count::OtherHandlersCalled),
            failed: PerFailure {
                arguments: sum(Count::ArgumentsFailed),
                rejected: sum(Count::HandlersRejected),
                panicked: sum(Count::HandlersPanicked),
            },
            measured: sum(Count::HandlersMeasured),
            time: Duration::from_nanos(sum(Count::HandlerNanoseconds)),
        }
    }
}
