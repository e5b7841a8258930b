"""A client under test: obeys JSON commands on stdin, reports JSON lines on stdout.

The commands and reports are listed in the README of conformance/js.
"""

import asyncio
import base64
import json
import sys
import urllib.parse

import engineio.payload
import socketio

# The default, 16, breaks the connection when a server has more to say at once over polling.
engineio.payload.Payload.max_decode_packets = 10_000

FEATURES = ["auth", "refusal", "reconnect-websocket"]

# What the official JavaScript client calls them.
REASONS = {
    "client disconnect": "io client disconnect",
    "server disconnect": "io server disconnect",
}

LINE_LIMIT = 1 << 24


class Connection:
    """One connection, which serves all namespaces it was opened for."""

    def __init__(self, url, sockets, opts):
        """`sockets`: namespace to name."""
        self.url = url
        self.sockets = sockets
        self.opts = opts
        self.answers = {}
        self.turn = asyncio.Lock()
        self.never = asyncio.get_running_loop().create_future()
        delay = opts.get("reconnectionDelay", 1000) / 1000
        self.client = socketio.AsyncClient(
            handle_sigint=False,
            reconnection=opts.get("reconnection", True),
            reconnection_delay=delay,
            reconnection_delay_max=delay,
            randomization_factor=0,
        )
        for namespace, name in sockets.items():
            self.watch(namespace, name)

    def watch(self, namespace, name):
        def connect():
            report(ev="connect", s=name, id=self.client.get_sid(namespace), recovered=False)

        def disconnect(reason):
            report(ev="disconnect", s=name, reason=REASONS.get(reason, reason))

        def connect_error(error=None):
            known = error if isinstance(error, dict) else {"message": str(error)}
            report(ev="connect_error", s=name, message=known.get("message"), data=known.get("data"))

        async def event(event, *args):
            report(ev="event", s=name, name=event, args=list(args))
            answer = self.answers.get((namespace, event), "never")
            if answer == "never":
                # What is returned acknowledges the event if that was asked for.
                return await asyncio.shield(self.never)
            return args if answer == "echo" else tuple(decode(answer["args"]))

        for handler in (connect, disconnect, connect_error):
            self.client.on(handler.__name__, handler, namespace=namespace)
        self.client.on("*", event, namespace=namespace)

    async def open(self):
        query = urllib.parse.urlencode(self.opts.get("query", {}))
        async with self.turn:
            try:
                await self.client.connect(
                    f"{self.url}?{query}" if query else self.url,
                    headers=self.opts.get("headers", {}),
                    auth=self.opts.get("auth"),
                    transports=self.opts.get("transports"),
                    namespaces=list(self.sockets),
                    wait_timeout=5,
                )
            except socketio.exceptions.ConnectionError:
                pass  # reported by the handlers

    async def close(self):
        async with self.turn:
            await self.client.shutdown()


class Driver:
    def __init__(self):
        self.connections = {}
        self.tasks = set()

    async def obey(self, op, s, **command):
        await getattr(self, op)(s, **command)

    async def open(self, s, url, nsp="/", opts={}):
        sockets = {nsp: s}
        for other, namespace in opts.get("also", {}).items():
            sockets[namespace] = other
        connection = Connection(url, sockets, opts)
        for namespace, name in sockets.items():
            self.connections[name] = (connection, namespace)
        self.spawn(connection.open())

    async def emit(self, s, event, args=(), ack=None):
        connection, namespace = self.connections[s]

        def answered(*answer):
            report(ev="ack", s=s, ack=ack, args=list(answer))

        callback = None if ack is None else answered
        await connection.client.emit(event, tuple(decode(args)), namespace, callback)

    async def answer(self, s, event, mode):
        connection, namespace = self.connections[s]
        connection.answers[(namespace, event)] = mode

    async def disconnect(self, s):
        self.spawn(self.connections[s][0].close())

    async def connect(self, s):
        self.spawn(self.connections[s][0].open())

    def spawn(self, work):
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            report(ev="error", message=repr(task.exception()))


def report(**line):
    print(json.dumps(encode(line)), flush=True)


def encode(value):
    if isinstance(value, (bytes, bytearray)):
        return {"$bin": base64.b64encode(value).decode()}
    return mapped(value, encode)


def decode(value):
    if isinstance(value, dict) and isinstance(value.get("$bin"), str):
        return base64.b64decode(value["$bin"])
    return mapped(value, decode)


def mapped(value, each):
    if isinstance(value, dict):
        return {key: each(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [each(inner) for inner in value]
    return value


async def main():
    lines = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    driver = Driver()
    report(ev="ready", features=FEATURES)
    while line := await lines.readline():
        try:
            await driver.obey(**json.loads(line))
        except Exception as error:
            report(ev="error", message=repr(error))


asyncio.run(main())
