#[cfg(feature = "client")]
use std::time::{SystemTime, UNIX_EPOCH};

use sockeye_proto::Moment;
use tokio::time::Instant;

/// The one place that asks what time it is. It is tokio's clock, so a test can stop it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(self) -> Moment {
        Moment::START.after(self.start.elapsed())
    }

    /// When that is, for a timer. It must not be far away.
    pub(crate) fn instant(self, moment: Moment) -> Instant {
        self.start + moment.since(Moment::START)
    }
}

/// Milliseconds by the system's clock, which goes on while the machine sleeps, as the other does not
/// everywhere. Somebody may set it: what it says is a hint.
#[cfg(feature = "client")]
pub(crate) fn system_milliseconds() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
