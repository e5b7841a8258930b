//! The protocol alone: no runtime, no connection.

use std::hint::black_box;

use serde::Deserialize;
use sockeye_proto::engine::{PayloadDecoder, PayloadEncoder};
use sockeye_proto::socket::{Decoder, Encoder, MAX_ATTACHMENTS, Packet, Payload, Scratch, Value};
use sockeye_proto::websocket::{self, Frame, Limits, Opcode, Role, encode_masked};

use crate::Work;

/// An event as applications send it: a name, a number and an object.
pub(crate) const EVENT: &str = r#"2["message",17,{"user":"Ada","text":"Good morning, everybody"}]"#;

/// The object in it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is counted is that it is made")]
pub(crate) struct Said {
    user: String,
    text: String,
}

/// 1 KiB of what applications send: an event with a list of small objects.
fn listing() -> String {
    let mut text = String::from(r#"2["message",["000000000000""#);
    for number in 0..15 {
        let digit = number % 10;
        let id = 1_000 + number;
        text.push_str(&format!(
            r#",{{"active":true,"id":{id},"name":"user-{digit}","pos":[{digit},7],"tag":null}}"#
        ));
    }
    text + "]]"
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const PACKETS: usize = 8;

fn repeated(mut work: impl FnMut() + 'static) -> Work {
    Box::new(move |times| (0..times).for_each(|_| work()))
}

fn decoded(text: &str) -> Packet<'_> {
    let packet = Decoder::new().text(text, MAX_ATTACHMENTS).expect("a packet");
    packet.expect("no attachments")
}

pub(crate) fn packet_decode() -> Work {
    repeated(|| {
        black_box(decoded(black_box(EVENT)));
    })
}

pub(crate) fn packet_encode() -> Work {
    let mut scratch = Scratch::new();
    repeated(move || {
        let arguments = black_box((17, "Good morning, everybody"));
        let packet = Encoder::new(&mut scratch, "/").write_event("message", None, &arguments);
        black_box(packet.expect("a packet"));
    })
}

pub(crate) fn packet_encode_shared() -> Work {
    let mut scratch = Scratch::new();
    repeated(move || {
        let arguments = black_box((17, "Good morning, everybody"));
        let packet = Encoder::new(&mut scratch, "/").event("message", None, &arguments);
        black_box(packet.expect("a packet"));
    })
}

pub(crate) fn packet_binary() -> Work {
    let (text, data) = (r#"51-["message",{"_placeholder":true,"num":0}]"#, [7; 64]);
    let mut decoder = Decoder::new();
    repeated(move || {
        let nothing = decoder.text(black_box(text), MAX_ATTACHMENTS).expect("a packet");
        assert!(nothing.is_none());
        let assembled = decoder.binary(black_box(&data)).expect("it is awaited");
        let assembled = assembled.expect("it was the last");
        black_box(assembled.packet());
    })
}

pub(crate) fn arguments_decode() -> Work {
    let packet = decoded(EVENT);
    let Payload::Event { arguments, .. } = packet.payload else { panic!("no event") };
    repeated(move || {
        let decoded = black_box(&arguments).decode::<(u64, Said)>();
        black_box(decoded.expect("they fit"));
    })
}

pub(crate) fn relay_json() -> Work {
    let (text, mut scratch) = (listing(), Scratch::new());
    repeated(move || {
        let packet = decoded(black_box(&text));
        let Payload::Event { arguments, .. } = packet.payload else { panic!("no event") };
        let arguments = arguments.to_owned();
        let packet = Encoder::new(&mut scratch, "/").write_event("message", None, &arguments);
        black_box(packet.expect("a packet"));
    })
}

pub(crate) fn value_decode() -> Work {
    let text = listing();
    repeated(move || {
        let packet = decoded(black_box(&text));
        let Payload::Event { arguments, .. } = packet.payload else { panic!("no event") };
        black_box(arguments.decode::<Value>().expect("it is JSON"));
    })
}

pub(crate) fn value_encode() -> Work {
    let (text, mut scratch) = (listing(), Scratch::new());
    let Payload::Event { arguments, .. } = decoded(&text).payload else { panic!("no event") };
    let value = arguments.decode::<Value>().expect("it is JSON");
    repeated(move || {
        let packet =
            Encoder::new(&mut scratch, "/").write_event("message", None, black_box(&value));
        black_box(packet.expect("a packet"));
    })
}

pub(crate) fn frame_decode(bytes: usize) -> Work {
    let mut masked = Vec::new();
    encode_masked(&mut masked, Opcode::Text, "x".repeat(bytes).as_bytes(), KEY);
    let (mut scratch, limits) = (masked.clone(), Limits::new(1_000_000));
    let mut decoder = websocket::Decoder::new(Role::Server);
    repeated(move || {
        // It is unmasked where it lies.
        scratch.copy_from_slice(&masked);
        let decoded = decoder.decode(black_box(&mut scratch), &limits).expect("a frame");
        black_box(decoded.1.expect("all of it"));
    })
}

pub(crate) fn frame_encode(bytes: usize) -> Work {
    let text = "x".repeat(bytes);
    repeated(move || {
        black_box(Frame::text(black_box(text.as_bytes())));
    })
}

pub(crate) fn payload_decode() -> Work {
    let body = vec![format!("4{EVENT}"); PACKETS].join("\u{1e}");
    repeated(move || {
        let packets = PayloadDecoder::new(black_box(&body)).filter(|packet| packet.is_ok());
        assert_eq!(packets.count(), PACKETS);
    })
}

pub(crate) fn payload_encode() -> Work {
    let frame = Frame::text(format!("4{EVENT}").as_bytes());
    repeated(move || {
        let mut payload = PayloadEncoder::new();
        (0..PACKETS).for_each(|_| payload.push(black_box(&frame)));
        black_box(payload.finish());
    })
}
