//! What operators get to know of clients: each thing is counted and logged in one place.
//!
//! No line holds a secret: neither the id of a session, nor what a client comes back with. Nothing
//! that a client can cause at will is above `debug`, unless it is limited to one line a second.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use sockeye_proto::socket::{EncodeError, Violation};

use super::counters::Count;
use super::error::ConnectError;
use super::reason::DisconnectReason;
use super::recovery::NotRecovered;
use super::server::Server;
use super::socket::Socket;
use crate::engine::{CloseDetail, Revision, Session};
use crate::event::{HandlerError, HandlerErrorKind};
use crate::limited::{Brief, limited};

/// A socket's id, unless it tells the id of the session, as with Socket.IO 2 clients (S-099).
struct Shown<'a>(&'a Socket);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_secret = self.0.session().revision() == Revision::Three;
        f.write_str(if is_secret { "(not shown)" } else { self.0.id() })
    }
}

/// A client is in a namespace.
pub(super) fn joined(server: &Server, socket: &Socket) {
    let recovered = socket.recovered();
    if recovered {
        server.counters().add(Count::Recovered, 1);
    }
    let namespace = Brief(socket.namespace().name());
    tracing::debug!(?namespace, socket = %Shown(socket), recovered, "joined a namespace");
}

/// A client was not let into a namespace, which need not exist.
pub(super) fn refused(server: &Server, namespace: &str, error: &ConnectError) {
    server.counters().add(Count::ClientsRefused, 1);
    let (namespace, reason) = (Brief(namespace), Brief(error.message()));
    tracing::debug!(?namespace, ?reason, "refused by a namespace");
}

/// A socket is out.
pub(super) fn left(socket: &Socket, reason: DisconnectReason, detail: CloseDetail) {
    let namespace = Brief(socket.namespace().name());
    tracing::debug!(?namespace, socket = %Shown(socket), %reason, %detail, "left a namespace");
}

/// A client that says it was here before is a new one.
pub(super) fn not_recovered(server: &Server, namespace: &str, reason: NotRecovered) {
    server.counters().add(Count::NotRecovered, 1);
    let namespace = Brief(namespace);
    tracing::debug!(?namespace, %reason, "not recovered");
}

/// A client sent what is no Socket.IO packet.
pub(super) fn invalid_packet(server: &Server, error: &dyn Error) {
    server.counters().add(Count::InvalidPackets, 1);
    let error = Brief(error);
    tracing::debug!(%error, "connection closed: the client sent no Socket.IO packet");
}

/// A client did what is not allowed at this place.
pub(super) fn violation(server: &Server, session: &Session, violation: Violation) {
    if violation == Violation::ConnectTimeout {
        server.counters().add(Count::NoConnect, 1);
        // Whoever writes a client by hand forgets it sooner or later.
        let user_agent = Brief(session.handshake().user_agent().unwrap_or_default());
        limited!(info, ?user_agent, "no CONNECT received: the client joined no namespace in time");
    } else {
        let count = match violation {
            Violation::AttachmentTimeout => Count::NoAttachments,
            _ => Count::PacketsOutOfPlace,
        };
        server.counters().add(count, 1);
        tracing::debug!(error = %violation, "connection closed: the client broke the protocol");
    }
}

/// A handler could not be called, or failed.
pub(super) fn handler_failed(server: &Server, socket: &Socket, error: &HandlerError) {
    let HandlerError { namespace, event, kind, .. } = error;
    server.counters().failed(kind);
    let (event, socket) = (Brief(event), Shown(socket));
    let namespace = Brief(namespace);
    match kind {
        HandlerErrorKind::Arguments(error) => {
            let error = Brief(error);
            tracing::debug!(?namespace, %socket, %event, %error, "handler not called");
        }
        HandlerErrorKind::Rejected(reason) => {
            let reason = Brief(reason);
            tracing::debug!(?namespace, %socket, %event, %reason, "handler not called");
        }
        HandlerErrorKind::Panicked(message) => {
            let message = Brief(message);
            limited!(warn, ?namespace, %socket, %event, %message, "handler panicked");
        }
    }
}

/// Closes the connection of a client that cannot be told what it must know.
pub(super) fn give_up(session: &Arc<Session>, error: &EncodeError) {
    limited!(warn, %error, ?session, "connection closed: a packet could not be written");
    session.close();
}
