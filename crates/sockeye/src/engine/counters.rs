//! Counting without waiting: each thread adds to numbers of its own, and who asks adds them up.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use sockeye_proto::engine::{CloseDetail, CloseReason, TransportName};

/// Sets of numbers, for so many threads, each of which has its own.
const OWN_SHARDS: usize = 24;
/// Sets that all other threads are spread over.
const COMMON_SHARDS: usize = 8;
const SHARDS: usize = OWN_SHARDS + COMMON_SHARDS;

thread_local! {
    /// Which set is this thread's; `SHARDS` before it has one.
    static SHARD: Cell<usize> = const { Cell::new(SHARDS) };
}

fn shard() -> usize {
    let known = SHARD.get();
    if known < SHARDS { known } else { choose_shard() }
}

#[cold]
fn choose_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let shard = if next < OWN_SHARDS { next } else { OWN_SHARDS + next % COMMON_SHARDS };
    SHARD.set(shard);
    shard
}

/// `N` numbers that only grow.
///
/// The first threads that count anything, which are those of the runtime, add to cache lines of
/// their own, so nothing is locked for it. A sum that is taken meanwhile is of no single moment.
#[derive(Debug)]
pub(crate) struct Counters<const N: usize>([Shard<N>; SHARDS]);

/// Two cache lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<const N: usize>([AtomicU64; N]);

impl<const N: usize> Counters<N> {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Shard(std::array::from_fn(|_| AtomicU64::new(0)))))
    }

    /// Adds to the number at `index`, if there is one.
    #[inline]
    pub(crate) fn add(&self, index: usize, count: u64) {
        let shard = shard();
        let Some(number) = self.0.get(shard).and_then(|shard| shard.0.get(index)) else { return };
        if shard < OWN_SHARDS {
            // Nobody else writes here.
            number.store(number.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
        } else {
            number.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The number at `index`; zero if there is none.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        let numbers = self.0.iter().filter_map(|shard| shard.0.get(index));
        numbers.map(|number| number.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// What an Engine.IO server counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    PacketsReceived,
    BytesReceived,
    PacketsSent,
    BytesSent,
    OpenedOverPolling,
    OpenedOverWebSocket,
    Upgrades,
    TransportErrors,
    TransportCloses,
    PingTimeouts,
    ParseErrors,
    ForcedCloses,
    SlowReaders,
    Undecodable,
    InvalidFrames,
    TooLarge,
    OverlappingRequests,
    InvalidContent,
    HeartbeatDirection,
    /// Requests refused with code 0; those with higher codes are counted behind it.
    Refused,
}

/// The codes of refusals are 0 to 5.
pub(super) const REFUSAL_CODES: usize = 6;

/// The numbers of one Engine.IO server.
#[derive(Debug)]
pub(super) struct EngineCounters(Counters<{ Count::Refused as usize + REFUSAL_CODES }>);

impl EngineCounters {
    pub(super) fn new() -> Self {
        Self(Counters::new())
    }

    #[inline]
    pub(super) fn add(&self, what: Count, count: u64) {
        self.0.add(what as usize, count);
    }

    pub(super) fn sum(&self, what: Count) -> u64 {
        self.0.sum(what as usize)
    }

    pub(super) fn refused(&self, code: u8) {
        self.0.add(Count::Refused as usize + usize::from(code), 1);
    }

    pub(super) fn refusals(&self, code: usize) -> u64 {
        self.0.sum(Count::Refused as usize + code)
    }

    #[inline]
    pub(super) fn received(&self, packets: u64, bytes: usize) {
        self.add(Count::PacketsReceived, packets);
        self.add(Count::BytesReceived, bytes as u64);
    }

    #[inline]
    pub(super) fn sent(&self, packets: u64, bytes: usize) {
        self.add(Count::PacketsSent, packets);
        self.add(Count::BytesSent, bytes as u64);
    }

    pub(super) fn opened(&self, transport: TransportName) {
        let over_polling = transport == TransportName::Polling;
        let what = if over_polling { Count::OpenedOverPolling } else { Count::OpenedOverWebSocket };
        self.add(what, 1);
    }

    /// A session has ended, perhaps because its peer broke a rule.
    pub(super) fn ended(&self, reason: CloseReason, detail: CloseDetail) {
        let closed = match reason {
            CloseReason::TransportError => Count::TransportErrors,
            CloseReason::TransportClose => Count::TransportCloses,
            CloseReason::PingTimeout => Count::PingTimeouts,
            CloseReason::ParseError => Count::ParseErrors,
            CloseReason::ForcedClose => Count::ForcedCloses,
        };
        self.add(closed, 1);
        let why = match detail {
            CloseDetail::SlowReader | CloseDetail::WriteStalled => Count::SlowReaders,
            CloseDetail::OverlappingPoll | CloseDetail::OverlappingPost => {
                Count::OverlappingRequests
            }
            CloseDetail::InvalidContent => Count::InvalidContent,
            CloseDetail::HeartbeatDirection => Count::HeartbeatDirection,
            // The others are no violations, or are counted where they are found: the session may
            // go on.
            _ => return,
        };
        self.add(why, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_have_counted_adds_up() {
        let counters = Counters::<3>::new();
        std::thread::scope(|scope| {
            for _ in 0..SHARDS + 4 {
                scope.spawn(|| (0..1_000).for_each(|_| counters.add(1, 2)));
            }
        });
        let sums: Vec<_> = (0..4).map(|index| counters.sum(index)).collect();
        assert_eq!(sums, [0, (SHARDS as u64 + 4) * 2_000, 0, 0]);
    }

    #[test]
    fn threads_share_no_cache_line() {
        assert_eq!(size_of::<Shard<1>>(), 128);
        assert_eq!(align_of::<Counters<17>>(), 128);
    }

    #[test]
    fn a_refusal_is_counted_under_its_code() {
        let counters = EngineCounters::new();
        [0, 3, 3, 5, 200].iter().for_each(|code| counters.refused(*code));
        let sums: Vec<_> = (0..REFUSAL_CODES).map(|code| counters.refusals(code)).collect();
        assert_eq!(sums, [1, 0, 0, 2, 0, 1]);
        assert_eq!(counters.sum(Count::HeartbeatDirection), 0);
    }
}
