use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::{ClientDisconnectReason, ConnectRefused};
use crate::socket::{AcknowledgementId, Arguments, Encoded, OwnedArguments};

/// An event on its way to the server.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "what is sent has these parts")]
pub struct Outgoing {
    /// The packet.
    pub packet: Encoded,
    /// Whether it may be compressed (C-050).
    pub compress: bool,
}

/// What the program wants to send.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "each part must be chosen")]
pub struct Emit<W> {
    /// The event.
    pub outgoing: Outgoing,
    /// The id with which it was written, if it asks for an acknowledgement.
    pub id: Option<AcknowledgementId>,
    /// What waits for the acknowledgement; not without an id.
    pub waiter: Option<W>,
    /// How much is done for its arrival.
    pub delivery: Delivery,
}

/// How much is done for the arrival of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol knows three ways")]
pub enum Delivery {
    /// It is kept until there is a connection, and sent once (C-043).
    #[default]
    Plain,
    /// It is dropped unless the transport takes it at once (C-045).
    Volatile,
    /// It waits for its turn, and is sent until it is answered (C-049). Needs an id.
    Retried {
        /// Time in which it must be answered; without one, that of the options.
        timeout: Option<Duration>,
    },
}

/// What the driver knows of the transport when something is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "drivers must know each")]
pub enum TransportState {
    /// It is open and takes a packet at once.
    Writable,
    /// It is open and still has to write others.
    Busy,
    /// It is not open.
    Closed,
    /// It is open, but the server's ping is late, and the driver only has not been told yet: the
    /// process was asleep. What is emitted is kept (C-024).
    Expired,
}

impl TransportState {
    pub(super) const fn takes_packets(self) -> bool {
        matches!(self, Self::Writable | Self::Busy)
    }
}

/// What became of an event.
#[derive(Debug)]
#[must_use = "what is to be sent must be sent"]
#[expect(clippy::exhaustive_enums, reason = "drivers must handle each")]
pub enum Emitted {
    /// Send it now, before what [`poll`](super::ClientNamespace::poll) says.
    Send(Outgoing),
    /// It is kept, or among the outputs.
    Kept,
    /// It was volatile and is dropped.
    Discarded,
}

/// Nothing was sent, and nothing is kept.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "these are all its parts")]
pub struct EmitRefused<W> {
    /// Why.
    pub reason: EmitRefusal,
    /// What would have waited for the acknowledgement.
    pub waiter: Option<W>,
}

/// Why an event was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EmitRefusal {
    /// As much is waiting to be sent as may be.
    BufferFull {
        /// `max_buffered_bytes`.
        limit: usize,
    },
    /// As many acknowledgements are awaited as may be.
    TooManyPending {
        /// `max_pending_acknowledgements`.
        limit: usize,
    },
    /// What is to be answered has no id: the driver's mistake.
    NoId,
}

impl fmt::Display for EmitRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferFull { limit } => {
                write!(f, "{limit} bytes are waiting to be sent (max_buffered_bytes)")
            }
            Self::TooManyPending { limit } => {
                write!(f, "{limit} acknowledgements are awaited (max_pending_acknowledgements)")
            }
            Self::NoId => f.write_str("an event that is to be answered has no id"),
        }
    }
}

impl std::error::Error for EmitRefusal {}

/// What a packet brings.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "drivers must handle each")]
pub enum Incoming<'p, W> {
    /// Call the handlers of an event.
    Event {
        /// Its name.
        name: Cow<'p, str>,
        /// Its arguments.
        arguments: Arguments<'p>,
        /// To what an answer is wanted, if one is.
        answer: Option<AnswerTo>,
    },
    /// Give what waits its answer.
    Answer {
        /// What waits.
        waiter: W,
        /// The answer.
        arguments: Arguments<'p>,
    },
}

/// The event that an acknowledgement answers, and the connection on which it came: the same number
/// means something else to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnswerTo {
    pub(super) id: AcknowledgementId,
    pub(super) connection: u64,
}

impl AnswerTo {
    /// The id with which the acknowledgement is written.
    #[must_use]
    pub const fn id(self) -> AcknowledgementId {
        self.id
    }
}

/// One question for what the client sends along with CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuthRequest(pub(super) u64);

/// What a client says to come back to where it was (C-051).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the protocol's packet has these parts")]
pub struct Recovery<'a> {
    /// The secret id that the server gave it last (S-078).
    pub pid: Option<&'a str>,
    /// The place in what it was sent up to which it has seen everything (S-079).
    pub offset: Option<&'a str>,
}

/// An event that came before the client was let in.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an event has these parts")]
pub struct OwnedEvent {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: OwnedArguments,
    /// To what an answer is wanted, if one is.
    pub answer: Option<AnswerTo>,
}

/// What the driver has to do. `W` is what waits for an acknowledgement.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "drivers must carry out each")]
pub enum ClientNamespaceOutput<W> {
    /// Find out what to send along with CONNECT (C-040), then call
    /// [`authenticated`](super::ClientNamespace::authenticated).
    AskAuth(AuthRequest),
    /// Send an event.
    Send(Outgoing),
    /// Send a DISCONNECT.
    SendDisconnect,
    /// Call the handlers of an event.
    Deliver(OwnedEvent),
    /// The client is in the namespace.
    Connected {
        /// It is who it was, and what it missed has been delivered (C-051).
        recovered: bool,
    },
    /// The server does not let the client in (C-041).
    ConnectError(ConnectRefused),
    /// The client is no longer in the namespace.
    Disconnected(ClientDisconnectReason),
    /// No acknowledgement will come.
    Resolve(W, Unanswered),
    /// An event that had been taken will not be sent, or not again.
    Dropped {
        /// The event.
        outgoing: Outgoing,
        /// Why.
        reason: DropReason,
    },
}

/// Why there is no acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "drivers must tell each")]
pub enum Unanswered {
    /// The connection ended first (C-046).
    Disconnected,
    /// The event was volatile, and the transport did not take it (C-045).
    Discarded,
    /// The event was dropped.
    Dropped(DropReason),
}

/// Why an event was dropped that had been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "drivers must tell each")]
pub enum DropReason {
    /// There was no room for newer ones ([`Overflow::DropOldest`](super::Overflow::DropOldest)).
    Overflow,
    /// It was sent as often as it may be, and not answered (C-049).
    RetriesUsedUp,
    /// The driver gave up what was not sent yet
    /// ([`discard_buffered`](super::ClientNamespace::discard_buffered)).
    Abandoned,
}

/// What a server did that ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientViolation {
    /// It sent more events than may be kept before it let the client in.
    TooMuchBeforeConnect {
        /// Bytes: `max_received_before_connect`.
        limit: usize,
    },
}

impl fmt::Display for ClientViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuchBeforeConnect { limit } => {
                write!(f, "more than {limit} bytes of events before CONNECT")
            }
        }
    }
}

impl std::error::Error for ClientViolation {}
