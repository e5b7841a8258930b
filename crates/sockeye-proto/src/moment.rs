use std::time::Duration;

/// A point in time: milliseconds since the driver of the machines started.
///
/// Machines never ask a clock; whoever drives them says what time it is. In a test a `Moment` is
/// just a number that the test moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The moment at which the driver started.
    pub const START: Self = Self(0);

    /// The moment `milliseconds` after the start.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since the start.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `duration` later; whole milliseconds, saturating.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        let milliseconds = duration.as_millis();
        let milliseconds =
            if milliseconds > u64::MAX as u128 { u64::MAX } else { milliseconds as u64 };
        Self(self.0.saturating_add(milliseconds))
    }

    /// The time from `earlier` until this moment, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
