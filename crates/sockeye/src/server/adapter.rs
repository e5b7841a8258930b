use std::fmt;

use super::counters::Deliveries;
use super::namespace::Namespace;
use super::outgoing::OutgoingEvent;
use super::remote::RemoteSocket;
use super::rooms::Target;
use crate::engine::{Cork, Delivery};
use crate::event::Work;

/// Where broadcasts and changes of rooms go: to this process, or to a cluster as well.
///
/// Chosen when the server is built, so that no type of it shows in anybody's signature.
pub(super) trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// Sends an event to the sockets of `target` in a namespace.
    fn broadcast(
        &self,
        namespace: &Namespace,
        event: &OutgoingEvent,
        target: &Target,
        flags: Flags,
    );

    /// The connected sockets of `target`.
    fn fetch_sockets(
        &self,
        namespace: &Namespace,
        target: &Target,
        flags: Flags,
    ) -> Work<Vec<RemoteSocket>>;

    /// Makes the sockets of `target` do something.
    fn command(&self, namespace: &Namespace, target: &Target, flags: Flags, command: Command<'_>);

    /// How many other servers there are.
    fn other_servers(&self) -> usize;
}

/// What sockets can be made to do from afar.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command<'a> {
    Join(&'a [Box<str>]),
    Leave(&'a [Box<str>]),
    Disconnect { close: bool },
}

/// How far a broadcast goes, and in which way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) delivery: Delivery,
    /// Only on this node.
    pub(super) local: bool,
}

/// All sockets are in this process.
#[derive(Debug)]
pub(super) struct InMemoryAdapter;

impl Adapter for InMemoryAdapter {
    fn broadcast(
        &self,
        namespace: &Namespace,
        event: &OutgoingEvent,
        target: &Target,
        flags: Flags,
    ) {
        let watched = namespace.is_watched();
        let cork = Cork::of_broadcast();
        let mut deliveries = Deliveries::default();
        namespace.rooms().for_each_receiver(target, |socket| {
            if watched || socket.listens() {
                socket.show(event);
            }
            // One who is gone, or too slow, does not concern the others.
            deliveries.note(&socket.deliver(event, flags.delivery));
        });
        drop(cork);
        namespace.counters().broadcast(&deliveries);
    }

    fn fetch_sockets(
        &self,
        namespace: &Namespace,
        target: &Target,
        _: Flags,
    ) -> Work<Vec<RemoteSocket>> {
        let mut sockets = Vec::new();
        let rooms = namespace.rooms();
        rooms.for_each(target, |socket| sockets.push(RemoteSocket::new(socket.clone())));
        Box::pin(std::future::ready(sockets))
    }

    fn command(&self, namespace: &Namespace, target: &Target, _: Flags, command: Command<'_>) {
        let mut sockets = Vec::new();
        namespace.rooms().for_each(target, |socket| sockets.push(socket.clone()));
        for socket in sockets {
            match command {
                Command::Join(rooms) => socket.join(rooms),
                Command::Leave(rooms) => socket.leave(rooms),
                Command::Disconnect { close } => socket.disconnect(close),
            }
        }
    }

    fn other_servers(&self) -> usize {
        0
    }
}
