//! What a decoder says to well-formed and to offending input, and what it holds meanwhile.

mod websocket_support;

use std::iter;

use sockeye_proto::websocket::{
    CloseCode, DecodeError, Decoder, Limits, Message, Opcode, Role, encode_masked,
};
use websocket_support::{Said, last, more, raw_frame, read, reads};

const LIMITS: Limits = Limits::new(1 << 20);
const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

fn to_server(bytes: &[u8]) -> Vec<Said> {
    reads(Role::Server, [bytes], &LIMITS)
}

fn to_client(bytes: &[u8]) -> Vec<Said> {
    reads(Role::Client, [bytes], &LIMITS)
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

/// RFC 6455 section 5.7.
mod examples_of_the_rfc {
    use super::*;

    const HELLO_MASKED: [u8; 11] =
        [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];

    #[test]
    fn a_single_frame_unmasked_text_message() {
        assert_eq!(to_client(&[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]), [text("Hello")]);
    }

    #[test]
    fn a_single_frame_masked_text_message() {
        assert_eq!(to_server(&HELLO_MASKED), [text("Hello")]);
        let mut encoded = Vec::new();
        encode_masked(&mut encoded, Opcode::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(encoded, HELLO_MASKED);
    }

    #[test]
    fn a_fragmented_unmasked_text_message() {
        let frames = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
        assert_eq!(to_client(&frames), [text("Hello")]);
    }

    #[test]
    fn unmasked_ping_and_masked_pong() {
        let ping = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        assert_eq!(to_client(&ping), [Said::Ping(b"Hello".to_vec())]);
        let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(to_server(&pong), [Said::Pong(b"Hello".to_vec())]);
    }

    #[test]
    fn long_binary_messages() {
        let mut medium = vec![0x82, 0x7e, 0x01, 0x00];
        medium.extend([7; 256]);
        assert_eq!(to_client(&medium), [Said::Binary(vec![7; 256])]);
        let mut long = vec![0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
        long.extend([7; 65_536]);
        assert_eq!(to_client(&long), [Said::Binary(vec![7; 65_536])]);
    }
}

#[test]
fn a_control_frame_may_come_within_a_message() {
    let mut bytes = raw_frame(more(Opcode::Text), b"one ", KEY);
    bytes.extend(raw_frame(last(Opcode::Ping), b"still there?", KEY));
    bytes.extend(raw_frame(more(Opcode::Continuation), b"", KEY));
    bytes.extend(raw_frame(last(Opcode::Pong), b"", KEY));
    bytes.extend(raw_frame(last(Opcode::Continuation), b"two", KEY));
    let ping = Said::Ping(b"still there?".to_vec());
    assert_eq!(to_server(&bytes), [ping, Said::Pong(vec![]), text("one two")]);
}

#[test]
fn a_whole_message_is_borrowed_from_the_input() {
    let mut bytes = raw_frame(last(Opcode::Binary), b"no copy", KEY);
    let payload_start = bytes.as_ptr().wrapping_add(6);
    let mut decoder = Decoder::new(Role::Server);
    let (used, message) = decoder.decode(&mut bytes, &LIMITS).unwrap();
    let Some(Message::Binary(payload)) = message else { panic!("{message:?}") };
    assert_eq!((used, payload.as_ptr()), (13, payload_start));
    assert_eq!(decoder.buffered_bytes(), 0);
}

#[test]
fn close_frames_say_why_or_nothing() {
    assert_eq!(to_client(&[0x88, 0]), [Said::Close(None)]);
    let bye = raw_frame(last(Opcode::Close), b"\x03\xe8bye", None);
    assert_eq!(to_client(&bye), [Said::Close(Some((1000, "bye".to_owned())))]);
}

#[test]
fn close_codes_are_those_that_may_be_sent() {
    for code in 0..=u16::MAX {
        let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::new(code).map(CloseCode::get), allowed.then_some(code));
        let frame = raw_frame(last(Opcode::Close), &code.to_be_bytes(), None);
        let expected = match allowed {
            true => Said::Close(Some((code, String::new()))),
            false => Said::Error(DecodeError::InvalidCloseCode(code)),
        };
        assert_eq!(to_client(&frame), [expected]);
    }
}

#[test]
fn a_length_in_more_bytes_than_needed_is_taken() {
    assert_eq!(to_client(&[0x81, 126, 0, 2, b'h', b'i']), [text("hi")]);
    assert_eq!(to_client(&[0x81, 127, 0, 0, 0, 0, 0, 0, 0, 2, b'h', b'i']), [text("hi")]);
}

#[test]
fn every_offence_has_its_name_and_its_close_code() {
    use DecodeError as E;
    let message = |first, payload: &[u8]| raw_frame(first, payload, KEY);
    let twice = |first: Vec<u8>, second: Vec<u8>| [first, second].concat();
    let begun = || message(more(Opcode::Binary), b"a");
    let cases = [
        (message(0xc1, b""), E::ReservedBits, 1002),
        (message(0xa1, b""), E::ReservedBits, 1002),
        (message(0x91, b""), E::ReservedBits, 1002),
        (message(0x83, b""), E::ReservedOpcode(3), 1002),
        (message(0x8f, b""), E::ReservedOpcode(15), 1002),
        (raw_frame(0x81, b"", None), E::Unmasked, 1002),
        (message(more(Opcode::Ping), b""), E::FragmentedControl, 1002),
        (message(last(Opcode::Ping), &[0; 126]), E::ControlTooLong, 1002),
        (message(last(Opcode::Continuation), b""), E::UnexpectedContinuation, 1002),
        (twice(begun(), message(0x81, b"b")), E::InterruptedMessage, 1002),
        (vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], E::InvalidLength, 1002),
        (message(0x81, b"\xff"), E::InvalidUtf8, 1007),
        (message(last(Opcode::Close), b"\x03\xe8\xff"), E::InvalidUtf8, 1007),
        (message(last(Opcode::Close), b"\x03\xed"), E::InvalidCloseCode(1005), 1002),
        (message(last(Opcode::Close), b"\x03"), E::InvalidClosePayload, 1002),
        (
            vec![0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0],
            E::TooLarge { size: 0xffff, limit: 1_000 },
            1009,
        ),
        ([begun(), begun()].concat(), E::InterruptedMessage, 1002),
    ];
    for (bytes, error, code) in cases {
        let said = reads(Role::Server, [&bytes[..]], &Limits::new(1_000));
        assert_eq!(said, [Said::Error(error)], "{bytes:?}");
        assert_eq!(error.close_code().get(), code, "{error}");
        let bytewise = reads(Role::Server, bytes.chunks(1), &Limits::new(1_000));
        assert_eq!(bytewise, said, "byte by byte: {bytes:?}");
    }
    assert_eq!(to_client(&raw_frame(0x81, b"", KEY)), [Said::Error(E::Masked)]);
}

#[test]
fn the_size_limit_counts_all_fragments_before_their_payload_arrives() {
    let limits = Limits::new(10);
    let whole = raw_frame(0x82, &[1; 10], KEY);
    assert_eq!(reads(Role::Server, [&whole[..]], &limits), [Said::Binary(vec![1; 10])]);
    let mut bytes = raw_frame(more(Opcode::Binary), &[1; 6], KEY);
    bytes.extend([last(Opcode::Continuation), 0x85, 0, 0, 0, 0]);
    let error = Said::Error(DecodeError::TooLarge { size: 11, limit: 10 });
    assert_eq!(reads(Role::Server, [&bytes[..]], &limits), [error]);
}

#[test]
fn the_fragment_limit_lets_exactly_that_many_through() {
    let mut limits = LIMITS;
    limits.max_fragments = 3;
    let of = |count: usize| {
        let mut bytes = raw_frame(more(Opcode::Binary), b"", None);
        bytes.extend([more(Opcode::Continuation), 0].repeat(count - 2));
        bytes.extend(raw_frame(last(Opcode::Continuation), b"end", None));
        reads(Role::Client, [&bytes[..]], &limits)
    };
    assert_eq!(of(3), [Said::Binary(b"end".to_vec())]);
    let error = DecodeError::TooManyFragments { limit: 3 };
    assert_eq!(of(4), [Said::Error(error)]);
    assert_eq!(error.close_code(), CloseCode::POLICY);
}

#[test]
fn text_may_be_cut_within_a_character_but_not_end_there() {
    let euro = "€".as_bytes();
    let mut bytes = raw_frame(more(Opcode::Text), &euro[..1], KEY);
    assert_eq!(to_server(&bytes), []);
    bytes.extend(raw_frame(more(Opcode::Continuation), &euro[1..2], KEY));
    let mut unfinished = bytes.clone();
    bytes.extend(raw_frame(last(Opcode::Continuation), &euro[2..], KEY));
    assert_eq!(to_server(&bytes), [text("€")]);
    unfinished.extend(raw_frame(last(Opcode::Continuation), b"", KEY));
    assert_eq!(to_server(&unfinished), [Said::Error(DecodeError::InvalidUtf8)]);
}

#[test]
fn invalid_text_is_refused_before_its_message_ends() {
    let bytes = raw_frame(more(Opcode::Text), b"fine \xce\xba\xed\xa0\x80", KEY);
    assert_eq!(to_server(&bytes), [Said::Error(DecodeError::InvalidUtf8)]);
    let mut frame = raw_frame(last(Opcode::Text), b"\xf8 and much more", KEY);
    frame.truncate(7);
    assert_eq!(to_server(&frame), [Said::Error(DecodeError::InvalidUtf8)]);
}

#[test]
fn an_idle_decoder_is_sixteen_bytes_and_holds_nothing() {
    assert!(size_of::<Decoder>() <= 16);
    let mut decoder = Decoder::new(Role::Server);
    let mut message = raw_frame(more(Opcode::Text), b"some", KEY);
    message.extend(raw_frame(last(Opcode::Ping), b"ping", KEY));
    message.extend(raw_frame(last(Opcode::Continuation), b" text", KEY));
    for byte in &message {
        decoder.decode(&mut [*byte], &LIMITS).unwrap();
        assert!(decoder.buffered_bytes() > 0);
    }
    assert_eq!(read(&mut decoder, &[], &LIMITS), []);
    assert_eq!(decoder.buffered_bytes(), 0, "freed by a call without input");
}

#[test]
fn memory_follows_what_arrived_not_what_was_announced() {
    let limits = Limits::new(1 << 30);
    let mut decoder = Decoder::new(Role::Server);
    let mut header = vec![last(Opcode::Binary), 0xff];
    header.extend((1_u64 << 30).to_be_bytes());
    header.extend([1, 2, 3, 4]);
    assert_eq!(read(&mut decoder, &header, &limits), []);
    let overhead = decoder.buffered_bytes();
    assert!(overhead <= 256, "{overhead}");
    let mut arrived = 0;
    for length in [1, 10, 100, 10_000, 3, 100_000] {
        assert_eq!(read(&mut decoder, &vec![0; length], &limits), []);
        arrived += length;
        let held = decoder.buffered_bytes() - overhead;
        assert!(held <= 2 * arrived + 64, "{held} bytes held for {arrived}");
    }
}

/// Growth is where time could be more than linear: each copies all that is there.
#[test]
fn a_megabyte_in_bytes_or_in_tiny_fragments_grows_a_few_times_only() {
    let length = 1 << 20;
    let frame = raw_frame(last(Opcode::Text), &vec![b'x'; length], KEY);
    assert!(growths(frame.chunks(1)) <= 18);
    let fragment = raw_frame(more(Opcode::Continuation), &[b'x'; 64], KEY);
    let first = raw_frame(more(Opcode::Text), b"", KEY);
    let rest = iter::repeat_n(&fragment[..], length / 64 - 1);
    assert!(growths(iter::once(&first[..]).chain(rest)) <= 18);
}

fn growths<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut decoder = Decoder::new(Role::Server);
    let mut held = 0;
    let mut growths = 0;
    for chunk in chunks {
        decoder.decode(&mut chunk.to_vec(), &LIMITS).expect("it is a message");
        growths += usize::from(decoder.buffered_bytes() != held);
        held = decoder.buffered_bytes();
    }
    growths
}
