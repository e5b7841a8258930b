//! One session as its many users see it: a lock held for a moment, and a driver to wake.

mod answers;
mod flush;
mod peer;
mod state;
mod violations;

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use sockeye_proto::engine::{
    CloseDetail, Dialect, Input, Link as LinkName, Revision, Session as Machine, TransportName,
};
use sockeye_proto::websocket::Frame;

use super::cork;
use super::deflate::{self, PacketFrames};
use super::handshake::Handshake;
use super::id::Id;
use super::options::SlowReaders;
use super::server::Shared;
use super::wheel::Place;
pub(super) use answers::{PollAnswered, PollReply, Post, PostDone};
pub(super) use state::{Candidate, Link, State};

/// One Engine.IO session: a connection to a client, over whatever transport it has now.
///
/// Handles are shared and outlive the connection; what is sent after its end is refused.
#[repr(C)]
pub struct Session {
    // In this order the reference count and what sending needs are neighbours in memory, up to the
    // outbox: of thousands of sessions, a broadcast has less to fetch.
    shared: Arc<Shared>,
    dialect: Dialect,
    /// Whether the machine is no longer open; changed with the lock held.
    over: AtomicBool,
    state: Mutex<State>,
    id: Id,
    handshake: Handshake,
    place: Place,
    driver: AtomicWaker,
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The session is over.
    Closed,
    /// The peer reads so slowly that `max_buffered_bytes` were reached. The session has been
    /// closed with `transport error`, unless [`SlowReaders::Refuse`] was chosen.
    SlowReader,
    /// It was volatile, and the connection was not ready for it.
    NotWritable,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closed",
            Self::SlowReader => "the peer reads too slowly: max_buffered_bytes was reached",
            Self::NotWritable => "volatile, and the connection was not ready",
        })
    }
}

impl std::error::Error for SendError {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("address", &self.handshake.address())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(
        shared: Arc<Shared>,
        id: Id,
        dialect: Dialect,
        handshake: Handshake,
        machine: Machine,
        link: Link,
    ) -> Arc<Self> {
        let session = Arc::new(Self {
            shared,
            id,
            dialect,
            handshake,
            place: Place::default(),
            driver: AtomicWaker::new(),
            over: AtomicBool::new(false),
            state: Mutex::new(State::new(machine, link)),
        });
        session.reschedule(&mut session.lock());
        session
    }

    /// The session's id. Whoever knows it can take the session over: never show it to another
    /// client.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// What the first request said.
    #[must_use]
    pub const fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// The transport that carries the session now.
    #[must_use]
    pub fn transport(&self) -> TransportName {
        self.lock().machine.transport()
    }

    /// The revision of the protocol that the client speaks.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.dialect.revision()
    }

    /// Whether messages can still be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().machine.is_open()
    }

    /// The same, as it was just now: what is going on elsewhere may end it.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Bytes that are queued and not yet written.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.lock().outbox.bytes()
    }

    /// What a snapshot needs: the transport if it is open, and bytes that are queued.
    pub(super) fn gauge(&self) -> (Option<TransportName>, usize) {
        let state = self.lock();
        let transport = state.machine.is_open().then(|| state.machine.transport());
        (transport, state.outbox.bytes())
    }

    /// Whether so much can be sent at once without making a slow reader of the peer. The other half
    /// is for what is emitted before it could read that.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        self.buffered().saturating_add(bytes) <= self.shared.options.max_buffered_bytes / 2
    }

    /// Queues a text message, and writes it if the connection takes it now.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_text(self: &Arc<Self>, text: &str) -> Result<(), SendError> {
        self.send(Frame::from_parts(TEXT, &[b"4", text.as_bytes()]), Delivery::RELIABLE)
    }

    /// Queues a binary message, and writes it if the connection takes it now.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_binary(self: &Arc<Self>, data: &[u8]) -> Result<(), SendError> {
        self.send(Frame::binary(data), Delivery::RELIABLE)
    }

    /// Ends the session (`forced close`), after what is queued was sent.
    pub fn close(self: &Arc<Self>) {
        let mut state = self.lock();
        // What a cork holds back was sent before the end.
        self.flush(&mut state);
        self.handle(&mut state, Input::Close);
    }

    /// Ends the session because nobody serves it any more.
    pub(super) fn abandon(self: &Arc<Self>) {
        let mut state = self.lock();
        if !state.is_released() {
            self.handle(&mut state, Input::LinkClosed { link: LinkName::Active });
        }
    }

    /// Has the driver call [`Application::poll`](super::Application::poll) soon.
    pub fn wake(&self) {
        self.driver.wake();
    }

    /// Has the driver call [`Application::poll`](super::Application::poll) at `moment`, instead
    /// of any moment given before. It is kept to 5 ms.
    pub fn set_application_deadline(self: &Arc<Self>, moment: Option<sockeye_proto::Moment>) {
        let mut state = self.lock();
        state.application_deadline = moment.unwrap_or(state::NEVER);
        self.reschedule(&mut state);
    }

    /// Whether something may be on its way to the application already: the body of a POST, or what is
    /// not read because the peer does not read either.
    pub(crate) fn may_have_unread(&self) -> bool {
        let state = self.lock();
        state.post.is_some() || state.paused
    }

    /// The time of the session's server: milliseconds since it was made.
    #[must_use]
    pub fn now(&self) -> sockeye_proto::Moment {
        self.shared.clock.now()
    }

    /// Has the memory fetched that [`send`](Self::send) will need, by reading some of it without a lock.
    pub(crate) fn prefetch(self: &Arc<Self>) {
        black_box((Arc::strong_count(self), self.state.is_locked(), self.is_over()));
    }

    /// Queues the frames of one packet, with nothing between them.
    pub(crate) fn send(
        self: &Arc<Self>,
        packet: impl PacketFrames,
        delivery: Delivery,
    ) -> Result<(), SendError> {
        let mut state = self.lock();
        if self.is_over() {
            return Err(SendError::Closed);
        }
        if delivery.volatile && !state.is_writable() {
            return Err(SendError::NotWritable);
        }
        if state.outbox.bytes() > self.shared.options.max_buffered_bytes {
            self.make_room(&mut state)?;
        }
        self.queue(&mut state, packet, delivery);
        self.flush_or_hold(&mut state);
        Ok(())
    }

    fn queue(&self, state: &mut State, packet: impl PacketFrames, delivery: Delivery) {
        let State { outbox, deflate, .. } = state;
        if let Some(context) = deflate.as_deref_mut().filter(|_| delivery.compress)
            && let Some(settings) = &self.shared.options.per_message_deflate
        {
            return deflate::push(packet, &self.dialect, settings, context, outbox);
        }
        if delivery.compress {
            outbox.allow_compression();
        }
        packet.queue(&self.dialect, outbox);
    }

    /// Queues a packet that the peer has to get: one that reads too slowly for it is disconnected,
    /// whatever the policy for slow readers.
    pub(crate) fn send_or_close(self: &Arc<Self>, packet: impl PacketFrames) {
        if self.send(packet, Delivery::RELIABLE).is_err() {
            self.close();
        }
    }

    /// Sends what comes before everything else, in the session's dialect: the OPEN packet, and what is
    /// to come with it.
    pub(super) fn send_first(self: &Arc<Self>, frames: Vec<Frame>) {
        let mut state = self.lock();
        frames.into_iter().for_each(|frame| state.outbox.push(frame));
        self.flush(&mut state);
    }

    /// Writes what was held back by a cork.
    pub(super) fn uncork(self: &Arc<Self>) {
        let mut state = self.lock();
        state.corked = false;
        self.flush(&mut state);
    }

    /// The wheel's slot of this session has come up.
    pub(super) fn deadline_due(self: &Arc<Self>, stood_still: bool) {
        let now = self.now();
        let mut state = self.lock();
        state.scheduled = state::NEVER;
        if state.application_deadline <= now {
            state.application_deadline = state::NEVER;
            self.driver.wake();
        }
        if state.machine.deadline().is_some_and(|deadline| deadline <= now) {
            if state.take_excuse() || stood_still {
                self.handle(&mut state, Input::Unread);
            }
            self.handle(&mut state, Input::DeadlinePassed);
        }
        self.reschedule(&mut state);
    }

    /// How its packets are written.
    pub(super) const fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    pub(super) const fn key(&self) -> &Id {
        &self.id
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    pub(super) const fn driver(&self) -> &AtomicWaker {
        &self.driver
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Writes now, or when the work is done during which this thread holds back.
    fn flush_or_hold(self: &Arc<Self>, state: &mut State) {
        if state.corked {
            return;
        }
        state.corked = cork::hold(self);
        if !state.corked {
            self.flush(state);
        }
    }

    fn make_room(self: &Arc<Self>, state: &mut State) -> Result<(), SendError> {
        self.flush(state);
        if state.outbox.bytes() <= self.shared.options.max_buffered_bytes {
            return Ok(());
        }
        if self.shared.options.slow_readers == SlowReaders::Refuse {
            return Err(SendError::SlowReader);
        }
        state.outbox.clear_unstarted();
        let detail = CloseDetail::SlowReader;
        self.handle(state, Input::LinkFailed { link: LinkName::Active, detail });
        Err(SendError::SlowReader)
    }

    fn reschedule(self: &Arc<Self>, state: &mut State) {
        let Some(next) = state.next_deadline() else { return };
        if next < state.scheduled && !state.is_released() {
            state.scheduled = next;
            self.shared.wheel.schedule(self, next);
        }
    }
}

const TEXT: sockeye_proto::websocket::Opcode = sockeye_proto::websocket::Opcode::Text;

/// How a packet is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// It is dropped if the connection is not ready for it (S-055); else it is queued.
    pub(crate) volatile: bool,
    /// It may be compressed, where that is enabled (E-049).
    pub(crate) compress: bool,
}

impl Delivery {
    /// As packets are sent if nobody says otherwise.
    pub(crate) const RELIABLE: Self = Self { volatile: false, compress: true };
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::engine::outbox::Outbox;

    /// Two counts stand before it where it is shared.
    const COUNTS: usize = 2 * size_of::<usize>();

    #[test]
    fn what_sending_needs_lies_in_three_cache_lines() {
        let lock = size_of::<Mutex<State>>() - size_of::<State>();
        let end = COUNTS
            + offset_of!(Session, state)
            + lock
            + offset_of!(State, outbox)
            + size_of::<Outbox>();
        assert!(end <= 3 * 64, "{end} bytes");
    }

    /// One more, and the allocator takes 640.
    #[test]
    fn a_session_takes_512_bytes() {
        let size = COUNTS + size_of::<Session>();
        assert!(size <= 512, "{size} bytes");
    }
}
