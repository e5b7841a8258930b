use smallvec::SmallVec;

use super::context::{Answering, EventContext, EventSocket};
use super::handler::{AnyEventHandler, Work};
use super::listeners::{Listener, Listeners};

/// What the listeners of one event have to do.
pub(crate) type Works = SmallVec<[Work; 1]>;

/// What is called for one socket's events: the listeners that it shares with others, then its own.
///
/// Each is called by `call`, which knows what becomes of one that fails.
pub(crate) struct Lists<'a, S: EventSocket> {
    first: &'a Listeners<S>,
    own: Option<&'a Listeners<S>>,
}

impl<'a, S: EventSocket> Lists<'a, S> {
    pub(crate) const fn new(first: &'a Listeners<S>, own: Option<&'a Listeners<S>>) -> Self {
        Self { first, own }
    }

    /// Calls those who listen to every event.
    pub(crate) fn catch_all(
        &self,
        context: &EventContext<'_, S>,
        works: &mut Works,
        call: &mut impl FnMut(&AnyEventHandler<S>, &EventContext<'_, S>) -> Option<Work>,
    ) {
        let own = self.own.map_or(&[][..], Listeners::any);
        for listener in self.first.any().iter().chain(own) {
            works.extend(call(&listener.handler, context));
        }
    }

    /// Calls those who listen to this event, or the fallback.
    pub(crate) fn of_event(
        &self,
        context: &EventContext<'_, S>,
        works: &mut Works,
        call: &mut impl FnMut(&AnyEventHandler<S>, &EventContext<'_, S>) -> Option<Work>,
    ) {
        let own = self.own.map_or(&[][..], |own| own.of_event(context.name));
        let all = self.first.of_event(context.name).iter().chain(own);
        // Who answers depends on who is called, so it is settled first whose turn it is.
        let mut called = all.filter(|listener| takes_turn(listener, context.socket)).peekable();
        if called.peek().is_none() {
            context.answering.set(Answering::Always);
            let own = self.own.and_then(Listeners::fallback);
            if let Some(fallback) = own.or_else(|| self.first.fallback()) {
                works.extend(call(fallback, context));
            }
        }
        while let Some(listener) = called.next() {
            let is_last = called.peek().is_none();
            let answering = if is_last { Answering::Always } else { Answering::WithValue };
            context.answering.set(answering);
            works.extend(call(&listener.handler, context));
        }
    }
}

/// Whether a listener is to be called. One that may be called once is given away by this.
fn takes_turn<S: EventSocket>(listener: &Listener<AnyEventHandler<S>>, socket: &S) -> bool {
    let takes = listener.take_turn();
    if takes && listener.is_once() {
        socket.forget_listener(listener.id());
    }
    takes
}
