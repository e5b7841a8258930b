//! Finished frames: what they look like on the wire, and what they cost.

use sockeye_proto::websocket::{CloseCode, Frame, HEADROOM, Opcode, encode_masked, mask};

#[test]
fn frames_are_those_of_the_rfc() {
    // RFC 6455 section 5.7.
    assert_eq!(Frame::text(b"Hello").as_bytes(), b"\x81\x05Hello");
    assert_eq!(Frame::ping(b"Hello").as_bytes(), b"\x89\x05Hello");
    assert_eq!(Frame::pong(b"Hello").as_bytes(), b"\x8a\x05Hello");
    let medium = Frame::binary(&[0; 256]);
    assert_eq!(medium.as_bytes()[..4], [0x82, 0x7e, 0x01, 0x00]);
    let long = Frame::binary(&[0; 65_536]);
    assert_eq!(long.as_bytes()[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_length_takes_the_fewest_bytes() {
    for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        let payload = vec![b'x'; length];
        let frame = Frame::text(&payload);
        assert_eq!(frame.len(), header + length);
        assert_eq!(frame.payload(), payload);
        assert_eq!(frame.opcode(), Opcode::Text);
        let mut masked = Vec::new();
        encode_masked(&mut masked, Opcode::Text, &payload, [1, 2, 3, 4]);
        assert_eq!(masked.len(), header + 4 + length);
        mask(&mut masked[header + 4..], [1, 2, 3, 4], 0);
        assert_eq!(masked[header + 4..], payload);
    }
}

#[test]
fn parts_and_scratch_make_the_same_frame() {
    for length in [0, 1, 125, 126, 65_535, 65_536] {
        let payload = vec![7; length];
        let whole = Frame::binary(&payload);
        let (front, back) = payload.split_at(length / 3);
        assert_eq!(Frame::from_parts(Opcode::Binary, &[b"", front, back]), whole);
        for body_start in [0, 1, 2, 3, 4, 9, HEADROOM, HEADROOM + 5] {
            let mut scratch = vec![0xee; body_start];
            scratch.extend_from_slice(&payload);
            let frame = Frame::from_scratch(Opcode::Binary, &mut scratch, body_start);
            assert_eq!(frame, whole, "{length} bytes at {body_start}");
            assert_eq!(scratch[body_start..], payload, "the payload is left as it was");
        }
    }
    assert_eq!(Frame::from_scratch(Opcode::Text, &mut [0; 20], 21), Frame::text(b""));
    assert_eq!(Frame::from_scratch(Opcode::Text, &mut [], usize::MAX), Frame::text(b""));
}

#[test]
fn close_frames_carry_a_code_and_what_fits_of_the_reason() {
    assert_eq!(Frame::close(None, "unheard").as_bytes(), b"\x88\x00");
    let bye = Frame::close(Some(CloseCode::NORMAL), "bye");
    assert_eq!(bye.as_bytes(), b"\x88\x05\x03\xe8bye");
    let long = Frame::close(Some(CloseCode::GOING_AWAY), &"€".repeat(100));
    assert_eq!(long.payload()[2..], *"€".repeat(41).as_bytes());
    let odd = Frame::close(Some(CloseCode::GOING_AWAY), &"ß".repeat(100));
    assert_eq!(odd.payload()[2..], *"ß".repeat(61).as_bytes());
}

#[test]
fn control_frames_are_cut_at_125_bytes() {
    assert_eq!(Frame::ping(&[1; 200]).payload(), [1; 125]);
    assert_eq!(Frame::from_parts(Opcode::Pong, &[&[1; 100], &[2; 100]]).len(), 127);
    let mut scratch = [0; 200];
    assert_eq!(Frame::from_scratch(Opcode::Ping, &mut scratch, HEADROOM).len(), 127);
    let mut masked = Vec::new();
    encode_masked(&mut masked, Opcode::Ping, &[1; 200], [0; 4]);
    assert_eq!(masked.len(), 6 + 125);
}

#[test]
fn a_frame_is_shared_not_copied() {
    assert_eq!(size_of::<Frame>(), 16);
    let frame = Frame::text(b"one allocation");
    assert_eq!(frame.clone().as_bytes().as_ptr(), frame.as_bytes().as_ptr());
    assert_eq!(format!("{frame:?}"), "Frame { opcode: Text, payload: one allocation }");
}

#[test]
fn an_encoded_frame_is_appended() {
    let mut out = b"before".to_vec();
    encode_masked(&mut out, Opcode::Text, b"hi", [0; 4]);
    assert_eq!(out, b"before\x81\x82\0\0\0\0hi");
}
