//! The client's side of one Engine.IO session (C-018 to C-030).
//!
//! [`ClientSession`] is the contract and the diagram; each file holds one concern of it. Nothing here
//! holds a packet, asks a clock or writes a byte.

mod batch;
mod closing;
mod deadline;
mod heartbeat;
mod input;
mod opening;
mod output;
mod polling;
#[cfg(test)]
mod tests;
mod upgrade;

use std::time::Duration;

pub use batch::take_payload;
pub use input::ClientInput;
pub use opening::{Opening, OpeningError, Upgrades};
pub use output::ClientOutput;

use super::handshake::TransportName;
use super::outputs::Outputs;
use super::session::{CloseReason, Link, Received};
use crate::Moment;
use deadline::{Deadline, Deadlines};
use polling::Polling;
use upgrade::Candidate;

/// What a client decides about its sessions.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each is to be chosen; there is a default")]
pub struct ClientTiming {
    /// Whether to go from polling to WebSocket if the server offers it (C-008); `true`.
    pub upgrade: bool,
    /// Time in which an upgrade must be complete; 20 seconds. The reference waits for ever.
    pub candidate_timeout: Duration,
    /// Time from [`ClientInput::Close`] to the end at the latest; 5 seconds.
    pub close_timeout: Duration,
}

impl Default for ClientTiming {
    fn default() -> Self {
        Self {
            upgrade: true,
            candidate_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server has not said OPEN.
    Opening,
    /// Packets flow.
    Open,
    /// The application has closed the session; what is queued still goes out.
    Draining,
    /// The goodbye is on its way.
    Closing,
    /// Nothing more comes out.
    Ended,
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Polling(Polling),
    WebSocket {
        /// Whether something that was to be written is not yet.
        unwritten: bool,
    },
}

/// The client's side of one session.
///
/// > **The contract: after [`new`](Self::new) and each [`handle`](Self::handle), call
/// > [`poll`](Self::poll) until it says `None`.**
///
/// 1. Something happens on a link, in the application, or a deadline passes: `handle` it.
/// 2. `poll` until `None`, and do what each [`ClientOutput`] says, in order.
/// 3. Call `handle` with [`ClientInput::DeadlinePassed`] no later than [`ClientSession::deadline`].
/// 4. After [`ClientOutput::Ended`] nothing more comes out.
///
/// The machine holds no packets: what is queued lies in the driver's outbox, as finished frames.
/// It decides which link is the active one, what is sent when, and when the session is over.
///
/// ```text
///              first GET                               WebSocket opened
///                  │ OPEN                                     │ OPEN
///                  ▼          `3probe`, nothing on its way    ▼
/// candidate ─► ┌─────────┐ ─────────────────────────────► ┌───────────┐
/// `2probe`  ◄─ │ Polling │              `5`               │ WebSocket │
/// failed,   ─► └────┬────┘                                └─────┬─────┘
/// late              │ closed by the application                 │
///                   ▼                                           ▼
///      ┌────────────────────────┐                  ┌─────────────────────────┐
///      │ Draining: posts what is│                  │ Closing: writes what is │
///      │ queued; a switch that  │ ───────────────► │ queued and a close      │
///      │ has begun is completed │  if it switched  │ frame, waits for the end│
///      └────────────┬───────────┘                  └────────────┬────────────┘
///                   ▼                                           │
///      ┌────────────────────────┐                               ▼
///      │ Closing: posts `1`     │ ──────────────────────────► Ended ◄── lost, late, broken,
///      └────────────────────────┘                                       closed by the server
/// ```
///
/// # Example
/// ```
/// use sockeye_proto::Moment;
/// use sockeye_proto::engine::{
///     ClientInput, ClientOutput, ClientSession, ClientTiming, CloseReason, Link, Opening, Packet,
///     Received, TransportName,
/// };
///
/// let now = Moment::START;
/// let mut session = ClientSession::new(ClientTiming::default(), TransportName::Polling);
/// // Do all of it.
/// assert_eq!(session.poll(), Some(ClientOutput::Poll));
/// assert_eq!(session.poll(), None);
///
/// // The GET is answered.
/// let Ok(Packet::Open(json)) = Packet::decode(
///     r#"0{"sid":"YDdIvTwz8yhywqJeAAAA","upgrades":[],"pingInterval":300,"pingTimeout":200}"#,
/// ) else { panic!("no OPEN") };
/// let opening = Opening::parse(json)?;
/// session.handle(now, ClientInput::from(&opening));
/// assert_eq!(session.poll(), None);
/// session.handle(now, ClientInput::PollDone);
/// assert_eq!(session.poll(), Some(ClientOutput::Poll));
/// assert_eq!(session.poll(), None);
/// assert_eq!(session.deadline(), Some(Moment::from_millis(500)));
///
/// // So is the next one.
/// let packet = Received::from(&Packet::decode("2")?);
/// session.handle(Moment::from_millis(300), ClientInput::Packet { link: Link::Active, packet });
/// assert_eq!(session.poll(), Some(ClientOutput::SendPong));
/// assert_eq!(session.poll(), Some(ClientOutput::Post));
/// assert_eq!(session.poll(), None);
/// session.handle(Moment::from_millis(300), ClientInput::PollDone);
/// assert_eq!(session.poll(), Some(ClientOutput::Poll));
/// assert_eq!(session.poll(), None);
/// assert_eq!(session.deadline(), Some(Moment::from_millis(800)));
///
/// // And no other.
/// session.handle(Moment::from_millis(800), ClientInput::DeadlinePassed);
/// assert_eq!(session.poll(), Some(ClientOutput::Ended(CloseReason::PingTimeout)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientSession {
    timing: ClientTiming,
    deadlines: Deadlines,
    outputs: Outputs<ClientOutput>,
    transport: Transport,
    phase: Phase,
    candidate: Candidate,
    /// How long a ping may take; known from OPEN on.
    patience: Option<Duration>,
    /// Whether the outbox has packets that nobody was told to send.
    queued: bool,
}

impl ClientSession {
    /// A session that begins over `transport`. Over polling the first output is the handshake's GET;
    /// a WebSocket is opened by the driver.
    #[must_use]
    pub fn new(timing: ClientTiming, transport: TransportName) -> Self {
        let transport = match transport {
            TransportName::Polling => Transport::Polling(Polling::default()),
            TransportName::WebSocket => Transport::WebSocket { unwritten: false },
        };
        let mut session = Self {
            timing,
            deadlines: Deadlines::default(),
            outputs: Outputs::default(),
            transport,
            phase: Phase::Opening,
            candidate: Candidate::None,
            patience: None,
            queued: false,
        };
        session.go_on();
        session
    }

    /// Tells the machine what happened.
    pub fn handle(&mut self, now: Moment, input: ClientInput) {
        if self.phase == Phase::Ended {
            return;
        }
        match input {
            ClientInput::Opened { upgrades, ping_interval, ping_timeout } => {
                self.opened(now, upgrades, ping_interval.saturating_add(ping_timeout));
            }
            ClientInput::Packet { link: Link::Active, packet } => self.packet(now, packet),
            ClientInput::Packet { link: Link::Candidate, packet } => self.candidate_packet(packet),
            ClientInput::Undecodable { link: Link::Active } => self.undecodable(),
            ClientInput::PollDone => self.poll_done(),
            ClientInput::PollFailed => self.poll_failed(),
            ClientInput::PostDone { queued } => self.post_done(queued),
            ClientInput::PostFailed => self.post_failed(),
            ClientInput::CandidateOpened => self.candidate_opened(),
            ClientInput::LinkClosed { link: Link::Active } => {
                self.end_at_once(CloseReason::TransportClose);
            }
            ClientInput::LinkFailed { link: Link::Active } => {
                self.end_at_once(CloseReason::TransportError);
            }
            ClientInput::Undecodable { link: Link::Candidate }
            | ClientInput::LinkClosed { link: Link::Candidate }
            | ClientInput::LinkFailed { link: Link::Candidate } => self.drop_candidate(),
            ClientInput::Queued => self.queued = true,
            ClientInput::Drained => self.drained(),
            ClientInput::Unread => self.excuse_ping(now),
            ClientInput::Close => self.close(now),
            ClientInput::DeadlinePassed => self.deadline_passed(now),
        }
        self.go_on();
    }

    /// The same as handling a message on the active link and polling to the end, in one call:
    /// whether it is to be delivered. Most of what a driver reports is this.
    #[inline]
    #[must_use = "a message that is not to be delivered must not be"]
    pub fn takes_message(&self) -> bool {
        self.is_flowing()
    }

    /// What to do next; `None` when everything has been said.
    #[must_use = "each output must be carried out"]
    pub fn poll(&mut self) -> Option<ClientOutput> {
        self.outputs.pop()
    }

    /// The moment at which [`ClientInput::DeadlinePassed`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.deadlines.next()
    }

    /// The transport that is active now, or being opened.
    #[must_use]
    pub const fn transport(&self) -> TransportName {
        match self.transport {
            Transport::Polling(_) => TransportName::Polling,
            Transport::WebSocket { .. } => TransportName::WebSocket,
        }
    }

    /// Whether the application may send: the server has said OPEN, and nobody has closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether a packet would go out at once, as far as the machine knows: over polling if no POST is
    /// on its way, over WebSocket if nothing waits to be written (C-045).
    #[must_use]
    pub fn is_writable(&self) -> bool {
        let is_busy = match self.transport {
            Transport::Polling(polling) => polling.post,
            Transport::WebSocket { unwritten } => unwritten,
        };
        self.is_open() && !self.is_switching() && !is_busy
    }

    /// Whether the server's ping is late already, although nobody has reported it: as on a machine
    /// that slept. Nothing should be sent then that is to arrive (C-024).
    #[must_use]
    pub fn has_expired(&self, now: Moment) -> bool {
        self.deadlines.has_passed(Deadline::Ping, now)
    }

    /// Until when the server's next ping must be there (C-023); none before OPEN, and after the end.
    #[must_use]
    pub const fn ping_deadline(&self) -> Option<Moment> {
        self.deadlines.get(Deadline::Ping)
    }

    const fn is_opened(&self) -> bool {
        self.patience.is_some()
    }

    /// Whether packets go both ways.
    fn is_flowing(&self) -> bool {
        self.is_opened() && matches!(self.phase, Phase::Open | Phase::Draining)
    }

    /// A second OPEN means nothing.
    fn opened(&mut self, now: Moment, upgrades: Upgrades, patience: Duration) {
        if self.is_opened() {
            return;
        }
        self.patience = Some(patience);
        self.await_ping(now);
        if self.phase == Phase::Opening {
            self.phase = Phase::Open;
            self.open_candidate(now, upgrades);
        }
    }

    fn packet(&mut self, now: Moment, packet: Received) {
        if self.phase == Phase::Closing {
            return;
        }
        match packet {
            // E-060. The reference waits for the end of the link if it is a WebSocket.
            Received::Close => self.end(CloseReason::TransportClose),
            // Nothing comes before OPEN.
            _ if !self.is_opened() => self.end(CloseReason::TransportError),
            Received::Message => self.outputs.push(ClientOutput::Deliver),
            Received::Ping { .. } => self.ping_received(now),
            Received::Open | Received::Pong { .. } | Received::Upgrade | Received::Noop => {}
        }
    }

    /// `server error` in the reference (C-029); its `parse error` is about Socket.IO packets.
    fn undecodable(&mut self) {
        if self.phase != Phase::Closing {
            self.end(CloseReason::TransportError);
        }
    }

    const fn drained(&mut self) {
        if let Transport::WebSocket { unwritten } = &mut self.transport {
            *unwritten = false;
        }
    }

    fn deadline_passed(&mut self, now: Moment) {
        while let Some(deadline) = self.deadlines.take_passed(now) {
            match deadline {
                Deadline::Ping => self.end(CloseReason::PingTimeout),
                Deadline::Candidate => self.drop_candidate(),
                Deadline::Close => self.end(CloseReason::ForcedClose),
            }
        }
    }

    /// Does what can be done now.
    fn go_on(&mut self) {
        self.switch_when_idle();
        match self.transport {
            Transport::Polling(polling) => self.go_on_polling(polling),
            Transport::WebSocket { .. } => self.go_on_writing(),
        }
    }

    fn go_on_writing(&mut self) {
        if !self.is_flowing() {
            return;
        }
        if self.phase == Phase::Draining {
            self.say_goodbye(ClientOutput::CloseLink);
        } else if std::mem::take(&mut self.queued) {
            self.transport = Transport::WebSocket { unwritten: true };
            self.outputs.push(ClientOutput::Write);
        }
    }
}
