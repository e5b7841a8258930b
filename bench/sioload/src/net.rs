//! Connections and sessions: Engine.IO v4 + Socket.IO v5 over WebSocket, HTTP long-polling,
//! and polling upgraded to WebSocket. One thread, one epoll, one read per readiness.
mod event;
mod http;
mod send;

use crate::sys::{self, Epoll};
use std::collections::BTreeMap;
use std::mem;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    Ws,
    Polling,
    Upgrade,
}

#[derive(Clone)]
pub struct Cfg {
    pub port: u16,
    pub path: String,
    pub nsrc: u8,
    pub mask_random: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Role {
    Ws,
    Get,
    Post,
}

struct Conn {
    fd: i32,
    turn: u32, // how often this slot was reused: events of an earlier use are stale
    sess: u32,
    role: Role,
    up: bool, // the 101 answer has been seen
    rbuf: Vec<u8>,
    wbuf: Vec<u8>,
    wpos: usize,
    armed_out: bool,
    paused: bool,
    stamped: bool, // the kernel notes when data arrives
    key: u32,
    frag: Vec<u8>,
    frag_op: u8,
    inflight: u8, // HTTP requests not yet answered
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum St {
    Opening,
    NsWait,
    Probing,
    Open,
    Closing,
    Dead,
}

pub struct Sess {
    pub st: St,
    mode: Mode,
    ws: u32,
    get: u32,
    post: u32,
    sid: String,
    postq: Vec<u8>,
    dirty: bool,
    probe_ok: bool,
    poll_idle: bool,
    rcvbuf: Option<i32>,
    pub t0: u64,
    pub t_open: u64,
}

const NONE: u32 = u32::MAX;
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub trait App {
    fn on_open(&mut self, _io: &mut Net, _s: u32, _now: u64) {}
    /// A Socket.IO packet ("42...", "43...", "451-..."), with the Engine.IO '4' still in front.
    fn on_text(&mut self, _io: &mut Net, _s: u32, _d: &[u8], _now: u64) {}
    fn on_bin(&mut self, _io: &mut Net, _s: u32, _d: &[u8], _now: u64) {}
    fn on_close(&mut self, _io: &mut Net, _s: u32, _now: u64) {}
}

pub struct NoApp;
impl App for NoApp {}

pub struct Net {
    pub cfg: Cfg,
    ep: Epoll,
    conns: Vec<Conn>,
    free: Vec<u32>,
    pub sess: Vec<Sess>,
    dirty: Vec<u32>,
    scratch: Vec<u8>,
    evs: Vec<libc::epoll_event>,
    nsrc_next: u32,
    rng: sys::Rng,
    pub opened: u64,
    pub opening: u64,
    pub live: u64,
    pub pings: u64,
    pub ping_interval: u64, // ms, from the open packet
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub reads: u64,
    pub writes: u64,
    pub short_writes: u64,
    pub errors: u64,
    pub errs: BTreeMap<String, u64>,
    /// While set, a close from the server's side is not an error.
    pub expect_close: bool,
    pub server_closes: u64,
    /// While set, a client whose poll is answered does not poll again.
    pub hold_polls: bool,
    /// When what is read now arrived, on the real-time clock: of connections that `stamp` was called for.
    pub arrived: u64,
}

impl Net {
    pub fn new(cfg: Cfg) -> Net {
        Net {
            cfg,
            ep: Epoll::new(),
            conns: Vec::new(),
            free: Vec::new(),
            sess: Vec::new(),
            dirty: Vec::new(),
            scratch: vec![0; 512 * 1024],
            evs: vec![unsafe { mem::zeroed() }; 1024],
            nsrc_next: 0,
            rng: sys::Rng(0x9E37_79B9_7F4A_7C15),
            opened: 0,
            opening: 0,
            live: 0,
            pings: 0,
            ping_interval: 0,
            bytes_in: 0,
            bytes_out: 0,
            reads: 0,
            writes: 0,
            short_writes: 0,
            errors: 0,
            errs: BTreeMap::new(),
            expect_close: false,
            server_closes: 0,
            hold_polls: false,
            arrived: 0,
        }
    }

    /// Has the kernel note when data arrives for a WebSocket session: `arrived` then tells, however
    /// late it is read.
    pub fn stamp(&mut self, s: u32) {
        let c = &mut self.conns[self.sess[s as usize].ws as usize];
        c.stamped = true;
        sys::stamp(c.fd);
    }

    /// Closes the connections of a long-polling session, which goes on.
    pub fn leave_polls(&mut self, s: u32) {
        let x = &mut self.sess[s as usize];
        let (get, post) = (mem::replace(&mut x.get, NONE), mem::replace(&mut x.post, NONE));
        self.drop_conn(get);
        self.drop_conn(post);
    }

    /// Polls again, over a connection of its own if there is none.
    pub fn resume_poll(&mut self, s: u32) {
        if self.sess[s as usize].get == NONE {
            match self.new_conn(s, Role::Get) {
                Some(ci) => self.sess[s as usize].get = ci,
                None => return self.kill(s),
            }
        }
        self.http_get(s);
    }

    pub fn error(&mut self, what: impl Into<String>) {
        self.errors += 1;
        let w = what.into();
        if self.errs.len() < 40 || self.errs.contains_key(&w) {
            let n = self.errs.entry(w.clone()).or_insert(0);
            *n += 1;
            if *n <= 3 {
                eprintln!("sioload: error: {w}");
            }
        }
    }

    pub fn reset_counts(&mut self) {
        self.bytes_in = 0;
        self.bytes_out = 0;
        self.reads = 0;
        self.writes = 0;
    }

    fn token(ci: u32, turn: u32) -> u64 {
        (turn as u64) << 32 | ci as u64
    }

    fn new_conn(&mut self, s: u32, role: Role) -> Option<u32> {
        let k = self.nsrc_next;
        self.nsrc_next = self.nsrc_next.wrapping_add(1);
        let src = [127, 0, 0, 2 + (k % self.cfg.nsrc as u32) as u8];
        let fd = match sys::tcp_connect(src, self.cfg.port, self.sess[s as usize].rcvbuf) {
            Ok(fd) => fd,
            Err(e) => {
                self.error(format!("connect: {e}"));
                return None;
            }
        };
        let key = if self.cfg.mask_random { self.rng.next() as u32 | 1 } else { 0 };
        let c = Conn {
            fd,
            turn: 0,
            sess: s,
            role,
            up: false,
            rbuf: Vec::new(),
            wbuf: Vec::new(),
            wpos: 0,
            armed_out: false,
            paused: false,
            stamped: false,
            key,
            frag: Vec::new(),
            frag_op: 0,
            inflight: 0,
        };
        let ci = match self.free.pop() {
            Some(i) => {
                let turn = self.conns[i as usize].turn.wrapping_add(1);
                self.conns[i as usize] = Conn { turn, ..c };
                i
            }
            None => {
                self.conns.push(c);
                (self.conns.len() - 1) as u32
            }
        };
        let turn = self.conns[ci as usize].turn;
        self.ep.add(fd, Self::token(ci, turn), sys::IN | sys::RDHUP);
        Some(ci)
    }

    fn drop_conn(&mut self, ci: u32) {
        if ci == NONE {
            return;
        }
        let c = &mut self.conns[ci as usize];
        if c.fd >= 0 {
            sys::close(c.fd);
            c.fd = -1;
            c.turn = c.turn.wrapping_add(1);
            c.rbuf = Vec::new();
            c.wbuf = Vec::new();
            c.frag = Vec::new();
            self.free.push(ci);
        }
    }

    pub fn open(&mut self, mode: Mode, rcvbuf: Option<i32>, now: u64) -> u32 {
        let s = self.sess.len() as u32;
        self.sess.push(Sess {
            st: St::Opening,
            mode,
            ws: NONE,
            get: NONE,
            post: NONE,
            sid: String::new(),
            postq: Vec::new(),
            dirty: false,
            probe_ok: false,
            poll_idle: true,
            rcvbuf,
            t0: now,
            t_open: 0,
        });
        self.opening += 1;
        self.live += 1;
        match mode {
            Mode::Ws => self.start_ws(s),
            _ => {
                if let Some(ci) = self.new_conn(s, Role::Get) {
                    self.sess[s as usize].get = ci;
                    self.http_get(s);
                } else {
                    self.kill(s);
                }
            }
        }
        self.mark(s);
        s
    }

    fn start_ws(&mut self, s: u32) {
        match self.new_conn(s, Role::Ws) {
            Some(ci) => {
                let sid = &self.sess[s as usize].sid;
                let q = if sid.is_empty() { String::new() } else { format!("&sid={sid}") };
                let req = format!(
                    "GET {}?EIO=4&transport=websocket{q} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                    self.cfg.path, self.cfg.port
                );
                self.conns[ci as usize].wbuf.extend_from_slice(req.as_bytes());
                self.sess[s as usize].ws = ci;
                self.mark(s);
            }
            None => self.kill(s),
        }
    }

    fn http_get(&mut self, s: u32) {
        let x = &mut self.sess[s as usize];
        x.poll_idle = false;
        let q = if x.sid.is_empty() { String::new() } else { format!("&sid={}", x.sid) };
        let req = format!(
            "GET {}?EIO=4&transport=polling{q} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept: */*\r\n\r\n",
            self.cfg.path, self.cfg.port
        );
        let c = &mut self.conns[x.get as usize];
        c.wbuf.extend_from_slice(req.as_bytes());
        c.inflight += 1;
        self.mark(s);
    }

    fn http_post(&mut self, s: u32, ci: u32) {
        let x = &mut self.sess[s as usize];
        let body = mem::take(&mut x.postq);
        let c = &mut self.conns[ci as usize];
        let head = format!(
            "POST {}?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
            self.cfg.path,
            x.sid,
            self.cfg.port,
            body.len()
        );
        c.wbuf.extend_from_slice(head.as_bytes());
        c.wbuf.extend_from_slice(&body);
        c.inflight += 1;
        let mut b = body;
        b.clear();
        x.postq = b; // keep the allocation
    }
}
