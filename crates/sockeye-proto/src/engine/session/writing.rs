//! A peer that takes nothing. That its pongs come does not show that it reads.

use super::{CloseDetail, CloseReason, Deadline, Phase, Session, Transport};
use crate::Moment;

impl Session {
    pub(super) fn write_blocked(&mut self, now: Moment, progress: bool) {
        let carries = matches!(self.transport, Transport::WebSocket) && self.phase == Phase::Open;
        if carries && (progress || !self.deadlines.is_set(Deadline::Write)) {
            self.deadlines.set(Deadline::Write, now.after(self.timing.write_timeout));
        }
    }

    /// A close frame would not be taken either, so there is nothing to wait for.
    pub(super) fn write_stalled(&mut self) {
        self.end_at_once(CloseReason::TransportError, CloseDetail::WriteStalled);
    }
}
