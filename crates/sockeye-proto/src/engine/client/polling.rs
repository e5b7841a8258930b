//! One GET and one POST at a time, and the next GET right after the last one (C-019).

use super::{ClientOutput, ClientSession, CloseReason, Phase, Transport};

/// What is on its way over HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Polling {
    pub(super) poll: bool,
    pub(super) post: bool,
}

impl ClientSession {
    pub(super) fn poll_done(&mut self) {
        let was_polling = self.take(|polling| &mut polling.poll);
        if was_polling && !self.is_opened() {
            // The answer to the handshake has no OPEN.
            self.end(CloseReason::TransportError);
        }
    }

    /// After the goodbye a server ends the GET as it likes.
    pub(super) fn poll_failed(&mut self) {
        if self.take(|polling| &mut polling.poll) && self.phase != Phase::Closing {
            self.end(CloseReason::TransportError);
        }
    }

    pub(super) fn post_done(&mut self, queued: bool) {
        if self.take(|polling| &mut polling.post) {
            self.queued = queued;
            if self.phase == Phase::Closing {
                self.end(CloseReason::ForcedClose);
            }
        }
    }

    pub(super) fn post_failed(&mut self) {
        if self.take(|polling| &mut polling.post) {
            self.end(CloseReason::TransportError);
        }
    }

    /// Starts what the rules allow.
    pub(super) fn go_on_polling(&mut self, mut polling: Polling) {
        if self.is_switching() {
            return;
        }
        if self.is_flowing() && !polling.post {
            polling.post = self.post();
        }
        let is_over = matches!(self.phase, Phase::Closing | Phase::Ended);
        if !is_over && !polling.poll {
            polling.poll = true;
            self.outputs.push(ClientOutput::Poll);
        }
        self.transport = Transport::Polling(polling);
    }

    /// Starts a POST if there is something to send.
    fn post(&mut self) -> bool {
        if std::mem::take(&mut self.queued) {
            self.outputs.push(ClientOutput::Post);
            return true;
        }
        if self.phase == Phase::Draining {
            self.say_goodbye(ClientOutput::PostClose);
            return true;
        }
        false
    }

    /// Whether this request was on its way. After an upgrade none is.
    fn take(&mut self, request: impl FnOnce(&mut Polling) -> &mut bool) -> bool {
        match &mut self.transport {
            Transport::Polling(polling) => std::mem::take(request(polling)),
            Transport::WebSocket { .. } => false,
        }
    }
}
