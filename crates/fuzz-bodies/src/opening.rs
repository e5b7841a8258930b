use std::time::Duration;

use serde::de::IgnoredAny;
use sockeye_proto::engine::{Opening, OpeningError};

/// Longest time that is not cut short: from there on a number of milliseconds is not exact.
const EXACT: u128 = 1 << 53;

/// Any text as the data of an OPEN packet. What was read is written, and read again.
pub fn opening(data: &[u8]) {
    let Ok(json) = str::from_utf8(data) else { return };
    match Opening::parse(json) {
        Ok(opening) => {
            assert!(!opening.sid.is_empty());
            assert_ne!(opening.max_payload, Some(0));
            let is_exact = |time: Duration| time.as_millis() < EXACT;
            if is_exact(opening.ping_interval) && is_exact(opening.ping_timeout) {
                assert_eq!(Opening::parse(&write(&opening)).as_ref(), Ok(&opening));
            }
        }
        Err(OpeningError::InvalidJson) => {}
        Err(error) => {
            let is_json = serde_json::from_str::<IgnoredAny>(json).is_ok();
            let is_object = json.trim_start().starts_with('{');
            assert!(is_json && is_object, "{error}, but it is no object");
        }
    }
}

fn write(opening: &Opening) -> String {
    let upgrades: &[&str] = if opening.upgrades.websocket { &["websocket"] } else { &[] };
    serde_json::json!({
        "sid": opening.sid,
        "upgrades": upgrades,
        "pingInterval": opening.ping_interval.as_millis() as u64,
        "pingTimeout": opening.ping_timeout.as_millis() as u64,
        "maxPayload": opening.max_payload,
    })
    .to_string()
}
