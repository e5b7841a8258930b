"""The figures: what they are called, their units, and what may be said of several rounds.

Nothing here says anything of a peer that lost a message in any round of a scenario: it has no figures
in that scenario.
"""

import statistics
from typing import NamedTuple

from scenarios import SCEN, is_client


class Figure(NamedTuple):
    title: str
    unit: str
    digits: int = 2


FIGURES = {
    "srv_cpu_s_per_M": Figure("server CPU per message", "µs"),
    "cli_cpu_s_per_M": Figure("client CPU per message", "µs"),
    "srv_cpu_ms_per_1000": Figure("server CPU for 1000 connections", "ms", 1),
    "rss_per_conn_b": Figure("memory per idle connection", "B", 0),
    "rss_per_conn_burst_b": Figure("memory per connection after a burst", "B", 0),
    "heartbeat_cpu_us_per_ping": Figure("server CPU per ping", "µs", 1),
    "rss_open_poll_b": Figure("memory per client, poll open", "B", 0),
    "rss_between_b": Figure("memory per client between polls", "B", 0),
    "rss_no_connection_b": Figure("memory per client between polls, no connection", "B", 0),
    "p99_us": Figure("99th percentile of the latency", "µs", 0),
    "join_p99_us": Figure("99th percentile of joining", "µs", 0),
    "leave_p99_us": Figure("99th percentile of leaving", "µs", 0),
    "growth_mb": Figure("memory grown", "MB", 1),
}

# By kind of scenario: what peers are compared by, and what else is drawn.
DRAWN = {
    "messages": ["srv_cpu_s_per_M"],
    "deliveries": ["srv_cpu_s_per_M"],
    "latency": ["p99_us"],
    "joins": ["join_p99_us", "leave_p99_us"],
    "connect": ["srv_cpu_ms_per_1000"],
    "idle": ["rss_per_conn_b", "rss_per_conn_burst_b", "heartbeat_cpu_us_per_ping"],
    "idle-polling": ["rss_between_b", "rss_open_poll_b", "rss_no_connection_b"],
    "slow": ["growth_mb"],
    "client-idle": ["rss_per_conn_b"],
    "client-messages": ["cli_cpu_s_per_M"],
}
FLOORS = {False: ["floor-tokio", "floor-epoll"], True: ["client-floor"]}
# With several cores for the server, the floor that uses them comes first.
FLOORS_MT = {False: ["floor-tokio-mt", "floor-tokio", "floor-epoll"], True: ["client-floor"]}


def drawn(sc):
    return DRAWN[SCEN[sc].kind]


def cost_key(sc):
    """The figure of a scenario that peers are compared by."""
    return drawn(sc)[0]


def refusal(d):
    """Why a run has no figures; empty if it has."""
    if not d.get("ok"):
        return d.get("error_text") or "not ok"
    if d.get("errors"):
        return f"{d['errors']} errors"
    # What was sent must have come back: `recv` counts what was checked byte for byte.
    got = d.get("received" if "received" in d else "recv")
    if d.get("sent") != got:
        return f"{d.get('sent')} sent, {got} received"
    return ""


def med(v):
    v = [x for x in v if x is not None]
    return statistics.median(v) if v else None


class Results:
    """The runs: {(scenario, peer): [one for each round]}."""

    def __init__(self, rows, names, contracts, asked=(), several_cores=False):
        self.rows, self.names, self.contracts = rows, names, contracts
        self.asked = list(asked)  # baselines
        self.floors = FLOORS_MT if several_cores else FLOORS

    def serves(self, sc, peer):
        """Whether the peer is of the scenario's side, and has its transport."""
        known = self.contracts.get(peer, {})
        return is_client(sc) == is_client(peer) and known.get(SCEN[sc].transport) != "connect"

    def floor(self, sc):
        """The floor of a scenario, if one was run."""
        known = [x for x in self.floors[is_client(sc)] if x in self.names]
        return next((x for x in known if self.serves(sc, x)), None)

    def base(self, sc):
        """The peer that ratios refer to in a scenario."""
        able = [x for x in self.names if self.serves(sc, x)]
        named = [x for x in self.asked if x in able]
        return (named or [self.floor(sc)])[0] or (able or [None])[0]

    def refused(self, sc, peer):
        """Why there are no figures of a peer that was run; None if there are, or it was not run."""
        v = self.rows.get((sc, peer), [])
        why = [x for x in map(refusal, v) if x]
        return f"{len(why)}/{len(v)} failed: {why[0][:80]}" if why else None

    def good(self, sc, peer):
        return [] if self.refused(sc, peer) else self.rows.get((sc, peer), [])

    def get(self, sc, peer, key):
        return med([d.get(key) for d in self.good(sc, peer)])

    def first(self, sc, peer, key):
        d = self.good(sc, peer)
        return d[0].get(key, "-") if d else "-"

    def values(self, sc, peer, key):
        return [d[key] for d in self.good(sc, peer) if d.get(key) is not None]

    def best(self, sc, peer, key):
        """Lowest over the rounds: what others do on the host can only add to a cost."""
        return min((x for x in self.values(sc, peer, key) if x > 0), default=None)

    def spread(self, sc, peer, key):
        v = self.values(sc, peer, key)
        middle = statistics.median(v) if len(v) > 1 else 0
        return (max(v) - min(v)) / middle * 100 if middle > 0 else None

    def ratio(self, sc, peer, key, other, other_key=None):
        """Median over the rounds of a peer's figure to another's, measured next to each other."""
        pairs = zip(self.good(sc, peer), self.good(sc, other))
        pairs = [(x.get(key), y.get(other_key or key)) for x, y in pairs]
        return med([x / y for x, y in pairs if x is not None and y is not None and x > 0 and y > 0])

    def mark(self, sc, peer):
        """`†`: sioload was at its limit in a round. `‡`: the server did not keep up."""
        out = ""
        for d in self.good(sc, peer):
            paced = (d.get("rate") or 0) > 0
            late = paced and (d.get("late_p99_us") or 0) > 0.25 * (d.get("p99_us") or 0)
            if d.get("bound") in ("client", "both") or late:
                out = "†"
            if d.get("stalls"):  # of joins: all who could join were still waiting
                return "‡"
            if paced and (d.get("schedule_stalls") or d["msgs_s"] < 0.95 * d["rate"]):
                return "‡"
        return out
