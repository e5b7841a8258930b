//! What ought to happen, kept beside the server by somebody who shares none of its code.
//!
//! Everything runs on one thread, and whoever emits, joins or leaves writes it down here without letting
//! others run in between: so at each moment it is known for whom an event is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::program::LONGEST;

/// How long a connection may live on from which its client has been taken over.
const TAKEN_OVER: Duration = Duration::from_millis(50);

/// What may become of an event that was sent to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It arrives, for as long as its receiver's connection lives or is recovered.
    Sure,
    /// It may be dropped.
    Volatile,
    /// It wants an answer: it arrives, but is not recovered.
    Asked,
}

#[derive(Clone, Copy, Debug)]
struct Addressed {
    event: u64,
    kind: Kind,
    /// How often the receiver had been let in by then.
    connects: u32,
}

/// A socket by its id; who comes back and is recovered goes on being it.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// What it is called where ids are not told.
    pub(crate) name: usize,
    pub(crate) namespace: String,
    pub(crate) rooms: BTreeSet<String>,
    /// Whether events are for it; also while it may come back.
    receives: bool,
    connects: u32,
    disconnects: u32,
    /// When it was left last, and when another connection took over from one that was still there.
    left: Option<Instant>,
    taken_over: Option<Instant>,
    /// Everything that was sent to it, in its order.
    addressed: Vec<Addressed>,
    /// How much of it was heard, or passed over.
    cursor: usize,
    /// What it must have heard to be told that it is recovered.
    owed: usize,
    /// The connection of the client that spoke last, and what it is to say next.
    said: (u32, u32),
}

/// For whom an event is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) namespace: String,
    /// In any of these; of none, everybody.
    pub(crate) rooms: Vec<String>,
    pub(crate) except: Vec<String>,
    /// Not to this one.
    pub(crate) sender: Option<String>,
    /// To this one alone.
    pub(crate) only: Option<String>,
}

/// How often things happened, for a test that is to test something, and for sums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) addressed: u64,
    pub(crate) heard: u64,
    pub(crate) refused: u64,
    pub(crate) connects: u64,
    pub(crate) recovered: u64,
    pub(crate) disconnects: u64,
    pub(crate) said: u64,
    pub(crate) answers: u64,
    pub(crate) upgrades: u64,
    pub(crate) cuts: u64,
    pub(crate) steps: u64,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) members: BTreeMap<String, Member>,
    recovers: bool,
    /// How long whoever is away is always recovered, if not too much is missed.
    window: Option<Duration>,
    next_event: u64,
    pub(crate) tally: Tally,
    pub(crate) failures: Vec<String>,
}

impl Member {
    fn is_in(&self, target: &Target, id: &str) -> bool {
        let in_room = |room: &String| self.rooms.contains(room) || room == id;
        self.receives
            && self.namespace == target.namespace
            && target.only.as_ref().is_none_or(|only| only == id)
            && target.sender.as_ref().is_none_or(|sender| sender != id)
            && (target.rooms.is_empty() || target.rooms.iter().any(in_room))
            && !target.except.iter().any(in_room)
    }

    /// What lies before `end` and was not heard, although it had to be.
    fn gap(&self, end: usize) -> Option<u64> {
        let missed = self.addressed.get(self.cursor..end).unwrap_or_default();
        let must = |it: &&Addressed| match it.kind {
            Kind::Sure => true,
            Kind::Volatile => false,
            Kind::Asked => it.connects == self.connects,
        };
        missed.iter().find(must).map(|it| it.event)
    }
}

impl Ledger {
    pub(crate) fn new(recovers: bool, window: Option<Duration>) -> Self {
        Self {
            members: BTreeMap::new(),
            recovers,
            window,
            next_event: 0,
            tally: Tally::default(),
            failures: Vec::new(),
        }
    }

    pub(crate) fn fail(&mut self, what: String) {
        self.failures.push(what);
    }

    /// What a socket is called.
    pub(crate) fn name(&self, id: &str) -> usize {
        self.members.get(id).map_or(usize::MAX, |member| member.name)
    }

    pub(crate) fn connected(
        &mut self,
        id: &str,
        namespace: &str,
        recovered: bool,
        rooms: &[String],
    ) {
        self.tally.connects += 1;
        let name = self.members.len();
        let known = self.members.contains_key(id);
        let member = self.members.entry(id.to_owned()).or_default();
        if known != recovered {
            self.failures.push(format!("I3: recovered={recovered}, but known={known}"));
            return;
        }
        member.connects += 1;
        if recovered {
            self.tally.recovered += 1;
            if member.connects > member.disconnects + 1 {
                member.taken_over = Some(Instant::now());
            }
            member.owed = member.addressed.len();
            // The first is its own id.
            let has: BTreeSet<_> = rooms.iter().skip(1).cloned().collect();
            if has != member.rooms || !member.receives {
                let Member { name, rooms, .. } = member;
                self.failures.push(format!("I6: {name} came back to {has:?}, not {rooms:?}"));
            }
        } else {
            member.name = name;
            namespace.clone_into(&mut member.namespace);
            member.receives = true;
        }
    }

    pub(crate) fn disconnected(&mut self, id: &str, recoverable: bool) {
        self.tally.disconnects += 1;
        let Some(member) = self.members.get_mut(id) else {
            return self.fail("I5: a disconnect of nobody".to_owned());
        };
        member.disconnects += 1;
        member.left = Some(Instant::now());
        if member.taken_over.take().is_some_and(|since| since.elapsed() > TAKEN_OVER) {
            let name = member.name;
            self.failures
                .push(format!("I5: the connection of {name} lived on that was taken over"));
        }
        if member.disconnects > member.connects {
            self.failures.push(format!("I5: {} left more often than it came", member.name));
        } else if member.disconnects == member.connects && !(recoverable && self.recovers) {
            member.receives = false;
            member.rooms.clear();
        }
    }

    /// The server has put it out, or it is known to be gone for good.
    pub(crate) fn put_out(&mut self, id: &str) {
        if let Some(member) = self.members.get_mut(id) {
            member.receives = false;
            member.rooms.clear();
        }
    }

    pub(crate) fn joined(&mut self, id: &str, room: &str) {
        if let Some(member) = self.members.get_mut(id).filter(|member| member.receives) {
            member.rooms.insert(room.to_owned());
        }
    }

    pub(crate) fn left(&mut self, id: &str, room: &str) {
        if let Some(member) = self.members.get_mut(id) {
            member.rooms.remove(room);
        }
    }

    /// Whom an event would be for.
    pub(crate) fn receivers(&self, target: &Target) -> Vec<String> {
        let all = self.members.iter().filter(|(id, member)| member.is_in(target, id));
        let mut all: Vec<_> = all.map(|(id, member)| (member.name, id.clone())).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }

    /// An event is about to be emitted: its number.
    pub(crate) fn address(&mut self, target: &Target, kind: Kind) -> u64 {
        let event = self.next_event;
        self.next_event += 1;
        for id in self.receivers(target) {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let connects = member.connects;
            member.addressed.push(Addressed { event, kind, connects });
            self.tally.addressed += 1;
        }
        event
    }

    /// Whoever emitted the last event to this one alone was told that it was not sent.
    pub(crate) fn refused(&mut self, id: &str, event: u64) {
        self.tally.refused += 1;
        let Some(member) = self.members.get_mut(id) else { return };
        if member.addressed.pop_if(|last| last.event == event).is_some() {
            self.tally.addressed -= 1;
        }
    }

    /// A client has got an event.
    pub(crate) fn hear(&mut self, id: &str, event: u64) {
        let Some(member) = self.members.get_mut(id) else {
            return self.fail(format!("I7: event {event} to somebody unknown"));
        };
        self.tally.heard += 1;
        let is_it = |addressed: &Addressed| addressed.event == event;
        let name = member.name;
        let ahead = member.addressed[member.cursor..].iter().position(is_it);
        if let Some(ahead) = ahead {
            let at = member.cursor + ahead;
            if let Some(missed) = member.gap(at) {
                self.failures.push(format!("I3, I4: {name} got {event}, but never {missed}"));
            }
            member.cursor = at + 1;
        } else if member.addressed.iter().any(is_it) {
            self.failures.push(format!("I1, I2: {name} got {event} again, or too late"));
        } else {
            self.failures.push(format!("I6, I7: {name} got {event}, which was not for it"));
        }
    }

    /// A client was told that it is who it was, after it was sent what it missed.
    pub(crate) fn told_recovered(&mut self, id: &str) {
        let Some(member) = self.members.get(id) else { return };
        if let Some(missed) = member.gap(member.owed) {
            let name = member.name;
            self.failures.push(format!("I3: {name} is recovered, but never got {missed}"));
        }
    }

    /// A client wanted to come back, and was told that it is somebody new.
    pub(crate) fn told_new(&mut self, id: &str, max_buffered: usize) {
        let (Some(member), Some(window)) = (self.members.get(id), self.window) else { return };
        let is_late = member.left.is_some_and(|left| left.elapsed() >= window);
        let missed = member.addressed.len() - member.cursor;
        if member.receives && !is_late && missed * LONGEST < max_buffered / 2 {
            let name = member.name;
            self.failures.push(format!("I3: {name} came back in time, and was not recovered"));
        }
    }

    /// A client must have got everything now.
    pub(crate) fn is_complete(&self, id: &str) -> bool {
        self.members.get(id).is_some_and(|member| member.gap(member.addressed.len()).is_none())
    }

    /// An event of a client has arrived.
    pub(crate) fn said(&mut self, id: &str, connection: u32, number: u32) {
        self.tally.said += 1;
        let Some(member) = self.members.get_mut(id) else {
            return self.fail("an event of nobody".to_owned());
        };
        let (last, next) = member.said;
        let expected = if connection == last { next } else { 0 };
        if number != expected || connection < last {
            let name = member.name;
            self.failures.push(format!(
                "I1, I2, I4: of {name} came {number} on connection {connection}, not {expected}"
            ));
        }
        member.said = (connection, number + 1);
    }

    /// What is left when all is over.
    pub(crate) fn settle(&mut self) {
        for member in self.members.values() {
            if member.connects != member.disconnects {
                let Member { name, connects, disconnects, .. } = member;
                self.failures.push(format!("I5: {name} came {connects} and left {disconnects}"));
            }
        }
    }
}
