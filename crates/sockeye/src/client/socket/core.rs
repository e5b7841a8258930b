//! A socket as its manager's task knows it. The handles of the program are around it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};
use sockeye_proto::Moment;
use sockeye_proto::socket::{
    AnswerTo, AuthRequest, ClientDisconnectReason, ClientNamespace, ClientNamespaceOptions,
    ClientNamespaceOutput as Output, ClientViolation, ConnectRefused, Encoded, Incoming,
    OwnedEvent, Packet,
};
use tokio::sync::{oneshot, watch};

use super::{Handle, Socket};
use crate::client::auth::{self, Auth};
use crate::client::callbacks::Callbacks;
use crate::client::events::{Queue, ReceivedEvent, SocketEvent};
use crate::client::shared::Shared;
use crate::client::{ConnectError, LostEvent};
use crate::engine::client::TransportError;
use crate::event::{Answer, Listeners};

/// What waits for an acknowledgement.
pub(in crate::client) type Waiter = oneshot::Sender<Answer>;

/// One namespace of a manager.
pub(in crate::client) struct Core {
    pub(in crate::client) shared: Arc<Shared>,
    namespace: Arc<str>,
    pub(super) auth: Mutex<Auth>,
    pub(super) options: Arc<ClientNamespaceOptions>,
    pub(super) state: Mutex<State>,
    pub(super) listeners: Mutex<Arc<Listeners<Socket>>>,
    /// Whether anybody wants to see what is sent.
    pub(super) shows_outgoing: AtomicBool,
    pub(super) callbacks: Mutex<Arc<Callbacks>>,
    pub(super) standing: watch::Sender<Standing>,
    handle: Weak<Handle>,
}

/// How a socket stands with its namespace.
#[derive(Clone, Debug)]
pub(in crate::client) enum Standing {
    /// It is not connected, and perhaps on its way.
    Apart,
    Connected,
    /// The last attempt has failed; another may come.
    Failed(ConnectError),
    /// It will not connect unless it is told to.
    Over(ConnectError),
}

/// What is behind a socket's lock.
pub(in crate::client) struct State {
    pub(in crate::client) machine: ClientNamespace<Waiter>,
    /// What the program is to be told by the task.
    pub(in crate::client) news: VecDeque<News>,
    /// What whoever reads [`events`](Socket::events) has not looked at yet.
    pub(in crate::client) queue: Option<Queue>,
    /// What ended the last connection.
    pub(in crate::client) failure: Option<TransportError>,
    /// What is asked when the socket that was here before has left.
    postponed: Option<AuthRequest>,
    /// The program has no handle any more.
    abandoned: bool,
}

/// What the task is to do for a socket.
#[derive(Debug)]
pub(in crate::client) enum News {
    AskAuth(AuthRequest),
    Connected {
        recovered: bool,
    },
    Refused(ConnectRefused),
    Unreachable(ConnectError),
    Disconnected(ClientDisconnectReason, Option<TransportError>),
    Event(OwnedEvent),
    Lost(LostEvent),
    /// There is no connection, and the manager does not try again by itself.
    GaveUp,
    /// The program has left before it was connected.
    Over,
}

impl Core {
    pub(super) fn new(
        shared: Arc<Shared>,
        namespace: Arc<str>,
        auth: Auth,
        options: Arc<ClientNamespaceOptions>,
        handle: Weak<Handle>,
    ) -> Self {
        let state = State {
            machine: ClientNamespace::new(Arc::clone(&options)),
            news: VecDeque::new(),
            queue: None,
            failure: None,
            postponed: None,
            abandoned: false,
        };
        Self {
            shared,
            namespace,
            auth: Mutex::new(auth),
            options,
            state: Mutex::new(state),
            listeners: Mutex::default(),
            shows_outgoing: AtomicBool::new(false),
            callbacks: Mutex::default(),
            standing: watch::Sender::new(Standing::Apart),
            handle,
        }
    }

    pub(in crate::client) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A handle for the program's code; `None` once the program has dropped all of its own.
    pub(in crate::client) fn socket(&self) -> Option<Socket> {
        self.handle.upgrade().map(Socket)
    }

    pub(in crate::client) fn auth(&self) -> Auth {
        self.auth.lock().clone()
    }

    pub(in crate::client) fn listeners(&self) -> Arc<Listeners<Socket>> {
        Arc::clone(&self.listeners.lock())
    }

    pub(in crate::client) fn callbacks(&self) -> Arc<Callbacks> {
        Arc::clone(&self.callbacks.lock())
    }

    pub(in crate::client) fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    pub(in crate::client) fn set_standing(&self, standing: Standing) {
        self.standing.send_replace(standing);
    }

    /// Sets how the socket stands, as the machine says at this moment; or leaves it as it is. The
    /// stream ends where the socket will not connect unless it is told to.
    pub(in crate::client) fn stand(
        &self,
        decide: impl FnOnce(&ClientNamespace<Waiter>) -> Option<Standing>,
    ) {
        let mut state = self.state.lock();
        if let Some(standing) = decide(&state.machine) {
            self.stands(&mut state, standing);
        }
    }

    fn stands(&self, state: &mut State, standing: Standing) {
        if let Some(queue) = &mut state.queue {
            match standing {
                Standing::Over(_) => queue.end(),
                _ => queue.begin(),
            }
        }
        self.set_standing(standing);
    }

    /// The program wants the socket to connect: all at once, so that nothing that the task tells of
    /// what was before comes in between.
    pub(super) fn connect(&self) {
        let mut state = self.state.lock();
        if !state.machine.is_connected() {
            self.stands(&mut state, Standing::Apart);
        }
        state.machine.connect(self.shared.is_open());
        self.shared.want();
        let sent = self.settle(state);
        self.show(sent);
    }

    pub(in crate::client) fn is_active(&self) -> bool {
        self.state.lock().machine.is_active()
    }

    /// Changes the machine and carries out what it says, except for what the program is told, which
    /// is left to the task.
    pub(in crate::client) fn with_machine<R>(
        &self,
        change: impl FnOnce(&mut ClientNamespace<Waiter>) -> R,
    ) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state.machine);
        let sent = self.settle(state);
        self.show(sent);
        result
    }

    /// Carries out what the machine says. What was sent is given back if somebody wants to see it.
    pub(super) fn settle(&self, mut guard: MutexGuard<'_, State>) -> Vec<Sent> {
        let state = &mut *guard;
        let mut sent = Vec::new();
        let mut something = false;
        while let Some(output) = state.machine.poll() {
            something = true;
            match output {
                Output::Send(outgoing) => {
                    self.shared.push(&outgoing.packet, outgoing.compress);
                    if self.shows_outgoing.load(Ordering::Relaxed) {
                        sent.push(outgoing.packet);
                    }
                }
                Output::SendDisconnect => self.send_disconnect(),
                Output::AskAuth(request) => state.news.push_back(News::AskAuth(request)),
                Output::Deliver(event) => state.news.push_back(News::Event(event)),
                Output::Connected { recovered } => {
                    state.news.push_back(News::Connected { recovered });
                }
                Output::ConnectError(refused) => state.news.push_back(News::Refused(refused)),
                Output::Disconnected(reason) => {
                    let failure = state.failure.clone();
                    state.news.push_back(News::Disconnected(reason, failure));
                }
                // Whoever waited may have given up just now.
                Output::Resolve(waiter, unanswered) => drop(waiter.send(Err(unanswered))),
                Output::Dropped { outgoing, reason } => {
                    state.news.push_back(News::Lost(LostEvent::new(&outgoing.packet, reason)));
                }
            }
        }
        let is_over = state.abandoned && !state.machine.is_leaving();
        drop(guard);
        if is_over {
            self.shared.forget(self);
        }
        if something {
            self.shared.wake();
        }
        sent
    }

    fn send_disconnect(&self) {
        if let Ok(packet) =
            self.shared.codec.encode(&self.namespace, |encoder| Ok(encoder.disconnect()))
        {
            self.shared.push(&packet, true);
        }
    }

    /// The program does not want to be in the namespace any more. The end of a connection ends the
    /// stream; where there is none, this is its end.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        self.set_standing(Standing::Over(ConnectError::Disconnected));
        let was_connected = state.machine.is_connected();
        state.machine.disconnect();
        if !was_connected && !state.news.is_empty() {
            state.news.push_back(News::Over);
        } else if !was_connected && let Some(queue) = &mut state.queue {
            queue.end();
        }
        drop(self.settle(state));
    }

    /// The program has no handle any more: leaves the namespace, and tells nobody. If the server has
    /// still to let it in, its manager knows it until then.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        state.machine.disconnect();
        state.machine.discard_buffered();
        drop(self.settle(state));
        self.shared.wake();
    }

    /// Whether an answer would reach the connection on which the question came.
    pub(super) fn can_answer(&self, question: AnswerTo) -> bool {
        self.state.lock().machine.can_acknowledge(question)
    }
}

/// What the task does with a socket.
impl Core {
    pub(in crate::client) fn next_news(&self) -> Option<News> {
        self.state.lock().news.pop_front()
    }

    pub(in crate::client) fn tell_later(&self, news: News) {
        self.state.lock().news.push_back(news);
    }

    pub(in crate::client) fn id(&self) -> Option<String> {
        self.state.lock().machine.id().map(str::to_owned)
    }

    pub(in crate::client) fn is_full(&self) -> bool {
        self.state.lock().queue.as_ref().is_some_and(Queue::is_full)
    }

    /// Puts an event into the stream, if anybody has ever asked for it.
    pub(in crate::client) fn queue(&self, event: impl FnOnce() -> SocketEvent) {
        self.with_queue(|queue| queue.push(event(), None));
    }

    /// The same for an event of the server, and to what it may be answered.
    pub(in crate::client) fn queue_received(
        &self,
        event: impl FnOnce() -> (ReceivedEvent, Option<AnswerTo>),
    ) {
        self.with_queue(|queue| {
            let (event, answer) = event();
            queue.push(SocketEvent::Event(event), answer);
        });
    }

    pub(in crate::client) fn with_queue(&self, change: impl FnOnce(&mut Queue)) {
        if let Some(queue) = &mut self.state.lock().queue {
            change(queue);
        }
    }

    pub(in crate::client) fn receive<'p>(
        &self,
        now: Moment,
        packet: Packet<'p>,
    ) -> Result<Option<Incoming<'p, Waiter>>, ClientViolation> {
        self.with_machine(|machine| machine.receive(now, packet))
    }

    /// Another socket of this namespace has still to leave it.
    pub(in crate::client) fn postpone(&self, request: AuthRequest) {
        self.state.lock().postponed = Some(request);
    }

    /// It has left.
    pub(in crate::client) fn resume(&self) {
        let mut state = self.state.lock();
        let postponed = state.postponed.take().map(News::AskAuth);
        state.news.extend(postponed);
    }

    /// Asks for the namespace with what the socket says of itself.
    pub(in crate::client) fn authenticated(&self, request: AuthRequest, answer: auth::Answer) {
        let json = match answer {
            Ok(json) => json,
            Err(error) => {
                return self.with_machine(|machine| machine.authentication_failed(request, error));
            }
        };
        let mut state = self.state.lock();
        if self.shared.has_dropped() {
            state.machine.left_behind();
        }
        let Some(recovery) = state.machine.authenticated(request) else { return };
        let packet = self
            .shared
            .codec
            .encode(&self.namespace, |encoder| encoder.connect_with(json.as_deref(), recovery));
        match packet {
            Ok(packet) => self.shared.push(&packet, true),
            Err(error) => state.machine.authentication_failed(request, auth::failed(&error)),
        }
        drop(self.settle(state));
        self.shared.wake();
    }

    pub(in crate::client) fn transport_closed(
        &self,
        reason: ClientDisconnectReason,
        failure: Option<&TransportError>,
    ) {
        self.state.lock().failure = failure.cloned();
        self.with_machine(|machine| machine.transport_closed(reason));
    }

    /// The manager does not try again by itself.
    pub(in crate::client) fn no_more_attempts(&self) {
        if self.is_active() {
            self.tell_later(News::GaveUp);
        }
    }

    pub(in crate::client) fn deadline(&self) -> Option<Moment> {
        self.state.lock().machine.deadline()
    }

    pub(in crate::client) fn pass_deadline(&self, now: Moment) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.with_machine(|machine| machine.deadline_passed(now));
        }
    }
}

/// An event that has gone out.
pub(super) type Sent = Encoded;
