//! What the server is told to be.

use std::time::Duration;

use sockeye::{Server, ServerBuilder};

/// Reads `--NAME VALUE` pairs; times are in milliseconds.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<ServerBuilder, String> {
    let mut builder = Server::builder();
    while let Some(name) = words.next() {
        let value = words.next().and_then(|value| value.parse().ok());
        let value: u32 = value.ok_or_else(|| format!("{name} has no number"))?;
        builder = set(builder, &name, value)?;
    }
    Ok(builder)
}

fn set(builder: ServerBuilder, name: &str, value: u32) -> Result<ServerBuilder, String> {
    let time = Duration::from_millis(u64::from(value));
    let count = usize::try_from(value).unwrap_or(usize::MAX);
    Ok(match name {
        "--ping-interval" => builder.ping_interval(time),
        "--ping-timeout" => builder.ping_timeout(time),
        "--connect-timeout" => builder.connect_timeout(time),
        "--write-timeout" => builder.write_timeout(time),
        "--body-timeout" => builder.body_timeout(time),
        "--attachment-timeout" => builder.attachment_timeout(time),
        "--upgrade-timeout" => builder.upgrade_timeout(time),
        "--max-buffered-bytes" => builder.max_buffered_bytes(count),
        "--max-running-handlers" => builder.max_running_handlers(count),
        _ => return Err(format!("{name} is no option")),
    })
}
