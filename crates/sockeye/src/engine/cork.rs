//! While a driver works through what it has read, everything that is emitted on its thread is held
//! back, and written once at the end: many packets in one system call.

use std::cell::RefCell;
use std::sync::Arc;

use smallvec::SmallVec;

use super::session::Session;

/// Sessions of one batch that are remembered without an allocation: most answer who asked.
type Held = SmallVec<[Arc<Session>; 4]>;

thread_local! {
    static CORK: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Holds back writes of this thread until it is dropped. One inside another does nothing.
pub(super) struct Cork {
    outermost: bool,
}

impl Cork {
    pub(super) fn new() -> Self {
        let outermost = CORK.with_borrow_mut(|held| {
            let outermost = held.is_none();
            held.get_or_insert_default();
            outermost
        });
        Self { outermost }
    }
}

impl Drop for Cork {
    fn drop(&mut self) {
        if self.outermost {
            let held = CORK.take().unwrap_or_default();
            held.iter().for_each(Session::uncork);
        }
    }
}

/// Whether writes of this thread are held back.
pub(super) fn is_corked() -> bool {
    CORK.with_borrow(Option::is_some)
}

/// Remembers a session that has something to write. Only while corked.
pub(super) fn hold(session: &Arc<Session>) {
    CORK.with_borrow_mut(|held| {
        if let Some(held) = held {
            held.push(Arc::clone(session));
        }
    });
}
