//! The server's process, seen from outside. Ends no process but that which it started.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A server that is put under strain.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::with_open_files(None, options)
    }

    /// One that may have so many files open, connections among them.
    pub(crate) fn with_open_files(most: Option<u32>, options: &[&str]) -> Self {
        let limit = most.map_or_else(|| "$(ulimit -Hn)".to_owned(), |most| most.to_string());
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_fault-server"))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let output = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a line");
        let port = line.trim().strip_prefix("ready ").and_then(|port| port.parse().ok());
        let port: u16 = port.unwrap_or_else(|| panic!("the server is not ready: {line:?}"));
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("it runs")
    }

    /// Bytes that are resident.
    pub(crate) fn memory(&self) -> u64 {
        resident(self.child.id())
    }

    /// Watches its memory from now on.
    pub(crate) fn watch_memory(&self) -> Peak {
        let (pid, over) = (self.child.id(), Arc::new(AtomicBool::new(false)));
        let is_over = Arc::clone(&over);
        let watching = thread::spawn(move || {
            let mut highest = resident(pid);
            while !is_over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
                highest = highest.max(resident(pid));
            }
            highest
        });
        Peak { over, watching }
    }

    /// Files that are open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    /// Time that it has worked.
    pub(crate) fn worked(&self) -> Duration {
        let stat = self.read("stat");
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let fields: Vec<u64> =
            fields.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
        // The 14th and 15th of all, in hundredths of a second.
        Duration::from_millis((fields[11] + fields[12]) * 10)
    }

    pub(crate) fn stand_still(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill");
        assert!(sent.success(), "kill {signal}: {sent}");
    }
}

/// The highest that the memory of a process has been.
pub(crate) struct Peak {
    over: Arc<AtomicBool>,
    watching: thread::JoinHandle<u64>,
}

impl Peak {
    /// Bytes.
    pub(crate) fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.watching.join().expect("no panic")
    }
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
    let kilobytes = line.split_whitespace().next().and_then(|number| number.parse().ok());
    kilobytes.map(|kilobytes: u64| kilobytes * 1024).expect("a number")
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended, which is the failure of somebody else.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
