use std::time::Duration;

use crate::Moment;

/// Whether, how often and when a client opens its connection again (C-031).
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "whoever makes one by hand must see each choice")]
pub struct ReconnectionOptions {
    /// Whether it does at all, also after a first opening that failed (C-034). Default yes.
    pub enabled: bool,
    /// How often in a row; none, or zero as in the official client, means without end. Default none.
    pub attempts: Option<u32>,
    /// Time before the first attempt; it doubles for each one more. Zero means the default, 1 s.
    pub delay: Duration,
    /// The longest time before an attempt. Zero means the default, 5 s.
    pub delay_max: Duration,
    /// How far chance may move the time, as a part of it: 0 to 1, and 0 for what is outside.
    /// Default 0.5.
    pub randomization_factor: f64,
    /// Whether chance also counts for the longest time. In the official client it does not (C-032),
    /// and so all clients of a server that was away for a while come back at the same moment, every
    /// five seconds. With it, what would be above `delay_max` lies as far below. Default yes.
    pub jitter_at_cap: bool,
    /// Time that one opening may take; none means without end. Default 20 s.
    pub timeout: Option<Duration>,
}

const DELAY: Duration = Duration::from_secs(1);
const DELAY_MAX: Duration = Duration::from_secs(5);

impl Default for ReconnectionOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            attempts: None,
            delay: DELAY,
            delay_max: DELAY_MAX,
            randomization_factor: 0.5,
            jitter_at_cap: true,
            timeout: Some(Duration::from_secs(20)),
        }
    }
}

impl ReconnectionOptions {
    /// The time before this attempt; the first one is 1 (C-032). `random` is any number: the same
    /// one gives the same time.
    #[must_use]
    pub fn delay_before(&self, attempt: u32, random: u64) -> Duration {
        let max = milliseconds_or(self.delay_max, DELAY_MAX);
        // Above 2^62 times the shortest delay there is only the longest one.
        let doublings = attempt.saturating_sub(1).min(62);
        let full = milliseconds_or(self.delay, DELAY) * 2_f64.powi(doublings.cast_signed());
        let full = if self.jitter_at_cap { full.min(max) } else { full };
        let moved = full + deviation(full, self.factor(), random);
        let over = moved - max;
        let delay = match over > 0.0 {
            true if self.jitter_at_cap => max - over,
            true => max,
            false => moved,
        };
        Duration::from_millis(delay as u64)
    }

    fn factor(&self) -> f64 {
        let factor = self.randomization_factor;
        if factor > 0.0 && factor <= 1.0 { factor } else { 0.0 }
    }

    fn is_last(&self, attempts: u32) -> bool {
        self.attempts.is_some_and(|most| most > 0 && attempts >= most)
    }
}

fn milliseconds_or(duration: Duration, default: Duration) -> f64 {
    let duration = if duration.is_zero() { default } else { duration };
    duration.as_millis() as f64
}

/// The official client takes how far, and in which direction, from one random number.
fn deviation(delay: f64, factor: f64, random: u64) -> f64 {
    let random = (random >> 11) as f64 / (1_u64 << 53) as f64;
    let deviation = (random * factor * delay).floor();
    let is_even = ((random * 10.0) as u64).is_multiple_of(2);
    if is_even { -deviation } else { deviation }
}

/// Opens the connection of a client, and opens it again: the machine of what the official client
/// calls a manager (C-031 to C-036).
///
/// It only says when. It is told what came of it, and what time it is, and is given a random number
/// where it needs one.
///
/// ```text
///              open                     opened
///   idle ─────────────► opening ──────────────────► open
///    ▲                 ▲   │ failed                   │ closed
///    │   the time is   │   ▼                          │
///    │   there, open   waiting ◄──────────────────────┘
///    └──────────────────── stop, not enabled, given up
/// ```
#[derive(Debug)]
pub struct Reconnection {
    options: ReconnectionOptions,
    state: State,
    /// Attempts in a row, the one that is waited for among them.
    attempts: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// Until this moment it may take.
    Opening(Option<Moment>),
    Open,
    Waiting(Moment),
}

/// What the connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the diagram has these states")]
pub enum ReconnectionState {
    /// Nothing, until `open`.
    Idle,
    /// It is being opened.
    Opening,
    /// It is open.
    Open,
    /// It will be opened again at the deadline.
    Waiting,
}

/// What happens after an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the program is told if it is the end"]
#[expect(clippy::exhaustive_enums, reason = "these are all possibilities")]
pub enum Next {
    /// Another attempt.
    Wait {
        /// Its number, from 1.
        attempt: u32,
        /// Its moment, which is the deadline.
        until: Moment,
    },
    /// No other: there were as many as there may be (`reconnect_failed`).
    GaveUp,
    /// Nothing: it is not wanted.
    Rest,
}

/// What came of an opening that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the program is told if it is the end"]
#[expect(clippy::exhaustive_structs, reason = "these are all its parts")]
pub struct Failed {
    /// Which attempt it was, if it was one (`reconnect_error`).
    pub attempt: Option<u32>,
    /// What happens now.
    pub next: Next,
}

/// What is due at the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "each must be carried out"]
#[expect(clippy::exhaustive_enums, reason = "drivers must carry out each")]
pub enum Due {
    /// Start opening: the attempt with this number (`reconnect_attempt`).
    Attempt(u32),
    /// The opening takes too long: abort it, then call [`Reconnection::failed`].
    TimedOut,
}

impl Reconnection {
    /// A connection that nobody has wanted yet.
    #[must_use]
    pub const fn new(options: ReconnectionOptions) -> Self {
        Self { options, state: State::Idle, attempts: 0 }
    }

    /// The options.
    #[must_use]
    pub const fn options(&self) -> &ReconnectionOptions {
        &self.options
    }

    /// Changes the options: they count for what comes (C-035). Without `enabled`, an attempt that
    /// is waited for is not made.
    pub const fn set_options(&mut self, options: ReconnectionOptions) {
        self.options = options;
    }

    /// The program wants the connection open. Whether to start opening it now, because it is
    /// neither open nor being opened; an attempt that is waited for is made at once.
    pub fn open(&mut self, now: Moment) -> bool {
        let starts = matches!(self.state, State::Idle | State::Waiting(_));
        if starts {
            self.start(now);
        }
        starts
    }

    /// The connection is open: the number of the attempt, if it was one (`reconnect`).
    pub const fn opened(&mut self) -> Option<u32> {
        if !matches!(self.state, State::Opening(_)) {
            return None;
        }
        self.state = State::Open;
        match std::mem::replace(&mut self.attempts, 0) {
            0 => None,
            attempt => Some(attempt),
        }
    }

    /// The connection could not be opened.
    pub fn failed(&mut self, now: Moment, random: u64) -> Failed {
        if !matches!(self.state, State::Opening(_)) {
            return Failed { attempt: None, next: Next::Rest };
        }
        let attempt = (self.attempts > 0).then_some(self.attempts);
        Failed { attempt, next: self.next(now, random) }
    }

    /// The connection was open, and is gone.
    pub fn closed(&mut self, now: Moment, random: u64) -> Next {
        if !matches!(self.state, State::Open) {
            return Next::Rest;
        }
        self.next(now, random)
    }

    /// The program does not want the connection any more (C-036).
    pub const fn stop(&mut self) {
        self.state = State::Idle;
        self.attempts = 0;
    }

    /// When [`Reconnection::deadline_passed`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Moment> {
        match self.state {
            State::Waiting(until) => Some(until),
            State::Opening(until) => until,
            State::Idle | State::Open => None,
        }
    }

    /// Checks the deadline.
    pub fn deadline_passed(&mut self, now: Moment) -> Option<Due> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        match self.state {
            State::Waiting(_) if self.options.enabled => {
                self.start(now);
                Some(Due::Attempt(self.attempts))
            }
            State::Opening(_) => {
                self.state = State::Opening(None);
                Some(Due::TimedOut)
            }
            State::Waiting(_) | State::Idle | State::Open => {
                self.stop();
                None
            }
        }
    }

    /// What the connection is doing.
    #[must_use]
    pub const fn state(&self) -> ReconnectionState {
        match self.state {
            State::Idle => ReconnectionState::Idle,
            State::Opening(_) => ReconnectionState::Opening,
            State::Open => ReconnectionState::Open,
            State::Waiting(_) => ReconnectionState::Waiting,
        }
    }

    fn start(&mut self, now: Moment) {
        self.state = State::Opening(self.options.timeout.map(|timeout| now.after(timeout)));
    }

    fn next(&mut self, now: Moment, random: u64) -> Next {
        if !self.options.enabled {
            self.stop();
            return Next::Rest;
        }
        if self.options.is_last(self.attempts) {
            self.stop();
            return Next::GaveUp;
        }
        self.attempts = self.attempts.saturating_add(1);
        let until = now.after(self.options.delay_before(self.attempts, random));
        self.state = State::Waiting(until);
        Next::Wait { attempt: self.attempts, until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number of which the official client's `Math.random()` would be `part` hundredths.
    fn random(part: u64) -> u64 {
        (u64::MAX / 100).saturating_mul(part)
    }

    fn official() -> ReconnectionOptions {
        ReconnectionOptions { jitter_at_cap: false, ..Default::default() }
    }

    fn delay(options: &ReconnectionOptions, attempt: u32, part: u64) -> u64 {
        options.delay_before(attempt, random(part)).as_millis() as u64
    }

    #[test]
    fn c_032_the_official_formula() {
        // What `contrib/backo2.js` gives where `Math.random()` is 0/16, 1/16, ...
        let attempts: [[u64; 16]; 5] = [
            [
                1000, 969, 1062, 1093, 875, 1156, 1187, 782, 1250, 1281, 688, 657, 1375, 594, 563,
                1468,
            ],
            [
                2000, 1938, 2125, 2187, 1750, 2312, 2375, 1563, 2500, 2562, 1375, 1313, 2750, 1188,
                1125, 2937,
            ],
            [
                4000, 3875, 4250, 4375, 3500, 4625, 4750, 3125, 5000, 5000, 2750, 2625, 5000, 2375,
                2250, 5000,
            ],
            [
                5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 4750,
                4500, 5000,
            ],
            [5000; 16],
        ];
        for (attempt, expected) in (1..).zip(attempts) {
            for (sixteenths, expected) in (0..).zip(expected) {
                let delay = official().delay_before(attempt, sixteenths << 60);
                assert_eq!(delay.as_millis(), expected.into(), "{attempt}, {sixteenths}/16");
            }
        }
    }

    #[test]
    fn c_032_the_official_ranges() {
        let range = |options: &ReconnectionOptions, attempt| {
            let delays = (0..=100).map(|part| delay(options, attempt, part));
            let delays: Vec<_> = delays.collect();
            (delays.iter().copied().min().unwrap(), delays.iter().copied().max().unwrap())
        };
        let (least, most) = range(&official(), 1);
        assert!((550..=560).contains(&least) && (1_490..=1_500).contains(&most));
        assert_eq!(range(&official(), 5), (5_000, 5_000), "the herd");
        let (least, most) = range(&ReconnectionOptions::default(), 5);
        assert!((2_500..=2_760).contains(&least) && (4_900..=5_000).contains(&most));
    }

    #[test]
    fn jitter_at_the_cap_spreads_clients_that_have_waited_long_and_never_above_the_cap() {
        let options = ReconnectionOptions::default();
        for attempt in 4..40 {
            let mut delays: Vec<_> = (0..100).map(|part| delay(&options, attempt, part)).collect();
            assert!(delays.iter().all(|delay| (2_500..=5_000).contains(delay)), "{delays:?}");
            delays.sort_unstable();
            delays.dedup();
            assert!(delays.len() > 50, "attempt {attempt} has only {} moments", delays.len());
        }
    }

    #[test]
    fn jitter_at_the_cap_changes_nothing_below_it() {
        for part in 0..100 {
            for attempt in [1, 2] {
                let ours = delay(&ReconnectionOptions::default(), attempt, part);
                assert_eq!(ours, delay(&official(), attempt, part));
            }
        }
    }

    #[test]
    fn c_031_zero_means_the_default_but_for_the_factor() {
        let zero = ReconnectionOptions {
            attempts: Some(0),
            delay: Duration::ZERO,
            delay_max: Duration::ZERO,
            ..official()
        };
        for part in 0..100 {
            assert_eq!(delay(&zero, 1, part), delay(&official(), 1, part));
        }
        assert!(!zero.is_last(u32::MAX));
        for factor in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
            let exact = ReconnectionOptions { randomization_factor: factor, ..official() };
            assert_eq!(
                [1, 2, 3, 4].map(|attempt| delay(&exact, attempt, 85)),
                [1_000, 2_000, 4_000, 5_000]
            );
        }
    }

    #[test]
    fn extreme_options_give_some_delay() {
        for duration in [Duration::from_nanos(1), Duration::from_secs(1), Duration::MAX] {
            for delay_max in [Duration::from_nanos(1), Duration::from_secs(1), Duration::MAX] {
                for jitter_at_cap in [false, true] {
                    let options = ReconnectionOptions {
                        delay: duration,
                        delay_max,
                        jitter_at_cap,
                        randomization_factor: 1.0,
                        ..Default::default()
                    };
                    for attempt in [0, 1, 100, u32::MAX] {
                        let delay = options.delay_before(attempt, random(99));
                        assert!(delay <= delay_max.max(DELAY_MAX));
                    }
                }
            }
        }
    }

    const NOW: Moment = Moment::from_millis(100);

    fn exact(attempts: Option<u32>) -> Reconnection {
        let options =
            ReconnectionOptions { attempts, randomization_factor: 0.0, ..Default::default() };
        Reconnection::new(options)
    }

    fn wait(attempt: u32, milliseconds: u64) -> Next {
        Next::Wait { attempt, until: Moment::from_millis(milliseconds) }
    }

    /// Lets the deadline come.
    fn due(reconnection: &mut Reconnection) -> (Moment, Option<Due>) {
        let deadline = reconnection.deadline().unwrap();
        let early = Moment::from_millis(deadline.as_millis() - 1);
        assert_eq!(reconnection.deadline_passed(early), None);
        (deadline, reconnection.deadline_passed(deadline))
    }

    #[test]
    fn c_034_a_first_opening_that_fails_is_tried_again() {
        let mut reconnection = exact(None);
        assert!(reconnection.open(NOW));
        assert!(!reconnection.open(NOW), "it is being opened");
        let failed = reconnection.failed(NOW, 0);
        assert_eq!(failed, Failed { attempt: None, next: wait(1, 1_100) });
        let (now, due_now) = due(&mut reconnection);
        assert_eq!(due_now, Some(Due::Attempt(1)));
        let failed = reconnection.failed(now, 0);
        assert_eq!(failed, Failed { attempt: Some(1), next: wait(2, 3_100) });
        assert_eq!(due(&mut reconnection).1, Some(Due::Attempt(2)));
        assert_eq!(reconnection.opened(), Some(2));
        assert_eq!(reconnection.state(), ReconnectionState::Open);
    }

    #[test]
    fn c_034_attempts_are_counted_anew_after_each_success() {
        let mut reconnection = exact(None);
        reconnection.open(NOW);
        assert_eq!(reconnection.opened(), None, "it is no reconnection");
        for _ in 0..3 {
            assert_eq!(reconnection.closed(NOW, 0), wait(1, 1_100));
            assert_eq!(due(&mut reconnection).1, Some(Due::Attempt(1)));
            assert_eq!(reconnection.opened(), Some(1));
        }
    }

    #[test]
    fn c_033_after_as_many_attempts_as_there_may_be_it_gives_up() {
        let mut reconnection = exact(Some(2));
        reconnection.open(NOW);
        let _ = reconnection.failed(NOW, 0);
        due(&mut reconnection);
        let _ = reconnection.failed(NOW, 0);
        due(&mut reconnection);
        let failed = reconnection.failed(NOW, 0);
        assert_eq!(failed, Failed { attempt: Some(2), next: Next::GaveUp });
        assert_eq!(reconnection.state(), ReconnectionState::Idle);
        assert_eq!(reconnection.deadline(), None);
        assert!(reconnection.open(NOW), "the program may start again");
        assert_eq!(reconnection.failed(NOW, 0).next, wait(1, 1_100));
    }

    #[test]
    fn c_034_an_opening_that_takes_too_long_has_failed() {
        let mut reconnection = exact(None);
        reconnection.open(NOW);
        let (now, due_now) = due(&mut reconnection);
        assert_eq!((now.as_millis(), due_now), (20_100, Some(Due::TimedOut)));
        assert_eq!(reconnection.deadline(), None);
        assert_eq!(reconnection.failed(now, 0).next, wait(1, 21_100));
        let options = ReconnectionOptions { timeout: None, ..Default::default() };
        let mut patient = Reconnection::new(options);
        patient.open(NOW);
        assert_eq!(patient.deadline(), None);
    }

    #[test]
    fn c_036_who_closes_the_connection_does_not_come_back() {
        let mut reconnection = exact(None);
        for state in ["opening", "open", "waiting"] {
            reconnection.open(NOW);
            if state != "opening" {
                reconnection.opened();
            }
            if state == "waiting" {
                let _ = reconnection.closed(NOW, 0);
            }
            reconnection.stop();
            assert_eq!(reconnection.closed(NOW, 0), Next::Rest);
            let nothing = Failed { attempt: None, next: Next::Rest };
            assert_eq!(reconnection.failed(NOW, 0), nothing);
            assert_eq!(reconnection.opened(), None);
            assert_eq!(reconnection.deadline(), None, "{state}");
        }
    }

    #[test]
    fn c_031_without_reconnection_an_end_is_the_end() {
        let options = ReconnectionOptions { enabled: false, ..Default::default() };
        let mut reconnection = Reconnection::new(options);
        reconnection.open(NOW);
        assert_eq!(reconnection.failed(NOW, 0).next, Next::Rest);
        reconnection.open(NOW);
        reconnection.opened();
        assert_eq!(reconnection.closed(NOW, 0), Next::Rest);
        assert_eq!(reconnection.state(), ReconnectionState::Idle);
    }

    #[test]
    fn c_035_options_can_be_changed_at_any_time() {
        let mut reconnection = exact(None);
        reconnection.open(NOW);
        let _ = reconnection.failed(NOW, 0);
        let options = ReconnectionOptions { enabled: false, ..*reconnection.options() };
        reconnection.set_options(options);
        assert_eq!(due(&mut reconnection).1, None);
        assert_eq!(reconnection.state(), ReconnectionState::Idle);
    }

    #[test]
    fn who_does_not_want_to_wait_opens_at_once_and_it_is_the_same_attempt() {
        let mut reconnection = exact(None);
        reconnection.open(NOW);
        let _ = reconnection.failed(NOW, 0);
        assert!(reconnection.open(NOW));
        assert_eq!(reconnection.opened(), Some(1));
    }
}
