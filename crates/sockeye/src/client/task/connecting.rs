//! When a connection is opened, what its end means, and when there is another attempt.

use sockeye_proto::Moment;
use sockeye_proto::socket::{ClientDisconnectReason, Due, Failed, Next, TransportState};

use super::Task;
use super::calls::gave_up;
use crate::client::socket::News;
use crate::client::{ConnectError, ManagerEvent};
use crate::engine::client::{Connection, Ended, TransportError};

impl Task {
    pub(super) fn take_wishes(&mut self) {
        let (wanted, unwanted) = self.shared.take_wishes();
        if unwanted {
            self.close(ClientDisconnectReason::ForcedClose);
        }
        let now = self.shared.clock.now();
        if wanted
            && self.shared.sockets().iter().any(|core| core.is_active())
            && self.shared.with_reconnection(|reconnection| reconnection.open(now))
        {
            self.open();
        }
    }

    fn open(&mut self) {
        self.connection = Some(Connection::open(&self.shared.dialer));
        self.shared.wake();
    }

    /// When the last socket is gone, there is no need for a connection (C-036).
    pub(super) fn close_if_unused(&mut self) {
        let waits = self.shared.with_reconnection(|reconnection| reconnection.deadline().is_some());
        if self.connection.is_none() && !waits {
            return;
        }
        if !self.shared.sockets().iter().any(|core| core.is_active()) {
            self.close(ClientDisconnectReason::ForcedClose);
        }
    }

    /// Closes the connection, after what is queued, and does not open another one by itself.
    fn close(&mut self, reason: ClientDisconnectReason) {
        self.shared.with_reconnection(|reconnection| reconnection.stop());
        if let Some(connection) = self.say_goodbye() {
            self.leaving.push(connection);
            self.gone(reason, None);
        }
        self.go_on(&Next::Rest);
        self.shared.wake();
    }

    /// What the server sent cannot be understood (C-037).
    pub(super) fn violated(&mut self, violation: String) {
        tracing::warn!(violation, "connection closed: the server broke the protocol");
        let connection = self.say_goodbye();
        self.leaving.extend(connection);
        let error = TransportError::parse(violation);
        self.gone(ClientDisconnectReason::ParseError, Some(error));
        self.reconnect_later();
    }

    /// Somebody has seen that the server's ping is late, and kept what was to be sent: so the
    /// connection is over (C-024).
    pub(super) fn expired(&mut self) {
        if self.connection.take().is_some() {
            self.gone(ClientDisconnectReason::PingTimeout, None);
            self.reconnect_later();
        }
    }

    fn say_goodbye(&mut self) -> Option<Connection> {
        let mut connection = self.connection.take()?;
        let outgoing = connection.outgoing();
        if outgoing.is_open() {
            outgoing.send(self.shared.take_outbox());
        }
        outgoing.close();
        self.shared.wake();
        Some(connection)
    }

    /// The connection is over, or never came about.
    pub(super) fn ended(&mut self, ended: Ended) {
        self.connection = None;
        if ended.opened {
            self.gone(ended.reason.into(), ended.error);
            self.reconnect_later();
        } else {
            self.failed(ended.error.map_or(ConnectError::TimedOut, ConnectError::Transport));
        }
    }

    /// Tells the sockets that there is no connection any more.
    fn gone(&mut self, reason: ClientDisconnectReason, error: Option<TransportError>) {
        // What sockets say of themselves was for this connection.
        self.asking.clear();
        self.shared.publish(TransportState::Closed, None);
        self.ping_deadline = None;
        self.shared.heartbeat.await_ping(self.shared.clock.now(), None);
        for core in self.shared.sockets() {
            core.transport_closed(reason, error.as_ref());
        }
        self.shared.clear_outbox();
        self.shared.set_queued_bytes(0);
        self.shared.tell(&ManagerEvent::Close { reason, error });
        self.shared.wake();
    }

    /// There is nobody any more who could connect.
    pub(super) fn give_up(&mut self) {
        self.shared.with_reconnection(|reconnection| reconnection.stop());
        if self.connection.take().is_some() {
            self.gone(ClientDisconnectReason::TransportClose, None);
        }
        self.shared.sockets().iter().filter(|core| core.is_active()).for_each(|core| gave_up(core));
    }

    fn reconnect_later(&self) {
        let now = self.shared.clock.now();
        let random = random();
        let next = self.shared.with_reconnection(|reconnection| reconnection.closed(now, random));
        self.go_on(&next);
    }

    /// An attempt has failed.
    fn failed(&self, error: ConnectError) {
        let now = self.shared.clock.now();
        let random = random();
        self.shared.publish(TransportState::Closed, None);
        let Failed { attempt, next } =
            self.shared.with_reconnection(|reconnection| reconnection.failed(now, random));
        for core in self.shared.sockets().iter().filter(|core| core.is_active()) {
            core.tell_later(News::Unreachable(error.clone()));
        }
        self.shared.tell(&ManagerEvent::Error(error.clone()));
        if attempt.is_some() {
            self.shared.tell(&ManagerEvent::ReconnectError(error));
        }
        self.go_on(&next);
        self.shared.wake();
    }

    fn go_on(&self, next: &Next) {
        match next {
            Next::Wait { attempt, until } => {
                let delay = until.since(self.shared.clock.now());
                let attempt = *attempt;
                self.shared.tell(&ManagerEvent::ReconnectScheduled { attempt, delay });
            }
            Next::GaveUp => {
                self.shared.tell(&ManagerEvent::ReconnectFailed);
                self.shared.sockets().iter().for_each(|core| core.no_more_attempts());
            }
            Next::Rest => self.shared.sockets().iter().for_each(|core| core.no_more_attempts()),
        }
    }

    pub(super) fn pass_deadlines(&mut self, now: Moment) {
        for core in self.shared.sockets() {
            core.pass_deadline(now);
        }
        match self.shared.with_reconnection(|reconnection| reconnection.deadline_passed(now)) {
            None => {}
            Some(Due::Attempt(attempt)) => {
                self.shared.tell(&ManagerEvent::ReconnectAttempt(attempt));
                self.open();
            }
            Some(Due::TimedOut) => {
                self.connection = None;
                self.failed(ConnectError::TimedOut);
            }
        }
    }
}

/// For the jitter of a delay.
fn random() -> u64 {
    // Without random numbers there is no jitter, which is no reason not to reconnect.
    getrandom::u64().unwrap_or(0)
}
