#!/usr/bin/env python3
"""Runs the benchmark: peers x scenarios x rounds, interleaved, and writes markdown tables."""

import argparse
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

from clients import run_client
from scenarios import EXTRA, PER_RUN, SCEN, SIZES, is_client
from table import Table, cost_key, num

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BENCH_BUILD", os.path.join(HERE, "target")))
SIOLOAD = os.path.join(BUILD, "release", "sioload")
BUILD_SIOLOAD = "cargo build --release --locked --quiet --manifest-path sioload/Cargo.toml"
TRANSPORTS = ("ws", "polling", "upgrade")


def log(*a):
    print(*a, file=sys.stderr, flush=True)


class Server:
    """One server process, pinned, on a port of its own."""

    def __init__(self, name, peer, cpu, extra_env):
        self.name = name
        self.port = free_port()
        env = dict(
            os.environ,
            PORT=str(self.port),
            BUILD=BUILD,
            PING_INTERVAL="25000",
            PING_TIMEOUT="20000",
        )
        env.update(extra_env)
        cmd = ["bash", "-c", "exec " + peer["cmd"]]
        if cpu is not None:
            cmd = ["taskset", "-c", str(cpu)] + cmd
        self.log = open(os.path.join(BUILD, f"server-{name}.log"), "ab")
        self.p = subprocess.Popen(
            cmd, cwd=HERE, env=env, stdout=self.log, stderr=self.log, start_new_session=True
        )
        end = time.time() + 20
        while time.time() < end:
            if self.p.poll() is not None:
                raise RuntimeError(f"{name} ended at start (see {self.log.name})")
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
                break
            except OSError:
                time.sleep(0.02)
        else:
            self.stop()
            raise RuntimeError(f"{name} does not listen on {self.port}")
        time.sleep(0.15)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        return self.p.poll() is None

    def stop(self):
        try:
            self.p.send_signal(signal.SIGTERM)
            self.p.wait(1)
        except (subprocess.TimeoutExpired, ProcessLookupError):
            try:
                os.killpg(self.p.pid, signal.SIGKILL)  # the session this script started
            except ProcessLookupError:
                pass
            self.p.wait()
        self.log.close()


def raise_nofile():
    """The servers inherit this; sioload raises its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < want:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))


NEXT_PORT = [20500 + (os.getpid() * 37) % 9000]


def free_port():
    while True:
        NEXT_PORT[0] = 20500 + (NEXT_PORT[0] - 20500 + 1) % 10000
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", NEXT_PORT[0]))
            return NEXT_PORT[0]
        except OSError:
            pass
        finally:
            s.close()


def busy():
    """Share of the machine in use over 250 ms, in cores."""

    def read():
        v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
        return sum(v), v[3] + v[4]

    a = read()
    time.sleep(0.25)
    b = read()
    return (1 - (b[1] - a[1]) / max(1, b[0] - a[0])) * os.cpu_count()


def wait_quiet(limit):
    end = time.time() + limit
    while time.time() < end:
        if busy() < 0.25:
            return
        time.sleep(0.5)


def load(args, label, verb, server, a, timeout=400):
    cmd = (
        [SIOLOAD]
        + args.split()
        + ["--port", str(server.port), "--pid", str(server.p.pid), "--label", label]
    )
    if verb:
        cmd += ["--verb", verb]
    if a.pin:
        cmd += ["--srv-cpu", str(a.server_cpu), "--cli-cpu", str(a.client_cpu)]
    if a.mask == "zero":
        cmd += ["--mask", "zero"]
    try:
        r = subprocess.run(cmd, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"label": label, "scenario": verb, "ok": False, "error_text": "timeout"}
    lines = [x for x in r.stdout.splitlines() if x.startswith("{")]
    if not lines:
        return {
            "label": label,
            "scenario": verb,
            "ok": False,
            "error_text": r.stderr.strip()[-300:] or f"exit {r.returncode}",
        }
    d = json.loads(lines[-1])
    if not server.alive():
        d["ok"] = False
        d["error_text"] = (d.get("error_text") or "") + "server died"
    return d


def options():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument(
        "peers", nargs="*", help="names from peers.json or clients.json, NAME=COMMAND, or 'all'"
    )
    g = ap.add_mutually_exclusive_group()
    for m in SIZES:
        g.add_argument("--" + m, action="store_const", const=m, dest="mode")
    ap.set_defaults(mode="quick")
    ap.add_argument("--rounds", type=int)
    ap.add_argument("--secs", type=float, help="measured seconds per run")
    ap.add_argument("--scenarios", help="comma-separated ids; see --list")
    ap.add_argument(
        "--baseline",
        default="",
        help="the peer that ratios refer to (default: the first); with a comma, one for each side",
    )
    ap.add_argument(
        "--counterpart", default="sockeye", help="the server that clients talk to (default: %(default)s)"
    )
    ap.add_argument("--server-cpu", type=int, default=1)
    ap.add_argument("--client-cpu", type=int, default=0)
    ap.add_argument("--no-pin", dest="pin", action="store_false")
    ap.add_argument("--mask", choices=["random", "zero"], default="random")
    ap.add_argument(
        "--wait-quiet",
        type=float,
        default=0,
        metavar="S",
        help="wait up to S seconds before each run for the machine to be idle",
    )
    ap.add_argument("--no-build", action="store_true")
    ap.add_argument("--no-verify", action="store_true")
    ap.add_argument("--out", help="directory for runs.jsonl and table.md (default results/TIME)")
    ap.add_argument("--list", action="store_true", help="show the peers and the scenarios")
    a = ap.parse_args()
    a.size = dict(SIZES[a.mode])
    if a.secs:
        a.size["s"] = a.secs
    a.rounds = a.rounds or a.size["rounds"]
    return a


def choose_peers(asked, known):
    peers = {}
    for x in asked or ["all"]:
        if x == "all":
            peers.update(known)
        elif "=" in x:
            name, cmd = x.split("=", 1)
            peers[name] = {"cmd": cmd, "about": cmd}
        elif x in known:
            peers[x] = known[x]
        else:
            sys.exit(f"unknown peer {x}; use a name from peers.json or NAME=COMMAND")
    return peers


def choose_scenarios(a, sides):
    if not a.scenarios:
        return [k for k, v in SCEN.items() if a.mode in v[4].split() and is_client(k) in sides]
    scens = a.scenarios.split(",")
    bad = [s for s in scens if s not in SCEN]
    if bad:
        sys.exit(f"unknown scenario {bad}; see --list")
    idle = [s for s in scens if is_client(s) not in sides]
    if idle:
        sys.exit(f"no peer is named that scenario {idle} is for: clients are named client-...")
    return scens


def choose_baselines(a, peers):
    """The peer that ratios refer to, for each side: False for servers, True for clients."""
    asked = [x for x in a.baseline.split(",") if x]
    bad = [x for x in asked if x not in peers]
    if bad:
        sys.exit(f"the baseline {', '.join(bad)} is not among the peers run")
    # The last one counts: what was asked for stands behind what is so by itself.
    return {is_client(x): x for x in list(peers)[::-1] + asked[::-1]}


def build_all(peers):
    """Builds sioload and the peers; returns the names of those that can be run."""
    env = dict(os.environ, BENCH_BUILD=BUILD, CARGO_TARGET_DIR=BUILD)
    done = {}  # several peers may share one build command

    def build(what, cmd):
        if cmd not in done:
            log(f"building {what}")
            r = subprocess.run(["bash", "-c", cmd], cwd=HERE, env=env, stdout=sys.stderr)
            done[cmd] = r.returncode == 0
        return done[cmd]

    if not build("sioload", BUILD_SIOLOAD):
        sys.exit("sioload does not build")
    names = []
    for n, peer in peers.items():
        if not peer.get("build") or build(n, peer["build"]):
            names.append(n)
        else:
            log(f"leaving out: {n} does not build")
    return names


def verify_all(names, peers, a):
    """What `sioload verify` says of each server; one that does not start is absent."""
    support = {}
    for n in names:
        if is_client(n):
            support[n] = {"against": a.counterpart}
            continue
        if a.no_verify:
            support[n] = dict.fromkeys(TRANSPORTS, "ok")
            continue
        try:
            with Server(n, peers[n], a.cpu, {}) as s:
                support[n] = load("verify", n, None, s, a, 60)
        except RuntimeError as e:
            log(f"leaving out: {e}")
            continue
        log(f"verify {n}: " + contract(support[n]))
    return support


def contract(d):
    if "against" in d:
        return f"against {d['against']}"
    return ", ".join(f"{m} {d.get(m)}" for m in TRANSPORTS)


def calibrate(a):
    """How fast the cores are at this moment; on a virtual machine this drifts with the host."""
    out = []
    for c in (a.server_cpu, a.client_cpu):
        q = subprocess.run([SIOLOAD, "calib", "--cli-cpu", str(c)], capture_output=True, text=True)
        try:
            out.append(json.loads(q.stdout)["tcp_ns"])
        except (ValueError, KeyError):
            pass
    return out


def measure(sc, n, peers, a):
    _, args, env, _, _ = SCEN[sc]
    args = args.format(**a.size)
    env = {k: v.format(**a.size) for k, v in env.items()}
    if a.wait_quiet:
        wait_quiet(a.wait_quiet)
    try:
        if is_client(n):
            with Server(a.counterpart, peers[a.counterpart], a.cpu, env) as s:
                env |= {"BUILD": BUILD, "HERE": HERE}
                return run_client(n, sc, peers[n], args, s, env, a)
        with Server(n, peers[n], a.cpu, env) as s:
            return load(args, n, sc, s, a)
    except RuntimeError as e:
        return {"label": n, "scenario": sc, "ok": False, "error_text": str(e)}


def write_tables(rows, scens, peers, support, bases, calib, began, a):
    cpus = (
        f"Server on CPU {a.server_cpu}, sioload or client on CPU {a.client_cpu}."
        if a.pin
        else "Not pinned."
    )
    md = [
        f"Mode {a.mode}, {a.rounds} round(s), medians; ratios are medians of pairs taken in the"
        f" same round against {', '.join(bases.values())}. {cpus}"
        f" {time.strftime('%Y-%m-%d %H:%M')}, {(time.time() - began) / 60:.1f} min."
        f" Loopback send+recv in one thread, at the start of each round:"
        f" {min(calib, default=0):.0f} to {max(calib, default=0):.0f} ns.",
        "",
    ]
    for n, d in support.items():
        md.append(f"- **{n}**: {peers[n].get('about', '')}; contract: {contract(d)}")
    md.append("")
    for side, base in sorted(bases.items()):
        own = [sc for sc in scens if is_client(sc) == side]
        if not own:
            continue
        t = Table(rows, base)
        md.append(t.summary(own, [n for n in support if is_client(n) == side]))
        for sc in own:
            md.append(t.scenario(sc, support, SCEN[sc][0].format(**a.size)))
    return "\n".join(md)


def main():
    a = options()
    known = {}
    for file in ("peers.json", "clients.json"):
        with open(os.path.join(HERE, file)) as f:
            known |= json.load(f)
    if a.list:
        for k, v in known.items():
            print(f"peer      {k:20} {v['about']}")
        for k, v in SCEN.items():
            print(f"scenario  {k:20} [{v[4]}] {v[0].format(**a.size)}")
        return 0
    peers = choose_peers(a.peers, known)
    scens = choose_scenarios(a, {is_client(n) for n in peers})
    bases = choose_baselines(a, peers)
    needed = dict(peers)
    if any(map(is_client, scens)):
        if a.counterpart not in known or is_client(a.counterpart):
            sys.exit(f"the counterpart {a.counterpart} is no server in peers.json")
        needed.setdefault(a.counterpart, known[a.counterpart])
    a.cpu = a.server_cpu if a.pin else None
    raise_nofile()

    names = list(needed) if a.no_build else build_all(needed)
    if a.counterpart not in names and any(map(is_client, scens)):
        sys.exit("there is no server for the clients to talk to")
    names = [n for n in names if n in peers]
    support = verify_all(names, peers, a)
    names = list(support)
    if any(base not in names for base in bases.values()):
        sys.exit("nothing to compare")
    missing = [n for n in peers if n not in names]

    each = sum(PER_RUN[a.mode] + EXTRA.get(sc, {}).get(a.mode, 0) for sc in scens)
    log(
        f"{len(names)} peers x {len(scens)} scenarios x {a.rounds} rounds,"
        f" up to {each * len(names) * a.rounds / 60:.0f} min"
    )
    out = a.out or os.path.join(HERE, "results", time.strftime("%Y%m%d-%H%M%S"))
    os.makedirs(out, exist_ok=True)
    rows, calib, began = {}, [], time.time()
    with open(os.path.join(out, "runs.jsonl"), "a") as raw:
        for r in range(a.rounds):
            calib += calibrate(a)
            for sc in scens:
                for n in names if r % 2 == 0 else names[::-1]:  # A B C, then C B A
                    if is_client(n) != is_client(sc):
                        continue
                    if support[n].get(SCEN[sc][3]) == "connect":
                        continue  # does not have this transport
                    d = measure(sc, n, needed, a)
                    d["round"] = r
                    raw.write(json.dumps(d) + "\n")
                    raw.flush()
                    rows.setdefault((sc, n), []).append(d)
                    key = cost_key(sc)
                    log(
                        f"[{time.time() - began:5.0f}s] round {r + 1} {sc:15} {n:20}"
                        f" {num(d.get('msgs_s')):>9}/s  {key} {num(d.get(key), 2)}"
                        f"  {'' if d.get('ok') else 'FAILED ' + str(d.get('error_text'))[:100]}"
                    )
    text = write_tables(rows, scens, peers, support, bases, calib, began, a)
    with open(os.path.join(out, "table.md"), "w") as f:
        f.write(text)
    print(text)
    bad = sum(1 for v in rows.values() for d in v if not d.get("ok"))
    note = f"; left out: {', '.join(missing)}" if missing else ""
    log(f"results in {out}; {bad} failed run(s){note}")
    return 1 if bad or missing else 0


if __name__ == "__main__":
    sys.exit(main())
