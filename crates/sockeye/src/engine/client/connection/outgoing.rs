use std::fmt;
use std::time::Duration;

use sockeye_proto::Moment;
use sockeye_proto::engine::{
    ClientInput, ClientOutput, ClientSession, Dialect, Query, TransportName,
};

use super::super::outbox::{Outbox, Sendable};
use crate::engine::clock::Clock;

/// What an application may do with its connection, also while it is called by it.
pub(crate) struct Outgoing {
    session: ClientSession,
    clock: Clock,
    pub(super) outbox: Outbox,
    /// What is queued for the candidate.
    pub(super) candidates: Outbox,
    /// Bytes that were taken from the outbox and not by the system.
    pub(super) unwritten: usize,
    pub(super) sid: Option<Box<str>>,
    pub(super) max_payload: Option<u64>,
    /// Whether binary is sent as text (C-011).
    base64: Option<Dialect>,
    /// The application cannot take more: what is late is not the server's fault.
    pub(super) busy: bool,
    /// What the machine is to be told when it is its turn.
    queued: bool,
    close: bool,
    /// Nothing is accepted any more.
    over: bool,
    /// The machine has been told to wait until everything is written.
    writing: bool,
}

impl Outgoing {
    pub(super) fn new(session: ClientSession, base64: bool) -> Self {
        Self {
            session,
            clock: Clock::start(),
            outbox: Outbox::default(),
            candidates: Outbox::default(),
            unwritten: 0,
            sid: None,
            max_payload: None,
            base64: base64.then(|| Dialect::of(&Query::parse("EIO=4&b64=1"))),
            busy: false,
            queued: false,
            close: false,
            over: false,
            writing: false,
        }
    }

    /// Queues frames: text with its type digit, binary bare. Before the connection is open they wait
    /// for that; when it is being closed, or is over, they are dropped.
    pub(crate) fn send(&mut self, frames: impl IntoIterator<Item = impl Into<Sendable>>) {
        if self.over {
            return;
        }
        for item in frames {
            let mut item = item.into();
            if let Some(dialect) = &self.base64 {
                item.frame = dialect.frame(item.frame);
            }
            self.outbox.push(item);
            self.queued = true;
        }
    }

    /// Closes the connection, after what is queued, and after an upgrade that is nearly done (C-026).
    pub(crate) const fn close(&mut self) {
        self.close |= !self.over;
        self.over = true;
    }

    /// Whether the server has said OPEN, and nobody has closed.
    pub(crate) fn is_open(&self) -> bool {
        !self.over && self.session.is_open()
    }

    /// Whether a packet would go out at once (C-045).
    pub(crate) fn is_writable(&self) -> bool {
        !self.over && self.session.is_writable()
    }

    /// Whether the server's ping is late, although nobody has noticed yet (C-024).
    pub(crate) fn has_expired(&self) -> bool {
        !self.busy && self.session.has_expired(self.clock.now())
    }

    /// Until when the server's next ping must be there, by this connection's own clock. None while the
    /// application cannot take more: what is late then is not the server's fault.
    pub(crate) const fn ping_deadline(&self) -> Option<Moment> {
        if self.busy { None } else { self.session.ping_deadline() }
    }

    /// The time from now to a moment of this connection's clock.
    pub(crate) fn time_until(&self, moment: Moment) -> Duration {
        moment.since(self.clock.now())
    }

    /// The transport that is active now, or being opened.
    pub(crate) const fn transport(&self) -> TransportName {
        self.session.transport()
    }

    /// Bytes that are queued and were not taken by a request or by the system.
    pub(crate) const fn buffered_bytes(&self) -> usize {
        self.outbox.bytes() + self.unwritten
    }

    /// The session's id. It is a credential: whoever has it can take the session over.
    pub(crate) fn id(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Begins anew with another transport. What is queued stays.
    pub(super) fn restart(&mut self, session: ClientSession) {
        self.session = session;
        (self.queued, self.writing) = (!self.outbox.is_empty(), false);
    }

    pub(super) fn end(&mut self) {
        self.over = true;
        (self.outbox, self.candidates) = (Outbox::default(), Outbox::default());
        self.unwritten = 0;
    }

    pub(super) const fn session(&self) -> &ClientSession {
        &self.session
    }

    pub(super) const fn clock(&self) -> Clock {
        self.clock
    }

    pub(super) fn handle(&mut self, input: ClientInput) {
        self.session.handle(self.clock.now(), input);
    }

    /// The next thing to do. When there is nothing, the machine is told what the application did.
    pub(super) fn next_output(&mut self) -> Option<ClientOutput> {
        loop {
            let output = self.session.poll();
            if output.is_some() {
                self.writing |= output == Some(ClientOutput::Write);
                return output;
            }
            if std::mem::take(&mut self.queued) {
                self.handle(ClientInput::Queued);
            } else if std::mem::take(&mut self.close) {
                self.handle(ClientInput::Close);
            } else {
                return None;
            }
        }
    }

    /// Everything is written. Whether the machine waits for that.
    pub(super) const fn has_written(&mut self) -> bool {
        std::mem::replace(&mut self.writing, false)
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("transport", &self.transport())
            .field("buffered_bytes", &self.buffered_bytes())
            .finish_non_exhaustive()
    }
}
