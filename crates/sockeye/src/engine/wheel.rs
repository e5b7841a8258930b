use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use sockeye_proto::Moment;

use super::clock::Clock;
use super::session::Session;

/// How exact a deadline is kept; never early, at most this late.
const TICK_MILLIS: u64 = 5;
/// One turn of the wheel is 20.48 s; a later deadline stays in its slot for another turn.
const SLOTS: usize = 4096;
/// If the wheel has not turned for so long, the process stood still, or the machine did: then the
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
}

#[derive(Debug)]
struct Slots {
    lists: Vec<Vec<Entry>>,
    /// The tick up to which all slots have been looked at.
    done: u64,
    entries: usize,
}

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
        Self {
            slots: Mutex::new(Slots { lists, done: 0, entries: 0 }),
            turns: AtomicBool::new(false),
        }
    }

    /// Has `session` looked at no earlier than `moment`; instead of any moment given before.
    pub(super) fn schedule(&self, session: &Arc<Session>, moment: Moment) {
        let mut slots = self.slots.lock();
        slots.remove(session.place());
        let tick = (moment.as_millis() / TICK_MILLIS + 1).max(slots.done + 1);
        let entry = Entry { tick, session: Arc::downgrade(session) };
        slots.insert(entry, session.place());
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
        self.entries += 1;
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

fn slot_of(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}

/// Has the wheel turned by a task, if none does so.
pub(super) fn keep_turning(wheel: &Arc<Wheel>, clock: Clock) {
    if !wheel.turns.swap(true, Ordering::Relaxed) {
        tokio::spawn(turn(Turning(Arc::downgrade(wheel)), clock));
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
async fn turn(wheel: Turning, clock: Clock) {
    let mut ticks = tokio::time::interval(Duration::from_millis(TICK_MILLIS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut last = clock.now();
    loop {
        ticks.tick().await;
        let now = clock.now();
        let stood_still = now.since(last) > STOOD_STILL;
        last = now;
        let Some(wheel) = wheel.0.upgrade() else { return };
        if wheel.entries() == 0 {
            continue;
        }
        for session in wheel.take_due(now) {
            session.deadline_due(stood_still);
        }
    }
}
