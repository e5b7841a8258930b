use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value as Json;
use sockeye::Value;

/// What the driver tells.
#[derive(Serialize)]
#[serde(tag = "ev", rename_all = "snake_case")]
pub(crate) enum Report<'a> {
    Ready {
        features: &'a [&'a str],
    },
    Connect {
        s: &'a str,
        id: &'a str,
        recovered: bool,
    },
    ConnectError {
        s: &'a str,
        message: &'a str,
        data: Option<&'a Json>,
    },
    Event {
        s: &'a str,
        name: &'a str,
        args: &'a [Value],
    },
    Ack {
        s: &'a str,
        ack: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<&'a [Value]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'static str>,
    },
    Upgrade {
        s: &'a str,
        transport: &'static str,
    },
    Disconnect {
        s: &'a str,
        reason: &'static str,
    },
    ReconnectFailed {
        s: &'a str,
    },
    Error {
        message: &'a str,
    },
}

/// Writes a line at once.
pub(crate) fn write(report: &Report<'_>) {
    let mut line = match serde_json::to_vec(report) {
        Ok(line) => line,
        Err(error) => return eprintln!("contract-driver: {error}"),
    };
    line.push(b'\n');
    // Who does not read any more has no use for it.
    let _ = io::stdout().lock().write_all(&line);
}
