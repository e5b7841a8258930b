//! How a session ends: the application is told once and at once, the peer as far as it listens.

use std::time::Duration;

use super::{CloseDetail, CloseReason, Deadline, Output, Phase, PollAnswer, Session, Transport};
use crate::Moment;

/// How long a closed polling session waits for the GET that fetches its last packets (E-032).
const POLLING_GRACE: Duration = Duration::from_secs(30);

/// How long a closed WebSocket may take to send what is queued and to answer the close frame.
const WEBSOCKET_GRACE: Duration = Duration::from_secs(5);

/// The same for one that has answered no ping: most likely nobody is there.
const SILENT_GRACE: Duration = Duration::from_secs(1);

impl Session {
    /// The application ends the session; what is queued is still sent (E-062, E-092).
    pub(super) fn close(&mut self, now: Moment) {
        if self.phase != Phase::Open {
            return;
        }
        match self.transport {
            Transport::WebSocket => {
                self.end(now, CloseReason::ForcedClose, CloseDetail::None);
            }
            Transport::Polling(polling) if polling.poll_waits() => {
                self.end_at_once(CloseReason::ForcedClose, CloseDetail::None);
            }
            Transport::Polling(_) => {
                self.tell(CloseReason::ForcedClose, CloseDetail::None);
                self.deadlines.set(Deadline::CloseGrace, now.after(POLLING_GRACE));
            }
        }
    }

    /// Ends the session because of what the peer did or failed to do.
    pub(super) fn end(&mut self, now: Moment, reason: CloseReason, detail: CloseDetail) {
        match self.transport {
            Transport::Polling(_) => self.end_at_once(reason, detail),
            Transport::WebSocket if self.phase == Phase::Open => {
                self.tell(reason, detail);
                self.close_link(now);
                if reason == CloseReason::PingTimeout {
                    self.deadlines.set(Deadline::CloseGrace, now.after(SILENT_GRACE));
                }
            }
            Transport::WebSocket => {}
        }
    }

    /// Ends the session; there is nobody left to wait for.
    pub(super) fn end_at_once(&mut self, reason: CloseReason, detail: CloseDetail) {
        self.answer_poll(PollAnswer::Close);
        self.tell(reason, detail);
        self.release();
    }

    /// `1` over polling ends the session; over WebSocket it means nothing (E-060, E-080).
    pub(super) fn close_received(&mut self) {
        if let Transport::Polling(_) = self.transport {
            self.answer_poll(PollAnswer::Noop);
            self.end_at_once(CloseReason::TransportClose, CloseDetail::None);
        }
    }

    pub(super) fn link_closed(&mut self) {
        self.end_at_once(CloseReason::TransportClose, CloseDetail::None);
    }

    pub(super) fn link_failed(&mut self, now: Moment, detail: CloseDetail) {
        self.end(now, CloseReason::TransportError, detail);
    }

    pub(super) fn close_link(&mut self, now: Moment) {
        self.outputs.push(Output::CloseLink);
        self.deadlines.set(Deadline::CloseGrace, now.after(WEBSOCKET_GRACE));
    }

    pub(super) fn release(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.give_up_candidate();
        self.deadlines.clear_all();
        self.outputs.push(Output::Release);
    }

    fn tell(&mut self, reason: CloseReason, detail: CloseDetail) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
            self.deadlines.clear(Deadline::Ping);
            self.deadlines.clear(Deadline::Pong);
            self.deadlines.clear(Deadline::Write);
            self.detail = detail;
            self.outputs.push(Output::Ended(reason, ()));
        }
    }
}
