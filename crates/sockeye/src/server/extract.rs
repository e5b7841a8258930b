use serde::de::DeserializeOwned;

use super::reason::DisconnectReason;
use super::socket::Socket;
use crate::engine::CloseDetail;
use crate::event::{FromEvent, Rejection};

/// An event on its way to its handler.
pub type EventContext<'a> = crate::event::EventContext<'a, Socket>;

/// A client on its way into a namespace.
#[derive(Debug)]
pub struct ConnectContext<'a> {
    pub(super) socket: &'a Socket,
}

impl ConnectContext<'_> {
    /// The socket that is about to be connected.
    #[must_use]
    pub const fn socket(&self) -> &Socket {
        self.socket
    }
}

/// A socket that is no longer connected.
#[derive(Debug)]
pub struct DisconnectContext<'a> {
    pub(super) socket: &'a Socket,
    pub(super) reason: DisconnectReason,
    pub(super) detail: CloseDetail,
}

impl DisconnectContext<'_> {
    /// The socket that was connected.
    #[must_use]
    pub const fn socket(&self) -> &Socket {
        self.socket
    }

    /// Why it no longer is.
    #[must_use]
    pub const fn reason(&self) -> DisconnectReason {
        self.reason
    }

    /// What exactly happened.
    #[must_use]
    pub const fn detail(&self) -> CloseDetail {
        self.detail
    }
}

/// What a connect handler or a middleware may take as a parameter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a connect handler",
    note = "use `Socket` or `Auth<T>` with `T: Deserialize`, or implement `FromConnect` for it"
)]
pub trait FromConnect: Sized {
    /// Takes it from the client's request to connect.
    ///
    /// # Errors
    /// A [`Rejection`] refuses the client, who is told its text.
    fn from_connect(connect: &ConnectContext<'_>) -> Result<Self, Rejection>;
}

/// What a disconnect handler may take as a parameter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a disconnect handler",
    note = "use `Socket`, `DisconnectReason` or `CloseDetail`, or implement `FromDisconnect` \
            for it"
)]
pub trait FromDisconnect: Sized {
    /// Takes it from the disconnection. It cannot fail: a disconnect handler is always called.
    fn from_disconnect(disconnect: &DisconnectContext<'_>) -> Self;
}

/// What the client sent along with its request to connect (S-046), decoded. Without it, `{}`.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made to be taken apart in a parameter list")]
pub struct Auth<T>(pub T);

impl FromEvent<Self> for Socket {
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(event.socket().clone())
    }
}

impl FromConnect for Socket {
    fn from_connect(connect: &ConnectContext<'_>) -> Result<Self, Rejection> {
        Ok(connect.socket.clone())
    }
}

impl<T: DeserializeOwned> FromConnect for Auth<T> {
    fn from_connect(connect: &ConnectContext<'_>) -> Result<Self, Rejection> {
        connect
            .socket
            .auth()
            .map(Self)
            .map_err(|error| Rejection::Other(format!("auth does not fit: {error}")))
    }
}

impl FromDisconnect for Socket {
    fn from_disconnect(disconnect: &DisconnectContext<'_>) -> Self {
        disconnect.socket.clone()
    }
}

impl FromDisconnect for DisconnectReason {
    fn from_disconnect(disconnect: &DisconnectContext<'_>) -> Self {
        disconnect.reason
    }
}

impl FromDisconnect for CloseDetail {
    fn from_disconnect(disconnect: &DisconnectContext<'_>) -> Self {
        disconnect.detail
    }
}
