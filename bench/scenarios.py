"""The scenarios, and how large each of them is in each mode."""

from typing import NamedTuple


class Scenario(NamedTuple):
    what: str
    kind: str  # which columns its table has; see table.py
    args: str  # of sioload, or of a client
    groups: str  # the modes in which it is run if none is named
    transport: str = "ws"  # that the server must have
    env: dict = {}  # of the server


# {s} and {w} are the measured seconds and the warm-up, {sj} the seconds of `joins`, which has few
# samples in one; {half}: see `half_load` in runner.py.
T = " --secs {s} --warmup {w}"
ALL, QUICK, FULL, SMOKE = "smoke quick full", "quick full", "full", "smoke full"


def echo(what, args, groups, verb="echo", **more):
    return Scenario(f"{verb}, {what}", "messages", f"{verb} {args}{T}", groups, **more)


def fan(what, args, groups, verb="broadcast"):
    return Scenario(f"{verb}, {what}", "deliveries", f"{verb} {args}{T}", groups)


SCEN = {
    "echo16": echo("16 B text, 100 connections x 8 in flight", "--conns 100 --inflight 8", ALL),
    "echo16k1": echo("16 B text, 200 x 1: nothing to gather", "--conns 200 --inflight 1", QUICK),
    "echo16w40": echo("16 B text, 100 x 40", "--conns 100 --inflight 40", FULL),
    "echo16split": echo(
        "16 B text, 100 x 8, each in a send of its own as JavaScript clients do",
        "--conns 100 --inflight 8 --split 1",
        FULL,
    ),
    "echo1k": echo("1 KiB text, 100 x 8", "--conns 100 --inflight 8 --size 1024", QUICK),
    "echo1kw1": echo("1 KiB text, 200 x 1", "--conns 200 --inflight 1 --size 1024", FULL),
    "echo1kw40": echo("1 KiB text, 100 x 40", "--conns 100 --inflight 40 --size 1024", FULL),
    "echo16k": echo("16 KiB text, 50 x 8", "--conns 50 --inflight 8 --size 16384", QUICK),
    "echo16kw1": echo("16 KiB text, 50 x 1", "--conns 50 --inflight 1 --size 16384", FULL),
    "echo16kw40": echo("16 KiB text, 50 x 40", "--conns 50 --inflight 40 --size 16384", FULL),
    # echobin16, echobin16w1, ... echobin (1 KiB), ... echobin16kw40
    **{
        f"echobin{name}{'' if inflight == 8 else f'w{inflight}'}": echo(
            f"{what} binary, {conns} x {inflight}",
            f"--conns {conns} --inflight {inflight} --size {size} --kind bin",
            FULL,
        )
        for name, what, size, conns in (
            ("16", "16 B", 16, 100),
            ("", "1 KiB", 1024, 100),
            ("16k", "16 KiB", 16384, 50),
        )
        for inflight in (8, 1, 40)
    },
    "echojson": echo(
        "1 KiB of JSON objects, relayed, 100 x 8",
        "--conns 100 --inflight 8 --size 1024 --kind json",
        FULL,
    ),
    "echovalue": echo(
        "1 KiB of JSON objects, decoded into a tree of values and encoded again, 100 x 8",
        "--conns 100 --inflight 8 --size 1024 --kind json --event echo-value",
        QUICK,
    ),
    "echotyped": echo(
        "a JSON object of five fields, decoded into a struct and encoded again, 100 x 8",
        "--conns 100 --inflight 8 --kind typed --event echo-typed",
        ALL,
    ),
    "echorate": echo(
        "16 B text at 2000 messages/s (open loop), 100 connections: latency when little happens",
        "--conns 100 --rate 2000",
        FULL,
    )._replace(kind="latency"),
    "echohalf": echo(
        "16 B text at {half} messages/s (open loop), half of what {half_of} carried with nothing to"
        " gather, 100 connections",
        "--conns 100 --rate {half}",
        SMOKE,
    )._replace(kind="latency"),
    "ack16": echo("16 B text, 100 x 8", "--conns 100 --inflight 8", QUICK, "ack"),
    "ack1k": echo("1 KiB text, 100 x 8", "--conns 100 --inflight 8 --size 1024", FULL, "ack"),
    "ackbin": echo(
        "1 KiB binary, 100 x 8", "--conns 100 --inflight 8 --size 1024 --kind bin", FULL, "ack"
    ),
    "bcast1k": fan("64 B to 1000 connections, 4 in flight", "--conns 1000 --inflight 4", ALL),
    "bcast1kw1": fan(
        "64 B to 1000 connections, one by one: nothing to coalesce",
        "--conns 1000 --inflight 1",
        FULL,
    ),
    # bcast1k-100, bcast1k-100x8, bcast1k-1k, ... bcast8k-1kx8
    **{
        f"bcast{people}-{name}{'x8' if burst else ''}": fan(
            f"{what} to {conns} connections, {'in bursts of 8' if burst else 'one by one'}",
            f"--conns {conns} --size {size} --inflight {8 if burst else 1} --burst {burst}",
            FULL,
        )
        for people, conns in (("1k", 1000), ("8k", 8000))
        for name, what, size in (("100", "100 B", 100), ("1k", "1 KiB", 1024))
        for burst in (0, 1)
    },
    "rooms": fan(
        "1000 connections in 1 to 5 of 100 rooms, 32 messages of 64 B in flight",
        "--conns 1000 --rooms 100 --inflight 32",
        QUICK,
        "rooms",
    ),
    "rooms1k": fan(
        "2000 connections in 1 to 5 of 1000 rooms, 32 messages of 64 B in flight",
        "--conns 2000 --rooms 1000 --inflight 32",
        FULL,
        "rooms",
    ),
    "joins": Scenario(
        "join and leave, 500 a second by 256 connections, while 100 B go to {k} others, one by one",
        "joins",
        "joins --conns {k} --joiners 256 --size 100 --conc 128"
        " --secs {sj} --warmup {w}",
        ALL,
    ),
    "polling": echo(
        "16 B text over long-polling, 50 clients x 8",
        "--mode polling --conns 50 --inflight 8",
        QUICK,
        transport="polling",
    ),
    "connect": Scenario(
        "connect, WebSocket only, {n} per round, 64 at once",
        "connect",
        "connect --conns {n} --rounds {r} --settle-ms {settle}",
        ALL,
    ),
    "upgrade": Scenario(
        "connect, polling then upgrade, {m} per round, 64 at once",
        "connect",
        "connect --mode upgrade --conns {m} --rounds {r} --settle-ms {settle}",
        FULL,
        "upgrade",
    ),
    **{
        name: Scenario(
            f"idle, {conns} connections, pingInterval {{p}} ms, heartbeats over {{h}} s, then 4"
            " broadcasts of 20 kB to all",
            "idle",
            f"idle --conns {conns} --conc 128 --secs {{h}} --burst 4 --settle-ms {{quiet}}",
            groups,
            env={"PING_INTERVAL": "{p}", "PING_TIMEOUT": "60000"},
        )
        for name, conns, groups in (
            ("idle1k", "1000", SMOKE),
            ("idle", "10000", QUICK),
            ("idle19k", "19500", FULL),
        )
    },
    "idlepoll": Scenario(
        "idle, {l} long-polling clients: during a poll, between two, and without a connection",
        "idle-polling",
        "idle-polling --conns {l} --conc 128 --settle-ms {quiet}",
        SMOKE,
        "polling",
        {"PING_INTERVAL": "120000", "PING_TIMEOUT": "60000"},
    ),
    "slow": Scenario(
        "one of 21 receivers does not read while {mb} MiB are broadcast (16 KiB messages)",
        "slow",
        "slow --conns 20 --slow 1 --size 16384 --total-mb {mb}",
        QUICK,
    ),
    "slow1k": Scenario(
        "one of 1001 receivers does not read while {mb1k} MiB are broadcast (4 KiB messages)",
        "slow",
        "slow --conns 1000 --slow 1 --size 4096 --total-mb {mb1k}",
        FULL,
    ),
}
# The other side: what a client costs. {c} connections of one process, {b} seconds of heartbeats,
# one for each second.
C = "--conns {c} --secs {s} --warmup {w} --settle-ms {settle}"


def client(what, args, groups):
    return Scenario(
        f"echo, {what} text, {{c}} connections of one process x {args[0]} in flight",
        "client-messages",
        f"--inflight {args[0]} --size {args[1]} {C}",
        groups,
        None,
    )


SCEN |= {
    "client-idle": Scenario(
        "{c} connections of one process, idle, pingInterval 1000 ms, heartbeats over {b} s",
        "client-idle",
        "--conns {c} --inflight 0 --secs {b} --settle-ms 1000",
        ALL,
        None,
        {"PING_INTERVAL": "1000", "PING_TIMEOUT": "60000"},
    ),
    "client-echo16": client("16 B", (8, 16), ALL),
    "client-echo16k1": client("16 B", (1, 16), QUICK),
    "client-echo1k": client("1 KiB", (8, 1024), FULL),
}


def is_client(name):
    """Whether a scenario, or a peer, is of the client's side."""
    return name.startswith("client-")


SIZES = {
    "smoke": dict(
        s=0.6, sj=0.6, w=0.2, n=300, m=200, r=2, settle=300, p=1000, h=2, mb=4, mb1k=1, c=100, b=2,
        k=1000, l=300, quiet=500, rounds=1,
    ),
    "quick": dict(
        s=1.0, sj=3.0, w=0.8, n=800, m=400, r=3, settle=300, p=5000, h=6, mb=16, mb1k=4, c=1000,
        b=5, k=8000, l=9000, quiet=2000, rounds=2,
    ),
    "full": dict(
        s=2.5, sj=8.0, w=1.2, n=2000, m=1000, r=5, settle=1000, p=5000, h=10, mb=64, mb1k=16,
        c=1000, b=10, k=8000, l=9000, quiet=4000, rounds=3,
    ),
}  # fmt: skip
# Seconds that a run takes, about, for the estimate at the start.
PER_RUN = {"smoke": 1.8, "quick": 2.9, "full": 4.8}
EXTRA = {
    "idle1k": {"smoke": 4, "quick": 13, "full": 24},
    "idle": {"quick": 14, "full": 26},
    "idle19k": {"quick": 17, "full": 30},
    "idlepoll": {"smoke": 2, "quick": 10, "full": 20},
    "slow": {"quick": 4, "full": 12},
    "slow1k": {"quick": 6, "full": 24},
    "connect": {"quick": 2, "full": 8},
    "upgrade": {"quick": 2, "full": 8},
    "joins": {"quick": 5, "full": 10},
    "client-idle": {"smoke": 2, "quick": 7, "full": 9},
}
