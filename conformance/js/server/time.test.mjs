import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Manager } from "socket.io-client";
import { Clients, ways } from "../support/peer.mjs";
import { chosen } from "../support/parser.mjs";
import { contractServer } from "../support/suite.mjs";
import { TIMEOUT, within } from "../support/wait.mjs";

// These cases are about time that passes: all of them, over all the ways, wait together.
describe("time", { concurrency: true }, () => {
  const server = contractServer();
  let all;
  before(() => (all = ways.map((way) => new Clients(server.url, way))));
  after(() => all?.forEach((clients) => clients.closeAll()));

  const overAllWays = (title, body) =>
    test(title, () => Promise.all(all.map((clients) => body(clients, clients.way.name))));

  overAllWays("E-076 the connection lives on pings, one each pingInterval", async (clients, way) => {
    const peer = clients.open();
    const started = performance.now();
    const times = [];
    const pings = new Promise((resolve) => {
      peer.socket.io.on("ping", () => {
        times.push(performance.now() - started);
        if (times.length === 3) resolve();
      });
    });
    await peer.connected();
    await within(6000, `three pings over ${way}`, pings);
    assert.ok(times[0] > 900, `the first ping came after ${times[0]} ms over ${way}`);
    for (let i = 1; i < 3; i++) {
      const gap = times[i] - times[i - 1];
      assert.ok(gap > 800 && gap < 1900, `a gap of ${gap} ms over ${way}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 3500 - (performance.now() - started)));
    assert.equal(peer.socket.connected, true, way);
    assert.equal(await peer.ask1("echo-ack", way), way);
  });

  overAllWays("E-078 a client that does not answer is given up: ping timeout", async (clients, way) => {
    const [mute, witness] = [await clients.connect(), await clients.connect()];
    const { engine, id } = mute;
    const send = engine._sendPacket.bind(engine);
    engine._sendPacket = (type, ...rest) => type !== "pong" && send(type, ...rest);
    // The client's own watch would end it at about the same time.
    engine._resetPingTimeout = () => {};
    engine._hasPingExpired = () => false;
    clearTimeout(engine._pingTimeoutTimer);
    assert.equal(await mute.disconnected(4000), "transport close", way);
    assert.equal(await witness.lastReason(id), "ping timeout", way);
  });

  for (const [what, packets] of [
    ["joins no namespace", []],
    ["was refused by the only one it asked for", [{ type: 0, nsp: "/auth" }]],
  ]) {
    overAllWays(`S-022 a connection that ${what} is closed`, async (clients, way) => {
      const { transports } = clients.way;
      const manager = new Manager(server.url, { transports, reconnection: false, autoConnect: false, ...chosen.options });
      const closed = new Promise((resolve) => manager.once("close", resolve));
      manager.open(() => packets.forEach((packet) => manager._packet(packet)));
      const started = performance.now();
      assert.equal(await within(TIMEOUT, `the end of the idle connection over ${way}`, closed), "transport close", way);
      assert.ok(performance.now() - started > 900, `not before connectTimeout, over ${way}`);
    });
  }

  overAllWays("S-022 a dynamic namespace alone keeps the connection", async (clients, way) => {
    const peer = await clients.connect("/dyn-11");
    for (let i = 0; i < 2; i++) {
      await within(3000, `a ping over ${way}`, new Promise((resolve) => peer.socket.io.once("ping", resolve)));
    }
    assert.equal(await peer.ask1("echo-ack", way), way);
  });
});
