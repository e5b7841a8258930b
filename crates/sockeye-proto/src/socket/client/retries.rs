use std::collections::VecDeque;
use std::time::Duration;

use super::Outgoing;
use crate::Moment;
use crate::socket::AcknowledgementId;

/// Events that are sent one after the other, each until it is answered (C-049).
///
/// Only the first can be on its way. Each try has the same id, so also a late answer to an earlier
/// one is an answer.
#[derive(Debug)]
pub(super) struct RetryQueue<W> {
    events: VecDeque<Retried<W>>,
    /// Whether the first was sent on this connection, and its answer is awaited.
    on_its_way: bool,
    /// Until when.
    deadline: Option<Moment>,
    bytes: usize,
    waiters: usize,
}

#[derive(Debug)]
pub(super) struct Retried<W> {
    pub(super) outgoing: Outgoing,
    pub(super) id: AcknowledgementId,
    pub(super) waiter: Option<W>,
    pub(super) timeout: Option<Duration>,
    pub(super) tries: u32,
}

impl<W> Default for RetryQueue<W> {
    fn default() -> Self {
        let events = VecDeque::new();
        Self { events, on_its_way: false, deadline: None, bytes: 0, waiters: 0 }
    }
}

impl<W> RetryQueue<W> {
    pub(super) fn push(&mut self, event: Retried<W>) {
        self.bytes += event.outgoing.packet.kept_bytes();
        self.waiters += usize::from(event.waiter.is_some());
        self.events.push_back(event);
    }

    /// The first, if it is to be sent now, and whether it is the only one.
    pub(super) fn send(&mut self, now: Moment) -> Option<Outgoing> {
        if self.on_its_way {
            return None;
        }
        let first = self.events.front_mut()?;
        first.tries = first.tries.saturating_add(1);
        self.on_its_way = true;
        self.deadline = first.timeout.map(|timeout| now.after(timeout));
        Some(first.outgoing.clone())
    }

    /// The first was answered: it is done.
    pub(super) fn answered(&mut self, id: AcknowledgementId) -> Option<Retried<W>> {
        let is_first = self.events.front().is_some_and(|first| first.id == id);
        (is_first && self.on_its_way).then(|| self.pop())?
    }

    /// No answer comes to this try: the first, if it has had all its tries.
    pub(super) fn failed(&mut self, retries: u32) -> Option<Retried<W>> {
        let was_on_its_way = std::mem::take(&mut self.on_its_way);
        self.deadline = None;
        let is_over = self.events.front().is_some_and(|first| first.tries > retries);
        (was_on_its_way && is_over).then(|| self.pop())?
    }

    pub(super) fn pop(&mut self) -> Option<Retried<W>> {
        let event = self.events.pop_front()?;
        self.on_its_way = false;
        self.deadline = None;
        self.bytes -= event.outgoing.packet.kept_bytes();
        self.waiters -= usize::from(event.waiter.is_some());
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        Some(event)
    }

    /// The event stays, what waits for its acknowledgement does not.
    pub(super) fn take_waiter(&mut self, id: AcknowledgementId) -> Option<W> {
        let event = self.events.iter_mut().find(|event| event.id == id)?;
        let waiter = event.waiter.take();
        self.waiters -= usize::from(waiter.is_some());
        waiter
    }

    pub(super) const fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many acknowledgements are waited for.
    pub(super) const fn waiters(&self) -> usize {
        self.waiters
    }
}
