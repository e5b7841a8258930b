//! A client in a namespace, as handlers see it.

mod belongings;
mod membership;
mod operator;
mod sending;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use sockeye_proto::socket::PendingAcknowledgements;
use tokio::sync::oneshot;

use super::counters::Count;
use super::namespace::Namespace;
use super::recovery::Track;
use crate::engine::{Handshake, Id, Session, TransportName};
use belongings::Belongings;

pub use operator::SocketOperator;

/// A client in a namespace.
///
/// Cheap to clone; all clones are the same socket. It outlives the connection: what is emitted
/// then is refused with [`EmitError::Disconnected`](crate::EmitError::Disconnected), or kept if the
/// client may come back ([`ConnectionStateRecovery`](crate::ConnectionStateRecovery)).
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    id: Id,
    standing: AtomicU8,
    /// Whether it has listeners of its own: most have not, and are not asked.
    listens: AtomicBool,
    recovered: AtomicBool,
    namespace: Namespace,
    session: Arc<Session>,
    /// The client's JSON object; empty if it gave none.
    auth: Box<str>,
    /// What its client was sent, if it may come back.
    track: Option<Arc<Track>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rooms: Vec<Arc<str>>,
    acknowledgements: PendingAcknowledgements<oneshot::Sender<crate::event::Answer>>,
    /// What few sockets have.
    belongings: Option<Box<Belongings>>,
    /// It has left its rooms, or its client has and may come back.
    gone: bool,
}

/// A socket that is not kept alive.
#[derive(Clone)]
pub(super) struct WeakSocket(Weak<Inner>);

impl WeakSocket {
    pub(super) fn upgrade(&self) -> Option<Socket> {
        self.0.upgrade().map(Socket)
    }

    pub(super) fn is(&self, socket: &Socket) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&socket.0))
    }
}

/// Who a new socket is.
pub(super) struct Identity {
    pub(super) id: Id,
    /// What its client was sent, if it may come back.
    pub(super) track: Option<Arc<Track>>,
}

/// How a socket stands with its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Middlewares are deciding.
    Connecting,
    /// It is in.
    Connected,
    /// The application put it out; its driver has yet to see to it.
    Leaving,
    /// The same, and the connection is to be closed.
    LeavingForGood,
    /// Its connection is gone, but its client may come back.
    Away,
    /// It is out.
    Gone,
}

impl Standing {
    const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Connecting,
            1 => Self::Connected,
            2 => Self::Leaving,
            3 => Self::LeavingForGood,
            4 => Self::Away,
            _ => Self::Gone,
        }
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Socket {}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.0.id)
            .field("namespace", &self.0.namespace.name())
            .finish_non_exhaustive()
    }
}

impl Socket {
    pub(super) fn new(
        identity: Identity,
        namespace: Namespace,
        session: Arc<Session>,
        auth: Option<&str>,
    ) -> Self {
        Self(Arc::new(Inner {
            id: identity.id,
            standing: AtomicU8::new(Standing::Connecting as u8),
            listens: AtomicBool::new(false),
            recovered: AtomicBool::new(false),
            namespace,
            session,
            auth: auth.unwrap_or_default().into(),
            track: identity.track,
            state: Mutex::default(),
        }))
    }

    /// The socket's id: public, and unrelated to the session's (S-023), except for a Socket.IO 2
    /// client (S-099): see [`ServerBuilder::allow_eio3`](crate::ServerBuilder::allow_eio3).
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.id.as_str()
    }

    /// The namespace it is in.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// What the first request of the connection said (S-045).
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        self.0.session.handshake()
    }

    /// What the client sent along when it connected to the namespace, decoded; `{}` if nothing
    /// (S-046).
    ///
    /// # Errors
    /// If it does not fit the type.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(if self.0.auth.is_empty() { "{}" } else { &self.0.auth })
    }

    /// The transport that carries the connection now.
    #[must_use]
    pub fn transport(&self) -> TransportName {
        self.0.session.transport()
    }

    /// Whether it is connected: after the client was let in, before either side left.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.standing() == Standing::Connected
    }

    /// Whether its client was here before, lost its connection, and has come back to its id, its
    /// rooms and its data, and to everything that it missed (S-085). In a middleware it is already
    /// known that the client may.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.0.recovered.load(Ordering::Relaxed)
    }

    pub(super) fn set_recovered(&self, recovered: bool) {
        self.0.recovered.store(recovered, Ordering::Relaxed);
    }

    pub(super) fn raw_auth(&self) -> Option<&str> {
        Some(&*self.0.auth).filter(|auth| !auth.is_empty())
    }

    /// Whether it has listeners of its own.
    pub(super) fn listens(&self) -> bool {
        self.0.listens.load(Ordering::Acquire)
    }

    pub(super) fn key(&self) -> &Id {
        &self.0.id
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.0.session
    }

    pub(super) fn track(&self) -> Option<&Arc<Track>> {
        self.0.track.as_ref()
    }

    pub(super) fn downgrade(&self) -> WeakSocket {
        WeakSocket(Arc::downgrade(&self.0))
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::from_number(self.0.standing.load(Ordering::Acquire))
    }

    /// Whether events for it are sent, or kept.
    pub(super) fn takes_events(&self) -> bool {
        matches!(self.standing(), Standing::Connected | Standing::Away)
    }

    /// Has the memory fetched that sending will need.
    pub(super) fn prefetch(&self) {
        self.0.session.prefetch();
    }

    /// The client is in.
    fn connected(&self) {
        if self.change(Standing::Connecting, Standing::Connected) {
            self.0.namespace.counters().add(Count::SocketsConnected, 1);
        }
    }

    fn stand(&self, standing: Standing) {
        self.0.standing.store(standing as u8, Ordering::Release);
    }

    fn change(&self, from: Standing, to: Standing) -> bool {
        let order = Ordering::AcqRel;
        let changed =
            self.0.standing.compare_exchange(from as u8, to as u8, order, Ordering::Acquire);
        changed.is_ok()
    }
}
