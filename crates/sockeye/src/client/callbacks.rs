//! What a socket calls beside the handlers of its events.

use std::future::Future;
use std::sync::Arc;

use super::socket::Socket;
use super::{ConnectError, Disconnect, LostEvent};
use crate::event::{HandlerError, Work};

/// What is called in a socket's life, in the order in which it was given.
#[derive(Clone, Default)]
pub(super) struct Callbacks {
    pub(super) connect: Vec<Arc<Callback<()>>>,
    pub(super) connect_error: Vec<Arc<Callback<ConnectError>>>,
    pub(super) disconnect: Vec<Arc<Callback<Disconnect>>>,
    pub(super) lost: Vec<Arc<Watch<LostEvent>>>,
    pub(super) error: Vec<Arc<Watch<HandlerError>>>,
}

/// What is shown something.
pub(super) type Watch<T> = dyn Fn(&T) + Send + Sync;

/// One of them, without its own types.
pub(super) type Callback<T> = dyn Fn(Socket, T) -> Work + Send + Sync;

pub(super) fn callback<T, F, Fut>(call: F) -> Arc<Callback<T>>
where
    F: Fn(Socket, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |socket, value| Box::pin(call(socket, value)))
}
