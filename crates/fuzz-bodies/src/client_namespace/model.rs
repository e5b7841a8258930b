use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sockeye_proto::Moment;
use sockeye_proto::socket::{
    ClientDisconnectReason, ClientNamespaceOptions, Delivery, DropReason, Overflow, TransportState,
    Unanswered,
};

/// What comes of something, in order. Events are known by their numbers, which are their waiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Ask,
    Send(u32),
    SendDisconnect,
    /// An event of the server was handed over, now or late.
    Event(u32),
    Connected {
        recovered: bool,
    },
    Refused,
    Disconnected(ClientDisconnectReason),
    Answered(u32),
    Resolved(u32, Unanswered),
    Dropped(u32, DropReason),
    Discarded,
    EmitRefused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Inactive,
    Waiting,
    Asking,
    Connecting,
    Leaving { again: bool },
    Connected,
}

/// One event of the program.
#[derive(Clone, Copy, Debug)]
struct Own {
    bytes: usize,
    awaited: bool,
    timeout: Option<Duration>,
    tries: u32,
}

/// What a namespace should do, written as plainly as it can be.
pub(super) struct Model {
    pub(super) options: ClientNamespaceOptions,
    pub(super) standing: Standing,
    pub(super) transport_open: bool,
    pub(super) pid: Option<bool>,
    pub(super) offset: Option<u8>,
    pub(super) recovered: bool,
    /// Which connection this is, without those that went on where the one before had stopped.
    pub(super) connection: u32,
    left_behind: bool,
    early: Vec<(u32, Option<u8>)>,
    own: Vec<Own>,
    buffer: VecDeque<u32>,
    queue: VecDeque<u32>,
    on_its_way: bool,
    deadline: Option<Moment>,
    recheck: Option<Moment>,
    /// Those that were sent, and have an id.
    sent: BTreeMap<u32, ()>,
    pub(super) said: Vec<Said>,
}

const RECHECK: Duration = Duration::from_millis(100);

impl Model {
    pub(super) fn new(options: ClientNamespaceOptions) -> Self {
        Self {
            options,
            standing: Standing::Inactive,
            transport_open: false,
            pid: None,
            offset: None,
            recovered: false,
            connection: 0,
            left_behind: false,
            early: Vec::new(),
            own: Vec::new(),
            buffer: VecDeque::new(),
            queue: VecDeque::new(),
            on_its_way: false,
            deadline: None,
            recheck: None,
            sent: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        [self.deadline, self.recheck].into_iter().flatten().min()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.standing == Standing::Connected
    }

    pub(super) fn is_active(&self) -> bool {
        !matches!(self.standing, Standing::Inactive | Standing::Leaving { again: false })
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        self.bytes(&self.buffer) + self.bytes(&self.queue)
    }

    pub(super) fn pending(&self) -> usize {
        let kept = self.buffer.iter().chain(&self.queue).chain(self.sent.keys());
        kept.filter(|number| self.own[**number as usize].awaited).count()
    }

    /// How many events the program has emitted.
    pub(super) fn emitted(&self) -> u32 {
        self.own.len() as u32
    }

    pub(super) fn connect(&mut self) {
        match self.standing {
            Standing::Inactive if self.transport_open => self.ask(),
            Standing::Inactive => self.standing = Standing::Waiting,
            Standing::Leaving { .. } => self.standing = Standing::Leaving { again: true },
            _ => {}
        }
    }

    pub(super) fn disconnect(&mut self) {
        match self.standing {
            Standing::Connected => {
                self.left_behind = true;
                self.said.push(Said::SendDisconnect);
                self.ends(Standing::Inactive, ClientDisconnectReason::ClientDisconnect);
            }
            Standing::Connecting | Standing::Leaving { .. } => {
                self.early.clear();
                self.standing = Standing::Leaving { again: false };
            }
            _ => self.standing = Standing::Inactive,
        }
    }

    pub(super) fn transport_opened(&mut self) {
        self.transport_open = true;
        if self.standing == Standing::Waiting {
            self.ask();
        }
    }

    pub(super) fn transport_closed(&mut self, reason: ClientDisconnectReason) {
        self.transport_open = false;
        self.left_behind = false;
        self.early.clear();
        match self.standing {
            Standing::Connected => self.ends(Standing::Waiting, reason),
            _ if self.is_active() => self.standing = Standing::Waiting,
            _ => self.standing = Standing::Inactive,
        }
    }

    pub(super) fn authentication_failed(&mut self) {
        self.early.clear();
        self.standing = Standing::Inactive;
        self.said.push(Said::Refused);
    }

    pub(super) fn granted(&mut self, now: Moment, has_id: bool, pid: Option<bool>) {
        match self.standing {
            Standing::Connecting if has_id => self.connected(now, pid),
            Standing::Asking | Standing::Connecting if !has_id => self.said.push(Said::Refused),
            Standing::Leaving { again } if has_id => {
                self.left_behind = true;
                self.said.push(Said::SendDisconnect);
                self.left(again);
            }
            _ => {}
        }
    }

    pub(super) fn refused(&mut self) {
        match self.standing {
            Standing::Connecting => self.authentication_failed(),
            Standing::Leaving { again } => self.left(again),
            _ => {}
        }
    }

    pub(super) fn put_out(&mut self) {
        let is_meant = !(self.left_behind && matches!(self.standing, Standing::Connecting));
        if is_meant && matches!(self.standing, Standing::Connecting | Standing::Connected) {
            self.early.clear();
            self.ends(Standing::Inactive, ClientDisconnectReason::ServerDisconnect);
        }
    }

    pub(super) fn event(&mut self, number: u32, offset: Option<u8>) {
        match self.standing {
            Standing::Connected => {
                self.note(offset);
                self.said.push(Said::Event(number));
            }
            Standing::Connecting => self.early.push((number, offset)),
            _ => {}
        }
    }

    /// The server has sent more than may be kept.
    pub(super) fn too_much(&mut self) {
        assert!(self.standing == Standing::Connecting && !self.early.is_empty());
        self.early.clear();
    }

    pub(super) fn early_events(&self) -> usize {
        self.early.len()
    }

    pub(super) fn answered(&mut self, now: Moment, number: u32) {
        if !self.is_connected() {
            return;
        }
        if self.on_its_way && self.queue.front() == Some(&number) {
            self.pop_queue();
            self.take_waiter(number).then(|| self.said.push(Said::Answered(number)));
            self.send_first(now);
        } else if self.sent.remove(&number).is_some() && self.take_waiter(number) {
            self.said.push(Said::Answered(number));
        }
    }

    pub(super) fn emit(
        &mut self,
        now: Moment,
        (bytes, awaited): (usize, bool),
        delivery: Delivery,
        transport: TransportState,
    ) {
        let number = self.own.len() as u32;
        let is_full = awaited && self.pending() >= self.options.max_pending_acknowledgements;
        self.own.push(Own { bytes, awaited, timeout: self.options.ack_timeout, tries: 0 });
        if is_full {
            return self.said.push(Said::EmitRefused);
        }
        let is_open = matches!(transport, TransportState::Writable | TransportState::Busy);
        if self.is_connected() && transport == TransportState::Expired {
            self.recheck = Some(now.after(RECHECK));
        }
        match delivery {
            Delivery::Volatile if transport != TransportState::Writable => {
                self.said.push(Said::Discarded);
                self.resolve(number, Unanswered::Discarded);
            }
            Delivery::Retried { timeout } => {
                let own = &mut self.own[number as usize];
                own.timeout = timeout.or(own.timeout);
                self.keep(now, number, true, is_open);
            }
            _ if is_open && self.is_connected() && self.buffer.is_empty() => self.send(number),
            _ => self.keep(now, number, false, is_open),
        }
    }

    fn keep(&mut self, now: Moment, number: u32, is_retried: bool, is_open: bool) {
        if !self.make_room(self.own[number as usize].bytes) {
            return self.said.push(Said::EmitRefused);
        }
        let queue = if is_retried { &mut self.queue } else { &mut self.buffer };
        queue.push_back(number);
        if is_open && self.is_connected() {
            self.send_kept();
            if is_retried {
                self.send_first(now);
            }
        }
    }

    fn make_room(&mut self, bytes: usize) -> bool {
        let limit = self.options.max_buffered_bytes;
        if self.buffered_bytes() + bytes <= limit {
            return true;
        }
        if self.options.overflow == Overflow::Refuse || self.bytes(&self.queue) + bytes > limit {
            return false;
        }
        while self.buffered_bytes() + bytes > limit {
            let Some(oldest) = self.buffer.pop_front() else { break };
            self.drop_one(oldest, DropReason::Overflow, Unanswered::Dropped(DropReason::Overflow));
        }
        true
    }

    /// Whether somebody waited for it.
    pub(super) fn give_up(&mut self, number: u32) -> bool {
        let is_known = self.sent.remove(&number).is_some();
        if !is_known && let Some(place) = self.buffer.iter().position(|kept| *kept == number) {
            self.buffer.remove(place);
        }
        self.take_waiter(number)
    }

    pub(super) fn forget(&mut self, number: u32) -> bool {
        self.sent.remove(&number);
        self.take_waiter(number)
    }

    pub(super) fn discard(&mut self) {
        while let Some(number) = self.buffer.pop_front() {
            self.drop_one(number, DropReason::Abandoned, Unanswered::Disconnected);
        }
        while let Some(number) = self.pop_queue() {
            self.drop_one(number, DropReason::Abandoned, Unanswered::Disconnected);
        }
    }

    pub(super) fn deadline_passed(&mut self, now: Moment) {
        if self.recheck.is_some_and(|recheck| recheck <= now) {
            self.recheck = None;
            self.send_kept();
            self.send_first(now);
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.try_failed();
            self.send_first(now);
        }
    }

    fn ask(&mut self) {
        self.standing = Standing::Asking;
        self.said.push(Said::Ask);
    }

    fn left(&mut self, again: bool) {
        self.standing = Standing::Inactive;
        if again {
            self.ask();
        }
    }

    fn connected(&mut self, now: Moment, pid: Option<bool>) {
        self.standing = Standing::Connected;
        self.recovered = pid.is_some() && self.pid == pid;
        if !self.recovered {
            self.connection += 1;
            (self.pid, self.offset) = (pid, None);
            if self.left_behind {
                self.early.clear();
            }
        }
        self.left_behind = false;
        for (number, offset) in std::mem::take(&mut self.early) {
            self.note(offset);
            self.said.push(Said::Event(number));
        }
        self.send_kept();
        self.send_first(now);
        self.said.push(Said::Connected { recovered: self.recovered });
    }

    fn ends(&mut self, standing: Standing, reason: ClientDisconnectReason) {
        self.standing = standing;
        self.recheck = None;
        self.said.push(Said::Disconnected(reason));
        for number in std::mem::take(&mut self.sent).into_keys() {
            self.resolve(number, Unanswered::Disconnected);
        }
        self.try_failed();
    }

    fn note(&mut self, offset: Option<u8>) {
        if self.pid.is_some() && offset.is_some() {
            self.offset = offset;
        }
    }

    fn send(&mut self, number: u32) {
        if self.own[number as usize].awaited {
            self.sent.insert(number, ());
        }
        self.said.push(Said::Send(number));
    }

    fn send_kept(&mut self) {
        while let Some(number) = self.buffer.pop_front() {
            self.send(number);
        }
    }

    fn send_first(&mut self, now: Moment) {
        if self.on_its_way || !self.is_connected() {
            return;
        }
        let Some(number) = self.queue.front().copied() else { return };
        let own = &mut self.own[number as usize];
        own.tries += 1;
        self.on_its_way = true;
        self.deadline = own.timeout.map(|timeout| now.after(timeout));
        self.said.push(Said::Send(number));
    }

    fn try_failed(&mut self) {
        self.deadline = None;
        if std::mem::take(&mut self.on_its_way)
            && let Some(first) = self.queue.front().copied()
            && self.own[first as usize].tries > self.options.retries
        {
            self.pop_queue();
            let reason = DropReason::RetriesUsedUp;
            self.drop_one(first, reason, Unanswered::Dropped(reason));
        }
    }

    fn pop_queue(&mut self) -> Option<u32> {
        (self.on_its_way, self.deadline) = (false, None);
        self.queue.pop_front()
    }

    fn drop_one(&mut self, number: u32, reason: DropReason, unanswered: Unanswered) {
        self.said.push(Said::Dropped(number, reason));
        self.resolve(number, unanswered);
    }

    fn resolve(&mut self, number: u32, reason: Unanswered) {
        if self.take_waiter(number) {
            self.said.push(Said::Resolved(number, reason));
        }
    }

    fn take_waiter(&mut self, number: u32) -> bool {
        let own = self.own.get_mut(number as usize);
        own.is_some_and(|own| std::mem::take(&mut own.awaited))
    }

    fn bytes(&self, numbers: &VecDeque<u32>) -> usize {
        numbers.iter().map(|number| self.own[*number as usize].bytes).sum()
    }
}
