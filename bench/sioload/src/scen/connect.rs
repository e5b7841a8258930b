//! `connect`: rounds of connecting everybody and disconnecting everybody.
use super::drive::{close_all, connect_all, idle_for};
use super::measure::{Demand, bound, median, others};
use super::report::lat;
use super::{Env, MS, head, tail};
use crate::hist::Hist;
use crate::net::{Net, NoApp};
use crate::{Opts, proc};

pub fn connect(o: &Opts, e: &Env, net: &mut Net) -> bool {
    let n = o.n("conns", 1000);
    let rounds = o.n("rounds", 5);
    let settle = o.n("settle-ms", 700);
    let clean = o.s("close", "clean") == "clean";
    let rss0 = proc::rss_kb(e.pid);
    let fd0 = proc::fds(e.pid);
    let (mut rate, mut cpu, mut down, mut up_rss, mut down_rss, mut cli) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut h = Hist::new();
    let (mut cpu_s, mut wall, mut foreign) = (0.0, 0.0, vec![]);
    let (mut wait_s, mut cli_s, mut cliw_s) = (0.0, 0.0, 0.0);
    let mut ok = true;
    proc::reset_peak(e.pid);
    // Round 0 warms the server up: it counts for memory, not for speed.
    for round in 0..=rounds {
        let base = net.sess.len();
        let a = proc::snap(e.pid);
        ok &= connect_all(net, &mut NoApp, e.mode, n, e.conc, None);
        let b = proc::snap(e.pid);
        if !ok {
            break;
        }
        let c = proc::diff(&a, &b);
        if round > 0 {
            for x in &net.sess[base..] {
                h.add(x.t_open - x.t0);
            }
            rate.push(n as f64 / c.wall_s);
            cpu.push(c.cpu_s / n as f64 * 1000.0 * 1000.0); // CPU ms per 1000 connects
            cli.push(c.cli_s / c.wall_s * 100.0);
            cpu_s += c.cpu_s;
            wall += c.wall_s;
            wait_s += c.wait_s;
            cli_s += c.cli_s;
            cliw_s += c.cli_wait_s;
        }
        foreign.push(others(e, &c).0);
        idle_for(net, &mut NoApp, 200 * MS);
        up_rss.push(proc::rss_kb(e.pid) as f64);
        let a = proc::snap(e.pid);
        close_all(net, &mut NoApp, clean);
        idle_for(net, &mut NoApp, settle * MS);
        let c = proc::diff(&a, &proc::snap(e.pid));
        if round > 0 {
            down.push(c.cpu_s / n as f64 * 1e6);
        }
        down_rss.push(proc::rss_kb(e.pid) as f64);
        net.sess.clear();
    }
    let fd1 = proc::fds(e.pid);
    let mut j = head(e);
    j.u("conns", n);
    j.u("rounds", rounds);
    j.u("conc", e.conc);
    j.f("msgs_s", median(&rate));
    j.f("connects_s", median(&rate));
    lat(&mut j, "", &h);
    j.f("srv_cpu_ms_per_1000", median(&cpu));
    j.f("srv_cpu_s_per_M", median(&cpu));
    j.f("srv_close_cpu_ms_per_1000", median(&down));
    j.f("srv_cpu_pct", cpu_s / wall * 100.0);
    j.f("cli_cpu_pct", median(&cli));
    j.f("per_core_s", 1e6 / median(&cpu));
    j.f("cli_over_srv_cpu", cli_s / cpu_s);
    j.s(
        "bound",
        bound(e, &Demand { wall, srv: cpu_s, srv_wait: wait_s, cli: cli_s, cli_wait: cliw_s }),
    );
    j.f("foreign_cpu_pct", median(&foreign));
    j.arr("rates", &rate);
    j.u("rss_before_kb", rss0);
    j.arr("rss_up_kb", &up_rss);
    j.arr("rss_down_kb", &down_rss);
    j.u("srv_rss_peak_kb", proc::peak_kb(e.pid));
    // Leak figure: growth of the RSS after disconnecting, from round 2 on, per connection opened.
    if down_rss.len() > 2 {
        let (first, last) = (down_rss[1], down_rss[down_rss.len() - 1]);
        j.f(
            "leak_bytes_per_conn",
            (last - first) * 1024.0 / (n as f64 * (down_rss.len() - 2) as f64),
        );
    }
    j.i("fds_left", fd1 as i64 - fd0 as i64);
    let fds_ok = fd1 <= fd0 + 16;
    if !fds_ok && e.pid > 0 {
        net.error(format!("server holds {} more fds than at the start", fd1 as i64 - fd0 as i64));
    }
    j.u("sent", n * (rounds + 1));
    j.u("recv", net.opened);
    ok &= net.opened == n * (rounds + 1);
    tail(j, net, ok)
}
