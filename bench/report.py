"""The tables and the plots of a run."""

import os
import subprocess
import time

import goals
import plot
from scenarios import SCEN, is_client
from server import HERE
from table import Table

DOCS = os.path.join(HERE, "..", "docs", "bench")
TRANSPORTS = ("ws", "polling", "upgrade")


def contract(d):
    if "against" in d:
        return f"against {d['against']}"
    return ", ".join(f"{m} {d.get(m)}" for m in TRANSPORTS)


def machine():
    """What the figures hold for."""

    def first_line(*cmd):
        try:
            r = subprocess.run(cmd, cwd=HERE, capture_output=True, text=True)
            return r.stdout.split("\n")[0]
        except OSError:
            return ""

    with open("/proc/cpuinfo") as f:
        models = [x.split(": ", 1)[1] for x in f.read().split("\n") if x[:10] == "model name"]
    commit = first_line("git", "describe", "--always", "--dirty")
    rust = first_line("rustc", "--version")
    return f"{os.cpu_count()} CPUs, {models[0] if models else os.uname().machine}; Linux {os.uname().release}; {rust}; commit {commit}"


def head(results, scens, peers, calib, began, a):
    cpus = (
        f"Server on CPU {a.server_cpu}, sioload or client on CPU {a.client_cpu}."
        if a.pin
        else "Not pinned."
    )
    bases = list(dict.fromkeys(filter(None, map(results.base, scens))))
    md = [
        f"Mode {a.mode}, {a.rounds} round(s), medians; ratios are medians of pairs taken in the"
        f" same round against {', '.join(bases)}. {cpus}"
        f" {time.strftime('%Y-%m-%d %H:%M')}, {(time.time() - began) / 60:.1f} min."
        f" Loopback send+recv in one thread, at the start of each round:"
        f" {min(calib, default=0):.0f} to {max(calib, default=0):.0f} ns. {machine()}.",
        "",
    ]
    for n in results.names:
        kept = contract(results.contracts[n])
        md.append(f"- **{n}**: {peers[n].get('about', '')}; contract: {kept}")
    return [*md, ""]


def write_results(results, scens, peers, calib, began, out, a):
    """The tables and the plots; returns the text of the tables."""

    def title(sc):
        return SCEN[sc].what.format(**a.size)

    goal = goals.read()
    verdicts = goals.verdicts(results, goal, scens)
    t = Table(results, verdicts)
    md = head(results, scens, peers, calib, began, a)
    if verdicts:
        md.append(goals.table(results, verdicts))
    for side in (False, True):
        own = [sc for sc in scens if is_client(sc) == side]
        if own:
            md.append(t.summary(own, side))
            md += [t.scenario(sc, title(sc)) for sc in own]
    text = "\n".join(md)
    with open(os.path.join(out, "table.md"), "w") as f:
        f.write(text)
    foot = f"{a.rounds} round(s), median and range, {time.strftime('%Y-%m-%d')}"
    limits = goals.limits(results, goal)
    plot.write(results, scens, title, foot, out, limits)
    if a.docs:
        plot.write(results, scens, title, foot, DOCS, limits, only_goals=True)
    return text
