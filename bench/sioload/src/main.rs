//! sioload: load generator and verifier for Socket.IO servers. See ../README.md.
mod hist;
mod net;
mod perf;
mod proc;
mod scen;
mod sys;
mod ws;

use std::collections::HashMap;

pub struct Opts {
    m: HashMap<String, String>,
}

impl Opts {
    pub fn s(&self, k: &str, d: &str) -> String {
        self.m.get(k).cloned().unwrap_or_else(|| d.to_string())
    }
    pub fn n(&self, k: &str, d: u64) -> u64 {
        match self.m.get(k) {
            None => d,
            Some(v) => v.parse().unwrap_or_else(|_| die(&format!("--{k}: not a number: {v}"))),
        }
    }
    pub fn f(&self, k: &str, d: f64) -> f64 {
        match self.m.get(k) {
            None => d,
            Some(v) => v.parse().unwrap_or_else(|_| die(&format!("--{k}: not a number: {v}"))),
        }
    }
    /// A list of numbers: `0,1`.
    pub fn list(&self, k: &str) -> Vec<usize> {
        self.s(k, "")
            .split(',')
            .filter(|v| !v.is_empty())
            .map(|v| v.parse().unwrap_or_else(|_| die(&format!("--{k}: not a number: {v}"))))
            .collect()
    }
    pub fn has(&self, k: &str) -> bool {
        self.m.contains_key(k)
    }
}

pub fn die(m: &str) -> ! {
    eprintln!("sioload: {m}");
    std::process::exit(2)
}

const KEYS: &[&str] = &[
    "port",
    "path",
    "pid",
    "srv-cpu",
    "cli-cpu",
    "label",
    "conns",
    "inflight",
    "size",
    "kind",
    "secs",
    "warmup",
    "rate",
    "mode",
    "mask",
    "conc",
    "nsrc",
    "rooms",
    "rounds",
    "total-mb",
    "slow",
    "settle-ms",
    "verb",
    "close",
    "split",
    "event",
    "burst",
    "burst-size",
    "joiners",
    "futex",
];

fn main() {
    let mut a = std::env::args().skip(1);
    let scen = a.next().unwrap_or_else(|| {
        die("usage: sioload calib|verify|echo|ack|broadcast|rooms|joins|connect|idle|idle-polling|slow --port P --pid SERVER [--key value]...")
    });
    let mut m = HashMap::new();
    while let Some(k) = a.next() {
        let k = k
            .strip_prefix("--")
            .unwrap_or_else(|| die(&format!("unexpected argument {k}")))
            .to_string();
        if !KEYS.contains(&k.as_str()) {
            die(&format!("unknown option --{k}"));
        }
        let v = a.next().unwrap_or_else(|| die(&format!("--{k} needs a value")));
        m.insert(k, v);
    }
    let o = Opts { m };
    let lim = sys::raise_nofile();
    if scen == "calib" {
        sys::pin_to(&o.list("cli-cpu"));
        let (tcp, alu) = sys::calibrate();
        println!("{{\"scenario\":\"calib\",\"tcp_ns\":{tcp:.1},\"alu_ns\":{alu:.2},\"ok\":true}}");
        return;
    }
    if o.has("cli-cpu") {
        sys::pin_to(&o.list("cli-cpu"));
    }
    let ok = scen::run(&scen, &o, lim);
    std::process::exit(if ok { 0 } else { 1 });
}
