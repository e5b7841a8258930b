use std::sync::Arc;

use super::handler::{AnyConnectHandler, AnyDisconnectHandler, AnyMiddleware};
use super::rooms::RoomEvent;
use super::socket::Socket;

pub(super) use crate::event::{Listener, ListenerId, Position, assert_not_reserved, erase};

/// What is called for the events of sockets.
pub(super) type Listeners = crate::event::Listeners<Socket>;

/// What is shown events on their way out.
pub(super) type OutgoingListener = crate::event::OutgoingListener<Socket>;

/// Everything that a namespace calls, or all namespaces of a pattern.
#[derive(Default, Clone)]
pub(super) struct Handlers {
    pub(super) middlewares: Vec<Arc<AnyMiddleware>>,
    pub(super) connect: Vec<Arc<AnyConnectHandler>>,
    pub(super) disconnecting: Vec<Arc<AnyDisconnectHandler>>,
    pub(super) disconnect: Vec<Arc<AnyDisconnectHandler>>,
    pub(super) rooms: Vec<Arc<RoomObserver>>,
    pub(super) listeners: Listeners,
}

/// What is told about rooms.
pub(super) type RoomObserver = dyn Fn(RoomEvent<'_>) + Send + Sync;

/// The method that namespaces and sockets have alike beside those of
/// [`listening_methods`](crate::event::listening_methods).
macro_rules! middleware_method {
    ($change:ident) => {
        /// Has `middleware` decide about each event that arrives, before its handlers and after
        /// those given before; Socket.IO's `socket.use` (S-043).
        ///
        /// An event that a middleware refuses is dropped, and reported to
        /// [`Server::on_error`](crate::Server::on_error). While one is deciding, later events of
        /// the same connection that have middlewares wait, so their order is kept.
        pub fn event_middleware<P, M: EventMiddleware<P>>(&self, middleware: M) -> &Self {
            let middleware: AnyEventMiddleware = Box::new(move |event| middleware.call(event));
            let middleware = Arc::new(middleware);
            self.$change(|listeners| listeners.add_middleware(Arc::clone(&middleware)));
            self
        }
    };
}

pub(super) use middleware_method;
