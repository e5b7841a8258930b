use std::task::Waker;

use sockeye_proto::Moment;
use sockeye_proto::engine::{CloseDetail, CloseReason, Link as LinkName, Session as Machine};
use sockeye_proto::websocket::{CloseCode, DeflateAgreement, DeflateContext};

use super::{PollReply, Post};
use crate::engine::io::{Reader, Writer};
use crate::engine::outbox::Outbox;

pub(super) const NEVER: Moment = Moment::from_millis(u64::MAX);

/// What changes in a session. Whoever holds the lock may read and change it, and never waits.
#[repr(C)]
pub(in crate::engine) struct State {
    // First what sending needs: see `Session`.
    /// A cork holds back what is queued.
    pub(super) corked: bool,
    /// The kernel takes no more; the driver waits until it does.
    pub(in crate::engine) blocked: bool,
    /// So much is queued that the driver takes nothing more from the peer until some of it is
    /// written.
    pub(super) paused: bool,
    /// The application can take nothing more now, so the driver does not read.
    pub(in crate::engine) busy: bool,
    /// Something was written since the driver paused.
    pub(super) progress: bool,
    /// The close frame is queued: when it is written, writing is over.
    pub(in crate::engine) closing: bool,
    pub(in crate::engine) outbox: Outbox,
    /// For the messages on a WebSocket where compression was agreed on.
    pub(in crate::engine) deflate: Option<Box<DeflateContext>>,
    pub(in crate::engine) link: Link,
    pub(in crate::engine) machine: Machine,
    /// Who waits until nothing is queued: hardly ever anybody.
    #[expect(clippy::box_collection, reason = "every session has one, and hardly any uses it")]
    drained: Option<Box<Vec<Waker>>>,
    /// When the wheel will look.
    pub(super) scheduled: Moment,
    pub(super) application_deadline: Moment,
    pub(in crate::engine) candidate: Option<Box<Candidate>>,
    /// A POST that is going on.
    pub(in crate::engine) post: Option<Box<Post>>,
    /// What a stream that only the driver can write to is still to be sent when it is let go.
    pub(in crate::engine) last_words: Option<Box<Outbox>>,
    /// The answer to the last ping that came while the kernel took nothing.
    pub(super) pong: Option<Box<[u8]>>,
    /// Why the session ended, until the application is told.
    pub(super) ended: Option<Box<(CloseReason, CloseDetail)>>,
    /// What the close frame is to say.
    pub(super) close_code: Option<CloseCode>,
    /// Counts candidates, so that one is never taken for another.
    pub(in crate::engine) candidates: u32,
}

/// What carries the session.
pub(in crate::engine) enum Link {
    /// GETs and POSTs; a GET that waits, if there is one.
    Polling(Option<PollReply>),
    /// A WebSocket.
    WebSocket(Writer),
    /// Nothing any more.
    Gone,
}

/// A WebSocket that may take over.
pub(in crate::engine) struct Candidate {
    /// The driver's end, until the driver has taken it, with bytes that came early.
    pub(in crate::engine) reader: Option<(Reader, Vec<u8>)>,
    pub(in crate::engine) writer: Writer,
    pub(in crate::engine) outbox: Outbox,
    pub(in crate::engine) deflate: Option<DeflateAgreement>,
}

impl Candidate {
    /// The driver's end with bytes that came early, and what to know to read from it; once.
    pub(in crate::engine) fn take_reader(
        &mut self,
    ) -> Option<(Reader, Vec<u8>, Option<DeflateAgreement>)> {
        self.reader.take().map(|(reader, early)| (reader, early, self.deflate))
    }
}

impl State {
    pub(super) const fn new(machine: Machine, link: Link) -> Self {
        Self {
            machine,
            outbox: Outbox::new(),
            link,
            deflate: None,
            candidate: None,
            post: None,
            ended: None,
            close_code: None,
            application_deadline: NEVER,
            scheduled: NEVER,
            corked: false,
            blocked: false,
            paused: false,
            busy: false,
            drained: None,
            progress: false,
            last_words: None,
            candidates: 0,
            pong: None,
            closing: false,
        }
    }

    /// Whether a packet would go out now: what volatile packets need (E-072, S-055).
    pub(super) fn is_writable(&self) -> bool {
        !self.blocked && self.machine.is_writable()
    }

    /// Whether the session is over and forgotten.
    pub(in crate::engine) const fn is_released(&self) -> bool {
        matches!(self.link, Link::Gone)
    }

    /// The end, if the application has not been told yet.
    pub(in crate::engine) fn take_end(&mut self) -> Option<(CloseReason, CloseDetail)> {
        self.ended.take().map(|end| *end)
    }

    /// Whether the WebSocket that was this link, and the `serial`th candidate, still matters.
    pub(in crate::engine) const fn reads(&self, link: LinkName, serial: u32) -> bool {
        match (&self.link, link) {
            (Link::WebSocket(_), LinkName::Active) => true,
            (Link::Polling(_), LinkName::Candidate) => {
                self.candidate.is_some() && self.candidates == serial
            }
            _ => false,
        }
    }

    /// Whether the driver has not read for a reason that is not the peer's: the application was
    /// busy, or the peer is reading what is queued.
    pub(super) const fn take_excuse(&mut self) -> bool {
        let reading = self.paused && self.progress;
        self.progress = false;
        self.busy || reading
    }

    /// Has this woken when nothing is queued any more, or the session is over.
    pub(super) fn await_drained(&mut self, waker: &Waker) {
        let waiting = self.drained.get_or_insert_default();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    pub(super) fn wake_drained(&mut self) {
        if let Some(waiting) = self.drained.take() {
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Leaves the body of a POST for the driver. Once the session is over it is dropped, and with it
    /// the sender on which its request waits.
    pub(in crate::engine) fn leave_post(&mut self, post: Post) {
        if !self.is_released() {
            self.post = Some(Box::new(post));
        }
    }

    /// The body of a POST, if it is there.
    pub(in crate::engine) fn take_post(&mut self) -> Option<Post> {
        match self.post.as_deref()? {
            Post::Arriving(_) => None,
            Post::Arrived { .. } => self.post.take().map(|post| *post),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        let next = self.machine.deadline().unwrap_or(NEVER).min(self.application_deadline);
        (next != NEVER).then_some(next)
    }
}
