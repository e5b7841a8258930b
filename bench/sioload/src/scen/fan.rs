//! `broadcast` and `rooms`: every message reaches exactly its audience, each member once.
use super::drive::{close_all, connect_all, idle_for};
use super::measure::{Gate, Window};
use super::payload::{Kind, Payload, kind_of, odd};
use super::report::lat;
use super::{Env, MS, SEC, head, tail};
use crate::Opts;
use crate::hist::Hist;
use crate::net::{App, Net};
use crate::sys::{Rng, now_ns};

pub struct Out {
    seq: u32,
    t0: u64,
    left: u32,
    room: u32,
    seen: Vec<u64>,
}

/// Fan-out: every message must reach exactly its audience, each member once.
pub struct Fan {
    pub p: Payload,
    pub rooms: Vec<Vec<u32>>, // empty: io.emit to everybody
    pub of: Vec<Vec<u32>>,    // rooms of a session
    pub n: u32,
    pub out: Vec<Out>,
    pub seq: u32,
    pub joined: u64,
    pub h_each: Hist,
    pub h_last: Hist,
    pub win_recv: u64,
    pub win_done: u64,
    pub total_sent: u64,
    pub expected: u64,
    pub recv: u64,
    pub sending: bool,
    pub budget: u64, // messages still allowed to be sent
    pub slow: Vec<u32>,
    pub slow_recv: u64,
    pub slow_reordered: u64,
    pub slow_seen: Vec<Vec<bool>>,
    pub slow_next: Vec<u32>,
    pub binwait: Vec<bool>,
    pub rng: Rng,
    pub scratch: Vec<u8>,
    pub room_mode: bool,
    pub burst: bool, // the next messages are sent together, when all of the last have arrived
    pub finished: usize,
}

impl Fan {
    pub fn send(&mut self, io: &mut Net, slot: u32, now: u64) {
        if self.budget == 0 {
            return;
        }
        self.budget -= 1;
        let seq = self.seq;
        self.seq += 1;
        let (from, room, left) = if self.room_mode {
            let mut r;
            loop {
                r = self.rng.below(self.rooms.len() as u64) as u32;
                if !self.rooms[r as usize].is_empty() {
                    break;
                }
            }
            (self.rng.below(self.n as u64) as u32, r, self.rooms[r as usize].len() as u32)
        } else {
            (0, 0, self.n - self.slow.len() as u32)
        };
        let o = &mut self.out[slot as usize];
        o.seq = seq;
        o.t0 = now;
        o.left = left;
        o.room = room;
        o.seen.fill(0);
        self.total_sent += 1;
        self.expected += left as u64;
        self.p.set(slot, seq);
        let b = &mut self.scratch;
        b.clear();
        if self.p.kind == Kind::Bin {
            assert!(!self.room_mode);
            b.extend_from_slice(b"451-[\"bcast\",{\"_placeholder\":true,\"num\":0}]");
            io.send_text(from, b.len(), |w| w.extend_from_slice(b));
            let p = &self.p.wire;
            io.send_bin(from, p.len(), |w| w.extend_from_slice(p));
            return;
        }
        if self.room_mode {
            let _ = std::io::Write::write_fmt(b, format_args!("42[\"room\",\"r{room}\","));
        } else {
            b.extend_from_slice(b"42[\"bcast\",");
        }
        b.extend_from_slice(&self.p.wire);
        b.push(b']');
        io.send_text(from, b.len(), |w| w.extend_from_slice(b));
    }

    fn again(&mut self, io: &mut Net, slot: u32) {
        if !self.burst {
            return self.send(io, slot, now_ns());
        }
        self.finished += 1;
        if self.finished == self.out.len() {
            self.finished = 0;
            for slot in 0..self.out.len() as u32 {
                self.send(io, slot, now_ns());
            }
        }
    }

    #[inline]
    fn got(&mut self, io: &mut Net, s: u32, arg: &[u8], now: u64) {
        let (slot, seq) = match self.p.check(arg) {
            Some(x) => x,
            None => return odd(io, "payload differs from what was sent", arg),
        };
        if !self.slow.is_empty() && self.slow.contains(&s) {
            let i = self.slow.iter().position(|&x| x == s).unwrap();
            // Some servers run handlers concurrently and reorder: counted, like in echo.
            if seq < self.slow_next[i] {
                self.slow_reordered += 1;
            } else {
                self.slow_next[i] = seq + 1;
            }
            if self.slow_seen[i].get(seq as usize).copied().unwrap_or(false) {
                io.error("the slow reader got a message twice");
            }
            if self.slow_seen[i].len() <= seq as usize {
                self.slow_seen[i].resize(seq as usize + 1024, false);
            }
            self.slow_seen[i][seq as usize] = true;
            self.slow_recv += 1;
            return;
        }
        if slot as usize >= self.out.len() {
            return io.error("slot out of range");
        }
        let o = &mut self.out[slot as usize];
        let (wd, bit) = (s as usize >> 6, 1u64 << (s & 63));
        if o.left == 0 || o.seq != seq || o.seen[wd] & bit != 0 {
            return io.error("duplicate or unasked delivery");
        }
        if self.room_mode && !self.of[s as usize].contains(&o.room) {
            return io.error("delivered to a session that is not in the room");
        }
        o.seen[wd] |= bit;
        o.left -= 1;
        self.recv += 1;
        self.win_recv += 1;
        let dt = now.saturating_sub(o.t0);
        self.h_each.add(dt);
        if o.left == 0 {
            self.h_last.add(dt);
            self.win_done += 1;
            if self.sending {
                self.again(io, slot);
            }
        }
    }
}

impl App for Fan {
    fn on_text(&mut self, io: &mut Net, s: u32, d: &[u8], now: u64) {
        let pre: &[u8] = if self.room_mode { b"42[\"room\"," } else { b"42[\"bcast\"," };
        if d.starts_with(pre) && d.last() == Some(&b']') && self.p.kind != Kind::Bin {
            return self.got(io, s, &d[pre.len()..d.len() - 1], now);
        }
        if self.p.kind == Kind::Bin
            && d.starts_with(b"451-[\"bcast\",{")
            && !self.binwait[s as usize]
        {
            self.binwait[s as usize] = true;
            return;
        }
        if d.starts_with(b"43") && self.room_mode {
            self.joined += 1;
            return;
        }
        odd(io, "unexpected packet", d)
    }
    fn on_bin(&mut self, io: &mut Net, s: u32, d: &[u8], now: u64) {
        if self.p.kind != Kind::Bin || !self.binwait[s as usize] {
            return io.error("unexpected binary message");
        }
        self.binwait[s as usize] = false;
        self.got(io, s, d, now)
    }
    fn on_close(&mut self, io: &mut Net, s: u32, _now: u64) {
        if self.sending && !self.slow.contains(&s) {
            io.error("a receiver was lost");
        }
    }
}

pub fn fan_new(o: &Opts, n: u64, w: u64, room_mode: bool, size: usize) -> Fan {
    let (kind, _) = kind_of(o);
    Fan {
        p: Payload::new(kind, size),
        rooms: Vec::new(),
        of: vec![Vec::new(); n as usize],
        n: n as u32,
        out: (0..w)
            .map(|_| Out { seq: 0, t0: 0, left: 0, room: 0, seen: vec![0; (n as usize >> 6) + 1] })
            .collect(),
        seq: 0,
        joined: 0,
        h_each: Hist::new(),
        h_last: Hist::new(),
        win_recv: 0,
        win_done: 0,
        total_sent: 0,
        expected: 0,
        recv: 0,
        sending: true,
        budget: u64::MAX,
        slow: Vec::new(),
        slow_recv: 0,
        slow_reordered: 0,
        slow_seen: Vec::new(),
        slow_next: Vec::new(),
        binwait: vec![false; n as usize],
        rng: Rng(0x1234_5678_9ABC_DEF1),
        scratch: Vec::new(),
        room_mode,
        burst: o.n("burst", 0) == 1,
        finished: 0,
    }
}

fn drain_fan(net: &mut Net, a: &mut Fan) -> bool {
    a.sending = false;
    let end = now_ns() + 10 * SEC;
    while a.recv < a.expected && now_ns() < end {
        net.poll(a, 20 * MS);
    }
    idle_for(net, a, 20 * MS);
    if a.recv != a.expected {
        net.error(format!("{} deliveries expected, {} made", a.expected, a.recv));
    }
    a.recv == a.expected
}

pub fn fan_loop(net: &mut Net, a: &mut Fan, mut until: Gate) -> bool {
    let mut progress = (a.recv, now_ns());
    loop {
        let now = now_ns();
        if until.done(now) || (a.budget == 0 && a.recv == a.expected) {
            return true;
        }
        net.poll(a, until.left(now));
        if a.recv != progress.0 {
            progress = (a.recv, now_ns());
        } else if now_ns() - progress.1 > 5 * SEC {
            net.error("no delivery for 5 s");
            return false;
        }
    }
}

pub fn fan(o: &Opts, e: &Env, net: &mut Net, room_mode: bool) -> bool {
    let n = o.n("conns", 1000);
    let win = o.n("inflight", if room_mode { 32 } else { 4 });
    let size = o.n("size", 64) as usize;
    let nrooms = o.n("rooms", 100);
    let mut a = fan_new(o, n, win, room_mode, size);
    if !connect_all(net, &mut a, e.mode, n, e.conc, None) {
        let mut j = head(e);
        j.u("conns", n);
        return tail(j, net, false);
    }
    let mut joins = 0;
    if room_mode {
        a.rooms = vec![Vec::new(); nrooms as usize];
        for s in 0..n as u32 {
            let k = (1 + a.rng.below(5)).min(nrooms);
            while (a.of[s as usize].len() as u64) < k {
                let r = a.rng.below(nrooms) as u32;
                if !a.of[s as usize].contains(&r) {
                    a.of[s as usize].push(r);
                    a.rooms[r as usize].push(s);
                    net.send_str(
                        s,
                        &format!("42{}[\"join\",\"r{r}\"]", a.of[s as usize].len() - 1),
                    );
                    joins += 1;
                }
            }
            net.flush(&mut a);
            net.poll(&mut a, 0);
        }
        let end = now_ns() + 10 * SEC;
        while a.joined < joins && now_ns() < end {
            net.poll(&mut a, 20 * MS);
        }
        if a.joined != joins {
            net.error(format!("{joins} joins asked, {} acknowledged", a.joined));
        }
    } else {
        idle_for(net, &mut a, 100 * MS);
    }
    for slot in 0..win as u32 {
        a.send(net, slot, now_ns());
    }
    fan_loop(net, &mut a, Gate::new(e, e.warmup));
    a.h_each.clear();
    a.h_last.clear();
    net.reset_counts();
    let mut w = Window::start(e);
    a.win_recv = 0;
    a.win_done = 0;
    fan_loop(net, &mut a, Gate::new(e, e.secs));
    w.stop(e);
    let secs = w.secs();
    let mut j = head(e);
    j.u("conns", n);
    j.u("inflight", win);
    j.u("size", size as u64);
    j.s("kind", &kind_of(o).1);
    if room_mode {
        j.u("rooms", nrooms);
        j.u("memberships", joins);
    }
    j.u("msgs", a.win_recv);
    j.f("msgs_s", a.win_recv as f64 / secs);
    j.f("emits_s", a.win_done as f64 / secs);
    lat(&mut j, "", &a.h_last);
    lat(&mut j, "each_", &a.h_each);
    w.write(e, &mut j, a.win_recv);
    j.f("cli_reads_per_msg", net.reads as f64 / a.win_recv as f64);
    let ok = drain_fan(net, &mut a);
    j.u("emits", a.total_sent);
    j.u("sent", a.expected);
    j.u("recv", a.recv);
    close_all(net, &mut a, true);
    tail(j, net, ok)
}
