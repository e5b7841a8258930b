//! How long a phase lasts, and what the server spent in it.
use super::report::J;
use super::{Env, MS, SEC};
use crate::proc::{self, Snap};
use crate::sys::now_ns;

pub struct Window {
    pub a: Snap,
    pub b: Snap,
}

impl Window {
    pub fn start(e: &Env) -> Window {
        proc::reset_peak(e.pid);
        let a = proc::snap(e.pid);
        Window { b: a.clone(), a }
    }
    pub fn stop(&mut self, e: &Env) {
        self.b = proc::snap(e.pid);
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
            j.f("srv_ctxsw_per_unit", (c.vol + c.invol) as f64 / units as f64);
            j.u("srv_invol_ctxsw", c.invol);
            j.u("srv_rss_kb", proc::rss_kb(e.pid));
            j.u("srv_rss_peak_kb", proc::peak_kb(e.pid));
        }
        // What else ran on these cores: the measure of how far the figures can be trusted.
        let mut foreign = 0.0;
        let mut steal: f64 = 0.0;
        for (i, (busy, st)) in c.core.iter().enumerate() {
            let mut own = 0.0;
            if i as i64 == e.srv_cpu {
                own += c.cpu_s / c.wall_s * 100.0;
                j.f("srv_core_busy_pct", *busy);
            }
            if i as i64 == e.cli_cpu {
                own += c.cli_s / c.wall_s * 100.0;
            }
            if i as i64 == e.srv_cpu || i as i64 == e.cli_cpu {
                foreign += (busy - own).max(0.0);
                steal = steal.max(*st);
            }
        }
        j.f("foreign_cpu_pct", foreign);
        j.f("steal_pct", steal);
        // Demand = running + waiting for the core, so that the verdict holds on a shared machine.
        let srv = (c.cpu_s + c.wait_s) / c.wall_s * 100.0;
        let cli = (c.cli_s + c.cli_wait_s) / c.wall_s * 100.0;
        j.f("srv_wait_pct", c.wait_s / c.wall_s * 100.0);
        j.f("cli_wait_pct", c.cli_wait_s / c.wall_s * 100.0);
        j.f("cli_over_srv_cpu", c.cli_s / c.cpu_s);
        let bound = if e.pid <= 0 {
            "unknown"
        } else if srv >= 85.0 && (cli < 85.0 || c.cli_s < 0.75 * c.cpu_s) {
            "server"
        } else if srv >= 85.0 {
            "both"
        } else if cli >= 85.0 {
            "client"
        } else {
            "neither"
        };
        j.s("bound", bound);
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
