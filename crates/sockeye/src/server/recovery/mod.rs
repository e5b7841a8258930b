//! Connection state recovery (section 2.11): a client that lost its connection gets its socket
//! back, with its id, rooms and data, and everything that it missed; or it is told that it is a
//! new one. Never something in between.
//!
//! What a client missed is known exactly, because each client's own sequence is kept (by its
//! [`Track`]), not one sequence of everybody: rooms that were joined or left meanwhile, and threads
//! that emit at the same time, make no difference.

mod options;
mod recorded;
mod track;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;
use sockeye_proto::socket::{Encoded, Offset};
use tokio::time::Instant;

use super::socket::Socket;
use crate::engine::{Id, Session};
use crate::limited::limited;

pub use options::ConnectionStateRecovery;
pub(super) use recorded::Recorded;
pub(super) use track::{Delivered, Detached, NotRecovered, Track};

/// Bytes that a client's place costs beside its packets, as far as the budget is concerned.
const PACKET_OVERHEAD: usize = 128;

/// Everybody who may come back to a server.
#[derive(Debug)]
pub(super) struct Recovery {
    options: ConnectionStateRecovery,
    tracks: Mutex<HashMap<Id, Arc<Track>, RandomState>>,
    /// Those who are away, and until when; the longest away first.
    away: Mutex<VecDeque<(Instant, Id)>>,
    /// Whether a task looks after those who are away.
    watched: AtomicBool,
    closed: AtomicBool,
    next_offset: AtomicU64,
    /// Bytes of the packets that are kept.
    bytes: AtomicUsize,
}

impl Recovery {
    pub(super) fn new(options: ConnectionStateRecovery) -> Arc<Self> {
        Arc::new(Self {
            options,
            tracks: Mutex::default(),
            away: Mutex::default(),
            watched: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            next_offset: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
        })
    }

    pub(super) const fn options(&self) -> &ConnectionStateRecovery {
        &self.options
    }

    /// Whether this client can make use of an offset.
    pub(super) fn is_offered_to(&self, session: &Session) -> bool {
        self.options.is_offered_to(session.handshake(), session.revision())
    }

    /// A place for a new client.
    pub(super) fn track(self: &Arc<Self>) -> Arc<Track> {
        Track::new(Arc::clone(self), Id::random())
    }

    /// The client is connected: from now on it may come back.
    pub(super) fn remember(&self, track: &Arc<Track>) {
        self.tracks.lock().insert(track.pid().clone(), Arc::clone(track));
    }

    /// The client that knows this secret, and its place, if it can go on from there.
    pub(super) fn find(
        &self,
        namespace: &str,
        pid: &str,
        offset: Option<Offset>,
    ) -> Result<(Socket, Arc<Track>), NotRecovered> {
        let track = self.tracks.lock().get(pid.as_bytes()).cloned().ok_or(NotRecovered::Unknown)?;
        track.can_resume(namespace, offset)?;
        Ok((track.socket().ok_or(NotRecovered::Unknown)?, track))
    }

    /// The client that knows this secret is a new one from now on.
    pub(super) fn give_up(&self, namespace: &str, pid: &str) {
        let track = self.tracks.lock().get(pid.as_bytes()).cloned();
        if let Some(track) = track.filter(|track| track.is_in(namespace)) {
            track.give_up();
        }
    }

    /// Nobody can come back any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let tracks: Vec<_> = self.tracks.lock().values().cloned().collect();
        tracks.iter().for_each(|track| track.lose());
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The client will not come back.
    pub(super) fn forget(&self, track: &Track) {
        self.tracks.lock().remove(track.pid());
    }

    /// A place that no other packet has.
    pub(super) fn next_offset(&self) -> Offset {
        Offset::new(self.next_offset.fetch_add(1, Ordering::Relaxed))
    }

    /// A packet that can be sent again, with its place.
    pub(super) fn record(self: &Arc<Self>, packet: &Encoded) -> Arc<Recorded> {
        let offset = self.next_offset();
        match packet.with_offset(offset) {
            Ok(packet) => self.record_at(packet, offset),
            Err(error) => {
                limited!(warn, %error, "an event is sent without its offset");
                // Nobody can go on from a place that no client knows.
                self.keep(packet.clone(), offset, false)
            }
        }
    }

    /// The same of a packet in which its place is written already.
    pub(super) fn record_at(self: &Arc<Self>, packet: Encoded, offset: Offset) -> Arc<Recorded> {
        self.keep(packet, offset, true)
    }

    fn keep(self: &Arc<Self>, packet: Encoded, offset: Offset, has_offset: bool) -> Arc<Recorded> {
        let bytes = packet.kept_bytes() + PACKET_OVERHEAD;
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let affordable = has_offset && before + bytes <= self.options.max_bytes;
        Arc::new(Recorded::new(Arc::clone(self), offset, packet, bytes, affordable))
    }

    /// A recorded packet is no longer kept by anybody.
    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes of the packets that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Gives a client who has just gone its time to come back.
    fn await_return(self: &Arc<Self>, track: &Track) {
        let until = Instant::now() + self.options.max_disconnection_duration;
        self.away.lock().push_back((until, track.pid().clone()));
        if !self.watched.swap(true, Ordering::AcqRel) {
            tokio::spawn(watch(Arc::clone(self)));
        }
    }

    /// Lets go of those whose time is over; when to look again, if anybody is left.
    fn sweep(&self, now: Instant) -> Option<Instant> {
        loop {
            let mut away = self.away.lock();
            let (until, _) = *away.front().map(|(until, pid)| (*until, pid)).as_ref()?;
            if until > now {
                return Some(until);
            }
            let (until, pid) = away.pop_front()?;
            drop(away);
            let track = self.tracks.lock().get(&pid).cloned();
            if let Some(track) = track.filter(|track| track.is_away_since(until, &self.options)) {
                track.lose();
            }
        }
    }
}

/// Sleeps from one end of somebody's time to the next, until nobody is away.
async fn watch(recovery: Arc<Recovery>) {
    loop {
        match recovery.sweep(Instant::now()) {
            Some(next) => tokio::time::sleep_until(next).await,
            None => {
                recovery.watched.store(false, Ordering::Release);
                // Somebody may have gone between the two.
                let idle = recovery.away.lock().is_empty();
                if idle || recovery.watched.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        }
    }
}
