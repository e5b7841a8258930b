//! Holds back what is emitted on a thread while one piece of work goes on: a driver works through
//! what it has read, a broadcast goes through its receivers. Then each connection gets many packets
//! in one system call.
//!
//! Never holds back for longer than that work, but for the [`fan_out`](super::fan_out) to many.

use std::cell::RefCell;
use std::sync::Arc;

use smallvec::SmallVec;

use super::fan_out;
use super::session::Session;

/// Sessions that are remembered without an allocation: most answer only who asked.
type Held = SmallVec<[Arc<Session>; 4]>;

/// Whether anything is held back, and for whom.
#[derive(Default)]
enum State {
    #[default]
    Open,
    Corked(Held),
}

thread_local! {
    static CORK: RefCell<State> = const { RefCell::new(State::Open) };
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
        let outermost = CORK.with_borrow_mut(|state| {
            let outermost = matches!(state, State::Open);
            if outermost {
                *state = State::Corked(Held::new());
            }
            outermost
        });
        Self { outermost, own }
    }
}

impl Drop for Cork {
    fn drop(&mut self) {
        if !self.outermost {
            return;
        }
        let State::Corked(mut held) = CORK.take() else { return };
        if let Some(own) = self.own
            && let Some(place) = held.iter().position(|session| Arc::as_ptr(session) == own)
        {
            held.swap_remove(place).uncork();
        }
        fan_out::write(held);
    }
}

/// Remembers a session that has something to write, if this thread is corked.
pub(super) fn hold(session: &Arc<Session>) -> bool {
    CORK.with_borrow_mut(|state| match state {
        State::Open => false,
        State::Corked(held) => {
            held.push(Arc::clone(session));
            true
        }
    })
}
