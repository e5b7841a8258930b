//! One thread, one epoll, handwritten framing, writes gathered per epoll round.
//! WebSocket, long-polling and the upgrade between them, all by string matching.
use peer_floor::*;
use std::collections::HashMap;
use std::mem;
use std::os::fd::IntoRawFd;
use std::time::Instant;

#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NONE: u32 = u32::MAX;
const SLICES: u64 = 50; // heartbeat granularity

struct Conn {
    fd: i32,
    turn: u32,
    ws: bool,
    sess: u32,
    rbuf: Vec<u8>,
    wbuf: Vec<u8>,
    wpos: usize,
    armed: bool,
    dirty: bool,
    closing: bool,
    bin: Vec<u8>, // header of an announced binary packet
}

struct Sess {
    conn: u32, // WebSocket, if any
    poll: u32, // parked GET, if any
    q: Vec<u8>,
    rooms: Vec<u32>,
    alive: bool,
    probing: u32,
    slice: u8,
}

struct S {
    ep: i32,
    conns: Vec<Conn>,
    free: Vec<u32>,
    sess: Vec<Sess>,
    free_s: Vec<u32>,
    names: HashMap<Vec<u8>, u32>,
    rooms: Vec<Vec<u32>>,
    dirty: Vec<u32>,
    ping: u64,
    timeout: u64,
    slices: Vec<Vec<u32>>,
    now_slice: usize,
}

fn ctl(ep: i32, op: i32, fd: i32, tok: u64, ev: i32) {
    let mut e = libc::epoll_event { events: ev as u32, u64: tok };
    unsafe { libc::epoll_ctl(ep, op, fd, &mut e) };
}

impl S {
    fn mark(&mut self, ci: u32) {
        let c = &mut self.conns[ci as usize];
        if !c.dirty {
            c.dirty = true;
            self.dirty.push(ci);
        }
    }

    fn new_sess(&mut self) -> u32 {
        let slice = self.now_slice as u8;
        let x = Sess {
            conn: NONE,
            poll: NONE,
            q: Vec::new(),
            rooms: Vec::new(),
            alive: true,
            probing: NONE,
            slice,
        };
        let s = match self.free_s.pop() {
            Some(s) => {
                self.sess[s as usize] = x;
                s
            }
            None => {
                self.sess.push(x);
                self.sess.len() as u32 - 1
            }
        };
        self.slices[slice as usize].push(s);
        s
    }

    fn end_sess(&mut self, s: u32) {
        let x = &mut self.sess[s as usize];
        if !x.alive {
            return;
        }
        x.alive = false;
        x.q = Vec::new();
        let rooms = mem::take(&mut x.rooms);
        let (c, p, sl) = (x.conn, x.poll, x.slice);
        x.conn = NONE;
        x.poll = NONE;
        for r in rooms {
            let v = &mut self.rooms[r as usize];
            if let Some(i) = v.iter().position(|&y| y == s) {
                v.swap_remove(i);
            }
        }
        let v = &mut self.slices[sl as usize];
        if let Some(i) = v.iter().position(|&y| y == s) {
            v.swap_remove(i);
        }
        self.free_s.push(s);
        for ci in [c, p] {
            if ci != NONE {
                self.conns[ci as usize].sess = NONE;
            }
        }
    }

    fn drop_conn(&mut self, ci: u32) {
        let c = &mut self.conns[ci as usize];
        if c.fd < 0 {
            return;
        }
        unsafe { libc::close(c.fd) };
        c.fd = -1;
        c.turn = c.turn.wrapping_add(1);
        c.rbuf = Vec::new();
        c.wbuf = Vec::new();
        c.bin = Vec::new();
        c.wpos = 0;
        let s = mem::replace(&mut c.sess, NONE);
        self.free.push(ci);
        if s != NONE && self.sess[s as usize].conn == ci {
            self.end_sess(s);
        } else if s != NONE && self.sess[s as usize].poll == ci {
            self.sess[s as usize].poll = NONE;
        }
    }

    /// `framed` is the packet in its WebSocket frame, `h` the length of the frame header.
    fn emit(&mut self, s: u32, framed: &[u8], h: usize) {
        let x = &mut self.sess[s as usize];
        if x.conn != NONE {
            let ci = x.conn;
            self.conns[ci as usize].wbuf.extend_from_slice(framed);
            self.mark(ci);
        } else {
            if !x.q.is_empty() {
                x.q.push(0x1e);
            }
            x.q.extend_from_slice(&framed[h..]);
            self.answer_poll(s);
        }
    }

    fn answer_poll(&mut self, s: u32) {
        let x = &mut self.sess[s as usize];
        if x.poll == NONE || x.q.is_empty() {
            return;
        }
        let ci = mem::replace(&mut x.poll, NONE);
        let body = mem::take(&mut x.q);
        self.conns[ci as usize].sess = NONE;
        self.http(ci, b"text/plain; charset=UTF-8", &body);
    }

    fn http(&mut self, ci: u32, ct: &[u8], body: &[u8]) {
        let w = &mut self.conns[ci as usize].wbuf;
        w.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Type: ");
        w.extend_from_slice(ct);
        w.extend_from_slice(format!("\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
        w.extend_from_slice(body);
        self.mark(ci);
    }

    fn emit_parts(&mut self, s: u32, op: u8, parts: &[&[u8]]) {
        let mut f = Vec::new();
        put(&mut f, op, parts);
        let h = f.len() - parts.iter().map(|p| p.len()).sum::<usize>();
        self.emit(s, &f, h);
    }

    fn emit_all(&mut self, f: &[u8], h: usize) {
        for s in 0..self.sess.len() as u32 {
            if self.sess[s as usize].alive {
                self.emit(s, f, h);
            }
        }
    }

    fn packet(&mut self, s: u32, d: &[u8], via: u32) {
        match ask(d) {
            Ask::Echo => {
                let x = &self.sess[s as usize];
                if x.conn != NONE {
                    let ci = x.conn;
                    put(&mut self.conns[ci as usize].wbuf, 1, &[d]);
                    self.mark(ci);
                } else {
                    self.emit_parts(s, 1, &[d])
                }
            }
            Ask::Ack(id, r) => {
                let x = &self.sess[s as usize];
                if x.conn != NONE {
                    let ci = x.conn;
                    put(&mut self.conns[ci as usize].wbuf, 1, &[b"43", id, b"[", r]);
                    self.mark(ci);
                } else {
                    self.emit_parts(s, 1, &[b"43", id, b"[", r])
                }
            }
            Ask::Join(id, room) => {
                let n = self.names.len() as u32;
                let r = *self.names.entry(room.to_vec()).or_insert(n);
                if r == n {
                    self.rooms.push(Vec::new());
                }
                if !self.rooms[r as usize].contains(&s) {
                    self.rooms[r as usize].push(s);
                    self.sess[s as usize].rooms.push(r);
                }
                self.emit_parts(s, 1, &[b"43", id, b"[]"]);
            }
            Ask::Leave(id, room) => {
                if let Some(&r) = self.names.get(room) {
                    self.rooms[r as usize].retain(|&x| x != s);
                    self.sess[s as usize].rooms.retain(|&x| x != r);
                }
                self.emit_parts(s, 1, &[b"43", id, b"[]"]);
            }
            Ask::Room(room, rest) => {
                if let Some(&r) = self.names.get(room) {
                    let parts: [&[u8]; 2] = [b"42[\"room\",", rest];
                    let mut f = Vec::with_capacity(rest.len() + 32);
                    put(&mut f, 1, &parts);
                    let h = f.len() - parts[0].len() - rest.len();
                    let v = mem::take(&mut self.rooms[r as usize]);
                    for &t in &v {
                        self.emit(t, &f, h);
                    }
                    self.rooms[r as usize] = v;
                }
            }
            Ask::Bcast => {
                let mut f = Vec::with_capacity(d.len() + 10);
                put(&mut f, 1, &[d]);
                let h = f.len() - d.len();
                self.emit_all(&f, h);
            }
            Ask::BinEcho | Ask::BinAck(_) | Ask::BinBcast => {
                if via != NONE {
                    self.conns[via as usize].bin = d.to_vec();
                }
            }
            Ask::Connect => {
                self.emit_parts(s, 1, &[format!("40{{\"sid\":\"n{s:019}\"}}").as_bytes()])
            }
            Ask::Probe => {
                put(&mut self.conns[via as usize].wbuf, 1, &[b"3probe"]);
                self.mark(via);
                if self.sess[s as usize].poll != NONE {
                    self.sess[s as usize].q.extend_from_slice(b"6");
                    self.answer_poll(s);
                }
            }
            Ask::Upgrade => {
                let x = &mut self.sess[s as usize];
                x.conn = via;
                x.probing = NONE;
            }
            Ask::Close | Ask::Disconnect => {
                if self.sess[s as usize].conn == NONE && matches!(ask(d), Ask::Close) {
                    self.sess[s as usize].q.extend_from_slice(b"6");
                    self.answer_poll(s);
                    self.end_sess(s);
                }
            }
            Ask::Pong | Ask::Other => {}
        }
    }

    fn binary(&mut self, s: u32, ci: u32, d: &[u8]) {
        let head = mem::take(&mut self.conns[ci as usize].bin);
        let mut f = Vec::with_capacity(head.len() + d.len() + 20);
        match ask(&head) {
            Ask::BinEcho => {
                put(&mut f, 1, &[&head]);
                put(&mut f, 2, &[d]);
                self.emit(s, &f, 0);
            }
            Ask::BinAck(id) => {
                put(&mut f, 1, &[b"461-", id, b"[{\"_placeholder\":true,\"num\":0}]"]);
                put(&mut f, 2, &[d]);
                self.emit(s, &f, 0);
            }
            Ask::BinBcast => {
                put(&mut f, 1, &[&head]);
                put(&mut f, 2, &[d]);
                self.emit_all(&f, 0);
            }
            _ => {}
        }
    }

    /// Handles what is complete in `b`; returns the bytes used.
    fn input(&mut self, ci: u32, b: &mut [u8]) -> usize {
        let turn = self.conns[ci as usize].turn;
        let mut p = 0;
        while p < b.len() && self.conns[ci as usize].turn == turn && self.conns[ci as usize].fd >= 0
        {
            if self.conns[ci as usize].ws {
                let (op, s, e) = match frame(&mut b[p..]) {
                    None => break,
                    Some(x) => x,
                };
                let sess = self.conns[ci as usize].sess;
                let d = &b[p + s..p + e];
                p += e;
                if sess == NONE {
                    continue;
                }
                match op {
                    1 => self.packet(sess, d, ci),
                    2 => self.binary(sess, ci, d),
                    8 => {
                        put(&mut self.conns[ci as usize].wbuf, 8, &[d]);
                        self.conns[ci as usize].closing = true;
                        self.mark(ci);
                    }
                    9 => {
                        put(&mut self.conns[ci as usize].wbuf, 10, &[d]);
                        self.mark(ci);
                    }
                    _ => {}
                }
                continue;
            }
            let h = match find(&b[p..], b"\r\n\r\n") {
                None => break,
                Some(h) => h,
            };
            let head = &b[p..p + h];
            let line = &head[..find(head, b"\r\n").unwrap_or(h)];
            let sid = find(line, b"&sid=").map(|i| {
                line[i + 5..]
                    .iter()
                    .take_while(|c| c.is_ascii_digit())
                    .fold(0u32, |v, c| v.wrapping_mul(10).wrapping_add((c - b'0') as u32))
            });
            let sid =
                sid.filter(|&s| (s as usize) < self.sess.len() && self.sess[s as usize].alive);
            if line.starts_with(b"POST") {
                let i = match find(head, b"Content-Length: ") {
                    None => return b.len(),
                    Some(i) => i + 16,
                };
                let n = head[i..]
                    .iter()
                    .take_while(|c| c.is_ascii_digit())
                    .fold(0usize, |v, c| v * 10 + (c - b'0') as usize);
                if b.len() < p + h + 4 + n {
                    break;
                }
                let body = &b[p + h + 4..p + h + 4 + n];
                p += h + 4 + n;
                self.http(ci, b"text/html", b"ok");
                if let Some(s) = sid {
                    for d in body.split(|&x| x == 0x1e) {
                        self.packet(s, d, NONE);
                    }
                }
                continue;
            }
            let ws = find(line, b"transport=websocket").is_some();
            p += h + 4;
            if ws {
                self.conns[ci as usize].ws = true;
                self.conns[ci as usize].wbuf.extend_from_slice(SWITCH);
                self.mark(ci);
                match sid {
                    Some(s) => {
                        self.sess[s as usize].probing = ci;
                        self.conns[ci as usize].sess = s;
                    }
                    None => {
                        let s = self.new_sess();
                        self.sess[s as usize].conn = ci;
                        self.conns[ci as usize].sess = s;
                        let o = open_packet(s as u64, self.ping, self.timeout, false);
                        put(&mut self.conns[ci as usize].wbuf, 1, &[o.as_bytes()]);
                    }
                }
            } else if let Some(s) = sid {
                self.sess[s as usize].poll = ci;
                self.conns[ci as usize].sess = s;
                self.answer_poll(s);
            } else {
                let s = self.new_sess();
                let o = open_packet(s as u64, self.ping, self.timeout, true);
                self.http(ci, b"text/plain; charset=UTF-8", o.as_bytes());
            }
        }
        p
    }

    fn flush(&mut self, ci: u32) {
        let c = &mut self.conns[ci as usize];
        c.dirty = false;
        if c.fd < 0 || c.armed {
            return;
        }
        while c.wpos < c.wbuf.len() {
            let n = unsafe {
                libc::send(
                    c.fd,
                    c.wbuf[c.wpos..].as_ptr() as *const _,
                    c.wbuf.len() - c.wpos,
                    libc::MSG_NOSIGNAL,
                )
            };
            if n < 0 {
                if std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock {
                    c.armed = true;
                    let t = (c.turn as u64) << 32 | ci as u64;
                    ctl(self.ep, libc::EPOLL_CTL_MOD, c.fd, t, libc::EPOLLIN | libc::EPOLLOUT);
                    return;
                }
                self.drop_conn(ci);
                return;
            }
            c.wpos += n as usize;
        }
        c.wbuf.clear();
        c.wpos = 0;
        if c.wbuf.capacity() > 1 << 18 {
            c.wbuf = Vec::new();
        }
        if c.closing {
            self.drop_conn(ci);
        }
    }

    fn heartbeat(&mut self) {
        self.now_slice = (self.now_slice + 1) % SLICES as usize;
        let v = mem::take(&mut self.slices[self.now_slice]);
        for &s in &v {
            self.emit(s, b"\x81\x012", 2);
        }
        self.slices[self.now_slice] = v;
    }
}

fn main() {
    let l = listen(env("PORT", 3000) as u16).into_raw_fd();
    let ep = unsafe { libc::epoll_create1(0) };
    ctl(ep, libc::EPOLL_CTL_ADD, l, u64::MAX, libc::EPOLLIN);
    let mut st = S {
        ep,
        conns: vec![],
        free: vec![],
        sess: vec![],
        free_s: vec![],
        names: HashMap::new(),
        rooms: vec![],
        dirty: vec![],
        ping: env("PING_INTERVAL", 25000),
        timeout: env("PING_TIMEOUT", 20000),
        slices: (0..SLICES).map(|_| vec![]).collect(),
        now_slice: 0,
    };
    println!("ready floor-epoll");
    let mut buf = vec![0u8; 512 * 1024];
    let mut evs: Vec<libc::epoll_event> = vec![unsafe { mem::zeroed() }; 1024];
    let tick = (st.ping / SLICES).max(1);
    let t0 = Instant::now();
    let mut next = tick;
    loop {
        let now = t0.elapsed().as_millis() as u64;
        let to = next.saturating_sub(now);
        let n = unsafe { libc::epoll_wait(ep, evs.as_mut_ptr(), evs.len() as i32, to as i32) };
        for e in &evs[..n.max(0) as usize] {
            let (tok, ev) = (e.u64, e.events as i32);
            if tok == u64::MAX {
                for _ in 0..64 {
                    let fd = unsafe {
                        libc::accept4(
                            l,
                            std::ptr::null_mut(),
                            std::ptr::null_mut(),
                            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
                        )
                    };
                    if fd < 0 {
                        break;
                    }
                    let one = 1i32;
                    unsafe {
                        libc::setsockopt(
                            fd,
                            libc::IPPROTO_TCP,
                            libc::TCP_NODELAY,
                            &one as *const _ as *const _,
                            4,
                        )
                    };
                    let c = Conn {
                        fd,
                        turn: 0,
                        ws: false,
                        sess: NONE,
                        rbuf: vec![],
                        wbuf: vec![],
                        wpos: 0,
                        armed: false,
                        dirty: false,
                        closing: false,
                        bin: vec![],
                    };
                    let ci = match st.free.pop() {
                        Some(ci) => {
                            let (turn, dirty) =
                                (st.conns[ci as usize].turn, st.conns[ci as usize].dirty);
                            st.conns[ci as usize] = Conn { turn, dirty, ..c };
                            ci
                        }
                        None => {
                            st.conns.push(c);
                            st.conns.len() as u32 - 1
                        }
                    };
                    ctl(
                        ep,
                        libc::EPOLL_CTL_ADD,
                        fd,
                        (st.conns[ci as usize].turn as u64) << 32 | ci as u64,
                        libc::EPOLLIN,
                    );
                }
                continue;
            }
            let (ci, turn) = (tok as u32, (tok >> 32) as u32);
            if st.conns[ci as usize].fd < 0 || st.conns[ci as usize].turn != turn {
                continue;
            }
            if ev & libc::EPOLLOUT != 0 {
                st.conns[ci as usize].armed = false;
                ctl(ep, libc::EPOLL_CTL_MOD, st.conns[ci as usize].fd, tok, libc::EPOLLIN);
                st.mark(ci);
            }
            if ev & !libc::EPOLLOUT == 0 {
                continue;
            }
            let n = unsafe {
                libc::recv(st.conns[ci as usize].fd, buf.as_mut_ptr() as *mut _, buf.len(), 0)
            };
            if n <= 0 {
                if n == 0
                    || std::io::Error::last_os_error().kind() != std::io::ErrorKind::WouldBlock
                {
                    st.drop_conn(ci);
                }
                continue;
            }
            let n = n as usize;
            let mut r = mem::take(&mut st.conns[ci as usize].rbuf);
            if r.is_empty() {
                let used = st.input(ci, &mut buf[..n]);
                if st.conns[ci as usize].turn == turn && used < n {
                    r.extend_from_slice(&buf[used..n]);
                    st.conns[ci as usize].rbuf = r;
                }
            } else {
                r.extend_from_slice(&buf[..n]);
                let used = st.input(ci, &mut r);
                if st.conns[ci as usize].turn == turn {
                    r.drain(..used);
                    if !r.is_empty() {
                        st.conns[ci as usize].rbuf = r;
                    }
                }
            }
        }
        let now = t0.elapsed().as_millis() as u64;
        while next <= now {
            next += tick;
            st.heartbeat();
        }
        let mut d = mem::take(&mut st.dirty);
        for &ci in &d {
            st.flush(ci);
        }
        d.clear();
        st.dirty = d;
    }
}
