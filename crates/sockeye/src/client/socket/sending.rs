//! What is sent to the server, and what it answers.

use std::sync::atomic::Ordering;

use sockeye_proto::socket::{
    AcknowledgementId, AnswerTo, Delivery, Emit, EmitRefusal, Emitted, Encoded, FromArguments,
    Outgoing, ToArguments,
};
use tokio::sync::oneshot;

use super::Socket;
use super::core::{Core, Sent, Waiter};
use super::operator::Manner;
use crate::client::{AwaitAcknowledgement, EventContext};
use crate::codec::with_event;
use crate::engine::{Panicked, catch};
use crate::event::{EmitError, EventSocket, FromEvent, ListenerId, Rejection, Sealed};

impl Socket {
    /// Sends an event to the server, or keeps it until the socket is connected (C-043). Never blocks.
    ///
    /// With `retries`, it is sent again until the server has acknowledged it (C-049).
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent or kept then.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.emit_as(event, &arguments, Manner::PLAIN)
    }

    /// Sends the event `message`, as the official client's `send` does (C-050).
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent or kept then.
    pub fn send(&self, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.emit("message", arguments)
    }

    /// Sends an event and waits for the server's answer, decoded as arguments are (C-046).
    ///
    /// The event is sent or kept at once; the future that is returned waits for the answer, and
    /// always resolves: with the answer, after the `timeout` or the socket's `ack_timeout`, or when
    /// the connection is lost on which it was sent. One that is still kept survives that.
    pub fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        arguments: impl ToArguments,
    ) -> AwaitAcknowledgement<T> {
        self.ask_as(event, &arguments, Manner::PLAIN)
    }

    /// Bytes that are queued for the connection and not yet written, and those of events that are
    /// kept until the socket is connected.
    #[must_use]
    pub fn buffered(&self) -> usize {
        let kept = self.core().state.lock().machine.buffered_bytes();
        kept + self.core().shared.queued_bytes()
    }

    /// Waits until nothing is queued for the connection any more: all of it was given to the system,
    /// or taken by a request. What is kept for a socket that is not connected does not count.
    ///
    /// Cancel safety: dropped, it waits no longer.
    pub async fn drained(&self) {
        self.core().shared.drained().await;
    }

    pub(super) fn emit_as<A: ToArguments>(
        &self,
        event: &str,
        arguments: &A,
        manner: Manner,
    ) -> Result<(), EmitError> {
        let core = self.core();
        let delivery = core.delivery(manner);
        // A retried event is acknowledged, whoever waits for it.
        let id = matches!(delivery, Delivery::Retried { .. }).then(|| core.next_id());
        let packet = core.encode(|encoder| encoder.event(event, id, arguments))?;
        core.emit(Emit { outgoing: outgoing(packet, manner), id, waiter: None, delivery })
            .map_err(|(error, _)| error)
    }

    pub(super) fn ask_as<A: ToArguments, T: FromArguments>(
        &self,
        event: &str,
        arguments: &A,
        manner: Manner,
    ) -> AwaitAcknowledgement<T> {
        let core = self.core();
        let id = core.next_id();
        let packet = match core.encode(|encoder| encoder.event(event, Some(id), arguments)) {
            Ok(packet) => packet,
            Err(error) => return AwaitAcknowledgement::failed(error.into()),
        };
        let (sender, answer) = oneshot::channel();
        let delivery = core.delivery(manner);
        let is_retried = matches!(delivery, Delivery::Retried { .. });
        let outgoing = outgoing(packet, manner);
        if let Err((error, _)) =
            core.emit(Emit { outgoing, id: Some(id), waiter: Some(sender), delivery })
        {
            return AwaitAcknowledgement::failed(error);
        }
        let waiting = AwaitAcknowledgement::waiting(self.clone(), id, answer);
        match manner.timeout.or(core.options.ack_timeout) {
            // Each try has the time-out, and the machine watches over it.
            Some(_) if is_retried => waiting,
            Some(timeout) => waiting.timeout(timeout),
            None => waiting,
        }
    }
}

const fn outgoing(packet: Encoded, manner: Manner) -> Outgoing {
    Outgoing { packet, compress: manner.compress }
}

impl Core {
    fn next_id(&self) -> AcknowledgementId {
        self.state.lock().machine.next_id()
    }

    fn encode(
        &self,
        write: impl FnOnce(
            &mut sockeye_proto::socket::Encoder<'_>,
        ) -> Result<Encoded, sockeye_proto::socket::EncodeError>,
    ) -> Result<Encoded, sockeye_proto::socket::EncodeError> {
        self.shared.codec.encode(self.namespace(), write)
    }

    fn delivery(&self, manner: Manner) -> Delivery {
        if manner.volatile {
            Delivery::Volatile
        } else if self.options.retries > 0 {
            Delivery::Retried { timeout: manner.timeout }
        } else {
            Delivery::Plain
        }
    }

    fn emit(&self, emit: Emit<Waiter>) -> Result<(), (EmitError, Option<Waiter>)> {
        let waits = emit.waiter.is_some();
        let is_watched = matches!(emit.delivery, Delivery::Retried { .. });
        let mut state = self.state.lock();
        if state.machine.is_connected()
            && self.shared.queued_bytes() >= self.shared.max_buffered_bytes
        {
            return Err((EmitError::BufferFull, emit.waiter));
        }
        let now = self.shared.clock.now();
        let emitted = state.machine.emit(now, emit, self.shared.transport(now));
        let mut sent = None;
        let result = match emitted {
            Ok(Emitted::Send(outgoing)) => {
                self.shared.push(&outgoing.packet, outgoing.compress);
                sent = Some(outgoing.packet);
                Ok(())
            }
            Ok(Emitted::Kept) => Ok(()),
            // Who waits is told as all that wait are.
            Ok(Emitted::Discarded) if waits => Ok(()),
            Ok(Emitted::Discarded) => Err((EmitError::NotWritable, None)),
            Err(refused) => Err((refusal(&refused.reason), refused.waiter)),
        };
        let mut shown = self.settle(state);
        if sent.is_some() && !is_watched {
            self.shared.wake_for_outbox();
        } else {
            self.shared.wake();
        }
        if self.shows_outgoing.load(Ordering::Relaxed) {
            shown.splice(0..0, sent);
            self.show(shown);
        }
        result
    }

    /// Shows what has gone out to who listens to it.
    pub(super) fn show(&self, sent: Vec<Sent>) {
        if sent.is_empty() {
            return;
        }
        let Some(socket) = self.socket() else { return };
        let listeners = self.listeners();
        for packet in &sent {
            with_event(packet, |name, arguments| {
                for listener in listeners.any_outgoing() {
                    let shown = catch(|| (listener.handler)(&socket, name, arguments));
                    if let Err(Panicked(message)) = shown {
                        tracing::error!(
                            message,
                            event = name,
                            "a listener of outgoing events panicked"
                        );
                    }
                }
            });
        }
    }
}

const fn refusal(refusal: &EmitRefusal) -> EmitError {
    match refusal {
        EmitRefusal::BufferFull { .. } => EmitError::BufferFull,
        _ => EmitError::TooManyPending,
    }
}

impl Sealed for Socket {}

impl FromEvent<Self> for Socket {
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(event.socket().clone())
    }
}

impl EventSocket for Socket {
    type Question = AnswerTo;

    fn acknowledge<A: ToArguments>(&self, question: AnswerTo, values: &A) -> Result<(), EmitError> {
        let core = self.core();
        if !core.can_answer(question) {
            return Err(EmitError::Disconnected);
        }
        let packet = core.encode(|encoder| encoder.acknowledgement(question.id(), values))?;
        let state = core.state.lock();
        let answer = outgoing(packet, Manner::PLAIN);
        let Some(answer) = state.machine.acknowledge(question, answer) else {
            return Err(EmitError::Disconnected);
        };
        core.shared.push(&answer.packet, answer.compress);
        drop(state);
        core.shared.wake_for_outbox();
        Ok(())
    }

    fn give_up(&self, id: AcknowledgementId) {
        let waiter = self.core().state.lock().machine.give_up(id);
        drop(waiter);
    }

    fn forget(&self, id: AcknowledgementId) {
        let waiter = self.core().state.lock().machine.forget(id);
        drop(waiter);
    }

    fn forget_listener(&self, id: ListenerId) {
        self.remove_listener(id);
    }
}
