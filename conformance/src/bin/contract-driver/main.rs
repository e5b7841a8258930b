//! The client as a program that obeys: commands on stdin, reports on stdout, one JSON object per
//! line. Written as a user of the public API would write it.
//!
//! The commands and reports are listed in `conformance/js/README.md`.

mod command;
mod opening;
mod report;
mod sockets;
mod values;
mod watching;

use std::io::{self, BufRead};
use std::process::ExitCode;

use command::Command;
use report::Report;
use sockets::Sockets;

/// What the suites look for: this client has all of it.
const FEATURES: &[&str] = &[
    "polling",
    "websocket",
    "upgrade",
    "msgpack",
    "reconnect-polling",
    "reconnect-websocket",
    "attempts",
    "recovery",
    "buffer",
    "volatile",
    "ack-timeout",
    "open-timeout",
    "query",
    "multiplex",
    "max-payload",
    "strict",
    "bad-handshake",
    "auth-refresh",
    "retries",
    "options",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("contract-driver: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Obeys until the end of stdin.
fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let _entered = runtime.enter();
    let mut sockets = Sockets::default();
    report::write(&Report::Ready { features: FEATURES });
    for line in io::stdin().lock().lines() {
        let obeyed = serde_json::from_str::<Command>(&line?)
            .map_err(|error| error.to_string())
            .and_then(|command| sockets.obey(command));
        if let Err(message) = obeyed {
            report::write(&Report::Error { message: &message });
        }
    }
    Ok(())
}
