use std::time::Duration;

use arbitrary::Arbitrary;
use sockeye_proto::socket::{
    ClientDisconnectReason, ClientNamespaceOptions, Delivery, Overflow, TransportState,
};

/// What the namespace may hold; times in milliseconds.
#[derive(Arbitrary, Debug)]
pub(super) struct Beginning {
    retries: u8,
    ack_timeout: Option<u8>,
    max_buffered_bytes: u16,
    drop_oldest: bool,
    max_pending: u8,
    max_early: u16,
}

impl Beginning {
    pub(super) fn options(&self) -> ClientNamespaceOptions {
        ClientNamespaceOptions {
            retries: (self.retries % 4).into(),
            ack_timeout: self.ack_timeout.map(|time| Duration::from_millis(time.into())),
            max_buffered_bytes: self.max_buffered_bytes.into(),
            overflow: if self.drop_oldest { Overflow::DropOldest } else { Overflow::Refuse },
            max_pending_acknowledgements: self.max_pending.into(),
            max_received_before_connect: self.max_early.into(),
        }
    }
}

/// One thing that happens; what cannot happen changes nothing. `which` is one of those that there
/// are or were, the latest first.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Operation {
    Connect,
    Disconnect,
    TransportOpened,
    TransportClosed { reason: Reason },
    Authenticated { which: u8 },
    AuthenticationFailed { which: u8 },
    Receive { packet: Kind },
    Emit { delivery: Way, awaited: bool, bytes: u8, transport: Transport },
    Acknowledge { which: u8 },
    GiveUp { which: u8 },
    Forget { which: u8 },
    DiscardBuffered,
    Wait { milliseconds: u8 },
    WaitForDeadline,
}

/// What the server says.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Kind {
    Connect {
        id: bool,
        pid: Option<bool>,
    },
    ConnectError,
    Disconnect,
    Event {
        asks: bool,
        offset: Option<u8>,
    },
    /// The answer to one of the events that were emitted.
    Answer {
        which: u8,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Reason {
    PingTimeout,
    TransportClose,
    TransportError,
    ParseError,
    ForcedClose,
}

impl From<Reason> for ClientDisconnectReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::PingTimeout => Self::PingTimeout,
            Reason::TransportClose => Self::TransportClose,
            Reason::TransportError => Self::TransportError,
            Reason::ParseError => Self::ParseError,
            Reason::ForcedClose => Self::ForcedClose,
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Way {
    Plain,
    Volatile,
    Retried { timeout: Option<u8> },
}

impl From<Way> for Delivery {
    fn from(way: Way) -> Self {
        match way {
            Way::Plain => Self::Plain,
            Way::Volatile => Self::Volatile,
            Way::Retried { timeout } => {
                Self::Retried { timeout: timeout.map(|time| Duration::from_millis(time.into())) }
            }
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Transport {
    Writable,
    Busy,
    Closed,
    Expired,
}

impl From<Transport> for TransportState {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Writable => Self::Writable,
            Transport::Busy => Self::Busy,
            Transport::Closed => Self::Closed,
            Transport::Expired => Self::Expired,
        }
    }
}
