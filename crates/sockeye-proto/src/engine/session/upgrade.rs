//! From polling to WebSocket (section 1.8). Until `5` arrives polling stays the active link, so a
//! candidate that fails costs the session nothing.

use std::time::Duration;

use super::{Deadline, Output, Phase, PollAnswer, Received, Session, Transport};
use crate::Moment;

/// A GET that waits during a probe is ended after this time: long enough for most clients to have
/// seen the answer to their probe, so that they do not begin another one. The reference takes its
/// whole interval, and with it each upgrade (E-085).
const FIRST_PROBE_NOOP: Duration = Duration::from_millis(5);

/// The GETs after it are ended this often (E-085).
const PROBE_NOOP_INTERVAL: Duration = Duration::from_millis(100);

/// The link that may take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    /// There is none.
    None,
    /// It is open and has said nothing yet.
    Opened,
    /// It was probed; the client ends its poll and then switches.
    Probed,
}

impl Session {
    pub(super) fn candidate_opened(&mut self, now: Moment) {
        let wanted = matches!(self.transport, Transport::Polling(_))
            && self.candidate == Candidate::None
            && self.phase != Phase::Closed;
        if !wanted {
            return self.outputs.push(Output::RefuseCandidate);
        }
        self.candidate = Candidate::Opened;
        self.deadlines.set(Deadline::Upgrade, now.after(self.timing.upgrade_timeout));
    }

    pub(super) fn candidate_packet(&mut self, now: Moment, packet: Received) {
        if self.candidate == Candidate::None {
            return;
        }
        match packet {
            Received::Ping { probe: true } => self.probed(now),
            // Some clients switch without a probe, or without waiting for its answer.
            Received::Upgrade => self.switch(now),
            _ => self.give_up_candidate(),
        }
    }

    /// The candidate is gone by itself.
    pub(super) const fn drop_candidate(&mut self) {
        self.candidate = Candidate::None;
        self.deadlines.clear(Deadline::Upgrade);
        self.deadlines.clear(Deadline::ProbeNoop);
    }

    /// The candidate is to go.
    pub(super) fn give_up_candidate(&mut self) {
        if self.candidate != Candidate::None {
            self.drop_candidate();
            self.outputs.push(Output::CloseCandidate);
        }
    }

    pub(super) fn end_poll_of_probe(&mut self, now: Moment) {
        self.answer_poll(PollAnswer::Noop);
        self.deadlines.set(Deadline::ProbeNoop, now.after(PROBE_NOOP_INTERVAL));
    }

    fn probed(&mut self, now: Moment) {
        self.outputs.push(Output::AnswerProbe);
        if self.candidate == Candidate::Opened {
            self.candidate = Candidate::Probed;
            self.deadlines.set(Deadline::ProbeNoop, now.after(FIRST_PROBE_NOOP));
        }
    }

    fn switch(&mut self, now: Moment) {
        self.drop_candidate();
        self.answer_poll(PollAnswer::Noop);
        self.transport = Transport::WebSocket;
        self.outputs.push(Output::SwitchToCandidate);
        if self.phase == Phase::Closing {
            // E-090.
            self.close_link(now);
        } else {
            self.restart_heartbeat(now);
        }
    }
}
