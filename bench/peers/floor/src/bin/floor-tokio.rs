//! The usual tokio shape without any Socket.IO logic: a task per connection that reads, answers
//! its own traffic directly, and is woken when another task has queued a broadcast for it.
//! WebSocket only.
use bytes::Bytes;
use peer_floor::*;
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Default)]
struct Inbox {
    q: VecDeque<Bytes>,
    waker: Option<Waker>,
}

struct Peer {
    inbox: Mutex<Inbox>,
}

impl Peer {
    fn push(&self, f: Bytes) {
        let mut i = self.inbox.lock().unwrap();
        i.q.push_back(f);
        if let Some(w) = i.waker.take() {
            drop(i);
            w.wake();
        }
    }
}

#[derive(Default)]
struct Hub {
    all: HashMap<u64, Arc<Peer>>,
    rooms: HashMap<Vec<u8>, HashMap<u64, Arc<Peer>>>,
    next: u64,
}

struct Shared {
    hub: Mutex<Hub>,
    ping: u64,
    timeout: u64,
}

struct Me {
    id: u64,
    peer: Arc<Peer>,
    rooms: Vec<Vec<u8>>,
    bin: Vec<u8>,
    closing: bool,
}

fn all(sh: &Shared, f: Vec<u8>) {
    let f = Bytes::from(f);
    for p in sh.hub.lock().unwrap().all.values() {
        p.push(f.clone());
    }
}

fn text(sh: &Shared, me: &mut Me, d: &[u8], out: &mut Vec<u8>) {
    match ask(d) {
        Ask::Echo => put(out, 1, &[d]),
        Ask::Ack(id, r) => put(out, 1, &[b"43", id, b"[", r]),
        Ask::Join(id, room) => {
            sh.hub
                .lock()
                .unwrap()
                .rooms
                .entry(room.to_vec())
                .or_default()
                .insert(me.id, me.peer.clone());
            me.rooms.push(room.to_vec());
            put(out, 1, &[b"43", id, b"[]"]);
        }
        Ask::Leave(id, room) => {
            if let Some(r) = sh.hub.lock().unwrap().rooms.get_mut(room) {
                r.remove(&me.id);
            }
            me.rooms.retain(|x| x != room);
            put(out, 1, &[b"43", id, b"[]"]);
        }
        Ask::Room(room, rest) => {
            let mut f = Vec::with_capacity(rest.len() + 32);
            put(&mut f, 1, &[b"42[\"room\",", rest]);
            let f = Bytes::from(f);
            if let Some(r) = sh.hub.lock().unwrap().rooms.get(room) {
                for p in r.values() {
                    p.push(f.clone());
                }
            }
        }
        Ask::Bcast => {
            let mut f = Vec::with_capacity(d.len() + 10);
            put(&mut f, 1, &[d]);
            all(sh, f);
        }
        Ask::BinEcho | Ask::BinAck(_) | Ask::BinBcast => me.bin = d.to_vec(),
        Ask::Connect => put(out, 1, &[format!("40{{\"sid\":\"n{:019}\"}}", me.id).as_bytes()]),
        _ => {}
    }
}

fn binary(sh: &Shared, me: &mut Me, d: &[u8], out: &mut Vec<u8>) {
    let head = mem::take(&mut me.bin);
    match ask(&head) {
        Ask::BinEcho => {
            put(out, 1, &[&head]);
            put(out, 2, &[d]);
        }
        Ask::BinAck(id) => {
            put(out, 1, &[b"461-", id, b"[{\"_placeholder\":true,\"num\":0}]"]);
            put(out, 2, &[d]);
        }
        Ask::BinBcast => {
            let mut f = Vec::with_capacity(head.len() + d.len() + 20);
            put(&mut f, 1, &[&head]);
            put(&mut f, 2, &[d]);
            all(sh, f);
        }
        _ => {}
    }
}

fn input(sh: &Shared, me: &mut Me, b: &mut [u8], out: &mut Vec<u8>) -> usize {
    let mut p = 0;
    while let Some((op, s, e)) = frame(&mut b[p..]) {
        let d = &b[p + s..p + e];
        p += e;
        match op {
            1 => text(sh, me, d, out),
            2 => binary(sh, me, d, out),
            8 => {
                put(out, 8, &[d]);
                me.closing = true;
            }
            9 => put(out, 10, &[d]),
            _ => {}
        }
    }
    p
}

thread_local! {
    static SCRATCH: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 256 * 1024]);
}

async fn handshake(io: &TcpStream) -> Option<()> {
    let mut b = [0u8; 2048];
    let mut n = 0;
    loop {
        io.readable().await.ok()?;
        match io.try_read(&mut b[n..]) {
            Ok(0) => return None,
            Ok(k) => n += k,
            Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        }
        if b[..n].ends_with(b"\r\n\r\n") {
            return find(&b[..n], b"transport=websocket").map(|_| ());
        }
    }
}

async fn conn(sh: Arc<Shared>, mut io: TcpStream) {
    if handshake(&io).await.is_none() {
        return;
    }
    let peer = Arc::new(Peer { inbox: Mutex::new(Inbox::default()) });
    let id = {
        let mut h = sh.hub.lock().unwrap();
        h.next += 1;
        let id = h.next;
        h.all.insert(id, peer.clone());
        id
    };
    let mut me = Me { id, peer, rooms: vec![], bin: vec![], closing: false };
    let mut out = SWITCH.to_vec();
    put(&mut out, 1, &[open_packet(id, sh.ping, sh.timeout, false).as_bytes()]);
    serve(&sh, &mut io, &mut me, out).await;
    let mut h = sh.hub.lock().unwrap();
    h.all.remove(&id);
    for r in &me.rooms {
        if let Some(m) = h.rooms.get_mut(r) {
            m.remove(&id);
        }
    }
}

async fn serve(sh: &Shared, io: &mut TcpStream, me: &mut Me, mut out: Vec<u8>) {
    let mut rest: Vec<u8> = Vec::new();
    let mut pos = 0;
    let every = Duration::from_millis(sh.ping);
    let mut beat = Box::pin(tokio::time::sleep(every));
    loop {
        // Write what there is, then wait for input, a broadcast, or the heartbeat.
        while pos < out.len() {
            match io.try_write(&out[pos..]) {
                Ok(n) => pos += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return,
            }
        }
        if pos == out.len() {
            out.clear();
            pos = 0;
            if out.capacity() > 1 << 18 {
                out = Vec::new();
            }
            if me.closing {
                return;
            }
        }
        let blocked = pos < out.len();
        let go = poll_fn(|cx| {
            if beat.as_mut().poll(cx).is_ready() {
                beat.as_mut().reset(tokio::time::Instant::now() + every);
                put(&mut out, 1, &[b"2"]);
                return Poll::Ready(Ok(true));
            }
            {
                let mut i = me.peer.inbox.lock().unwrap();
                if !i.q.is_empty() {
                    for f in i.q.drain(..) {
                        out.extend_from_slice(&f);
                    }
                    if !blocked {
                        return Poll::Ready(Ok(true));
                    }
                }
                match &i.waker {
                    Some(w) if w.will_wake(cx.waker()) => {}
                    _ => i.waker = Some(cx.waker().clone()),
                }
            }
            if blocked && let Poll::Ready(r) = io.poll_write_ready(cx) {
                return Poll::Ready(r.map(|_| true));
            }
            // poll_read, unlike try_read, forgets the readiness after a short read: no second
            // call that only returns EAGAIN.
            SCRATCH.with(|s| {
                let buf = &mut *s.borrow_mut();
                let mut rb = ReadBuf::new(buf);
                match Pin::new(&mut *io).poll_read(cx, &mut rb) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
                    Poll::Ready(Ok(())) => {
                        let n = rb.filled().len();
                        if n == 0 {
                            return Poll::Ready(Ok(false));
                        }
                        if rest.is_empty() {
                            let used = input(sh, me, &mut buf[..n], &mut out);
                            if used < n {
                                rest.extend_from_slice(&buf[used..n]);
                            }
                        } else {
                            rest.extend_from_slice(&buf[..n]);
                            let used = input(sh, me, &mut rest, &mut out);
                            rest.drain(..used);
                            if rest.is_empty() {
                                rest = Vec::new();
                            }
                        }
                        Poll::Ready(Ok(true))
                    }
                }
            })
        })
        .await;
        if !matches!(go, Ok(true)) {
            return;
        }
    }
}

async fn accept() {
    let l = TcpListener::from_std(listen(env("PORT", 3000) as u16)).unwrap();
    let sh = Arc::new(Shared {
        hub: Mutex::new(Hub::default()),
        ping: env("PING_INTERVAL", 25000),
        timeout: env("PING_TIMEOUT", 20000),
    });
    println!("ready floor-tokio");
    loop {
        if let Ok((io, _)) = l.accept().await {
            let _ = io.set_nodelay(true);
            tokio::spawn(conn(sh.clone(), io));
        }
    }
}

fn main() {
    let mut b = if std::env::var("RT").as_deref() == Ok("current") {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let rt = b.enable_all().build().unwrap();
    rt.block_on(async { tokio::spawn(accept()).await.unwrap() });
}
