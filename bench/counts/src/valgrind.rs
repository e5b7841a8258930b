//! Runs workloads under valgrind. Only the first thread counts: it is the one that serves.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;

use bench_counts::Workload;

use crate::Outcome;

/// How often a workload is done in the run that is taken off: what is done once, and what only the
/// first times cost.
const FEW: u64 = 64;

/// The calls that carry bytes, or wait for them. Others are not the work's: memory, threads, the time
/// (which valgrind makes a call).
const CALLS: &[&str] = &[
    "sys_sendto",
    "sys_sendmsg",
    "sys_write",
    "sys_writev",
    "sys_recvfrom",
    "sys_recvmsg",
    "sys_read",
    "sys_readv",
    "sys_epoll_wait",
    "sys_epoll_pwait",
    "sys_epoll_ctl",
];

/// How many of them write.
const WRITES: usize = 4;

/// System calls for each operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls {
    pub(crate) all: f64,
    pub(crate) writes: f64,
}

/// Instructions in user space for each operation.
pub(crate) fn instructions(workload: &Workload) -> Outcome<f64> {
    let (few, many) = twice(workload, |times| callgrind(workload, times, Counted::total))?;
    Ok(each(workload, few, many))
}

/// System calls for each operation.
pub(crate) fn system_calls(workload: &Workload) -> Outcome<Calls> {
    let (few, many) = twice(workload, |times| trace(workload, times))?;
    let count = |wanted: &[&str]| {
        let wanted = |trace: &[String]| {
            trace.iter().filter(|call| wanted.contains(&call.as_str())).count() as u64
        };
        each(workload, wanted(&few), wanted(&many))
    };
    Ok(Calls { all: count(CALLS), writes: count(&CALLS[..WRITES]) })
}

/// Prints the functions in which the instructions are spent.
pub(crate) fn profile(workload: &Workload) -> Outcome {
    callgrind(workload, FEW + workload.times, |counted| {
        let shown = Command::new("callgrind_annotate")
            .args(["--auto=no", "--threshold=95"])
            .arg(counted.path())
            .status();
        shown.map(|_| ()).map_err(|error| format!("callgrind_annotate: {error}"))
    })
}

/// What is counted of few and of many operations, at the same time.
fn twice<T: Send>(
    workload: &Workload,
    count: impl Fn(u64) -> Outcome<T> + Send + Sync,
) -> Outcome<(T, T)> {
    thread::scope(|scope| {
        let few = scope.spawn(|| count(FEW));
        let many = count(FEW + workload.times)?;
        let few = few.join().map_err(|_| "a count panicked".to_owned())?;
        Ok((few?, many))
    })
}

fn each(workload: &Workload, few: u64, many: u64) -> f64 {
    many.saturating_sub(few) as f64 / workload.times as f64
}

/// What callgrind has written of the first thread.
struct Counted(PathBuf);

impl Counted {
    fn path(&self) -> &Path {
        &self.0
    }

    fn total(&self) -> Outcome<u64> {
        let text = read(&self.0)?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total = total.and_then(|total| total.trim().parse().ok());
        total.ok_or_else(|| "callgrind has counted nothing".to_owned())
    }
}

fn callgrind<T>(
    workload: &Workload,
    times: u64,
    look: impl FnOnce(&Counted) -> Outcome<T>,
) -> Outcome<T> {
    let folder = Folder::new(workload, times)?;
    let out = folder.0.join("callgrind");
    let options = ["--tool=callgrind".to_owned(), "--separate-threads=yes".to_owned()];
    let out_option = format!("--callgrind-out-file={}", out.display());
    valgrind(options.into_iter().chain([out_option]), workload, times)?;
    look(&Counted(folder.0.join("callgrind-01")))
}

/// The names of the calls of the first thread, in order.
fn trace(workload: &Workload, times: u64) -> Outcome<Vec<String>> {
    let folder = Folder::new(workload, times)?;
    let log = folder.0.join("calls");
    let options = ["--tool=none".to_owned(), "--trace-syscalls=yes".to_owned()];
    let log_option = format!("--log-file={}", log.display());
    valgrind(options.into_iter().chain([log_option]), workload, times)?;
    // Each begins with `SYSCALL[process,thread](number) name (`, not always on a line of its own.
    let name = |call: &str| {
        let (_, call) = call.split_once(",1](")?;
        call.split_whitespace().nth(1).map(str::to_owned)
    };
    Ok(read(&log)?.split("SYSCALL[").filter_map(name).collect())
}

fn valgrind(options: impl Iterator<Item = String>, workload: &Workload, times: u64) -> Outcome {
    let program = env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let output = Command::new("valgrind")
        .args(options)
        .arg(program)
        .args(["run", workload.name, &times.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error} (Debian: apt-get install valgrind)"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} under valgrind: {}\n{said}", workload.name, output.status))
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A folder of one run, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(workload: &Workload, times: u64) -> Outcome<Self> {
        let name = format!("bench-counts-{}-{}-{times}", process::id(), workload.name);
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in a folder for what is temporary is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}
