//! A socket as the program sees it.

mod core;
mod life;
mod listening;
mod operator;
mod sending;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use sockeye_proto::socket::ClientNamespaceOptions;

pub(super) use self::core::{Core, News, Standing};
pub use operator::SocketOperator;

use super::auth::Auth;
use super::events::{Events, SocketEvent, Unread};
use super::shared::Shared;
use super::{Acknowledgement, ConnectError, Manager};
use crate::engine::TransportName;

/// One namespace of a server, from the client's side: events go out and come in here.
///
/// Cheap to clone; all clones are the same socket. When the last one is dropped, the socket leaves
/// its namespace, and its manager closes the connection if no other socket is on it. So the program
/// keeps one for as long as it wants to be connected. Handlers are given the socket as a parameter;
/// one that *captures* a clone keeps the socket alive by itself. What handlers have begun goes on to its
/// end, also when the socket is gone.
#[derive(Clone)]
pub struct Socket(pub(super) Arc<Handle>);

/// What the program's handles have in common. Its end is the end of the socket.
pub(super) struct Handle {
    core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.abandon();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("namespace", &self.namespace())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl Socket {
    pub(super) fn new(
        shared: &Arc<Shared>,
        namespace: &str,
        auth: Auth,
        options: ClientNamespaceOptions,
    ) -> (Arc<Core>, Self) {
        let handle = Arc::new_cyclic(|handle| Handle {
            core: Arc::new(Core::new(
                Arc::clone(shared),
                namespace.into(),
                auth,
                Arc::new(options),
                handle.clone(),
            )),
        });
        (Arc::clone(&handle.core), Self(handle))
    }

    fn core(&self) -> &Core {
        &self.0.core
    }

    /// The namespace, with its leading slash.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.core().namespace()
    }

    /// The manager whose connection this socket is on.
    #[must_use]
    pub fn manager(&self) -> Manager {
        Manager::from_shared(Arc::clone(&self.core().shared))
    }

    /// The id under which the server knows this socket; `None` while it is not connected (C-042).
    /// Another one after each reconnection, unless the server has recovered the old one.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.core().state.lock().machine.id().map(str::to_owned)
    }

    /// Whether it is connected to its namespace.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.core().state.lock().machine.is_connected()
    }

    /// Whether it is connected, or will be by itself (C-042).
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.core().is_active()
    }

    /// Whether the last connect gave it its id, rooms and missed events back (C-051).
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.core().state.lock().machine.recovered()
    }

    /// The transport that carries it now; `None` while there is no connection.
    #[must_use]
    pub fn transport(&self) -> Option<TransportName> {
        self.core().shared.transport_name()
    }

    /// Connects to the namespace, now and whenever the connection is lost, until
    /// [`disconnect`](Self::disconnect) is called or the server says no (C-053). If it waits for the
    /// next attempt to reconnect, it goes on waiting.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[track_caller]
    pub fn connect(&self) -> &Self {
        let core = self.core();
        if core.is_active() && core.shared.waits_to_reconnect() {
            return self;
        }
        core.connect();
        core.shared.open();
        self
    }

    /// Leaves the namespace, and does not come back by itself: `io client disconnect` (C-052). The
    /// connection is closed if no other socket is on it. What has not been answered is not any more.
    pub fn disconnect(&self) -> &Self {
        let core = self.core();
        core.leave();
        core.shared.wake();
        self
    }

    /// Waits until the socket is connected, through as many attempts as it takes.
    ///
    /// Cancel safety: dropped, it waits no longer, and the socket goes on connecting.
    ///
    /// # Errors
    /// If the server refuses, all attempts are used up, or the socket is not to connect (any more).
    pub async fn connected(&self) -> Result<(), ConnectError> {
        self.settled(|standing| match standing {
            Standing::Connected => Some(Ok(())),
            Standing::Over(error) => Some(Err(error.clone())),
            Standing::Apart | Standing::Failed(_) => None,
        })
        .await
    }

    /// The same, no longer than until an attempt fails: to be told at once that a server is not
    /// there. The socket goes on trying, if reconnection is on.
    ///
    /// Cancel safety: dropped, it waits no longer, and the socket goes on connecting.
    ///
    /// # Errors
    /// Why the attempt has failed.
    pub async fn first_attempt(&self) -> Result<(), ConnectError> {
        self.settled(|standing| match standing {
            Standing::Connected => Some(Ok(())),
            Standing::Over(error) | Standing::Failed(error) => Some(Err(error.clone())),
            Standing::Apart => None,
        })
        .await
    }

    async fn settled<R>(&self, mut settles: impl FnMut(&Standing) -> Option<R>) -> R {
        let mut standing = self.core().standing.subscribe();
        loop {
            if let Some(result) = settles(&standing.borrow_and_update()) {
                return result;
            }
            if standing.changed().await.is_err() {
                // The sender is in the socket that is borrowed here.
                std::future::pending::<()>().await;
            }
        }
    }

    /// What happens to this socket, as a stream: for programs that are written from top to bottom.
    ///
    /// Events are kept from the first call on, and belong to the socket: what one stream has not
    /// taken, the next one gets, and of two that read at the same time each gets some. An event
    /// that a handler is given, too, is answered by the handler. While 1024 events wait, nothing more
    /// is read from the connection, so the server's own limits end a program that does not look at
    /// them.
    ///
    /// ```no_run
    /// use sockeye::client::{self, SocketEvent};
    ///
    /// # async fn bot() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = client::connect("http://127.0.0.1:3000/").await?;
    /// let mut events = socket.events();
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         SocketEvent::Event(event) if event.name() == "chat message" => {
    ///             println!("{}", event.decode::<String>()?);
    ///         }
    ///         SocketEvent::Disconnect(disconnect) => println!("gone: {disconnect}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn events(&self) -> Events {
        self.core().state.lock().queue.get_or_insert_default();
        Events { socket: self.clone() }
    }

    pub(super) fn poll_event(&self, cx: &Context<'_>) -> Poll<Option<SocketEvent>> {
        let mut state = self.core().state.lock();
        let queue = state.queue.get_or_insert_default();
        let was_full = queue.is_full();
        let unread = queue.poll(cx);
        drop(state);
        if was_full {
            self.core().shared.wake();
        }
        unread.map(|unread| unread.map(|unread| self.answerable(unread)))
    }

    /// The event, with the right to answer it.
    fn answerable(&self, Unread { mut event, answer }: Unread) -> SocketEvent {
        if let SocketEvent::Event(received) = &mut event {
            let acknowledgement = |question| Acknowledgement::new(self.clone(), question);
            received.acknowledgement = answer.map(acknowledgement);
        }
        event
    }
}

impl Core {
    fn watch_outgoing(&self, listening: bool) {
        self.shows_outgoing.store(listening, Ordering::Relaxed);
    }
}
