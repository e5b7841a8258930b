use crate::Moment;

/// Every deadline that a client's session can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// The server's next ping is late (C-023).
    Ping,
    /// The candidate has not taken over in time.
    Candidate,
    /// What is left to do after the application's close has had its time.
    Close,
}

const ALL: [Deadline; 3] = [Deadline::Ping, Deadline::Candidate, Deadline::Close];

/// At most one moment for each deadline.
#[derive(Debug, Default)]
pub(super) struct Deadlines([Option<Moment>; ALL.len()]);

impl Deadlines {
    pub(super) const fn set(&mut self, deadline: Deadline, moment: Moment) {
        self.0[deadline as usize] = Some(moment);
    }

    pub(super) const fn get(&self, deadline: Deadline) -> Option<Moment> {
        self.0[deadline as usize]
    }

    pub(super) const fn clear(&mut self, deadline: Deadline) {
        self.0[deadline as usize] = None;
    }

    pub(super) const fn clear_all(&mut self) {
        self.0 = [None; ALL.len()];
    }

    pub(super) fn has_passed(&self, deadline: Deadline, now: Moment) -> bool {
        self.0[deadline as usize].is_some_and(|moment| moment <= now)
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Moment> {
        self.0.into_iter().flatten().min()
    }

    /// Removes and returns a deadline that has passed.
    pub(super) fn take_passed(&mut self, now: Moment) -> Option<Deadline> {
        let passed = ALL.into_iter().find(|deadline| self.has_passed(*deadline, now))?;
        self.clear(passed);
        Some(passed)
    }
}
