import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeWebSocket, NodeXHR } from "socket.io-client";
import { overEachWay } from "../support/suite.mjs";
import { within } from "../support/wait.mjs";

const numbers = (n) => Array.from({ length: n }, (_, i) => i);

overEachWay("flow", ({ clients, way }) => {
  async function take(peer, event, n) {
    const taken = [];
    for (let i = 0; i < n; i++) taken.push((await peer.next(event))[0]);
    return taken;
  }

  test("2000 events arrive complete and in order", async () => {
    const peer = await clients.connect();
    peer.emit("burst", 2000);
    assert.deepEqual(await take(peer, "burst", 2000), numbers(2000));
    await peer.settled();
    assert.deepEqual(peer.unread("burst"), []);
  });

  test("2000 events go up complete and in order", async () => {
    const peer = await clients.connect();
    for (let i = 0; i < 2000; i++) peer.emit("echo", i);
    assert.deepEqual(await take(peer, "echo", 2000), numbers(2000));
  });

  test("five clients at a time", async () => {
    const peers = await Promise.all(numbers(5).map(() => clients.connect()));
    for (const peer of peers) peer.emit("burst", 500);
    for (const peer of peers) assert.deepEqual(await take(peer, "burst", 500), numbers(500));
  });

  if (way.upgrades) {
    test("E-086 E-087 nothing is lost, doubled or overtaken by an upgrade", async () => {
      const peer = clients.open();
      const stages = [];
      const burst = (stage) => {
        stages.push(stage);
        peer.emit("burst", 2000);
        for (let i = 0; i < 100; i++) peer.emit("echo", stage, i, Buffer.from([i]));
      };
      peer.socket.on("connect", () => burst("connected"));
      peer.engine.on("upgrading", () => burst("probed"));
      peer.engine.on("upgrade", () => burst("upgraded"));
      await peer.connected();
      await peer.upgraded();
      assert.deepEqual([...stages].sort(), ["connected", "probed", "upgraded"]);
      for (const stage of stages) {
        assert.deepEqual(await take(peer, "burst", 2000), numbers(2000), stage);
        for (let i = 0; i < 100; i++) assert.deepEqual(await peer.next("echo"), [stage, i, Buffer.from([i])]);
      }
      await peer.settled();
      assert.deepEqual([peer.unread("burst"), peer.unread("echo")], [[], []]);
      assert.equal((await peer.ask1("handshake")).transport, "websocket");
    });

    test("E-087 twenty clients upgrade at the same time, under load", async () => {
      const peers = numbers(20).map(() => clients.open());
      for (const peer of peers) peer.emit("burst", 200);
      await Promise.all(peers.map((peer) => peer.connected()));
      await Promise.all(peers.map((peer) => peer.upgraded()));
      for (const peer of peers) assert.deepEqual(await take(peer, "burst", 200), numbers(200));
    });

    test("E-086 E-087 streams both ways go on through an upgrade", async () => {
      const { peer, begin } = await openLate();
      const feeder = await clients.connect();
      let over = false;
      const upgrade = peer.upgraded().finally(() => (over = true));
      upgrade.catch(() => {}); // It is awaited below, after the streams have ended.
      let sent = 0;
      for (let after = 0; after < 50; after += over ? 1 : 0) {
        peer.emit("echo", sent);
        feeder.emit("to-room", peer.id, "fed", sent);
        if (++sent === 50) begin();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await upgrade;
      assert.deepEqual(await take(peer, "echo", sent), numbers(sent));
      assert.deepEqual(await take(peer, "fed", sent), numbers(sent));
    });

    test("E-085 an upgrade does not wait for the end of a pending poll", async () => {
      const { peer, begin } = await openLate();
      // Right after a ping nothing else ends the poll for a second.
      await within(3000, "a ping", new Promise((resolve) => peer.socket.io.once("ping", resolve)));
      await peer.settled();
      const started = performance.now();
      begin();
      await peer.upgraded();
      const ms = performance.now() - started;
      assert.ok(ms < 700, `the upgrade took ${ms} ms`);
    });

    /** A connection over polling that begins its upgrade when it is told to. */
    async function openLate() {
      let begin;
      const begun = new Promise((resolve) => (begin = resolve));
      class LateWebSocket extends NodeWebSocket {
        doOpen() {
          begun.then(() => super.doOpen());
        }
      }
      const peer = await clients.open("/", { transports: [NodeXHR, LateWebSocket] }).connected();
      assert.equal((await peer.ask1("handshake")).transport, "polling");
      return { peer, begin };
    }
  }

  test("E-098 the number of sessions is what it was once all have left", async () => {
    const witness = await clients.connect();
    await witness.sessions(1);
    const others = await Promise.all(numbers(5).map(() => clients.connect()));
    assert.equal(await witness.ask1("clients"), 6);
    others[0].socket.disconnect();
    others[1].emit("drop-me");
    others[2].emit("disconnect-me", true);
    others[3].engine.close();
    others[4].engine.send("9");
    await witness.sessions(1);
  });

  test("S-055 volatile events are a part of what was sent, in order, and block nothing", async () => {
    const peer = await clients.connect();
    for (let round = 0; round < 5; round++) {
      peer.emit("volatile", 50);
      await peer.next("tick-end");
      const ticks = peer.unread("tick").map(([i]) => i);
      assert.deepEqual(ticks, [...new Set(ticks)].sort((a, b) => a - b));
      assert.ok(ticks.every((i) => i >= 0 && i < 50));
    }
  });

  test("S-055 a volatile event arrives when nothing is in its way", async () => {
    const peer = await clients.connect();
    // Over polling the server can write only while a poll is pending: asking again finds such a moment.
    for (let attempt = 0; attempt < 50 && peer.unread("tick").length === 0; attempt++) {
      await peer.ask("delay-ack", 20, null);
      peer.emit("volatile", 1);
      await peer.next("tick-end");
      if (peer.unread("tick").length > 0) return;
    }
    assert.fail("50 single volatile events, and none arrived");
  });
});
