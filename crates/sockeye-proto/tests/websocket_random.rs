//! Input cut anywhere means the same, and no input whatever does harm. Seeded: a failure repeats.

mod websocket_support;

use sockeye_proto::websocket::{Decoder, Limits, Opcode, Role, encode_masked};
use websocket_support::{Said, last, more, raw_frame, read, reads};

const LIMITS: Limits = Limits::new(2_000);

/// Marsaglia's xorshift: good enough to choose inputs, and the same everywhere.
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

    fn key(&mut self) -> [u8; 4] {
        (self.next() as u32).to_be_bytes()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Cuts `bytes` into chunks of random lengths, empty ones among them.
    fn cut<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut chunks = Vec::new();
        while !bytes.is_empty() {
            let (chunk, rest) = bytes.split_at(self.below(40).min(bytes.len()));
            chunks.push(chunk);
            bytes = rest;
        }
        chunks
    }
}

/// A connection with everything in it, and what it says.
fn conversation() -> (Vec<u8>, Vec<Said>) {
    let key = Some([9, 8, 7, 6]);
    let long = "žluťoučký kůň ".repeat(10);
    let bytes = [
        raw_frame(last(Opcode::Text), "smørrebrød".as_bytes(), key),
        raw_frame(more(Opcode::Text), "h\u{1f980}".as_bytes(), key),
        raw_frame(last(Opcode::Ping), b"within", key),
        raw_frame(more(Opcode::Continuation), b"", key),
        raw_frame(last(Opcode::Continuation), "\u{1f980}!".as_bytes(), key),
        raw_frame(last(Opcode::Text), long.as_bytes(), key),
        raw_frame(last(Opcode::Binary), b"", key),
        raw_frame(last(Opcode::Pong), b"", key),
        raw_frame(last(Opcode::Binary), &[0xff; 126], Some([0; 4])),
        raw_frame(last(Opcode::Close), b"\x03\xe9leaving", key),
    ];
    let said = vec![
        Said::Text("smørrebrød".to_owned()),
        Said::Ping(b"within".to_vec()),
        Said::Text("h\u{1f980}\u{1f980}!".to_owned()),
        Said::Text(long),
        Said::Binary(vec![]),
        Said::Pong(vec![]),
        Said::Binary(vec![0xff; 126]),
        Said::Close(Some((1001, "leaving".to_owned()))),
    ];
    (bytes.concat(), said)
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    let (bytes, said) = conversation();
    for at in 0..=bytes.len() {
        let (before, after) = bytes.split_at(at);
        assert_eq!(reads(Role::Server, [before, after], &LIMITS), said, "cut at {at}");
    }
    for size in 1..20 {
        assert_eq!(reads(Role::Server, bytes.chunks(size), &LIMITS), said, "chunks of {size}");
    }
}

#[test]
fn random_cuts_change_nothing_and_leave_nothing() {
    let mut random = Random(0x5eed);
    let (bytes, said) = conversation();
    for _ in 0..300 {
        let mut decoder = Decoder::new(Role::Server);
        let heard: Vec<Said> = random
            .cut(&bytes)
            .into_iter()
            .flat_map(|chunk| read(&mut decoder, chunk, &LIMITS))
            .collect();
        assert_eq!(heard, said);
        assert_eq!(decoder.buffered_bytes(), 0);
    }
}

#[test]
fn random_bytes_never_panic_and_mean_the_same_however_cut() {
    let mut random = Random(0xbad_5eed);
    for _ in 0..4_000 {
        let length = random.below(300);
        let mut bytes = random.bytes(length);
        // Plain noise ends at its first byte: let the first frames begin well.
        if let [first, second, ..] = &mut bytes[..] {
            *first &= 0x8f;
            *second |= 0x80;
        }
        for role in [Role::Server, Role::Client] {
            let whole = reads(role, [&bytes[..]], &LIMITS);
            assert_eq!(reads(role, random.cut(&bytes), &LIMITS), whole, "{bytes:?}");
        }
    }
}

#[test]
fn a_flipped_bit_never_panics_and_never_costs_more_than_the_limit() {
    let mut random = Random(0xf11b);
    let (bytes, _) = conversation();
    for at in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        let mut decoder = Decoder::new(Role::Server);
        for chunk in random.cut(&bytes) {
            if let Some(Said::Error(_)) = read(&mut decoder, chunk, &LIMITS).last() {
                break;
            }
            assert!(decoder.buffered_bytes() <= 2 * 2_000 + 512);
        }
    }
}

#[test]
fn decoding_on_after_an_error_is_useless_but_harmless() {
    let mut random = Random(0xdead);
    let mut decoder = Decoder::new(Role::Server);
    for _ in 0..4_000 {
        let length = random.below(60);
        let bytes = random.bytes(length);
        read(&mut decoder, &bytes, &LIMITS);
    }
}

#[test]
fn what_is_encoded_is_what_is_decoded() {
    let mut random = Random(0xc0dec);
    let mut wire = Vec::new();
    let mut sent = Vec::new();
    for _ in 0..200 {
        let length = random.below(400);
        let payload = random.bytes(length);
        encode_masked(&mut wire, Opcode::Binary, &payload, random.key());
        sent.push(Said::Binary(payload));
    }
    assert_eq!(reads(Role::Server, random.cut(&wire), &LIMITS), sent);
}
