#!/usr/bin/env python3
"""What bounds a server: system calls per message (perf tracepoints), user/kernel split, hottest
symbols (perf record). Needs root and perf, and peers that ./run has built.

usage: profile.py [--scenarios a,b] PEER|NAME=CMD..."""

import argparse
import json
import os
import re
import subprocess
import sys

from runner import SIOLOAD
from scenarios import SCEN, SIZES
from server import BUILD, HERE, Server, raise_nofile

SIZE = SIZES["quick"] | {"half": 50_000, "half_of": ""}


def args_of(work):
    """sioload's arguments for a scenario, without its times: the options here say how long."""
    words = SCEN[work].args.format(**SIZE).split()
    for option in ("--secs", "--warmup"):
        if option in words:
            i = words.index(option)
            del words[i : i + 2]
    return words


def sioload(s, work, secs, scpu, ccpu):
    return (
        [SIOLOAD]
        + args_of(work)
        + [
            "--port",
            str(s.port),
            "--pid",
            str(s.p.pid),
            "--srv-cpu",
            str(scpu),
            "--cli-cpu",
            str(ccpu),
            "--secs",
            str(secs),
            "--warmup",
            "1",
        ]
    )


def switches(d):
    return sum(d.get(f"srv_{x}_ctxsw_per_k", 0) for x in ("vol", "invol")) / 1000


def last_json(text):
    v = [x for x in text.splitlines() if x.startswith("{")]
    return json.loads(v[-1]) if v else {}


def report(data, sort):
    """(percent, name) of each line of a perf report."""
    r = subprocess.run(
        ["perf", "report", "-i", data, "--no-children", "--sort", sort, "--stdio", "-q"],
        capture_output=True,
        text=True,
    )
    out = []
    for line in r.stdout.splitlines():
        m = re.match(r"\s*([\d.]+)%\s+(.*?)\s*(?:-\s+-)?\s*$", line)
        if m:
            out.append((float(m.group(1)), m.group(2).strip()))
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("peers", nargs="+")
    ap.add_argument("--scenarios", default="echo16k1,echo16,bcast1k")
    ap.add_argument("--secs", type=float, default=2)
    ap.add_argument("--server-cpu", type=int, default=1)
    ap.add_argument("--client-cpu", type=int, default=0)
    ap.add_argument("--top", type=int, default=14)
    a = ap.parse_args()
    raise_nofile()
    known = json.load(open(os.path.join(HERE, "peers.json")))
    tmp = os.path.join(BUILD, "profile")
    os.makedirs(tmp, exist_ok=True)
    for work in a.scenarios.split(","):
        print(f"### {work}: {' '.join(args_of(work))}\n")
        print(
            "| peer | CPU us per unit | of it user | of it kernel | ctx switches per unit"
            " | syscalls per unit | which |"
        )
        print("|---|---|---|---|---|---|---|")
        tops = []
        for x in a.peers:
            name, peer = (
                (x.split("=", 1)[0], {"cmd": x.split("=", 1)[1]}) if "=" in x else (x, known[x])
            )
            with Server(name, peer, a.server_cpu, {}) as s:
                # A clean run for cost, one under perf stat for the calls, one under perf record.
                clean = last_json(
                    subprocess.run(
                        sioload(s, work, a.secs, a.server_cpu, a.client_cpu),
                        capture_output=True,
                        text=True,
                    ).stdout
                )
                st = os.path.join(tmp, "stat")
                r = subprocess.run(
                    [
                        "perf",
                        "stat",
                        "-x;",
                        "-o",
                        st,
                        "-e",
                        "syscalls:sys_enter_*",
                        "-p",
                        str(s.p.pid),
                        "--",
                    ]
                    + sioload(s, work, a.secs, a.server_cpu, a.client_cpu),
                    capture_output=True,
                    text=True,
                )
                d = last_json(r.stdout)
                calls = {}
                for line in open(st):
                    f = line.split(";")
                    if (
                        len(f) > 2
                        and f[2].startswith("syscalls:sys_enter_")
                        and f[0].isdigit()
                        and int(f[0])
                    ):
                        calls[f[2][len("syscalls:sys_enter_") :]] = int(f[0])
                units = max(1, d.get("recv", 0))
                data = os.path.join(tmp, f"{name}-{work}.data")
                subprocess.run(
                    [
                        "perf",
                        "record",
                        "-q",
                        "-e",
                        "cpu-clock",
                        "-F",
                        "1999",
                        "-p",
                        str(s.p.pid),
                        "-o",
                        data,
                        "--",
                    ]
                    + sioload(s, work, a.secs, a.server_cpu, a.client_cpu),
                    capture_output=True,
                    text=True,
                )
            dso = report(data, "dso")
            kern = sum(p for p, n in dso if "kernel" in n)
            rate = sorted(((v / units, k) for k, v in calls.items()), reverse=True)
            cpu = clean.get("srv_cpu_s_per_M") or 0
            print(
                f"| {name} | {cpu:.2f} | {100 - kern:.0f} % | {kern:.0f} % | "
                f"{switches(clean):.3f} | "
                f"{sum(v for v, _ in rate):.3f} | "
                + ", ".join(f"{k} {v:.3f}" for v, k in rate if v > 0.004)
                + " |",
                flush=True,
            )
            tops.append((name, dso[:6], report(data, "symbol")[: a.top]))
        print()
        for name, dso, sym in tops:
            print(f"- **{name}** by object: " + ", ".join(f"{n} {p:.0f} %" for p, n in dso))
            print("  - " + "; ".join(f"`{n}` {p:.1f} %" for p, n in sym))
        print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
