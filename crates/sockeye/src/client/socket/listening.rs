//! What a socket listens to: the same methods as the server's sockets have.

use std::sync::Arc;

use sockeye_proto::socket::Arguments;

use super::Socket;
use crate::event::{
    EventHandler, Listener, ListenerId, Listeners, Position, assert_not_reserved, erase,
    listening_methods,
};

impl Socket {
    listening_methods!(
        "Given before the socket connects, it misses nothing.",
        change_listeners,
        read_listeners
    );

    /// Calls `handler` for each event that has no handler of its own, instead of any given before.
    pub fn on_fallback<P, H: EventHandler<Self, P>>(&self, handler: H) -> &Self {
        let handler = erase(handler);
        self.change_listeners(|listeners| listeners.set_fallback(handler));
        self
    }

    fn change_listeners<R>(&self, change: impl FnOnce(&mut Listeners<Self>) -> R) {
        let core = self.core();
        let mut listeners = core.listeners.lock();
        let removed = change(Arc::make_mut(&mut listeners));
        core.watch_outgoing(!listeners.any_outgoing().is_empty());
        drop(listeners);
        // What was removed is dropped after the lock: its `Drop` may be anybody's.
        drop(removed);
    }

    fn read_listeners<R>(&self, read: impl FnOnce(&Listeners<Self>) -> R) -> R {
        read(&self.core().listeners())
    }
}
