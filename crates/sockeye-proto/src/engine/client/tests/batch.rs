use std::collections::VecDeque;

use super::*;
use crate::engine::MAX_PACKETS_PER_PAYLOAD;
use crate::websocket::Frame;

/// The bodies of the POSTs that it takes to send these.
fn bodies(frames: &[Frame], max_payload: Option<u64>) -> Vec<String> {
    let mut outbox = VecDeque::from(frames.to_vec());
    let mut bodies = Vec::new();
    while !outbox.is_empty() {
        let body = take_payload(&mut outbox, max_payload);
        bodies.push(String::from_utf8(body).unwrap());
    }
    bodies
}

#[test]
fn c_020_a_payload_is_as_large_as_it_may_be() {
    let frames = [Frame::text(b"4ab"), Frame::text(b"4cd"), Frame::text(b"4e")];
    for (max_payload, expected) in [
        (None, &["4ab\u{1e}4cd\u{1e}4e"][..]),
        (Some(10), &["4ab\u{1e}4cd\u{1e}4e"]),
        (Some(9), &["4ab\u{1e}4cd", "4e"]),
        (Some(7), &["4ab\u{1e}4cd", "4e"]),
        (Some(6), &["4ab", "4cd\u{1e}4e"]),
        (Some(5), &["4ab", "4cd", "4e"]),
        (Some(1), &["4ab", "4cd", "4e"]),
        (Some(0), &["4ab", "4cd", "4e"]),
    ] {
        assert_eq!(bodies(&frames, max_payload), expected, "{max_payload:?}");
    }
}

#[test]
fn c_020_bytes_are_counted_not_characters() {
    let frames = [Frame::text("4é".as_bytes()), Frame::text("4é".as_bytes())];
    assert_eq!(bodies(&frames, Some(7)), ["4é\u{1e}4é"]);
    assert_eq!(bodies(&frames, Some(6)), ["4é", "4é"]);
}

#[test]
fn c_020_binary_counts_as_base64() {
    for (bytes, text) in
        [(&b""[..], "b"), (b"\x01", "bAQ=="), (b"\x01\x02", "bAQI="), (b"\x01\x02\x03", "bAQID")]
    {
        let frames = [Frame::text(b"3"), Frame::binary(bytes)];
        let size = 2 + text.len() as u64;
        assert_eq!(bodies(&frames, Some(size)), [format!("3\u{1e}{text}")]);
        assert_eq!(bodies(&frames, Some(size - 1)), ["3", text]);
    }
}

#[test]
fn c_020_a_packet_that_is_too_big_goes_alone() {
    let big = Frame::text(&[b'4'; 100]);
    let frames = [Frame::text(b"2"), big.clone(), big, Frame::text(b"3"), Frame::text(b"3")];
    let sizes: Vec<_> = bodies(&frames, Some(50)).iter().map(String::len).collect();
    assert_eq!(sizes, [1, 100, 100, 3]);
}

#[test]
fn the_number_of_packets_is_bounded() {
    let frames = vec![Frame::text(b"4"); MAX_PACKETS_PER_PAYLOAD + 1];
    let sizes: Vec<_> = bodies(&frames, None).iter().map(String::len).collect();
    assert_eq!(sizes, [2 * MAX_PACKETS_PER_PAYLOAD - 1, 1]);
}

#[test]
fn an_empty_outbox_makes_an_empty_body() {
    assert_eq!(take_payload(&mut VecDeque::new(), Some(10)), b"");
}
