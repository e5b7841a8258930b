//! What the server's program does: lets clients in, hears them, and talks to them.

use bytes::Bytes;
use sockeye_proto::engine::Input;
use sockeye_proto::socket::{Arguments, Encoded, Encoder, Offset, Scratch};

use super::network::{Claim, Event, Name, Network};
use super::server::{NAMES, Server, Track};

impl Server {
    pub(crate) fn heard(
        &mut self,
        network: &mut Network,
        track: usize,
        name: &str,
        id: Option<u64>,
        arguments: Arguments<'_>,
    ) {
        let (number, data): (u32, Option<Bytes>) = arguments.decode().expect("a number");
        assert!(data.is_none_or(|data| data[..] == number.to_be_bytes()), "other bytes");
        let entry = &mut self.tracks[track];
        let times = self.heard[entry.name].entry(number).or_default();
        *times += 1;
        let is_retried = matches!(name, "retried" | "patient");
        let last = entry.last[usize::from(is_retried)].replace(number);
        if is_retried {
            assert!(last.is_none_or(|last| last <= number), "{number} after {last:?}");
        } else {
            assert_eq!(*times, 1, "{number} came twice");
            assert!(last.is_none_or(|last| last < number), "{number} after {last:?}");
        }
        if let Some(id) = id
            && (network.calm || name == "patient" || !network.random.one_in(5))
        {
            network.plan_within(30, Event::ServerAnswers { track, id, number });
        }
    }

    pub(crate) fn answer(&mut self, network: &mut Network, track: usize, id: u64, number: u32) {
        let name = self.tracks[track].name;
        let mut scratch = Scratch::new();
        let answer = Encoder::new(&mut scratch, NAMES[name]).acknowledgement(id, &number);
        self.send(network, track, answer.expect("a number"));
    }

    pub(crate) fn send(&mut self, network: &mut Network, track: usize, packet: Encoded) {
        let session = self.tracks[track].on.and_then(|sid| self.sessions.get_mut(&sid));
        if let Some(session) = session {
            session.queue(network, packet.into_frames());
        }
    }

    pub(crate) fn decide(&mut self, network: &mut Network, claim: &Claim) {
        let Claim { sid, name, .. } = *claim;
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        if !network.calm && network.random.one_in(10) {
            if session.namespaces.refuse(NAMES[name]) {
                let mut scratch = Scratch::new();
                let refusal = Encoder::new(&mut scratch, NAMES[name]).connect_error("no", None);
                session.queue(network, refusal.into_frames());
            }
            return;
        }
        let resumed = self.resumed(claim);
        let track = resumed.unwrap_or(self.tracks.len());
        let Some(session) = self.sessions.get_mut(&sid) else { return };
        if !session.namespaces.accept(NAMES[name], track) {
            return;
        }
        if resumed.is_none() {
            self.tracks.push(Track::new(name));
        }
        if let Some(old) = self.tracks[track].on.replace(sid) {
            self.take_over(network, old, name);
        }
        let offset = claim.offset.as_deref().and_then(Offset::parse);
        let missed = match resumed {
            Some(_) => {
                self.tracks[track].history.resume(offset).expect("it can").cloned().collect()
            }
            None => Vec::new(),
        };
        missed.into_iter().for_each(|packet| self.send(network, track, packet));
        let pid = self.recovers.then(|| format!("pid {track}"));
        let mut scratch = Scratch::new();
        let mut encoder = Encoder::new(&mut scratch, NAMES[name]);
        let connect = encoder.connect(&format!("id {track}"), pid.as_deref());
        self.send(network, track, connect);
    }

    pub(crate) fn resumed(&self, claim: &Claim) -> Option<usize> {
        let track = claim.pid.as_deref()?.strip_prefix("pid ")?.parse().ok()?;
        let offset = claim.offset.as_deref().map(Offset::parse);
        let known: &Track = self.tracks.get(track)?;
        let is_same = known.name == claim.name && !known.over;
        let can = offset != Some(None) && known.history.can_resume(offset.flatten());
        (is_same && can).then_some(track)
    }

    /// The client is back before the server has missed it.
    pub(crate) fn take_over(&mut self, network: &mut Network, old: u32, name: Name) {
        if let Some(session) = self.sessions.get_mut(&old) {
            session.namespaces.leave(NAMES[name]);
            session.has_kicked = true;
            self.handle(network, old, Input::Close);
        }
    }

    /// Says something to somebody who is there, or may come back.
    pub(crate) fn emit(&mut self, network: &mut Network) {
        let alive = |track: &&usize| {
            let track = &self.tracks[**track];
            !track.over && (track.on.is_some() || self.recovers)
        };
        let places: Vec<usize> = (0..self.tracks.len()).collect();
        let alive: Vec<usize> = places.iter().filter(alive).copied().collect();
        if alive.is_empty() {
            return;
        }
        let track = network.random.choose(&alive);
        match network.random.below(6) {
            0 => self.emit_volatile(network, track),
            1 if self.tracks[track].on.is_some() => self.ask(network, track),
            _ => self.emit_reliable(network, track),
        }
    }

    /// Each fourth has bytes in it.
    pub(crate) fn emit_reliable(&mut self, network: &mut Network, track: usize) {
        let entry = &mut self.tracks[track];
        let number = entry.next;
        entry.next += 1;
        let data = number.is_multiple_of(4).then(|| Bytes::copy_from_slice(&number.to_be_bytes()));
        let mut scratch = Scratch::new();
        let mut encoder = Encoder::new(&mut scratch, NAMES[entry.name]);
        let packet = encoder.event("event", None, &(track, number, data)).expect("numbers");
        self.next_offset += 1;
        let offset = Offset::new(self.next_offset);
        let packet = match self.recovers {
            true => packet.with_offset(offset).expect("no parser"),
            false => packet,
        };
        if self.recovers {
            entry.history.push(offset, Some(packet.clone()));
        }
        self.send(network, track, packet);
    }

    /// The official server gives it no offset: the client must not take its text for one.
    pub(crate) fn emit_volatile(&mut self, network: &mut Network, track: usize) {
        let mut scratch = Scratch::new();
        let mut encoder = Encoder::new(&mut scratch, NAMES[self.tracks[track].name]);
        let packet = encoder.event("volatile", None, &()).expect("nothing");
        self.send(network, track, packet);
    }

    pub(crate) fn ask(&mut self, network: &mut Network, track: usize) {
        let entry = &mut self.tracks[track];
        let (id, number) = (self.next_id, self.next_question);
        self.next_id += 1;
        self.next_question += 1;
        entry.questions.insert(id, number);
        let mut scratch = Scratch::new();
        let mut encoder = Encoder::new(&mut scratch, NAMES[entry.name]);
        let packet = encoder.event("question", Some(id), &number).expect("a number");
        self.send(network, track, packet);
    }

    /// Puts somebody out.
    pub(crate) fn kick(&mut self, network: &mut Network) {
        let there = |track: &&Track| track.on.is_some();
        let Some(entry) = self.tracks.iter_mut().rev().find(|track| there(&&**track)) else {
            return;
        };
        entry.over = true;
        let Some(sid) = entry.on.take() else { return };
        let name = entry.name;
        if let Some(session) = self.sessions.get_mut(&sid) {
            session.namespaces.leave(NAMES[name]);
            session.has_kicked = true;
            let mut scratch = Scratch::new();
            let packet = Encoder::new(&mut scratch, NAMES[name]).disconnect();
            session.queue(network, packet.into_frames());
        }
    }
}
