//! Thin wrappers over the Linux calls the load generator needs.
use std::io;
use std::os::fd::RawFd;

pub fn now_ns() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

pub fn real_ns() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

pub fn pin_to(cpus: &[usize]) {
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_ZERO(&mut set);
        for &cpu in cpus {
            libc::CPU_SET(cpu, &mut set);
        }
        if libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set) != 0 {
            eprintln!("sioload: cannot pin to {cpus:?}: {}", io::Error::last_os_error());
        }
    }
}

/// Raise the soft fd limit to the hard limit; returns the limit in force.
pub fn raise_nofile() -> u64 {
    unsafe {
        let mut r: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut r);
        if r.rlim_cur < r.rlim_max {
            r.rlim_cur = r.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &r);
            libc::getrlimit(libc::RLIMIT_NOFILE, &mut r);
        }
        r.rlim_cur
    }
}

/// CPU time of this process (user, system) in ns.
pub fn self_cpu_ns() -> u64 {
    unsafe {
        let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut ts);
        ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
    }
}

pub struct Epoll {
    fd: RawFd,
}

pub const IN: u32 = libc::EPOLLIN as u32;
pub const OUT: u32 = libc::EPOLLOUT as u32;
pub const RDHUP: u32 = libc::EPOLLRDHUP as u32;

impl Epoll {
    pub fn new() -> Epoll {
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(fd >= 0, "epoll_create1: {}", io::Error::last_os_error());
        Epoll { fd }
    }
    fn ctl(&self, op: i32, fd: RawFd, token: u64, ev: u32) {
        let mut e = libc::epoll_event { events: ev, u64: token };
        let r = unsafe { libc::epoll_ctl(self.fd, op, fd, &mut e) };
        assert!(r == 0, "epoll_ctl: {}", io::Error::last_os_error());
    }
    pub fn add(&self, fd: RawFd, token: u64, ev: u32) {
        self.ctl(libc::EPOLL_CTL_ADD, fd, token, ev)
    }
    pub fn modify(&self, fd: RawFd, token: u64, ev: u32) {
        self.ctl(libc::EPOLL_CTL_MOD, fd, token, ev)
    }
    /// Waits at most `timeout_ns` (nanosecond resolution through epoll_pwait2).
    pub fn wait(&self, evs: &mut [libc::epoll_event], timeout_ns: u64) -> usize {
        let ts = libc::timespec {
            tv_sec: (timeout_ns / 1_000_000_000) as i64,
            tv_nsec: (timeout_ns % 1_000_000_000) as i64,
        };
        let n = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd,
                evs.as_mut_ptr(),
                evs.len() as i32,
                &ts as *const libc::timespec,
                std::ptr::null::<libc::sigset_t>(),
                8usize,
            )
        };
        if n < 0 {
            let e = io::Error::last_os_error();
            assert!(e.kind() == io::ErrorKind::Interrupted, "epoll_pwait2: {e}");
            return 0;
        }
        n as usize
    }
}

fn sockaddr(ip: [u8; 4], port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(ip) },
        sin_zero: [0; 8],
    }
}

/// Starts a non-blocking connect from `src` (loopback alias) to 127.0.0.1:`port`.
pub fn tcp_connect(src: [u8; 4], port: u16, rcvbuf: Option<i32>) -> io::Result<RawFd> {
    unsafe {
        let fd = libc::socket(
            libc::AF_INET,
            libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
            0,
        );
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let one: i32 = 1;
        let sz = std::mem::size_of::<i32>() as u32;
        let so = |lvl: i32, opt: i32, v: &i32| {
            libc::setsockopt(fd, lvl, opt, v as *const i32 as *const _, sz)
        };
        so(libc::IPPROTO_TCP, libc::TCP_NODELAY, &one);
        // Late port choice: lets one port be shared by several (src, dst) pairs.
        so(libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &one);
        if let Some(n) = rcvbuf {
            so(libc::SOL_SOCKET, libc::SO_RCVBUF, &n);
        }
        let len = std::mem::size_of::<libc::sockaddr_in>() as u32;
        let a = sockaddr(src, 0);
        if libc::bind(fd, &a as *const _ as *const _, len) != 0 {
            let e = io::Error::last_os_error();
            libc::close(fd);
            return Err(e);
        }
        let a = sockaddr([127, 0, 0, 1], port);
        if libc::connect(fd, &a as *const _ as *const _, len) != 0 {
            let e = io::Error::last_os_error();
            if e.raw_os_error() != Some(libc::EINPROGRESS) {
                libc::close(fd);
                return Err(e);
            }
        }
        Ok(fd)
    }
}

pub enum Io {
    N(usize),
    Again,
    Err(io::Error),
}

pub fn recv(fd: RawFd, buf: &mut [u8]) -> Io {
    let n = unsafe { libc::recv(fd, buf.as_mut_ptr() as *mut _, buf.len(), 0) };
    done(n)
}

/// Has the kernel note when data arrives.
pub fn stamp(fd: RawFd) {
    let one: i32 = 1;
    let r = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            &one as *const _ as *const _,
            4,
        )
    };
    assert!(r == 0, "SO_TIMESTAMPNS: {}", io::Error::last_os_error());
}

/// Reads, and tells when the last of it arrived, on the real-time clock; 0 if the kernel did not say.
pub fn recv_stamped(fd: RawFd, buf: &mut [u8]) -> (Io, u64) {
    let mut control = [0u64; 16];
    let mut part = libc::iovec { iov_base: buf.as_mut_ptr() as *mut _, iov_len: buf.len() };
    let mut at = 0;
    let n = unsafe {
        let mut m: libc::msghdr = std::mem::zeroed();
        m.msg_iov = &mut part;
        m.msg_iovlen = 1;
        m.msg_control = control.as_mut_ptr() as *mut _;
        m.msg_controllen = std::mem::size_of_val(&control) as _;
        let n = libc::recvmsg(fd, &mut m, 0);
        let mut c = if n > 0 { libc::CMSG_FIRSTHDR(&m) } else { std::ptr::null_mut() };
        while !c.is_null() {
            if (*c).cmsg_level == libc::SOL_SOCKET && (*c).cmsg_type == libc::SCM_TIMESTAMPNS {
                let t: libc::timespec = std::ptr::read_unaligned(libc::CMSG_DATA(c) as *const _);
                at = t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64;
            }
            c = libc::CMSG_NXTHDR(&m, c);
        }
        n
    };
    (done(n), at)
}

pub fn send(fd: RawFd, buf: &[u8]) -> Io {
    let n = unsafe { libc::send(fd, buf.as_ptr() as *const _, buf.len(), libc::MSG_NOSIGNAL) };
    done(n)
}

fn done(n: isize) -> Io {
    if n >= 0 {
        return Io::N(n as usize);
    }
    let e = io::Error::last_os_error();
    match e.raw_os_error() {
        Some(libc::EAGAIN) | Some(libc::ENOTCONN) | Some(libc::EINTR) => Io::Again,
        _ => Io::Err(e),
    }
}

pub fn close(fd: RawFd) {
    unsafe { libc::close(fd) };
}

/// xorshift64* generator: reproducible room choice without a dependency.
pub struct Rng(pub u64);
impl Rng {
    pub fn next(&mut self) -> u64 {
        let mut x = self.0;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0 = x;
        x.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        ((self.next() >> 32) * n) >> 32
    }
}

/// How fast this core is just now: ns per 64-byte send+recv over loopback TCP within one thread,
/// and ns per step of a dependent arithmetic chain. About 60 ms. On a virtual machine both drift
/// with what the host does, which no counter inside shows.
pub fn calibrate() -> (f64, f64) {
    use std::io::{Read, Write};
    let l = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let mut a = std::net::TcpStream::connect(l.local_addr().unwrap()).expect("connect");
    let (mut b, _) = l.accept().expect("accept");
    a.set_nodelay(true).ok();
    let mut buf = [0u8; 64];
    let mut best = f64::MAX;
    for _ in 0..8 {
        let n = 1000;
        let t = now_ns();
        for _ in 0..n {
            a.write_all(&[7u8; 64]).unwrap();
            b.read_exact(&mut buf).unwrap();
        }
        best = best.min((now_ns() - t) as f64 / n as f64);
    }
    let mut alu = f64::MAX;
    let mut x = std::hint::black_box(88172645463325252u64);
    for _ in 0..8 {
        let t = now_ns();
        for _ in 0..1_000_000 {
            x = (x ^ (x >> 12)).wrapping_mul(0x2545_F491_4F6C_DD1D);
        }
        std::hint::black_box(x);
        alu = alu.min((now_ns() - t) as f64 / 1e6);
    }
    (best, alu)
}
