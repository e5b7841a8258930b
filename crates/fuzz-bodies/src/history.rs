use sockeye_proto::socket::{History, Offset};

/// Any bytes as operations on a history of what a client was sent. Whoever is let go on gets exactly what it
/// missed, all of it and in order; and whoever can be is let.
pub fn history(data: &[u8]) {
    let mut model = Model::default();
    for byte in data {
        model.apply(byte % 8, usize::from(byte / 8));
        model.check(usize::from(byte / 8));
    }
}

/// A history beside everything that was ever sent.
#[derive(Default)]
struct Model {
    history: History<u64>,
    /// Offset, and whether it can be sent again.
    sent: Vec<(u64, bool)>,
    /// What lies before is not kept.
    start: usize,
    /// Of what is kept first, only the mark is.
    only_mark: bool,
    /// Something was lost that nobody can be sent again.
    is_broken: bool,
    /// The last that was sent before the client's last sign of life.
    confirming: Option<usize>,
}

impl Model {
    fn apply(&mut self, operation: u8, argument: usize) {
        match operation {
            0..3 => self.push(argument, operation < 2),
            3 => self.drop_first(),
            4 if argument == 0 => {
                self.history.clear();
                (self.start, self.only_mark, self.confirming) = (self.sent.len(), false, None);
            }
            5 => self.confirm(),
            6 => self.resume(argument),
            7 if argument == 0 => self.push_lost(),
            _ => {}
        }
        let kept = self.sent.len() - self.start;
        assert_eq!((self.history.len(), self.history.is_empty()), (kept, kept == 0));
    }

    fn push(&mut self, step: usize, is_kept: bool) {
        let last = self.sent.last().map_or(0, |(offset, _)| *offset);
        let offset = last + 1 + step as u64;
        self.history.push(Offset::new(offset), is_kept.then_some(offset));
        self.sent.push((offset, is_kept));
    }

    fn push_lost(&mut self) {
        let offset = self.sent.last().map_or(0, |(offset, _)| *offset) + 1;
        self.history.push_lost(Offset::new(offset));
        self.start = self.sent.len();
        self.sent.push((offset, false));
        (self.is_broken, self.only_mark, self.confirming) = (true, false, None);
    }

    fn drop_first(&mut self) {
        self.history.drop_first();
        if self.start < self.sent.len() {
            self.start += 1;
            self.only_mark = false;
        }
    }

    fn confirm(&mut self) {
        self.history.confirm();
        if let Some(confirmed) = self.confirming {
            self.forget_until(confirmed);
        }
        self.confirming = (self.start < self.sent.len()).then(|| self.sent.len() - 1);
    }

    fn forget_until(&mut self, index: usize) {
        if index >= self.start {
            (self.start, self.only_mark) = (index, true);
        }
    }

    /// The offset that was sent so many before the last, or none, or one that never was.
    fn claim(&self, argument: usize) -> (Option<Offset>, Option<usize>) {
        if argument == 31 {
            return (None, None);
        }
        match self.sent.len().checked_sub(argument + 1) {
            Some(index) => (Some(Offset::new(self.sent[index].0)), Some(index)),
            None => (Some(Offset::new(0)), None),
        }
    }

    fn may_resume(&self, offset: Option<Offset>, index: Option<usize>) -> bool {
        let first = self.sent.first();
        match (offset, index) {
            (None, _) => {
                !self.is_broken
                    && self.start == 0
                    && !(self.only_mark && first.is_some_and(|it| it.1))
            }
            (Some(_), Some(index)) => index >= self.start,
            (Some(_), None) => false,
        }
    }

    /// What was sent after the place.
    fn missed(&self, index: Option<usize>) -> Vec<u64> {
        let first = index.map_or(0, |index| index + 1);
        let after = self.sent[first..].iter();
        after.filter(|(_, is_kept)| *is_kept).map(|(offset, _)| *offset).collect()
    }

    fn resume(&mut self, argument: usize) {
        let (offset, index) = self.claim(argument);
        let allowed = self.may_resume(offset, index);
        let missed = self.missed(index);
        let resumed = self.history.resume(offset).map(|missed| missed.copied().collect::<Vec<_>>());
        assert_eq!(resumed, allowed.then_some(missed));
        if allowed {
            if let Some(index) = index {
                self.forget_until(index);
            }
            self.confirming = None;
        }
    }

    fn check(&self, argument: usize) {
        let (offset, index) = self.claim(argument);
        let allowed = self.may_resume(offset, index);
        assert_eq!(self.history.can_resume(offset), allowed, "{offset:?}");
        if allowed {
            let missed: Vec<_> = self.history.missed(offset).copied().collect();
            assert_eq!(missed, self.missed(index), "after {offset:?}");
        }
        if let Some(offset) = offset {
            assert_eq!(Offset::parse(&offset.to_string()), Some(offset));
        }
    }
}
