//! The one timer of a connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sockeye_proto::engine::ClientInput;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{ClientApplication, Connection};

/// No timer runs longer: who waits longer waits again.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// A timer that is due so much too late is late enough to be set anew.
const TOLERANCE: Duration = Duration::from_millis(2);

/// Wakes its task at a moment or before: each ping moves the deadline, and the timer follows only when
/// it has run out.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Has the task woken at this moment at the latest. `true` if it was meant to be by now.
    fn wait(&mut self, cx: &mut Context<'_>, at: Instant) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at + TOLERANCE {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx) == Poll::Ready(()) {
            if sleep.deadline() >= at {
                return true;
            }
            sleep.as_mut().reset(at);
        }
        false
    }
}

impl Connection {
    /// Whether a deadline has passed.
    pub(super) fn look_at_the_clock<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        let Some(deadline) = self.outgoing.session().deadline() else {
            self.timer = Timer::default();
            return false;
        };
        let now = self.outgoing.clock().now();
        if now < deadline {
            let at = now.after(deadline.since(now).min(LONGEST));
            return self.timer.wait(cx, self.outgoing.clock().instant(at));
        }
        if self.outgoing.busy {
            self.handle(cx, application, ClientInput::Unread);
        }
        self.handle(cx, application, ClientInput::DeadlinePassed);
        true
    }
}
