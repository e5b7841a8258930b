use std::time::Duration;

use sockeye_proto::socket::{FromArguments, ToArguments};

use super::Socket;
use crate::client::AwaitAcknowledgement;
use crate::event::EmitError;

/// A way of sending: made by [`Socket::volatile`], [`Socket::compress`] and [`Socket::timeout`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct SocketOperator<'a> {
    socket: &'a Socket,
    pub(super) manner: Manner,
}

/// How an event is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) volatile: bool,
    pub(super) compress: bool,
    pub(super) timeout: Option<Duration>,
}

impl Manner {
    pub(super) const PLAIN: Self = Self { volatile: false, compress: true, timeout: None };
}

impl Socket {
    /// Events are dropped if the connection is not ready for them, instead of being kept (C-045).
    pub const fn volatile(&self) -> SocketOperator<'_> {
        SocketOperator::new(self).volatile()
    }

    /// Chooses whether events may be compressed, where that was negotiated. Default true.
    pub const fn compress(&self, compress: bool) -> SocketOperator<'_> {
        SocketOperator::new(self).compress(compress)
    }

    /// Chooses how long to wait for the server's answers (C-046).
    pub const fn timeout(&self, duration: Duration) -> SocketOperator<'_> {
        SocketOperator::new(self).timeout(duration)
    }
}

impl<'a> SocketOperator<'a> {
    const fn new(socket: &'a Socket) -> Self {
        Self { socket, manner: Manner::PLAIN }
    }

    /// See [`Socket::volatile`].
    pub const fn volatile(mut self) -> Self {
        self.manner.volatile = true;
        self
    }

    /// See [`Socket::compress`].
    pub const fn compress(mut self, compress: bool) -> Self {
        self.manner.compress = compress;
        self
    }

    /// See [`Socket::timeout`].
    pub const fn timeout(mut self, duration: Duration) -> Self {
        self.manner.timeout = Some(duration);
        self
    }

    /// Sends an event in this way.
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.socket.emit_as(event, &arguments, self.manner)
    }

    /// Sends an event in this way and waits for the server's answer: see
    /// [`Socket::emit_with_ack`].
    pub fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        arguments: impl ToArguments,
    ) -> AwaitAcknowledgement<T> {
        self.socket.ask_as(event, &arguments, self.manner)
    }
}
