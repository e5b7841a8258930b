//! What is sent to a client, and what it answers.

use sockeye_proto::socket::{AcknowledgementId, Arguments, FromArguments, ToArguments};
use tokio::sync::oneshot;

use super::{Socket, Standing};
use crate::codec::PacketForOne;
use crate::engine::{Delivery, PacketFrames};
use crate::event::{Answer, EmitError, EventSocket, ListenerId, Sealed};
use crate::server::AwaitAcknowledgement;
use crate::server::counters::{Count, Deliveries};
use crate::server::outgoing::OutgoingEvent;
use crate::server::recovery::Delivered;

impl Socket {
    /// Sends an event to the client. Never blocks.
    ///
    /// In a middleware it goes out before the client is told that it is in (S-042): the official
    /// client keeps it until then, others may not.
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.emit_as(event, &arguments, Delivery::RELIABLE)
    }

    /// Sends the event `message`, as the official server's `send` does (S-054).
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn send(&self, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.emit("message", arguments)
    }

    /// Sends an event and waits for the client's answer, decoded as arguments are.
    ///
    /// The event is sent at once; the future that is returned waits for the answer. Such an event
    /// is not kept for a client that loses its connection: the future says so.
    pub fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        arguments: impl ToArguments,
    ) -> AwaitAcknowledgement<T> {
        self.ask_as(event, &arguments, Delivery::RELIABLE)
    }

    /// Bytes that are queued for the client and not yet written.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.0.session.buffered()
    }

    /// Waits until nothing is queued for the client any more: all of it was given to the system, or
    /// taken by a poll. Also ends when the connection does. The other half of back-pressure:
    /// whoever sends much awaits this from time to time.
    ///
    /// Cancel safety: dropped, it waits no longer.
    pub async fn drained(&self) {
        self.0.session.drained().await;
    }

    pub(super) fn emit_as<A: ToArguments>(
        &self,
        event: &str,
        arguments: &A,
        delivery: Delivery,
    ) -> Result<(), EmitError> {
        let namespace = &self.0.namespace;
        if self.standing() == Standing::Connecting {
            let event = OutgoingEvent::new(namespace.encode_event(event, None, arguments)?);
            self.show(&event);
            return self.emit_early(&event, delivery);
        }
        let track = match &self.0.track {
            _ if self.listens() || namespace.is_watched() => {
                let event = OutgoingEvent::new(namespace.encode_event(event, None, arguments)?);
                self.show(&event);
                return self.counted(self.deliver(&event, delivery));
            }
            None => {
                let send =
                    |packet: PacketForOne<'_>| self.transmit(packet, delivery, Count::EventsSent);
                return namespace.send_event(event, arguments, send)?;
            }
            Some(track) => track,
        };
        if !self.takes_events() {
            return Err(EmitError::Disconnected);
        }
        let offset = track.recovery().next_offset();
        let packet = namespace.encode_event_at(event, arguments, offset)?;
        self.counted(track.deliver(&track.recovery().record_at(packet, offset), delivery))
    }

    /// Sends an event to a client that is not in yet (S-042), or has just been let in.
    fn emit_early(&self, event: &OutgoingEvent, delivery: Delivery) -> Result<(), EmitError> {
        let send = || self.transmit(event.packet(), delivery, Count::EventsSent);
        let sent = match &self.0.track {
            None => Some(send()),
            Some(track) => track.before_entering(self, send),
        };
        sent.unwrap_or_else(|| self.counted(self.deliver(event, delivery)))
    }

    pub(super) fn ask_as<A: ToArguments, T: FromArguments>(
        &self,
        event: &str,
        arguments: &A,
        delivery: Delivery,
    ) -> AwaitAcknowledgement<T> {
        let id = self.0.namespace.next_acknowledgement_id();
        match self.0.namespace.encode_event(event, Some(id), arguments) {
            Ok(packet) => self.await_answer(id, &OutgoingEvent::new(packet), delivery),
            Err(error) => AwaitAcknowledgement::failed(error.into()),
        }
    }

    /// Sends an event that others may get too.
    pub(in crate::server) fn deliver(
        &self,
        event: &OutgoingEvent,
        delivery: Delivery,
    ) -> Result<Delivered, EmitError> {
        if !self.takes_events() {
            return Err(EmitError::Disconnected);
        }
        match &self.0.track {
            None => Ok(self.0.session.send(event.packet(), delivery).map(|()| Delivered::Sent)?),
            Some(track) => track.deliver(event.recorded(track.recovery()), delivery),
        }
    }

    /// Shows an event to who listens to what is sent to this socket.
    pub(in crate::server) fn show(&self, event: &OutgoingEvent) {
        let handlers = self.0.namespace.handlers();
        let own = self.listeners_of_its_own();
        let own = own.iter().flat_map(|own| own.any_outgoing());
        event.show(self, handlers.listeners.any_outgoing().iter().chain(own));
    }

    /// Sends a packet that is never kept, and counts it as this.
    fn transmit(
        &self,
        packet: impl PacketFrames,
        delivery: Delivery,
        what: Count,
    ) -> Result<(), EmitError> {
        if !matches!(self.standing(), Standing::Connected | Standing::Connecting) {
            return Err(EmitError::Disconnected);
        }
        match self.0.session.send(packet, delivery) {
            Ok(()) => {
                self.0.namespace.counters().add(what, 1);
                Ok(())
            }
            Err(error) => self.counted(Err(error.into())),
        }
    }

    fn counted(&self, delivered: Result<Delivered, EmitError>) -> Result<(), EmitError> {
        let mut deliveries = Deliveries::default();
        deliveries.note(&delivered);
        self.0.namespace.counters().delivered(&deliveries);
        delivered.map(|_| ())
    }

    /// The client's answer.
    pub(in crate::server) fn answered(&self, id: AcknowledgementId, arguments: Arguments<'_>) {
        self.0.namespace.counters().add(Count::AcknowledgementsReceived, 1);
        if let Some(waiting) = self.take_waiting(id) {
            // Whoever waited may have given up just now.
            let _ = waiting.send(Ok(arguments.to_owned()));
        }
    }

    /// Sends an event that has this id, and waits for its answer.
    pub(in crate::server) fn await_answer<T>(
        &self,
        id: AcknowledgementId,
        event: &OutgoingEvent,
        delivery: Delivery,
    ) -> AwaitAcknowledgement<T> {
        self.show(event);
        let (sender, answer) = oneshot::channel();
        if let Err(error) = self.expect_answer(id, sender) {
            return AwaitAcknowledgement::failed(error);
        }
        if let Err(error) = self.transmit(event.packet(), delivery, Count::EventsSent) {
            self.give_up(id);
            return AwaitAcknowledgement::failed(error);
        }
        AwaitAcknowledgement::waiting(self.clone(), id, answer)
    }

    fn expect_answer(
        &self,
        id: AcknowledgementId,
        sender: oneshot::Sender<Answer>,
    ) -> Result<(), EmitError> {
        let mut state = self.0.state.lock();
        if state.gone {
            return Err(EmitError::Disconnected);
        }
        if state.acknowledgements.len() >= self.0.namespace.max_pending_acknowledgements() {
            return Err(EmitError::TooManyPending);
        }
        state.acknowledgements.insert(id, sender);
        self.0.namespace.counters().add(Count::AcknowledgementsAwaited, 1);
        Ok(())
    }

    /// Nobody waits for this answer any more.
    fn take_waiting(&self, id: AcknowledgementId) -> Option<oneshot::Sender<Answer>> {
        let waiting = self.0.state.lock().acknowledgements.take(id)?;
        self.0.namespace.counters().add(Count::AcknowledgementsSettled, 1);
        Some(waiting)
    }
}

impl Sealed for Socket {}

impl EventSocket for Socket {
    type Question = AcknowledgementId;

    fn acknowledge<A: ToArguments>(
        &self,
        id: AcknowledgementId,
        values: &A,
    ) -> Result<(), EmitError> {
        let send = |packet: PacketForOne<'_>| {
            self.transmit(packet, Delivery::RELIABLE, Count::AcknowledgementsSent)
        };
        self.0.namespace.send_acknowledgement(id, values, send)?
    }

    fn give_up(&self, id: AcknowledgementId) {
        self.take_waiting(id);
    }

    fn forget_listener(&self, id: ListenerId) {
        self.forget_own_listener(id);
        self.0.namespace.forget_listener(id);
    }
}
