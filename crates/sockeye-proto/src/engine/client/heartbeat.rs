//! The server pings, and only its pings count as signs of life (C-023).

use super::{ClientOutput, ClientSession, Deadline};
use crate::Moment;

impl ClientSession {
    pub(super) fn ping_received(&mut self, now: Moment) {
        self.outputs.push(ClientOutput::SendPong);
        self.queued = true;
        self.await_ping(now);
    }

    /// Before OPEN nobody knows when the server pings.
    pub(super) fn await_ping(&mut self, now: Moment) {
        if let Some(patience) = self.patience {
            self.deadlines.set(Deadline::Ping, now.after(patience));
        }
    }

    /// What was not read cannot be late. However long that lasts: the one who is kept waiting is the
    /// application that does not read.
    pub(super) fn excuse_ping(&mut self, now: Moment) {
        if self.is_flowing() {
            self.await_ping(now);
        }
    }
}
