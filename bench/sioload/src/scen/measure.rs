//! How long a phase lasts, and what the server spent in it.
use super::report::J;
use super::{Env, MS, SEC};
use crate::perf::FutexCount;
use crate::proc::{self, Cost, Snap};
use crate::sys::now_ns;

pub struct Window {
    pub a: Snap,
    pub b: Snap,
    futex: Option<FutexCount>,
    futex_calls: Option<u64>,
}

impl Window {
    pub fn start(e: &Env) -> Window {
        proc::reset_peak(e.pid);
        let futex = if e.futex && e.pid > 0 { FutexCount::start(e.pid) } else { None };
        let a = proc::snap(e.pid);
        Window { b: a.clone(), a, futex, futex_calls: None }
    }
    pub fn stop(&mut self, e: &Env) {
        self.b = proc::snap(e.pid);
        self.futex_calls = self.futex.take().map(|count| count.read());
    }
    pub fn secs(&self) -> f64 {
        (self.b.t - self.a.t) as f64 / 1e9
    }
    /// Server and client CPU over the window; `units` is what "per million" divides by.
    pub fn write(&self, e: &Env, j: &mut J, units: u64) {
        let c = proc::diff(&self.a, &self.b);
        j.f("wall_s", c.wall_s);
        j.f("cli_cpu_pct", c.cli_s / c.wall_s * 100.0);
        if e.pid > 0 {
            j.f("srv_cpu_s", c.cpu_s);
            j.f("srv_user_s", c.user_s);
            j.f("srv_sys_s", c.sys_s);
            j.f("srv_cpu_pct", c.cpu_s / c.wall_s * 100.0);
            j.f("srv_cpu_s_per_M", c.cpu_s / units as f64 * 1e6);
            // What one whole core would carry at this cost: steadier than msgs_s on a busy machine.
            j.f("per_core_s", units as f64 / c.cpu_s);
            j.f("srv_vol_ctxsw_per_k", c.vol as f64 * 1e3 / units as f64);
            j.f("srv_invol_ctxsw_per_k", c.invol as f64 * 1e3 / units as f64);
            if let Some(calls) = self.futex_calls {
                j.f("srv_futex_per_k", calls as f64 * 1e3 / units as f64);
            }
            j.u("srv_rss_kb", proc::rss_kb(e.pid));
            j.u("srv_rss_peak_kb", proc::peak_kb(e.pid));
        }
        let (foreign, steal) = others(e, &c);
        j.f("foreign_cpu_pct", foreign);
        j.f("steal_pct", steal);
        j.f("srv_wait_pct", c.wait_s / c.wall_s * 100.0);
        j.f("cli_wait_pct", c.cli_wait_s / c.wall_s * 100.0);
        j.f("cli_over_srv_cpu", c.cli_s / c.cpu_s);
        let demand = Demand {
            wall: c.wall_s,
            srv: c.cpu_s,
            srv_wait: c.wait_s,
            cli: c.cli_s,
            cli_wait: c.cli_wait_s,
        };
        j.s("bound", bound(e, &demand));
    }
}

/// CPU that others used on the cores of server and sioload, in percent of one, and the most that the
/// host took of one of them: the measure of how far the figures can be trusted.
pub fn others(e: &Env, c: &Cost) -> (f64, f64) {
    let own = (c.cpu_s + c.cli_s) / c.wall_s * 100.0;
    let (mut busy, mut steal) = (0.0, 0f64);
    for (i, core) in c.core.iter().enumerate() {
        if e.srv_cpu.contains(&i) || e.cli_cpu.contains(&i) {
            busy += core.0;
            steal = steal.max(core.1);
        }
    }
    ((busy - own).max(0.0), steal)
}

/// Seconds that server and sioload ran, or waited for a core.
pub struct Demand {
    pub wall: f64,
    pub srv: f64,
    pub srv_wait: f64,
    pub cli: f64,
    pub cli_wait: f64,
}

/// Which of the two could do no more: running or waiting all the time, so that it holds on a machine
/// shared with others. `shared`: they have a core in common, so each takes from the other.
pub fn bound(e: &Env, d: &Demand) -> &'static str {
    if e.pid <= 0 {
        return "unknown";
    }
    if e.srv_cpu.iter().any(|cpu| e.cli_cpu.contains(cpu)) {
        return "shared";
    }
    let cores = e.srv_cpu.len().max(1) as f64;
    let srv = d.srv + d.srv_wait >= 0.85 * d.wall * cores;
    let cli = d.cli + d.cli_wait >= 0.85 * d.wall;
    match (srv, cli) {
        (true, true) if d.cli >= 0.75 * d.srv => "both",
        (true, _) => "server",
        (false, true) => "client",
        (false, false) => "neither",
    }
}

/// Ends a phase after `secs` of wall time in which the server also had the CPU for most of that
/// long; on a machine shared with others it waits up to three times as long for that.
pub struct Gate {
    pub pid: i32,
    pub t_max: u64,
    pub cpu0: u64,
    pub need: u64,
    pub check: u64,
}

impl Gate {
    pub fn new(e: &Env, secs: f64) -> Gate {
        let (now, ns) = (now_ns(), secs * 1e9);
        Gate {
            pid: e.pid,
            t_max: now + (3.0 * ns) as u64,
            cpu0: if e.pid > 0 { proc::cpu_ns(e.pid) } else { 0 },
            need: (ns * 0.7) as u64,
            check: now + ns as u64,
        }
    }
    pub fn limit(secs: u64) -> Gate {
        let t = now_ns() + secs * SEC;
        Gate { pid: 0, t_max: t, cpu0: 0, need: 0, check: t }
    }
    pub fn done(&mut self, now: u64) -> bool {
        if now < self.check {
            return false;
        }
        self.check = now + 40 * MS;
        self.pid <= 0 || now >= self.t_max || proc::cpu_ns(self.pid) - self.cpu0 >= self.need
    }
    pub fn left(&self, now: u64) -> u64 {
        self.check.saturating_sub(now).clamp(MS, 50 * MS)
    }
}

pub fn median(v: &[f64]) -> f64 {
    let mut v = v.to_vec();
    v.sort_by(|a, b| a.partial_cmp(b).unwrap());
    match v.len() {
        0 => 0.0,
        n if n % 2 == 1 => v[n / 2],
        n => (v[n / 2 - 1] + v[n / 2]) / 2.0,
    }
}
