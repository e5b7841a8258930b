use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use sockeye_proto::Moment;
use sockeye_proto::socket::{Due, Next, Reconnection, ReconnectionOptions, ReconnectionState};

/// The longest delay, if none is given (C-031).
const DELAY_MAX: Duration = Duration::from_secs(5);

/// Anything that may happen to a client's connection, in any order, while time goes on.
pub fn reconnection(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(choices) = data.arbitrary() else { return };
    let mut watched = Watched::new(choices);
    while !data.is_empty() {
        let Ok(operation) = data.arbitrary() else { break };
        watched.apply(operation);
    }
}

/// Options; times in milliseconds.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Choices {
    enabled: bool,
    attempts: Option<u8>,
    delay: u32,
    delay_max: u32,
    factor: f64,
    jitter_at_cap: bool,
    timeout: Option<u32>,
}

impl Choices {
    fn options(self) -> ReconnectionOptions {
        let time = |milliseconds: u32| Duration::from_millis(milliseconds.into());
        ReconnectionOptions {
            enabled: self.enabled,
            attempts: self.attempts.map(u32::from),
            delay: time(self.delay),
            delay_max: time(self.delay_max),
            randomization_factor: self.factor,
            jitter_at_cap: self.jitter_at_cap,
            timeout: self.timeout.map(time),
        }
    }
}

/// One thing that happens.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Open,
    Opened,
    Failed { random: u64 },
    Closed { random: u64 },
    Stop,
    Wait { milliseconds: u32 },
    WaitForDeadline,
    Choose(Choices),
}

/// The machine, and what is known of it.
struct Watched {
    machine: Reconnection,
    now: Moment,
    state: ReconnectionState,
    /// Attempts in a row.
    attempts: u32,
}

impl Watched {
    fn new(choices: Choices) -> Self {
        let machine = Reconnection::new(choices.options());
        Self { machine, now: Moment::START, state: ReconnectionState::Idle, attempts: 0 }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Open => self.open(),
            Operation::Opened => self.opened(),
            Operation::Failed { random } => self.failed(random),
            Operation::Closed { random } => self.closed(random),
            Operation::Stop => {
                self.machine.stop();
                self.rests();
            }
            Operation::Wait { milliseconds } => {
                self.now = self.now.after(Duration::from_millis(milliseconds.into()));
                self.look();
            }
            Operation::WaitForDeadline => {
                self.now = self.machine.deadline().unwrap_or(self.now).max(self.now);
                self.look();
            }
            Operation::Choose(choices) => self.machine.set_options(choices.options()),
        }
        assert_eq!(self.machine.state(), self.state);
        let waits = self.state == ReconnectionState::Waiting;
        let idles = matches!(self.state, ReconnectionState::Idle | ReconnectionState::Open);
        assert!(self.machine.deadline().is_some() || !waits, "it would wait for ever");
        assert!(self.machine.deadline().is_none() || !idles, "there is nothing to wait for");
    }

    fn rests(&mut self) {
        (self.state, self.attempts) = (ReconnectionState::Idle, 0);
    }

    fn open(&mut self) {
        let starts = matches!(self.state, ReconnectionState::Idle | ReconnectionState::Waiting);
        assert_eq!(self.machine.open(self.now), starts);
        if starts {
            self.state = ReconnectionState::Opening;
        }
    }

    fn opened(&mut self) {
        let was_opening = self.state == ReconnectionState::Opening;
        let attempt = (was_opening && self.attempts > 0).then_some(self.attempts);
        assert_eq!(self.machine.opened(), attempt);
        if was_opening {
            (self.state, self.attempts) = (ReconnectionState::Open, 0);
        }
    }

    fn failed(&mut self, random: u64) {
        let is_opening = self.state == ReconnectionState::Opening;
        let attempt = (is_opening && self.attempts > 0).then_some(self.attempts);
        let failed = self.machine.failed(self.now, random);
        assert_eq!(failed.attempt, attempt);
        self.goes_on(is_opening, failed.next);
    }

    fn closed(&mut self, random: u64) {
        let is_open = self.state == ReconnectionState::Open;
        let next = self.machine.closed(self.now, random);
        self.goes_on(is_open, next);
    }

    fn goes_on(&mut self, has_ended: bool, next: Next) {
        let options = *self.machine.options();
        match next {
            Next::Rest if !has_ended => {}
            Next::Rest => {
                assert!(!options.enabled);
                self.rests();
            }
            Next::GaveUp => {
                assert!(has_ended && options.attempts.is_some_and(|most| self.attempts >= most));
                self.rests();
            }
            Next::Wait { attempt, until } => {
                assert!(has_ended && options.enabled);
                assert_eq!(attempt, self.attempts + 1, "an attempt is left out, or made twice");
                let max = options.delay_max;
                let max = if max.is_zero() { DELAY_MAX } else { max };
                assert!(
                    until >= self.now && until.since(self.now) <= max,
                    "{until:?}, {options:?}"
                );
                assert!(options.attempts.is_none_or(|most| most == 0 || attempt <= most));
                (self.state, self.attempts) = (ReconnectionState::Waiting, attempt);
                assert_eq!(self.machine.deadline(), Some(until));
            }
        }
    }

    /// It is looked whether something is due.
    fn look(&mut self) {
        let is_due = self.machine.deadline().is_some_and(|deadline| deadline <= self.now);
        match self.machine.deadline_passed(self.now) {
            None if !is_due => {}
            // It is not wanted any more.
            None => {
                assert!(!self.machine.options().enabled);
                self.rests();
            }
            Some(Due::Attempt(attempt)) => {
                assert!(is_due && self.state == ReconnectionState::Waiting);
                assert_eq!(attempt, self.attempts);
                self.state = ReconnectionState::Opening;
            }
            Some(Due::TimedOut) => {
                assert!(is_due && self.state == ReconnectionState::Opening);
                assert_eq!(self.machine.deadline_passed(self.now), None, "it is told twice");
            }
        }
    }
}
