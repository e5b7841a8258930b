//! The scenarios. Each prints one JSON line; `ok` is false if anything at all went wrong.
mod connect;
mod drive;
mod echo;
mod fan;
mod idle;
mod idle_polling;
mod joins;
mod measure;
mod payload;
mod report;
mod slow;
mod verify;

use crate::net::{Cfg, Mode, Net};
use crate::{Opts, die};
use report::J;
use std::fmt::Write as _;

const MS: u64 = 1_000_000;
const SEC: u64 = 1_000_000_000;

struct Env {
    pid: i32,
    srv_cpu: Vec<usize>,
    cli_cpu: Vec<usize>,
    futex: bool,
    label: String,
    scen: String,
    mode: Mode,
    mode_s: String,
    secs: f64,
    warmup: f64,
    conc: u64,
    lim: u64,
}

fn head(e: &Env) -> J {
    let mut j = J::new();
    j.s("scenario", &e.scen);
    j.s("label", &e.label);
    j.s("mode", &e.mode_s);
    j
}

fn tail(mut j: J, net: &Net, extra_ok: bool) -> bool {
    let ok = extra_ok && net.errors == 0;
    j.u("errors", net.errors);
    let mut all = String::new();
    for (k, v) in &net.errs {
        let _ = write!(all, "{k} x{v}; ");
    }
    j.s("error_text", &all);
    j.b("ok", ok);
    j.print();
    ok
}

pub fn run(scen: &str, o: &Opts, lim: u64) -> bool {
    let mode_s = o.s("mode", "ws");
    let e = Env {
        pid: o.n("pid", 0) as i32,
        srv_cpu: o.list("srv-cpu"),
        cli_cpu: o.list("cli-cpu"),
        futex: o.n("futex", 0) == 1,
        label: o.s("label", ""),
        scen: o.s("verb", scen),
        mode: match mode_s.as_str() {
            "ws" => Mode::Ws,
            "polling" => Mode::Polling,
            "upgrade" => Mode::Upgrade,
            _ => die("--mode ws|polling|upgrade"),
        },
        mode_s,
        secs: o.f("secs", 5.0),
        warmup: o.f("warmup", 1.0),
        conc: o.n("conc", 64),
        lim,
    };
    let mut net = Net::new(Cfg {
        port: o.n("port", 3000) as u16,
        path: o.s("path", "/socket.io/"),
        nsrc: o.n("nsrc", 8) as u8,
        mask_random: o.s("mask", "random") != "zero",
    });
    match scen {
        "verify" => verify::verify(&e, &mut net),
        "echo" => echo::echo(o, &e, &mut net, false),
        "ack" => echo::echo(o, &e, &mut net, true),
        "broadcast" => fan::fan(o, &e, &mut net, false),
        "rooms" => fan::fan(o, &e, &mut net, true),
        "joins" => joins::joins(o, &e, &mut net),
        "slow" => slow::slow(o, &e, &mut net),
        "connect" => connect::connect(o, &e, &mut net),
        "idle" => idle::idle(o, &e, &mut net),
        "idle-polling" => idle_polling::idle_polling(o, &e, &mut net),
        _ => die("unknown scenario"),
    }
}
