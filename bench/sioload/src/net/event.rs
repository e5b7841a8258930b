//! Reading, and what a session does with what it read.
use super::http::{find, header, http_response, json_num, json_str};
use super::{ACCEPT, App, Mode, NONE, Net, Role, St};
use crate::sys::{self, Io};
use crate::ws;
use std::mem;

impl Net {
    /// One epoll round. Returns the number of events handled.
    pub fn poll(&mut self, app: &mut impl App, timeout_ns: u64) -> usize {
        self.flush(app);
        let mut evs = mem::take(&mut self.evs);
        let n = self.ep.wait(&mut evs, timeout_ns);
        for e in &evs[..n] {
            let (ci, turn) = (e.u64 as u32, (e.u64 >> 32) as u32);
            let ev = e.events;
            if self.conns[ci as usize].fd < 0 || self.conns[ci as usize].turn != turn {
                continue;
            }
            if ev & sys::OUT != 0 {
                let c = &mut self.conns[ci as usize];
                c.armed_out = false;
                let m = if c.paused { 0 } else { sys::IN | sys::RDHUP };
                self.ep.modify(c.fd, Self::token(ci, turn), m);
                if !self.write_conn(ci) {
                    self.lost(app, ci, "write error");
                    continue;
                }
            }
            if ev & !sys::OUT != 0 {
                self.readable(app, ci);
                self.flush(app);
            }
        }
        self.evs = evs;
        n
    }

    fn readable(&mut self, app: &mut impl App, ci: u32) {
        let mut buf = mem::take(&mut self.scratch);
        let fd = self.conns[ci as usize].fd;
        let turn = self.conns[ci as usize].turn;
        self.reads += 1;
        let got = if self.conns[ci as usize].stamped {
            let (got, at) = sys::recv_stamped(fd, &mut buf);
            self.arrived = at;
            got
        } else {
            sys::recv(fd, &mut buf)
        };
        match got {
            Io::N(0) => self.lost(app, ci, "closed by the server"),
            Io::N(n) => {
                self.bytes_in += n as u64;
                let now = sys::now_ns();
                if self.conns[ci as usize].rbuf.is_empty() {
                    let used = self.consume(app, ci, &buf[..n], now);
                    let c = &mut self.conns[ci as usize];
                    if c.fd >= 0 && c.turn == turn && used < n {
                        c.rbuf.extend_from_slice(&buf[used..n]);
                    }
                } else {
                    let mut r = mem::take(&mut self.conns[ci as usize].rbuf);
                    r.extend_from_slice(&buf[..n]);
                    let used = self.consume(app, ci, &r, now);
                    let c = &mut self.conns[ci as usize];
                    if c.fd >= 0 && c.turn == turn && used < r.len() {
                        if used > 0 {
                            r.copy_within(used.., 0);
                            let l = r.len() - used;
                            r.truncate(l);
                        }
                        c.rbuf = r;
                    }
                }
            }
            Io::Again => {}
            Io::Err(e) => self.lost(app, ci, &format!("read: {e}")),
        }
        self.scratch = buf;
    }

    fn alive(&self, ci: u32, turn: u32) -> bool {
        let c = &self.conns[ci as usize];
        c.fd >= 0 && c.turn == turn
    }

    fn consume(&mut self, app: &mut impl App, ci: u32, d: &[u8], now: u64) -> usize {
        let turn = self.conns[ci as usize].turn;
        let s = self.conns[ci as usize].sess;
        let mut p = 0;
        if self.conns[ci as usize].role != Role::Ws {
            while p < d.len() && self.alive(ci, turn) {
                match http_response(&d[p..]) {
                    Ok(None) => break,
                    Ok(Some((code, body, used))) => {
                        p += used;
                        self.on_http(app, ci, code, &body, now);
                    }
                    Err(e) => {
                        self.error(e);
                        self.lost(app, ci, "bad HTTP answer");
                    }
                }
            }
            return p;
        }
        if !self.conns[ci as usize].up {
            match find(d, b"\r\n\r\n") {
                None => return 0,
                Some(i) => {
                    let head = &d[..i];
                    if !d.starts_with(b"HTTP/1.1 101") {
                        let l = String::from_utf8_lossy(&d[..d.len().min(60)]).into_owned();
                        self.error(format!("upgrade refused: {}", l.lines().next().unwrap_or("")));
                        self.lost(app, ci, "upgrade refused");
                        return d.len();
                    }
                    if header(head, b"sec-websocket-accept") != Some(ACCEPT) {
                        self.error("wrong Sec-WebSocket-Accept");
                    }
                    self.conns[ci as usize].up = true;
                    p = i + 4;
                    if self.sess[s as usize].mode == Mode::Upgrade {
                        self.ws_raw(s, 1, b"2probe");
                    }
                }
            }
        }
        while p < d.len() && self.alive(ci, turn) {
            let f = match ws::parse(&d[p..]) {
                Ok(None) => break,
                Ok(Some(f)) => f,
                Err(e) => {
                    self.error(e);
                    self.lost(app, ci, e);
                    return d.len();
                }
            };
            let pl = &d[p + f.start..p + f.end];
            p += f.end;
            match f.op {
                1 | 2 if f.fin => self.on_msg(app, s, f.op, pl, now),
                0..=2 => {
                    let c = &mut self.conns[ci as usize];
                    if f.op != 0 {
                        c.frag_op = f.op;
                    }
                    c.frag.extend_from_slice(pl);
                    if f.fin {
                        let whole = mem::take(&mut c.frag);
                        let op = c.frag_op;
                        self.on_msg(app, s, op, &whole, now);
                    }
                }
                8 => {
                    let st = self.sess[s as usize].st;
                    if st == St::Closing || self.expect_close {
                        self.kill(s);
                        app.on_close(self, s, now);
                    } else {
                        let code =
                            if pl.len() >= 2 { u16::from_be_bytes([pl[0], pl[1]]) } else { 0 };
                        self.lost(app, ci, &format!("close frame {code}"));
                    }
                    return d.len();
                }
                9 => self.ws_raw(s, 10, pl),
                10 => {}
                _ => self.error("unknown opcode"),
            }
        }
        p
    }

    fn on_msg(&mut self, app: &mut impl App, s: u32, op: u8, d: &[u8], now: u64) {
        if op == 2 {
            app.on_bin(self, s, d, now);
            return;
        }
        match d.first() {
            Some(b'4') => self.on_sio(app, s, d, now),
            Some(b'2') => {
                self.pings += 1;
                self.send_str(s, "3"); // over polling, or kept until the upgrade is through
            }
            Some(b'0') => {
                match json_str(d, "sid") {
                    Some(sid) => self.sess[s as usize].sid = sid,
                    None => self.error("open packet without sid"),
                }
                self.ping_interval = json_num(d, "pingInterval").unwrap_or(0);
                self.sess[s as usize].st = St::NsWait;
                self.send_str(s, "40");
            }
            Some(b'3') if d == b"3probe" => {
                self.sess[s as usize].probe_ok = true;
                self.try_upgrade(app, s, now);
            }
            Some(b'6') => {}
            Some(b'1') => {
                if self.sess[s as usize].st != St::Closing {
                    self.server_closes += 1;
                    if !self.expect_close {
                        self.error("engine close packet from the server");
                    }
                }
                self.kill(s);
                app.on_close(self, s, now);
            }
            _ => {
                let l = String::from_utf8_lossy(&d[..d.len().min(20)]).into_owned();
                self.error(format!("unexpected engine packet {l:?}"))
            }
        }
    }

    fn on_sio(&mut self, app: &mut impl App, s: u32, d: &[u8], now: u64) {
        if self.sess[s as usize].st == St::Open {
            return app.on_text(self, s, d, now);
        }
        if d.starts_with(b"40") && self.sess[s as usize].st == St::NsWait {
            match self.sess[s as usize].mode {
                Mode::Ws | Mode::Polling => self.established(app, s, now),
                Mode::Upgrade => {
                    self.sess[s as usize].st = St::Probing;
                    self.start_ws(s);
                }
            }
        } else if self.sess[s as usize].st != St::Closing {
            let l = String::from_utf8_lossy(&d[..d.len().min(60)]).into_owned();
            self.error(format!("unexpected packet before the namespace is open: {l:?}"));
        }
    }

    fn established(&mut self, app: &mut impl App, s: u32, now: u64) {
        self.sess[s as usize].st = St::Open;
        self.sess[s as usize].t_open = now;
        self.opened += 1;
        self.opening -= 1;
        app.on_open(self, s, now);
    }

    /// Both the probe pong and the end of the last poll are needed before '5' may be sent.
    fn try_upgrade(&mut self, app: &mut impl App, s: u32, now: u64) {
        let x = &self.sess[s as usize];
        if x.st == St::Probing && x.probe_ok && x.poll_idle {
            self.ws_raw(s, 1, b"5");
            let g = mem::replace(&mut self.sess[s as usize].get, NONE);
            self.drop_conn(g);
            for p in mem::take(&mut self.sess[s as usize].postq).split(|&b| b == 0x1e) {
                if !p.is_empty() {
                    self.ws_raw(s, 1, p);
                }
            }
            self.established(app, s, now);
        }
    }

    fn on_http(&mut self, app: &mut impl App, ci: u32, code: u16, body: &[u8], now: u64) {
        let (s, role) = (self.conns[ci as usize].sess, self.conns[ci as usize].role);
        let turn = self.conns[ci as usize].turn;
        self.conns[ci as usize].inflight = self.conns[ci as usize].inflight.saturating_sub(1);
        if self.sess[s as usize].st == St::Closing {
            self.kill(s);
            app.on_close(self, s, now);
            return;
        }
        if code != 200 {
            let l = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            self.error(format!("HTTP {code} on {role:?}: {l}"));
            self.lost(app, ci, "HTTP error");
            return;
        }
        let is_ok = body == b"ok" || body == b"OK"; // python-engineio shouts
        if role == Role::Post || is_ok {
            if !is_ok {
                self.error("POST answer is not 'ok'");
            }
            if role == Role::Get {
                self.http_get(s); // the namespace connect was posted; fetch its answer
            }
            self.mark(s); // more may be waiting to be posted
            return;
        }
        self.sess[s as usize].poll_idle = true;
        let was = self.sess[s as usize].st;
        for pkt in body.split(|&b| b == 0x1e) {
            if !self.alive(ci, turn) {
                return;
            }
            if pkt.first() == Some(&b'b') {
                self.error("binary over polling is not driven");
            } else {
                self.on_msg(app, s, 1, pkt, now);
            }
        }
        if !self.alive(ci, turn) {
            return;
        }
        let x = &self.sess[s as usize];
        match (was, x.st) {
            (St::Opening, _) => {} // '40' is queued and goes out as a POST first
            (St::Probing, St::Probing) => {
                if x.probe_ok {
                    self.try_upgrade(app, s, now)
                } else {
                    self.http_get(s)
                }
            }
            (_, St::Closing) | (_, St::Dead) => {}
            (St::Open, _) if self.hold_polls => {}
            _ => self.http_get(s),
        }
    }
}
