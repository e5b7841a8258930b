//! Each packet is one text message:
//!
//! ```json
//! {"type": 2, "nsp": "/", "id": 0, "data": ["upload", "a.bin", {"$bytes": "AQID"}]}
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use sockeye::{
    PacketKind, Parser, ParserDecoder, ParserError, ParserInput, ParserMessage, ParserPacket, Value,
};

/// The only key of an object that stands for bytes.
const MARKER: &str = "$bytes";

/// The parser. It has nothing to remember between packets, so it is its own decoder too; one whose
/// packets come in several messages has a decoder that collects them.
#[derive(Clone, Copy)]
pub(crate) struct Base64Json;

impl Parser for Base64Json {
    fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError> {
        let mut json = json!({"type": packet.kind.number(), "nsp": packet.namespace});
        if let Some(id) = packet.id {
            json["id"] = id.into();
        }
        if let Some(data) = &packet.data {
            json["data"] = to_json(data);
        }
        Ok(vec![ParserMessage::Text(json.to_string())])
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Box::new(*self)
    }
}

impl ParserDecoder for Base64Json {
    fn add(&mut self, message: ParserInput<'_>) -> Result<Option<ParserPacket>, ParserError> {
        let ParserInput::Text(text) = message else {
            return Err(ParserError::new("got a binary message"));
        };
        // It goes no deeper than 128, as a parser must see to.
        let mut json: Json = serde_json::from_str(text).map_err(ParserError::new)?;
        let kind = json["type"].as_u64().and_then(PacketKind::from_number);
        let data = match json.get_mut("data").map(Json::take) {
            Some(data) => Some(from_json(data)?),
            None => None,
        };
        // Whether the data fits the type is checked by the server.
        Ok(Some(ParserPacket {
            kind: kind.ok_or_else(|| ParserError::new("no packet type"))?,
            namespace: json["nsp"].as_str().unwrap_or("/").to_owned(),
            id: json["id"].as_u64(),
            data,
        }))
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(number.clone()),
        Value::String(text) => Json::String(text.clone()),
        Value::Binary(bytes) => json!({MARKER: STANDARD.encode(bytes)}),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| (key.to_owned(), to_json(value))).collect()
        }
    }
}

fn from_json(json: Json) -> Result<Value, ParserError> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => Value::Number(number),
        Json::String(text) => Value::String(text),
        Json::Array(items) => {
            Value::Array(items.into_iter().map(from_json).collect::<Result<_, _>>()?)
        }
        Json::Object(entries) => match marked(&entries) {
            Some(base64) => {
                Value::Binary(STANDARD.decode(base64).map_err(ParserError::new)?.into())
            }
            None => Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((key, from_json(value)?)))
                    .collect::<Result<_, ParserError>>()?,
            ),
        },
    })
}

fn marked(entries: &Map<String, Json>) -> Option<&str> {
    if entries.len() == 1 { entries.get(MARKER)?.as_str() } else { None }
}
