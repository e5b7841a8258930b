use std::time::Duration;

use super::recovery::Delivered;
use crate::engine::Counters;
use crate::event::{EmitError, HandlerErrorKind};

/// What a Socket.IO server counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    SocketsConnected,
    SocketsDisconnected,
    ClientsRefused,
    /// Events for which exactly one handler was called: most, so they cost one addition.
    EventsWithOneHandler,
    OtherEventsReceived,
    EventsSent,
    VolatileDropped,
    BroadcastsMissed,
    AcknowledgementsReceived,
    AcknowledgementsSent,
    /// Answers that somebody has begun to wait for.
    AcknowledgementsAwaited,
    /// Those of them that nobody waits for any more.
    AcknowledgementsSettled,
    /// Handlers that were called, beside those of `EventsWithOneHandler`.
    OtherHandlersCalled,
    /// Handlers that were not finished at once.
    HandlersWaiting,
    /// Those of them that are finished, or were dropped.
    HandlersDone,
    HandlersMeasured,
    HandlerNanoseconds,
    ArgumentsFailed,
    HandlersRejected,
    HandlersPanicked,
    Recovered,
    NotRecovered,
    InvalidPackets,
    PacketsOutOfPlace,
    NoAttachments,
    NoConnect,
}

/// The numbers of one Socket.IO server.
#[derive(Debug)]
pub(super) struct ServerCounters(Counters<{ Count::NoConnect as usize + 1 }>);

impl ServerCounters {
    pub(super) fn new() -> Self {
        Self(Counters::new())
    }

    #[inline]
    pub(super) fn add(&self, what: Count, count: u64) {
        self.0.add(what as usize, count);
    }

    pub(super) fn sum(&self, what: Count) -> u64 {
        self.0.sum(what as usize)
    }

    /// An event came, and so many handlers were called.
    #[inline]
    pub(super) fn event(&self, handlers: usize) {
        if handlers == 1 {
            return self.add(Count::EventsWithOneHandler, 1);
        }
        self.add(Count::OtherEventsReceived, 1);
        self.called(handlers);
    }

    /// So many handlers were called.
    pub(super) fn called(&self, handlers: usize) {
        self.add(Count::OtherHandlersCalled, handlers as u64);
    }

    /// What became of an event for its receivers.
    pub(super) fn delivered(&self, deliveries: &Deliveries) {
        if deliveries.sent > 0 {
            self.add(Count::EventsSent, deliveries.sent);
        }
        if deliveries.dropped > 0 {
            self.add(Count::VolatileDropped, deliveries.dropped);
        }
    }

    /// The same of a broadcast, of which nobody is told who could not get it.
    pub(super) fn broadcast(&self, deliveries: &Deliveries) {
        self.delivered(deliveries);
        if deliveries.missed > 0 {
            self.add(Count::BroadcastsMissed, deliveries.missed);
        }
    }

    pub(super) fn measured(&self, time: Duration) {
        self.add(Count::HandlersMeasured, 1);
        self.add(Count::HandlerNanoseconds, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn failed(&self, kind: &HandlerErrorKind) {
        let count = match kind {
            HandlerErrorKind::Arguments(_) => Count::ArgumentsFailed,
            HandlerErrorKind::Rejected(_) => Count::HandlersRejected,
            HandlerErrorKind::Panicked(_) => Count::HandlersPanicked,
        };
        self.add(count, 1);
    }
}

/// What became of one event, receiver by receiver.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    sent: u64,
    dropped: u64,
    missed: u64,
}

impl Deliveries {
    #[inline]
    pub(super) const fn note(&mut self, delivered: &Result<Delivered, EmitError>) {
        match delivered {
            Ok(Delivered::Sent) => self.sent += 1,
            Err(EmitError::NotWritable) => self.dropped += 1,
            // It will get it when it comes back.
            Ok(Delivered::Kept) => {}
            // It is gone, or reads too slowly.
            Err(_) => self.missed += 1,
        }
    }
}
