//! From polling to WebSocket (C-021). Until `5` is sent polling stays the active link, so a candidate
//! that fails costs the session nothing.

use super::polling::Polling;
use super::{ClientOutput, ClientSession, Deadline, Transport, Upgrades};
use crate::Moment;
use crate::engine::Received;

/// The link that may take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    /// There is none.
    None,
    /// It is being opened.
    Opening,
    /// It was sent `2probe`.
    Probed,
    /// `3probe` arrived: nothing new is sent over polling, and what is on its way is waited for.
    Confirmed,
}

impl ClientSession {
    pub(super) fn open_candidate(&mut self, now: Moment, upgrades: Upgrades) {
        let wanted = self.timing.upgrade
            && upgrades.websocket
            && matches!(self.transport, Transport::Polling(_));
        if wanted {
            self.candidate = Candidate::Opening;
            self.deadlines.set(Deadline::Candidate, now.after(self.timing.candidate_timeout));
            self.outputs.push(ClientOutput::OpenCandidate);
        }
    }

    pub(super) fn candidate_opened(&mut self) {
        if self.candidate == Candidate::Opening {
            self.candidate = Candidate::Probed;
            self.outputs.push(ClientOutput::ProbeCandidate);
        }
    }

    /// Before `5` a server says `3probe` on it, and nothing else.
    pub(super) fn candidate_packet(&mut self, packet: Received) {
        match (self.candidate, packet) {
            (Candidate::Probed, Received::Pong { probe: true }) => {
                self.candidate = Candidate::Confirmed;
            }
            _ => self.drop_candidate(),
        }
    }

    /// Polling goes on where it was stopped.
    pub(super) fn drop_candidate(&mut self) {
        if self.candidate != Candidate::None {
            self.candidate = Candidate::None;
            self.deadlines.clear(Deadline::Candidate);
            self.outputs.push(ClientOutput::DropCandidate);
        }
    }

    /// Whether nothing is to be sent until the candidate has taken over (C-022).
    pub(super) fn is_switching(&self) -> bool {
        self.candidate == Candidate::Confirmed
    }

    /// Once what was on its way over polling has arrived, nothing can overtake it.
    pub(super) fn switch_when_idle(&mut self) {
        if let Transport::Polling(Polling { poll: false, post: false }) = self.transport
            && self.is_switching()
        {
            self.candidate = Candidate::None;
            self.deadlines.clear(Deadline::Candidate);
            self.transport = Transport::WebSocket { unwritten: false };
            self.outputs.push(ClientOutput::SwitchToCandidate);
        }
    }
}
