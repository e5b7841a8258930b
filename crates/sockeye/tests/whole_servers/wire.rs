//! A connection in memory, as bad as the network likes: it delivers bytes late and in pieces of any size,
//! does not read for a while, and breaks at any byte. It never changes or reorders them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::random::Random;

/// After so long without progress a wire counts as broken.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the network does to a wire; shared by its two directions.
#[derive(Debug)]
pub(crate) struct Weather {
    start: Instant,
    /// Bytes that get through until it breaks.
    budget: AtomicI64,
    /// Until when nothing is read, in milliseconds.
    stalled: AtomicU64,
    piece: u64,
    delay: u64,
    buffer: usize,
}

impl Weather {
    pub(crate) fn calm() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            budget: AtomicI64::new(i64::MAX),
            stalled: AtomicU64::new(0),
            piece: 65_536,
            delay: 0,
            buffer: 65_536,
        })
    }

    pub(crate) fn any(random: &mut Random) -> Arc<Self> {
        let budget = match random.below(6) {
            0 => random.below(400),
            1 => random.below(3_000),
            2 => random.below(50_000),
            _ => i64::MAX as u64,
        };
        Arc::new(Self {
            start: Instant::now(),
            budget: AtomicI64::new(budget as i64),
            stalled: AtomicU64::new(0),
            piece: random.choose(&[7, 100, 1_500, 65_536]),
            delay: random.choose(&[0, 1, 5, 20]),
            buffer: random.choose(&[64, 1_000, 65_536]),
        })
    }

    /// Has nothing read for a while.
    pub(crate) fn stall(&self, milliseconds: u64) {
        let until = self.start.elapsed().as_millis() as u64 + milliseconds;
        self.stalled.fetch_max(until, Ordering::Relaxed);
    }

    fn spend(&self, bytes: usize) -> bool {
        self.budget.fetch_sub(bytes as i64, Ordering::Relaxed) >= bytes as i64
    }

    async fn wait(&self, random: &mut Random) {
        loop {
            let until = self.start + Duration::from_millis(self.stalled.load(Ordering::Relaxed));
            if until <= Instant::now() {
                break;
            }
            sleep_until(until).await;
        }
        if self.delay > 0 && random.one_in(3) {
            sleep(Duration::from_millis(random.below(self.delay + 1))).await;
        }
    }
}

pub(crate) struct Reader {
    half: ReadHalf<DuplexStream>,
    weather: Arc<Weather>,
    random: Random,
}

pub(crate) struct Writer {
    half: WriteHalf<DuplexStream>,
    weather: Arc<Weather>,
    random: Random,
}

/// The wire broke.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken;

/// A wire; the far end is the server's.
pub(crate) fn wire(weather: &Arc<Weather>, random: &mut Random) -> (Reader, Writer, DuplexStream) {
    let (near, far) = duplex(weather.buffer);
    let (read, write) = split(near);
    let reader = Reader { half: read, weather: Arc::clone(weather), random: random.fork() };
    let writer = Writer { half: write, weather: Arc::clone(weather), random: random.fork() };
    (reader, writer, far)
}

impl Reader {
    /// Appends what comes next.
    pub(crate) async fn read(&mut self, into: &mut Vec<u8>) -> Result<(), Broken> {
        let Self { half, weather, random } = self;
        weather.wait(random).await;
        let most = 1 + random.below(weather.piece) as usize;
        let mut piece = half.take(most as u64);
        let count = piece.read_buf(into).await.map_err(|_| Broken)?;
        if count == 0 || !weather.spend(count) {
            return Err(Broken);
        }
        Ok(())
    }
}

impl Writer {
    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        let Self { half, weather, random } = self;
        while !bytes.is_empty() {
            let most = 1 + random.below(weather.piece) as usize;
            let (mut piece, rest) = bytes.split_at(most.min(bytes.len()));
            let left = weather.budget.load(Ordering::Relaxed).max(0) as usize;
            let through = weather.spend(piece.len());
            if !through {
                // What was before the break has arrived.
                piece = &piece[..left.min(piece.len())];
            }
            timeout(PATIENCE, half.write_all(piece))
                .await
                .map_err(|_| Broken)?
                .map_err(|_| Broken)?;
            if !through {
                return Err(Broken);
            }
            bytes = rest;
            if !bytes.is_empty() && weather.delay > 0 && random.one_in(4) {
                sleep(Duration::from_millis(random.below(weather.delay + 1))).await;
            }
        }
        Ok(())
    }
}
