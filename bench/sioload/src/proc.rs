//! What the server cost: CPU, memory, core occupancy, read from /proc.
use std::collections::{HashMap, HashSet};
use std::fs;

const TICK_NS: u64 = 10_000_000; // USER_HZ is 100 on every Linux ABI

#[derive(Clone, Default)]
pub struct Snap {
    pub t: u64,
    pub sched_ns: HashMap<(i32, i32), u64>,
    pub wait_ns: HashMap<(i32, i32), u64>, // runnable but not running
    pub cli_wait_ns: u64,
    pub utime: u64,
    pub stime: u64,
    pub vol: u64,
    pub invol: u64,
    pub cli_ns: u64,
    pub cores: Vec<[u64; 3]>, // busy, idle(+iowait), steal, in ticks
}

fn read(p: &str) -> String {
    fs::read_to_string(p).unwrap_or_default()
}

/// `root` and every live descendant of it.
pub fn tree(root: i32) -> Vec<i32> {
    let mut kids: HashMap<i32, Vec<i32>> = HashMap::new();
    if let Ok(d) = fs::read_dir("/proc") {
        for e in d.flatten() {
            if let Ok(pid) = e.file_name().to_string_lossy().parse::<i32>() {
                let s = read(&format!("/proc/{pid}/stat"));
                if let Some(r) = s.rfind(')') {
                    let f: Vec<&str> = s[r + 1..].split_whitespace().collect();
                    if f.len() > 1 {
                        kids.entry(f[1].parse().unwrap_or(0)).or_default().push(pid);
                    }
                }
            }
        }
    }
    let (mut out, mut seen) = (vec![root], HashSet::from([root]));
    let mut i = 0;
    while i < out.len() {
        if let Some(v) = kids.get(&out[i]) {
            for &k in v {
                if seen.insert(k) {
                    out.push(k);
                }
            }
        }
        i += 1;
    }
    out
}

pub fn snap(pid: i32) -> Snap {
    let mut s = Snap { cli_ns: crate::sys::self_cpu_ns(), ..Default::default() };
    s.cli_wait_ns = read("/proc/self/schedstat")
        .split_whitespace()
        .nth(1)
        .and_then(|x| x.parse().ok())
        .unwrap_or(0);
    if pid > 0 {
        for p in tree(pid) {
            let st = read(&format!("/proc/{p}/stat"));
            if let Some(r) = st.rfind(')') {
                let f: Vec<&str> = st[r + 1..].split_whitespace().collect();
                if f.len() > 13 {
                    s.utime += f[11].parse::<u64>().unwrap_or(0);
                    s.stime += f[12].parse::<u64>().unwrap_or(0);
                }
            }
            if let Ok(d) = fs::read_dir(format!("/proc/{p}/task")) {
                for e in d.flatten() {
                    let tid = e.file_name().to_string_lossy().parse::<i32>().unwrap_or(0);
                    let base = format!("/proc/{p}/task/{tid}");
                    let ss = read(&format!("{base}/schedstat"));
                    let mut f = ss.split_whitespace().map(|x| x.parse().unwrap_or(0));
                    s.sched_ns.insert((p, tid), f.next().unwrap_or(0));
                    s.wait_ns.insert((p, tid), f.next().unwrap_or(0));
                    for l in read(&format!("{base}/status")).lines() {
                        if let Some(v) = l.strip_prefix("voluntary_ctxt_switches:") {
                            s.vol += v.trim().parse::<u64>().unwrap_or(0);
                        } else if let Some(v) = l.strip_prefix("nonvoluntary_ctxt_switches:") {
                            s.invol += v.trim().parse::<u64>().unwrap_or(0);
                        }
                    }
                }
            }
        }
    }
    for l in read("/proc/stat").lines() {
        let mut f = l.split_whitespace();
        let name = f.next().unwrap_or("");
        if name.len() > 3 && name.starts_with("cpu") {
            let v: Vec<u64> = f.map(|x| x.parse().unwrap_or(0)).collect();
            if v.len() >= 8 {
                s.cores.push([v[0] + v[1] + v[2] + v[5] + v[6], v[3] + v[4], v[7]]);
            }
        }
    }
    s.t = crate::sys::now_ns();
    s
}

/// CPU ns used so far by the threads of one process; cheap enough to poll.
pub fn cpu_ns(pid: i32) -> u64 {
    let mut n = 0;
    if let Ok(d) = fs::read_dir(format!("/proc/{pid}/task")) {
        for e in d.flatten() {
            let ss =
                read(&format!("/proc/{pid}/task/{}/schedstat", e.file_name().to_string_lossy()));
            n += ss.split_whitespace().next().and_then(|x| x.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    n
}

pub struct Cost {
    pub wall_s: f64,
    pub cpu_s: f64,
    pub user_s: f64,
    pub sys_s: f64,
    pub cli_s: f64,
    pub wait_s: f64,
    pub cli_wait_s: f64,
    pub vol: u64,
    pub invol: u64,
    pub core: Vec<(f64, f64)>, // per core: busy %, steal % of wall
}

pub fn diff(a: &Snap, b: &Snap) -> Cost {
    let wall = (b.t - a.t) as f64 / 1e9;
    let mut ns = 0u64;
    let mut exited = false;
    for (k, v) in &b.sched_ns {
        ns += v.saturating_sub(a.sched_ns.get(k).copied().unwrap_or(0));
    }
    for k in a.sched_ns.keys() {
        exited |= !b.sched_ns.contains_key(k);
    }
    let user_s = (b.utime.saturating_sub(a.utime) * TICK_NS) as f64 / 1e9;
    let sys_s = (b.stime.saturating_sub(a.stime) * TICK_NS) as f64 / 1e9;
    let tick = user_s + sys_s;
    // schedstat is exact to the ns, but forgets threads that ended: then use the 10 ms clock.
    let cpu_s = if ns == 0 || (exited && tick > ns as f64 / 1e9) { tick } else { ns as f64 / 1e9 };
    let wait: u64 = b
        .wait_ns
        .iter()
        .map(|(k, v)| v.saturating_sub(a.wait_ns.get(k).copied().unwrap_or(0)))
        .sum();
    let core = a
        .cores
        .iter()
        .zip(&b.cores)
        .map(|(x, y)| {
            let w = wall * 100.0; // ticks
            ((y[0] - x[0]) as f64 / w * 100.0, y[2].saturating_sub(x[2]) as f64 / w * 100.0)
        })
        .collect();
    Cost {
        wall_s: wall,
        cpu_s,
        user_s,
        sys_s,
        cli_s: (b.cli_ns - a.cli_ns) as f64 / 1e9,
        wait_s: wait as f64 / 1e9,
        cli_wait_s: b.cli_wait_ns.saturating_sub(a.cli_wait_ns) as f64 / 1e9,
        vol: b.vol.saturating_sub(a.vol),
        invol: b.invol.saturating_sub(a.invol),
        core,
    }
}

fn status_kb(pid: i32, key: &str) -> u64 {
    let mut n = 0;
    for p in tree(pid) {
        for l in read(&format!("/proc/{p}/status")).lines() {
            if let Some(v) = l.strip_prefix(key) {
                n += v.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0);
            }
        }
    }
    n
}

/// Exact RSS in KiB (smaps_rollup; the status counter is approximate), summed over the tree.
pub fn rss_kb(pid: i32) -> u64 {
    if pid <= 0 {
        return 0;
    }
    let mut n = 0;
    for p in tree(pid) {
        for l in read(&format!("/proc/{p}/smaps_rollup")).lines() {
            if let Some(v) = l.strip_prefix("Rss:") {
                n += v.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0);
            }
        }
    }
    if n == 0 { status_kb(pid, "VmRSS:") } else { n }
}

pub fn peak_kb(pid: i32) -> u64 {
    if pid <= 0 { 0 } else { status_kb(pid, "VmHWM:") }
}

pub fn reset_peak(pid: i32) {
    if pid > 0 {
        for p in tree(pid) {
            let _ = fs::write(format!("/proc/{p}/clear_refs"), "5");
        }
    }
}

/// Kernel pages held by TCP buffers, KiB (machine-wide).
pub fn tcp_mem_kb() -> u64 {
    for l in read("/proc/net/sockstat").lines() {
        if l.starts_with("TCP:") {
            let f: Vec<&str> = l.split_whitespace().collect();
            if let Some(i) = f.iter().position(|x| *x == "mem") {
                return f[i + 1].parse::<u64>().unwrap_or(0) * 4;
            }
        }
    }
    0
}

pub fn fds(pid: i32) -> usize {
    if pid <= 0 {
        return 0;
    }
    tree(pid)
        .iter()
        .map(|p| fs::read_dir(format!("/proc/{p}/fd")).map(|d| d.count()).unwrap_or(0))
        .sum()
}
