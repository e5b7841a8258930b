// Compressed messages (permessage-deflate), with the client for Node, whose WebSocket is `ws`.

import assert from "node:assert/strict";
import { afterEach, before, describe, test } from "node:test";
import { Clients, ways } from "../support/peer.mjs";
import { contractServer } from "../support/suite.mjs";

const long = "sockeye and ".repeat(1000);
const longBytes = Buffer.from(long);
const noise = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 7919 + (i >> 3)) & 255));

const modes = [
  { name: "without context", flags: ["--deflate"], keepsContext: false },
  { name: "with context taken over", flags: ["--deflate-context"], keepsContext: true },
];

for (const mode of modes) {
  describe(`E-020 compressed messages ${mode.name}`, () => {
    const server = contractServer(mode.flags);
    for (const way of ways.filter(({ transport }) => transport === "websocket")) {
      describe(`over ${way.name}`, () => {
        const clients = new Clients(null, way);
        before(() => (clients.url = server.url));
        afterEach(() => clients.closeAll());
        cases(clients, mode);
      });
    }
  });
}

/** The client's `ws`. */
const wire = (peer) => peer.engine.transport.ws;
/** Bytes received so far. */
const received = (peer) => wire(peer)._socket.bytesRead;

function cases(clients, { keepsContext }) {
  test("it is agreed on", async () => {
    const peer = await clients.connect();
    assert.equal(wire(peer).extensions, "permessage-deflate");
    const { params } = wire(peer)._extensions["permessage-deflate"];
    assert.equal(!params.server_no_context_takeover, keepsContext);
    assert.equal(!params.client_no_context_takeover, keepsContext);
  });

  test("a client that does not offer it is served plain", async () => {
    const peer = await clients.connect("/", { perMessageDeflate: false });
    assert.equal(wire(peer).extensions, "");
    assert.equal(await peer.ask1("echo-ack", long), long);
  });

  test("text goes both ways, and is shorter on the wire", async () => {
    const peer = await clients.connect();
    const before = received(peer);
    for (let i = 0; i < 10; i++) assert.deepEqual(await peer.ask("echo-ack", i, long), [i, long]);
    assert.ok(received(peer) - before < long.length, `${received(peer) - before} bytes`);
    for (const length of [0, 1, 1000, 1010, 1020, 1030, 100_000]) {
      const text = "é".repeat(length);
      assert.equal(await peer.ask1("echo-ack", text), text);
    }
  });

  test("binary goes both ways, also what cannot be compressed", async () => {
    const peer = await clients.connect();
    const args = [longBytes, { deep: [noise, Buffer.alloc(0)] }, Buffer.from([1])];
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(await peer.ask("echo-ack", ...args), args);
      peer.emit("echo", ...args);
      assert.deepEqual(await peer.next("echo"), args);
    }
    const [text, bytes] = await peer.ask("big", 300_000);
    assert.deepEqual([text.length, bytes.length, bytes[299_999]], [300_000, 300_000, 299_999 % 256]);
  });

  test("many messages keep their order, compressed and plain", async () => {
    const peer = await clients.connect();
    const sent = Array.from({ length: 100 }, (_, i) => [i, i % 3 === 0 ? long : "short", i % 5 === 0 ? longBytes : null]);
    for (const args of sent) peer.emit("echo", ...args);
    for (const args of sent) assert.deepEqual(await peer.next("echo"), args);
  });

  test("a broadcast reaches all, compressed for those who can", async () => {
    const sender = await clients.connect();
    const plain = await clients.connect("/", { perMessageDeflate: false });
    const others = [];
    for (let i = 0; i < 5; i++) others.push(await clients.connect());
    const before = others.map(received);
    for (let i = 0; i < 3; i++) {
      sender.emit("broadcast", "news", i, long, { deep: longBytes });
      for (const peer of [...others, plain]) assert.deepEqual(await peer.next("news"), [i, long, { deep: longBytes }]);
    }
    for (const [i, peer] of others.entries()) assert.ok(received(peer) - before[i] < long.length);
  });

  test("a compressed message may come in fragments, with a ping between", async () => {
    const peer = await clients.connect();
    const [message] = peer.socket.io.encoder.encode({ type: 2, nsp: "/", data: ["echo", long] });
    const isText = typeof message === "string";
    const packet = isText ? `4${message}` : message;
    const pong = new Promise((resolve) => wire(peer).once("pong", resolve));
    const end = packet.length;
    for (const [from, to] of [[0, 1], [1, 5000], [5000, 5000], [5000, end]]) {
      wire(peer).send(packet.slice(from, to), { binary: !isText, compress: true, fin: to === end });
      if (from === 1) wire(peer).ping("between");
    }
    assert.equal(String(await pong), "between");
    assert.deepEqual(await peer.next("echo"), [long]);
  });

  test("E-016 a message that is too long when inflated ends the connection", async () => {
    const peer = await clients.connect();
    peer.emit("echo", "x".repeat(20_000_000));
    assert.match(await peer.disconnected(), /^transport (close|error)$/);
  });
}
