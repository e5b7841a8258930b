use std::fmt;
use std::sync::Arc;

use sockeye_proto::socket::{ClientNamespaceOptions, ReconnectionOptions, ReconnectionState};

use super::builder::SocketBuilder;
use super::shared::Shared;
use super::{ClientBuilder, ManagerEvent};
use crate::engine::TransportName;

/// A connection to a server, which sockets share: it opens it, watches over it, and opens it again
/// when it is lost.
///
/// Cheap to clone; all clones are the same manager. Holding one keeps nothing open: the connection
/// is there while a [`Socket`](super::Socket) wants it (C-036). A second manager of the same server is
/// a second connection: there is no hidden table of them.
#[derive(Clone)]
pub struct Manager(Arc<Shared>);

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("transport", &self.transport()).finish_non_exhaustive()
    }
}

impl Manager {
    pub(super) const fn from_shared(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Begins to make a manager; the URL's path does not matter to it.
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    /// The socket of a namespace on this connection. If there is one already, the builder's options
    /// are of no use: it is that one.
    pub fn socket(&self, namespace: &str) -> SocketBuilder {
        SocketBuilder::new(Arc::clone(&self.0), namespace, ClientNamespaceOptions::default())
    }

    /// Calls `observe` for each step of the connection. It is called by the manager's task, so it
    /// must be quick. One that panics is logged.
    pub fn on_event(&self, observe: impl Fn(&ManagerEvent) + Send + Sync + 'static) -> &Self {
        self.0.observe(Arc::new(observe));
        self
    }

    /// Whether there is an open connection.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// The transport that is used now; `None` while there is no connection.
    #[must_use]
    pub fn transport(&self) -> Option<TransportName> {
        self.0.transport_name()
    }

    /// Whether the connection is there, on its way, waited for, or none of these.
    #[must_use]
    pub fn state(&self) -> ReconnectionState {
        self.0.with_reconnection(|reconnection| reconnection.state())
    }

    /// Closes the connection, after what is queued, and does not open it again by itself: its
    /// sockets are disconnected with `forced close`, and come back with their next
    /// [`connect`](super::Socket::connect).
    pub fn close(&self) {
        self.0.close();
    }

    /// Waits until the connection is closed, with the goodbye on its way, and nobody wants another
    /// one: what a program awaits after it has disconnected or dropped its sockets, before it ends.
    /// The goodbye takes at most five seconds. Handlers that have begun are not waited for.
    ///
    /// Cancel safety: dropped, it waits no longer.
    pub async fn closed(&self) {
        self.0.closed().await;
    }

    /// When and how often it reconnects (C-031, C-035).
    #[must_use]
    pub fn reconnection(&self) -> ReconnectionOptions {
        self.0.with_reconnection(|reconnection| *reconnection.options())
    }

    /// Changes when and how often it reconnects; it counts for what comes (C-035). Switched off, an
    /// attempt that is waited for is not made, and whoever waits for it is told.
    pub fn set_reconnection(&self, options: ReconnectionOptions) {
        self.0.with_reconnection(|reconnection| reconnection.set_options(options));
        self.0.wake();
    }
}
