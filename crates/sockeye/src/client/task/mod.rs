//! The one task of a manager: it alone reads, writes and calls the program.
//!
//! It is there from the first wish for a connection until there is none, and nobody waits to
//! reconnect. What handles do, they do to the machines, under their locks, and wake the task.

mod application;
mod calls;
mod connecting;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::FuturesUnordered;
use sockeye_proto::Moment;
use sockeye_proto::socket::{AuthRequest, TransportState};
use tokio::time::{Instant, Sleep};

use super::auth;
use super::shared::Shared;
use super::socket::{Core, News};
use crate::codec::MessageDecoder;
use crate::engine::client::Connection;
use crate::engine::{Caught, Panicked, give_way};
use application::Application;
use calls::Calls;

pub(super) struct Task {
    shared: Arc<Shared>,
    connection: Option<Connection>,
    /// Connections that say goodbye: nothing that they bring counts any more.
    leaving: Vec<Connection>,
    decoder: MessageDecoder,
    calls: Calls,
    asking: Asked,
    alarm: Option<(Moment, Pin<Box<Sleep>>)>,
    /// Until when the server's next ping must be there, by the connection's clock.
    ping_deadline: Option<Moment>,
    retired: bool,
}

impl Task {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let decoder = shared.codec.decoder();
        Self {
            shared,
            connection: None,
            leaving: Vec::new(),
            decoder,
            calls: Calls::default(),
            asking: FuturesUnordered::new(),
            alarm: None,
            ping_deadline: None,
            retired: false,
        }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        for _ in 0..ROUNDS {
            task.shared.begin_work(cx);
            task.take_wishes();
            task.answer_auth(cx);
            task.calls.poll(cx);
            task.poll_connection(cx);
            task.tell_news(cx);
            task.close_if_unused();
            task.leaving.retain_mut(|connection| {
                connection.poll(cx, &mut application::Nobody).is_pending()
            });
            task.watch_deadlines(cx);
            if !task.shared.end_work() {
                continue;
            }
            if task.is_closed() {
                task.shared.rest();
                task.retired = task.calls.is_empty() && task.shared.retire();
            }
            return if task.retired { Poll::Ready(()) } else { Poll::Pending };
        }
        give_way(cx);
        Poll::Pending
    }
}

/// So often the task looks for something to do before it lets others have the thread.
const ROUNDS: usize = 8;

/// The runtime ends before the task does: whoever waits learns that it waits for nothing.
impl Drop for Task {
    fn drop(&mut self) {
        if !self.retired {
            self.give_up();
            self.shared.lose_task();
        }
    }
}

impl Task {
    /// Whether there is no connection, and none is waited for.
    fn is_closed(&self) -> bool {
        self.connection.is_none()
            && self.leaving.is_empty()
            && self.shared.with_reconnection(|reconnection| reconnection.deadline().is_none())
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) {
        if self.shared.heartbeat.take_missed() {
            self.expired();
        }
        let Some(connection) = &mut self.connection else { return };
        let outgoing = connection.outgoing();
        if outgoing.is_open() {
            outgoing.send(self.shared.take_outbox());
        }
        let mut application = Application {
            shared: &self.shared,
            decoder: &mut self.decoder,
            calls: &mut self.calls,
            asking: &mut self.asking,
            violation: None,
        };
        let ended = connection.poll(cx, &mut application);
        if let Some(violation) = application.violation {
            return self.violated(violation);
        }
        match ended {
            Poll::Ready(ended) => self.ended(ended),
            Poll::Pending => self.publish(),
        }
    }

    /// Shows those who emit what the connection would do with an event.
    fn publish(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let outgoing = connection.outgoing();
        let transport = if !outgoing.is_open() {
            TransportState::Closed
        } else if outgoing.has_expired() {
            TransportState::Expired
        } else if outgoing.is_writable() {
            TransportState::Writable
        } else {
            TransportState::Busy
        };
        let deadline = outgoing.ping_deadline();
        if std::mem::replace(&mut self.ping_deadline, deadline) != deadline {
            let left = deadline.map(|deadline| outgoing.time_until(deadline));
            self.shared.heartbeat.await_ping(self.shared.clock.now(), left);
        }
        self.shared.publish(transport, outgoing.is_open().then(|| outgoing.transport()));
        self.shared.set_queued_bytes(outgoing.buffered_bytes());
    }

    /// Tells the program what has happened to its sockets.
    fn tell_news(&mut self, cx: &mut Context<'_>) {
        for core in self.shared.sockets() {
            while let Some(news) = core.next_news() {
                match news {
                    News::AskAuth(request) => ask(&self.shared, &mut self.asking, &core, request),
                    news => self.calls.news(cx, &core, news),
                }
            }
        }
    }

    /// Goes on with what the sockets say of themselves, and asks for their namespaces.
    fn answer_auth(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some((core, request, answer))) =
            Pin::new(&mut self.asking).poll_next(cx)
        {
            core.authenticated(request, answer);
        }
    }

    fn watch_deadlines(&mut self, cx: &mut Context<'_>) {
        loop {
            let Some(next) = self.next_deadline() else {
                self.alarm = None;
                return;
            };
            let now = self.shared.clock.now();
            if next <= now {
                self.pass_deadlines(now);
                continue;
            }
            let wait = next.since(now);
            if self.alarm.as_ref().is_none_or(|(moment, _)| *moment != next) {
                let sleep = tokio::time::sleep_until(Instant::now() + wait);
                self.alarm = Some((next, Box::pin(sleep)));
            }
            let Some((_, sleep)) = &mut self.alarm else { return };
            if sleep.as_mut().poll(cx).is_pending() {
                return;
            }
            self.alarm = None;
        }
    }

    fn next_deadline(&self) -> Option<Moment> {
        let sockets = self.shared.sockets();
        let sockets = sockets.iter().filter_map(|core| core.deadline());
        let manager = self.shared.with_reconnection(|reconnection| reconnection.deadline());
        sockets.chain(manager).min()
    }
}

/// What sockets say of themselves, while it is being found out.
type Asked = FuturesUnordered<Asking>;

/// Begins to find out what a socket says of itself.
fn ask(shared: &Shared, asking: &mut Asked, core: &Arc<Core>, request: AuthRequest) {
    if shared.has_before(core) {
        return core.postpone(request);
    }
    let auth = core.auth();
    let work = crate::engine::catch(|| auth.ask()).unwrap_or_else(|Panicked(message)| {
        Box::pin(std::future::ready(Err(auth::failed(&format!("panicked: {message}")))))
    });
    asking.push(Asking { core: Arc::clone(core), request, work: Caught(work) });
    // It is polled in the next round, where its wake-ups will reach the task.
    shared.wake();
}

/// What a socket says of itself is being found out.
struct Asking {
    core: Arc<Core>,
    request: AuthRequest,
    work: Caught<auth::Answer>,
}

impl Future for Asking {
    type Output = (Arc<Core>, AuthRequest, auth::Answer);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.work).poll(cx));
        let answer = answer
            .unwrap_or_else(|Panicked(message)| Err(auth::failed(&format!("panicked: {message}"))));
        Poll::Ready((Arc::clone(&self.core), self.request, answer))
    }
}
