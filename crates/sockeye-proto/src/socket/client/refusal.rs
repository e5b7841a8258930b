use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// Why a server did not let the client in: what its CONNECT_ERROR says (S-024, C-041).
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the protocol's packet has these parts")]
pub struct ConnectRefused {
    /// What the server's middleware said.
    pub message: String,
    /// What it said besides.
    pub data: Option<Value>,
}

/// The official client's words for a CONNECT without an id (C-041).
const VERSION_TWO: &str = "It seems you are trying to reach a Socket.IO server in v2.x with a v3.x \
                           client, but they are not compatible (more information here: \
                           https://socket.io/docs/v3/migrating-from-2-x-to-3-0/)";

impl ConnectRefused {
    /// Reads the payload of a CONNECT_ERROR. A server of version 2 gives any value as its reason.
    pub(super) fn parse(payload: &str) -> Self {
        match serde_json::from_str(payload) {
            Ok(Value::Object(mut parts)) => {
                let message = match parts.remove("message") {
                    Some(Value::String(message)) => message,
                    Some(other) => other.to_string(),
                    None => String::new(),
                };
                Self { message, data: parts.remove("data").filter(|data| !data.is_null()) }
            }
            Ok(Value::String(message)) => Self { message, data: None },
            Ok(_) | Err(_) => Self { message: payload.to_owned(), data: None },
        }
    }

    pub(super) fn version_two() -> Self {
        Self { message: VERSION_TWO.to_owned(), data: None }
    }
}

impl fmt::Display for ConnectRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnectRefused {}

/// What a server's CONNECT says (S-023, S-078).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Granted<'a> {
    #[serde(borrow, default)]
    sid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) pid: Option<Cow<'a, str>>,
}

impl<'a> Granted<'a> {
    pub(super) fn parse(payload: Option<&'a str>) -> Self {
        payload.and_then(|payload| serde_json::from_str(payload).ok()).unwrap_or_default()
    }

    /// The client's id in the namespace; none from a server of version 2.
    pub(super) fn id(&self) -> Option<&str> {
        self.sid.as_deref().filter(|sid| !sid.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(message: &str, data: Option<Value>) -> ConnectRefused {
        ConnectRefused { message: message.into(), data }
    }

    #[test]
    fn s_024_a_refusal_has_a_message_and_may_have_data() {
        let cases = [
            (r#"{"message":"no"}"#, refused("no", None)),
            (r#"{"message":"no","data":{"code":7}}"#, refused("no", Some(json!({"code": 7})))),
            (r#"{"message":"no","data":null}"#, refused("no", None)),
            (r#"{"message":7}"#, refused("7", None)),
            ("{}", refused("", None)),
            ("", refused("", None)),
        ];
        for (payload, expected) in cases {
            assert_eq!(ConnectRefused::parse(payload), expected, "{payload}");
        }
    }

    #[test]
    fn s_101_a_server_of_version_two_refuses_with_any_value() {
        assert_eq!(ConnectRefused::parse("\"no\""), refused("no", None));
        assert_eq!(ConnectRefused::parse("[1]"), refused("[1]", None));
    }

    #[test]
    fn s_023_a_connect_has_an_id_and_may_have_a_secret_one() {
        let granted = |payload| {
            let granted = Granted::parse(payload);
            let id = granted.id().map(str::to_owned);
            (id, granted.pid.map(Cow::into_owned))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(granted(Some(r#"{"sid":"a"}"#)), (some("a"), None));
        assert_eq!(granted(Some(r#"{"sid":"a","pid":"b"}"#)), (some("a"), some("b")));
        assert_eq!(granted(Some(r#"{"sid":"a","pid":null,"x":1}"#)), (some("a"), None));
        for payload in [None, Some("{}"), Some(r#"{"sid":""}"#), Some(r#"{"sid":7}"#)] {
            assert_eq!(granted(payload).0, None, "{payload:?}");
        }
    }
}
