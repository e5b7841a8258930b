//! Values in JSON lines: binary is `{"$bin": "<base64>"}`, at any depth.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sockeye::{ArgumentWriter, ToArguments, Value};

/// Each value is an argument.
pub(crate) struct Spread(pub(crate) Vec<Value>);

impl ToArguments for Spread {
    fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
        self.0.iter().try_for_each(|value| value.write(writer))
    }
}

/// Values as the driver is told them.
pub(crate) fn decode_all(values: Vec<Value>) -> Result<Vec<Value>, String> {
    values.into_iter().map(decode).collect()
}

fn decode(value: Value) -> Result<Value, String> {
    match value {
        Value::Object(entries) => match entries.get("$bin") {
            Some(Value::String(text)) => match BASE64.decode(text) {
                Ok(bytes) => Ok(Value::Binary(bytes.into())),
                Err(error) => Err(format!("$bin: {error}")),
            },
            _ => entries
                .into_iter()
                .map(|(key, value)| Ok((key, decode(value)?)))
                .collect::<Result<_, String>>()
                .map(Value::Object),
        },
        Value::Array(items) => decode_all(items).map(Value::Array),
        other => Ok(other),
    }
}

/// Values as the driver tells them.
pub(crate) fn encode_all(values: Vec<Value>) -> Vec<Value> {
    values.into_iter().map(encode).collect()
}

fn encode(value: Value) -> Value {
    match value {
        Value::Binary(bytes) => {
            let text = Value::String(BASE64.encode(&bytes));
            Value::Object([("$bin".to_owned(), text)].into())
        }
        Value::Object(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, encode(value))).collect())
        }
        Value::Array(items) => Value::Array(encode_all(items)),
        other => other,
    }
}
