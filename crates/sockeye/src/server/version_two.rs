//! What is different with Socket.IO 2 clients, which speak revision 3 of Engine.IO (S-099 to S-102).
//!
//! They are in `/` from the start, know their ids from the handshake, put a query where others put
//! auth, and take any value for the reason of a refusal.

use serde_json::{Map, Value};
use sockeye_proto::socket::{EncodeError, Encoded, Packet, Payload};

use super::error::ConnectError;
use crate::codec::Codec;
use crate::engine::{Id, Revision, Session};

/// Whether a session's client is one.
pub(super) fn is_spoken(session: &Session) -> bool {
    session.revision() == Revision::Three
}

/// What the client does not say: it wants to be in `/`.
pub(super) const CONNECT: Packet<'static> =
    Packet { namespace: MAIN, id: None, payload: Payload::Connect(None) };

/// The namespace that a client is in without asking.
pub(super) const MAIN: &str = "/";

/// The id of a new socket. A client of version 2 computes it from the id of its session (S-099).
pub(super) fn socket_id(namespace: &str, session: &Session) -> Id {
    match namespace {
        _ if !is_spoken(session) => Id::random(),
        MAIN => Id::from_text(session.id()),
        other => Id::from_text(&format!("{other}#{}", session.id())),
    }
}

/// The packet as others would have sent it: the query behind the namespace of a CONNECT is the
/// auth object, whose values are strings (S-100). Nothing else is, as in the reference. `auth` is
/// where it is kept.
pub(super) fn translate<'a>(packet: &'a Packet<'_>, auth: &'a mut Option<String>) -> Packet<'a> {
    let (namespace, query) = match packet.namespace.split_once('?') {
        Some((namespace, query)) => (namespace, Some(query)),
        None => (packet.namespace, None),
    };
    let payload = match &packet.payload {
        Payload::Connect(_) => {
            *auth = query.map(object);
            Payload::Connect(auth.as_deref())
        }
        other => other.clone(),
    };
    Packet { namespace, id: packet.id, payload }
}

/// A query as a JSON object. Of a key that is given twice the last one counts.
fn object(query: &str) -> String {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let object: Map<_, _> =
        pairs.map(|(key, value)| (key.into_owned(), Value::from(value))).collect();
    Value::Object(object).to_string()
}

/// Tells the client that it is in the namespace. It knows under which id.
pub(super) fn encode_connect(codec: &Codec, namespace: &str) -> Result<Encoded, EncodeError> {
    codec.encode(namespace, |encoder| Ok(encoder.connect_without_id()))
}

/// Tells the client that it was refused: the error's data as it is, or else the message (S-101).
pub(super) fn encode_refusal(
    codec: &Codec,
    namespace: &str,
    error: &ConnectError,
) -> Result<Encoded, EncodeError> {
    let data = error.data().filter(|data| is_reason(data));
    let message = Value::from(error.message());
    let reason = data.unwrap_or(&message);
    codec.encode(namespace, |encoder| Ok(encoder.connect_error_value(reason)))
}

/// Whether the reference sends it; but not a number, which the client would take for an
/// acknowledgement id.
fn is_reason(data: &Value) -> bool {
    match data {
        Value::Null | Value::Number(_) => false,
        Value::Bool(value) => *value,
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s_100_the_query_behind_the_namespace_is_the_auth_object() {
        for (namespace, stripped, auth) in [
            ("/", "/", None),
            ("/chat", "/chat", None),
            ("/chat?token=x", "/chat", Some(json!({"token": "x"}))),
            ("/?a=1&a=2&b", "/", Some(json!({"a": "2", "b": ""}))),
            ("/chat?", "/chat", Some(json!({}))),
            ("/chat?a=%C3%A9+%22?b", "/chat", Some(json!({"a": "é \"?b"}))),
            ("/chat?__proto__=x", "/chat", Some(json!({"__proto__": "x"}))),
        ] {
            let mut kept = None;
            let payload = Payload::Connect(Some("{\"not\":\"this\"}"));
            let sent = Packet { namespace, id: None, payload };
            let packet = translate(&sent, &mut kept);
            assert_eq!(packet.namespace, stripped);
            let Payload::Connect(given) = packet.payload else { panic!("still a CONNECT") };
            let given: Option<Value> = given.map(|auth| serde_json::from_str(auth).unwrap());
            assert_eq!(given, auth, "{namespace}");
        }
        let mut kept = None;
        let packet = Packet { namespace: "/chat?a=b", id: None, payload: Payload::Disconnect };
        assert_eq!(translate(&packet, &mut kept).namespace, "/chat");
    }

    #[test]
    fn s_101_the_reason_of_a_refusal_is_a_bare_value() {
        let error = || ConnectError::new("no \"entry\"");
        for (namespace, error, packet) in [
            ("/", error(), "44\"no \\\"entry\\\"\""),
            ("/chat", error(), "44/chat,\"no \\\"entry\\\"\""),
            ("/chat", error().with_data(json!({"code": 7})), "44/chat,{\"code\":7}"),
            ("/", error().with_data("text"), "44\"text\""),
            ("/", error().with_data(json!([])), "44[]"),
            ("/", error().with_data(true), "44true"),
            ("/", error().with_data(7), "44\"no \\\"entry\\\"\""),
            ("/", error().with_data(""), "44\"no \\\"entry\\\"\""),
            ("/", error().with_data(0), "44\"no \\\"entry\\\"\""),
            ("/", error().with_data(false), "44\"no \\\"entry\\\"\""),
            ("/", error().with_data(json!(null)), "44\"no \\\"entry\\\"\""),
        ] {
            let refusal = encode_refusal(&Codec::default(), namespace, &error).unwrap();
            assert_eq!(refusal.into_frames().next().unwrap().payload(), packet.as_bytes());
        }
        let connect = encode_connect(&Codec::default(), "/chat").unwrap();
        assert_eq!(connect.into_frames().next().unwrap().payload(), b"40/chat,");
    }
}
