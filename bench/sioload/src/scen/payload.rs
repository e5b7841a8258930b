//! What the messages carry: every one says which it is, and can be checked byte for byte.
use crate::net::Net;
use crate::{Opts, die};

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Text,
    Bin,
    Json,
    Typed,
}

const ID: usize = 12; // 4 hex digits of slot, 8 of sequence number

fn hex(out: &mut [u8], mut v: u64) {
    for b in out.iter_mut().rev() {
        *b = b"0123456789abcdef"[(v & 15) as usize];
        v >>= 4;
    }
}

fn unhex(d: &[u8]) -> Option<u64> {
    let mut v = 0;
    for &b in d {
        v = v << 4
            | match b {
                b'0'..=b'9' => b - b'0',
                b'a'..=b'f' => b - b'a' + 10,
                _ => return None,
            } as u64;
    }
    Some(v)
}

/// One argument as it stands on the wire, with the ID at `at`.
pub struct Payload {
    pub kind: Kind,
    pub wire: Vec<u8>,
    pub at: usize,
}

impl Payload {
    pub fn new(kind: Kind, size: usize) -> Payload {
        if size < ID {
            die("--size must be at least 12");
        }
        let fill = |n: usize| {
            (0..n).map(|i| b"abcdefghijklmnopqrstuvwxyz0123456789"[i % 36]).collect::<Vec<u8>>()
        };
        match kind {
            Kind::Text => {
                let mut w = vec![b'"'];
                w.extend_from_slice(&[b'0'; ID]);
                w.extend_from_slice(&fill(size - ID));
                w.push(b'"');
                Payload { kind, wire: w, at: 1 }
            }
            Kind::Bin => {
                let mut w = vec![b'0'; ID];
                w.extend((0..size - ID).map(|i| (i * 7 + 1) as u8));
                Payload { kind, wire: w, at: 0 }
            }
            Kind::Typed => {
                let w = br#"{"id":"000000000000","name":"user-7","score":42,"tags":["a","b"],"urgent":false}"#;
                Payload { kind, wire: w.to_vec(), at: 7 }
            }
            Kind::Json => {
                // Keys in alphabetical order, so that any JSON object model writes the same bytes.
                let mut w = b"[\"000000000000\"".to_vec();
                let mut i = 0u32;
                loop {
                    let o = format!(
                        ",{{\"active\":true,\"id\":{},\"name\":\"user-{}\",\"pos\":[{},{}],\"tag\":null}}",
                        1000 + i % 9000,
                        i % 10,
                        i % 10,
                        7
                    );
                    if w.len() + o.len() + 1 > size.max(20) {
                        break;
                    }
                    w.extend_from_slice(o.as_bytes());
                    i += 1;
                }
                w.push(b']');
                Payload { kind, wire: w, at: 2 }
            }
        }
    }
    pub fn set(&mut self, slot: u32, seq: u32) {
        let at = self.at;
        hex(&mut self.wire[at..at + 4], slot as u64);
        hex(&mut self.wire[at + 4..at + ID], seq as u64);
    }
    /// Slot and sequence number of `d` if it is this payload byte for byte.
    #[inline]
    pub fn check(&self, d: &[u8]) -> Option<(u32, u32)> {
        let d = without_offset(d, self.wire.len());
        if d.len() != self.wire.len()
            || d[..self.at] != self.wire[..self.at]
            || d[self.at + ID..] != self.wire[self.at + ID..]
        {
            return None;
        }
        Some((
            unhex(&d[self.at..self.at + 4])? as u32,
            unhex(&d[self.at + 4..self.at + ID])? as u32,
        ))
    }
}

/// A server that can recover connections adds one more argument, an offset: `,"~1z"`.
#[inline]
fn without_offset(d: &[u8], len: usize) -> &[u8] {
    match d.get(len..) {
        Some([b',', b'"', b'~', .., b'"']) => &d[..len],
        _ => d,
    }
}

pub fn kind_of(o: &Opts) -> (Kind, String) {
    let k = o.s("kind", "text");
    (
        match k.as_str() {
            "text" => Kind::Text,
            "bin" => Kind::Bin,
            "json" => Kind::Json,
            "typed" => Kind::Typed,
            _ => die("--kind text|bin|json|typed"),
        },
        k,
    )
}

pub fn digits(d: &[u8]) -> (Option<u64>, usize) {
    let n = d.iter().take_while(|b| b.is_ascii_digit()).count();
    if n == 0 {
        return (None, 0);
    }
    (d[..n].iter().try_fold(0u64, |v, b| v.checked_mul(10)?.checked_add((b - b'0') as u64)), n)
}

pub fn odd(io: &mut Net, what: &str, d: &[u8]) {
    let l = String::from_utf8_lossy(&d[..d.len().min(60)]).into_owned();
    io.error(format!("{what}: {l:?}"));
}
