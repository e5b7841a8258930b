//! Carrying out what the machine says.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use bytes::Bytes;
use sockeye_proto::Moment;
use sockeye_proto::engine::{Control, Input, Output, PollAnswer, PollBody};
use sockeye_proto::websocket::Frame;
use tokio::sync::oneshot;

use super::{Candidate, Link, Session, State};
use crate::engine::bodies::BodyShare;
use crate::engine::counters::{Count, EngineCounters};
use crate::engine::deflate;
use crate::engine::io::Writer;
use crate::engine::outbox::Outbox;

/// Where the body goes that answers a waiting GET.
pub(in crate::engine) type PollReply = oneshot::Sender<PollAnswered>;

/// What answers it.
#[derive(Debug)]
pub(in crate::engine) struct PollAnswered {
    pub(in crate::engine) body: PollBody,
    /// Whether it may be compressed: one of its packets may be (E-049).
    pub(in crate::engine) compressible: bool,
}

/// A POST, while it is going on.
#[derive(Debug)]
pub(in crate::engine) enum Post {
    /// Its body is arriving; whoever reads it is woken when the session is over.
    Arriving(Waker),
    /// The driver has to work through the body, and then say so. `octets`: it came as
    /// `application/octet-stream`.
    Arrived { body: Bytes, octets: bool, done: PostDone },
}

/// Whom to tell that the packets of a POST are handled, and room for others then.
#[derive(Debug)]
pub(in crate::engine) struct PostDone {
    pub(in crate::engine) done: oneshot::Sender<()>,
    #[expect(dead_code, reason = "it gives room back when it is dropped")]
    pub(in crate::engine) share: BodyShare,
}

impl PostDone {
    /// Tells it. The request may have been given up.
    pub(in crate::engine) fn tell(self) {
        let _ = self.done.send(());
    }
}

/// What the caller of `handle` has to do itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Verdict {
    /// The request or WebSocket that was reported is refused.
    pub(in crate::engine) refused: bool,
}

impl Session {
    /// Feeds the machine and does what it says.
    pub(in crate::engine) fn handle(self: &Arc<Self>, state: &mut State, input: Input) -> Verdict {
        self.handle_at(self.now(), state, input)
    }

    /// The same for who knows what time it is.
    pub(in crate::engine) fn handle_at(
        self: &Arc<Self>,
        now: Moment,
        state: &mut State,
        input: Input,
    ) -> Verdict {
        state.machine.handle(now, input);
        if !state.machine.is_open() {
            self.over.store(true, Ordering::Release);
        }
        let mut verdict = Verdict::default();
        while let Some(output) = state.machine.poll() {
            match output {
                Output::RefusePoll | Output::RefusePost | Output::RefuseCandidate => {
                    verdict.refused = true;
                }
                other => self.carry_out(state, other),
            }
        }
        self.reschedule(state);
        verdict
    }

    fn carry_out(self: &Arc<Self>, state: &mut State, output: Output) {
        match output {
            Output::Send(control) => self.send_control(state, control),
            Output::AnswerPoll(answer) => {
                self.answer_poll(state, answer);
                self.resume(state);
            }
            Output::AnswerProbe => self.answer_probe(state),
            Output::CloseCandidate => self.close_candidate(state),
            Output::SwitchToCandidate => self.switch(state),
            Output::CloseLink => self.close_link(state),
            Output::Ended(reason, detail) => {
                state.ended = Some(Box::new((reason, detail)));
                self.shared().counters.ended(reason, detail);
                self.driver().wake();
            }
            Output::Release => self.release(state),
            // Refusals are the caller's, and messages are asked about by `takes_message`.
            Output::Deliver | Output::RefusePoll | Output::RefusePost | Output::RefuseCandidate => {
            }
        }
    }

    fn answer_poll(&self, state: &mut State, answer: PollAnswer) {
        let Link::Polling(waiting) = &mut state.link else { return };
        let Some(reply) = waiting.take() else { return };
        let dialect = &self.dialect;
        let binary = dialect.takes_octets() && state.outbox.has_binary();
        let mut payload = dialect.encoder(binary && answer == PollAnswer::Queued);
        let compressible = state.outbox.is_compressible() && answer == PollAnswer::Queued;
        let control: &[&[u8]] = match answer {
            PollAnswer::Queued => &[],
            PollAnswer::Noop => &[b"6"],
            PollAnswer::Close => &[b"1"],
            PollAnswer::NoopAndClose => &[b"6", b"1"],
        };
        let mut packets = control.len();
        if answer == PollAnswer::Queued {
            packets += state.outbox.drain_into(&mut payload);
        }
        control.iter().for_each(|packet| payload.push_text(packet));
        let body = dialect.finish(payload);
        self.shared().counters.sent(packets as u64, body.bytes.len());
        // Who no longer listens has said so: the guard of the request reports it.
        let _ = reply.send(PollAnswered { body, compressible });
    }

    fn send_control(self: &Arc<Self>, state: &mut State, control: Control) {
        let frames = &self.shared().control_frames;
        state.outbox.push(match control {
            Control::Ping => frames.ping.clone(),
            Control::Pong => frames.pong.clone(),
        });
        self.flush_or_hold(state);
    }

    fn answer_probe(&self, state: &mut State) {
        // One answer that waits is enough for any number of probes.
        if let Some(candidate) = &mut state.candidate
            && candidate.outbox.is_empty()
        {
            candidate.outbox.push(self.shared().control_frames.probe.clone());
            candidate.write(&self.shared().counters);
            self.driver().wake();
        }
    }

    /// The driver finds its candidate gone, and drops its own end.
    fn close_candidate(&self, state: &mut State) {
        if let Some(mut candidate) = state.candidate.take() {
            let code = state.close_code.take();
            candidate.outbox.push(Frame::close(code, ""));
            candidate.write(&self.shared().counters);
            state.last_words = candidate.last_words();
            self.driver().wake();
        }
    }

    fn switch(self: &Arc<Self>, state: &mut State) {
        let Some(candidate) = state.candidate.take() else { return };
        let queued = std::mem::replace(&mut state.outbox, candidate.outbox);
        state.outbox.append(queued);
        state.link = Link::WebSocket(candidate.writer);
        // What was queued for a poll goes out plain.
        state.deflate = deflate::context(candidate.deflate.as_ref());
        self.shared().counters.add(Count::Upgrades, 1);
        self.flush_or_hold(state);
    }

    fn close_link(self: &Arc<Self>, state: &mut State) {
        let code = state.close_code.take();
        state.outbox.push(Frame::close(code, ""));
        state.closing = true;
        self.flush(state);
        self.driver().wake();
    }

    fn release(self: &Arc<Self>, state: &mut State) {
        self.flush(state);
        let queued = std::mem::take(&mut state.outbox);
        let link = std::mem::replace(&mut state.link, Link::Gone);
        match link {
            Link::WebSocket(Writer::Driver) => state.last_words = Some(Box::new(queued)),
            Link::WebSocket(Writer::Tcp(writer)) => writer.forget(),
            Link::WebSocket(Writer::Shut) | Link::Polling(_) | Link::Gone => {}
        }
        state.candidate = None;
        state.wake_drained();
        state.deflate = None;
        if let Some(Post::Arriving(reader)) = state.post.take().map(|post| *post) {
            reader.wake();
        }
        self.shared().forget(self);
        self.driver().wake();
    }
}

impl Candidate {
    /// What the driver has to write when it lets go of the candidate.
    pub(super) fn last_words(self) -> Option<Box<Outbox>> {
        match self.writer {
            Writer::Driver => Some(Box::new(self.outbox)),
            Writer::Tcp(_) | Writer::Shut => None,
        }
    }

    /// The client waits for the 101 before it probes.
    pub(super) fn write_head(&mut self) {
        if let Writer::Tcp(writer) = &mut self.writer {
            writer.write_head();
        }
    }

    pub(super) fn write(&mut self, counters: &EngineCounters) {
        if let Writer::Tcp(writer) = &mut self.writer {
            // What a fresh socket does not take at once, it will not take at all: the candidate
            // then fails, and the session goes on without it.
            let _ = count_written(counters, &mut self.outbox, |outbox| {
                outbox.write_with(|slices| writer.try_write(slices))
            });
        }
    }
}

/// Counts what `write` writes.
pub(super) fn count_written<R>(
    counters: &EngineCounters,
    outbox: &mut Outbox,
    write: impl FnOnce(&mut Outbox) -> R,
) -> R {
    let queued = outbox.bytes();
    let result = write(outbox);
    let packets = outbox.take_written_packets();
    counters.sent(u64::from(packets), queued - outbox.bytes());
    result
}
