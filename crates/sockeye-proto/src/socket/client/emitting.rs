use std::time::Duration;

use super::buffer::Kept;
use super::retries::Retried;
use super::{
    AnswerTo, ClientNamespace, ClientNamespaceOutput, Delivery, DropReason, Emit, EmitRefusal,
    EmitRefused, Emitted, Outgoing, Overflow, TransportState, Unanswered,
};
use crate::Moment;
use crate::socket::AcknowledgementId;

/// A connection whose ping is late has been given up after this time, or its ping has come.
const RECHECK: Duration = Duration::from_millis(100);

impl<W> ClientNamespace<W> {
    /// The id for the next event that is to be answered. None is given twice.
    pub const fn next_id(&mut self) -> AcknowledgementId {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// The program emits an event.
    ///
    /// # Errors
    /// If there is no room for it, or for one more answer; then nothing has changed.
    pub fn emit(
        &mut self,
        now: Moment,
        emit: Emit<W>,
        transport: TransportState,
    ) -> Result<Emitted, EmitRefused<W>> {
        if let Err(reason) = self.admit(&emit) {
            return Err(EmitRefused { reason, waiter: emit.waiter });
        }
        let is_ready = self.is_connected() && transport.takes_packets();
        if self.is_connected() && transport == TransportState::Expired {
            self.recheck = Some(now.after(RECHECK));
        }
        match (emit.delivery, emit.id) {
            (Delivery::Volatile, _) if transport != TransportState::Writable => {
                self.resolve(emit.waiter, Unanswered::Discarded);
                Ok(Emitted::Discarded)
            }
            (Delivery::Retried { timeout }, Some(id)) => {
                let Emit { outgoing, waiter, .. } = emit;
                let timeout = timeout.or(self.options.ack_timeout);
                let event = Retried { outgoing, id, waiter, timeout, tries: 0 };
                self.emit_retried(now, event, is_ready)
            }
            _ => {
                let Emit { outgoing, id, waiter, .. } = emit;
                self.emit_once(Kept { outgoing, id, waiter }, is_ready)
            }
        }
    }

    /// Whether an answer to this event can still be sent.
    #[must_use]
    pub fn can_acknowledge(&self, answer: AnswerTo) -> bool {
        self.is_connected() && answer.connection == self.connection
    }

    /// The program answers an event: what is to be sent. `None` if the connection on which it came
    /// is over; the answer is lost.
    #[must_use = "what is to be sent must be sent"]
    pub fn acknowledge(&self, answer: AnswerTo, packet: Outgoing) -> Option<Outgoing> {
        self.can_acknowledge(answer).then_some(packet)
    }

    /// The answer is late. What waits for it is given back, and the event is not sent if it has not
    /// been yet (C-048); in the retry queue it stays.
    pub fn give_up(&mut self, id: AcknowledgementId) -> Option<W> {
        if let Some(waiter) = self.pending.take(id) {
            return Some(waiter);
        }
        match self.buffer.remove(id) {
            Some(event) => event.waiter,
            None => self.retries.take_waiter(id),
        }
    }

    /// Nobody is interested in the answer any more. What waits for it is given back; the event is
    /// sent all the same.
    pub fn forget(&mut self, id: AcknowledgementId) -> Option<W> {
        let waiter = self.pending.take(id).or_else(|| self.buffer.take_waiter(id));
        waiter.or_else(|| self.retries.take_waiter(id))
    }

    /// Drops everything that waits to be sent, or to be sent again: there will be no connection, or
    /// not in time.
    pub fn discard_buffered(&mut self) {
        while let Some(event) = self.buffer.pop() {
            self.drop_event(event.outgoing, DropReason::Abandoned);
            self.resolve(event.waiter, Unanswered::Disconnected);
        }
        while let Some(event) = self.retries.pop() {
            self.drop_event(event.outgoing, DropReason::Abandoned);
            self.resolve(event.waiter, Unanswered::Disconnected);
        }
    }

    /// Checks the deadline: the first of the retry queue is sent again, or dropped; and what was
    /// kept because a ping was late is sent, if the ping came after all.
    pub fn deadline_passed(&mut self, now: Moment) {
        if self.recheck.is_some_and(|recheck| recheck <= now) {
            self.recheck = None;
            self.send_buffered();
            self.send_retried(now);
        }
        if self.retries.deadline().is_some_and(|deadline| deadline <= now) {
            self.try_failed();
            self.send_retried(now);
        }
    }

    fn admit(&self, emit: &Emit<W>) -> Result<(), EmitRefusal> {
        let is_retried = matches!(emit.delivery, Delivery::Retried { .. });
        if emit.id.is_none() && (is_retried || emit.waiter.is_some()) {
            return Err(EmitRefusal::NoId);
        }
        let limit = self.options.max_pending_acknowledgements;
        if emit.waiter.is_some() && self.pending() >= limit {
            return Err(EmitRefusal::TooManyPending { limit });
        }
        Ok(())
    }

    fn emit_once(&mut self, event: Kept<W>, is_ready: bool) -> Result<Emitted, EmitRefused<W>> {
        if is_ready && self.buffer.is_empty() {
            self.await_answer(event.id, event.waiter);
            return Ok(Emitted::Send(event.outgoing));
        }
        if let Err(reason) = self.make_room(&event.outgoing) {
            return Err(EmitRefused { reason, waiter: event.waiter });
        }
        self.buffer.push(event);
        if is_ready {
            self.send_buffered();
        }
        Ok(Emitted::Kept)
    }

    fn emit_retried(
        &mut self,
        now: Moment,
        event: Retried<W>,
        is_ready: bool,
    ) -> Result<Emitted, EmitRefused<W>> {
        if let Err(reason) = self.make_room(&event.outgoing) {
            return Err(EmitRefused { reason, waiter: event.waiter });
        }
        self.retries.push(event);
        if is_ready {
            self.send_buffered();
            self.send_retried(now);
        }
        Ok(Emitted::Kept)
    }

    fn make_room(&mut self, outgoing: &Outgoing) -> Result<(), EmitRefusal> {
        let limit = self.options.max_buffered_bytes;
        let bytes = outgoing.packet.kept_bytes();
        let fits = |kept: usize| kept.saturating_add(bytes) <= limit;
        if fits(self.buffered_bytes()) {
            return Ok(());
        }
        if self.options.overflow == Overflow::Refuse || !fits(self.retries.bytes()) {
            return Err(EmitRefusal::BufferFull { limit });
        }
        while !fits(self.buffered_bytes())
            && let Some(oldest) = self.buffer.pop()
        {
            self.drop_event(oldest.outgoing, DropReason::Overflow);
            self.resolve(oldest.waiter, Unanswered::Dropped(DropReason::Overflow));
        }
        Ok(())
    }

    pub(super) fn send_buffered(&mut self) {
        while let Some(Kept { outgoing, id, waiter }) = self.buffer.pop() {
            self.await_answer(id, waiter);
            self.outputs.push_back(ClientNamespaceOutput::Send(outgoing));
        }
    }

    /// Sends the first of the retry queue, unless it is on its way.
    pub(super) fn send_retried(&mut self, now: Moment) {
        if self.is_connected() {
            let next = self.retries.send(now).map(ClientNamespaceOutput::Send);
            self.outputs.extend(next);
        }
    }

    /// No answer comes to the last try of the retry queue's first.
    pub(super) fn try_failed(&mut self) {
        if let Some(event) = self.retries.failed(self.options.retries) {
            self.drop_event(event.outgoing, DropReason::RetriesUsedUp);
            self.resolve(event.waiter, Unanswered::Dropped(DropReason::RetriesUsedUp));
        }
    }

    fn await_answer(&mut self, id: Option<AcknowledgementId>, waiter: Option<W>) {
        if let (Some(id), Some(waiter)) = (id, waiter) {
            self.pending.insert(id, waiter);
        }
    }
}
