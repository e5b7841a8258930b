//! Whether the server's ping is late, for whoever emits: before the task has found out (C-024).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sockeye_proto::Moment;

use crate::engine::system_milliseconds;

/// Until when the server's next ping must be there. While the machine sleeps, the program's clock may
/// stand still, so there are two.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// By the manager's clock.
    deadline: AtomicU64,
    /// By the system's clock.
    system_deadline: AtomicU64,
    /// The deadline that somebody has seen passed.
    missed: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Default for Heartbeat {
    fn default() -> Self {
        let never = || AtomicU64::new(NEVER);
        Self { deadline: never(), system_deadline: never(), missed: never() }
    }
}

impl Heartbeat {
    /// The ping must be there within this time; or none is awaited.
    pub(super) fn await_ping(&self, now: Moment, left: Option<Duration>) {
        let system = |left: Duration| {
            let left = u64::try_from(left.as_millis()).unwrap_or(NEVER);
            system_milliseconds().saturating_add(left)
        };
        self.system_deadline.store(left.map_or(NEVER, system), Ordering::Relaxed);
        let deadline = left.map_or(NEVER, |left| now.after(left).as_millis());
        self.deadline.store(deadline, Ordering::Relaxed);
    }

    /// Whether the ping is late. If so, [`take_missed`](Self::take_missed) says it too.
    pub(super) fn is_late(&self, now: Moment) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        if deadline == NEVER {
            return false;
        }
        let system_deadline = self.system_deadline.load(Ordering::Relaxed);
        let is_late = now.as_millis() >= deadline || system_milliseconds() > system_deadline;
        if is_late {
            self.missed.store(deadline, Ordering::Relaxed);
        }
        is_late
    }

    /// Whether somebody has seen that the ping is late that is awaited now.
    pub(super) fn take_missed(&self) -> bool {
        let missed = self.missed.load(Ordering::Relaxed);
        if missed == NEVER {
            return false;
        }
        self.missed.store(NEVER, Ordering::Relaxed);
        missed == self.deadline.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(100);

    #[test]
    fn c_024_a_ping_is_late_after_its_time_by_either_clock() {
        let heartbeat = Heartbeat::default();
        assert!(!heartbeat.is_late(NOW), "none is awaited");
        heartbeat.await_ping(NOW, Some(Duration::from_secs(45)));
        assert!(!heartbeat.is_late(NOW) && !heartbeat.take_missed());
        assert!(heartbeat.is_late(Moment::from_millis(45_100)));
        assert!(heartbeat.take_missed() && !heartbeat.take_missed());
        // The machine has slept.
        heartbeat.system_deadline.store(system_milliseconds() - 1, Ordering::Relaxed);
        assert!(heartbeat.is_late(NOW) && heartbeat.take_missed());
    }

    #[test]
    fn c_024_who_was_late_is_forgotten_with_the_next_ping_or_connection() {
        let heartbeat = Heartbeat::default();
        for next in [None, Some(Duration::from_secs(1)), Some(Duration::MAX)] {
            heartbeat.await_ping(NOW, Some(Duration::ZERO));
            assert!(heartbeat.is_late(NOW));
            heartbeat.await_ping(NOW, next);
            assert!(!heartbeat.take_missed() && !heartbeat.is_late(NOW), "{next:?}");
        }
    }
}
