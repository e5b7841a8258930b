//! `slow`: what a receiver that stops reading costs the server and the others.
use super::drive::{close_all, connect_all, idle_for};
use super::fan::{fan_loop, fan_new};
use super::measure::{Gate, Window};
use super::{Env, MS, SEC, head, tail};
use crate::net::{Mode, Net};
use crate::sys::now_ns;
use crate::{Opts, proc};

pub fn slow(o: &Opts, e: &Env, net: &mut Net) -> bool {
    let n = o.n("conns", 20);
    let nslow = o.n("slow", 1);
    let size = o.n("size", 16384) as usize;
    let total = o.n("total-mb", 32) * 1024 * 1024 / size as u64;
    let win = o.n("inflight", 4);
    let mut a = fan_new(o, n + nslow, win, false, size);
    let mut ok = connect_all(net, &mut a, Mode::Ws, n, e.conc, None);
    ok &= connect_all(net, &mut a, Mode::Ws, nslow, 1, Some(4096));
    if !ok {
        return tail(head(e), net, false);
    }
    idle_for(net, &mut a, 100 * MS);
    // Phase 1: all of them read; the yardstick for the readers' latency, and a warm server.
    for _ in 0..2 {
        a.h_last.clear();
        a.budget = 300;
        for slot in 0..win as u32 {
            a.send(net, slot, now_ns());
        }
        fan_loop(net, &mut a, Gate::limit(20));
    }
    let base99 = a.h_last.q(0.99);
    let base50 = a.h_last.q(0.5);
    a.h_last.clear();
    a.slow = (n as u32..(n + nslow) as u32).collect();
    a.slow_next = vec![a.seq; nslow as usize];
    a.slow_seen = vec![Vec::new(); nslow as usize];
    for i in 0..nslow as usize {
        net.pause(a.slow[i], true);
    }
    idle_for(net, &mut a, 200 * MS);
    // Phase 2: the slow ones do not read at all.
    let rss0 = proc::rss_kb(e.pid);
    let mem0 = proc::tcp_mem_kb();
    let mut w = Window::start(e);
    a.win_recv = 0;
    a.budget = total;
    net.expect_close = true; // a server may well throw the slow reader out: reported, not an error
    let closes0 = net.server_closes;
    for slot in 0..win as u32 {
        a.send(net, slot, now_ns());
    }
    fan_loop(net, &mut a, Gate::limit(60));
    w.stop(e);
    let rss1 = proc::rss_kb(e.pid);
    let peak = proc::peak_kb(e.pid);
    let mem1 = proc::tcp_mem_kb();
    let done = a.recv == a.expected && a.budget == 0;
    let h99 = a.h_last.q(0.99);
    let h50 = a.h_last.q(0.5);
    // Phase 3: they read again; all must arrive, in order, unless the server gave up on them.
    for i in 0..nslow as usize {
        net.pause(a.slow[i], false);
    }
    let want = total * nslow;
    let t = now_ns();
    let end = t + 15 * SEC;
    let mut last = (0, t);
    while a.slow_recv < want && now_ns() < end && net.live >= n + nslow {
        net.poll(&mut a, 20 * MS);
        if a.slow_recv != last.0 {
            last = (a.slow_recv, now_ns());
        } else if now_ns() - last.1 > 2 * SEC {
            break; // nothing more is coming: dropped
        }
    }
    let catch = (now_ns() - t) as f64 / 1e9;
    let kicked = net.server_closes - closes0;
    // Three honest outcomes: everything arrives late, the reader is disconnected, or messages are
    // missing from a connection that stays open. The last breaks Socket.IO's ordering promise only
    // by omission, so it is reported rather than counted as an error.
    let lost = want - a.slow_recv;
    idle_for(net, &mut a, 2 * SEC);
    let rss2 = proc::rss_kb(e.pid);
    let mut j = head(e);
    j.u("conns", n);
    j.u("slow", nslow);
    j.u("size", size as u64);
    j.u("msgs", a.win_recv);
    j.f("msgs_s", a.win_recv as f64 / w.secs());
    j.f("bcast_mb", (total * size as u64) as f64 / 1e6);
    j.u("rss_before_kb", rss0);
    j.u("rss_after_kb", rss1);
    j.u("rss_peak_kb", peak);
    j.u("rss_drained_kb", rss2);
    j.f("growth_mb", (rss1 as f64 - rss0 as f64) / 1024.0);
    j.f("growth_per_slow_byte", (rss1 as f64 - rss0 as f64) * 1024.0 / (want * size as u64) as f64);
    j.f("tcp_mem_growth_mb", (mem1 as f64 - mem0 as f64) / 1024.0);
    j.f("others_p50_before_us", base50 as f64 / 1e3);
    j.f("others_p50_us", h50 as f64 / 1e3);
    j.f("others_p99_before_us", base99 as f64 / 1e3);
    j.f("others_p99_us", h99 as f64 / 1e3);
    j.u("slow_recv", a.slow_recv);
    j.u("slow_want", want);
    j.u("slow_missing", lost);
    j.u("slow_reordered", a.slow_reordered);
    j.s(
        "slow_fate",
        if kicked > 0 {
            "disconnected"
        } else if lost > 0 {
            "messages dropped"
        } else {
            "all delivered late"
        },
    );
    j.f("slow_catch_up_s", catch);
    j.u("slow_disconnected", kicked);
    w.write(e, &mut j, a.win_recv);
    if !done {
        net.error("the other readers did not get everything");
    }
    a.sending = false;
    close_all(net, &mut a, true);
    tail(j, net, done)
}
