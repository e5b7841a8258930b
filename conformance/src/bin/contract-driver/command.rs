use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value as Json};
use sockeye::{TransportName, Value};

/// What the driver is told. `s` is the name of a socket, chosen by who commands.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(crate) enum Command {
    Open(Box<Open>),
    Emit(Emit),
    Answer { s: String, event: String, mode: Mode },
    Disconnect { s: String },
    Connect { s: String },
}

/// Connect.
#[derive(Deserialize)]
pub(crate) struct Open {
    pub(crate) s: String,
    pub(crate) url: String,
    #[serde(default = "main_namespace")]
    pub(crate) nsp: String,
    #[serde(default)]
    pub(crate) opts: Options,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Options {
    #[serde(deserialize_with = "transports")]
    pub(crate) transports: Option<Vec<TransportName>>,
    pub(crate) upgrade: Option<bool>,
    pub(crate) auth: Option<Map<String, Json>>,
    /// Another payload for each connection, the last one for all that follow.
    pub(crate) auth_sequence: Option<Vec<Map<String, Json>>>,
    pub(crate) query: Option<BTreeMap<String, String>>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) reconnection: Option<bool>,
    #[serde(deserialize_with = "milliseconds")]
    pub(crate) reconnection_delay: Option<Duration>,
    pub(crate) reconnection_attempts: Option<u32>,
    #[serde(deserialize_with = "milliseconds")]
    pub(crate) timeout: Option<Duration>,
    pub(crate) parser: Option<ParserName>,
    /// The socket whose connection is used.
    pub(crate) share: Option<String>,
    pub(crate) retries: Option<u32>,
    #[serde(deserialize_with = "milliseconds")]
    pub(crate) ack_timeout: Option<Duration>,
    pub(crate) path: Option<String>,
    pub(crate) add_trailing_slash: Option<bool>,
    pub(crate) timestamp_requests: Option<bool>,
    pub(crate) timestamp_param: Option<String>,
    pub(crate) force_base64: bool,
    pub(crate) try_all_transports: bool,
    /// Cookies are kept.
    pub(crate) with_credentials: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ParserName {
    Msgpack,
}

/// Emit; with `ack` wait for the answer and report it under that number. `retry` is not looked at:
/// with `retries` every emit is retried.
#[derive(Deserialize)]
pub(crate) struct Emit {
    pub(crate) s: String,
    pub(crate) event: String,
    #[serde(default)]
    pub(crate) args: Vec<Value>,
    #[serde(default)]
    pub(crate) volatile: bool,
    pub(crate) ack: Option<u64>,
    #[serde(default, deserialize_with = "milliseconds")]
    pub(crate) timeout: Option<Duration>,
}

/// How an event is acknowledged from now on.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// With its own arguments.
    Echo,
    /// With these.
    Args(Vec<Value>),
    /// Not at all.
    Never,
}

fn main_namespace() -> String {
    "/".to_owned()
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
}

fn transports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<TransportName>>, D::Error> {
    let names = Option::<Vec<String>>::deserialize(deserializer)?;
    let known = |name: &String| match name.as_str() {
        "polling" => Ok(TransportName::Polling),
        "websocket" => Ok(TransportName::WebSocket),
        other => Err(serde::de::Error::custom(format_args!("no transport is called {other}"))),
    };
    names.map(|names| names.iter().map(known).collect()).transpose()
}
