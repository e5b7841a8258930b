//! Random inputs: noise, and what is in the corpus with something done to it.

/// Marsaglia's xorshift: good enough to choose inputs, and the same everywhere.
pub(crate) struct Random(u64);

/// What parsers have opinions about.
pub(crate) const TOKENS: [&[u8]; 28] = [
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b",",
    b":",
    b"-",
    b"/",
    b"0",
    b"9",
    b"1e400",
    b"\x1e",
    b"\xff",
    b" ",
    b"null",
    b"probe",
    b"b",
    b"51-",
    b"{\"_placeholder\":true",
    b"\"num\":0}",
    b"\xf0\x9f\xa6\x80",
    b"\x91",
    b"\x81\xa1a",
    b"\xd4\x00\x00",
    b"\xdd\x00\x00\x00\x04",
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Small seeds differ in few bits; the multiplication spreads them. Zero would stay zero.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Noise in one of four cases, otherwise one of the corpus, changed in a few places.
    pub(crate) fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        if self.below(4) == 0 {
            let length = self.below(300);
            return (0..length).map(|_| self.next() as u8).collect();
        }
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut input, corpus);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let until = at + self.below(input.len() - at + 1).min(8);
        match self.below(6) {
            0 => drop(input.drain(at..until)),
            1 => input.truncate(at),
            2 => drop(input.splice(at..at, TOKENS[self.below(TOKENS.len())].iter().copied())),
            3 => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                drop(input.splice(at.., other[from..].iter().copied()));
            }
            4 => input.extend_from_within(at..until),
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << (self.next() % 8);
                }
            }
        }
    }
}
