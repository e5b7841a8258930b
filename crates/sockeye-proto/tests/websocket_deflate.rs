//! Compressed messages (permessage-deflate, RFC 7692): vectors, what may come wrong, and round trips.

mod websocket_support;

use sockeye_proto::websocket::{
    DecodeError, Decoder, DeflateAgreement, DeflateContext, Deflater, Frame, Inflater, Limits,
    Opcode, PerMessageDeflate, Role,
};
use websocket_support::{Said, last, more, raw_frame};

const LIMITS: Limits = Limits::new(1 << 20);
const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);
/// The first reserved bit.
const COMPRESSED: u8 = 0x40;

/// RFC 7692 section 7.2.3.1.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const OFFER: &str = "permessage-deflate; client_max_window_bits";

fn agree(settings: &PerMessageDeflate, offer: &str) -> DeflateAgreement {
    settings.negotiate([offer.as_bytes()]).expect("an offer that can be taken")
}

fn without_context() -> DeflateAgreement {
    agree(&PerMessageDeflate::new(), OFFER)
}

fn with_context() -> DeflateAgreement {
    let both = PerMessageDeflate::new().server_context_takeover(true).client_context_takeover(true);
    agree(&both, OFFER)
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

/// One end of a connection that has agreed on compression.
struct End {
    decoder: Decoder,
    inflater: Inflater,
    limits: Limits,
}

impl End {
    fn new(role: Role, agreement: &DeflateAgreement) -> Self {
        let decoder = Decoder::with_deflate(role, agreement);
        Self { decoder, inflater: Inflater::new(), limits: LIMITS }
    }

    /// Decodes one read. An error is the last thing said.
    fn read(&mut self, bytes: &[u8]) -> Vec<Said> {
        let mut scratch = bytes.to_vec();
        let mut rest = &mut scratch[..];
        let mut said = Vec::new();
        loop {
            match self.decoder.decode_with(rest, &self.limits, &mut self.inflater) {
                Ok((used, Some(message))) => {
                    said.push(message.into());
                    rest = &mut rest[used..];
                }
                Ok((used, None)) => {
                    assert_eq!(used, rest.len(), "without a message all is consumed");
                    return said;
                }
                Err(error) => {
                    said.push(Said::Error(error));
                    return said;
                }
            }
        }
    }
}

/// What a server hears that takes over no context.
fn heard(bytes: &[u8]) -> Vec<Said> {
    End::new(Role::Server, &without_context()).read(bytes)
}

/// A compressed message of a client in one frame.
fn compressed(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    raw_frame(last(opcode) | COMPRESSED, payload, KEY)
}

/// A message as a client sends it compressed, in a context of its own, however short it is.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let settings = PerMessageDeflate::new().threshold(0);
    let frame = Deflater::new()
        .deflate(&Frame::binary(payload), &settings, &mut DeflateContext::default())
        .expect("something that becomes shorter");
    frame.payload().to_vec()
}

mod the_rfc_s_examples {
    use super::*;

    #[test]
    fn s_7_2_3_1_a_message_in_one_frame_and_in_two() {
        assert_eq!(heard(&compressed(Opcode::Text, &HELLO)), [text("Hello")]);
        let mut end = End::new(Role::Client, &without_context());
        let frame = [&[0xc1, 0x07][..], &HELLO].concat();
        assert_eq!(end.read(&frame), [text("Hello")]);
        let frames = [0x41, 0x03, 0xf2, 0x48, 0xcd, 0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(end.read(&frames), [text("Hello")]);
        for at in 0..frames.len() {
            let (before, after) = frames.split_at(at);
            assert_eq!([end.read(before), end.read(after)].concat(), [text("Hello")]);
            assert_eq!(end.decoder.buffered_bytes(), 0);
        }
    }

    #[test]
    fn s_7_2_3_2_a_second_message_that_refers_to_the_first() {
        let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
        let messages = [compressed(Opcode::Text, &HELLO), compressed(Opcode::Text, &again)];
        let mut end = End::new(Role::Server, &with_context());
        assert_eq!(end.read(&messages.concat()), [text("Hello"), text("Hello")]);
        assert_eq!(heard(&messages.concat()), [text("Hello"), Said::Error(BROKEN)]);
    }

    #[test]
    fn s_7_2_3_3_a_block_without_compression() {
        let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
        assert_eq!(heard(&compressed(Opcode::Text, &stored)), [text("Hello")]);
    }

    #[test]
    fn s_7_2_3_4_a_final_block() {
        let finished = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        assert_eq!(heard(&compressed(Opcode::Text, &finished)), [text("Hello")]);
        // Also without the empty block behind it, and with more behind it.
        assert_eq!(heard(&compressed(Opcode::Text, &finished[..7])), [text("Hello")]);
        let twice = [&finished[..7], &HELLO].concat();
        assert_eq!(heard(&compressed(Opcode::Text, &twice)), [text("HelloHello")]);
    }

    #[test]
    fn s_7_2_3_5_two_blocks() {
        let blocks = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(heard(&compressed(Opcode::Text, &blocks)), [text("Hello")]);
    }

    #[test]
    fn s_7_2_3_6_nothing() {
        assert_eq!(heard(&compressed(Opcode::Text, &[0x00])), [text("")]);
        assert_eq!(heard(&compressed(Opcode::Binary, &[])), [Said::Binary(vec![])]);
    }
}

const BROKEN: DecodeError = DecodeError::InvalidDeflate;

#[test]
fn the_bit_stands_on_the_first_frame_of_data_only() {
    let reserved = [Said::Error(DecodeError::ReservedBits)];
    for bits in [0x20, 0x10, 0x60, 0x70] {
        assert_eq!(heard(&raw_frame(last(Opcode::Text) | bits, &HELLO, KEY)), reserved);
    }
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        assert_eq!(heard(&compressed(opcode, &[])), reserved);
    }
    let first = raw_frame(more(Opcode::Text) | COMPRESSED, &HELLO[..2], KEY);
    let second = raw_frame(last(Opcode::Continuation) | COMPRESSED, &HELLO[2..], KEY);
    assert_eq!(heard(&[first, second].concat()), reserved);
}

#[test]
fn without_agreement_the_bit_is_an_offence_and_without_an_inflater_too() {
    let whole = compressed(Opcode::Text, &HELLO);
    let pieces = [
        raw_frame(more(Opcode::Text) | COMPRESSED, &HELLO[..2], KEY),
        raw_frame(last(Opcode::Continuation), &HELLO[2..], KEY),
    ];
    for bytes in [whole, pieces.concat()] {
        for mut decoder in
            [Decoder::new(Role::Server), Decoder::with_deflate(Role::Server, &without_context())]
        {
            assert_eq!(decoder.decode(&mut bytes.clone(), &LIMITS), Err(DecodeError::ReservedBits));
        }
    }
}

#[test]
fn a_plain_message_is_taken_where_compression_is_agreed_on() {
    let mut end = End::new(Role::Server, &with_context());
    let mut bytes = raw_frame(more(Opcode::Text), "pl\u{e4}".as_bytes(), KEY);
    bytes.extend(raw_frame(last(Opcode::Continuation), b"in", KEY));
    bytes.extend(raw_frame(last(Opcode::Binary), b"bytes", KEY));
    bytes.extend(compressed(Opcode::Text, &HELLO));
    let expected = [text("pl\u{e4}in"), Said::Binary(b"bytes".to_vec()), text("Hello")];
    assert_eq!(end.read(&bytes), expected);
}

#[test]
fn control_frames_come_between_the_fragments_of_a_compressed_message() {
    let mut bytes = raw_frame(more(Opcode::Text) | COMPRESSED, &HELLO[..3], KEY);
    bytes.extend(raw_frame(last(Opcode::Ping), b"now", KEY));
    bytes.extend(raw_frame(more(Opcode::Continuation), b"", KEY));
    bytes.extend(raw_frame(last(Opcode::Pong), b"", KEY));
    bytes.extend(raw_frame(last(Opcode::Continuation), &HELLO[3..], KEY));
    let expected = [Said::Ping(b"now".to_vec()), Said::Pong(vec![]), text("Hello")];
    assert_eq!(heard(&bytes), expected);
    for size in 1..bytes.len() {
        let mut end = End::new(Role::Server, &without_context());
        let said: Vec<_> = bytes.chunks(size).flat_map(|chunk| end.read(chunk)).collect();
        assert_eq!(said, expected, "in reads of {size}");
    }
}

#[test]
fn text_is_checked_after_inflating() {
    let bytes = deflated(&[0xff; 100]);
    assert_eq!(heard(&compressed(Opcode::Binary, &bytes)), [Said::Binary(vec![0xff; 100])]);
    assert_eq!(heard(&compressed(Opcode::Text, &bytes)), [Said::Error(DecodeError::InvalidUtf8)]);
    // Compressed text is none, in however many pieces it comes.
    let crab = "\u{1f980}".repeat(50);
    let payload = deflated(crab.as_bytes());
    let (before, after) = payload.split_at(3);
    let mut pieces = raw_frame(more(Opcode::Text) | COMPRESSED, before, KEY);
    pieces.extend(raw_frame(last(Opcode::Continuation), after, KEY));
    assert_eq!(heard(&pieces), [text(&crab)]);
}

#[test]
fn a_message_that_breaks_off_is_an_offence() {
    assert_eq!(BROKEN.close_code().get(), 1007);
    let payload = deflated("all of this, or nothing. ".repeat(20).as_bytes());
    for end in 1..payload.len() {
        assert_eq!(heard(&compressed(Opcode::Text, &payload[..end])), [Said::Error(BROKEN)]);
    }
    for noise in [&[0xff][..], &[0x07, 0x00], &[0x00, 0x01], b"plain text"] {
        assert_eq!(heard(&compressed(Opcode::Text, noise)), [Said::Error(BROKEN)]);
    }
}

#[test]
fn the_limit_holds_for_what_is_inflated() {
    let limit = 10_000;
    let too_large = Said::Error(DecodeError::TooLarge { size: 10_001, limit });
    for (length, fits) in [(9_999, true), (10_000, true), (10_001, false), (5_000_000, false)] {
        let bytes = compressed(Opcode::Binary, &deflated(&vec![7; length]));
        let mut end = End::new(Role::Server, &with_context());
        end.limits.max_message_bytes = limit;
        if fits {
            assert_eq!(end.read(&bytes), [Said::Binary(vec![7; length])]);
        } else {
            assert_eq!(end.read(&bytes), std::slice::from_ref(&too_large), "{length}");
        }
    }
    let mut end = End::new(Role::Server, &without_context());
    end.limits.max_message_bytes = 0;
    assert_eq!(end.read(&compressed(Opcode::Text, &[])), [text("")]);
}

#[test]
fn what_would_not_become_shorter_is_left_alone() {
    let settings = PerMessageDeflate::new();
    let mut deflater = Deflater::new();
    let mut deflate = |frame: &Frame, settings: &PerMessageDeflate| {
        deflater.deflate(frame, settings, &mut DeflateContext::default())
    };
    let long = Frame::text(&[b'a'; 1024]);
    let compressed = deflate(&long, &settings).unwrap();
    assert!(compressed.len() < 20 && compressed.is_compressed() && !long.is_compressed());
    assert_eq!((compressed.opcode(), compressed.as_bytes()[0]), (Opcode::Text, 0xc1));
    assert_eq!(deflate(&compressed, &settings), None, "it is compressed already");
    assert_eq!(deflate(&Frame::text(&[b'a'; 1023]), &settings), None, "below the threshold");
    let settings = settings.threshold(0);
    assert!(deflate(&Frame::binary(&[b'a'; 100]), &settings).is_some());
    assert_eq!(deflate(&Frame::ping(&[b'a'; 125]), &settings), None);
    assert_eq!(deflate(&Frame::text(b""), &settings), None);
    assert_eq!(deflate(&Frame::text(b"Hello"), &settings), None);
    assert_eq!(deflate(&Frame::binary(&Random(9).bytes(100_000)), &settings), None);
}

#[test]
fn the_context_makes_a_second_message_short() {
    let (settings, agreement) = (PerMessageDeflate::new(), with_context());
    let mut context = agreement.sending(Role::Server);
    let (mut deflater, mut client) = (Deflater::new(), End::new(Role::Client, &agreement));
    let event = "42[\"tick\",{\"symbol\":\"SOCK\",\"price\":101.5}]";
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let frame = Frame::text(event.as_bytes());
        let sent = deflater.deflate(&frame, &settings, &mut context).unwrap_or(frame);
        lengths.push(sent.len());
        assert_eq!(client.read(sent.as_bytes()), [text(event)]);
    }
    // The first does not become shorter by that, but later ones can refer to it.
    assert!(lengths[0] > event.len() && lengths[1] < 10 && lengths[2] < 10, "{lengths:?}");
    let noise = Frame::binary(&Random(9).bytes(100_000));
    assert_eq!(deflater.deflate(&noise, &settings, &mut context), None);
}

#[test]
fn no_message_refers_farther_back_than_was_agreed_on() {
    let mut deflater = Deflater::new();
    for bits in 8..=15 {
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        let settings = PerMessageDeflate::new().threshold(0);
        let agreement = agree(&settings, &offer);
        let mut context = agreement.sending(Role::Server);
        let window = 1 << bits;
        // What repeats itself can be told apart only by how far back that lies.
        let mut payload = Random(bits).bytes(window / 2);
        payload.extend_from_within(..);
        let frame = Frame::binary(&payload);
        assert!(context.takes_shared(payload.len()));
        assert!(deflater.deflate(&frame, &settings, &mut context).is_some());
        payload.push(0);
        let is_unlimited = bits == 15;
        assert_eq!(context.takes_shared(payload.len()), is_unlimited);
        let frame = Frame::binary(&payload);
        let sent = deflater.deflate(&frame, &settings, &mut context);
        assert_eq!(sent.is_some(), is_unlimited, "{bits}");
    }
}

#[test]
fn whatever_is_compressed_comes_back() {
    let mut random = Random(0xdef1a7e);
    let mut deflater = Deflater::new();
    for round in 0..40 {
        let kept = 1 << (9 + random.below(7));
        let settings = PerMessageDeflate::new()
            .level(1 + random.below(9) as u8)
            .threshold(random.below(100))
            .context_bytes(kept)
            .server_context_takeover(round % 4 < 2)
            .client_context_takeover(round % 2 == 0);
        let bits = 8 + random.below(8);
        let offer = format!("{OFFER}; server_max_window_bits={bits}");
        let agreement = agree(&settings, &offer);
        for (from, to) in [(Role::Server, Role::Client), (Role::Client, Role::Server)] {
            let mut context = agreement.sending(from);
            let mut end = End::new(to, &agreement);
            for _ in 0..15 {
                let payload = random.compressible();
                let frame = Frame::binary(&payload);
                let sent = deflater.deflate(&frame, &settings, &mut context).unwrap_or(frame);
                let mut bytes = Vec::new();
                match from {
                    Role::Server => bytes.extend(sent.as_bytes()),
                    Role::Client => sent.mask_into(&mut bytes, [9, 8, 7, round as u8]),
                }
                let cut = random.below(bytes.len());
                let (before, after) = bytes.split_at(cut);
                let said = [end.read(before), end.read(after)].concat();
                assert!(said == [Said::Binary(payload)], "round {round}: {agreement}");
                assert!(context.heap_bytes() <= kept);
                // The next call gives back the message.
                end.read(&[]);
                let most = if to == Role::Server { kept } else { 1 << bits };
                assert!(end.decoder.buffered_bytes() <= most + 512);
            }
        }
    }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Noise, and what was there before, in random order.
    fn compressible(&mut self) -> Vec<u8> {
        let mut bytes = b"42[\"event\",".to_vec();
        for _ in 0..self.below(40) {
            if self.below(3) == 0 {
                let length = self.below(30);
                bytes.extend(self.bytes(length));
            } else {
                let start = self.below(bytes.len());
                let end = start + self.below(bytes.len() - start + 1);
                bytes.extend_from_within(start..end);
            }
            bytes.truncate(60_000);
        }
        bytes
    }
}
