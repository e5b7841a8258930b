//! The options of the command `open`, as the client has them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value as Json};
use sockeye::MessagePack;
use sockeye::client::{ClientBuilder, ConnectOptions, Manager, Socket, SocketBuilder};

use crate::command::{Open, Options};

/// A socket on a connection of its own, not connected yet.
pub(crate) fn alone(Open { url, nsp, opts, .. }: Open) -> Result<Socket, String> {
    let url = format!("{}{nsp}", url.trim_end_matches('/'));
    let mut builder = ClientBuilder::new(&url).options(connect_options(&opts)?);
    if let Some(reconnection) = opts.reconnection {
        builder = builder.reconnection(reconnection);
    }
    if let Some(delay) = opts.reconnection_delay {
        builder = builder.reconnection_delay(delay);
    }
    if let Some(attempts) = opts.reconnection_attempts {
        builder = builder.reconnection_attempts(attempts);
    }
    if let Some(timeout) = opts.timeout {
        builder = builder.timeout(Some(timeout));
    }
    if opts.parser.is_some() {
        builder = builder.parser(MessagePack);
    }
    let manager = builder.manager().map_err(|error| error.to_string())?;
    Ok(on(&manager, &nsp, opts))
}

/// A socket on this connection, not connected yet.
pub(crate) fn on(manager: &Manager, namespace: &str, options: Options) -> Socket {
    let Options { auth, auth_sequence, retries, ack_timeout, .. } = options;
    let mut builder = manager.socket(namespace);
    if let Some(auth) = auth {
        builder = builder.auth(auth);
    }
    if let Some(sequence) = auth_sequence {
        builder = one_by_one(builder, sequence);
    }
    if let Some(retries) = retries {
        builder = builder.retries(retries);
    }
    if let Some(timeout) = ack_timeout {
        builder = builder.ack_timeout(timeout);
    }
    builder.build()
}

/// Another payload for each connection; the last one for all that follow.
fn one_by_one(builder: SocketBuilder, sequence: Vec<Map<String, Json>>) -> SocketBuilder {
    let left = Arc::new(Mutex::new(VecDeque::from(sequence)));
    builder.auth_with(move || {
        let left = Arc::clone(&left);
        async move {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            let next = if left.len() > 1 { left.pop_front() } else { left.front().cloned() };
            Ok::<_, Infallible>(next.unwrap_or_default())
        }
    })
}

fn connect_options(options: &Options) -> Result<ConnectOptions, String> {
    let mut connect = ConnectOptions::new()
        .force_base64(options.force_base64)
        .try_all_transports(options.try_all_transports)
        .cookies(options.with_credentials);
    if let Some(transports) = &options.transports {
        connect = connect.transports(transports.iter().copied());
    }
    if let Some(upgrade) = options.upgrade {
        connect = connect.upgrade(upgrade);
    }
    if let Some(query) = &options.query {
        connect = connect.query(query);
    }
    if let Some(path) = &options.path {
        connect = connect.path(path);
    }
    if let Some(add) = options.add_trailing_slash {
        connect = connect.add_trailing_slash(add);
    }
    if let Some(add) = options.timestamp_requests {
        connect = connect.timestamp_requests(add);
    }
    if let Some(key) = &options.timestamp_param {
        connect = connect.timestamp_param(key);
    }
    for (name, value) in &options.headers {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        connect = connect.header(name, value);
    }
    Ok(connect)
}
