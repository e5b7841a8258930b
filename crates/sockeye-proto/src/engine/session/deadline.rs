use crate::Moment;

/// Every deadline that a session can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one line for each, so that nobody can hide a timer")]
pub enum Deadline {
    /// The next ping is due (E-076).
    Ping,
    /// The answer to the last ping is late; in revision 3, the next ping of the client is.
    Pong,
    /// The candidate has not taken over in time (E-089).
    Upgrade,
    /// A GET that waits during a probe is to be ended, so that the client can switch (E-085).
    ProbeNoop,
    /// The peer has taken nothing for too long of what is to be written to it.
    Write,
    /// The peer had its time to learn that the session is over (E-032).
    CloseGrace,
}

const ALL: [Deadline; 6] = [
    Deadline::Ping,
    Deadline::Pong,
    Deadline::Upgrade,
    Deadline::ProbeNoop,
    Deadline::Write,
    Deadline::CloseGrace,
];

const NEVER: Moment = Moment::from_millis(u64::MAX);

/// At most one moment for each deadline.
#[derive(Debug)]
pub(super) struct Deadlines([Moment; ALL.len()]);

impl Default for Deadlines {
    fn default() -> Self {
        Self([NEVER; ALL.len()])
    }
}

impl Deadlines {
    pub(super) const fn set(&mut self, deadline: Deadline, moment: Moment) {
        self.0[deadline as usize] = moment;
    }

    pub(super) const fn clear(&mut self, deadline: Deadline) {
        self.set(deadline, NEVER);
    }

    pub(super) const fn clear_all(&mut self) {
        self.0 = [NEVER; ALL.len()];
    }

    pub(super) fn is_set(&self, deadline: Deadline) -> bool {
        self.0[deadline as usize] != NEVER
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<(Moment, Deadline)> {
        let (moment, deadline) = self.0.into_iter().zip(ALL).min_by_key(|(moment, _)| *moment)?;
        (moment != NEVER).then_some((moment, deadline))
    }

    /// Removes and returns the earliest deadline if it has passed.
    pub(super) fn take_passed(&mut self, now: Moment) -> Option<Deadline> {
        let (moment, deadline) = self.next()?;
        if moment > now {
            return None;
        }
        self.clear(deadline);
        Some(deadline)
    }
}
