//! `echo` and `ack`: every message comes back to its sender, once and unaltered.
use super::drive::{close_all, connect_all, idle_for};
use super::measure::{Gate, Window};
use super::payload::{Kind, Payload, digits, kind_of, odd};
use super::report::lat;
use super::{Env, MS, SEC, head, tail};
use crate::Opts;
use crate::hist::Hist;
use crate::net::{App, Net};
use crate::sys::now_ns;

#[derive(Clone, Copy, Default)]
struct Slot {
    seq: u32,
    busy: bool,
    t0: u64,
}

#[derive(Clone, Copy, Default)]
struct BinWait {
    on: bool,
    id: u64,
}

struct Echo {
    ack: bool,
    name: String,    // of the event
    prefix: Vec<u8>, // what an answer begins with
    p: Payload,
    k: u32,
    slots: Vec<Slot>,
    next_expected: Vec<u32>, // FIFO check: sequence number expected next per session
    seq: Vec<u32>,
    binwait: Vec<BinWait>,
    h: Hist,
    late: Hist, // how far behind its schedule the open loop sent
    sent: u64,
    recv: u64,
    win: u64,
    reordered: u64,
    sending: bool,
    paced: bool,
    split: bool, // one send per message, as the JavaScript clients do
    rr: u32,
    n: u32,
    scratch: Vec<u8>,
}

impl Echo {
    fn send(&mut self, io: &mut Net, s: u32, slot: u32, t0: u64) {
        let i = (s * self.k + slot) as usize;
        let seq = self.seq[s as usize];
        self.seq[s as usize] = seq.wrapping_add(1);
        self.slots[i] = Slot { seq, busy: true, t0 };
        self.p.set(slot, seq);
        self.sent += 1;
        // Ack ids carry the slot, so that a reply is matched without a map.
        let id = if self.ack {
            (seq as u64 * self.k as u64 + slot as u64).to_string()
        } else {
            String::new()
        };
        let b = &mut self.scratch;
        b.clear();
        if self.p.kind == Kind::Bin {
            b.extend_from_slice(b"451-");
            b.extend_from_slice(id.as_bytes());
            b.extend_from_slice(b"[\"");
            b.extend_from_slice(self.name.as_bytes());
            b.extend_from_slice(b"\",{\"_placeholder\":true,\"num\":0}]");
            io.send_text(s, b.len(), |o| o.extend_from_slice(b));
            let w = &self.p.wire;
            io.send_bin(s, w.len(), |o| o.extend_from_slice(w));
        } else {
            b.extend_from_slice(b"42");
            b.extend_from_slice(id.as_bytes());
            b.extend_from_slice(b"[\"");
            b.extend_from_slice(self.name.as_bytes());
            b.extend_from_slice(b"\",");
            let w = &self.p.wire;
            io.send_text(s, b.len() + w.len() + 1, |o| {
                o.extend_from_slice(b);
                o.extend_from_slice(w);
                o.push(b']');
            });
        }
        if self.split {
            io.push(s);
        }
    }

    #[inline]
    fn got(&mut self, io: &mut Net, s: u32, arg: &[u8], id: Option<u64>, now: u64) {
        let (slot, seq) = match self.p.check(arg) {
            Some(x) => x,
            None => {
                let l = String::from_utf8_lossy(&arg[..arg.len().min(60)]).into_owned();
                io.error(format!("payload differs from what was sent: {l:?}"));
                return;
            }
        };
        if slot >= self.k {
            io.error("slot out of range");
            return;
        }
        if let Some(id) = id
            && id != seq as u64 * self.k as u64 + slot as u64
        {
            io.error("ack id and payload disagree");
        }
        let i = (s * self.k + slot) as usize;
        if !self.slots[i].busy || self.slots[i].seq != seq {
            io.error("duplicate or unasked reply");
            return;
        }
        self.slots[i].busy = false;
        self.recv += 1;
        self.win += 1;
        if self.next_expected[s as usize] != seq {
            self.reordered += 1;
        }
        self.next_expected[s as usize] = seq.wrapping_add(1);
        self.h.add(now.saturating_sub(self.slots[i].t0));
        if self.sending && !self.paced {
            self.send(io, s, slot, now);
        }
    }

    /// Sends what an open-loop schedule says is due; stays behind it when no slot is free.
    fn pace(&mut self, io: &mut Net, due: u64) -> bool {
        for _ in 0..self.n {
            let s = self.rr;
            self.rr = (self.rr + 1) % self.n;
            for slot in 0..self.k {
                if !self.slots[(s * self.k + slot) as usize].busy {
                    self.late.add(now_ns().saturating_sub(due));
                    self.send(io, s, slot, due);
                    return true;
                }
            }
        }
        false
    }
}

impl App for Echo {
    fn on_text(&mut self, io: &mut Net, s: u32, d: &[u8], now: u64) {
        if self.p.kind == Kind::Bin {
            if !d.starts_with(&self.prefix) || self.binwait[s as usize].on {
                return odd(io, "unexpected packet", d);
            }
            let (id, n) = if self.ack { digits(&d[4..]) } else { (None, 0) };
            let rest = if self.ack { &d[4 + n..] } else { &d[self.prefix.len()..] };
            let want: &[u8] = if self.ack {
                b"[{\"_placeholder\":true,\"num\":0}]"
            } else {
                b"{\"_placeholder\":true,\"num\":0}]"
            };
            let want2: &[u8] = if self.ack {
                b"[{\"num\":0,\"_placeholder\":true}]"
            } else {
                b"{\"num\":0,\"_placeholder\":true}]"
            };
            if rest != want && rest != want2 {
                return odd(io, "unexpected placeholder", d);
            }
            self.binwait[s as usize] = BinWait { on: true, id: id.unwrap_or(u64::MAX) };
            return;
        }
        if self.ack {
            if d.starts_with(&self.prefix) {
                let (id, n) = digits(&d[2..]);
                let r = &d[2 + n..];
                if id.is_some() && r.len() > 2 && r[0] == b'[' && r[r.len() - 1] == b']' {
                    return self.got(io, s, &r[1..r.len() - 1], id, now);
                }
            }
        } else if d.starts_with(&self.prefix) && d.last() == Some(&b']') {
            return self.got(io, s, &d[self.prefix.len()..d.len() - 1], None, now);
        }
        odd(io, "unexpected packet", d)
    }
    fn on_bin(&mut self, io: &mut Net, s: u32, d: &[u8], now: u64) {
        let w = self.binwait[s as usize];
        if self.p.kind != Kind::Bin || !w.on {
            return io.error("unexpected binary message");
        }
        self.binwait[s as usize].on = false;
        let id = if self.ack { Some(w.id) } else { None };
        self.got(io, s, d, id, now)
    }
}

pub fn echo(o: &Opts, e: &Env, net: &mut Net, ack: bool) -> bool {
    let n = o.n("conns", 100);
    let rate = o.f("rate", 0.0);
    let paced = rate > 0.0;
    let k = if paced { 256 } else { o.n("inflight", 8) } as u32;
    let size = o.n("size", 16) as usize;
    let (kind, kind_s) = kind_of(o);
    let name = o.s("event", if ack { "ack" } else { "echo" });
    let mut a = Echo {
        ack,
        prefix: match (kind, ack) {
            (Kind::Bin, true) => b"461-".to_vec(),
            (Kind::Bin, false) => format!("451-[\"{name}\",").into_bytes(),
            (_, true) => b"43".to_vec(),
            (_, false) => format!("42[\"{name}\",").into_bytes(),
        },
        name,
        p: Payload::new(kind, size),
        k,
        slots: vec![Slot::default(); n as usize * k as usize],
        next_expected: vec![0; n as usize],
        seq: vec![0; n as usize],
        binwait: vec![BinWait::default(); n as usize],
        h: Hist::new(),
        late: Hist::new(),
        sent: 0,
        recv: 0,
        win: 0,
        reordered: 0,
        sending: true,
        paced,
        split: o.n("split", 0) != 0,
        rr: 0,
        n: n as u32,
        scratch: Vec::new(),
    };
    if !connect_all(net, &mut a, e.mode, n, e.conc, None) {
        let mut j = head(e);
        j.u("conns", n);
        return tail(j, net, false);
    }
    let t = now_ns();
    let mut next = t as f64;
    if !paced {
        for s in 0..n as u32 {
            for slot in 0..k {
                a.send(net, s, slot, now_ns());
            }
            net.flush(&mut a);
            net.poll(&mut a, 0);
        }
    }
    let pid = if paced { 0 } else { e.pid };
    let gate_for = |secs: f64| Gate { pid, ..Gate::new(e, secs) };
    let mut gate = gate_for(e.warmup);
    let mut w: Option<Window> = None;
    let mut progress = (0, now_ns());
    let mut behind = 0u64;
    let step = if paced { 1e9 / rate } else { 0.0 };
    loop {
        let now = now_ns();
        if gate.done(now) {
            if w.is_some() {
                break;
            }
            a.h.clear();
            a.late.clear();
            behind = 0;
            net.reset_counts();
            w = Some(Window::start(e));
            a.win = 0;
            gate = gate_for(e.secs);
        }
        let mut to = gate.left(now);
        if paced {
            while next <= now as f64 {
                if !a.pace(net, next as u64) {
                    behind += 1;
                    break;
                }
                next += step;
            }
            to = to.min((next - now as f64).max(0.0) as u64);
        }
        net.poll(&mut a, to);
        if a.recv != progress.0 {
            progress = (a.recv, now_ns());
        } else if now_ns() - progress.1 > 5 * SEC && a.sent > a.recv {
            net.error("no reply for 5 s");
            break;
        }
        if net.live < n {
            break;
        }
    }
    let mut w = w.unwrap_or_else(|| Window::start(e));
    w.stop(e);
    let (win, secs) = (a.win, w.secs());
    let (bi, bo, rd, wr) = (net.bytes_in, net.bytes_out, net.reads, net.writes);
    let mut j = head(e);
    j.u("conns", n);
    j.u("inflight", if paced { 0 } else { k as u64 });
    j.u("size", size as u64);
    j.s("kind", &kind_s);
    j.f("rate", rate);
    j.u("msgs", win);
    j.f("msgs_s", win as f64 / secs);
    lat(&mut j, "", &a.h);
    w.write(e, &mut j, win);
    j.f("cli_reads_per_msg", rd as f64 / win as f64);
    j.f("cli_writes_per_msg", wr as f64 / win as f64);
    j.f("mb_in_s", bi as f64 / secs / 1e6);
    j.f("mb_out_s", bo as f64 / secs / 1e6);
    // Drain: everything sent must come back.
    a.sending = false;
    let end = now_ns() + 10 * SEC;
    while a.recv < a.sent && now_ns() < end && net.live == n {
        net.poll(&mut a, 20 * MS);
    }
    idle_for(net, &mut a, 20 * MS); // a duplicate would show up here
    j.u("sent", a.sent);
    j.u("recv", a.recv);
    j.u("reordered", a.reordered);
    if paced {
        j.u("schedule_stalls", behind);
        j.f("late_p99_us", a.late.q(0.99) as f64 / 1e3);
    }
    let all = a.sent == a.recv;
    if !all {
        net.error(format!("sent {} but got back {}", a.sent, a.recv));
    }
    close_all(net, &mut a, true);
    tail(j, net, all)
}
