use super::refusal::Granted;
use super::{
    AnswerTo, ClientDisconnectReason, ClientNamespace, ClientNamespaceOutput, ClientViolation,
    ConnectRefused, Incoming, OwnedEvent, State,
};
use crate::Moment;
use crate::socket::{AcknowledgementId, Arguments, OwnedArguments, Packet, Payload};

/// Events that came before the client was let in (C-043): those that it missed, if it comes back.
#[derive(Debug, Default)]
pub(super) struct ReceivedEarly {
    events: Vec<Early>,
    bytes: usize,
}

#[derive(Debug)]
struct Early {
    name: String,
    arguments: OwnedArguments,
    id: Option<AcknowledgementId>,
}

impl ReceivedEarly {
    /// What an event costs beside its name and arguments, about.
    const OVERHEAD: usize = 128;

    /// Keeps an event; `false` if that would be too much.
    fn push(
        &mut self,
        name: &str,
        arguments: Arguments<'_>,
        id: Option<AcknowledgementId>,
        limit: usize,
    ) -> bool {
        let attachments: usize = arguments.attachments().iter().map(bytes::Bytes::len).sum();
        let own = name.len() + arguments.list.len() + attachments + Self::OVERHEAD;
        self.bytes = self.bytes.saturating_add(own);
        if self.bytes > limit {
            return false;
        }
        self.events.push(Early { name: name.to_owned(), arguments: arguments.to_owned(), id });
        true
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<W> ClientNamespace<W> {
    /// Takes a packet that came for this namespace. Packets that mean nothing now are ignored: the
    /// server may have sent them before it knew.
    ///
    /// # Errors
    /// A [`ClientViolation`]: close the connection, as for a packet that cannot be read (C-037).
    pub fn receive<'p>(
        &mut self,
        now: Moment,
        packet: Packet<'p>,
    ) -> Result<Option<Incoming<'p, W>>, ClientViolation> {
        match packet.payload {
            Payload::Event { name, arguments } if self.is_connected() => {
                self.note_offset(arguments, packet.id);
                let answer = self.answer_to(packet.id);
                return Ok(Some(Incoming::Event { name, arguments, answer }));
            }
            Payload::Event { name, arguments } => self.too_early(&name, arguments, packet.id)?,
            Payload::Acknowledgement(arguments) => {
                let waiter = packet.id.and_then(|id| self.answered(now, id));
                return Ok(waiter.map(|waiter| Incoming::Answer { waiter, arguments }));
            }
            Payload::Connect(payload) => self.granted(now, &Granted::parse(payload)),
            Payload::ConnectError(payload) => self.refused(payload),
            Payload::Disconnect => self.put_out(),
        }
        Ok(None)
    }

    fn too_early(
        &mut self,
        name: &str,
        arguments: Arguments<'_>,
        id: Option<AcknowledgementId>,
    ) -> Result<(), ClientViolation> {
        let limit = self.options.max_received_before_connect;
        // Before CONNECT nothing can come for this client: it was for the one that has left.
        if !matches!(self.state, State::Connecting(_))
            || self.early.push(name, arguments, id, limit)
        {
            return Ok(());
        }
        self.early.clear();
        Err(ClientViolation::TooMuchBeforeConnect { limit })
    }

    fn answered(&mut self, now: Moment, id: AcknowledgementId) -> Option<W> {
        if !self.is_connected() {
            return None;
        }
        if let Some(event) = self.retries.answered(id) {
            self.send_retried(now);
            return event.waiter;
        }
        self.pending.take(id)
    }

    fn granted(&mut self, now: Moment, granted: &Granted<'_>) {
        match (&self.state, granted.id()) {
            (State::Connecting(_), Some(id)) => {
                self.state = State::Connected(id.into());
                self.connected(now, granted.pid.as_deref());
            }
            // A server of version 2 does not wait to be asked.
            (State::Asking(_) | State::Connecting(_), None) => {
                let error = ClientNamespaceOutput::ConnectError(ConnectRefused::version_two());
                self.outputs.push_back(error);
            }
            (State::Leaving { again }, Some(_)) => {
                let again = *again;
                self.leave();
                self.left(again);
            }
            _ => {}
        }
    }

    /// The order of C-044. The events that came before CONNECT are the first of the new connection,
    /// so their offsets count only now; unless they may be the last of one that the program has
    /// left on the same transport, which the official client takes for the new one's.
    fn connected(&mut self, now: Moment, pid: Option<&str>) {
        self.recovered = pid.is_some() && self.pid.as_deref() == pid;
        if !self.recovered {
            self.pid = pid.map(Into::into);
            self.offset.clear();
            self.connection += 1;
            if self.left_behind {
                self.early.clear();
            }
        }
        self.left_behind = false;
        for Early { name, arguments, id } in std::mem::take(&mut self.early).events {
            self.note_offset(arguments.as_arguments(), id);
            let answer = self.answer_to(id);
            let event = OwnedEvent { name, arguments, answer };
            self.outputs.push_back(ClientNamespaceOutput::Deliver(event));
        }
        self.send_buffered();
        self.send_retried(now);
        self.outputs.push_back(ClientNamespaceOutput::Connected { recovered: self.recovered });
    }

    fn refused(&mut self, payload: &str) {
        match self.state {
            State::Connecting(_) => {
                self.early.clear();
                self.state = State::Inactive;
                let error = ClientNamespaceOutput::ConnectError(ConnectRefused::parse(payload));
                self.outputs.push_back(error);
            }
            State::Leaving { again } => self.left(again),
            State::Inactive | State::Waiting | State::Asking(_) | State::Connected(_) => {}
        }
    }

    fn put_out(&mut self) {
        // It was for the one that has left, if there was one: the CONNECT will be answered.
        let is_meant = !(self.left_behind && matches!(self.state, State::Connecting(_)));
        if is_meant && matches!(self.state, State::Connecting(_) | State::Connected(_)) {
            self.early.clear();
            self.disconnected(State::Inactive, ClientDisconnectReason::ServerDisconnect);
        }
    }

    /// The answer to a CONNECT is there that nobody wanted any more.
    fn left(&mut self, again: bool) {
        self.state = State::Inactive;
        if again {
            self.ask();
        }
    }

    const fn answer_to(&self, id: Option<AcknowledgementId>) -> Option<AnswerTo> {
        match id {
            Some(id) => Some(AnswerTo { id, connection: self.connection }),
            None => None,
        }
    }

    /// An event with an acknowledgement has no offset: there the last argument of the official
    /// client is a function (S-079).
    fn note_offset(&mut self, arguments: Arguments<'_>, id: Option<AcknowledgementId>) {
        if self.pid.is_some() && id.is_none() {
            self.offset.note(arguments);
        }
    }
}
