//! Holds back what is emitted on a thread while one piece of work goes on: a driver works through
//! what it has read, a broadcast goes through its receivers. Then each connection gets many packets
//! in one system call.
//!
//! Never holds back for longer than that work, but for the [`fan_out`] to many.

use std::cell::RefCell;
use std::sync::Arc;

use super::fan_out;
use super::session::Session;

/// A list that was longer is given back.
const KEPT: usize = 1_024;

/// Whether anything is held back, and for whom.
struct State {
    corked: bool,
    /// Its memory is the thread's, for the next cork.
    held: Vec<Arc<Session>>,
}

thread_local! {
    static CORK: RefCell<State> = const { RefCell::new(State { corked: false, held: Vec::new() }) };
}

/// Holds back writes of this thread until it is dropped. One inside another does nothing.
#[must_use = "nothing is held back once it is dropped"]
pub(crate) struct Cork {
    outermost: bool,
    /// The session, if there is one, whose peer asked for all this: it is answered first.
    own: Option<*const Session>,
}

impl Cork {
    /// For the driver of a session.
    pub(super) fn of_driver(own: &Arc<Session>) -> Self {
        Self::new(Some(Arc::as_ptr(own)))
    }

    /// For a broadcast, wherever it comes from.
    pub(crate) fn of_broadcast() -> Self {
        Self::new(None)
    }

    fn new(own: Option<*const Session>) -> Self {
        let corked = CORK.with_borrow_mut(|state| std::mem::replace(&mut state.corked, true));
        Self { outermost: !corked, own }
    }
}

impl Drop for Cork {
    fn drop(&mut self) {
        if !self.outermost {
            return;
        }
        let mut held = CORK.with_borrow_mut(|state| {
            state.corked = false;
            std::mem::take(&mut state.held)
        });
        if let Some(own) = self.own
            && let Some(place) = held.iter().position(|session| Arc::as_ptr(session) == own)
        {
            held.swap_remove(place).uncork();
        }
        fan_out::write(&mut held);
        held.shrink_to(KEPT);
        CORK.with_borrow_mut(|state| state.held = held);
    }
}

/// Remembers a session that has something to write, if this thread is corked.
pub(super) fn hold(session: &Arc<Session>) -> bool {
    CORK.with_borrow_mut(|state| {
        if state.corked {
            state.held.push(Arc::clone(session));
        }
        state.corked
    })
}
