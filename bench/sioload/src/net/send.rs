//! Queueing, writing and closing.
use super::{App, NONE, Net, Role, St};
use crate::sys::{self, Io};
use crate::ws;

impl Net {
    pub(super) fn mark(&mut self, s: u32) {
        let x = &mut self.sess[s as usize];
        if !x.dirty {
            x.dirty = true;
            self.dirty.push(s);
        }
    }

    /// Queues one text packet of exactly `len` bytes written by `f`.
    #[inline]
    pub fn send_text(&mut self, s: u32, len: usize, f: impl FnOnce(&mut Vec<u8>)) {
        self.send_op(s, 1, len, f)
    }

    pub fn send_bin(&mut self, s: u32, len: usize, f: impl FnOnce(&mut Vec<u8>)) {
        self.send_op(s, 2, len, f)
    }

    fn send_op(&mut self, s: u32, op: u8, len: usize, f: impl FnOnce(&mut Vec<u8>)) {
        let x = &mut self.sess[s as usize];
        if x.st == St::Dead {
            return;
        }
        if x.ws != NONE && x.st != St::Probing {
            let c = &mut self.conns[x.ws as usize];
            let off = ws::begin(&mut c.wbuf, op, len, c.key);
            f(&mut c.wbuf);
            assert_eq!(c.wbuf.len() - off, len, "declared length");
            let key = c.key;
            ws::finish(&mut c.wbuf, off, key);
        } else {
            assert!(op == 1, "binary attachments are not driven over polling");
            if !x.postq.is_empty() {
                x.postq.push(0x1e);
            }
            f(&mut x.postq);
        }
        self.mark(s);
    }

    pub fn send_str(&mut self, s: u32, t: &str) {
        self.send_text(s, t.len(), |o| o.extend_from_slice(t.as_bytes()));
    }

    pub(super) fn ws_raw(&mut self, s: u32, op: u8, d: &[u8]) {
        let ci = self.sess[s as usize].ws;
        let c = &mut self.conns[ci as usize];
        let off = ws::begin(&mut c.wbuf, op, d.len(), c.key);
        c.wbuf.extend_from_slice(d);
        let key = c.key;
        ws::finish(&mut c.wbuf, off, key);
        self.mark(s);
    }

    /// Writes what is queued for one WebSocket session now; an error shows up at the next event.
    pub fn push(&mut self, s: u32) {
        let ci = self.sess[s as usize].ws;
        if ci != NONE {
            self.write_conn(ci);
        }
    }

    pub fn flush(&mut self, app: &mut impl App) {
        while let Some(s) = self.dirty.pop() {
            self.sess[s as usize].dirty = false;
            if self.sess[s as usize].st == St::Dead {
                continue;
            }
            let x = &self.sess[s as usize];
            if !x.postq.is_empty() && x.st != St::Probing {
                // During the handshake the POST shares the GET connection; then it has its own, as soon
                // as there is something to send.
                if x.post == NONE && matches!(x.st, St::Open | St::Closing) {
                    match self.new_conn(s, Role::Post) {
                        Some(ci) => self.sess[s as usize].post = ci,
                        None => {
                            self.kill(s);
                            continue;
                        }
                    }
                }
                let x = &self.sess[s as usize];
                let ci = if x.post != NONE { x.post } else { x.get };
                if ci != NONE && self.conns[ci as usize].inflight == 0 {
                    self.http_post(s, ci);
                }
            }
            let x = &self.sess[s as usize];
            for ci in [x.ws, x.get, x.post] {
                if ci != NONE && !self.write_conn(ci) {
                    self.lost(app, ci, "write error");
                    break;
                }
            }
        }
    }

    pub(super) fn write_conn(&mut self, ci: u32) -> bool {
        let c = &mut self.conns[ci as usize];
        if c.fd < 0 {
            return true;
        }
        while c.wpos < c.wbuf.len() && !c.armed_out {
            self.writes += 1;
            match sys::send(c.fd, &c.wbuf[c.wpos..]) {
                Io::N(n) => {
                    self.bytes_out += n as u64;
                    c.wpos += n;
                    if c.wpos < c.wbuf.len() {
                        self.short_writes += 1;
                    }
                }
                Io::Again => {
                    c.armed_out = true;
                    let ev = sys::OUT | if c.paused { 0 } else { sys::IN | sys::RDHUP };
                    self.ep.modify(c.fd, Self::token(ci, c.turn), ev);
                }
                Io::Err(_) => return false,
            }
        }
        if c.wpos == c.wbuf.len() && c.wpos > 0 {
            c.wbuf.clear();
            c.wpos = 0;
            if c.wbuf.capacity() > 1 << 20 {
                c.wbuf = Vec::new();
            }
        }
        true
    }

    /// Socket.IO disconnect plus a WebSocket close frame; the fd goes when the server answers.
    pub fn close_clean(&mut self, s: u32) {
        if matches!(self.sess[s as usize].st, St::Dead | St::Closing) {
            return;
        }
        self.send_str(s, "41");
        if self.sess[s as usize].ws != NONE {
            self.ws_raw(s, 8, &1000u16.to_be_bytes());
        } else {
            self.send_str(s, "1");
        }
        self.sess[s as usize].st = St::Closing;
    }

    pub fn kill(&mut self, s: u32) {
        let x = &mut self.sess[s as usize];
        if x.st == St::Dead {
            return;
        }
        if x.st != St::Open && x.st != St::Closing {
            self.opening -= 1;
        }
        x.st = St::Dead;
        self.live -= 1;
        let (a, b, c) = (x.ws, x.get, x.post);
        x.ws = NONE;
        x.get = NONE;
        x.post = NONE;
        x.postq = Vec::new();
        for ci in [a, b, c] {
            self.drop_conn(ci);
        }
    }

    pub(super) fn lost(&mut self, app: &mut impl App, ci: u32, why: &str) {
        let s = self.conns[ci as usize].sess;
        let st = self.sess[s as usize].st;
        if st == St::Dead {
            return;
        }
        let c = &self.conns[ci as usize];
        if c.role == Role::Post && st == St::Open && c.inflight == 0 && c.wbuf.is_empty() {
            // An idle keep-alive connection may be closed by the server: the next POST opens another.
            self.drop_conn(ci);
            self.sess[s as usize].post = NONE;
            return;
        }
        if st != St::Closing {
            self.server_closes += 1;
            if !self.expect_close {
                let r = self.conns[ci as usize].role;
                self.error(format!("connection lost in state {st:?} ({r:?}): {why}"));
            }
        }
        self.kill(s);
        app.on_close(self, s, sys::now_ns());
    }

    pub fn pause(&mut self, s: u32, paused: bool) {
        let ci = self.sess[s as usize].ws;
        if ci == NONE {
            return;
        }
        let c = &mut self.conns[ci as usize];
        c.paused = paused;
        let ev =
            if paused { 0 } else { sys::IN | sys::RDHUP } | if c.armed_out { sys::OUT } else { 0 };
        self.ep.modify(c.fd, Self::token(ci, c.turn), ev);
    }
}
