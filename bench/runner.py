#!/usr/bin/env python3
"""Runs the benchmark: peers x scenarios x rounds, interleaved, and writes markdown tables."""

import argparse
import json
import os
import subprocess
import sys
import time

import goals
from clients import run_client
from figures import Results, cost_key, refusal
from report import TRANSPORTS, contract, write_results
from scenarios import EXTRA, PER_RUN, SCEN, SIZES, is_client
from server import BUILD, HERE, Server, log, raise_nofile
from table import num

SIOLOAD = os.path.join(BUILD, "release", "sioload")
BUILD_SIOLOAD = "cargo build --release --locked --quiet --manifest-path sioload/Cargo.toml"


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
    if a.futex:
        cmd += ["--futex", "1"]
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
        "peers",
        nargs="*",
        help="names from peers.json or clients.json, NAME=COMMAND, or groups: 'proof' (the default),"
        " 'threads' (that with several CPUs for the server), 'all'",
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
        help="the peer that ratios refer to (default: 'floor', floor-tokio or else floor-epoll, or the"
        " first peer if none was run); with a comma, one for each side",
    )
    ap.add_argument(
        "--counterpart",
        default="sockeye",
        help="the server that clients talk to (default: %(default)s)",
    )
    ap.add_argument(
        "--server-cpu", default="1", help="with a comma, several (default: %(default)s)"
    )
    ap.add_argument(
        "--client-cpu", help="sioload's (default: 0, or all that the server has if that is several)"
    )
    ap.add_argument(
        "--futex",
        action="store_true",
        help="count futex calls (needs root; makes every system call a little slower)",
    )
    ap.add_argument("--goals", action="store_true", help="only the scenarios that goals.json names")
    ap.add_argument(
        "--docs", action="store_true", help="plots of what has a goal also into ../docs/bench"
    )
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
    ap.add_argument(
        "--out", help="directory for runs.jsonl, table.md and plots (default results/TIME)"
    )
    ap.add_argument("--list", action="store_true", help="show the peers and the scenarios")
    a = ap.parse_args()
    a.size = dict(SIZES[a.mode])
    if a.secs:
        a.size["s"] = a.size["sj"] = a.secs
    a.size |= {"half": "HALF", "half_of": "the floor"}  # until it is measured
    a.rounds = a.rounds or a.size["rounds"]
    several = "," in a.server_cpu
    a.client_cpu = a.client_cpu or (a.server_cpu if several else "0")
    a.cpu = a.server_cpu if a.pin else None
    a.peers = a.peers or ["threads" if several else "proof"]
    return a


def choose_peers(asked, known):
    peers = {}
    for x in asked:
        if x in ("all", "proof", "threads"):
            groups = {k: v.get("groups", "") + " all" for k, v in known.items()}
            peers.update({k: known[k] for k, names in groups.items() if x in names.split()})
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
        named = goals.scenarios(goals.read()) if a.goals else []
        return [
            k
            for k, v in SCEN.items()
            if is_client(k) in sides and (k in named if a.goals else a.mode in v.groups.split())
        ]
    scens = a.scenarios.split(",")
    bad = [s for s in scens if s not in SCEN]
    if bad:
        sys.exit(f"unknown scenario {bad}; see --list")
    idle = [s for s in scens if is_client(s) not in sides]
    if idle:
        sys.exit(f"no peer is named that scenario {idle} is for: clients are named client-...")
    return scens


def choose_baselines(a, peers):
    """The peers asked for; none stands for the floor that a scenario has, or else the first peer."""
    asked = [x for x in a.baseline.split(",") if x and x != "floor"]
    bad = [x for x in asked if x not in peers]
    if bad:
        sys.exit(f"the baseline {', '.join(bad)} is not among the peers run")
    return asked


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


def calibrate(a):
    """How fast the cores are at this moment; on a virtual machine this drifts with the host."""
    out = []
    for c in sorted({*a.server_cpu.split(","), *a.client_cpu.split(",")}):
        q = subprocess.run([SIOLOAD, "calib", "--cli-cpu", c], capture_output=True, text=True)
        try:
            out.append(json.loads(q.stdout)["tcp_ns"])
        except (ValueError, KeyError):
            pass
    return out


def half_load(results, peers, a):
    """Half the messages a second that the baseline, a floor as a rule, carries with one in flight: what
    an open loop sends comes one by one, too."""
    sc = "echo16k1"
    n = results.base(sc)
    runs = [measure(sc, n, peers, a) for _ in range(2)]
    why = "; ".join(filter(None, map(refusal, runs)))
    if why:
        sys.exit(f"cannot tell what half load is: {n} in {sc}: {why}")
    rate = max(d["msgs_s"] for d in runs)
    log(f"half load: {n} carries {num(rate)} messages/s in {sc}")
    return {"half": max(1000, int(rate / 2000) * 1000), "half_of": n}


def measure(sc, n, peers, a):
    args = SCEN[sc].args.format(**a.size)
    env = {k: v.format(**a.size) for k, v in SCEN[sc].env.items()}
    if a.wait_quiet:
        wait_quiet(a.wait_quiet)
    try:
        if is_client(n):
            with Server(a.counterpart, peers[a.counterpart], a.cpu, env) as s:
                env |= {"BUILD": BUILD, "HERE": HERE}
                return run_client(n, sc, peers[n], args, s, env, a)
        exact = SCEN[sc].kind in ("idle", "idle-polling", "slow")
        with Server(n, peers[n], a.cpu, env, exact) as s:
            return load(args, n, sc, s, a)
    except RuntimeError as e:
        return {"label": n, "scenario": sc, "ok": False, "error_text": str(e)}


def run_rounds(results, scens, peers, raw, a):
    """Measures; returns how fast the cores were at the start of each round."""
    began, calib = time.time(), []
    for r in range(a.rounds):
        calib += calibrate(a)
        for sc in scens:
            for n in results.names if r % 2 == 0 else results.names[::-1]:  # A B C, then C B A
                if not results.serves(sc, n):
                    continue
                d = measure(sc, n, peers, a)
                d["round"] = r
                raw.write(json.dumps(d) + "\n")
                raw.flush()
                results.rows.setdefault((sc, n), []).append(d)
                key, why = cost_key(sc), refusal(d)
                log(
                    f"[{time.time() - began:5.0f}s] round {r + 1} {sc:15} {n:20}"
                    f" {num(d.get('msgs_s')):>9}/s  {key} {num(d.get(key), 2)}"
                    f"  {'FAILED ' + why[:100] if why else ''}"
                )
    return calib


def main():
    a = options()
    known = {}
    for file in ("peers.json", "clients.json"):
        with open(os.path.join(HERE, file)) as f:
            known |= json.load(f)
    if a.list:
        for k, v in known.items():
            print(f"peer      {k:20} [{v.get('groups', '')}] {v['about']}")
        for k, v in SCEN.items():
            print(f"scenario  {k:20} [{v.groups}] {v.what.format(**a.size)}")
        return 0
    peers = choose_peers(a.peers, known)
    scens = choose_scenarios(a, {is_client(n) for n in peers})
    asked = choose_baselines(a, peers)
    needed = dict(peers)
    if any(map(is_client, scens)):
        if a.counterpart not in known or is_client(a.counterpart):
            sys.exit(f"the counterpart {a.counterpart} is no server in peers.json")
        needed.setdefault(a.counterpart, known[a.counterpart])
    raise_nofile()

    names = list(needed) if a.no_build else build_all(needed)
    if a.counterpart not in names and any(map(is_client, scens)):
        sys.exit("there is no server for the clients to talk to")
    names = [n for n in names if n in peers]
    contracts = verify_all(names, peers, a)
    results = Results({}, list(contracts), contracts, asked, "," in a.server_cpu)
    if any(base not in results.names for base in asked) or not results.names:
        sys.exit("nothing to compare")
    missing = [n for n in peers if n not in results.names]
    if any("{half}" in SCEN[sc].args for sc in scens):
        a.size |= half_load(results, peers, a)

    each = sum(PER_RUN[a.mode] + EXTRA.get(sc, {}).get(a.mode, 0) for sc in scens)
    log(
        f"{len(results.names)} peers x {len(scens)} scenarios x {a.rounds} rounds,"
        f" up to {each * len(results.names) * a.rounds / 60:.0f} min"
    )
    out = a.out or os.path.join(HERE, "results", time.strftime("%Y%m%d-%H%M%S"))
    os.makedirs(out, exist_ok=True)
    began = time.time()
    with open(os.path.join(out, "runs.jsonl"), "a") as raw:
        calib = run_rounds(results, scens, needed, raw, a)
    print(write_results(results, scens, peers, calib, began, out, a))
    bad = sum(1 for v in results.rows.values() for d in v if refusal(d))
    note = f"; left out: {', '.join(missing)}" if missing else ""
    log(f"results in {out}; {bad} failed run(s){note}")
    return 1 if bad or missing else 0


if __name__ == "__main__":
    sys.exit(main())
