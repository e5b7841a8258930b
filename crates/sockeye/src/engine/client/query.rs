//! The URLs of requests.

use std::time::{SystemTime, UNIX_EPOCH};

use sockeye_proto::engine::TransportName;

use super::options::ConnectOptions;
use super::random;
use super::target::Target;

/// Keys that the protocol has taken (C-009). With `j` a server would answer with a script.
const RESERVED: [&str; 5] = ["EIO", "transport", "sid", "j", "b64"];

/// The URL of a request, with the session's id once there is one (C-018).
pub(super) fn request_url(
    target: &Target,
    options: &ConnectOptions,
    transport: TransportName,
    sid: Option<&str>,
) -> String {
    let mut url = target.request_origin();
    url.push_str(&options.request_path());
    let mut first = true;
    let mut add = |key: &str, value: &str| {
        url.push(if std::mem::take(&mut first) { '?' } else { '&' });
        encode_component(&mut url, key);
        url.push('=');
        encode_component(&mut url, value);
    };
    // C-010: polling has a time stamp unless it is switched off, WebSocket if it is switched on.
    let polling = transport == TransportName::Polling;
    let stamp = options.timestamp_requests.unwrap_or(polling).then_some(&*options.timestamp_param);
    let is_free = |key: &str| !RESERVED.contains(&key) && Some(key) != stamp;
    let own = options.query.as_deref().unwrap_or_else(|| target.query());
    for (key, value) in own.iter().filter(|(key, _)| is_free(key)) {
        add(key, value);
    }
    add("EIO", "4");
    add("transport", transport.as_str());
    if let Some(sid) = sid {
        add("sid", sid);
    }
    if let Some(key) = stamp {
        add(key, &timestamp());
    }
    // C-011: polling says it once.
    if options.force_base64 && !(polling && sid.is_some()) {
        add("b64", "1");
    }
    url
}

/// Eight characters that differ from request to request, so that nothing in between answers from a
/// cache: five of the time and three of chance, as the reference's (C-010).
fn timestamp() -> String {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut text = [b'0'; 8];
    let (time, chance) = text.split_at_mut(5);
    base_36(time, u64::try_from(elapsed.as_millis()).unwrap_or_default());
    base_36(chance, u64::from(u32::from_ne_bytes(random::bytes())));
    text.iter().copied().map(char::from).collect()
}

/// The last digits of a number.
fn base_36(digits: &mut [u8], mut number: u64) {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 36) as usize];
        number /= 36;
    }
}

/// Appends `text` as JavaScript's `encodeURIComponent` writes it.
fn encode_component(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Reads what `encodeURIComponent` writes. What is broken stays as it is, where the reference throws.
pub(super) fn decode_component(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().filter(|_| first == b'%').and_then(hex);
        bytes.push(digits.unwrap_or(first));
        rest = if digits.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(target: &str, options: ConnectOptions, transport: TransportName) -> String {
        request_url(&Target::parse(target).unwrap(), &options, transport, None)
    }

    const POLLING: TransportName = TransportName::Polling;
    const WEBSOCKET: TransportName = TransportName::WebSocket;

    #[test]
    fn a_request_says_what_the_protocol_needs() {
        let plain = ConnectOptions::new().timestamp_requests(false);
        assert_eq!(
            url("http://a/chat", plain.clone(), POLLING),
            "http://a/socket.io/?EIO=4&transport=polling"
        );
        assert_eq!(
            url("wss://a:8443", plain.clone(), WEBSOCKET),
            "https://a:8443/socket.io/?EIO=4&transport=websocket"
        );
        let target = Target::parse("http://[::1]:3000?x=a b&sid=no&EIO=3").unwrap();
        assert_eq!(
            request_url(&target, &plain, WEBSOCKET, Some("s/1")),
            "http://[::1]:3000/socket.io/?x=a%20b&EIO=4&transport=websocket&sid=s%2F1"
        );
    }

    #[test]
    fn the_options_query_replaces_the_urls() {
        let options = ConnectOptions::new()
            .timestamp_requests(false)
            .query([("token", "é&="), ("transport", "x"), ("j", "0"), ("b64", "1")])
            .path("/my/path")
            .add_trailing_slash(false);
        assert_eq!(
            url("http://a?y=1", options, WEBSOCKET),
            "http://a/my/path?token=%C3%A9%26%3D&EIO=4&transport=websocket"
        );
        let none = ConnectOptions::new().query([("", ""); 0]).timestamp_requests(false);
        assert_eq!(
            url("http://a?y=1", none, WEBSOCKET),
            "http://a/socket.io/?EIO=4&transport=websocket"
        );
    }

    #[test]
    fn a_path_has_one_slash_at_its_end_if_any() {
        for (path, slash, expected) in [
            ("/socket.io", true, "/socket.io/"),
            ("/socket.io/", true, "/socket.io/"),
            ("/socket.io/", false, "/socket.io"),
            ("socket.io", true, "/socket.io/"),
            ("/", true, "/"),
            ("", false, "/"),
        ] {
            let options = ConnectOptions::new().path(path).add_trailing_slash(slash);
            assert_eq!(options.request_path(), expected, "{path:?} {slash}");
        }
    }

    #[test]
    fn time_stamps_are_where_the_reference_has_them_and_differ() {
        let with = |options: ConnectOptions, transport| url("http://a", options, transport);
        let stamped = with(ConnectOptions::new(), POLLING);
        let stamp = stamped.split_once("&t=").unwrap().1;
        assert!(stamp.len() == 8 && stamp.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(!with(ConnectOptions::new(), WEBSOCKET).contains("&t="));
        let on = ConnectOptions::new().timestamp_requests(true).timestamp_param("now");
        assert!(with(on, WEBSOCKET).contains("&now="));
        let stamps: std::collections::HashSet<_> = (0..20).map(|_| timestamp()).collect();
        assert!(stamps.len() > 15, "{stamps:?}");
    }

    #[test]
    fn a_key_of_the_programs_own_never_stands_beside_the_time_stamps() {
        let options = ConnectOptions::new().query([("t", "mine"), ("u", "mine")]);
        let stamped = url("http://a", options.clone(), POLLING);
        assert!(stamped.contains("?u=mine&EIO=4&transport=polling&t="), "{stamped}");
        assert_eq!(stamped.matches("t=").count(), 2, "{stamped}");
        let plain = url("http://a", options, WEBSOCKET);
        assert!(plain.contains("?t=mine&u=mine&EIO=4"), "{plain}");
    }

    #[test]
    fn base64_is_asked_for_once_over_polling() {
        let options = ConnectOptions::new().force_base64(true).timestamp_requests(false);
        let target = Target::parse("http://a").unwrap();
        let asked =
            |transport, sid| request_url(&target, &options, transport, sid).contains("b64=1");
        assert!(asked(POLLING, None) && asked(WEBSOCKET, None) && asked(WEBSOCKET, Some("s")));
        assert!(!asked(POLLING, Some("s")));
    }

    #[test]
    fn decoding_is_the_reverse_of_encoding() {
        for text in ["", "abc", "a b+c/?&=%", "é€😀", "%41"] {
            let mut encoded = String::new();
            encode_component(&mut encoded, text);
            assert_eq!(decode_component(&encoded), text);
        }
        for broken in ["%", "%4", "%4g", "%ff", "a%é"] {
            assert_eq!(decode_component(broken), broken);
        }
    }
}
