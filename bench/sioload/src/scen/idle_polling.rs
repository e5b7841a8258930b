//! `idle-polling`: what long-polling clients cost the server while a poll of theirs is open, between two
//! polls, and between two polls without a connection.
//!
//! One more client, over WebSocket, says something all the time: an allocator that gives memory back
//! only when it is called has the occasion to.
use super::drive::{close_all, connect_all, idle_for};
use super::payload::odd;
use super::{Env, MS, SEC, head, tail};
use crate::net::{App, Mode, Net};
use crate::sys::now_ns;
use crate::{Opts, die, proc};

const STIR: &str = "42[\"echo\",\"is anybody there\"]";

/// Everybody must get each tick once.
#[derive(Default)]
struct Ticks {
    number: u32,
    seen: Vec<u32>, // the last tick of each session
    missing: u64,
}

impl App for Ticks {
    fn on_text(&mut self, io: &mut Net, s: u32, d: &[u8], _now: u64) {
        if s == 0 && d == STIR.as_bytes() {
            return;
        }
        if d != format!("42[\"bcast\",\"tick {}\"]", self.number).as_bytes() {
            return odd(io, "unexpected packet", d);
        }
        if std::mem::replace(&mut self.seen[s as usize], self.number) == self.number {
            return io.error("duplicate delivery");
        }
        self.missing -= 1;
    }
}

impl Ticks {
    /// One broadcast to all. It ends every poll that is open.
    fn tick(&mut self, net: &mut Net) -> bool {
        self.number += 1;
        self.missing = self.seen.len() as u64;
        net.send_str(0, &format!("42[\"bcast\",\"tick {}\"]", self.number));
        let end = now_ns() + 20 * SEC;
        while self.missing > 0 && now_ns() < end {
            net.poll(self, 20 * MS);
        }
        idle_for(net, self, 100 * MS);
        if self.missing > 0 {
            net.error(format!("{} clients missed a broadcast", self.missing));
        }
        self.missing == 0
    }

    fn settle(&mut self, net: &mut Net, ns: u64) {
        let end = now_ns() + ns;
        while now_ns() < end {
            net.send_str(0, STIR);
            idle_for(net, self, 10 * MS);
        }
    }
}

pub fn idle_polling(o: &Opts, e: &Env, net: &mut Net) -> bool {
    let n = o.n("conns", 5000);
    if 2 * n + 50 > e.lim {
        die(&format!("{n} polling clients need more file descriptors than the limit of {}", e.lim));
    }
    let settle = o.n("settle-ms", 2000) * MS;
    let mut a = Ticks::default();
    let mut j = head(e);
    j.u("conns", n);
    // A first one beside the one that talks, and a broadcast: what a server sets up lazily is not
    // charged to the rest.
    let mut ok = connect_all(net, &mut a, Mode::Ws, 1, 1, None);
    ok &= ok && connect_all(net, &mut a, Mode::Polling, 1, 1, None);
    a.seen = vec![0; 2];
    ok &= ok && a.tick(net);
    a.settle(net, 300 * MS);
    let rss0 = proc::rss_kb(e.pid);
    ok &= ok && connect_all(net, &mut a, Mode::Polling, n, e.conc, None);
    if !ok {
        close_all(net, &mut a, false);
        return tail(j, net, false);
    }
    a.seen.resize(n as usize + 2, 0);
    let mut measure = |net: &mut Net, a: &mut Ticks, key: &str| {
        a.settle(net, settle);
        let rss = proc::rss_kb(e.pid);
        j.f(key, (rss as f64 - rss0 as f64) * 1024.0 / n as f64);
    };
    measure(net, &mut a, "rss_open_poll_b");
    net.hold_polls = true;
    ok &= a.tick(net);
    measure(net, &mut a, "rss_between_b");
    for s in 1..=n as u32 + 1 {
        net.leave_polls(s);
    }
    measure(net, &mut a, "rss_no_connection_b");
    net.hold_polls = false;
    for s in 1..=n as u32 + 1 {
        net.resume_poll(s);
        if s % 64 == 63 {
            net.poll(&mut a, MS);
        }
    }
    idle_for(net, &mut a, 500 * MS);
    ok &= a.tick(net);
    let live = net.live;
    if live != n + 2 {
        net.error(format!("{live} of {} clients still there", n + 2));
    }
    for s in 1..=n as u32 + 1 {
        net.close_clean(s);
        if s % 64 == 63 {
            net.poll(&mut a, MS);
        }
    }
    let end = now_ns() + 10 * SEC;
    while net.live > 1 && now_ns() < end {
        net.poll(&mut a, 20 * MS);
    }
    measure(net, &mut a, "rss_per_conn_closed_b");
    if net.live != 1 {
        let left = net.live - 1;
        net.error(format!("{left} sessions were not closed by the server"));
    }
    close_all(net, &mut a, true);
    j.u("rss_before_kb", rss0);
    j.u("rss_closed_kb", proc::rss_kb(e.pid));
    tail(j, net, ok)
}
