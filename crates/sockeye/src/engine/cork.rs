//! While a driver works through what it has read, everything that is emitted on its thread is held
//! back, and written once at the end: many packets in one system call.

use std::cell::RefCell;
use std::sync::Arc;

use super::session::Session;

/// A list that grew beyond this, for one large broadcast, is given back.
const KEPT_SESSIONS: usize = 1024;

thread_local! {
    static CORK: RefCell<Held> = const { RefCell::new(Held { corked: false, sessions: Vec::new() }) };
}

/// Sessions that have something to write, and whether that is held back.
struct Held {
    corked: bool,
    sessions: Vec<Arc<Session>>,
}

/// Holds back writes of this thread until it is dropped. One inside another does nothing.
pub(super) struct Cork {
    outermost: bool,
}

impl Cork {
    pub(super) fn new() -> Self {
        let corked = CORK.with_borrow_mut(|held| std::mem::replace(&mut held.corked, true));
        Self { outermost: !corked }
    }
}

impl Drop for Cork {
    fn drop(&mut self) {
        if !self.outermost {
            return;
        }
        let mut sessions = CORK.with_borrow_mut(|held| {
            held.corked = false;
            std::mem::take(&mut held.sessions)
        });
        sessions.drain(..).for_each(|session| session.uncork());
        if sessions.capacity() <= KEPT_SESSIONS {
            CORK.with_borrow_mut(|held| held.sessions = sessions);
        }
    }
}

/// Whether writes of this thread are held back.
pub(super) fn is_corked() -> bool {
    CORK.with_borrow(|held| held.corked)
}

/// Remembers a session that has something to write. Only while corked.
pub(super) fn hold(session: &Arc<Session>) {
    CORK.with_borrow_mut(|held| {
        if held.corked {
            held.sessions.push(Arc::clone(session));
        }
    });
}
