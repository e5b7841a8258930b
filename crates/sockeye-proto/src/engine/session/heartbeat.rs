//! Who pings whom, and how long an answer may take (E-076 to E-083).

use super::{CloseDetail, CloseReason, Control, Deadline, Output, Session};
use crate::Moment;
use crate::engine::Revision;

/// So many times in a row a pong may be late because the driver does not read.
const MOST_EXCUSED: u8 = 10;

impl Session {
    pub(super) fn start_heartbeat(&mut self, now: Moment) {
        match self.revision {
            Revision::Four => self.schedule_ping(now),
            Revision::Three => self.await_client_ping(now),
        }
    }

    pub(super) fn send_ping(&mut self, now: Moment) {
        self.outputs.push(Output::Send(Control::Ping));
        self.pong_refreshed = false;
        self.deadlines.set(Deadline::Pong, now.after(self.timing.ping_timeout));
    }

    /// The interval counts from the pong, so a slow peer is not pinged more often (E-076).
    pub(super) fn pong_received(&mut self, now: Moment) {
        match self.revision {
            Revision::Four => {
                self.deadlines.clear(Deadline::Pong);
                self.pongs_excused = 0;
                self.schedule_ping(now);
            }
            Revision::Three => self.wrong_direction(now),
        }
    }

    pub(super) fn ping_received(&mut self, now: Moment) {
        match self.revision {
            Revision::Three => {
                self.outputs.push(Output::Send(Control::Pong));
                self.pongs_excused = 0;
                self.await_client_ping(now);
            }
            Revision::Four => self.wrong_direction(now),
        }
    }

    /// Any packet shows that the peer lives, but postpones a time-out only once for each ping
    /// (E-077): a peer that talks and never answers is ended all the same.
    pub(super) fn refresh_pong(&mut self, now: Moment) {
        let waiting = self.revision == Revision::Four && self.deadlines.is_set(Deadline::Pong);
        if waiting && !self.pong_refreshed {
            self.pong_refreshed = true;
            self.deadlines.set(Deadline::Pong, now.after(self.timing.ping_timeout));
        }
    }

    /// What was not read cannot be late; but a driver that never reads again must not keep a peer
    /// for ever that may be gone.
    pub(super) fn excuse_pong(&mut self, now: Moment) {
        if self.deadlines.is_set(Deadline::Pong) && self.pongs_excused < MOST_EXCUSED {
            self.pongs_excused += 1;
            self.deadlines.set(Deadline::Pong, now.after(self.timing.ping_timeout));
        }
    }

    /// A pong that was lost with the old link must not end the session (E-083).
    pub(super) fn restart_heartbeat(&mut self, now: Moment) {
        if self.deadlines.is_set(Deadline::Pong) {
            self.deadlines.clear(Deadline::Pong);
            self.start_heartbeat(now);
        }
    }

    fn schedule_ping(&mut self, now: Moment) {
        self.deadlines.set(Deadline::Ping, now.after(self.timing.ping_interval));
    }

    fn await_client_ping(&mut self, now: Moment) {
        let patience = self.timing.ping_interval + self.timing.ping_timeout;
        self.deadlines.set(Deadline::Pong, now.after(patience));
    }

    fn wrong_direction(&mut self, now: Moment) {
        self.end(now, CloseReason::TransportError, CloseDetail::HeartbeatDirection);
    }
}
