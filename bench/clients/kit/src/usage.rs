//! What this process has used so far, as the kernel counts it.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock tick of `/proc/self/stat`: the ABI says 100 a second.
const TICK_SECONDS: f64 = 0.01;

/// CPU time, and when it was looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Seconds since 1970, so that the runner can lay its own samples beside it.
    pub(crate) at: f64,
    /// Seconds of all threads, exact.
    pub(crate) cpu: f64,
    /// In user mode and in the kernel, in ticks of 10 ms.
    pub(crate) user: f64,
    pub(crate) kernel: f64,
}

impl Usage {
    pub(crate) fn now() -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let (user, kernel) = ticks().unwrap_or_default();
        Self { at, cpu: exact().unwrap_or(user + kernel), user, kernel }
    }

    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            at: self.at - earlier.at,
            cpu: self.cpu - earlier.cpu,
            user: self.user - earlier.user,
            kernel: self.kernel - earlier.kernel,
        }
    }
}

fn exact() -> Option<f64> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir("/proc/self/task").ok()? {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(nanoseconds as f64 / 1e9)
}

fn ticks() -> Option<(f64, f64)> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = text.rsplit(')').next()?.split_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? * TICK_SECONDS);
    Some((seconds()?, seconds()?))
}

/// KiB of memory that is there now: `smaps_rollup`, since the counter in `status` is approximate.
pub(crate) fn resident_kb() -> u64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}
