import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen } from "../support/parser.mjs";
import { overEachWay } from "../support/suite.mjs";

const pattern = (n) => Buffer.from(Array.from({ length: n }, (_, i) => i % 256));

overEachWay("payloads", ({ clients, way }) => {
  // Over polling binary travels as base64, four characters for three bytes, within the same limit.
  const binarySize = way.name === "polling" ? 700_000 : 900_000;
  const textSize = chosen.hasAttachments ? 900_000 : binarySize;

  test(`${textSize / 1000} kB of text, both ways`, async () => {
    const peer = await clients.connect();
    const text = "0123456789".repeat(textSize / 10);
    peer.emit("echo", text);
    assert.ok((await peer.next("echo"))[0] === text);
    assert.ok((await peer.ask1("echo-ack", text)) === text);
  });

  test("700 kB of unicode text, both ways", async () => {
    const peer = await clients.connect();
    const text = "é€😀x".repeat(70_000);
    assert.equal(Buffer.byteLength(text), 700_000);
    assert.ok((await peer.ask1("echo-ack", text)) === text);
  });

  test(`${binarySize / 1000} kB of binary, both ways`, async () => {
    const peer = await clients.connect();
    const data = pattern(binarySize);
    peer.emit("echo", data);
    assert.ok(data.equals((await peer.next("echo"))[0]));
    const reversed = await peer.ask1("reverse", { data });
    assert.ok(Buffer.from(data).reverse().equals(reversed.data));
  });

  test("900 kB of text and of binary from the server", async () => {
    const peer = await clients.connect();
    const [text, data] = await peer.ask("big", 900_000);
    assert.ok(text === "x".repeat(900_000));
    assert.ok(data.equals(pattern(900_000)));
  });

  test("the limit is for what the server receives: 3 MB go out", async () => {
    const peer = await clients.connect();
    const [text, data] = await peer.ask("big", 3_000_000);
    assert.equal(text.length, 3_000_000);
    assert.ok(data.equals(pattern(3_000_000)));
  });

  // Of 50 kB, as many as the client takes to be below the limit are above it as base64.
  test("many messages of 40 kB exceed the limit together, and arrive", async () => {
    const peer = await clients.connect();
    const text = "y".repeat(40_000);
    for (let i = 0; i < 60; i++) peer.emit("echo", i, text);
    for (let i = 0; i < 60; i++) {
      const [number, echoed] = await peer.next("echo");
      assert.equal(number, i);
      assert.ok(echoed === text);
    }
  });

  test("E-054 E-070 a message above maxPayload closes the connection", async () => {
    const [peer, witness] = [await clients.connect(), await clients.connect()];
    const { id } = peer;
    peer.emit("echo", "z".repeat(1_000_001));
    if (way.transport === "polling") {
      // The POST is refused with 413; it is the client which then closes.
      assert.equal(await peer.disconnected(), "transport error");
      assert.equal(await witness.lastReason(id), "transport close");
    } else {
      assert.equal(await peer.disconnected(), "transport close");
      assert.equal(await witness.lastReason(id), "transport error");
    }
    assert.deepEqual(peer.unread("echo"), []);
  });

  test("E-054 E-070 and the client comes back from it", async () => {
    const peer = await clients.connect("/", { reconnection: true, reconnectionDelay: 10 });
    peer.emit("echo", Buffer.alloc(1_000_001));
    await peer.disconnected();
    await peer.connected();
    assert.equal(await peer.ask1("echo-ack", "back"), "back");
  });
});
