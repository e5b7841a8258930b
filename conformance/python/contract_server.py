"""The contract server, written with python-socketio: for a client under test, to meet another server than the
official one.

    contract_server.py --port N [--parser msgpack]

It serves the events and namespaces of conformance/js/reference/contract-server.mjs. What python-socketio cannot do is
listed in conformance/js/support/differences.mjs, by the cases that are left out for it.
"""

import argparse
import asyncio
import socket
import urllib.parse

import engineio.payload
import socketio
import uvicorn
from socketio.exceptions import ConnectionRefusedError

# The default, 16, breaks the connection when a client has more to say at once over polling.
engineio.payload.Payload.max_decode_packets = 10_000

MAX_PAYLOAD = 1_000_000

# What the official server calls them.
REASONS = {
    "client disconnect": "client namespace disconnect",
    "server disconnect": "server namespace disconnect",
}

REASONS_KEPT = 10_000


class Contract:
    """The events of the contract, in all namespaces."""

    def __init__(self, server):
        self.server = server
        self.reasons = {}
        self.auths = {}
        self.turns = {}
        self.dropped = set()
        server.on("connect", self.connect, namespace="*")
        server.on("disconnect", self.disconnect, namespace="*")
        server.on("*", self.event, namespace="*")

    async def connect(self, nsp, sid, environ, auth=None):
        # No payload is an extension type in the MessagePack of the official client.
        auth = auth if isinstance(auth, dict) else {}
        if nsp == "/auth":
            if auth.get("token") != "secret":
                raise ConnectionRefusedError("unauthorized", {"code": 401})
        elif nsp != "/" and not (nsp.startswith("/dyn-") and is_number(nsp.removeprefix("/dyn-"))):
            raise ConnectionRefusedError("Invalid namespace")
        self.auths[sid] = auth
        await self.emit(nsp, sid, "welcome", {"sid": sid, "nsp": nsp, "auth": auth, "recovered": False})

    async def disconnect(self, nsp, sid, reason):
        self.auths.pop(sid, None)
        self.turns.pop(sid, None)
        connection = self.server.manager.eio_sid_from_sid(sid, nsp)
        self.reasons[sid] = "forced close" if connection in self.dropped else REASONS.get(reason, reason)
        if len(self.reasons) > REASONS_KEPT:
            del self.reasons[next(iter(self.reasons))]

    async def event(self, event, nsp, sid, *args):
        handler = EVENTS.get(event)
        if not handler:
            return self.server.not_handled
        # What is returned acknowledges the event if that was asked for.
        if handler in SLOW:
            return await handler(self, nsp, sid, *args)
        # Each event has a task of its own, and could be overtaken.
        async with self.turns.setdefault(sid, asyncio.Lock()):
            return await handler(self, nsp, sid, *args)

    async def emit(self, nsp, to, event, *args, **options):
        await self.server.emit(event, args, to=to, namespace=nsp, **options)

    # The events, in the order of the list below.

    async def echo(self, nsp, sid, *args):
        await self.emit(nsp, sid, "echo", *args)

    async def echo_ack(self, nsp, sid, *args):
        return args

    async def delay_ack(self, nsp, sid, ms, value):
        await asyncio.sleep(ms / 1000)
        return (value,)

    async def reverse(self, nsp, sid, value):
        return (reversed_bytes(value),)

    async def big(self, nsp, sid, n):
        return "x" * n, bytes(i % 256 for i in range(n))

    async def burst(self, nsp, sid, n):
        for i in range(n):
            await self.emit(nsp, sid, "burst", i)

    async def volatile(self, nsp, sid, n):
        # There are no volatile events: it sends all of them.
        for i in range(n):
            await self.emit(nsp, sid, "tick", i)
        await self.emit(nsp, sid, "tick-end")

    async def handshake(self, nsp, sid):
        environ = self.server.get_environ(sid, namespace=nsp)
        query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        transport = self.server.transport(sid, namespace=nsp)
        return ({"query": query, "headers": headers, "auth": self.auths.get(sid), "transport": transport},)

    async def join(self, nsp, sid, room):
        await self.server.enter_room(sid, room, namespace=nsp)
        return (self.own_rooms(nsp, sid),)

    async def leave(self, nsp, sid, room):
        await self.server.leave_room(sid, room, namespace=nsp)
        return (self.own_rooms(nsp, sid),)

    def own_rooms(self, nsp, sid):
        return sorted(room for room in self.server.rooms(sid, namespace=nsp) if room != sid)

    def members(self, nsp, room):
        return sorted(sid for sid, _ in self.server.manager.get_participants(nsp, room))

    async def sockets(self, nsp, sid, room):
        return (self.members(nsp, room),)

    async def to_room(self, nsp, sid, room, event, *args):
        await self.emit(nsp, room, event, *args, skip_sid=sid)

    async def in_room(self, nsp, sid, room, event, *args):
        await self.emit(nsp, room, event, *args)

    async def except_room(self, nsp, sid, room, event, *args):
        await self.emit(nsp, None, event, *args, skip_sid=self.members(nsp, room))

    async def broadcast(self, nsp, sid, event, *args):
        await self.emit(nsp, None, event, *args, skip_sid=sid)

    async def ask_me(self, nsp, sid, ms, value):
        try:
            return ({"ok": True, "answer": await self.asked(nsp, sid, ms, value)},)
        except asyncio.TimeoutError:
            return ({"ok": False},)

    async def ask_room(self, nsp, sid, ms, room, value):
        questions = [self.asked(nsp, member, ms, value) for member in self.members(nsp, room)]
        results = await asyncio.gather(*questions, return_exceptions=True)
        answers = [result[0] if result else None for result in results if isinstance(result, list)]
        return ({"ok": len(answers) == len(results), "answers": answers},)

    async def asked(self, nsp, sid, ms, value):
        answer = asyncio.get_running_loop().create_future()

        def answered(*args):
            if not answer.done():
                answer.set_result(list(args))

        await self.emit(nsp, sid, "question", value, callback=answered)
        return await asyncio.wait_for(answer, ms / 1000)

    def connection(self, nsp, sid):
        name = self.server.manager.eio_sid_from_sid(sid, nsp)
        return name, self.server.eio.sockets.get(name)

    async def disconnect_me(self, nsp, sid, close=False):
        name, connection = self.connection(nsp, sid)
        await self.server.disconnect(sid, namespace=nsp)
        if close and connection:
            # The end is not to arrive together with what came before it.
            await connection.queue.join()
            await self.server.eio.disconnect(name)

    async def drop_me(self, nsp, sid):
        name, connection = self.connection(nsp, sid)
        self.dropped.add(name)
        if connection.upgraded:
            # It would say that it closes, and wait for the client to do so.
            await connection.queue.put(None)
        else:
            await self.server.eio.disconnect(name)

    async def last_reason(self, nsp, sid, other):
        return (self.reasons.get(other),)

    async def clients(self, nsp, sid):
        return (sum(not client.closed for client in self.server.eio.sockets.values()),)


EVENTS = {
    "echo": Contract.echo,
    "echo-ack": Contract.echo_ack,
    "delay-ack": Contract.delay_ack,
    "reverse": Contract.reverse,
    "big": Contract.big,
    "burst": Contract.burst,
    "volatile": Contract.volatile,
    "handshake": Contract.handshake,
    "join": Contract.join,
    "leave": Contract.leave,
    "sockets": Contract.sockets,
    "to-room": Contract.to_room,
    "in-room": Contract.in_room,
    "except-room": Contract.except_room,
    "broadcast": Contract.broadcast,
    "ask-me": Contract.ask_me,
    "ask-room": Contract.ask_room,
    "disconnect-me": Contract.disconnect_me,
    "drop-me": Contract.drop_me,
    "last-reason": Contract.last_reason,
    "clients": Contract.clients,
}

# They wait for time to pass, or for clients.
SLOW = {Contract.delay_ack, Contract.ask_me, Contract.ask_room, Contract.disconnect_me, Contract.drop_me}


def is_number(text):
    return text.isascii() and text.isdecimal()


def reversed_bytes(value):
    if isinstance(value, bytes):
        return value[::-1]
    if isinstance(value, dict):
        return {key: reversed_bytes(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [reversed_bytes(inner) for inner in value]
    return value


async def serve(port, parser):
    server = socketio.AsyncServer(
        async_mode="asgi",
        namespaces="*",
        serializer=parser,
        ping_interval=1,
        ping_timeout=1,
        max_http_buffer_size=MAX_PAYLOAD,
        cors_allowed_origins="*",
    )
    Contract(server)
    config = uvicorn.Config(socketio.ASGIApp(server), ws="wsproto", log_level="error", timeout_keep_alive=60)
    http = uvicorn.Server(config)
    serving = asyncio.create_task(http.serve(sockets=list(listeners(port))))
    while not http.started and not serving.done():
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await serving


def listeners(port):
    """Both loopback addresses, as far as there are any."""
    yield socket.create_server(("127.0.0.1", port))
    try:
        yield socket.create_server(("::1", port), family=socket.AF_INET6)
    except OSError:
        pass


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--parser", choices=["default", "msgpack"], default="default")
    options = arguments.parse_args()
    asyncio.run(serve(options.port, options.parser))


main()
