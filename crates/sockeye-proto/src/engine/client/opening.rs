//! The OPEN packet as a client reads it (E-001, E-002): strict about what it needs, blind to the
//! rest.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::engine::TransportName;

/// The transports that a server would take over to, as far as they are known here (E-003).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upgrades {
    /// Whether WebSocket is among them.
    pub websocket: bool,
}

/// What a server says when it opens a session (E-002).
///
/// ```
/// use sockeye_proto::engine::{Opening, OpeningError};
///
/// let opening = Opening::parse(
///     r#"{"sid":"YDdIvTwz8yhywqJeAAAA","upgrades":["websocket"],"pingInterval":25000,
///         "pingTimeout":20000,"maxPayload":1000000,"new":{}}"#,
/// )?;
/// assert_eq!(&*opening.sid, "YDdIvTwz8yhywqJeAAAA");
/// assert!(opening.upgrades.websocket);
///
/// let error = Opening::parse(r#"{"sid":"YDdIvTwz8yhywqJeAAAA","pingInterval":"soon"}"#);
/// assert_eq!(error, Err(OpeningError::Invalid("pingInterval")));
/// # Ok::<(), OpeningError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// The session's id: a credential, and never empty. Any text: escape it in a URL.
    pub sid: Box<str>,
    /// What the server would take over to; nothing if it does not say.
    pub upgrades: Upgrades,
    /// Time between two pings, in whole milliseconds.
    pub ping_interval: Duration,
    /// Time that a ping may be late, in whole milliseconds.
    pub ping_timeout: Duration,
    /// Bytes that the body of a POST may have (C-020); `None` if the server does not say, or says
    /// zero.
    pub max_payload: Option<u64>,
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("upgrades", &self.upgrades)
            .field("ping_interval", &self.ping_interval)
            .field("ping_timeout", &self.ping_timeout)
            .field("max_payload", &self.max_payload)
            .finish_non_exhaustive()
    }
}

/// Why an OPEN packet cannot be read: always the server's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpeningError {
    /// It is not a JSON object, or says one thing twice.
    InvalidJson,
    /// This key is missing.
    Missing(&'static str),
    /// The value of this key is of another type, or out of bounds.
    Invalid(&'static str),
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidJson => f.write_str("an OPEN packet that is no JSON object"),
            Self::Missing(key) => write!(f, "an OPEN packet without {key}"),
            Self::Invalid(key) => write!(f, "an OPEN packet with an invalid {key}"),
        }
    }
}

impl std::error::Error for OpeningError {}

impl Opening {
    /// Reads the data of an OPEN packet. Keys that are not known are stepped over, and `null` is as
    /// good as nothing.
    ///
    /// # Errors
    /// See [`OpeningError`].
    pub fn parse(json: &str) -> Result<Self, OpeningError> {
        let keys: Keys<'_> = object(json).ok_or(OpeningError::InvalidJson)?;
        let sid: String = required(keys.sid, "sid")?;
        if sid.is_empty() {
            return Err(OpeningError::Invalid("sid"));
        }
        Ok(Self {
            sid: sid.into(),
            ping_interval: milliseconds(keys.ping_interval, "pingInterval")?,
            ping_timeout: milliseconds(keys.ping_timeout, "pingTimeout")?,
            upgrades: optional(keys.upgrades, "upgrades")?.unwrap_or_default(),
            max_payload: optional(keys.max_payload, "maxPayload")?.filter(|bytes| *bytes > 0),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys<'a> {
    #[serde(borrow)]
    sid: Option<&'a RawValue>,
    #[serde(borrow)]
    upgrades: Option<&'a RawValue>,
    #[serde(borrow)]
    ping_interval: Option<&'a RawValue>,
    #[serde(borrow)]
    ping_timeout: Option<&'a RawValue>,
    #[serde(borrow)]
    max_payload: Option<&'a RawValue>,
}

/// To serde an array of values is as good as an object of them.
fn object<'a>(json: &'a str) -> Option<Keys<'a>> {
    let is_object = json.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(json).ok()).flatten()
}

fn optional<'a, T: Deserialize<'a>>(
    value: Option<&'a RawValue>,
    key: &'static str,
) -> Result<Option<T>, OpeningError> {
    let read = |value: &'a RawValue| serde_json::from_str(value.get());
    value.map(read).transpose().map_err(|_| OpeningError::Invalid(key))
}

fn required<'a, T: Deserialize<'a>>(
    value: Option<&'a RawValue>,
    key: &'static str,
) -> Result<T, OpeningError> {
    optional(value, key)?.ok_or(OpeningError::Missing(key))
}

/// Of a fraction the whole part, since a server's timers know no less than a millisecond either.
fn milliseconds(value: Option<&RawValue>, key: &'static str) -> Result<Duration, OpeningError> {
    let milliseconds: f64 = required(value, key)?;
    if milliseconds < 0.0 {
        return Err(OpeningError::Invalid(key));
    }
    Ok(Duration::from_millis(milliseconds as u64))
}

impl<'de> Deserialize<'de> for Upgrades {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Names)
    }
}

/// Looks at one name after the other, and keeps none.
struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Upgrades;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names of transports")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Upgrades, A::Error> {
        let mut upgrades = Upgrades::default();
        while let Some(name) = names.next_element::<Cow<'de, str>>()? {
            upgrades.websocket |= name == TransportName::WebSocket.as_str();
        }
        Ok(upgrades)
    }
}
