use std::fmt;

use parking_lot::Mutex;
use tokio::time::Instant;

/// What happened in a run, line by line: as a number that tells two runs apart, and in words for
/// whoever repeats one.
#[derive(Debug)]
pub(crate) struct Trace {
    start: Instant,
    tells: bool,
    hash: Mutex<u64>,
}

impl Trace {
    pub(crate) fn new(tells: bool) -> Self {
        Self { start: Instant::now(), tells, hash: Mutex::new(0xcbf2_9ce4_8422_2325) }
    }

    /// Notes something. It must not speak of ids: those are random.
    pub(crate) fn tell(&self, what: fmt::Arguments<'_>) {
        let line = format!("{:6} {what}", self.start.elapsed().as_millis());
        if self.tells {
            eprintln!("{line}");
        }
        let mut hash = self.hash.lock();
        for byte in line.bytes() {
            *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        *self.hash.lock()
    }
}
