//! What a socket keeps with it: data, extensions, and listeners of its own.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::Socket;
use crate::event::{EventHandler, listening_methods};
use crate::server::handler::{AnyEventMiddleware, EventMiddleware};
use crate::server::listeners::{
    Listener, ListenerId, Listeners, Position, assert_not_reserved, erase, middleware_method,
};
use sockeye_proto::socket::Arguments;

#[derive(Default)]
pub(super) struct Belongings {
    data: Json,
    extensions: Vec<Arc<dyn Any + Send + Sync>>,
    listeners: Arc<Listeners>,
}

impl Socket {
    /// Keeps data with the socket; Socket.IO's `socket.data` (S-048). It is shown to all nodes of
    /// a cluster by [`fetch_sockets`](crate::Namespace::fetch_sockets), and a client that comes
    /// back finds it again.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn set_data(&self, data: impl Serialize) -> Result<(), serde_json::Error> {
        let data = serde_json::to_value(data)?;
        self.with_belongings(|belongings| belongings.data = data);
        Ok(())
    }

    /// The data that is kept with the socket, decoded; `null` if there is none.
    ///
    /// # Errors
    /// If it does not fit the type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.raw_data())
    }

    pub(in crate::server) fn raw_data(&self) -> Json {
        let state = self.0.state.lock();
        state.belongings.as_ref().map_or(Json::Null, |belongings| belongings.data.clone())
    }

    /// Keeps a value of any type with the socket, instead of any other of its type. It stays on
    /// this node.
    pub fn set_extension<T: Any + Send + Sync>(&self, value: T) {
        let mut value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        let mut state = self.0.state.lock();
        let extensions = &mut state.belongings.get_or_insert_default().extensions;
        match extensions.iter_mut().find(|known| known.is::<T>()) {
            Some(known) => std::mem::swap(known, &mut value),
            None => return extensions.push(value),
        }
        // The value that was there is dropped after the lock: its `Drop` may be anybody's.
        drop(state);
    }

    /// The value of this type that is kept with the socket.
    #[must_use]
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let state = self.0.state.lock();
        let extensions = &state.belongings.as_ref()?.extensions;
        extensions.iter().find_map(|value| Arc::clone(value).downcast().ok())
    }

    listening_methods!(
        "It is for this socket alone, beside the handlers of its namespace. What all sockets do is \
         given to the namespace, where it costs no connection anything.",
        change_listeners,
        read_listeners
    );
    middleware_method!(change_listeners);

    /// What the socket of a client that has come back takes over. Listeners are not among it: the
    /// connect handler gives them anew, as it does in the official server.
    pub(in crate::server) fn inherit(&self, before: &Self) {
        let (data, extensions) = {
            let state = before.0.state.lock();
            let Some(belongings) = &state.belongings else { return };
            (belongings.data.clone(), belongings.extensions.clone())
        };
        self.with_belongings(|belongings| {
            belongings.data = data;
            belongings.extensions = extensions;
        });
    }

    /// Its own listeners, if it has any.
    pub(in crate::server) fn listeners_of_its_own(&self) -> Option<Arc<Listeners>> {
        if !self.0.listens.load(Ordering::Acquire) {
            return None;
        }
        let state = self.0.state.lock();
        state.belongings.as_ref().map(|belongings| Arc::clone(&belongings.listeners))
    }

    /// A listener that could be called once has been called, perhaps one of its own.
    pub(super) fn forget_own_listener(&self, id: ListenerId) {
        if self.0.listens.load(Ordering::Acquire) {
            self.remove_listener(id);
        }
    }

    fn change_listeners<R>(&self, change: impl FnOnce(&mut Listeners) -> R) {
        let change = |belongings: &mut Belongings| change(Arc::make_mut(&mut belongings.listeners));
        // What was removed is dropped after the lock: its `Drop` may be anybody's.
        drop(self.with_belongings(change));
        self.0.listens.store(true, Ordering::Release);
    }

    fn read_listeners<R: Default>(&self, read: impl FnOnce(&Listeners) -> R) -> R {
        self.listeners_of_its_own().map_or_else(R::default, |own| read(&own))
    }

    fn with_belongings<R>(&self, change: impl FnOnce(&mut Belongings) -> R) -> R {
        change(self.0.state.lock().belongings.get_or_insert_default())
    }
}
