use sockeye_proto::engine::Jsonp;

/// Any bytes as the form that a JSONP request sends, and as the payload that answers one.
pub fn jsonp(data: &[u8]) {
    if let Some(payload) = Jsonp::payload(data) {
        assert!(payload.len() <= 3 * data.len(), "the work is bounded");
    }
    let Ok(payload) = str::from_utf8(data) else { return };
    let index: String = payload.chars().filter(char::is_ascii_digit).take(20).collect();
    let script = Jsonp::new(payload).script(payload);
    assert!(!script.contains(['\n', '\r', '\u{2028}', '\u{2029}']), "one line of JavaScript");
    let string = script.strip_prefix(&format!("___eio[{index}](")).expect("a call");
    let string = string.strip_suffix(");").expect("a call");
    assert_eq!(serde_json::from_str::<String>(string).expect("a string"), payload);
    comes_out_as_it_was(payload);
}

/// What the official client does to a payload is undone. JSON has no newline right after a
/// backslash, and the client loses one that has.
fn comes_out_as_it_was(payload: &str) {
    if payload.contains("\\\n") {
        return;
    }
    let sent = payload.replace("\\n", "\\\n").replace('\n', "\\n");
    let form: String = sent.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(Jsonp::payload(format!("d={form}").as_bytes()).as_deref(), Some(payload));
}
