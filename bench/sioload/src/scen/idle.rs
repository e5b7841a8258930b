//! `idle`: what open connections cost that only answer heartbeats, and what is left of that after a
//! burst of large broadcasts to all of them.
use super::drive::{close_all, connect_all, idle_for};
use super::fan::{Fan, fan_loop, fan_new};
use super::measure::{Gate, Window};
use super::report::J;
use super::{Env, MS, SEC, head, tail};
use crate::net::Net;
use crate::sys::now_ns;
use crate::{Opts, die, proc};

pub fn idle(o: &Opts, e: &Env, net: &mut Net) -> bool {
    let n = o.n("conns", 10_000);
    if n + 50 > e.lim {
        die(&format!("{n} connections need more file descriptors than the limit of {}", e.lim));
    }
    let settle = o.n("settle-ms", 2000) * MS;
    let burst = o.n("burst", 0);
    let size = o.n("burst-size", 20_000) as usize;
    let mut a = fan_new(o, n + 1, burst.max(1), false, size);
    a.sending = false;
    // A first connection, so that lazily set up parts of the server are not charged to the rest.
    let mut ok = connect_all(net, &mut a, e.mode, 1, 1, None);
    idle_for(net, &mut a, 300 * MS);
    let (rss0, mem0) = (proc::rss_kb(e.pid), proc::tcp_mem_kb());
    let before = proc::snap(e.pid);
    ok &= ok && connect_all(net, &mut a, e.mode, n, e.conc, None);
    let up = proc::diff(&before, &proc::snap(e.pid));
    let mut j = head(e);
    j.u("conns", n);
    if !ok {
        j.u("opened", net.opened);
        j.f("opened_in_s", up.wall_s);
        close_all(net, &mut a, false);
        return tail(j, net, false);
    }
    let per_conn = |rss: u64, above: u64| (rss as f64 - above as f64) * 1024.0 / n as f64;
    idle_for(net, &mut a, settle);
    let rss1 = proc::rss_kb(e.pid);
    j.f("connects_s", n as f64 / up.wall_s);
    j.u("rss_before_kb", rss0);
    j.u("rss_open_kb", rss1);
    j.f("rss_per_conn_b", per_conn(rss1, rss0));
    j.f("tcp_mem_per_conn_b", per_conn(proc::tcp_mem_kb(), mem0));
    let w = heartbeats(e, net, &mut a, n, &mut j);
    w.write(e, &mut j, net.pings.max(1));
    if burst > 0 {
        ok &= broadcasts(e, net, &mut a, burst, &mut j);
        idle_for(net, &mut a, settle);
        let rss = proc::rss_kb(e.pid);
        j.u("rss_burst_kb", rss);
        j.f("rss_per_conn_burst_b", per_conn(rss, rss0));
    }
    let live = net.live;
    j.u("live", live);
    if live != n + 1 {
        net.error(format!("{live} of {} connections still open", n + 1));
    }
    a.sending = false;
    close_all(net, &mut a, false);
    idle_for(net, &mut a, settle);
    let rss = proc::rss_kb(e.pid);
    j.u("rss_closed_kb", rss);
    j.f("rss_per_conn_closed_b", per_conn(rss, rss0));
    tail(j, net, ok)
}

fn heartbeats(e: &Env, net: &mut Net, a: &mut Fan, n: u64, j: &mut J) -> Window {
    net.pings = 0;
    let mut w = Window::start(e);
    idle_for(net, a, (e.secs * 1e9) as u64);
    w.stop(e);
    let (pings, c) = (net.pings, proc::diff(&w.a, &w.b));
    let due = (n + 1) as f64 * c.wall_s * 1000.0 / net.ping_interval.max(1) as f64;
    j.u("rss_end_kb", proc::rss_kb(e.pid));
    j.u("pings", pings);
    j.f("pings_expected", due);
    j.f("heartbeat_cpu_pct", c.cpu_s / c.wall_s * 100.0);
    // Of a few hundred pings the server's other work in that time would be charged to each.
    if pings > 0 {
        j.f("heartbeat_cpu_us_per_ping", c.cpu_s * 1e6 / pings as f64);
    }
    w
}

/// Sends them all at once, and waits until everybody has every one of them.
fn broadcasts(e: &Env, net: &mut Net, a: &mut Fan, burst: u64, j: &mut J) -> bool {
    proc::reset_peak(e.pid);
    a.sending = true;
    a.budget = burst;
    for slot in 0..burst as u32 {
        a.send(net, slot, now_ns());
    }
    let done = fan_loop(net, a, Gate::limit(60));
    idle_for(net, a, SEC); // a duplicate would show up here
    j.u("rss_burst_peak_kb", proc::peak_kb(e.pid));
    j.u("sent", a.expected);
    j.u("recv", a.recv);
    if a.recv != a.expected {
        net.error(format!("{} deliveries expected, {} made", a.expected, a.recv));
    }
    done && a.recv == a.expected
}
