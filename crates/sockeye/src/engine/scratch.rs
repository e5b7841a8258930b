//! Buffers that belong to a thread and not to a connection, so that an idle connection owns none.

use std::cell::Cell;
use std::thread::LocalKey;

/// What one read takes at most.
const READ_BYTES: usize = 256 * 1024;
/// A buffer that grew beyond this for one large packet is given back.
const KEPT_BYTES: usize = 256 * 1024;

thread_local! {
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WRITE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's read buffer, of full length.
pub(super) fn with_read<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    lend(&READ, Vec::capacity, |buffer| {
        buffer.resize(READ_BYTES, 0);
        use_it(buffer)
    })
}

/// Lends the thread's write buffer, empty.
pub(super) fn with_write<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    lend(&WRITE, Vec::capacity, |buffer| {
        buffer.clear();
        use_it(buffer)
    })
}

/// Lends a thread's buffer, which holds what was left in it. It is taken out while it is lent: user
/// code that runs meanwhile (a `Serialize` that emits, a handler) finds an empty one.
pub(crate) fn lend<B: Default, R>(
    slot: &'static LocalKey<Cell<B>>,
    capacity: impl FnOnce(&B) -> usize,
    use_it: impl FnOnce(&mut B) -> R,
) -> R {
    let mut buffer = slot.take();
    let result = use_it(&mut buffer);
    if capacity(&buffer) <= KEPT_BYTES {
        slot.set(buffer);
    }
    result
}
