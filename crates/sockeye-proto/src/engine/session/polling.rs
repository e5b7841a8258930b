//! The rules of GET and POST (section 1.5): one of each at a time.

use super::{CloseDetail, CloseReason, Output, Phase, PollAnswer, Session, Transport};
use crate::Moment;

/// What is going on over HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Polling {
    poll: bool,
    post: bool,
    overlap: Option<Overlap>,
}

/// A request that came while another of its kind was going on.
#[derive(Clone, Copy, Debug)]
enum Overlap {
    Poll,
    Post,
}

impl Polling {
    /// Whether a GET waits for its answer.
    pub(super) const fn poll_waits(self) -> bool {
        self.poll
    }
}

impl Session {
    pub(super) fn poll_arrived(&mut self, queued: bool) {
        let phase = self.phase;
        let Transport::Polling(polling) = &mut self.transport else {
            return self.outputs.push(Output::RefusePoll);
        };
        if polling.poll || phase == Phase::Closed {
            polling.overlap = Some(Overlap::Poll);
            return self.outputs.push(Output::RefusePoll);
        }
        polling.poll = true;
        if queued {
            self.answer_poll(PollAnswer::Queued);
        } else if phase == Phase::Closing {
            self.answer_poll(PollAnswer::NoopAndClose);
            self.release();
        }
    }

    pub(super) fn queued(&mut self) {
        if self.phase == Phase::Open {
            self.answer_poll(PollAnswer::Queued);
        }
    }

    pub(super) fn post_arrived(&mut self) {
        let Transport::Polling(polling) = &mut self.transport else {
            return self.outputs.push(Output::RefusePost);
        };
        if polling.post || self.phase == Phase::Closed {
            polling.overlap = Some(Overlap::Post);
            return self.outputs.push(Output::RefusePost);
        }
        polling.post = true;
    }

    pub(super) const fn post_done(&mut self) {
        if let Transport::Polling(polling) = &mut self.transport {
            polling.post = false;
        }
    }

    pub(super) fn post_unreadable(&mut self) {
        self.outputs.push(Output::RefusePost);
        if let Transport::Polling(_) = self.transport {
            self.end_at_once(CloseReason::TransportError, CloseDetail::InvalidContent);
        }
    }

    /// What is left of HTTP after an upgrade can fail as it likes.
    pub(super) fn post_aborted(&mut self) {
        if let Transport::Polling(polling) = &mut self.transport
            && std::mem::take(&mut polling.post)
        {
            self.end_at_once(CloseReason::TransportError, CloseDetail::PostAborted);
        }
    }

    /// Also after it was answered: what the answer held has not reached the client then.
    pub(super) fn poll_aborted(&mut self) {
        if let Transport::Polling(polling) = &mut self.transport {
            polling.poll = false;
            self.end_at_once(CloseReason::TransportError, CloseDetail::PollAborted);
        }
    }

    /// Ends the session after an overlap: the request that came second is refused first, the one
    /// that waited gets the close packet (E-051).
    pub(super) fn finish_overlap(&mut self, now: Moment) {
        if let Transport::Polling(polling) = &mut self.transport
            && let Some(overlap) = polling.overlap.take()
        {
            let detail = match overlap {
                Overlap::Poll => CloseDetail::OverlappingPoll,
                Overlap::Post => CloseDetail::OverlappingPost,
            };
            self.end(now, CloseReason::TransportError, detail);
        }
    }

    /// Answers the waiting GET, if there is one.
    pub(super) fn answer_poll(&mut self, answer: PollAnswer) {
        if let Transport::Polling(polling) = &mut self.transport
            && std::mem::take(&mut polling.poll)
        {
            self.outputs.push(Output::AnswerPoll(answer));
        }
    }
}
