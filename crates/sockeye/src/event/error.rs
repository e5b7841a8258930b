use std::fmt;

use sockeye_proto::socket::{ArgumentsError, EncodeError};

use crate::engine::SendError;

/// Why an emit sent nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The event could not be written: a reserved name, or a value that is no JSON.
    Encode(EncodeError),
    /// The socket is not connected (any more).
    Disconnected,
    /// The client reads so slowly that `max_buffered_bytes` were reached. It has been
    /// disconnected. (Servers only.)
    SlowReader,
    /// As much as may be is queued for the connection, or kept for when it is back:
    /// `max_buffered_bytes`. (Clients only.)
    BufferFull,
    /// It was volatile, and the connection was not ready for it.
    NotWritable,
    /// Too many acknowledgements are awaited from the other side
    /// (`max_pending_acknowledgements`).
    TooManyPending,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Disconnected => f.write_str("the socket is not connected"),
            Self::SlowReader => SendError::SlowReader.fmt(f),
            Self::NotWritable => SendError::NotWritable.fmt(f),
            Self::BufferFull => {
                f.write_str("as much as may be waits to be sent already: max_buffered_bytes")
            }
            Self::TooManyPending => {
                f.write_str("too many acknowledgements are awaited: max_pending_acknowledgements")
            }
        }
    }
}

impl std::error::Error for EmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<SendError> for EmitError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::SlowReader => Self::SlowReader,
            SendError::NotWritable => Self::NotWritable,
            SendError::Closed => Self::Disconnected,
        }
    }
}

/// A handler that could not be called, or failed. Given to
/// `on_error`, and logged.
#[derive(Debug)]
#[non_exhaustive]
pub struct HandlerError {
    /// The namespace.
    pub namespace: Box<str>,
    /// The socket's id.
    pub socket: Box<str>,
    /// The event's name; `connect` for a connect handler or middleware, `disconnect` for a
    /// disconnect handler: no event can have these names.
    pub event: Box<str>,
    /// What happened.
    pub kind: HandlerErrorKind,
}

/// What was wrong with a handler's call.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandlerErrorKind {
    /// The event's arguments do not fit the handler's types. The other side's mistake, mostly.
    Arguments(ArgumentsError),
    /// The event cannot be handled, says an extractor.
    Rejected(String),
    /// The handler panicked; the connection goes on. This program's mistake.
    Panicked(String),
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, socket, event, kind } = self;
        write!(f, "handler of {event:?} in {namespace} for socket {socket}: ")?;
        match kind {
            HandlerErrorKind::Arguments(error) => write!(f, "{error}"),
            HandlerErrorKind::Rejected(reason) => f.write_str(reason),
            HandlerErrorKind::Panicked(message) => write!(f, "panicked: {message}"),
        }
    }
}

impl std::error::Error for HandlerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            HandlerErrorKind::Arguments(error) => Some(error),
            HandlerErrorKind::Rejected(_) | HandlerErrorKind::Panicked(_) => None,
        }
    }
}
