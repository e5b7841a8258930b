"""The scenarios, and how large each of them is in each mode."""

# id: (what, sioload arguments, server environment, transport needed, groups)
# {s} and {w} are the measured seconds and the warm-up.
T = "--secs {s} --warmup {w}"
SCEN = {
    "echo16": (
        "echo, 16 B text, 100 connections x 8 in flight",
        f"echo --conns 100 --inflight 8 --size 16 {T}",
        {},
        "ws",
        "smoke quick full",
    ),
    "echo16k1": (
        "echo, 16 B text, 200 connections x 1 in flight",
        f"echo --conns 200 --inflight 1 --size 16 {T}",
        {},
        "ws",
        "quick full",
    ),
    "echo16split": (
        "echo, 16 B text, 100 x 8, each message in a send of its own as JavaScript clients do",
        f"echo --conns 100 --inflight 8 --size 16 --split 1 {T}",
        {},
        "ws",
        "full",
    ),
    "echo1k": (
        "echo, 1 KiB text, 100 x 8",
        f"echo --conns 100 --inflight 8 --size 1024 {T}",
        {},
        "ws",
        "quick full",
    ),
    "echo16k": (
        "echo, 16 KiB text, 50 x 4",
        f"echo --conns 50 --inflight 4 --size 16384 {T}",
        {},
        "ws",
        "quick full",
    ),
    "echojson": (
        "echo, 1 KiB of JSON objects, 100 x 8",
        f"echo --conns 100 --inflight 8 --size 1024 --kind json {T}",
        {},
        "ws",
        "full",
    ),
    "echobin": (
        "echo, 1 KiB binary attachment, 100 x 8",
        f"echo --conns 100 --inflight 8 --size 1024 --kind bin {T}",
        {},
        "ws",
        "full",
    ),
    "echorate": (
        "echo at a fixed 2000 msgs/s (open loop), 16 B, 100 connections: latency unsaturated",
        f"echo --conns 100 --size 16 --rate 2000 {T}",
        {},
        "ws",
        "full",
    ),
    "ack16": (
        "ack, 16 B text, 100 x 8",
        f"ack --conns 100 --inflight 8 --size 16 {T}",
        {},
        "ws",
        "quick full",
    ),
    "ack1k": (
        "ack, 1 KiB text, 100 x 8",
        f"ack --conns 100 --inflight 8 --size 1024 {T}",
        {},
        "ws",
        "full",
    ),
    "ackbin": (
        "ack, 1 KiB binary attachment, 100 x 8",
        f"ack --conns 100 --inflight 8 --size 1024 --kind bin {T}",
        {},
        "ws",
        "full",
    ),
    "bcast1k": (
        "broadcast, 64 B to 1000 connections, 4 broadcasts in flight (latency: last receiver)",
        f"broadcast --conns 1000 --inflight 4 --size 64 {T}",
        {},
        "ws",
        "smoke quick full",
    ),
    "bcast1kw1": (
        "broadcast, 64 B to 1000 connections, 1 in flight: nothing to coalesce",
        f"broadcast --conns 1000 --inflight 1 --size 64 {T}",
        {},
        "ws",
        "quick full",
    ),
    "bcast5k": (
        "broadcast, 64 B to 5000 connections, 4 in flight",
        f"broadcast --conns 5000 --inflight 4 --size 64 {T}",
        {},
        "ws",
        "full",
    ),
    "rooms": (
        "rooms, 1000 connections in 1..5 of 100 rooms, 32 room messages of 64 B in flight",
        f"rooms --conns 1000 --rooms 100 --inflight 32 --size 64 {T}",
        {},
        "ws",
        "quick full",
    ),
    "polling": (
        "long-polling echo, 16 B, 50 clients x 8",
        f"echo --mode polling --conns 50 --inflight 8 --size 16 {T}",
        {},
        "polling",
        "quick full",
    ),
    "connect": (
        "connect, WebSocket only, {n} per round, 64 at once",
        "connect --conns {n} --rounds {r} --settle-ms {settle}",
        {},
        "ws",
        "smoke quick full",
    ),
    "upgrade": (
        "connect, polling then upgrade, {m} per round, 64 at once",
        "connect --mode upgrade --conns {m} --rounds {r} --settle-ms {settle}",
        {},
        "upgrade",
        "quick full",
    ),
    "idle": (
        "idle, {i} connections, pingInterval {p} ms, heartbeats over {h} s",
        "idle --conns {i} --conc 128 --secs {h}",
        {"PING_INTERVAL": "{p}", "PING_TIMEOUT": "60000"},
        "ws",
        "quick full",
    ),
    "idle19k": (
        "idle, 19500 connections (fd limit 20000), pingInterval 5000 ms, heartbeats over 30 s",
        "idle --conns 19500 --conc 128 --secs 30",
        {"PING_INTERVAL": "5000", "PING_TIMEOUT": "60000"},
        "ws",
        "full",
    ),
    "slow": (
        "one of 21 receivers does not read while {mb} MiB are broadcast (16 KiB messages)",
        "slow --conns 20 --slow 1 --size 16384 --total-mb {mb}",
        {},
        "ws",
        "quick full",
    ),
}
# The other side: what a client costs. {c} connections of one process, {b} seconds of heartbeats,
# one for each second.
C = "--conns {c} --secs {s} --warmup {w} --settle-ms {settle}"
CLIENT_SCEN = {
    "client-idle": (
        "{c} connections of one process, idle, pingInterval 1000 ms, heartbeats over {b} s",
        "--conns {c} --inflight 0 --secs {b} --settle-ms 1000",
        {"PING_INTERVAL": "1000", "PING_TIMEOUT": "60000"},
        None,
        "smoke quick full",
    ),
    "client-echo16": (
        "echo, 16 B text, {c} connections of one process x 8 in flight",
        f"--inflight 8 --size 16 {C}",
        {},
        None,
        "smoke quick full",
    ),
    "client-echo16k1": (
        "echo, 16 B text, {c} connections of one process x 1 in flight",
        f"--inflight 1 --size 16 {C}",
        {},
        None,
        "quick full",
    ),
    "client-echo1k": (
        "echo, 1 KiB text, {c} connections of one process x 8 in flight",
        f"--inflight 8 --size 1024 {C}",
        {},
        None,
        "full",
    ),
}
SCEN |= CLIENT_SCEN


def is_client(name):
    """Whether a scenario, or a peer, is of the client's side."""
    return name.startswith("client-")


SIZES = {
    "smoke": dict(
        s=0.6, w=0.2, n=300, m=200, r=2, settle=300, i=500, p=1000, h=2, mb=4, c=100, b=2, rounds=1
    ),
    "quick": dict(
        s=1.0, w=0.8, n=800, m=400, r=3, settle=300, i=10000, p=5000, h=6, mb=16, c=1000, b=5,
        rounds=2,
    ),  # fmt: skip
    "full": dict(
        s=4, w=1.5, n=2000, m=1000, r=5, settle=1000, i=10000, p=5000, h=30, mb=64, c=1000, b=10,
        rounds=5,
    ),  # fmt: skip
}
PER_RUN = {"smoke": 1.8, "quick": 3.6, "full": 9.0}
EXTRA = {
    "idle": {"quick": 8, "full": 45},
    "idle19k": {"full": 60},
    "slow": {"quick": 4, "full": 12},
    "connect": {"quick": 2, "full": 8},
    "upgrade": {"quick": 2, "full": 8},
    "client-idle": {"smoke": 2, "quick": 7, "full": 6},
}
