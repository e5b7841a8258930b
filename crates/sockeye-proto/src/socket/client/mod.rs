//! The client's side of Socket.IO: one namespace, and the connection coming back.
//!
//! [`ClientNamespace`] is the contract and the diagram; each file holds one concern of it.
//! [`Reconnection`] says when to open the connection that all namespaces share.

mod buffer;
mod emitting;
mod offset;
mod options;
mod output;
mod reason;
mod receiving;
mod reconnection;
mod refusal;
mod retries;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use options::{ClientNamespaceOptions, Overflow};
pub use output::{
    AnswerTo, AuthRequest, ClientNamespaceOutput, ClientViolation, Delivery, DropReason, Emit,
    EmitRefusal, EmitRefused, Emitted, Incoming, Outgoing, OwnedEvent, Recovery, TransportState,
    Unanswered,
};
pub use reason::ClientDisconnectReason;
pub use reconnection::{Due, Failed, Next, Reconnection, ReconnectionOptions, ReconnectionState};
pub use refusal::ConnectRefused;

use super::{AcknowledgementId, PendingAcknowledgements};
use crate::Moment;
use buffer::Buffer;
use offset::LastOffset;
use receiving::ReceivedEarly;
use retries::RetryQueue;

/// The client's side of one namespace: whether it is in, what it has still to send, and what waits
/// for an answer (C-039 to C-054).
///
/// > **The contract: after each call, do what it returned, then call [`ClientNamespace::poll`]
/// > until it says `None`.** Call [`ClientNamespace::deadline_passed`] no later than
/// > [`ClientNamespace::deadline`].
///
/// `W` is what waits for an acknowledgement: the driver's handle, given back with the answer, or with
/// the reason why there is none. Each is given back once.
///
/// The machine knows neither the namespace's name nor its parser: the driver writes packets with an
/// [`Encoder`](super::Encoder), and hands in those it receives.
///
/// ```text
///               connect           transport open           authenticated
///   inactive ───────────► waiting ──────────────► asking ────────────────► connecting
///      ▲                     ▲                                          CONNECT │ │ disconnect
///      │ DISCONNECT,         │ transport closed                                 │ ▼
///      │ disconnect          └──────────────────── connected ◄──────────────────┘ leaving
///      └───────────────────────────────────────────────┘                            │
///      ▲  CONNECT_ERROR, or the answer to a CONNECT that was given up               │
///      └────────────────────────────────────────────────────────────────────────────┘
/// ```
///
/// A CONNECT cannot be taken back: a DISCONNECT before its answer ends the whole connection (S-025).
/// So who leaves meanwhile is *leaving* until the answer is there, and then it is sent.
#[derive(Debug)]
pub struct ClientNamespace<W> {
    options: Arc<ClientNamespaceOptions>,
    state: State,
    outputs: VecDeque<ClientNamespaceOutput<W>>,
    next_id: AcknowledgementId,
    asked: u64,
    /// Counts the connections, but not those that went on where the one before had stopped.
    connection: u64,
    recovered: bool,
    /// The secret id under which it may come back (S-078).
    pid: Option<Box<str>>,
    offset: LastOffset,
    early: ReceivedEarly,
    /// When what was kept because of a late ping is sent after all.
    recheck: Option<Moment>,
    /// What comes before the next CONNECT may be for the client that has left.
    left_behind: bool,
    pending: PendingAcknowledgements<W>,
    buffer: Buffer<W>,
    retries: RetryQueue<W>,
}

#[derive(Debug)]
enum State {
    /// The program does not want to be in.
    Inactive,
    /// The transport is not open.
    Waiting,
    /// The program is asked what to send along with CONNECT.
    Asking(AuthRequest),
    /// CONNECT is sent, with the answer to this question.
    Connecting(AuthRequest),
    /// CONNECT is sent, and the program does not want it any more; or wants another one.
    Leaving { again: bool },
    /// It is in, with this id.
    Connected(Box<str>),
}

impl<W> ClientNamespace<W> {
    /// A namespace that the client does not want to be in yet.
    #[must_use]
    pub fn new(options: Arc<ClientNamespaceOptions>) -> Self {
        Self {
            options,
            state: State::Inactive,
            outputs: VecDeque::new(),
            next_id: 0,
            asked: 0,
            connection: 0,
            recovered: false,
            pid: None,
            offset: LastOffset::default(),
            early: ReceivedEarly::default(),
            recheck: None,
            left_behind: false,
            pending: PendingAcknowledgements::default(),
            buffer: Buffer::default(),
            retries: RetryQueue::default(),
        }
    }

    /// The program wants to be in the namespace (C-053). Nothing if it does already.
    pub fn connect(&mut self, transport_open: bool) {
        match &mut self.state {
            State::Inactive if transport_open => self.ask(),
            State::Inactive => self.state = State::Waiting,
            State::Leaving { again } => *again = true,
            State::Waiting | State::Asking(_) | State::Connecting(_) | State::Connected(_) => {}
        }
    }

    /// The connection on which all namespaces are is open.
    pub fn transport_opened(&mut self) {
        if matches!(self.state, State::Waiting) {
            self.ask();
        }
    }

    /// The program has said what to send along with CONNECT: write it with
    /// [`Encoder::connect_with`](super::Encoder::connect_with), together with what this returns,
    /// and send it. `None` if nobody waits for it any more.
    pub fn authenticated(&mut self, request: AuthRequest) -> Option<Recovery<'_>> {
        if !self.is_asking(request) {
            return None;
        }
        self.state = State::Connecting(request);
        let offset = self.offset.get().filter(|_| self.pid.is_some());
        Some(Recovery { pid: self.pid.as_deref(), offset })
    }

    /// The program does not know what to send along with CONNECT, or the CONNECT cannot be written,
    /// and so was not sent: as if the server had refused.
    pub fn authentication_failed(&mut self, request: AuthRequest, error: ConnectRefused) {
        let is_unsent = matches!(self.state, State::Connecting(answered) if answered == request);
        if self.is_asking(request) || is_unsent {
            self.early.clear();
            self.state = State::Inactive;
            self.outputs.push_back(ClientNamespaceOutput::ConnectError(error));
        }
    }

    /// The program does not want to be in the namespace any more (C-052, C-053). What is not sent
    /// yet is kept, and sent after the next `connect`.
    pub fn disconnect(&mut self) {
        match &mut self.state {
            State::Waiting | State::Asking(_) => self.state = State::Inactive,
            State::Connecting(_) => {
                self.early.clear();
                self.state = State::Leaving { again: false };
            }
            State::Leaving { again } => *again = false,
            State::Connected(_) => {
                self.leave();
                self.disconnected(State::Inactive, ClientDisconnectReason::ClientDisconnect);
            }
            State::Inactive => {}
        }
    }

    /// The connection on which all namespaces are is gone.
    ///
    /// Who was not in yet is told nothing, unlike in the official client: it was never connected.
    pub fn transport_closed(&mut self, reason: ClientDisconnectReason) {
        self.early.clear();
        self.left_behind = false;
        match self.state {
            State::Connected(_) => self.disconnected(State::Waiting, reason),
            State::Asking(_) | State::Connecting(_) | State::Leaving { again: true } => {
                self.state = State::Waiting;
            }
            State::Leaving { again: false } => self.state = State::Inactive,
            State::Inactive | State::Waiting => {}
        }
    }

    /// When [`ClientNamespace::deadline_passed`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        [self.retries.deadline(), self.recheck].into_iter().flatten().min()
    }

    /// What to do next; `None` when everything has been said.
    #[must_use = "each output must be carried out"]
    pub fn poll(&mut self) -> Option<ClientNamespaceOutput<W>> {
        const KEPT: usize = 16;
        let output = self.outputs.pop_front();
        if output.is_none() && self.outputs.capacity() > KEPT {
            self.outputs = VecDeque::new();
        }
        output
    }

    /// Whether the program wants to be in the namespace: it goes back when there is a connection.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !matches!(self.state, State::Inactive | State::Leaving { again: false })
    }

    /// Whether the program does not want a CONNECT any more that is on its way (C-053).
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving { .. })
    }

    /// On this connection another machine was in the same namespace, and has left: what comes before
    /// the next CONNECT may be for that one.
    pub const fn left_behind(&mut self) {
        self.left_behind = true;
    }

    /// Whether the client is in the namespace.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// The client's id in the namespace while it is in (C-042).
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match &self.state {
            State::Connected(id) => Some(id),
            _ => None,
        }
    }

    /// Whether the last connection went on where the one before had stopped (C-051).
    #[must_use]
    pub const fn recovered(&self) -> bool {
        self.recovered
    }

    /// The secret id under which it may come back, if the server gave it one: a credential.
    #[must_use]
    pub fn pid(&self) -> Option<&str> {
        self.pid.as_deref()
    }

    /// Bytes of packets that wait to be sent, or to be answered if they are sent until then.
    #[must_use]
    pub const fn buffered_bytes(&self) -> usize {
        self.buffer.bytes() + self.retries.bytes()
    }

    /// How many acknowledgements are awaited.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.pending.len() + self.buffer.waiters() + self.retries.waiters()
    }

    fn ask(&mut self) {
        self.asked += 1;
        let request = AuthRequest(self.asked);
        self.state = State::Asking(request);
        self.outputs.push_back(ClientNamespaceOutput::AskAuth(request));
    }

    fn leave(&mut self) {
        self.left_behind = true;
        self.outputs.push_back(ClientNamespaceOutput::SendDisconnect);
    }

    fn is_asking(&self, request: AuthRequest) -> bool {
        matches!(self.state, State::Asking(asked) if asked == request)
    }

    /// No answer comes any more to what was sent; what is still to be sent may get one (C-046).
    fn disconnected(&mut self, state: State, reason: ClientDisconnectReason) {
        self.state = state;
        self.recheck = None;
        self.outputs.push_back(ClientNamespaceOutput::Disconnected(reason));
        for waiter in self.pending.drain() {
            self.outputs
                .push_back(ClientNamespaceOutput::Resolve(waiter, Unanswered::Disconnected));
        }
        self.try_failed();
    }

    fn resolve(&mut self, waiter: Option<W>, reason: Unanswered) {
        let outputs = waiter.map(|waiter| ClientNamespaceOutput::Resolve(waiter, reason));
        self.outputs.extend(outputs);
    }

    fn drop_event(&mut self, outgoing: Outgoing, reason: DropReason) {
        self.outputs.push_back(ClientNamespaceOutput::Dropped { outgoing, reason });
    }
}
