//! Lines of the log that a client can cause as often as it likes: one a second goes out at its
//! level, and says how many were left out before it; the others are at `debug`.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How often a line may be written.
const PERIOD: Duration = Duration::from_secs(1);

/// What one place in the program has written.
#[derive(Debug)]
pub(crate) struct Limit(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl Limit {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State { last: None, left_out: 0 }))
    }

    /// Whether a line may be written now: how many were left out since the last one, if any were.
    pub(crate) fn pass(&self) -> Option<Option<u64>> {
        let mut state = self.0.lock();
        let now = Instant::now();
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < PERIOD) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        let left_out = std::mem::replace(&mut state.left_out, 0);
        Some((left_out > 0).then_some(left_out))
    }
}

/// `limited!(warn, field, "text")`: a line of `tracing` of which one a second is written.
macro_rules! limited {
    ($level:ident, $($line:tt)*) => {{
        static LIMIT: $crate::limited::Limit = $crate::limited::Limit::new();
        match LIMIT.pass() {
            Some(left_out) => tracing::$level!(left_out, $($line)*),
            None => tracing::debug!($($line)*),
        }
    }};
}

pub(crate) use limited;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_second_passes_and_says_how_many_did_not() {
        let limit = Limit::new();
        assert_eq!(limit.pass(), Some(None));
        assert_eq!([limit.pass(), limit.pass()], [None, None]);
        tokio::time::advance(PERIOD).await;
        assert_eq!(limit.pass(), Some(Some(2)));
        assert_eq!(limit.pass(), None);
        tokio::time::advance(2 * PERIOD).await;
        assert_eq!([limit.pass(), limit.pass()], [Some(Some(1)), None]);
    }
}
