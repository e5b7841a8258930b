//! `idle`: what open connections cost that only answer heartbeats.
use super::drive::{close_all, connect_all, idle_for};
use super::measure::Window;
use super::{Env, MS, SEC, head, tail};
use crate::net::{Net, NoApp};
use crate::{Opts, die, proc};

pub fn idle(o: &Opts, e: &Env, net: &mut Net) -> bool {
    let n = o.n("conns", 10_000);
    if n + 50 > e.lim {
        die(&format!("{n} connections need more file descriptors than the limit of {}", e.lim));
    }
    // A first connection, so that lazily set up parts of the server are not charged to the rest.
    let mut ok = connect_all(net, &mut NoApp, e.mode, 1, 1, None);
    idle_for(net, &mut NoApp, 300 * MS);
    let (rss0, mem0) = (proc::rss_kb(e.pid), proc::tcp_mem_kb());
    let a = proc::snap(e.pid);
    ok &= ok && connect_all(net, &mut NoApp, e.mode, n, e.conc, None);
    let b = proc::snap(e.pid);
    let up = proc::diff(&a, &b);
    if !ok {
        let mut j = head(e);
        j.u("conns", n);
        j.u("opened", net.opened);
        j.f("opened_in_s", up.wall_s);
        close_all(net, &mut NoApp, false);
        return tail(j, net, false);
    }
    idle_for(net, &mut NoApp, 2 * SEC);
    let rss1 = proc::rss_kb(e.pid);
    let mem1 = proc::tcp_mem_kb();
    net.pings = 0;
    let mut w = Window::start(e);
    idle_for(net, &mut NoApp, (e.secs * 1e9) as u64);
    w.stop(e);
    let pings = net.pings;
    let live = net.live;
    let rss2 = proc::rss_kb(e.pid);
    let c = proc::diff(&w.a, &w.b);
    let mut j = head(e);
    j.u("conns", n);
    j.f("connects_s", n as f64 / up.wall_s);
    j.u("rss_before_kb", rss0);
    j.u("rss_open_kb", rss1);
    j.u("rss_end_kb", rss2);
    j.f("rss_per_conn_b", (rss1 as f64 - rss0 as f64) * 1024.0 / n as f64);
    j.f("rss_per_conn_end_b", (rss2 as f64 - rss0 as f64) * 1024.0 / n as f64);
    j.f("tcp_mem_per_conn_b", (mem1 as f64 - mem0 as f64) * 1024.0 / n as f64);
    j.u("pings", pings);
    j.f("pings_expected", (n + 1) as f64 * c.wall_s * 1000.0 / net.ping_interval.max(1) as f64);
    j.f("heartbeat_cpu_pct", c.cpu_s / c.wall_s * 100.0);
    j.f("heartbeat_cpu_us_per_ping", c.cpu_s * 1e6 / pings.max(1) as f64);
    w.write(e, &mut j, pings.max(1));
    j.u("live", live);
    if live != n + 1 {
        net.error(format!("{live} of {} connections still open", n + 1));
    }
    close_all(net, &mut NoApp, false);
    idle_for(net, &mut NoApp, 2 * SEC);
    j.u("rss_closed_kb", proc::rss_kb(e.pid));
    tail(j, net, ok)
}
