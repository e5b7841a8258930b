"""The client's side: runs a client against a server, and refuses its figures if anything was lost."""

import ctypes
import json
import os
import subprocess
import threading
import time


def small_pages():
    """In the process to be: no 2 MB pages, a few of which would hide what many
    connections take."""
    ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE


def cpu_ns(pid):
    """CPU time of the threads of a process so far."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
                total += int(f.read().split()[0])
    except (OSError, IndexError):
        pass  # the thread, or the process, has just ended
    return total


def busy_s(cpus):
    """Seconds that these CPUs were in use so far, by whomever."""
    total = 0
    with open("/proc/stat") as f:
        for line in f:
            name, *v = line.split()
            if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in cpus:
                total += sum(int(v[i]) for i in (0, 1, 2, 5, 6, 7)) / 100
    return total


class Samples(threading.Thread):
    """Who used the CPUs, ten times a second, while a client runs."""

    def __init__(self, client, server, cpus):
        super().__init__(daemon=True)
        self.client, self.server, self.cpus = client, server, cpus
        self.taken = []
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            self.taken.append(
                (time.time(), cpu_ns(self.client), cpu_ns(self.server), busy_s(self.cpus))
            )

    def within(self, begin, end):
        """Percent of a CPU that the client, the server and others had in this time."""
        v = [x for x in self.taken if begin <= x[0] <= end]
        if len(v) < 2:
            return None
        wall = v[-1][0] - v[0][0]
        client, server = ((v[-1][i] - v[0][i]) / 1e7 / wall for i in (1, 2))
        return client, server, max(0, (v[-1][3] - v[0][3]) * 100 / wall - client - server)


def refusal(d, conns, code):
    """Why the figures of a run are not to be had; empty if they are."""
    if d.get("error_text"):
        return d["error_text"]
    if d.get("opened") != conns:
        return f"{d.get('opened')} of {conns} connections opened"
    if d.get("lost") != 0 or d.get("errors") != 0 or d.get("sent") != d.get("received"):
        return "messages lost"
    # Each connection has echoed a message before and after, and the first one twice before.
    if d.get("sent", 0) < 2 * conns + 1 or "window_from" not in d or d.get("echoed") == 0:
        return "not all of it was done"
    return "" if d.get("ok") is True and code == 0 else f"exit {code}"


def run_client(name, scenario, peer, args, server, env, a, timeout=120):
    """One run: what the client printed, and who used the CPUs meanwhile."""
    d = {"label": name, "scenario": scenario, "ok": False}
    cmd = ["bash", "-c", f"exec {peer['cmd']} {args} --port {server.port}"]
    if a.pin:
        cmd = ["taskset", "-c", str(a.client_cpu)] + cmd
    p = subprocess.Popen(
        cmd, cwd=env.pop("HERE"), env=dict(os.environ, **env), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=small_pages if scenario == "client-idle" else None,
    )  # fmt: skip
    cpus = {int(x) for x in f"{a.server_cpu},{a.client_cpu}".split(",")}
    samples = Samples(p.pid, server.p.pid, cpus)
    samples.start()
    try:
        out, err = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
        return d | {"error_text": "timeout"}
    finally:
        samples.over.set()
    lines = [x for x in out.splitlines() if x.startswith("{")]
    if not lines:
        return d | {"error_text": err.strip()[-300:] or f"exit {p.returncode}"}
    printed = json.loads(lines[-1])
    words = args.split()
    conns = int(words[words.index("--conns") + 1])
    why = refusal(printed, conns, p.returncode)
    if not server.alive():
        why += "server died"
    d |= printed | {"ok": not why, "error_text": why}
    return d | derived(d, samples, int(env.get("PING_INTERVAL", 0)) / 1000)


def derived(d, samples, ping_interval):
    """What follows from it."""
    begin, wall = d.get("window_from"), d.get("wall_s")
    out = {}
    if wall and ping_interval:
        end, before = d["rss_end_kb"], d["rss_before_kb"]
        out["rss_per_conn_end_b"] = (end - before) * 1024 / (d["conns"] - 1)
        out["heartbeat_cpu_us"] = d["cli_cpu_s"] * 1e6 / (d["conns"] * wall / ping_interval)
    if d.get("echoed") and d.get("cli_cpu_s"):
        out["per_core_s"] = d["echoed"] / d["cli_cpu_s"]
        ticks = d["cli_user_s"] + d["cli_sys_s"]
        out["user_pct"] = d["cli_user_s"] / ticks * 100 if ticks else None
    shares = samples.within(begin, begin + wall) if wall else None
    if shares:
        out["cli_cpu_pct"], out["srv_cpu_pct"], out["foreign_cpu_pct"] = shares
    return out
