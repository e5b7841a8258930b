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
}
