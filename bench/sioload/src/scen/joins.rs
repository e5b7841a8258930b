//! `joins`: how long joining and leaving a room takes while a large broadcast runs, one after the other
//! to all of the receivers.
//!
//! sioload may be late to read an answer, since it reads what the receivers get besides. Therefore
//! the end of a join is when the kernel took in its answer, and not when it was read.
use super::drive::{close_all, connect_all, idle_for};
use super::measure::{Gate, Window};
use super::payload::{Kind, Payload, digits, odd};
use super::report::{J, lat};
use super::{Env, MS, SEC, head, tail};
use crate::Opts;
use crate::hist::Hist;
use crate::net::{App, Net};
use crate::sys::{self, now_ns};

const ROOMS: u32 = 8; // that the joiners go to
const EVERY: u64 = 2 * MS;

#[derive(Clone, Copy, Default)]
struct Joiner {
    inside: bool,
    busy: bool,
    id: u64,
    t0: u64,
}

struct Joins {
    p: Payload,
    n: u32, // the receivers; the joiners come behind them
    ready: u64,
    seq: u32,
    sending: bool,
    t0: u64,
    left: u32,
    seen: Vec<u64>,
    expected: u64,
    recv: u64,
    win: u64,
    joiners: Vec<Joiner>,
    next: u64, // when the next of them is due
    turn: u32,
    asked: u64,
    answered: u64,
    stalls: u64,
    unstamped: u64,
    audience: Vec<u32>, // in the end: who must get a message in a room of the joiners
    h_join: Hist,
    h_leave: Hist,
    h_last: Hist,
}

impl Joins {
    fn broadcast(&mut self, io: &mut Net) {
        self.seq += 1;
        self.t0 = now_ns();
        self.left = self.n;
        self.seen.fill(0);
        self.expected += self.n as u64;
        self.p.set(0, self.seq);
        let wire = String::from_utf8_lossy(&self.p.wire).into_owned();
        io.send_str(0, &format!("42[\"room\",\"all\",{wire}]"));
        io.push(0);
    }

    /// The next joiner goes in or out.
    fn step(&mut self, io: &mut Net, now: u64) {
        // Late by more than a few: what was due meanwhile would come in one go, and wait for itself.
        self.next = if now > self.next + 5 * EVERY { now + EVERY } else { self.next + EVERY };
        let i = self.turn as usize;
        let x = &mut self.joiners[i];
        if x.busy {
            self.stalls += 1;
            return;
        }
        *x = Joiner { inside: !x.inside, busy: true, id: x.id + 1, t0: sys::real_ns() };
        let (verb, id) = (if x.inside { "join" } else { "leave" }, x.id);
        self.asked += 1;
        self.turn = (self.turn + 1) % self.joiners.len() as u32;
        let s = self.n + i as u32;
        io.send_str(s, &format!("42{id}[\"{verb}\",\"j{}\"]", i as u32 % ROOMS));
        io.push(s);
    }

    fn answer(&mut self, io: &mut Net, i: usize, d: &[u8]) {
        let (id, n) = digits(&d[2..]);
        let x = &mut self.joiners[i];
        if id != Some(x.id) || !x.busy || &d[2 + n..] != b"[]" {
            return odd(io, "not the answer to a join", d);
        }
        x.busy = false;
        self.answered += 1;
        if io.arrived == 0 {
            self.unstamped += 1;
        }
        let end = if io.arrived == 0 { sys::real_ns() } else { io.arrived };
        let h = if x.inside { &mut self.h_join } else { &mut self.h_leave };
        h.add(end.saturating_sub(x.t0));
    }

    fn delivery(&mut self, io: &mut Net, s: u32, arg: &[u8], now: u64) {
        let (word, bit) = (s as usize >> 6, 1u64 << (s & 63));
        if self.left == 0 || self.p.check(arg) != Some((0, self.seq)) || self.seen[word] & bit != 0
        {
            return odd(io, "duplicate, unasked or altered delivery", arg);
        }
        self.seen[word] |= bit;
        self.left -= 1;
        self.recv += 1;
        self.win += 1;
        if self.left == 0 {
            self.h_last.add(now - self.t0);
            if self.sending {
                self.broadcast(io);
            }
        }
    }

    /// Everybody who has joined last, and nobody else, must be in the rooms.
    fn audit(&mut self, net: &mut Net) {
        for room in 0..ROOMS {
            let inside = |i: &u32| self.joiners[*i as usize].inside && i % ROOMS == room;
            self.audience = (0..self.joiners.len() as u32).filter(inside).collect();
            net.send_str(0, &format!("42[\"room\",\"j{room}\",\"audit\"]"));
            let end = now_ns() + 5 * SEC;
            while !self.audience.is_empty() && now_ns() < end {
                net.poll(self, 10 * MS);
            }
            idle_for(net, self, 10 * MS);
            if !self.audience.is_empty() {
                return net
                    .error(format!("{} who joined are not in the room", self.audience.len()));
            }
        }
    }
}

impl App for Joins {
    fn on_text(&mut self, io: &mut Net, s: u32, d: &[u8], now: u64) {
        if s < self.n && d.starts_with(b"43") {
            self.ready += 1;
        } else if s >= self.n && d == b"42[\"room\",\"audit\"]" {
            match self.audience.iter().position(|&i| i == s - self.n) {
                Some(at) => drop(self.audience.swap_remove(at)),
                None => io.error("delivered to a session that has left the room"),
            }
        } else if s >= self.n && d.starts_with(b"43") {
            self.answer(io, (s - self.n) as usize, d);
        } else if s < self.n && d.starts_with(b"42[\"room\",") && d.last() == Some(&b']') {
            self.delivery(io, s, &d[10..d.len() - 1], now);
        } else {
            odd(io, "unexpected packet", d);
        }
        if self.sending && now >= self.next {
            self.step(io, now);
        }
    }
    fn on_close(&mut self, io: &mut Net, _s: u32, _now: u64) {
        if self.sending {
            io.error("a connection was lost");
        }
    }
}

fn run_until(net: &mut Net, a: &mut Joins, mut gate: Gate) {
    let mut progress = (a.recv, now_ns());
    loop {
        let now = now_ns();
        if gate.done(now) {
            return;
        }
        if now >= a.next {
            a.step(net, now);
        }
        net.poll(a, gate.left(now).min(a.next.saturating_sub(now)));
        if a.recv != progress.0 {
            progress = (a.recv, now_ns());
        } else if now_ns() - progress.1 > 5 * SEC {
            return net.error("no delivery for 5 s");
        }
    }
}

fn new(o: &Opts, n: u64) -> Joins {
    Joins {
        p: Payload::new(Kind::Text, o.n("size", 100) as usize),
        n: n as u32,
        ready: 0,
        seq: 0,
        sending: false,
        t0: 0,
        left: 0,
        seen: vec![0; (n as usize >> 6) + 1],
        expected: 0,
        recv: 0,
        win: 0,
        joiners: vec![Joiner::default(); o.n("joiners", 64) as usize],
        next: 0,
        turn: 0,
        asked: 0,
        answered: 0,
        stalls: 0,
        unstamped: 0,
        audience: Vec::new(),
        h_join: Hist::new(),
        h_leave: Hist::new(),
        h_last: Hist::new(),
    }
}

/// Connects all, and has the receivers join their room.
fn gather(e: &Env, net: &mut Net, a: &mut Joins, n: u64) -> bool {
    let joiners = a.joiners.len() as u64;
    if !connect_all(net, a, e.mode, n + joiners, e.conc, None) {
        return false;
    }
    for s in 0..n as u32 {
        net.send_str(s, "420[\"join\",\"all\"]");
        if s % 64 == 63 {
            net.poll(a, 0);
        }
    }
    let end = now_ns() + 20 * SEC;
    while a.ready < n && now_ns() < end {
        net.poll(a, 20 * MS);
    }
    if a.ready != n {
        net.error(format!("{n} joins asked, {} acknowledged", a.ready));
    }
    for s in 0..joiners as u32 {
        net.stamp(n as u32 + s);
    }
    a.ready == n
}

fn drain(net: &mut Net, a: &mut Joins) -> bool {
    a.sending = false;
    let end = now_ns() + 10 * SEC;
    while (a.recv < a.expected || a.answered < a.asked) && now_ns() < end {
        net.poll(a, 20 * MS);
    }
    idle_for(net, a, 20 * MS);
    if a.recv != a.expected || a.answered != a.asked {
        net.error(format!(
            "{} deliveries expected, {} made; {} joins and leaves asked, {} answered",
            a.expected, a.recv, a.asked, a.answered
        ));
    }
    a.recv == a.expected && a.answered == a.asked
}

pub fn joins(o: &Opts, e: &Env, net: &mut Net) -> bool {
    let n = o.n("conns", 8000);
    let mut a = new(o, n);
    let mut j = head(e);
    j.u("conns", n);
    if !gather(e, net, &mut a, n) {
        return tail(j, net, false);
    }
    a.sending = true;
    a.next = now_ns();
    a.broadcast(net);
    run_until(net, &mut a, Gate::new(e, e.warmup));
    a.h_join.clear();
    a.h_leave.clear();
    a.h_last.clear();
    (a.stalls, a.unstamped, a.win) = (0, 0, 0);
    let mut w = Window::start(e);
    run_until(net, &mut a, Gate::new(e, e.secs));
    w.stop(e);
    write(&a, e, &w, &mut j);
    let mut ok = drain(net, &mut a);
    a.audit(net);
    // Then once more, with everybody inside who was outside: all may have been on the same side.
    for _ in 0..a.joiners.len() {
        a.step(net, now_ns());
    }
    ok &= drain(net, &mut a);
    a.audit(net);
    j.u("sent", a.expected + a.asked);
    j.u("recv", a.recv + a.answered);
    close_all(net, &mut a, true);
    tail(j, net, ok)
}

fn write(a: &Joins, e: &Env, w: &Window, j: &mut J) {
    j.u("joiners", a.joiners.len() as u64);
    j.u("msgs", a.win);
    j.f("msgs_s", a.win as f64 / w.secs());
    lat(j, "join_", &a.h_join);
    lat(j, "leave_", &a.h_leave);
    lat(j, "last_", &a.h_last);
    j.u("joins", a.h_join.count());
    j.u("leaves", a.h_leave.count());
    j.u("stalls", a.stalls);
    j.u("unstamped", a.unstamped);
    w.write(e, j, a.win);
}
