use std::cell::Cell;
use std::fmt;

use serde::de::DeserializeOwned;
use sockeye_proto::socket::{
    AcknowledgementId, Arguments, ArgumentsError, FromArguments, OwnedArguments, is_no_argument,
};

use super::acknowledgement::Acknowledgement;
use super::reason::DisconnectReason;
use super::socket::Socket;
use crate::engine::CloseDetail;

/// An event on its way to its handler.
#[derive(Debug)]
pub struct EventContext<'a> {
    pub(super) socket: &'a Socket,
    pub(super) name: &'a str,
    pub(super) arguments: Arguments<'a>,
    pub(super) acknowledgement: Cell<Option<AcknowledgementId>>,
    pub(super) answering: Cell<Answering>,
}

/// Whether what a handler returns is sent as the acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answering {
    /// No: it is called beside the handlers of the event.
    Never,
    /// If it is anything but `()`: other handlers come after it.
    WithValue,
    /// Yes.
    Always,
}

impl EventContext<'_> {
    /// The socket that received the event.
    #[must_use]
    pub const fn socket(&self) -> &Socket {
        self.socket
    }

    /// The event's name.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.name
    }

    /// Its arguments, not decoded yet.
    #[must_use]
    pub const fn arguments(&self) -> Arguments<'_> {
        self.arguments
    }

    /// Takes the right to answer. `None` if no answer is wanted, or somebody has taken it.
    pub fn take_acknowledgement(&self) -> Option<Acknowledgement> {
        let id = self.acknowledgement.take()?;
        Some(Acknowledgement::new(self.socket.clone(), id))
    }

    /// The right to answer for a handler that returns an `R`, if it is its turn to.
    pub(super) fn answer_with<R>(&self) -> Option<Acknowledgement> {
        match self.answering.get() {
            Answering::Never => None,
            Answering::WithValue if is_no_argument::<R>() => None,
            Answering::WithValue | Answering::Always => self.take_acknowledgement(),
        }
    }
}

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

/// Why an extractor gave nothing: the handler is not called.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// Arguments do not fit the type.
    Arguments(ArgumentsError),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(error) => error.fmt(f),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Rejection {}

impl From<&str> for Rejection {
    fn from(reason: &str) -> Self {
        Self::Other(reason.to_owned())
    }
}

impl From<String> for Rejection {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl From<ArgumentsError> for Rejection {
    fn from(error: ArgumentsError) -> Self {
        Self::Arguments(error)
    }
}

/// What an event handler may take as a parameter.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of an event handler",
    note = "use `Socket`, `Data<T>` with `T: Deserialize`, `OwnedArguments`, `EventName` or \
            `Option<Acknowledgement>`, or implement `FromEvent` for it"
)]
pub trait FromEvent: Sized {
    /// Takes it from the event.
    ///
    /// # Errors
    /// A [`Rejection`] keeps the handler from being called; it is reported to `on_error`.
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection>;
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

/// The arguments of an event, decoded: a tuple takes one for each item, any other type the first
/// one. See [`Arguments::decode`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made to be taken apart in a parameter list")]
pub struct Data<T>(pub T);

/// What the client sent along with its request to connect (S-046), decoded. Without it, `{}`.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made to be taken apart in a parameter list")]
pub struct Auth<T>(pub T);

/// The name of the event, for a handler of several.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made to be taken apart in a parameter list")]
pub struct EventName(pub String);

impl FromEvent for Socket {
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(event.socket.clone())
    }
}

impl<T: FromArguments> FromEvent for Data<T> {
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(Self(event.arguments.decode()?))
    }
}

impl FromEvent for OwnedArguments {
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(event.arguments.to_owned())
    }
}

impl FromEvent for EventName {
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(Self(event.name.to_owned()))
    }
}

/// The right to answer; `None` if the client wants no answer. Who takes it answers by
/// [`Acknowledgement::send`], and the handler's return value is not sent.
impl FromEvent for Option<Acknowledgement> {
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection> {
        Ok(event.take_acknowledgement())
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
