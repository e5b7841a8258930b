//! Making bodies shorter: those that answer polls, and those of files.

use std::cell::RefCell;
use std::num::NonZero;
use std::sync::LazyLock;
use std::thread::available_parallelism;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};
use http::HeaderMap;
use tokio::sync::Semaphore;

use super::coding::Coding;

/// How the answers to polls are compressed (E-049): those of `threshold` bytes and more, for clients
/// that take gzip, deflate or br, in this order if they like them alike.
///
/// Answers of which each packet was sent with `compress(false)` are left alone. Messages over
/// WebSocket are another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct HttpCompression {
    threshold: usize,
    level: u8,
}

/// The quality of `br`: about as fast as gzip at its default.
const LIVE_BROTLI: u8 = 4;
/// Its quality for what is made once. The highest takes ten times as long to save a tenth, and
/// minutes where dependencies are not optimized.
const KEPT_BROTLI: u8 = 9;
/// zlib's default.
const DEFAULT_LEVEL: u8 = 6;
/// Longer bodies are compressed where they keep nobody waiting: this takes less than a millisecond.
const AT_ONCE: usize = 64 * 1024;
/// So many of them at once: more would be no faster, and each takes a thread and a state of zlib.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZero::get)));
/// zlib's largest window, in bits.
const WINDOW_BITS: u8 = 15;

impl Default for HttpCompression {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpCompression {
    /// The defaults: from 1024 bytes on, at level 6.
    pub const fn new() -> Self {
        Self { threshold: 1024, level: DEFAULT_LEVEL }
    }

    /// Bytes that an answer must have. Default 1024: less hardly gets shorter.
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How hard gzip and deflate try, from 1 (fastest) to 9. Default 6, as zlib's. 16 KiB of JSON take
    /// 18 µs at level 1 and 62 µs at 6, and become 3.5 and 2.3 kB. `br` has its quality 4 at every
    /// level.
    ///
    /// # Panics
    /// If it is 0 or above 9.
    #[track_caller]
    pub const fn level(mut self, level: u8) -> Self {
        assert!(matches!(level, 1..=9), "a level of compression is from 1 to 9");
        self.level = level;
        self
    }

    /// In which coding a client takes answers; `None` if it would have them as they are.
    pub(super) fn coding(request: &HeaderMap) -> Option<Coding> {
        Coding::negotiate(request, &[Coding::Gzip, Coding::Deflate, Coding::Brotli])
    }

    /// Whether a body is long enough to be compressed.
    pub(super) const fn is_worth(self, body: &Bytes) -> bool {
        body.len() >= self.threshold
    }

    /// The body in fewer bytes; `None` if it stays as it is.
    pub(super) async fn compress(self, coding: Coding, body: &Bytes) -> Option<Vec<u8>> {
        let compressed = if body.len() <= AT_ONCE {
            at_once(coding, self.level, body)
        } else {
            let _turn = TURNS.acquire().await.ok()?;
            let (level, body) = (self.level, body.clone());
            let elsewhere = move || alone(coding, level, LIVE_BROTLI, &body);
            tokio::task::spawn_blocking(elsewhere).await.ok()?
        };
        // What does not get shorter stays as it is.
        compressed.filter(|compressed| compressed.len() < body.len())
    }
}

/// The same body in as few bytes as can be had in reasonable time.
pub(crate) fn compress_for_keeps(coding: Coding, body: &[u8]) -> Option<Vec<u8>> {
    alone(coding, DEFAULT_LEVEL, KEPT_BROTLI, body)
}

/// zlib's state, a quarter of a megabyte, is made once for each thread: that takes as long as the
/// compression of a small body.
fn at_once(coding: Coding, level: u8, body: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        static LAST: RefCell<Option<(Coding, u8, Compress)>> = const { RefCell::new(None) };
    }
    if coding == Coding::Brotli {
        return brotli(LIVE_BROTLI, body);
    }
    LAST.with_borrow_mut(|last| {
        let known = last.take_if(|last| (last.0, last.1) == (coding, level));
        let mut state = known.map_or_else(|| zlib_state(coding, level), |(_, _, state)| state);
        state.reset();
        let compressed = zlib(&mut state, body);
        *last = Some((coding, level, state));
        compressed
    })
}

fn alone(coding: Coding, level: u8, quality: u8, body: &[u8]) -> Option<Vec<u8>> {
    match coding {
        Coding::Brotli => brotli(quality, body),
        Coding::Gzip | Coding::Deflate => zlib(&mut zlib_state(coding, level), body),
    }
}

fn zlib_state(coding: Coding, level: u8) -> Compress {
    let level = Compression::new(level.into());
    match coding {
        Coding::Gzip => Compress::new_gzip(level, WINDOW_BITS),
        Coding::Deflate | Coding::Brotli => Compress::new(level, true),
    }
}

fn zlib(state: &mut Compress, body: &[u8]) -> Option<Vec<u8>> {
    let mut compressed = Vec::with_capacity(body.len() / 2 + 64);
    loop {
        let taken = usize::try_from(state.total_in()).ok()?;
        let rest = body.get(taken..)?;
        match state.compress_vec(rest, &mut compressed, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return Some(compressed),
            Ok(Status::Ok | Status::BufError) => compressed.reserve(body.len() / 4 + 64),
            Err(_) => return None,
        }
    }
}

fn brotli(quality: u8, mut body: &[u8]) -> Option<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: quality.into(),
        size_hint: body.len(),
        ..Default::default()
    };
    let mut compressed = Vec::with_capacity(body.len() / 2);
    brotli::BrotliCompress(&mut body, &mut compressed, &parameters).ok()?;
    Some(compressed)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// What somebody else's reader makes of it. (Another use of the same library, at least.)
    fn inflate(coding: Coding, compressed: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(compressed).read_to_end(&mut body),
            Coding::Deflate => flate2::read::ZlibDecoder::new(compressed).read_to_end(&mut body),
            Coding::Brotli => brotli::Decompressor::new(compressed, 4096).read_to_end(&mut body),
        }
        .unwrap();
        body
    }

    #[test]
    fn every_coding_gives_back_what_it_was_given() {
        let json: String =
            (0..3_000).map(|n| format!("42[\"event\",{{\"n\":{n}}}]\u{1e}")).collect();
        let noise: Vec<u8> = (0..20_000_u64)
            .scan(7_u64, |state, _| {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Some((*state >> 56) as u8)
            })
            .collect();
        let bodies = [&b""[..], b"x", json.as_bytes(), &noise];
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            for level in [1, 6, 9] {
                for body in bodies {
                    // Twice: the second time with a state that was used.
                    for _ in 0..2 {
                        let compressed = at_once(coding, level, body).unwrap();
                        assert_eq!(inflate(coding, &compressed), body, "{coding:?} {level}");
                    }
                    let compressed = alone(coding, level, KEPT_BROTLI, body).unwrap();
                    assert_eq!(inflate(coding, &compressed), body, "{coding:?} {level}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "a level of compression is from 1 to 9")]
    fn a_level_that_does_not_exist_is_refused() {
        let _ = HttpCompression::new().level(10);
    }
}
