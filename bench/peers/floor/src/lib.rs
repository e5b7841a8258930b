//! What both floors share: server framing and the string matching that stands in for Socket.IO.

pub const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

pub fn env(k: &str, d: u64) -> u64 {
    std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d)
}

pub fn find(h: &[u8], n: &[u8]) -> Option<usize> {
    h.windows(n.len()).position(|w| w == n)
}

pub fn unmask(buf: &mut [u8], key: [u8; 4]) {
    let k = u32::from_ne_bytes(key) as u64;
    let k8 = k << 32 | k;
    let mut it = buf.chunks_exact_mut(8);
    for c in &mut it {
        let v = u64::from_ne_bytes(c.try_into().unwrap()) ^ k8;
        c.copy_from_slice(&v.to_ne_bytes());
    }
    for (i, b) in it.into_remainder().iter_mut().enumerate() {
        *b ^= key[i & 3];
    }
}

/// One client frame, unmasked in place: (opcode, payload start, payload end = bytes used).
pub fn frame(b: &mut [u8]) -> Option<(u8, usize, usize)> {
    if b.len() < 6 {
        return None;
    }
    let (h, len) = match b[1] & 0x7f {
        126 => {
            if b.len() < 8 {
                return None;
            }
            (4, u16::from_be_bytes([b[2], b[3]]) as usize)
        }
        127 => {
            if b.len() < 14 {
                return None;
            }
            (10, u64::from_be_bytes(b[2..10].try_into().unwrap()) as usize)
        }
        n => (2, n as usize),
    };
    let (s, e) = (h + 4, h + 4 + len);
    if b.len() < e {
        return None;
    }
    let key = b[h..h + 4].try_into().unwrap();
    unmask(&mut b[s..e], key);
    Some((b[0] & 15, s, e))
}

pub fn put_head(out: &mut Vec<u8>, op: u8, len: usize) {
    out.push(0x80 | op);
    if len < 126 {
        out.push(len as u8);
    } else if len < 65536 {
        out.push(126);
        out.extend_from_slice(&(len as u16).to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

pub fn put(out: &mut Vec<u8>, op: u8, parts: &[&[u8]]) {
    put_head(out, op, parts.iter().map(|p| p.len()).sum());
    for p in parts {
        out.extend_from_slice(p);
    }
}

/// What a text packet asks for; slices point into it.
pub enum Ask<'a> {
    Echo,
    Ack(&'a [u8], &'a [u8]),   // id, "[...]" rest
    Join(&'a [u8], &'a [u8]),  // id, room
    Leave(&'a [u8], &'a [u8]), // id, room
    Room(&'a [u8], &'a [u8]),  // room, rest of the arguments with the closing bracket
    Bcast,
    BinEcho,
    BinAck(&'a [u8]),
    BinBcast,
    Connect,
    Disconnect,
    Pong,
    Close,
    Probe,
    Upgrade,
    Other,
}

fn digits(d: &[u8]) -> usize {
    d.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// All echoes are alike here: a floor neither decodes nor encodes what they carry.
fn is_echo(r: &[u8]) -> bool {
    [&b"[\"echo\","[..], b"[\"echo-value\",", b"[\"echo-typed\","].iter().any(|e| r.starts_with(e))
}

pub fn ask(d: &[u8]) -> Ask<'_> {
    match d.first() {
        Some(b'3') => return Ask::Pong,
        Some(b'1') => return Ask::Close,
        Some(b'2') if d == b"2probe" => return Ask::Probe,
        Some(b'5') => return Ask::Upgrade,
        Some(b'4') => {}
        _ => return Ask::Other,
    }
    match d.get(1) {
        Some(b'0') => Ask::Connect,
        Some(b'1') => Ask::Disconnect,
        Some(b'2') => {
            let n = digits(&d[2..]);
            let (id, r) = (&d[2..2 + n], &d[2 + n..]);
            if is_echo(r) {
                Ask::Echo
            } else if r.starts_with(b"[\"ack\",") {
                Ask::Ack(id, &r[7..])
            } else if r.starts_with(b"[\"bcast\",") {
                Ask::Bcast
            } else if r.starts_with(b"[\"join\",\"") {
                let e = r[9..].iter().position(|&b| b == b'"').unwrap_or(0);
                Ask::Join(id, &r[9..9 + e])
            } else if r.starts_with(b"[\"leave\",\"") {
                let e = r[10..].iter().position(|&b| b == b'"').unwrap_or(0);
                Ask::Leave(id, &r[10..10 + e])
            } else if r.starts_with(b"[\"room\",\"") {
                let e = r[9..].iter().position(|&b| b == b'"').unwrap_or(0);
                Ask::Room(&r[9..9 + e], r.get(9 + e + 2..).unwrap_or(b""))
            } else {
                Ask::Other
            }
        }
        Some(b'5') if d.starts_with(b"451-") => {
            let n = digits(&d[4..]);
            let r = &d[4 + n..];
            if r.starts_with(b"[\"echo\",") {
                Ask::BinEcho
            } else if r.starts_with(b"[\"bcast\",") {
                Ask::BinBcast
            } else {
                Ask::BinAck(&d[4..4 + n])
            }
        }
        _ => Ask::Other,
    }
}

pub fn open_packet(sid: u64, ping: u64, timeout: u64, up: bool) -> String {
    let u = if up { "\"websocket\"" } else { "" };
    format!(
        "0{{\"sid\":\"{sid:020}\",\"upgrades\":[{u}],\"pingInterval\":{ping},\"pingTimeout\":{timeout},\"maxPayload\":1000000}}"
    )
}

pub fn listen(port: u16) -> std::net::TcpListener {
    use std::os::fd::FromRawFd;
    unsafe {
        let fd = libc::socket(
            libc::AF_INET,
            libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
            0,
        );
        let one = 1i32;
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, &one as *const _ as *const _, 4);
        let a = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: port.to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
            sin_zero: [0; 8],
        };
        assert!(
            libc::bind(fd, &a as *const _ as *const _, 16) == 0,
            "bind: {}",
            std::io::Error::last_os_error()
        );
        assert!(libc::listen(fd, 4096) == 0);
        std::net::TcpListener::from_raw_fd(fd)
    }
}
