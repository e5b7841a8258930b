"""The markdown tables."""

from figures import FIGURES, drawn
from scenarios import SCEN, is_client


def num(x, d=0):
    if x is None:
        return "-"
    if d == 0 and abs(x) >= 1000:
        return f"{x:,.0f}".replace(",", " ")
    return f"{x:.{d}f}"


class Table:
    def __init__(self, results, verdicts=()):
        self.r = results
        self.goals = {(v.scenario, v.peer): [] for v in verdicts}
        for v in verdicts:
            self.goals[v.scenario, v.peer].append(v)

    def cells(self, sc, peer):
        """The median of a key, divided and rounded, as a function of the key."""

        def cell(key, digits=0, divisor=1):
            x = self.r.get(sc, peer, key)
            return num(x if x is None else x / divisor, digits)

        return cell

    def times(self, sc, p, key):
        """The column of ratios of a figure."""
        base = self.r.base(sc)
        return f"x {base}", num(self.r.ratio(sc, p, key, base), 2)

    def steady(self, sc, p, key, digits=2):
        """The figure itself, with how steady it is and its ratio."""
        value = num(self.r.get(sc, p, key), digits)
        return [
            (f"{FIGURES[key].title}, {FIGURES[key].unit}", value + self.r.mark(sc, p)),
            self.times(sc, p, key),
            ("best", num(self.r.best(sc, p, key), digits)),
            ("spread %", num(self.r.spread(sc, p, key))),
        ]

    # The columns of each kind of scenario, as (head, cell).

    def idle(self, sc, p):
        g = self.cells(sc, p)
        return [
            *self.steady(sc, p, "rss_per_conn_b", 0),
            ("after the burst, B", g("rss_per_conn_burst_b")),
            self.times(sc, p, "rss_per_conn_burst_b"),
            ("at the peak of the burst, MB", g("rss_burst_peak_kb", 1, 1024)),
            ("after all left, B", g("rss_per_conn_closed_b")),
            ("kernel TCP mem per conn, B", g("tcp_mem_per_conn_b")),
            ("RSS before, MB", g("rss_before_kb", 1, 1024)),
            ("with all open, MB", g("rss_open_kb", 1, 1024)),
            ("CPU µs per ping", g("heartbeat_cpu_us_per_ping", 1)),
            self.times(sc, p, "heartbeat_cpu_us_per_ping"),
            ("heartbeat CPU %", g("heartbeat_cpu_pct", 2)),
            ("pings", g("pings")),
            ("pings due", g("pings_expected")),
        ]

    def idle_polling(self, sc, p):
        g = self.cells(sc, p)
        return [
            *self.steady(sc, p, "rss_between_b", 0),
            ("poll open, B", g("rss_open_poll_b")),
            self.times(sc, p, "rss_open_poll_b"),
            ("between polls, no connection, B", g("rss_no_connection_b")),
            self.times(sc, p, "rss_no_connection_b"),
            ("after all left, B", g("rss_per_conn_closed_b")),
        ]

    def connect(self, sc, p):
        g = self.cells(sc, p)
        down = self.r.first(sc, p, "rss_down_kb")
        return [
            ("connects/s", g("connects_s")),
            *self.steady(sc, p, "srv_cpu_ms_per_1000", 1),
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
            ("bound", self.r.first(sc, p, "bound")),
            ("foreign %", g("foreign_cpu_pct")),
        ]

    def slow(self, sc, p):
        g = self.cells(sc, p)
        before, drained = (self.r.get(sc, p, k) for k in ("rss_before_kb", "rss_drained_kb"))
        left = None if before is None or drained is None else (drained - before) / 1024
        return [
            ("RSS growth, MB", g("growth_mb", 1)),
            ("growth per byte owed", g("growth_per_slow_byte", 2)),
            ("what became of the slow reader", self.r.first(sc, p, "slow_fate")),
            ("missing messages", g("slow_missing")),
            ("others p50 ms before", g("others_p50_before_us", 2, 1000)),
            ("others p50 ms with it", g("others_p50_us", 2, 1000)),
            ("others p99 ms before", g("others_p99_before_us", 2, 1000)),
            ("others p99 ms with it", g("others_p99_us", 2, 1000)),
            ("RSS after it caught up, MB above start", num(left, 1)),
        ]

    def load(self, sc, p):
        """How the server was loaded, and who else ran."""
        g = self.cells(sc, p)
        out = [
            ("switches per 1000: voluntary", g("srv_vol_ctxsw_per_k", 1)),
            ("not", g("srv_invol_ctxsw_per_k", 1)),
        ]
        if any("srv_futex_per_k" in d for x in self.r.names for d in self.r.good(sc, x)):
            out.append(("futex per 1000", g("srv_futex_per_k", 1)))
        return out + [
            ("srv CPU %", g("srv_cpu_pct")),
            ("cli/srv CPU", g("cli_over_srv_cpu", 2)),
            ("bound", self.r.first(sc, p, "bound")),
            ("foreign %", g("foreign_cpu_pct")),
        ]

    def messages(self, sc, p, what="msgs"):
        g = self.cells(sc, p)
        moved, recv = self.r.get(sc, p, "reordered"), self.r.get(sc, p, "recv")
        return [
            *self.steady(sc, p, "srv_cpu_s_per_M"),
            (f"{what}/s seen", g("msgs_s")),
            (f"{what}/s per core", g("per_core_s")),
            ("p50 ms", g("p50_us", 2, 1000)),
            ("p99 ms", g("p99_us", 2, 1000)),
            ("p99.9 ms", g("p999_us", 2, 1000)),
            ("RSS peak MB", g("srv_rss_peak_kb", 1, 1024)),
            ("reordered %", num(moved * 100 / recv, 1) if moved is not None and recv else "-"),
            *self.load(sc, p),
        ]

    def deliveries(self, sc, p):
        return self.messages(sc, p, "deliveries")

    def latency(self, sc, p):
        g = self.cells(sc, p)
        return [
            *self.steady(sc, p, "p99_us", 0),
            ("p50 µs", g("p50_us")),
            ("p99.9 µs", g("p999_us")),
            ("msgs/s asked", g("rate")),
            ("msgs/s seen", g("msgs_s")),
            ("sioload late, p99 µs", g("late_p99_us")),
            ("CPU µs per msg", g("srv_cpu_s_per_M", 2)),
            *self.load(sc, p),
        ]

    def joins(self, sc, p):
        g = self.cells(sc, p)
        return [
            *self.steady(sc, p, "join_p99_us", 0),
            ("join p50 µs", g("join_p50_us")),
            ("leave p50 µs", g("leave_p50_us")),
            ("leave p99 µs", g("leave_p99_us")),
            ("joins and leaves", num(sum(self.r.get(sc, p, k) or 0 for k in ("joins", "leaves")))),
            ("a broadcast to its last, p50 ms", g("last_p50_us", 1, 1000)),
            ("CPU µs per delivery", g("srv_cpu_s_per_M", 2)),
            *self.load(sc, p),
        ]

    def client_idle(self, sc, p):
        g = self.cells(sc, p)
        return [
            *self.steady(sc, p, "rss_per_conn_b", 0),
            ("after heartbeats, B", g("rss_per_conn_end_b")),
            ("RSS before the first, MB", g("rss_start_kb", 1, 1024)),
            ("with one, MB", g("rss_before_kb", 1, 1024)),
            ("with all, MB", g("rss_open_kb", 1, 1024)),
            ("after closing, MB", g("rss_closed_kb", 1, 1024)),
            ("CPU µs per ping", g("heartbeat_cpu_us", 1)),
            ("connecting: CPU ms per 1000", g("connect_cpu_ms_per_1000", 1)),
            ("connects/s", g("connects_s")),
            ("foreign %", g("foreign_cpu_pct")),
        ]

    def client_messages(self, sc, p):
        g = self.cells(sc, p)
        return [
            *self.steady(sc, p, "cli_cpu_s_per_M"),
            ("of it user %", g("user_pct")),
            ("msgs/s per core", g("per_core_s")),
            ("msgs/s seen", g("msgs_s")),
            ("messages checked", g("received")),
            ("RSS under load, MB", g("rss_end_kb", 1, 1024)),
            ("cli CPU %", g("cli_cpu_pct")),
            ("srv CPU %", g("srv_cpu_pct")),
            ("foreign %", g("foreign_cpu_pct")),
        ]

    def goal(self, sc, p):
        return "; ".join(f"{v.limit}: {v.verdict}" for v in self.goals.get((sc, p), [])) or "-"

    def scenario(self, sc, title):
        columns = getattr(self, SCEN[sc].kind.replace("-", "_"))
        out = [f"### {sc}: {title}", ""]
        for p in self.r.names:
            if (sc, p) not in self.r.rows:
                continue
            cells = [("peer", p), *columns(sc, p)]
            if self.goals:
                cells.append(("goal", self.goal(sc, p)))
            cells.append(("ok", self.r.refused(sc, p) or "yes"))
            if len(out) == 2:
                out.append("| " + " | ".join(head for head, _ in cells) + " |")
                out.append("|" + "---|" * len(cells))
            out.append("| " + " | ".join(cell for _, cell in cells) + " |")
        return "\n".join(out) + "\n"

    def summary_cell(self, sc, p, key):
        base = self.r.base(sc)
        if (sc, p) not in self.r.rows:
            return "-"
        if self.r.refused(sc, p):
            return "refused"
        if key == "growth_mb":  # a multiple of next to nothing says nothing
            return num(self.r.get(sc, p, key)) + " MB"
        ratio = num(self.r.ratio(sc, p, key, base), 2)
        a, b = self.r.best(sc, p, key), self.r.best(sc, base, key)
        return f"{ratio} ({num(a / b, 2) if a and b else '-'}){self.r.mark(sc, p)}"

    def summary(self, scens, side):
        """What peers are compared by, scenario by scenario."""
        peers = [p for p in self.r.names if is_client(p) == side]
        out = [
            "### Multiples of the baseline, lower is better: median of the pairs measured in the same"
            " round (lowest of all rounds against lowest of all rounds)",
            "",
            "| scenario | figure | baseline | " + " | ".join(peers) + " |",
            "|" + "---|" * (len(peers) + 3),
        ]
        for sc, key in [(sc, key) for sc in scens for key in drawn(sc)]:
            figure, base = FIGURES[key], self.r.base(sc)
            value = num(self.r.get(sc, base, key), figure.digits)
            cells = [sc, figure.title, f"{base}: {value} {figure.unit}"]
            cells += [self.summary_cell(sc, p, key) for p in peers]
            out.append("| " + " | ".join(cells) + " |")
        out += [
            "",
            "† sioload was at its limit in a round: trust the cost, not rates and latencies."
            " ‡ the server did not keep up with the open loop, or the joins. refused: something was lost or wrong in"
            " a round, so there is no figure.",
            "",
        ]
        return "\n".join(out)
