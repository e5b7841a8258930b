//! What all handles of a manager and its task have in common. Never does I/O.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use smallvec::SmallVec;
use sockeye_proto::Moment;
use sockeye_proto::engine::TransportName;
use sockeye_proto::socket::{
    Encoded, Reconnection, ReconnectionOptions, ReconnectionState, TransportState,
};
use tokio::sync::Notify;

use super::ManagerEvent;
use super::heartbeat::Heartbeat;
use super::socket::Core;
use super::task::Task;
use crate::codec::Codec;
use crate::engine::Clock;
use crate::engine::client::{Dialer, Sendable};

/// What is told of the steps of a connection.
type Observer = dyn Fn(&ManagerEvent) + Send + Sync;

/// A manager: its sockets, what waits to be written, and what its task is asked to do.
pub(super) struct Shared {
    pub(super) dialer: Dialer,
    pub(super) codec: Codec,
    pub(super) clock: Clock,
    pub(super) max_buffered_bytes: usize,
    pub(super) max_attachments: usize,
    pub(super) max_running_handlers: usize,
    pub(super) max_running_bytes: usize,
    state: Mutex<State>,
    outbox: Mutex<Vec<Sendable>>,
    /// There is something in the outbox that the task has not seen.
    unseen: AtomicBool,
    /// What the task knows of the transport, for whoever emits.
    transport: AtomicU8,
    pub(super) heartbeat: Heartbeat,
    /// The transport's name; none while there is no open connection.
    name: AtomicU8,
    /// Bytes in the outbox and in the connection; changed under the outbox's lock.
    queued_bytes: AtomicUsize,
    drained: Notify,
    /// The manager rests.
    rested: Notify,
    waker: AtomicWaker,
    /// There is something to do for the task.
    dirty: AtomicBool,
    /// The task is at work, and will look before it rests.
    working: AtomicBool,
    observers: Mutex<Arc<Vec<Arc<Observer>>>>,
}

/// The sockets of a manager: one, nearly always.
pub(super) type Sockets = SmallVec<[Arc<Core>; 1]>;

struct State {
    sockets: Sockets,
    reconnection: Reconnection,
    /// Somebody wants the connection to be open.
    wanted: bool,
    /// Somebody wants it to be closed.
    unwanted: bool,
    /// There is a task.
    running: bool,
    /// There is no connection, none that says goodbye, and nobody wants one.
    rests: bool,
    /// A socket was dropped since the connection was opened.
    dropped: bool,
}

impl Shared {
    pub(super) fn new(
        dialer: Dialer,
        codec: Codec,
        reconnection: ReconnectionOptions,
        limits: Limits,
    ) -> Self {
        Self {
            dialer,
            codec,
            clock: Clock::start(),
            max_buffered_bytes: limits.buffered_bytes,
            max_attachments: limits.attachments,
            max_running_handlers: limits.running_handlers,
            max_running_bytes: limits.running_bytes,
            state: Mutex::new(State {
                sockets: Sockets::new(),
                reconnection: Reconnection::new(reconnection),
                wanted: false,
                unwanted: false,
                running: false,
                rests: true,
                dropped: false,
            }),
            outbox: Mutex::default(),
            unseen: AtomicBool::new(false),
            transport: AtomicU8::new(CLOSED),
            heartbeat: Heartbeat::default(),
            name: AtomicU8::new(NO_NAME),
            queued_bytes: AtomicUsize::new(0),
            drained: Notify::new(),
            rested: Notify::new(),
            waker: AtomicWaker::new(),
            dirty: AtomicBool::new(false),
            working: AtomicBool::new(false),
            observers: Mutex::default(),
        }
    }

    /// Has the task open the connection, and starts the task if there is none.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[track_caller]
    pub(super) fn open(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.wanted = true;
        state.rests = false;
        let is_running = std::mem::replace(&mut state.running, true);
        drop(state);
        if !is_running {
            // Without the lock: where there is no runtime (any more) the task is dropped at once.
            drop(tokio::spawn(Task::new(Arc::clone(self))));
        }
        self.wake();
    }

    /// Somebody wants the connection to be open: [`open`](Self::open) follows.
    pub(super) fn want(&self) {
        self.state.lock().wanted = true;
    }

    /// Whether no connection will be opened unless a socket is told to connect.
    pub(super) fn has_given_up(&self) -> bool {
        let state = self.state.lock();
        !state.wanted && state.reconnection.state() == ReconnectionState::Idle
    }

    /// Whether there will be another attempt to reconnect, when it is time.
    pub(super) fn waits_to_reconnect(&self) -> bool {
        self.with_reconnection(|it| it.state() == ReconnectionState::Waiting)
    }

    /// Has the task close the connection, and not reconnect (C-036).
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.wanted = false;
        state.unwanted = true;
        state.reconnection.stop();
        drop(state);
        self.wake();
    }

    /// Whether the connection is to be opened, and is to be closed before that: so is one that is
    /// waited for, if there is to be no reconnection any more.
    pub(super) fn take_wishes(&self) -> (bool, bool) {
        let mut state = self.state.lock();
        let waits = state.reconnection.state() == ReconnectionState::Waiting;
        let in_vain = waits && !state.reconnection.options().enabled;
        (std::mem::take(&mut state.wanted), std::mem::take(&mut state.unwanted) || in_vain)
    }

    /// Lets the task end, unless there is something to do again.
    pub(super) fn retire(&self) -> bool {
        let mut state = self.state.lock();
        let retires = !state.wanted;
        state.running = !retires;
        retires
    }

    /// There is no connection any more, whatever handlers do: whoever waits for that is told, unless
    /// there will be another one.
    pub(super) fn rest(&self) {
        let mut state = self.state.lock();
        if !state.wanted && !std::mem::replace(&mut state.rests, true) {
            drop(state);
            self.rested.notify_waiters();
        }
    }

    /// The task is gone without having retired: its runtime has ended.
    pub(super) fn lose_task(&self) {
        let mut state = self.state.lock();
        (state.wanted, state.unwanted, state.running) = (false, false, false);
        drop(state);
        self.rest();
    }

    /// Waits until there is no connection, and nobody wants one.
    pub(super) async fn closed(&self) {
        loop {
            let rested = self.rested.notified();
            if self.state.lock().rests {
                return;
            }
            rested.await;
        }
    }

    pub(super) fn with_reconnection<R>(&self, change: impl FnOnce(&mut Reconnection) -> R) -> R {
        change(&mut self.state.lock().reconnection)
    }

    pub(super) fn sockets(&self) -> Sockets {
        self.state.lock().sockets.clone()
    }

    pub(super) fn socket(&self, namespace: &str) -> Option<Arc<Core>> {
        let state = self.state.lock();
        state.sockets.iter().find(|core| core.namespace() == namespace).cloned()
    }

    /// The socket of this namespace: the one that there is, or the one that `make` makes.
    pub(super) fn socket_or<R>(
        &self,
        namespace: &str,
        known: impl Fn(&Arc<Core>) -> Option<R>,
        make: impl FnOnce() -> (Arc<Core>, R),
    ) -> R {
        let mut state = self.state.lock();
        let of_namespace = |core: &&Arc<Core>| core.namespace() == namespace;
        if let Some(handle) = state.sockets.iter().find(of_namespace).and_then(known) {
            return handle;
        }
        let (core, handle) = make();
        state.sockets.push(core);
        handle
    }

    pub(super) fn forget(&self, core: &Core) {
        let mut state = self.state.lock();
        let place = state.sockets.iter().position(|known| std::ptr::eq(&**known, core));
        let forgotten = place.map(|place| state.sockets.remove(place));
        state.dropped |= self.is_open();
        // It is dropped after the lock: so are the program's handlers, whose `Drop` may be anything.
        drop(state);
        if forgotten.is_some()
            && let Some(next) = self.socket(core.namespace())
        {
            next.resume();
        }
    }

    /// Whether a socket that the program has dropped has still to leave this one's namespace.
    pub(super) fn has_before(&self, core: &Core) -> bool {
        let first = self.socket(core.namespace());
        first.is_some_and(|first| !std::ptr::eq(&*first, core))
    }

    /// Whether a socket was dropped since the connection was opened.
    pub(super) fn has_dropped(&self) -> bool {
        self.state.lock().dropped
    }

    /// A connection is open, on which nobody has been: the number of the attempt, if it was one.
    pub(super) fn begin_connection(&self) -> Option<u32> {
        let mut state = self.state.lock();
        state.dropped = false;
        state.reconnection.opened()
    }

    /// Queues a packet for the connection. The caller holds the lock of its socket, which keeps the
    /// packets of a namespace in their order.
    pub(super) fn push(&self, packet: &Encoded, compress: bool) {
        let mut outbox = self.outbox.lock();
        let mut bytes = 0;
        for frame in packet.frames() {
            bytes += frame.len();
            outbox.push(Sendable { frame: frame.clone(), compress });
        }
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.unseen.store(true, Ordering::SeqCst);
    }

    pub(super) fn take_outbox(&self) -> Vec<Sendable> {
        let mut outbox = self.outbox.lock();
        self.unseen.store(false, Ordering::SeqCst);
        std::mem::take(&mut *outbox)
    }

    /// What is queued is for a connection that is no more.
    pub(super) fn clear_outbox(&self) {
        drop(self.take_outbox());
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    /// So many bytes are queued in the connection.
    pub(super) fn set_queued_bytes(&self, connection: usize) {
        let outbox = self.outbox.lock();
        let bytes = connection + outbox.iter().map(|it| it.frame.len()).sum::<usize>();
        let before = self.queued_bytes.swap(bytes, Ordering::Relaxed);
        drop(outbox);
        if before > 0 && bytes == 0 {
            self.drained.notify_waiters();
        }
    }

    /// Waits until nothing is queued.
    pub(super) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.queued_bytes() == 0 {
                return;
            }
            drained.await;
        }
    }

    /// What the connection would do with an event that is emitted now.
    pub(super) fn transport(&self, now: Moment) -> TransportState {
        match self.transport.load(Ordering::Acquire) {
            WRITABLE | BUSY if self.heartbeat.is_late(now) => TransportState::Expired,
            WRITABLE => TransportState::Writable,
            BUSY => TransportState::Busy,
            EXPIRED => TransportState::Expired,
            _ => TransportState::Closed,
        }
    }

    /// Whether there is an open connection. Asked for under a socket's lock: the task changes it
    /// before it tells the sockets.
    pub(super) fn is_open(&self) -> bool {
        self.name.load(Ordering::Acquire) != NO_NAME
    }

    pub(super) fn transport_name(&self) -> Option<TransportName> {
        match self.name.load(Ordering::Acquire) {
            POLLING => Some(TransportName::Polling),
            WEBSOCKET => Some(TransportName::WebSocket),
            _ => None,
        }
    }

    /// The task tells what it knows of the connection.
    pub(super) fn publish(&self, transport: TransportState, name: Option<TransportName>) {
        let name = match name {
            None => NO_NAME,
            Some(TransportName::Polling) => POLLING,
            Some(_) => WEBSOCKET,
        };
        self.name.store(name, Ordering::Release);
        let state = match transport {
            TransportState::Writable => WRITABLE,
            TransportState::Busy => BUSY,
            TransportState::Closed => CLOSED,
            TransportState::Expired => EXPIRED,
        };
        self.transport.store(state, Ordering::Release);
    }

    /// There is something to do for the task.
    pub(super) fn wake(&self) {
        self.dirty.store(true, Ordering::SeqCst);
        self.wake_for_outbox();
    }

    /// There is something in the outbox, which is all that the task has to know. What a handler emits
    /// is taken right after it, and no reason to look at everything once more.
    pub(super) fn wake_for_outbox(&self) {
        if !self.working.load(Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    /// The task works: whoever has something for it need not wake it.
    pub(super) fn begin_work(&self, cx: &std::task::Context<'_>) {
        self.waker.register(cx.waker());
        self.working.store(true, Ordering::SeqCst);
        self.dirty.store(false, Ordering::SeqCst);
        self.unseen.store(false, Ordering::SeqCst);
    }

    /// The task wants to rest: whether there is nothing to do.
    pub(super) fn end_work(&self) -> bool {
        self.working.store(false, Ordering::SeqCst);
        !self.dirty.load(Ordering::SeqCst) && !self.unseen.load(Ordering::SeqCst)
    }

    pub(super) fn observe(&self, observer: Arc<Observer>) {
        let mut observers = self.observers.lock();
        let mut list = Vec::clone(&observers);
        list.push(observer);
        *observers = Arc::new(list);
    }

    pub(super) fn tell(&self, event: &ManagerEvent) {
        tracing::debug!(?event, "a step of a client's connection");
        let observers = Arc::clone(&*self.observers.lock());
        for observer in observers.iter() {
            if let Err(crate::engine::Panicked(message)) = crate::engine::catch(|| observer(event))
            {
                tracing::error!(message, "an observer of a manager panicked");
            }
        }
    }
}

const NO_NAME: u8 = 0;
const POLLING: u8 = 1;
const WEBSOCKET: u8 = 2;

const WRITABLE: u8 = 0;
const BUSY: u8 = 1;
const CLOSED: u8 = 2;
const EXPIRED: u8 = 3;

/// What a manager may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) buffered_bytes: usize,
    pub(super) attachments: usize,
    pub(super) running_handlers: usize,
    pub(super) running_bytes: usize,
}
