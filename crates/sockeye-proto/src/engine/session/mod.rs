//! The server's side of one Engine.IO session.
//!
//! [`Session`] is the contract and the diagram; each file holds one concern of it. Nothing here holds
//! a packet, asks a clock or writes a byte.

mod closing;
mod deadline;
mod heartbeat;
mod output;
mod polling;
#[cfg(test)]
mod tests;
mod upgrade;
mod writing;

use std::sync::Arc;
use std::time::Duration;

pub use deadline::Deadline;
pub use output::{CloseDetail, CloseReason, Control, Link, Output, PollAnswer};

use super::handshake::{Rejection, RejectionContext, Revision, TransportName};
use super::outputs::Outputs;
use super::packet::Packet;
use crate::Moment;
use deadline::Deadlines;
use polling::Polling;
use upgrade::Candidate;

/// The times of a session, shared by all sessions of a server.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each time must be chosen")]
pub struct Timing {
    /// Time between a pong and the next ping (E-013).
    pub ping_interval: Duration,
    /// Time to wait for a pong (E-014).
    pub ping_timeout: Duration,
    /// Time in which an upgrade must be complete (E-015).
    pub upgrade_timeout: Duration,
    /// Time in which a WebSocket that is full must take something.
    pub write_timeout: Duration,
}

/// What happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "drivers must handle each")]
pub enum Input {
    /// A GET arrived and waits for its answer; `queued` says whether the outbox has packets.
    Poll {
        /// Whether the outbox has packets.
        queued: bool,
    },
    /// A GET was given up by the client before its answer was taken (E-061).
    PollAborted,
    /// A POST arrived; its body may still be on the way.
    Post,
    /// All packets of the POST were handled.
    PostDone,
    /// The client gave up the POST before its body was complete (E-061).
    PostAborted,
    /// The POST has a content type that this revision does not know (E-053).
    PostUnreadable,
    /// Another transport was opened for this session, to be probed (E-084).
    CandidateOpened,
    /// A packet arrived.
    Packet {
        /// Where.
        link: Link,
        /// Which.
        packet: Received,
    },
    /// Something arrived that is no packet (E-058, E-071).
    Undecodable {
        /// Where.
        link: Link,
    },
    /// A link is gone: the peer closed it.
    LinkClosed {
        /// Which.
        link: Link,
    },
    /// A link is gone: the peer broke its rules or one of our limits.
    LinkFailed {
        /// Which.
        link: Link,
        /// How.
        detail: CloseDetail,
    },
    /// The application put packets into the outbox.
    Queued,
    /// The active WebSocket did not take all that was to be written.
    WriteBlocked {
        /// Whether it took something.
        progress: bool,
    },
    /// It took all that was left.
    WriteUnblocked,
    /// The application ends the session, after what is queued (E-092).
    Close,
    /// The driver has not read for a while, for a reason that is not the peer's: a pong may lie
    /// unread.
    Unread,
    /// A moment passed that [`Session::deadline`] had named.
    DeadlinePassed,
}

/// A received packet as far as the machine cares: messages stay with the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has exactly these packets")]
pub enum Received {
    /// `0`.
    Open,
    /// `1`.
    Close,
    /// `2`, or `2probe`.
    Ping {
        /// Whether its data is `probe`.
        probe: bool,
    },
    /// `3`, or `3probe`.
    Pong {
        /// Whether its data is `probe`.
        probe: bool,
    },
    /// `4`, or binary.
    Message,
    /// `5`.
    Upgrade,
    /// `6`.
    Noop,
}

impl From<&Packet<'_>> for Received {
    fn from(packet: &Packet<'_>) -> Self {
        match packet {
            Packet::Open(_) => Self::Open,
            Packet::Close => Self::Close,
            Packet::Ping(data) => Self::Ping { probe: *data == "probe" },
            Packet::Pong(data) => Self::Pong { probe: *data == "probe" },
            Packet::Message(_) => Self::Message,
            Packet::Upgrade => Self::Upgrade,
            Packet::Noop => Self::Noop,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Packets flow.
    Open,
    /// The application knows that it is over; the peer is still being told.
    Closing,
    /// Nothing more comes out.
    Closed,
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Polling(Polling),
    WebSocket,
}

/// The server's side of one session.
///
/// > **The contract: after each [`Session::handle`], call [`Session::poll`] until it says `None`.**
///
/// 1. Something happens on a link, in the application, or a deadline passes: `handle` it.
/// 2. `poll` until `None`, and do what each [`Output`] says, in order.
/// 3. Call `handle` with [`Input::DeadlinePassed`] no later than [`Session::deadline`].
///
/// The machine holds no packets: what is queued lies in the driver's outbox, as finished frames.
/// It decides which link is the active one, who is answered what, and when the session is over.
///
/// ```text
///                 open over polling                      open over WebSocket
///                        │                                       │
///                        ▼            `5` on the candidate       ▼
///   candidate ───► ┌───────────┐ ─────────────────────────► ┌───────────┐
///   `2probe`  ───► │  Polling  │                            │ WebSocket │
///   refused, ◄──── └─────┬─────┘                            └─────┬─────┘
///   failed, late         │                                        │
///                        ▼   the application has been told why    ▼
///              ┌───────────────────┐                  ┌───────────────────────┐
///              │ Closing: waits for│                  │ Closing: waits for the│
///              │ one more poll     │                  │ link's end            │
///              └─────────┬─────────┘                  └───────────┬───────────┘
///                        └───────────────► Closed ◄───────────────┘
/// ```
#[derive(Debug)]
pub struct Session {
    timing: Arc<Timing>,
    deadlines: Deadlines,
    outputs: Outputs<Output<()>>,
    /// What is to be said of the end.
    detail: CloseDetail,
    transport: Transport,
    revision: Revision,
    phase: Phase,
    candidate: Candidate,
    pong_refreshed: bool,
    pongs_excused: u8,
}

impl Session {
    /// A session that has just been opened over `transport`. The driver sends the OPEN packet.
    #[must_use]
    pub fn open(
        now: Moment,
        timing: Arc<Timing>,
        revision: Revision,
        transport: TransportName,
    ) -> Self {
        let transport = match transport {
            TransportName::Polling => Transport::Polling(Polling::default()),
            TransportName::WebSocket => Transport::WebSocket,
        };
        let mut session = Self {
            timing,
            deadlines: Deadlines::default(),
            outputs: Outputs::default(),
            detail: CloseDetail::None,
            transport,
            revision,
            phase: Phase::Open,
            candidate: Candidate::None,
            pong_refreshed: false,
            pongs_excused: 0,
        };
        session.start_heartbeat(now);
        session
    }

    /// Tells the machine what happened.
    pub fn handle(&mut self, now: Moment, input: Input) {
        match input {
            Input::Poll { queued } => self.poll_arrived(queued),
            Input::PollAborted => self.poll_aborted(),
            Input::Post => self.post_arrived(),
            Input::PostDone => self.post_done(),
            Input::PostAborted => self.post_aborted(),
            Input::PostUnreadable => self.post_unreadable(),
            Input::CandidateOpened => self.candidate_opened(now),
            Input::Packet { link: Link::Active, packet } => self.packet(now, packet),
            Input::Packet { link: Link::Candidate, packet } => self.candidate_packet(now, packet),
            Input::Undecodable { link: Link::Active } => {
                self.end(now, CloseReason::ParseError, CloseDetail::None);
            }
            Input::LinkClosed { link: Link::Active } => self.link_closed(),
            Input::LinkFailed { link: Link::Active, detail } => self.link_failed(now, detail),
            Input::LinkClosed { link: Link::Candidate } => self.drop_candidate(),
            Input::Undecodable { link: Link::Candidate }
            | Input::LinkFailed { link: Link::Candidate, .. } => self.give_up_candidate(),
            Input::Queued => self.queued(),
            Input::WriteBlocked { progress } => self.write_blocked(now, progress),
            Input::WriteUnblocked => self.deadlines.clear(Deadline::Write),
            Input::Close => self.close(now),
            Input::Unread => self.excuse_pong(now),
            Input::DeadlinePassed => self.deadline_passed(now),
        }
        self.finish_overlap(now);
    }

    /// The same as handling a message on the active link and polling to the end, in one call:
    /// whether it is to be delivered. Most of what a driver reports is this, and it has no other
    /// consequence; it saves about 100 of the 2900 instructions of an
    /// echoed message.
    #[inline]
    #[must_use = "a message that is not to be delivered must not be"]
    pub fn takes_message(&mut self, now: Moment) -> bool {
        let open = self.phase == Phase::Open;
        if open {
            self.refresh_pong(now);
        }
        open
    }

    /// What to do next; `None` when everything has been said.
    #[must_use = "each output must be carried out"]
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop().map(|output| output.with(self.detail))
    }

    /// The moment at which [`Input::DeadlinePassed`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.deadlines.next().map(|(moment, _)| moment)
    }

    /// The transport that is active now.
    #[must_use]
    pub const fn transport(&self) -> TransportName {
        match self.transport {
            Transport::Polling(_) => TransportName::Polling,
            Transport::WebSocket => TransportName::WebSocket,
        }
    }

    /// The revision of the protocol that was agreed on at the handshake.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether the application may still send and receive.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the active link would take a packet at once, as far as the machine knows: over
    /// polling only while a GET waits (E-072).
    #[must_use]
    pub const fn is_writable(&self) -> bool {
        match self.transport {
            Transport::Polling(polling) => polling.poll_waits(),
            Transport::WebSocket => true,
        }
    }

    /// Checks a request for this session before anything else is done with it.
    ///
    /// # Errors
    /// Code 3 if the request speaks another revision (E-037), or, unless it is an upgrade, comes
    /// over a transport that is not the session's (E-064).
    pub fn admit(
        &self,
        transport: TransportName,
        upgrade: bool,
        revision: Revision,
    ) -> Result<(), Rejection> {
        if revision != self.revision {
            return Err(Rejection::BadRequest(RejectionContext::ProtocolMismatch));
        }
        if !upgrade && transport != self.transport() {
            return Err(Rejection::BadRequest(RejectionContext::TransportMismatch));
        }
        Ok(())
    }

    fn packet(&mut self, now: Moment, packet: Received) {
        if self.phase != Phase::Open {
            // Who says farewell too will not fetch ours (E-060, E-062).
            if packet == Received::Close {
                self.close_received();
            }
            return;
        }
        if packet == Received::Message {
            if self.takes_message(now) {
                self.outputs.push(Output::Deliver);
            }
            return;
        }
        if !matches!(packet, Received::Pong { .. }) {
            self.refresh_pong(now);
        }
        match packet {
            Received::Ping { .. } => self.ping_received(now),
            Received::Pong { .. } => self.pong_received(now),
            Received::Close => self.close_received(),
            // E-080: meaningless in steady state, and harmless.
            Received::Open | Received::Upgrade | Received::Noop | Received::Message => {}
        }
    }

    fn deadline_passed(&mut self, now: Moment) {
        while let Some(deadline) = self.deadlines.take_passed(now) {
            match deadline {
                Deadline::Ping => self.send_ping(now),
                Deadline::Pong => self.end(now, CloseReason::PingTimeout, CloseDetail::None),
                Deadline::Upgrade => self.give_up_candidate(),
                Deadline::ProbeNoop => self.end_poll_of_probe(now),
                Deadline::Write => self.write_stalled(),
                Deadline::CloseGrace => self.release(),
            }
        }
    }
}
