//! The server under test, as a process.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;
use std::{env, fs};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(15);

/// What the server is asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Engine.IO alone, for the engine.io-protocol cases: pings after 300 ms, echoes messages.
    EngineSuite,
    /// Socket.IO for the socket.io-protocol cases, with the same timings.
    SocketSuite,
    /// The interop contract: pings after 1 s, many events.
    Contract,
    /// The same, and Socket.IO 2 clients are served.
    ContractWithEio3,
}

impl Mode {
    /// The arguments that select this mode.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::EngineSuite => &["--mode", "eio-suite"],
            Self::SocketSuite => &["--mode", "sio-suite"],
            Self::Contract => &[],
            Self::ContractWithEio3 => &["--eio3"],
        }
    }
}

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    mode: Mode,
    address: SocketAddr,
    child: Mutex<Child>,
}

impl Server {
    /// Starts the server and waits until it says `ready`: `CONTRACT_SERVER` if that is set, else
    /// `program`.
    ///
    /// # Panics
    ///
    /// If it cannot be started, or does not get ready.
    #[must_use]
    pub fn start(mode: Mode, program: &str) -> Arc<Self> {
        let command_line = env::var("CONTRACT_SERVER").unwrap_or_else(|_| program.to_owned());
        let port = free_port();
        let mut words = command_line.split_whitespace();
        let mut child = Command::new(words.next().expect("CONTRACT_SERVER names a program"))
            .args(words)
            .args(["--port", &port.to_string()])
            .args(mode.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{command_line}`: {error}"));
        if let Err(reason) = wait_until_ready(&mut child) {
            // It may have ended already; then there is nothing to kill.
            let _ = child.kill();
            let status = child.wait();
            panic!("`{command_line}` did not get ready: {reason} ({status:?})");
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Arc::new(Self { mode, address, child: Mutex::new(child) })
    }

    /// What it was asked to be.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes of memory that it has now; 0 where the system does not tell.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it has ever had.
    #[must_use]
    pub fn most_resident_bytes(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Files and connections that it has open; 0 where the system does not tell.
    #[must_use]
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process())).map_or(0, Iterator::count)
    }

    /// A line of what Linux tells of a process, given there in kB.
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process()));
        let kilobytes = status.ok().and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        });
        kilobytes.unwrap_or_default() * 1024
    }

    fn process(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// The path of its endpoint.
    #[must_use]
    pub fn path(&self) -> &'static str {
        match self.mode {
            Mode::EngineSuite => "/engine.io/",
            Mode::SocketSuite | Mode::Contract | Mode::ContractWithEio3 => "/socket.io/",
        }
    }

    /// The endpoint with a query string.
    #[must_use]
    pub fn target(&self, query: &str) -> String {
        format!("{}?{query}", self.path())
    }

    /// The open packet it sends over `transport`; E-002, E-003.
    #[must_use]
    pub fn open_packet(&self, transport: &str) -> String {
        let (interval, timeout) = match self.mode {
            Mode::EngineSuite | Mode::SocketSuite => (300, 200),
            Mode::Contract | Mode::ContractWithEio3 => (1000, 1000),
        };
        let upgrades = if transport == "polling" { r#"["websocket"]"# } else { "[]" };
        format!(
            r#"0{{"sid":"<sid>","upgrades":{upgrades},"pingInterval":{interval},"pingTimeout":{timeout},"maxPayload":1000000}}"#
        )
    }
}

impl Drop for Server {
    /// Kills the server. That it had ended of its own accord is a failure of its own.
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = child.try_wait().ok().flatten();
        // It may have ended already; then there is nothing to kill.
        let _ = child.kill();
        let _ = child.wait();
        if let (Some(status), false) = (ended, thread::panicking()) {
            panic!("the server under test ended by itself: {status}");
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
    listener.local_addr().expect("the address of a bound listener").port()
}

/// Reads standard output up to the line `ready`, and drains the rest.
fn wait_until_ready(child: &mut Child) -> Result<(), &'static str> {
    let output = child.stdout.take().expect("standard output is piped");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line.trim() == "ready" {
                // Nobody listens any more if it came too late.
                let _ = sender.send(());
            }
        }
    });
    receiver.recv_timeout(START).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => "it never said so",
        mpsc::RecvTimeoutError::Disconnected => "it ended",
    })
}
