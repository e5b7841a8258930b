use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use sockeye_proto::socket::{FromArguments, ToArguments};

use super::AwaitAcknowledgement;
use super::adapter::{Command, Flags};
use super::namespace::Namespace;
use super::outgoing::OutgoingEvent;
use super::remote::RemoteSocket;
use super::rooms::{RoomNames, Target};
use super::socket::Socket;
use crate::engine::{Cork, Delivery};
use crate::event::EmitError;

/// Sockets to which something will be done: those in some rooms, but not in others (S-052).
///
/// Made by [`Namespace`], [`Server`](crate::Server) and [`Socket`]; the latter leaves itself out.
/// Each socket is counted once, in however many of the rooms it is.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct BroadcastOperator {
    namespace: Namespace,
    target: Target,
    flags: Flags,
}

impl BroadcastOperator {
    pub(super) fn new(namespace: Namespace, sender: Option<Socket>) -> Self {
        let target = Target { sender, ..Target::default() };
        let flags = Flags { delivery: Delivery::RELIABLE, local: false };
        Self { namespace, target, flags }
    }

    /// Only sockets in these rooms; called again, also sockets in those.
    pub fn to(mut self, rooms: impl RoomNames) -> Self {
        rooms.for_each_name(|room| self.target.rooms.push(room.into()));
        self
    }

    /// The same as [`to`](Self::to): Socket.IO's `in`, which is a keyword here.
    pub fn in_(self, rooms: impl RoomNames) -> Self {
        self.to(rooms)
    }

    /// No sockets in these rooms.
    pub fn except(mut self, rooms: impl RoomNames) -> Self {
        rooms.for_each_name(|room| self.target.except.push(room.into()));
        self
    }

    /// Dropped for sockets whose connection is not ready (S-055).
    pub const fn volatile(mut self) -> Self {
        self.flags.delivery.volatile = true;
        self
    }

    /// Chooses whether the event may be compressed, where the server's options allow it. Default
    /// true.
    pub const fn compress(mut self, compress: bool) -> Self {
        self.flags.delivery.compress = compress;
        self
    }

    /// Only sockets of this node.
    pub const fn local(mut self) -> Self {
        self.flags.local = true;
        self
    }

    /// Sends an event to them. Never blocks; the event is written once for all.
    ///
    /// # Errors
    /// If the event cannot be written. That a socket is gone is no error.
    pub fn emit(&self, event: &str, arguments: impl ToArguments) -> Result<(), EmitError> {
        for namespace in self.namespace.family() {
            let event = OutgoingEvent::new(namespace.encode_event(event, None, &arguments)?);
            namespace.adapter().broadcast(&namespace, &event, &self.target, self.flags);
        }
        Ok(())
    }

    /// Sends the event `message` to them, as the official server's `send` does (S-054).
    ///
    /// # Errors
    /// If the event cannot be written.
    pub fn send(&self, arguments: impl ToArguments) -> Result<(), EmitError> {
        self.emit("message", arguments)
    }

    /// Chooses how long to wait for the answers of a broadcast that asks for them (S-064).
    pub const fn timeout(self, duration: Duration) -> AcknowledgedBroadcast {
        AcknowledgedBroadcast { operator: self, timeout: duration }
    }

    /// The sockets on this node.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        let mut sockets = Vec::new();
        for namespace in self.namespace.family() {
            namespace.rooms().for_each(&self.target, |socket| sockets.push(socket.clone()));
        }
        sockets
    }

    /// The sockets on all nodes, as they are now (S-068); with [`local`](Self::local), on this
    /// one.
    pub async fn fetch_sockets(&self) -> Vec<RemoteSocket> {
        let mut sockets = Vec::new();
        for namespace in self.namespace.family() {
            let fetched = namespace.adapter().fetch_sockets(&namespace, &self.target, self.flags);
            sockets.extend(fetched.await);
        }
        sockets
    }

    /// Makes them join rooms (S-069).
    pub fn sockets_join(&self, rooms: impl RoomNames) {
        self.command(Command::Join(&names(rooms)));
    }

    /// Makes them leave rooms (S-069).
    pub fn sockets_leave(&self, rooms: impl RoomNames) {
        self.command(Command::Leave(&names(rooms)));
    }

    /// Disconnects them; with `close`, also the connections they are on (S-069).
    pub fn disconnect_sockets(&self, close: bool) {
        self.command(Command::Disconnect { close });
    }

    fn command(&self, command: Command<'_>) {
        for namespace in self.namespace.family() {
            namespace.adapter().command(&namespace, &self.target, self.flags, command);
        }
    }
}

fn names(rooms: impl RoomNames) -> Vec<Box<str>> {
    let mut names = Vec::new();
    rooms.for_each_name(|room| names.push(room.into()));
    names
}

/// A broadcast that asks each receiver for an answer: made by [`BroadcastOperator::timeout`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit_with_ack`"]
pub struct AcknowledgedBroadcast {
    operator: BroadcastOperator,
    timeout: Duration,
}

impl AcknowledgedBroadcast {
    /// Sends an event to all and waits for all answers, in no particular order (S-063).
    ///
    /// Cancel safety: dropped, it gives up the answers; the event has been sent if it was polled.
    ///
    /// # Errors
    /// If an answer did not come in time, or did not fit the type; those that did come are in the
    /// error.
    pub async fn emit_with_ack<T: FromArguments>(
        &self,
        event: &str,
        arguments: impl ToArguments,
    ) -> Result<Vec<T>, PartialAnswers<T>> {
        let asked = match self.ask::<T>(event, &arguments) {
            Ok(asked) => asked,
            Err(error) => return Err(PartialAnswers::not_sent(error)),
        };
        let mut partial = PartialAnswers { answers: Vec::new(), missing: 0, error: None };
        for answer in join_all(asked).await {
            match answer {
                Ok(answer) => partial.answers.push(answer),
                Err(_) => partial.missing += 1,
            }
        }
        if partial.missing == 0 { Ok(partial.answers) } else { Err(partial) }
    }

    /// Sends the event: what waits for each answer.
    fn ask<T: FromArguments>(
        &self,
        event: &str,
        arguments: &impl ToArguments,
    ) -> Result<Vec<AwaitAcknowledgement<T>>, EmitError> {
        let Self { operator, timeout } = self;
        let mut asked = Vec::new();
        let _cork = Cork::of_broadcast();
        for namespace in operator.namespace.family() {
            let id = namespace.next_acknowledgement_id();
            let event = OutgoingEvent::new(namespace.encode_event(event, Some(id), arguments)?);
            namespace.rooms().for_each(&operator.target, |socket| {
                let answer = socket.await_answer(id, &event, operator.flags.delivery);
                asked.push(answer.timeout(*timeout));
            });
        }
        Ok(asked)
    }
}

/// Not all receivers of a broadcast have answered.
#[derive(Debug)]
pub struct PartialAnswers<T> {
    answers: Vec<T>,
    missing: usize,
    error: Option<EmitError>,
}

impl<T> PartialAnswers<T> {
    const fn not_sent(error: EmitError) -> Self {
        Self { answers: Vec::new(), missing: 0, error: Some(error) }
    }

    /// The answers that came.
    #[must_use]
    pub fn answers(&self) -> &[T] {
        &self.answers
    }

    /// The answers that came.
    #[must_use]
    pub fn into_answers(self) -> Vec<T> {
        self.answers
    }

    /// How many sockets did not answer in time.
    #[must_use]
    pub const fn missing(&self) -> usize {
        self.missing
    }
}

impl<T> fmt::Display for PartialAnswers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => error.fmt(f),
            None => {
                let (missing, answered) = (self.missing, self.answers.len());
                write!(
                    f,
                    "operation has timed out: {missing} of {} did not answer",
                    missing + answered
                )
            }
        }
    }
}

impl<T: fmt::Debug> std::error::Error for PartialAnswers<T> {}
