use crate::socket::json::plain::{is_special, plain_bytes, plain_bytes_of_word};

/// Up to so many bytes are a short string.
const SHORT: usize = 16;

/// Writes a string. Most need no escapes, and no serializer.
#[inline]
pub(in crate::socket) fn write_string(json: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    let bytes = text.as_bytes();
    if bytes.len() <= SHORT && is_plain_and_short(bytes) {
        push_short(json, bytes);
    } else if bytes.len() > SHORT && plain_bytes(bytes) == bytes.len() {
        json.push(b'"');
        json.extend_from_slice(bytes);
        json.push(b'"');
    } else {
        return write_escaped_string(json, text);
    }
    Ok(())
}

#[inline(always)]
fn is_plain_and_short(bytes: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return plain_bytes_of_word(first) + plain_bytes_of_word(last) == 16;
    }
    if let (Some([a, b, c, d]), Some([e, f, g, h])) = (bytes.first_chunk(), bytes.last_chunk()) {
        return plain_bytes_of_word(&[*a, *b, *c, *d, *e, *f, *g, *h]) == 8;
    }
    !bytes.iter().any(|byte| is_special(*byte))
}

/// Appends up to 16 bytes between quotes: as words that overlap, since to have a few bytes copied takes
/// longer than to copy them.
#[inline(always)]
fn push_short(json: &mut Vec<u8>, bytes: &[u8]) {
    let start = json.len();
    json.extend_from_slice(&[b'"'; SHORT + 2]);
    let end = bytes.len() + 1;
    if let Some(place) = json[start..].first_chunk_mut::<{ SHORT + 2 }>() {
        if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            place[1..9].copy_from_slice(first);
            place[end - 8..end].copy_from_slice(last);
        } else if let (Some(first), Some(last)) =
            (bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
        {
            place[1..5].copy_from_slice(first);
            place[end - 4..end].copy_from_slice(last);
        } else {
            place[1..4].iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        }
    }
    json.truncate(start + end + 1);
}

#[inline(never)]
fn write_escaped_string(json: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    serde_json::to_writer(json, text)
}
