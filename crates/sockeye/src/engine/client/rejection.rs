//! What a server says when it refuses a request (section 1.3).

use serde::Deserialize;

use super::error::TransportCause;

/// Bytes of a text that are worth showing.
const SHOWN_BYTES: usize = 200;

/// The body of a refusal over polling (E-033).
#[derive(Deserialize)]
struct Body {
    code: Option<u64>,
    message: Option<String>,
}

/// Reads the body of an error: Engine.IO's JSON (E-033), or text that is short and no page, as on a
/// WebSocket (E-035).
pub(super) fn read(status: u16, body: &[u8]) -> TransportCause {
    if let Ok(Body { code, message }) = serde_json::from_slice(body) {
        let message = message.map(|text| shorten(&text)).unwrap_or_default();
        return TransportCause::Status { status, code, message };
    }
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let is_page = text.starts_with('<') || text.len() > SHOWN_BYTES;
    let message = if is_page { String::new() } else { shorten(text) };
    TransportCause::Status { status, code: None, message }
}

/// What may be shown: no line breaks, and not too much.
fn shorten(text: &str) -> String {
    let shown = text.get(..text.floor_char_boundary(SHOWN_BYTES)).unwrap_or_default();
    shown.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_an_error_is_told_if_it_says_something() {
        let long = "x".repeat(300);
        let as_json = format!("{{\"code\":9,\"message\":\"{long}\"}}");
        for (body, expected) in [
            ("", (None, "")),
            ("{\"code\":1,\"message\":\"Session ID unknown\"}", (Some(1), "Session ID unknown")),
            ("{\"message\":\"a\\nb\"}", (None, "a b")),
            ("{\"code\":-1}", (None, "{\"code\":-1}")),
            ("Session ID unknown", (None, "Session ID unknown")),
            (" Bad\r\nGateway\n", (None, "Bad  Gateway")),
            ("<html>no</html>", (None, "")),
            (&*long, (None, "")),
            (&*as_json, (Some(9), &long[..200])),
        ] {
            let (code, message) = expected;
            let expected =
                TransportCause::Status { status: 400, code, message: message.to_owned() };
            assert_eq!(read(400, body.as_bytes()), expected, "{body}");
        }
        let binary = TransportCause::Status { status: 500, code: None, message: String::new() };
        assert_eq!(read(500, b"\xff\x00"), binary);
    }
}
