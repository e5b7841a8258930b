import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parsers } from "../support/parser.mjs";
import { overEachWay } from "../support/suite.mjs";
import { within } from "../support/wait.mjs";

const hex = (text) => Buffer.from(text.replaceAll(" ", ""), "hex");
const main = "a36e7370 a12f";

// All other suites run with this parser too: CONTRACT_PARSER=msgpack.
overEachWay("the MessagePack parser", ({ clients }) => {
  /** The next message from the server, as it went over the wire. */
  const nextMessage = (peer) =>
    within(5000, "a message", new Promise((resolve) => peer.engine.once("data", (data) => resolve(data))));

  async function bytesOf(peer, act) {
    const message = nextMessage(peer);
    act();
    return (await message).toString("hex");
  }

  const expected = (text) => hex(text).toString("hex");

  test("S-019 an acknowledgement", async () => {
    const peer = await clients.connect();
    assert.equal(
      await bytesOf(peer, () => peer.emit("echo-ack", "r", () => {})),
      expected(`84 a26964 00 a474797065 03 a464617461 91 a172 ${main}`),
    );
  });

  test("S-019 an event, and one that asks", async () => {
    const peer = await clients.connect();
    assert.equal(
      await bytesOf(peer, () => peer.emit("burst", 1)),
      expected(`83 a474797065 02 a464617461 92 a56275727374 00 ${main}`),
    );
    const asking = await bytesOf(peer, () => peer.emit("ask-me", 100, [-1, 1.5, "é"], () => {}));
    const data = "92 a87175657374696f6e 93 ff cb3ff8000000000000 a2c3a9";
    // The id is one for all sockets of the namespace (S-059).
    const [before, after] = [expected(`84 a474797065 02 a464617461 ${data} a26964`), expected(main)];
    assert.match(asking, new RegExp(`^${before}[0-7][0-9a-f]${after}$`));
  });

  test("S-020 CONNECT and CONNECT_ERROR say undefined", async () => {
    const peer = await clients.connect();
    const inner = clients.join(peer, "/dyn-1");
    const granted = await nextMessage(peer);
    await inner.connected();
    await inner.next("welcome");
    const sid = Buffer.from(inner.id).toString("hex");
    const nsp = "a36e7370 a62f64796e2d31";
    const data = `82 a3736964 b4${sid} a3706964 d40000`;
    assert.equal(granted.toString("hex"), expected(`83 a474797065 00 a464617461 ${data} ${nsp}`));
    const refusal = await bytesOf(peer, () => clients.join(peer, "/auth"));
    const error = "82 a76d657373616765 ac756e617574686f72697a6564 a464617461 81 a4636f6465 cd0191";
    assert.equal(refusal, expected(`83 a474797065 04 a464617461 ${error} a36e7370 a52f61757468`));
  });

  test("S-031 DISCONNECT has no data", async () => {
    const peer = await clients.connect();
    assert.equal(await bytesOf(peer, () => peer.emit("disconnect-me", false)), expected(`82 a474797065 01 ${main}`));
  });

  test("S-019 there is no limit on the parts that are binary", async () => {
    const peer = await clients.connect();
    const parts = Array.from({ length: 100 }, (_, i) => Buffer.from([i]));
    assert.deepEqual(await peer.ask("echo-ack", parts, "text", ...parts), [parts, "text", ...parts]);
  });

  test("a namespace may have a comma in its name", async () => {
    const peer = await clients.connect();
    const error = await clients.join(peer, "/dyn-1,2").refused();
    assert.equal(error.message, "Invalid namespace");
  });

  const noPackets = {
    "a text message": '2["echo"]',
    "a message without content": hex("80"),
    "a message that breaks off": hex("83 a474797065 02 a464617461"),
    "a map of 4294967295 entries": hex("df ffffffff"),
    "a type that is none": hex(`83 a474797065 07 a464617461 91a161 ${main}`),
    "a type that is negative": hex(`83 a474797065 ff a464617461 91a161 ${main}`),
    "an event without data": hex(`82 a474797065 02 ${main}`),
    "an acknowledgement that is no list": hex(`84 a474797065 03 a464617461 80 a26964 00 ${main}`),
    "a namespace that is a number": hex("83 a474797065 02 a464617461 91a161 a36e7370 01"),
    "an id that is a text": hex(`84 a474797065 02 a464617461 91a161 a26964 a131 ${main}`),
    "bytes behind the packet": hex(`83 a474797065 02 a464617461 91a161 ${main} 00`),
  };

  describe("closes the connection (S-027):", () => {
    for (const [what, message] of Object.entries(noPackets)) {
      test(what, async () => {
        const [peer, witness] = [await clients.connect(), await clients.connect()];
        const sid = peer.id;
        peer.engine.send(message);
        assert.equal(await peer.disconnected(), "transport close");
        assert.equal(await witness.lastReason(sid), "forced close");
      });
    }
  });
}, { parser: parsers.msgpack });
