import assert from "node:assert/strict";
import { test } from "node:test";
import { overEachWay } from "../support/suite.mjs";
import { TIMEOUT, within } from "../support/wait.mjs";

overEachWay("disconnecting", ({ clients, way }) => {
  const pair = () => Promise.all([clients.connect(), clients.connect()]);

  test("the reason of a connected or unknown socket is null", async () => {
    const [peer, witness] = await pair();
    assert.equal(await witness.ask1("last-reason", peer.id), null);
    assert.equal(await witness.ask1("last-reason", "nobody"), null);
  });

  test("S-030 the client disconnects", async () => {
    const [peer, witness] = await pair();
    const { id } = peer;
    peer.socket.disconnect();
    assert.equal(await peer.disconnected(), "io client disconnect");
    assert.equal(await witness.lastReason(id), "client namespace disconnect");
  });

  test("S-031 the server disconnects", async () => {
    const [peer, witness] = await pair();
    const { id } = peer;
    peer.emit("disconnect-me", false);
    assert.equal(await peer.disconnected(), "io server disconnect");
    assert.equal(peer.socket.active, false);
    assert.equal(await witness.lastReason(id), "server namespace disconnect");
  });

  test("S-031 the server disconnects and closes", async () => {
    const [peer, witness] = await pair();
    const { id } = peer;
    const closed = new Promise((resolve) => peer.socket.io.once("close", resolve));
    peer.emit("disconnect-me", true);
    assert.equal(await peer.disconnected(), "io server disconnect");
    await within(TIMEOUT, "the end of the connection", closed);
    assert.equal(await witness.lastReason(id), "server namespace disconnect");
  });

  test("transport close: the client closes the connection without a word", async () => {
    const [peer, witness] = await pair();
    const { id } = peer;
    peer.engine.close();
    assert.equal(await peer.disconnected(), "forced close");
    assert.equal(await witness.lastReason(id), "transport close");
  });

  if (way.transport === "websocket") {
    test("transport close: the network connection breaks", async () => {
      const [peer, witness] = await pair();
      const { id } = peer;
      peer.engine.transport.ws.terminate();
      assert.equal(await peer.disconnected(), "transport close");
      assert.equal(await witness.lastReason(id), "transport close");
    });
  }

  test("the server drops the connection", async () => {
    const [peer, witness] = await pair();
    const { id } = peer;
    peer.emit("drop-me");
    assert.equal(await peer.disconnected(), "transport close");
    assert.equal(await witness.lastReason(id), "forced close");
  });

  test("a dropped connection comes back by itself, with a new id and an empty set of rooms", async () => {
    const peer = await clients.connect("/", { reconnection: true, reconnectionDelay: 10, auth: { token: "same" } });
    const { id } = peer;
    await peer.ask("join", "old room");
    peer.emit("drop-me");
    assert.equal(await peer.disconnected(), "transport close");
    assert.equal(peer.socket.active, true);
    peer.emit("echo", "written while away");
    await peer.connected();
    const [welcome] = await peer.next("welcome");
    assert.deepEqual(welcome, { sid: peer.id, nsp: "/", auth: { token: "same" }, recovered: false });
    assert.notEqual(peer.id, id);
    assert.deepEqual(await peer.next("echo"), ["written while away"]);
    assert.deepEqual(await peer.ask1("join", "new room"), ["new room"]);
  });

  test("all namespaces of a dropped connection come back", async () => {
    const main = await clients.connect("/", { reconnection: true, reconnectionDelay: 10 });
    const inner = await clients.join(main, "/dyn-20").connected();
    main.emit("drop-me");
    for (const peer of [main, inner]) {
      assert.equal(await peer.disconnected(), "transport close");
      await peer.connected();
      assert.equal(await peer.ask1("echo-ack", peer.socket.nsp), peer.socket.nsp);
    }
  });

  test("S-025 a packet for a namespace which was not joined is a violation", async () => {
    const [peer, witness] = await pair();
    const { id } = peer;
    peer.sendPacket({ type: 2, data: ["echo"], nsp: "/dyn-404" });
    assert.equal(await peer.disconnected(), "transport close");
    assert.equal(await witness.lastReason(id), "forced close");
  });

  const violations = {
    "an unknown packet type": "9",
    "an event that is no list": '2{"echo":1}',
    "broken JSON": '2["echo",',
    "a reserved event name": '2["disconnect"]',
    "a connection to where it is connected": "0",
    "a refusal sent by the client": '4{"message":"no"}',
  };
  for (const [what, text] of Object.entries(violations)) {
    test(`S-027 ${what} is a violation`, async () => {
      const [peer, witness] = await pair();
      const { id } = peer;
      peer.engine.send(text);
      assert.equal(await peer.disconnected(), "transport close");
      assert.equal(await witness.lastReason(id), "forced close");
    });
  }
});
