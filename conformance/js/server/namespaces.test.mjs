import assert from "node:assert/strict";
import { test } from "node:test";
import { overEachWay } from "../support/suite.mjs";

overEachWay("namespaces", ({ clients }) => {
  async function joined(main, namespace, options) {
    const peer = await clients.join(main, namespace, options).connected();
    const [welcome] = await peer.next("welcome");
    assert.equal(welcome.nsp, namespace);
    assert.equal(welcome.sid, peer.id);
    return peer;
  }

  test("S-029 several share one connection, each with an id of its own", async () => {
    const main = await clients.connect();
    await main.sessions(1);
    const first = await joined(main, "/dyn-1");
    const second = await joined(main, "/dyn-2");
    const auth = await joined(main, "/auth", { auth: { token: "secret" } });
    assert.equal(await main.ask1("clients"), 1);
    assert.equal(new Set([main.id, first.id, second.id, auth.id]).size, 4);
    assert.ok([first, second, auth].every(({ engine }) => engine === main.engine));
    for (const peer of [main, first, second, auth]) {
      assert.deepEqual(await peer.ask("echo-ack", peer.socket.nsp, 1), [peer.socket.nsp, 1]);
      peer.emit("echo", peer.socket.nsp, Buffer.from(peer.socket.nsp));
    }
    for (const peer of [main, first, second, auth]) {
      assert.deepEqual(await peer.next("echo"), [peer.socket.nsp, Buffer.from(peer.socket.nsp)]);
      assert.deepEqual(peer.unread("echo"), []);
    }
  });

  test("S-059 the same ack ids in two namespaces do not meet", async () => {
    const main = await clients.connect();
    const other = await joined(main, "/dyn-3");
    const slow = main.ask1("delay-ack", 100, "main");
    const quick = other.ask1("delay-ack", 10, "other");
    assert.deepEqual(await Promise.all([slow, quick]), ["main", "other"]);
  });

  test("S-029 rooms and broadcasts stay inside", async () => {
    const main = await clients.connect();
    const inner = await joined(main, "/dyn-4");
    const otherMain = await clients.connect();
    const otherInner = await clients.connect("/dyn-4");
    const neighbour = await clients.connect("/dyn-5");
    const all = [main, inner, otherMain, otherInner, neighbour];
    for (const peer of all) await peer.ask("join", "shared name");
    inner.emit("to-room", "shared name", "news", "room");
    inner.emit("broadcast", "news", "broadcast");
    inner.emit("in-room", main.id, "news", "a foreign id");
    await inner.settled();
    for (const peer of all) await peer.settled();
    assert.deepEqual(
      all.map((peer) => peer.unread("news").flat()),
      [[], [], [], ["room", "broadcast"], []],
    );
    assert.deepEqual(await inner.ask1("sockets", "shared name"), [inner.id, otherInner.id].sort());
    assert.deepEqual(await neighbour.ask1("sockets", null), [neighbour.id]);
  });

  test("S-030 leaving one namespace leaves the others connected", async () => {
    const main = await clients.connect();
    const inner = await joined(main, "/dyn-6");
    const { id } = inner;
    inner.socket.disconnect();
    assert.equal(await inner.disconnected(), "io client disconnect");
    assert.equal(await main.lastReason(id), "client namespace disconnect");
    assert.equal(await main.ask1("echo-ack", "still here"), "still here");
  });

  test("S-030 leaving the main namespace leaves the others connected", async () => {
    const main = await clients.connect();
    const inner = await joined(main, "/dyn-6");
    const { id } = main;
    main.socket.disconnect();
    assert.equal(await inner.lastReason(id), "client namespace disconnect");
    assert.equal(await inner.ask1("echo-ack", "still here"), "still here");
  });

  test("a namespace which was left can be joined again, with a new id", async () => {
    const main = await clients.connect();
    const inner = await joined(main, "/dyn-8");
    const { id } = inner;
    await inner.ask("join", "old room");
    inner.socket.disconnect();
    // The reference mixes the two up if the second CONNECT overtakes its handling of the DISCONNECT.
    await main.lastReason(id);
    inner.socket.connect();
    await inner.connected();
    assert.notEqual(inner.id, id);
    assert.deepEqual(await inner.ask1("join", "new room"), ["new room"]);
  });

  test("S-031 the server ends one namespace only", async () => {
    const main = await clients.connect();
    const inner = await joined(main, "/dyn-9");
    const { id } = inner;
    inner.emit("disconnect-me", false);
    assert.equal(await inner.disconnected(), "io server disconnect");
    assert.equal(await main.lastReason(id), "server namespace disconnect");
    assert.equal(await main.ask1("echo-ack", "still here"), "still here");
  });

  test("S-031 the server ends the connection, and with it every namespace", async () => {
    const witness = await clients.connect();
    const main = await clients.connect();
    const inner = await joined(main, "/dyn-10");
    const ids = [main.id, inner.id];
    inner.emit("disconnect-me", true);
    assert.equal(await inner.disconnected(), "io server disconnect");
    assert.equal(await main.disconnected(), "io server disconnect");
    for (const id of ids) assert.equal(await witness.lastReason(id), "server namespace disconnect");
  });
});
