"""The servers: where they are built, starting and stopping one."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time

from clients import small_pages

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BENCH_BUILD", os.path.join(HERE, "target")))


def log(*a):
    print(*a, file=sys.stderr, flush=True)


class Server:
    """One server process, pinned, on a port of its own. `exact`: its memory in pages of 4 KiB."""

    def __init__(self, name, peer, cpu, extra_env, exact=False):
        self.name = name
        self.port = free_port()
        env = dict(
            os.environ,
            PORT=str(self.port),
            BUILD=BUILD,
            PING_INTERVAL="25000",
            PING_TIMEOUT="20000",
        )
        env.update(extra_env)
        cmd = ["bash", "-c", "exec " + peer["cmd"]]
        if cpu is not None:
            cmd = ["taskset", "-c", str(cpu)] + cmd
        self.log = open(os.path.join(BUILD, f"server-{name}.log"), "ab")
        self.p = subprocess.Popen(
            cmd, cwd=HERE, env=env, stdout=self.log, stderr=self.log, start_new_session=True,
            preexec_fn=small_pages if exact else None,
        )  # fmt: skip
        end = time.time() + 20
        while time.time() < end:
            if self.p.poll() is not None:
                raise RuntimeError(f"{name} ended at start (see {self.log.name})")
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
                break
            except OSError:
                time.sleep(0.02)
        else:
            self.stop()
            raise RuntimeError(f"{name} does not listen on {self.port}")
        time.sleep(0.15)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        return self.p.poll() is None

    def stop(self):
        try:
            self.p.send_signal(signal.SIGTERM)
            self.p.wait(1)
        except (subprocess.TimeoutExpired, ProcessLookupError):
            try:
                os.killpg(self.p.pid, signal.SIGKILL)  # the session this script started
            except ProcessLookupError:
                pass
            self.p.wait()
        self.log.close()


def raise_nofile():
    """The servers inherit this; sioload raises its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft != resource.RLIM_INFINITY and soft < want:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))


NEXT_PORT = [20500 + (os.getpid() * 37) % 9000]


def free_port():
    while True:
        NEXT_PORT[0] = 20500 + (NEXT_PORT[0] - 20500 + 1) % 10000
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", NEXT_PORT[0]))
            return NEXT_PORT[0]
        except OSError:
            pass
        finally:
            s.close()
