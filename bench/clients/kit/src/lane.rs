use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What all connections have in common.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) errors: AtomicU64,
    /// Every reply is answered by the next message.
    echoing: AtomicBool,
    /// The connections are being closed: their end is no error.
    closing: AtomicBool,
    first_error: Mutex<Option<String>>,
}

impl Tally {
    pub(crate) fn set_echoing(&self, echoing: bool) {
        self.echoing.store(echoing, Ordering::Relaxed);
    }

    pub(crate) fn set_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn outstanding(&self) -> u64 {
        let received = self.received.load(Ordering::Relaxed);
        self.sent.load(Ordering::Relaxed).saturating_sub(received)
    }

    pub(crate) fn fail(&self, what: impl fmt::Display) {
        if self.closing.load(Ordering::Relaxed) {
            return;
        }
        self.errors.fetch_add(1, Ordering::Relaxed);
        let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| what.to_string());
    }

    pub(crate) fn first_error(&self) -> Option<String> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One connection's messages: numbered, and expected back in their order, each once.
#[derive(Debug)]
pub struct Lane {
    number: u32,
    size: usize,
    next: AtomicU64,
    expected: AtomicU64,
    tally: Arc<Tally>,
}

impl Lane {
    pub(crate) fn new(number: u32, size: usize, tally: Arc<Tally>) -> Self {
        Self { number, size, next: AtomicU64::new(0), expected: AtomicU64::new(0), tally }
    }

    /// An `echo` has arrived with this text. What is to be emitted now, if anything.
    pub fn echoed(&self, text: &str) -> Option<String> {
        let expected = self.expected.fetch_add(1, Ordering::Relaxed);
        if expected >= self.next.load(Ordering::Relaxed) || text != self.text(expected) {
            self.tally.fail(format_args!("{text:?} came in the place of number {expected}"));
            return None;
        }
        self.tally.received.fetch_add(1, Ordering::Relaxed);
        self.tally.echoing.load(Ordering::Relaxed).then(|| self.next_text())
    }

    /// Something happened that should not.
    pub fn fail(&self, what: impl fmt::Display) {
        self.tally.fail(format_args!("connection {}: {what}", self.number));
    }

    pub(crate) fn next_text(&self) -> String {
        self.tally.sent.fetch_add(1, Ordering::Relaxed);
        self.text(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Six digits for the connection, ten for the message, and a filling. Not by `format!`: this is
    /// part of what each message costs.
    fn text(&self, number: u64) -> String {
        let mut text = vec![b'.'; self.size];
        write_digits(&mut text[..6], u64::from(self.number));
        write_digits(&mut text[6..16], number);
        String::from_utf8(text).unwrap_or_default()
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(number: u32, size: usize) -> Lane {
        let tally = Arc::new(Tally::default());
        tally.set_echoing(true);
        Lane::new(number, size, tally)
    }

    #[test]
    fn replies_are_answered_in_their_order() {
        let lane = lane(7, 20);
        let (first, second) = (lane.next_text(), lane.next_text());
        assert_eq!(first, "0000070000000000....");
        assert_eq!(lane.echoed(&first).as_deref(), Some("0000070000000002...."));
        assert!(lane.echoed(&second).is_some());
        assert_eq!((lane.tally.outstanding(), lane.tally.first_error()), (2, None));
    }

    #[test]
    fn what_is_lost_doubled_or_changed_is_noticed() {
        for wrong in ["0000070000000001", "000007000000000!", "0000080000000000", ""] {
            let lane = lane(7, 16);
            lane.next_text();
            assert_eq!(lane.echoed(wrong), None);
            assert_eq!(lane.tally.errors.load(Ordering::Relaxed), 1, "{wrong}");
        }
        let lane = lane(7, 16);
        lane.tally.set_echoing(false);
        let text = lane.next_text();
        lane.echoed(&text);
        assert_eq!(lane.tally.first_error(), None);
        lane.echoed(&text);
        assert!(lane.tally.first_error().is_some(), "one more than was asked for");
    }

    #[test]
    fn the_end_of_a_connection_is_no_error_once_it_is_meant() {
        let lane = lane(1, 16);
        lane.tally.set_closing();
        lane.fail("closed");
        assert_eq!(lane.tally.first_error(), None);
    }
}
