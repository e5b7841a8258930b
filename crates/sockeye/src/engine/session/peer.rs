//! What the peer asks of the WebSocket itself.

use std::sync::Arc;

use sockeye_proto::engine::{Input, Link as LinkName};
use sockeye_proto::websocket::{CloseCode, Frame};

use super::{Link, Session, State};
use crate::engine::io::{Writer, linger};

impl Session {
    /// The peer took something after it had taken nothing more for a while. If that was all, it is not
    /// watched any longer.
    pub(super) fn unblocked(self: &Arc<Self>, state: &mut State) {
        if state.blocked {
            return;
        }
        self.handle(state, Input::WriteUnblocked);
        if let Some(data) = state.pong.take().filter(|_| !state.closing) {
            state.outbox.push(Frame::pong(&data));
            self.flush(state);
        }
    }

    /// Answers a ping, unless the peer does not read: then only the last one is answered, when it does
    /// (RFC 6455, section 5.5.3), and a flood of pings queues nothing.
    pub(in crate::engine) fn answer_ping(self: &Arc<Self>, link: LinkName, data: &[u8]) {
        let mut state = self.lock();
        match link {
            LinkName::Active if state.closing => {}
            LinkName::Active
                if state.blocked
                    || state.outbox.bytes() >= self.shared.options.max_buffered_bytes =>
            {
                state.pong = Some(data.into());
            }
            LinkName::Active => {
                state.outbox.push(Frame::pong(data));
                self.flush_or_hold(&mut state);
            }
            LinkName::Candidate => {
                if let Some(candidate) = &mut state.candidate
                    && candidate.outbox.is_empty()
                {
                    candidate.outbox.push(Frame::pong(data));
                    candidate.write(&self.shared.counters);
                    self.driver.wake();
                }
            }
        }
    }

    /// Answers a close frame with its own code; the link is gone then.
    pub(in crate::engine) fn answer_close(
        self: &Arc<Self>,
        link: LinkName,
        code: Option<CloseCode>,
    ) {
        let mut state = self.lock();
        let answer = Frame::close(code, "");
        match link {
            LinkName::Active if !state.closing => {
                state.outbox.push(answer);
                self.flush(&mut state);
            }
            LinkName::Active => {}
            LinkName::Candidate => {
                if let Some(mut candidate) = state.candidate.take() {
                    candidate.outbox.push(answer);
                    candidate.write(&self.shared.counters);
                    state.last_words = candidate.last_words();
                }
            }
        }
        self.handle(&mut state, Input::LinkClosed { link });
    }

    /// Offers a WebSocket that was opened for this session. `false` if the session does not want
    /// it (E-084); then it has been closed.
    pub(in crate::engine) fn offer(self: &Arc<Self>, candidate: super::Candidate) -> bool {
        let mut state = self.lock();
        let refused = !self.shared.options.allow_upgrades
            || self.handle(&mut state, Input::CandidateOpened).refused;
        let mut candidate = Box::new(candidate);
        candidate.write_head();
        if refused {
            candidate.outbox.push(Frame::close(None, ""));
            candidate.write(&self.shared.counters);
            if let Some((reader, _)) = candidate.reader.take() {
                tokio::spawn(linger(reader, candidate.last_words()));
            }
        } else {
            state.candidates += 1;
            state.candidate = Some(candidate);
            self.driver.wake();
        }
        !refused
    }
}

impl State {
    /// Forgets the candidate if that is the link that is gone.
    pub(in crate::engine) fn drop_candidate_if(&mut self, link: LinkName) {
        if link == LinkName::Candidate {
            self.candidate = None;
        }
    }

    /// Where the waiting GET's answer goes, while the session is on polling.
    pub(in crate::engine) fn poll_reply(&mut self) -> Option<&mut Option<super::PollReply>> {
        match &mut self.link {
            Link::Polling(reply) => Some(reply),
            Link::WebSocket(Writer::Tcp(_) | Writer::Driver | Writer::Shut) | Link::Gone => None,
        }
    }
}
