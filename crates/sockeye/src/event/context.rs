use std::cell::Cell;
use std::fmt;

use sockeye_proto::socket::{
    AcknowledgementId, Arguments, ArgumentsError, FromArguments, OwnedArguments, ToArguments,
    is_no_argument,
};

use super::acknowledgement::Acknowledgement;
use super::error::EmitError;
use super::listeners::ListenerId;

/// A socket of the server or the client, as handlers know it. Implemented by this crate alone.
pub trait EventSocket: Clone + Send + Sync + 'static + Sealed {
    /// What an answer is given to.
    #[doc(hidden)]
    type Question: Copy + fmt::Debug + Send + Sync;

    /// Answers an event of the other side.
    #[doc(hidden)]
    fn acknowledge<A: ToArguments>(
        &self,
        question: Self::Question,
        values: &A,
    ) -> Result<(), EmitError>;

    /// The answer to an event that was sent has not come in time.
    #[doc(hidden)]
    fn give_up(&self, id: AcknowledgementId);

    /// Nobody waits any more for the answer to an event that was sent.
    #[doc(hidden)]
    fn forget(&self, id: AcknowledgementId) {
        self.give_up(id);
    }

    /// A listener that could be called once has been called.
    #[doc(hidden)]
    fn forget_listener(&self, id: ListenerId);
}

/// Keeps [`EventSocket`] from being implemented elsewhere.
#[doc(hidden)]
pub trait Sealed {}

/// An event on its way to its handler.
#[derive(Debug)]
pub struct EventContext<'a, S: EventSocket> {
    pub(crate) socket: &'a S,
    pub(crate) name: &'a str,
    pub(crate) arguments: Arguments<'a>,
    pub(crate) acknowledgement: Cell<Option<S::Question>>,
    pub(crate) answering: Cell<Answering>,
}

/// Whether what a handler returns is sent as the acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answering {
    /// No: it is called beside the handlers of the event.
    Never,
    /// If it is anything but `()`: other handlers come after it.
    WithValue,
    /// Yes.
    Always,
}

impl<S: EventSocket> EventContext<'_, S> {
    /// The socket that received the event.
    #[must_use]
    pub const fn socket(&self) -> &S {
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
    pub fn take_acknowledgement(&self) -> Option<Acknowledgement<S>> {
        let question = self.acknowledgement.take()?;
        Some(Acknowledgement::new(self.socket.clone(), question))
    }

    /// The right to answer for a handler that returns an `R`, if it is its turn to.
    pub(crate) fn answer_with<R>(&self) -> Option<Acknowledgement<S>> {
        match self.answering.get() {
            Answering::Never => None,
            Answering::WithValue if is_no_argument::<R>() => None,
            Answering::WithValue | Answering::Always => self.take_acknowledgement(),
        }
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

/// What an event handler may take as a parameter, where `S` is the socket: the server's `Socket` or
/// the client's.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of an event handler",
    note = "use `Socket` (of the same side), `Data<T>` with `T: Deserialize`, `OwnedArguments`, \
            `EventName` or `Option<Acknowledgement>`, or implement `FromEvent<Socket>` for it"
)]
pub trait FromEvent<S: EventSocket>: Sized {
    /// Takes it from the event.
    ///
    /// # Errors
    /// A [`Rejection`] keeps the handler from being called; it is reported to `on_error`.
    fn from_event(event: &EventContext<'_, S>) -> Result<Self, Rejection>;
}

/// The arguments of an event, decoded: a tuple takes one for each item, any other type the first
/// one. See [`Arguments::decode`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made to be taken apart in a parameter list")]
pub struct Data<T>(pub T);

/// The name of the event, for a handler of several.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made to be taken apart in a parameter list")]
pub struct EventName(pub String);

impl<S: EventSocket, T: FromArguments> FromEvent<S> for Data<T> {
    fn from_event(event: &EventContext<'_, S>) -> Result<Self, Rejection> {
        Ok(Self(event.arguments.decode()?))
    }
}

impl<S: EventSocket> FromEvent<S> for OwnedArguments {
    fn from_event(event: &EventContext<'_, S>) -> Result<Self, Rejection> {
        Ok(event.arguments.to_owned())
    }
}

impl<S: EventSocket> FromEvent<S> for EventName {
    fn from_event(event: &EventContext<'_, S>) -> Result<Self, Rejection> {
        Ok(Self(event.name.to_owned()))
    }
}

/// The right to answer; `None` if the client wants no answer. Who takes it answers by
/// [`Acknowledgement::send`], and the handler's return value is not sent.
impl<S: EventSocket> FromEvent<S> for Option<Acknowledgement<S>> {
    fn from_event(event: &EventContext<'_, S>) -> Result<Self, Rejection> {
        Ok(event.take_acknowledgement())
    }
}
