"""The markdown tables."""

import statistics

from scenarios import is_client


def med(v):
    v = [x for x in v if x is not None]
    return statistics.median(v) if v else None


def num(x, d=0):
    if x is None:
        return "-"
    if d == 0 and abs(x) >= 1000:
        return f"{x:,.0f}".replace(",", " ")
    return f"{x:.{d}f}"


def cost_key(sc):
    """The figure of a scenario that peers are compared by."""
    if sc.startswith("idle") or sc == "client-idle":
        return "rss_per_conn_b"
    if is_client(sc):
        return "cli_cpu_s_per_M"
    return "growth_mb" if sc == "slow" else "srv_cpu_s_per_M"


class Table:
    def __init__(self, rows, base):
        self.rows = rows  # {(scenario, peer): [result per round]}
        self.base = base

    def good(self, sc, peer):
        return [d for d in self.rows.get((sc, peer), []) if d and d.get("ok")]

    def get(self, sc, peer, key):
        return med([d.get(key) for d in self.good(sc, peer)])

    def first(self, sc, peer, key):
        d = self.good(sc, peer)
        return d[0].get(key, "-") if d else "-"

    def ratio(self, sc, peer, key):
        """Median over rounds of peer/base, each pair measured next to each other in time."""
        a, b = self.rows.get((sc, peer), []), self.rows.get((sc, self.base), [])
        v = []
        for x, y in zip(a, b):
            if x and y and x.get("ok") and y.get("ok") and x.get(key) and y.get(key):
                v.append(x[key] / y[key])
        return med(v)

    def best(self, sc, peer, key):
        """Lowest over the rounds: what others do on the host can only add to a cost."""
        return min((d[key] for d in self.good(sc, peer) if d.get(key)), default=None)

    def spread(self, sc, peer, key):
        v = [d[key] for d in self.good(sc, peer) if d.get(key)]
        return (max(v) - min(v)) / statistics.median(v) * 100 if len(v) > 1 else None

    def ok(self, sc, peer):
        v = self.rows.get((sc, peer), [])
        bad = [d for d in v if d and not d.get("ok")]
        if not v:
            return "not run"
        if not bad:
            return "yes"
        return f"{len(bad)}/{len(v)} failed: " + (bad[0].get("error_text") or "?")[:80]

    def cells(self, sc, peer):
        """The median of a key, divided and rounded, as a function of the key."""

        def cell(key, digits=0, divisor=1):
            x = self.get(sc, peer, key)
            return num(x if x is None else x / divisor, digits)

        return cell

    # The columns of each kind of scenario, as (head, cell).

    def idle(self, sc, p):
        g = self.cells(sc, p)
        return [
            ("RSS per connection, B", g("rss_per_conn_b")),
            (f"x {self.base}", num(self.ratio(sc, p, "rss_per_conn_b"), 2)),
            ("kernel TCP mem per conn, B", g("tcp_mem_per_conn_b")),
            ("RSS before, MB", g("rss_before_kb", 1, 1024)),
            ("RSS with all open, MB", g("rss_open_kb", 1, 1024)),
            ("RSS after closing, MB", g("rss_closed_kb", 1, 1024)),
            ("heartbeat CPU %", g("heartbeat_cpu_pct", 2)),
            ("CPU us per ping", g("heartbeat_cpu_us_per_ping", 1)),
            ("pings", g("pings")),
            ("pings due", g("pings_expected")),
        ]

    def connect(self, sc, p):
        g = self.cells(sc, p)
        down = self.first(sc, p, "rss_down_kb")
        return [
            ("connects/s", g("connects_s")),
            ("CPU ms per 1000", g("srv_cpu_ms_per_1000", 1)),
            (f"cost x {self.base}", num(self.ratio(sc, p, "srv_cpu_ms_per_1000"), 2)),
            ("per core /s", g("per_core_s")),
            ("closing CPU ms per 1000", g("srv_close_cpu_ms_per_1000", 1)),
            ("p50 ms", g("p50_us", 1, 1000)),
            ("p99 ms", g("p99_us", 1, 1000)),
            (
                "RSS after each round, MB",
                down if down == "-" else " ".join(num(x / 1024) for x in down),
            ),
            ("leak B/conn", g("leak_bytes_per_conn")),
            ("fds left", g("fds_left")),
            ("srv CPU %", g("srv_cpu_pct")),
            ("cli/srv CPU", g("cli_over_srv_cpu", 2)),
            ("bound", self.first(sc, p, "bound")),
        ]

    def slow(self, sc, p):
        g = self.cells(sc, p)
        before, drained = self.get(sc, p, "rss_before_kb"), self.get(sc, p, "rss_drained_kb")
        left = None if before is None or drained is None else (drained - before) / 1024
        return [
            ("RSS growth, MB", g("growth_mb", 1)),
            ("growth per byte owed", g("growth_per_slow_byte", 2)),
            ("what became of the slow reader", self.first(sc, p, "slow_fate")),
            ("missing messages", g("slow_missing")),
            ("others p50 ms before", g("others_p50_before_us", 2, 1000)),
            ("others p50 ms with it", g("others_p50_us", 2, 1000)),
            ("others p99 ms with it", g("others_p99_us", 2, 1000)),
            ("RSS after it caught up, MB above start", num(left, 1)),
        ]

    def messages(self, sc, p):
        g = self.cells(sc, p)
        what = "deliveries" if sc.startswith("bcast") or sc == "rooms" else "msgs"
        moved, recv = self.get(sc, p, "reordered"), self.get(sc, p, "recv")
        return [
            (f"{what}/s seen", g("msgs_s")),
            (f"x {self.base}", num(self.ratio(sc, p, "msgs_s"), 2)),
            (f"CPU s per M {what}", g("srv_cpu_s_per_M", 2)),
            (f"cost x {self.base}", num(self.ratio(sc, p, "srv_cpu_s_per_M"), 2)),
            ("best", num(self.best(sc, p, "srv_cpu_s_per_M"), 2)),
            ("spread %", num(self.spread(sc, p, "srv_cpu_s_per_M"))),
            (f"{what}/s per core", g("per_core_s")),
            ("p50 ms", g("p50_us", 2, 1000)),
            ("p99 ms", g("p99_us", 2, 1000)),
            ("p99.9 ms", g("p999_us", 2, 1000)),
            ("RSS peak MB", g("srv_rss_peak_kb", 1, 1024)),
            ("reordered %", num(moved * 100 / recv, 1) if moved is not None and recv else "-"),
            ("srv CPU %", g("srv_cpu_pct")),
            ("cli/srv CPU", g("cli_over_srv_cpu", 2)),
            ("bound", self.first(sc, p, "bound")),
            ("foreign %", g("foreign_cpu_pct")),
        ]

    def client_idle(self, sc, p):
        g = self.cells(sc, p)
        return [
            ("RSS per connection, B", g("rss_per_conn_b")),
            (f"x {self.base}", num(self.ratio(sc, p, "rss_per_conn_b"), 2)),
            ("after heartbeats, B", g("rss_per_conn_end_b")),
            ("RSS before the first, MB", g("rss_start_kb", 1, 1024)),
            ("with one, MB", g("rss_before_kb", 1, 1024)),
            ("with all, MB", g("rss_open_kb", 1, 1024)),
            ("after closing, MB", g("rss_closed_kb", 1, 1024)),
            ("CPU us per ping", g("heartbeat_cpu_us", 1)),
            ("connecting: CPU ms per 1000", g("connect_cpu_ms_per_1000", 1)),
            ("connects/s", g("connects_s")),
            ("foreign %", g("foreign_cpu_pct")),
        ]

    def client_messages(self, sc, p):
        g = self.cells(sc, p)
        return [
            ("CPU us per message", g("cli_cpu_s_per_M", 2)),
            (f"cost x {self.base}", num(self.ratio(sc, p, "cli_cpu_s_per_M"), 2)),
            ("best", num(self.best(sc, p, "cli_cpu_s_per_M"), 2)),
            ("spread %", num(self.spread(sc, p, "cli_cpu_s_per_M"))),
            ("of it user %", g("user_pct")),
            ("msgs/s per core", g("per_core_s")),
            ("msgs/s seen", g("msgs_s")),
            ("messages checked", g("received")),
            ("RSS under load, MB", g("rss_end_kb", 1, 1024)),
            ("cli CPU %", g("cli_cpu_pct")),
            ("srv CPU %", g("srv_cpu_pct")),
            ("foreign %", g("foreign_cpu_pct")),
        ]

    def scenario(self, sc, peers, title):
        if sc == "client-idle":
            columns = self.client_idle
        elif is_client(sc):
            columns = self.client_messages
        elif sc.startswith("idle"):
            columns = self.idle
        elif sc in ("connect", "upgrade"):
            columns = self.connect
        elif sc == "slow":
            columns = self.slow
        else:
            columns = self.messages
        out = [f"### {sc}: {title}", ""]
        for p in peers:
            if (sc, p) not in self.rows:
                continue
            cells = [("peer", p), *columns(sc, p), ("ok", self.ok(sc, p))]
            if len(out) == 2:
                out.append("| " + " | ".join(head for head, _ in cells) + " |")
                out.append("|" + "---|" * len(cells))
            out.append("| " + " | ".join(cell for _, cell in cells) + " |")
        return "\n".join(out) + "\n"

    def summary(self, scens, peers):
        def pairs(sc, p):
            if sc == "slow":
                return num(self.get(sc, p, cost_key(sc))) + " MB"
            return num(self.ratio(sc, p, cost_key(sc)), 2)

        def bests(sc, p):
            a, b = self.best(sc, p, cost_key(sc)), self.best(sc, self.base, cost_key(sc))
            return num(a / b, 2) if a and b else "-"

        side = "Client" if any(map(is_client, scens)) else "Server"
        out = []
        for title, cell, cols in [
            ("median of the pairs measured in the same round", pairs, scens),
            (
                "lowest of all rounds against lowest of all rounds"
                " (steadier when the host is noisy)",
                bests,
                [sc for sc in scens if sc != "slow"],
            ),
        ]:
            out += [
                f"### {side} CPU per unit of work as a multiple of {self.base}, lower is better"
                f" (idle: memory per connection; slow: MB grown); {title}",
                "",
                "| peer | " + " | ".join(cols) + " |",
                "|" + "---|" * (len(cols) + 1),
            ]
            for p in peers:
                out.append(f"| {p} | " + " | ".join(cell(sc, p) for sc in cols) + " |")
            out.append("")
        return "\n".join(out)
