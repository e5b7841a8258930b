/// Writes a string. Most short ones need no escapes, and no serializer; at long ones it is faster.
#[inline]
pub(in crate::socket) fn write_string(json: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    const SHORT: usize = 64;
    let is_special = |byte| matches!(byte, b'"' | b'\\' | 0..0x20);
    if text.len() > SHORT || text.bytes().any(is_special) {
        return write_any_string(json, text);
    }
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
    Ok(())
}

#[cold]
fn write_any_string(json: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    serde_json::to_writer(json, text)
}
