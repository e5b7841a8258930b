//! What a socket of the server and one of the client do alike with events: listeners, handlers and
//! what they take, acknowledgements, and work that is not finished.
//!
//! `S` is the socket. Nothing here knows where events come from and what carries them.

mod acknowledgement;
mod context;
mod error;
mod handler;
mod listeners;
mod lists;
mod methods;
mod running;

pub use acknowledgement::{Acknowledgement, AcknowledgementError, AwaitAcknowledgement};
pub use context::{Data, EventContext, EventName, EventSocket, FromEvent, Rejection, Sealed};
pub use error::{EmitError, HandlerError, HandlerErrorKind};
pub use handler::{EventHandler, Work};
pub use listeners::ListenerId;

pub(crate) use acknowledgement::Answer;
pub(crate) use context::Answering;
pub(crate) use handler::AnyEventHandler;
#[cfg(feature = "server")]
pub(crate) use handler::AnyEventMiddleware;
pub(crate) use listeners::{
    Listener, Listeners, OutgoingListener, Position, assert_not_reserved, erase,
};
pub(crate) use lists::{Lists, Works};
pub(crate) use methods::listening_methods;
pub(crate) use running::Running;
