//! Random bytes that nobody can guess, without a question to the operating system for each few.

use std::cell::RefCell;

/// Bytes that one question to the operating system pays for.
const POOL_BYTES: usize = 2048;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], left: 0 }) };
}

/// Bytes that were fetched and not yet used: masks are four bytes for each frame, and must not be
/// predictable by whoever chooses the payload (RFC 6455 section 5.3).
struct Pool {
    bytes: [u8; POOL_BYTES],
    left: usize,
}

impl Pool {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        if self.left < N {
            getrandom::fill(&mut self.bytes).expect("the operating system gives random numbers");
            self.left = POOL_BYTES;
        }
        let start = self.left - N;
        let mut taken = [0; N];
        if let Some(bytes) = self.bytes.get_mut(start..self.left) {
            taken.copy_from_slice(bytes);
            bytes.fill(0);
        }
        self.left = start;
        taken
    }
}

/// Random bytes, each given out once.
///
/// # Panics
/// If the operating system has none to give: nothing could be masked then.
pub(super) fn bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= POOL_BYTES) };
    POOL.with_borrow_mut(Pool::take)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_are_given_out_twice() {
        let taken: std::collections::HashSet<[u8; 16]> = (0..5_000).map(|_| bytes()).collect();
        assert_eq!(taken.len(), 5_000);
        let of_other_sizes: std::collections::HashSet<[u8; 7]> =
            (0..5_000).map(|_| bytes()).collect();
        assert_eq!(of_other_sizes.len(), 5_000);
    }
}
