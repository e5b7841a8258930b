use std::collections::VecDeque;
use std::fmt;

/// Marks a place in what a client was sent. It travels as the last argument of an event, and
/// comes back when the client wants to go on from there (S-079).
///
/// Its text begins with `~`, so that a person who sees one in a log knows what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(u64);

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl Offset {
    /// The offset with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Reads an offset's text; `None` for any other text, such as a client's own last argument.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('~')?;
        let lower = digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        lower.then(|| u64::from_str_radix(digits, 36).ok().map(Self))?
    }
}

/// An offset's text, on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct OffsetText {
    bytes: [u8; Self::BYTES],
    start: usize,
}

impl OffsetText {
    /// `~`, and thirteen digits hold any number.
    const BYTES: usize = 14;

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl Offset {
    pub(super) fn text(self) -> OffsetText {
        let mut text = OffsetText { bytes: [b'~'; OffsetText::BYTES], start: OffsetText::BYTES };
        let mut rest = self.0;
        loop {
            text.start -= 1;
            text.bytes[text.start] = DIGITS[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        // What is left in front of the digits is the mark.
        text.start -= 1;
        text
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.text().as_bytes()).unwrap_or_default())
    }
}

/// What one client was sent and has not confirmed, in the order in which it was sent: enough to go
/// on exactly where the client stopped, or to know that it cannot be done.
///
/// `P` is what is needed to send a packet again. A packet that is not worth it, such as a volatile
/// one, is only a mark: the client may have seen it last.
#[derive(Debug)]
pub struct History<P> {
    entries: VecDeque<(Offset, Option<P>)>,
    /// The last that was sent before the client's last sign of life.
    confirming: Option<Offset>,
    /// Nothing has been dropped: it goes back to the beginning.
    whole: bool,
}

impl<P> Default for History<P> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), confirming: None, whole: true }
    }
}

impl<P> History<P> {
    /// A packet, or a mark, that was sent after all others.
    pub fn push(&mut self, offset: Offset, packet: Option<P>) {
        self.entries.push_back((offset, packet));
    }

    /// A packet that was sent after all others and cannot be sent again: only who has seen it can go on.
    pub fn push_lost(&mut self, offset: Offset) {
        self.clear();
        self.whole = false;
        self.push(offset, None);
    }

    /// How many packets and marks are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops the oldest: a client that stopped before it cannot go on.
    pub fn drop_first(&mut self) {
        self.whole &= self.entries.pop_front().is_none();
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.whole &= self.entries.is_empty();
        self.entries = VecDeque::new();
        self.confirming = None;
    }

    /// The client has answered a ping. What was sent before its answer to the ping before has
    /// arrived, because it was sent before this ping: it need not be sent again.
    pub fn confirm(&mut self) {
        if let Some(confirmed) = self.confirming {
            self.forget_until(confirmed);
        }
        self.confirming = self.entries.back().map(|(offset, _)| *offset);
    }

    /// Whether a client that has seen everything up to `offset` can go on; without an offset, one
    /// that has seen nothing.
    #[must_use]
    pub fn can_resume(&self, offset: Option<Offset>) -> bool {
        match offset {
            Some(offset) => self.place(offset).is_some(),
            None => self.whole,
        }
    }

    /// What the client has missed, in order. `None` if that cannot be known for certain.
    pub fn resume(&mut self, offset: Option<Offset>) -> Option<impl Iterator<Item = &P>> {
        if !self.can_resume(offset) {
            return None;
        }
        if let Some(offset) = offset {
            self.forget_until(offset);
        }
        self.confirming = None;
        Some(self.missed(offset))
    }

    /// What a client has missed that has seen everything up to `offset`, if it can go on.
    pub fn missed(&self, offset: Option<Offset>) -> impl Iterator<Item = &P> {
        let first = match offset {
            Some(offset) => self.place(offset).map_or(self.entries.len(), |place| place + 1),
            None => 0,
        };
        self.entries.iter().skip(first).filter_map(|(_, packet)| packet.as_ref())
    }

    /// Keeps of what lies before, and of this one, only the mark.
    fn forget_until(&mut self, offset: Offset) {
        if let Some(place) = self.place(offset) {
            self.whole &= place == 0;
            self.entries.drain(..place);
            if let Some((_, packet)) = self.entries.front_mut() {
                self.whole &= packet.take().is_none();
            }
            if self.entries.capacity() > 64 && self.entries.len() < self.entries.capacity() / 4 {
                self.entries.shrink_to_fit();
            }
        }
    }

    fn place(&self, offset: Offset) -> Option<usize> {
        let from_end = self.entries.iter().rev().position(|(known, _)| *known == offset)?;
        Some(self.entries.len() - 1 - from_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(packets: &[u64]) -> History<u64> {
        let mut history = History::default();
        packets.iter().for_each(|number| history.push(Offset::new(*number), Some(*number)));
        history
    }

    fn missed(history: &mut History<u64>, offset: Option<u64>) -> Option<Vec<u64>> {
        let missed = history.resume(offset.map(Offset::new))?;
        Some(missed.copied().collect())
    }

    #[test]
    fn an_offset_reads_as_it_was_written_and_nothing_else_does() {
        for number in [0, 1, 35, 36, 123_456_789, u64::MAX] {
            let offset = Offset::new(number);
            assert_eq!(Offset::parse(&offset.to_string()), Some(offset));
        }
        assert_eq!(Offset::new(36).to_string(), "~10");
        for text in ["", "~", "tick", "10", "~-1", "~+1", "~A", "~zzzzzzzzzzzzzzz", "~1 "] {
            assert_eq!(Offset::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_client_goes_on_where_it_stopped_in_the_order_of_sending() {
        // Two threads drew their numbers in one order and sent in the other.
        assert_eq!(missed(&mut history(&[1, 3, 2, 4]), Some(3)), Some(vec![2, 4]));
        assert_eq!(missed(&mut history(&[1, 3, 2, 4]), Some(4)), Some(vec![]));
        assert_eq!(missed(&mut history(&[1, 3, 2, 4]), None), Some(vec![1, 3, 2, 4]));
        assert_eq!(missed(&mut history(&[1, 3, 2, 4]), Some(9)), None);
    }

    #[test]
    fn what_was_missed_is_kept_until_it_is_known_to_have_arrived() {
        let mut history = history(&[1, 2, 3]);
        assert_eq!(missed(&mut history, Some(1)), Some(vec![2, 3]));
        assert_eq!(missed(&mut history, Some(1)), Some(vec![2, 3]));
        assert_eq!(missed(&mut history, Some(2)), Some(vec![3]));
        assert_eq!(missed(&mut history, Some(1)), None, "it has said that it saw 2");
    }

    #[test]
    fn marks_are_places_but_are_not_sent_again() {
        let mut history = history(&[1]);
        history.push(Offset::new(2), None);
        history.push(Offset::new(3), Some(3));
        assert_eq!(missed(&mut history, Some(2)), Some(vec![3]));
    }

    #[test]
    fn two_answers_to_pings_confirm_what_was_sent_before_the_first() {
        let mut history = history(&[1, 2]);
        history.confirm();
        assert_eq!(history.len(), 2, "the ping may have been on its way before them");
        history.push(Offset::new(3), Some(3));
        history.confirm();
        assert_eq!(history.len(), 2);
        assert!(!history.can_resume(Some(Offset::new(1))));
        assert!(!history.can_resume(None));
        assert_eq!(missed(&mut history, Some(2)), Some(vec![3]));
    }

    #[test]
    fn what_was_dropped_cannot_be_resumed() {
        let mut dropped = history(&[1, 2]);
        dropped.drop_first();
        assert_eq!(missed(&mut dropped, None), None);
        assert_eq!(missed(&mut dropped, Some(1)), None);
        assert_eq!(missed(&mut dropped, Some(2)), Some(vec![]));
        let mut cleared = history(&[1]);
        cleared.clear();
        assert_eq!(missed(&mut cleared, None), None);
        assert!(cleared.is_empty());
    }

    #[test]
    fn a_client_that_was_sent_nothing_has_missed_nothing() {
        let mut idle = History::<u64>::default();
        idle.confirm();
        idle.confirm();
        assert_eq!(missed(&mut idle, None), Some(vec![]));
    }

    #[test]
    fn from_before_what_is_lost_nobody_goes_on_also_if_it_was_the_first() {
        let mut history = History::default();
        history.push_lost(Offset::new(1));
        history.push(Offset::new(2), Some('b'));
        assert!(!history.can_resume(None));
        assert!(history.missed(Some(Offset::new(1))).eq(&['b']));
    }
}
