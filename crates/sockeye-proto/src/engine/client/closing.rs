//! How a session ends. Who closes it says goodbye and waits for a while; who has lost it has nothing
//! to wait for.

use super::upgrade::Candidate;
use super::{ClientOutput, ClientSession, CloseReason, Deadline, Phase, Transport};
use crate::Moment;

impl ClientSession {
    /// The application ends the session: after what is queued, and after an upgrade that is nearly
    /// done (C-026). Over polling also after OPEN, as the reference does, so that no server waits
    /// for a client that never comes.
    pub(super) fn close(&mut self, now: Moment) {
        match (self.phase, self.transport) {
            (Phase::Opening, Transport::WebSocket { .. }) => {
                self.end_at_once(CloseReason::ForcedClose);
            }
            (Phase::Opening | Phase::Open, _) => {
                self.phase = Phase::Draining;
                self.deadlines.set(Deadline::Close, now.after(self.timing.close_timeout));
                if !self.is_switching() {
                    self.drop_candidate();
                }
            }
            (Phase::Draining | Phase::Closing | Phase::Ended, _) => {}
        }
    }

    /// All is sent; the goodbye is the last thing that is.
    pub(super) fn say_goodbye(&mut self, goodbye: ClientOutput) {
        self.phase = Phase::Closing;
        self.deadlines.clear(Deadline::Ping);
        self.outputs.push(goodbye);
    }

    /// Ends the session. If there is a WebSocket, its peer is told.
    pub(super) fn end(&mut self, reason: CloseReason) {
        let is_websocket = matches!(self.transport, Transport::WebSocket { .. });
        if is_websocket && self.phase != Phase::Closing {
            self.outputs.push(ClientOutput::CloseLink);
        }
        self.end_at_once(reason);
    }

    /// Ends the session. After the goodbye it does not matter how.
    pub(super) fn end_at_once(&mut self, reason: CloseReason) {
        let reason = match self.phase {
            Phase::Closing => CloseReason::ForcedClose,
            _ => reason,
        };
        self.phase = Phase::Ended;
        self.candidate = Candidate::None;
        self.deadlines.clear_all();
        self.outputs.push(ClientOutput::Ended(reason));
    }
}
