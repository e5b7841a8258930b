//! Writing what is queued: at once by whoever queued it, or by the driver when the link was full.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye_proto::engine::{Input, Link as LinkName};

use super::answers::count_written;
use super::{Link, Session, State};
use crate::engine::io::{Stream, Writer, at_once};
use crate::engine::outbox::Outbox;

impl Session {
    /// Whether the driver should take something from the peer now: not while half of what may be
    /// queued for it is. A peer that asks faster than it reads the answers is slowed down, not
    /// disconnected. `false` has the driver woken when that has changed.
    pub(in crate::engine) fn takes_more(&self, state: &mut State) -> bool {
        state.paused = state.machine.is_open() && self.is_congested(state);
        !state.paused
    }

    /// Something was written, or thrown away.
    pub(super) fn resume(&self, state: &mut State) {
        if state.paused && !self.is_congested(state) {
            state.paused = false;
            self.driver().wake();
        }
        if state.outbox.is_empty() {
            state.wake_drained();
        }
    }

    /// Waits until nothing is queued for the peer any more: all of it was given to the system, or
    /// taken by a poll. Also ends when the session does.
    ///
    /// Cancel safety: dropped, it waits no longer.
    pub fn drained(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let session = Arc::clone(self);
        poll_fn(move |cx| {
            let mut state = session.lock();
            if state.outbox.is_empty() || state.is_released() {
                return Poll::Ready(());
            }
            state.await_drained(cx.waker());
            Poll::Pending
        })
    }

    fn is_congested(&self, state: &State) -> bool {
        state.outbox.bytes() > self.shared().options.max_buffered_bytes / 2
    }

    /// Writes as much as the link takes without waiting.
    pub(super) fn flush(self: &Arc<Self>, state: &mut State) {
        let State { link, outbox, blocked, .. } = state;
        if outbox.is_empty() || *blocked {
            return;
        }
        let queued = outbox.bytes();
        let result = match link {
            Link::Polling(_) => {
                self.handle(state, Input::Queued);
                return;
            }
            Link::WebSocket(Writer::Tcp(writer)) => {
                outbox.write_with(|slices| writer.try_write(slices))
            }
            Link::WebSocket(Writer::Driver) => return self.driver().wake(),
            Link::WebSocket(Writer::Shut) | Link::Gone => return outbox.clear(),
        };
        self.written(state, queued, result);
        if state.blocked {
            self.driver().wake();
        }
    }

    /// The driver's turn: writes until nothing is queued or `cx` will be woken.
    pub(in crate::engine) fn poll_flush(self: &Arc<Self>, cx: &mut Context<'_>) {
        let mut state = self.lock();
        let State { link, outbox, blocked, .. } = &mut *state;
        if !*blocked {
            return;
        }
        let Link::WebSocket(Writer::Tcp(writer)) = link else { return };
        let queued = outbox.bytes();
        let result = outbox.write_with(|slices| writer.write_or_register(cx, slices));
        state.blocked = false;
        self.written(&mut state, queued, result);
        self.unblocked(&mut state);
    }

    /// The same for a stream that only the driver can write to.
    pub(in crate::engine) fn poll_flush_foreign(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        stream: &mut dyn Stream,
    ) {
        let mut state = self.lock();
        let was_blocked = state.blocked;
        let State { link, candidate, outbox, .. } = &mut *state;
        if let Some(candidate) = candidate {
            // A failed write shows itself when the candidate is read.
            let _ = count_written(&self.shared().counters, &mut candidate.outbox, |outbox| {
                write_foreign(outbox, stream, cx)
            });
        }
        if let Link::WebSocket(Writer::Driver) = link {
            let queued = outbox.bytes();
            let result = write_foreign(outbox, stream, cx);
            state.blocked = false;
            self.written(&mut state, queued, result);
            if was_blocked {
                self.unblocked(&mut state);
            }
        }
        if matches!(state.link, Link::WebSocket(Writer::Shut)) {
            // Its end is awaited by reading.
            let _ = Pin::new(stream).poll_shutdown(cx);
        }
    }

    /// What became of an attempt to write, before which so many bytes were queued.
    fn written(self: &Arc<Self>, state: &mut State, queued: usize, result: io::Result<()>) {
        let left = state.outbox.bytes();
        if left < queued {
            state.progress = true;
            let packets = state.outbox.take_written_packets();
            self.shared().counters.sent(u64::from(packets), queued - left);
        }
        self.resume(state);
        match result {
            Ok(()) if state.closing => {
                // Dropping a TCP half ends the stream towards the peer.
                state.link = Link::WebSocket(Writer::Shut);
            }
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                state.blocked = true;
                self.handle(state, Input::WriteBlocked { progress: left < queued });
            }
            Err(_) => {
                state.outbox.clear();
                state.link = Link::WebSocket(Writer::Shut);
                self.handle(state, Input::LinkClosed { link: LinkName::Active });
            }
        }
    }
}

fn write_foreign(
    outbox: &mut Outbox,
    stream: &mut dyn Stream,
    cx: &mut Context<'_>,
) -> io::Result<()> {
    outbox.write_with(|slices| at_once(Pin::new(&mut *stream).poll_write_vectored(cx, slices)))?;
    at_once(Pin::new(stream).poll_flush(cx))
}
