//! What is called in a socket's life, beside the handlers of its events.

use std::future::Future;
use std::sync::Arc;

use super::Socket;
use crate::client::callbacks::{Callbacks, callback};
use crate::client::{ConnectError, Disconnect, LostEvent};
use crate::event::HandlerError;

impl Socket {
    /// Calls `handler` each time when the socket has connected, also after a reconnection (C-039):
    /// after what had been kept for it was delivered and sent (C-044).
    pub fn on_connect<F, Fut>(&self, handler: F) -> &Self
    where
        F: Fn(Self) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let handler = callback(move |socket, ()| handler(socket));
        self.change_callbacks(|callbacks| callbacks.connect.push(handler))
    }

    /// Calls `handler` each time when the socket could not be connected: refused by the server, after
    /// which it does not try again, or not reached (C-039, C-041).
    pub fn on_connect_error<F, Fut>(&self, handler: F) -> &Self
    where
        F: Fn(Self, ConnectError) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let handler = callback(handler);
        self.change_callbacks(|callbacks| callbacks.connect_error.push(handler))
    }

    /// Calls `handler` each time when the socket is no longer connected (C-039).
    pub fn on_disconnect<F, Fut>(&self, handler: F) -> &Self
    where
        F: Fn(Self, Disconnect) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let handler = callback(handler);
        self.change_callbacks(|callbacks| callbacks.disconnect.push(handler))
    }

    /// Calls `watch` for each event that had been accepted and will not be sent: it fell out of a
    /// full buffer, or was sent as often as `retries` allows (C-049). It must be quick.
    pub fn on_lost(&self, watch: impl Fn(&LostEvent) + Send + Sync + 'static) -> &Self {
        self.change_callbacks(|callbacks| callbacks.lost.push(Arc::new(watch)))
    }

    /// Calls `watch` for each handler that could not be called, or panicked. It is logged as well.
    pub fn on_error(&self, watch: impl Fn(&HandlerError) + Send + Sync + 'static) -> &Self {
        self.change_callbacks(|callbacks| callbacks.error.push(Arc::new(watch)))
    }

    fn change_callbacks(&self, change: impl FnOnce(&mut Callbacks)) -> &Self {
        change(Arc::make_mut(&mut self.core().callbacks.lock()));
        self
    }
}
