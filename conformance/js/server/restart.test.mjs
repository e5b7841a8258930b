import assert from "node:assert/strict";
import { test } from "node:test";
import { overEachWay } from "../support/suite.mjs";

overEachWay("the server goes away and comes back", ({ clients, server }) => {
  const patient = { reconnection: true, reconnectionDelay: 30, reconnectionDelayMax: 100 };

  test("the client reconnects, and what it wrote meanwhile arrives in order", async () => {
    const peer = await clients.connect("/", { ...patient, auth: { name: "patient" } });
    const inner = await clients.join(peer, "/dyn-1").connected();
    const { id } = peer;
    const attempts = [];
    peer.socket.io.on("reconnect_attempt", (attempt) => attempts.push(attempt));
    await server.process.kill();
    assert.match(await peer.disconnected(), /^transport (close|error)$/);
    for (let i = 0; i < 50; i++) peer.emit("echo", i);
    peer.emit("echo", { bytes: Buffer.from([1, 2, 3]) });
    const answer = peer.ask("echo-ack", "asked while away");
    const refused = new Promise((resolve) => peer.socket.io.once("reconnect_error", resolve));
    await refused;
    await server.process.start();
    await peer.connected();
    await inner.connected();
    const [welcome] = await peer.next("welcome");
    assert.deepEqual(welcome, { sid: peer.id, nsp: "/", auth: { name: "patient" }, recovered: false });
    assert.notEqual(peer.id, id);
    for (let i = 0; i < 50; i++) assert.deepEqual(await peer.next("echo"), [i]);
    assert.deepEqual(await peer.next("echo"), [{ bytes: Buffer.from([1, 2, 3]) }]);
    assert.deepEqual(await answer, ["asked while away"]);
    assert.equal(await inner.ask1("echo-ack", "inner"), "inner");
    assert.deepEqual(attempts, attempts.map((_, i) => i + 1));
  });

  test("a client that was first finds the server when it starts", async () => {
    await server.process.kill();
    const peer = clients.open("/", patient);
    peer.emit("echo", "early");
    await peer.refused();
    await server.process.start();
    await peer.connected();
    assert.deepEqual(await peer.next("echo"), ["early"]);
  });
});
