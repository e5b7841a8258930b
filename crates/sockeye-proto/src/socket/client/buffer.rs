use std::collections::VecDeque;

use super::Outgoing;
use crate::socket::AcknowledgementId;

/// Events that wait for a connection, in the order in which they were emitted (C-043).
#[derive(Debug)]
pub(super) struct Buffer<W> {
    kept: VecDeque<Kept<W>>,
    bytes: usize,
    waiters: usize,
}

#[derive(Debug)]
pub(super) struct Kept<W> {
    pub(super) outgoing: Outgoing,
    pub(super) id: Option<AcknowledgementId>,
    pub(super) waiter: Option<W>,
}

impl<W> Default for Buffer<W> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), bytes: 0, waiters: 0 }
    }
}

impl<W> Buffer<W> {
    pub(super) fn push(&mut self, event: Kept<W>) {
        self.bytes += event.outgoing.packet.kept_bytes();
        self.waiters += usize::from(event.waiter.is_some());
        self.kept.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Kept<W>> {
        let event = self.kept.pop_front();
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
        self.removed(event)
    }

    /// Removes the event with this id (C-048).
    pub(super) fn remove(&mut self, id: AcknowledgementId) -> Option<Kept<W>> {
        let place = self.kept.iter().position(|event| event.id == Some(id))?;
        let event = self.kept.remove(place);
        self.removed(event)
    }

    /// The event stays, what waits for its acknowledgement does not.
    pub(super) fn take_waiter(&mut self, id: AcknowledgementId) -> Option<W> {
        let event = self.kept.iter_mut().find(|event| event.id == Some(id))?;
        let waiter = event.waiter.take();
        self.waiters -= usize::from(waiter.is_some());
        waiter
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many acknowledgements are waited for.
    pub(super) const fn waiters(&self) -> usize {
        self.waiters
    }

    fn removed(&mut self, event: Option<Kept<W>>) -> Option<Kept<W>> {
        if let Some(event) = &event {
            self.bytes -= event.outgoing.packet.kept_bytes();
            self.waiters -= usize::from(event.waiter.is_some());
        }
        event
    }
}
