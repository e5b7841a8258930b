//! How a client comes into a namespace: the namespace is found, its middlewares are asked.

use std::sync::Arc;

use sockeye_proto::socket::Offset;

use super::calls;
use super::error::ConnectError;
use super::extract::ConnectContext;
use super::handler::AnyMiddleware;
use super::listeners::Handlers;
use super::namespace::Namespace;
use super::observe;
use super::recovery::NotRecovered;
use super::server::Server;
use super::socket::{Identity, Socket};
use super::version_two;
use crate::engine::Session;
use crate::engine::{Caught, catch};

/// A client at the door of a namespace.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) socket: Socket,
    /// It was here before, and has seen everything up to this; without an offset, nothing.
    pub(super) returning: Option<Option<Offset>>,
}

/// What was decided about a client.
#[derive(Debug)]
pub(super) enum Decision {
    /// There is no namespace with this name.
    NoNamespace(String),
    /// The middlewares have spoken.
    Decided(Arrival, Result<(), ConnectError>),
}

/// What a client that comes back sends along (S-084). Anything else in its place is ignored.
#[derive(serde::Deserialize)]
struct Claim {
    pid: String,
    offset: Option<String>,
}

impl Arrival {
    /// A socket for a client that asks for the namespace: a new one, or the one that it had.
    pub(super) fn new(
        server: &Server,
        namespace: &Namespace,
        session: &Arc<Session>,
        auth: Option<&str>,
    ) -> Self {
        Self::returning(server, namespace, session, auth)
            .unwrap_or_else(|| Self::anew(server, namespace, session, auth))
    }

    fn anew(
        server: &Server,
        namespace: &Namespace,
        session: &Arc<Session>,
        auth: Option<&str>,
    ) -> Self {
        let recovery = server.recovery().filter(|recovery| recovery.is_offered_to(session));
        let track = recovery.map(|all| all.track());
        let identity = Identity { id: version_two::socket_id(namespace.name(), session), track };
        let socket = Socket::new(identity, namespace.clone(), Arc::clone(session), auth);
        Self { socket, returning: None }
    }

    fn returning(
        server: &Server,
        namespace: &Namespace,
        session: &Arc<Session>,
        auth: Option<&str>,
    ) -> Option<Self> {
        // A client of version 2 could not be told its old id.
        let recovery = server.recovery().filter(|_| !version_two::is_spoken(session))?;
        let claim: Claim = serde_json::from_str(auth?).ok()?;
        let offset = claim.offset.as_deref().map(Offset::parse);
        let found = match offset {
            Some(None) => Err(NotRecovered::InvalidOffset),
            known => recovery.find(namespace.name(), &claim.pid, known.flatten()),
        };
        let (before, track) = match found {
            Ok(found) => found,
            Err(reason) => {
                observe::not_recovered(server, namespace.name(), reason);
                recovery.give_up(namespace.name(), &claim.pid);
                return None;
            }
        };
        let identity = Identity { id: before.key().clone(), track: Some(track) };
        let socket = Socket::new(identity, namespace.clone(), Arc::clone(session), auth);
        socket.inherit(&before);
        socket.set_recovered(true);
        Some(Self { socket, returning: Some(offset.flatten()) })
    }

    /// Its place is not there any more: it is a new client, whom nobody knows.
    pub(super) fn into_new(self, server: &Server) -> Self {
        let Self { socket: before, .. } = self;
        let namespace = before.namespace();
        observe::not_recovered(server, namespace.name(), NotRecovered::Forgotten);
        if let Some(track) = before.track() {
            track.give_up();
        }
        before.dropped();
        Self::anew(server, namespace, before.session(), before.raw_auth())
    }

    /// Whether the middlewares are to be asked.
    pub(super) fn is_asked(&self, server: &Server) -> bool {
        let returns = self.returning.is_some();
        let skips = returns && server.recovery().is_some_and(|all| all.options().skip_middlewares);
        !skips && !self.socket.namespace().handlers().middlewares.is_empty()
    }
}

/// Asks asynchronous patterns for the namespace, and then its middlewares.
pub(super) async fn find_and_decide(
    server: Server,
    name: String,
    session: Arc<Session>,
    auth: Option<Box<str>>,
) -> Decision {
    let json = auth.as_deref().and_then(|auth| serde_json::from_str(auth).ok());
    let json = json.unwrap_or_else(|| serde_json::json!({}));
    match server.find_later(name.clone(), json).await {
        Some(namespace) => {
            let arrival = Arrival::new(&server, &namespace, &session, auth.as_deref());
            if arrival.is_asked(&server) {
                decide(server, arrival).await
            } else {
                Decision::Decided(arrival, Ok(()))
            }
        }
        None => Decision::NoNamespace(name),
    }
}

/// Asks the middlewares in their order, until one refuses.
///
/// If the client goes away meanwhile, this is dropped, and the socket leaves the rooms that a
/// middleware has put it into.
pub(super) async fn decide(server: Server, arrival: Arrival) -> Decision {
    let handlers: Arc<Handlers> = Arc::clone(&arrival.socket.namespace().handlers());
    let undecided = Undecided { socket: &arrival.socket, decided: false };
    let mut verdict = Ok(());
    for middleware in &handlers.middlewares {
        verdict = ask(&server, &arrival.socket, middleware).await;
        if verdict.is_err() {
            break;
        }
    }
    undecided.decided();
    Decision::Decided(arrival, verdict)
}

struct Undecided<'a> {
    socket: &'a Socket,
    decided: bool,
}

impl Undecided<'_> {
    fn decided(mut self) {
        self.decided = true;
    }
}

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        if !self.decided {
            self.socket.dropped();
        }
    }
}

async fn ask(
    server: &Server,
    socket: &Socket,
    middleware: &AnyMiddleware,
) -> Result<(), ConnectError> {
    let started = catch(|| middleware(&ConnectContext { socket }));
    let panicked = match started {
        Ok(Ok(work)) => match Caught(work).await {
            Ok(verdict) => return verdict,
            Err(panicked) => panicked,
        },
        Ok(Err(rejection)) => {
            let error = ConnectError::new(rejection.to_string());
            calls::report_rejection(server, rejection, socket, calls::CONNECT);
            return Err(error);
        }
        Err(panicked) => panicked,
    };
    calls::report_panic(server, panicked, socket, calls::CONNECT);
    Err(ConnectError::new("Internal error"))
}
