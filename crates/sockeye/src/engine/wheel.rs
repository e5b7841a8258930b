//! When to look at which session. Never asks what time it is, and sleeps while nothing is due.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use sockeye_proto::Moment;
use tokio::sync::Notify;

use super::clock::Clock;
use super::session::Session;

/// How exact a deadline is kept; never early, at most this late.
const TICK_MILLIS: u64 = 5;
/// One turn of the wheel is 20.48 s; a later deadline stays in its slot for another turn.
const SLOTS: usize = 4096;
/// If the wheel turns so much too late, the process stood still, or the machine did: then the
/// drivers have not read either, and what lies unread is not late.
const STOOD_STILL: Duration = Duration::from_millis(250);

/// The deadlines of all sessions: one entry for each, looked at when its slot comes up.
///
/// A pong only moves the deadline in the machine; the wheel finds out when it gets there. So the
/// heartbeat of a session costs a list entry, and no timer of the runtime.
#[derive(Debug)]
pub(super) struct Wheel {
    slots: Mutex<Slots>,
    turns: AtomicBool,
    /// Something is due before the task that turns it would look, or the wheel is gone.
    sooner: Arc<Notify>,
}

impl Drop for Wheel {
    fn drop(&mut self) {
        self.sooner.notify_one();
    }
}

#[derive(Debug)]
struct Slots {
    lists: Vec<Vec<Entry>>,
    occupied: Occupied,
    /// The tick up to which all slots have been looked at.
    done: u64,
    /// The tick for which the task waits, if it does.
    awaited: Option<u64>,
    entries: usize,
}

/// Which slots have entries, a bit for each.
#[derive(Debug)]
struct Occupied([u64; SLOTS / 64]);

#[derive(Debug)]
struct Entry {
    tick: u64,
    session: Weak<Session>,
}

/// Where a session's entry is: slot and index, plus one; zero for nowhere. Guarded by the wheel.
#[derive(Debug, Default)]
pub(super) struct Place(AtomicU64);

impl Place {
    fn get(&self) -> Option<(usize, usize)> {
        let place = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        Some(((place >> 32) as usize, (place & u64::from(u32::MAX)) as usize))
    }

    fn set(&self, place: Option<(usize, usize)>) {
        let packed = place.map_or(0, |(slot, index)| ((slot as u64) << 32 | index as u64) + 1);
        self.0.store(packed, Ordering::Relaxed);
    }
}

impl Wheel {
    pub(super) fn new() -> Self {
        let lists = std::iter::repeat_with(Vec::new).take(SLOTS).collect();
        let occupied = Occupied([0; SLOTS / 64]);
        let slots = Slots { lists, occupied, done: 0, awaited: None, entries: 0 };
        Self { slots: Mutex::new(slots), turns: AtomicBool::new(false), sooner: Arc::default() }
    }

    /// Has `session` looked at no earlier than `moment`; instead of any moment given before.
    pub(super) fn schedule(&self, session: &Arc<Session>, moment: Moment) {
        let mut slots = self.slots.lock();
        slots.remove(session.place());
        let tick = (moment.as_millis() / TICK_MILLIS + 1).max(slots.done + 1);
        let entry = Entry { tick, session: Arc::downgrade(session) };
        slots.insert(entry, session.place());
        if slots.awaited.is_some_and(|awaited| tick < awaited) {
            slots.awaited = None;
            drop(slots);
            self.sooner.notify_one();
        }
    }

    /// Forgets a session.
    pub(super) fn remove(&self, session: &Session) {
        self.slots.lock().remove(session.place());
    }

    /// Removes and returns the sessions whose moment has come.
    fn take_due(&self, now: Moment) -> Vec<Arc<Session>> {
        let mut due = Vec::new();
        let mut slots = self.slots.lock();
        let current = now.as_millis() / TICK_MILLIS;
        // After a long pause one turn sees every slot.
        let first = slots.done.max(current.saturating_sub(SLOTS as u64)) + 1;
        for tick in first..=current {
            slots.take_slot(tick, current, &mut due);
        }
        slots.done = slots.done.max(current);
        due
    }

    /// When to look again, which `sooner` may change.
    fn await_next(&self) -> Option<Moment> {
        let mut slots = self.slots.lock();
        let next = slots.next_tick();
        slots.awaited = Some(next.unwrap_or(u64::MAX));
        next.map(|tick| Moment::from_millis(tick * TICK_MILLIS))
    }

    /// How many sessions have a deadline.
    pub(super) fn entries(&self) -> usize {
        self.slots.lock().entries
    }
}

impl Slots {
    fn insert(&mut self, entry: Entry, place: &Place) {
        let slot = slot_of(entry.tick);
        place.set(Some((slot, self.lists[slot].len())));
        self.lists[slot].push(entry);
        self.occupied.set(slot, true);
        self.entries += 1;
    }

    /// The next tick whose slot has entries; they may be for a later turn.
    fn next_tick(&self) -> Option<u64> {
        let next = self.done + 1;
        self.occupied.distance(slot_of(next)).map(|distance| next + distance as u64)
    }

    fn remove(&mut self, place: &Place) {
        let Some((slot, index)) = place.get() else { return };
        place.set(None);
        self.swap_remove(slot, index);
    }

    /// Takes an entry out; the last of its list moves into its place.
    fn swap_remove(&mut self, slot: usize, index: usize) -> Entry {
        let list = &mut self.lists[slot];
        let entry = list.swap_remove(index);
        if let Some(moved) = list.get(index).and_then(|entry| entry.session.upgrade()) {
            moved.place().set(Some((slot, index)));
        }
        if list.is_empty() {
            list.shrink_to(4);
            self.occupied.set(slot, false);
        }
        self.entries -= 1;
        entry
    }

    fn take_slot(&mut self, tick: u64, current: u64, due: &mut Vec<Arc<Session>>) {
        let slot = slot_of(tick);
        let mut index = 0;
        while let Some(entry) = self.lists[slot].get(index) {
            if entry.tick > current {
                index += 1;
                continue;
            }
            let entry = self.swap_remove(slot, index);
            if let Some(session) = entry.session.upgrade() {
                session.place().set(None);
                due.push(session);
            }
        }
    }
}

impl Occupied {
    const fn set(&mut self, slot: usize, occupied: bool) {
        let bit = 1 << (slot % 64);
        if occupied {
            self.0[slot / 64] |= bit;
        } else {
            self.0[slot / 64] &= !bit;
        }
    }

    /// How many slots after this one the next occupied one is, going round.
    fn distance(&self, slot: usize) -> Option<usize> {
        let (first, bits) = (slot / 64, slot % 64);
        let behind = self.0[first] >> bits;
        if behind != 0 {
            return Some(behind.trailing_zeros() as usize);
        }
        // At last the first word comes again, for the slots before this one.
        (1..=self.0.len()).find_map(|distance| {
            let word = self.0[(first + distance) % self.0.len()];
            (word != 0).then(|| distance * 64 + word.trailing_zeros() as usize - bits)
        })
    }
}

fn slot_of(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}

/// Has the wheel turned by a task, if none does so.
pub(super) fn keep_turning(wheel: &Arc<Wheel>, clock: Clock) {
    if !wheel.turns.swap(true, Ordering::Relaxed) {
        let sooner = Arc::clone(&wheel.sooner);
        tokio::spawn(turn(Turning(Arc::downgrade(wheel)), sooner, clock));
    }
}

/// Says so when the task is gone, also with its runtime: the next session starts another.
struct Turning(Weak<Wheel>);

impl Drop for Turning {
    fn drop(&mut self) {
        if let Some(wheel) = self.0.upgrade() {
            wheel.turns.store(false, Ordering::Relaxed);
        }
    }
}

/// Turns the wheel for as long as somebody else holds it.
async fn turn(wheel: Turning, sooner: Arc<Notify>, clock: Clock) {
    while let Some(next) = wheel.0.upgrade().map(|wheel| wheel.await_next()) {
        let told = sooner.notified();
        match next {
            None => told.await,
            Some(moment) => {
                let _ = tokio::time::timeout_at(clock.instant(moment), told).await;
            }
        }
        let Some(wheel) = wheel.0.upgrade() else { return };
        let now = clock.now();
        let stood_still = next.is_some_and(|next| now.since(next) > STOOD_STILL);
        for session in wheel.take_due(now) {
            session.deadline_due(stood_still);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_occupied_slot_is_found_from_anywhere() {
        let mut occupied = Occupied([0; SLOTS / 64]);
        assert_eq!(occupied.distance(7), None);
        for slot in [0, 5, 63, 64, 700, SLOTS - 1] {
            occupied.set(slot, true);
            for from in 0..SLOTS {
                assert_eq!(occupied.distance(from), Some((slot + SLOTS - from) % SLOTS));
            }
            occupied.set(slot, false);
        }
        occupied.set(70, true);
        occupied.set(66, true);
        assert_eq!(occupied.distance(60), Some(6));
        assert_eq!(occupied.distance(67), Some(3));
    }
}
