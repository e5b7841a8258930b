use std::time::Duration;

use sockeye_proto::socket::{FromArguments, ToArguments};

use super::Socket;
use crate::engine::Delivery;
use crate::event::EmitError;
use crate::server::AwaitAcknowledgement;

/// A way of sending to one socket: made by [`Socket::volatile`], [`Socket::compress`] and
/// [`Socket::timeout`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct SocketOperator<'a> {
    socket: &'a Socket,
    delivery: Delivery,
    timeout: Option<Duration>,
}

impl Socket {
    /// Events are dropped if the connection is not ready for them: when the kernel's buffer is
    /// full, or over polling when no request waits (S-055).
    pub const fn volatile(&self) -> SocketOperator<'_> {
        SocketOperator::new(self).volatile()
    }

    /// Chooses whether events may be compressed, where the server's options allow it. Default
    /// true.
    pub const fn compress(&self, compress: bool) -> SocketOperator<'_> {
        SocketOperator::new(self).compress(compress)
    }

    /// Chooses how long to wait for the client's answers (S-061).
    pub const fn timeout(&self, duration: Duration) -> SocketOperator<'_> {
        SocketOperator::new(self).timeout(duration)
    }
}

impl<'a> SocketOperator<'a> {
    const fn new(socket: &'a Socket) -> Self {
        Self { socket, delivery: Delivery::RELIABLE, timeout: None }
    }

    /// See [`Socket::volatile`].
    pub const fn volatile(mut self) -> Self {
        self.delivery.volatile = true;
        self
    }

    /// See [`Socket::compress`].
    pub const fn compress(mut self, compress: bool) -> Self {
        self.delivery.compress = compress;
        self
    }

    /// See [`Socket::timeout`].
    pub const fn timeout(mut self, duration: Duration) -> Self {
        self.timeout = Some(duration);
        self
    }

    /// Sends an event in this way.
    ///
    /// # Errors
    /// See [`EmitError`]; nothing was sent then.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.socket.emit_as(event, &arguments, self.delivery)
    }

    /// Sends an event in this way and waits for the client's answer: see
    /// [`Socket::emit_with_ack`].
    pub fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        arguments: impl ToArguments,
    ) -> AwaitAcknowledgement<T> {
        let answer = self.socket.ask_as(event, &arguments, self.delivery);
        match self.timeout {
            Some(duration) => answer.timeout(duration),
            None => answer,
        }
    }
}
