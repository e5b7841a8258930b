"""The benchmark contract on python-socketio (ASGI) under uvicorn."""

import os

import socketio
import uvicorn

sio = socketio.AsyncServer(
    async_mode="asgi",
    cors_allowed_origins=[],
    ping_interval=int(os.environ.get("PING_INTERVAL", "25000")) / 1000,
    ping_timeout=int(os.environ.get("PING_TIMEOUT", "20000")) / 1000,
)


@sio.event
async def echo(sid, *args):
    await sio.emit("echo", args, to=sid)


@sio.on("echo-value")
async def echo_value(sid, value):
    await sio.emit("echo-value", value, to=sid)


@sio.on("echo-typed")
async def echo_typed(sid, note):
    await sio.emit("echo-typed", note, to=sid)


@sio.event
async def ack(sid, *args):
    return args


@sio.event
async def join(sid, room):
    await sio.enter_room(sid, room)
    return ()


@sio.event
async def leave(sid, room):
    await sio.leave_room(sid, room)
    return ()


@sio.event
async def room(sid, name, payload):
    await sio.emit("room", payload, room=name)


@sio.event
async def bcast(sid, payload):
    await sio.emit("bcast", payload)


app = socketio.ASGIApp(sio)

if __name__ == "__main__":
    print("starting python-socketio", flush=True)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ.get("PORT", "3000")),
        loop="uvloop",
        http="httptools",
        ws=os.environ.get("WS_IMPL", "websockets"),
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        backlog=4096,
        timeout_keep_alive=60,
    )
