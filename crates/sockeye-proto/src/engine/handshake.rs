use std::borrow::Cow;
use std::fmt;

/// The revision of the Engine.IO protocol that a session speaks (E-007).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the field has two revisions")]
pub enum Revision {
    /// Spoken by Socket.IO 1 and 2 clients: the client pings.
    Three,
    /// Spoken by Socket.IO 3 and 4 clients: the server pings.
    Four,
}

impl Revision {
    /// 3 or 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Four => 4,
        }
    }
}

/// The transport a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportName {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl TransportName {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

impl fmt::Display for TransportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the query string of a request says about the protocol. Of a key that is given twice the
/// last one counts, as in the reference; every other key is left to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query<'a> {
    /// `transport`, as it was written.
    pub transport: Option<Cow<'a, str>>,
    /// `sid`: present in every request after the handshake.
    pub sid: Option<Cow<'a, str>>,
    /// `EIO`: exactly `4` is revision 4, anything else (also nothing) revision 3 (E-007).
    pub revision: Revision,
    /// `b64`: binary must be sent as base64 text, also over WebSocket (E-069).
    pub base64: bool,
    /// `j`: polling is done by script elements, and this is the number of the request (E-117).
    pub jsonp: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads a raw query string.
    #[must_use]
    pub fn parse(query: &'a str) -> Self {
        let mut parsed = Query {
            transport: None,
            sid: None,
            revision: Revision::Three,
            base64: false,
            jsonp: None,
        };
        let is_escaped = query.bytes().any(|byte| matches!(byte, b'%' | b'+'));
        let mut rest = Some(query);
        while let Some(query) = rest {
            let part;
            (part, rest) = cut(query, b'&');
            let Some((key, value)) = pair(part, is_escaped) else { continue };
            match &*key {
                "transport" => parsed.transport = Some(value),
                "sid" => parsed.sid = Some(value),
                "b64" => parsed.base64 = !value.is_empty(),
                "j" => parsed.jsonp = Some(value),
                "EIO" if value == "4" => parsed.revision = Revision::Four,
                "EIO" => parsed.revision = Revision::Three,
                _ => {}
            }
        }
        parsed
    }

    /// The transport asked for, if it is one that exists.
    #[must_use]
    pub fn transport_name(&self) -> Option<TransportName> {
        match self.transport.as_deref()? {
            "polling" => Some(TransportName::Polling),
            "websocket" => Some(TransportName::WebSocket),
            _ => None,
        }
    }
}

/// The key and the value of one part of a query. That mostly nothing is escaped saves most of the work.
fn pair(part: &str, is_escaped: bool) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    if is_escaped {
        return form_urlencoded::parse(part.as_bytes()).next();
    }
    let (key, value) = cut(part, b'=');
    (!part.is_empty()).then_some((key.into(), value.unwrap_or_default().into()))
}

/// What stands before the first `mark`, and what behind it. It is near: a search that is made for long texts
/// takes longer to begin.
fn cut(text: &str, mark: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == mark) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

/// Why a request is refused: the numeric code, the message and the status of Engine.IO
/// (section 1.3), with what the server's own log should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// 0: no such transport, or it is not enabled.
    TransportUnknown,
    /// 1: no session with this `sid`.
    SessionUnknown,
    /// 2: the first request of a session is not a GET.
    BadHandshakeMethod,
    /// 3: see the context.
    BadRequest(RejectionContext),
    /// 4: the application refused; its message if it gave one.
    Forbidden(Option<String>),
    /// 5: revision 3 is not enabled.
    UnsupportedVersion,
    /// 4, with a status that load balancers understand: the server takes no new sessions.
    ShuttingDown,
}

/// What was wrong with a request that gets code 3 (E-036, E-037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectionContext {
    /// The `Origin` header has a character that no header may have.
    InvalidOrigin,
    /// The session speaks over another transport.
    TransportMismatch,
    /// `transport=websocket` without a WebSocket upgrade.
    TransportHandshake,
    /// The session speaks another revision of the protocol.
    ProtocolMismatch,
    /// There is no id for the session (E-005).
    IdGeneration,
    /// A request body above the limit. The answer is an empty 413 instead (E-054).
    PayloadTooLarge,
    /// There is no room for one more request body. The answer is an empty 503 instead.
    TooManyBodies,
}

impl RejectionContext {
    /// The name that the official server's `connection_error` gives, or one in its manner.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidOrigin => "INVALID_ORIGIN",
            Self::TransportMismatch => "TRANSPORT_MISMATCH",
            Self::TransportHandshake => "TRANSPORT_HANDSHAKE_ERROR",
            Self::ProtocolMismatch => "PROTOCOL_MISMATCH",
            Self::IdGeneration => "ID_GENERATION_ERROR",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::TooManyBodies => "TOO_MANY_BODIES",
        }
    }
}

impl Rejection {
    /// The code in the body.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest(_) => 3,
            Self::Forbidden(_) | Self::ShuttingDown => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    /// The message in the body (E-034 for code 4).
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest(_) => "Bad request",
            Self::Forbidden(message) => message.as_deref().unwrap_or("Forbidden"),
            Self::UnsupportedVersion => "Unsupported protocol version",
            Self::ShuttingDown => "Server is shutting down",
        }
    }

    /// The HTTP status over polling; a refused WebSocket upgrade is always 400 (E-035).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Forbidden(_) => 403,
            Self::ShuttingDown => 503,
            _ => 400,
        }
    }

    /// The JSON body over polling (E-033).
    #[must_use]
    pub fn body(&self) -> String {
        let message = serde_json::Value::from(self.message());
        format!("{{\"code\":{},\"message\":{message}}}", self.code())
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        match self {
            Self::BadRequest(context) => write!(f, " ({})", context.as_str()),
            Self::UnsupportedVersion => f.write_str(" (revision 3; see the option allow_eio3)"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Rejection {}

/// What the OPEN packet tells the client (E-002).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the protocol has exactly these keys")]
pub struct Handshake<'a> {
    /// The session's id: a credential.
    pub sid: &'a str,
    /// Transports that the client may upgrade to.
    pub upgrades: &'a [TransportName],
    /// Milliseconds between two pings.
    pub ping_interval: u64,
    /// Milliseconds to wait for a pong.
    pub ping_timeout: u64,
    /// Bytes that one payload or message may have.
    pub max_payload: usize,
}

impl fmt::Display for Handshake<'_> {
    /// The packet `0{…}`: keys in the reference's order, no spaces, because some clients search
    /// for `"sid":"` literally.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0{{\"sid\":\"{}\",\"upgrades\":[", self.sid)?;
        for (index, upgrade) in self.upgrades.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}\"{upgrade}\"")?;
        }
        write!(
            f,
            "],\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{}}}",
            self.ping_interval, self.ping_timeout, self.max_payload
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_packet_has_the_keys_in_the_references_order() {
        let handshake = Handshake {
            sid: "YDdIvTwz8yhywqJeAAAA",
            upgrades: &[TransportName::WebSocket],
            ping_interval: 300,
            ping_timeout: 200,
            max_payload: 1000,
        };
        assert_eq!(
            handshake.to_string(),
            "0{\"sid\":\"YDdIvTwz8yhywqJeAAAA\",\"upgrades\":[\"websocket\"],\
             \"pingInterval\":300,\"pingTimeout\":200,\"maxPayload\":1000}"
        );
    }

    #[test]
    fn only_eio_four_is_revision_four() {
        for (query, revision) in [
            ("EIO=4", Revision::Four),
            ("transport=polling&EIO=4&t=x", Revision::Four),
            ("EIO=3", Revision::Three),
            ("EIO=5", Revision::Three),
            ("EIO=04", Revision::Three),
            ("", Revision::Three),
            ("eio=4", Revision::Three),
            ("EIO=3&EIO=4", Revision::Four),
            ("EIO=4&EIO=3", Revision::Three),
            ("EIO=%34", Revision::Four),
        ] {
            assert_eq!(Query::parse(query).revision, revision, "{query}");
        }
    }

    #[test]
    fn transport_names_of_objects_are_unknown() {
        for name in [
            "",
            "__proto__",
            "constructor",
            "Polling",
            "webtransport",
            "polling%20",
            "polling&transport=x",
        ] {
            let query = format!("EIO=4&transport={name}");
            assert_eq!(Query::parse(&query).transport_name(), None, "{name}");
        }
    }

    #[test]
    fn the_body_of_a_rejection_is_the_references() {
        assert_eq!(
            Rejection::SessionUnknown.body(),
            "{\"code\":1,\"message\":\"Session ID unknown\"}"
        );
        let refused = Rejection::Forbidden(Some("say \"please\"".into()));
        assert_eq!(refused.body(), "{\"code\":4,\"message\":\"say \\\"please\\\"\"}");
        assert_eq!(refused.status(), 403);
    }
}
