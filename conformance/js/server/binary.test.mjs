import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, withDefaultParserOnly } from "../support/parser.mjs";
import { overEachWay } from "../support/suite.mjs";

const bytes = (...values) => Buffer.from(values);
const allBytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

/** Every kind of binary the client takes, as Buffers: the form in which it gives them back. */
function asReceived(value) {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (Array.isArray(value)) return value.map(asReceived);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asReceived(inner)]));
}

/** With other parsers an ArrayBuffer may come back as one. */
const received = chosen.hasAttachments ? (value) => value : asReceived;

const argumentLists = {
  "a Buffer": [bytes(1, 2, 3)],
  "a Uint8Array": [Uint8Array.of(0, 127, 128, 255)],
  "an ArrayBuffer": [Uint8Array.of(9, 8, 7).buffer],
  "a window into a larger buffer": [new Uint8Array(Uint8Array.of(0, 1, 2, 3, 4, 5).buffer, 2, 3)],
  "wider elements": [Uint16Array.of(0x0102, 0xfffe)],
  "every byte": [allBytes],
  "no bytes": [bytes()],
  "binary next to text": ["before", bytes(1), null, bytes(2), "é€😀"],
  "binary deep inside": [{ a: [{ b: { c: bytes(1, 2) } }, "text", { d: Uint8Array.of(3) }], e: bytes(4).buffer.slice(0, 1) }],
  "the same buffer twice": [allBytes, allBytes],
  "ten attachments": [Array.from({ length: 10 }, (_, i) => Buffer.alloc(i, i))],
  "bytes that look like packets": [Buffer.from("2probe"), Buffer.from("b4"), Buffer.from('2["echo"]\u001e6')],
};

overEachWay("binary", ({ clients, way }) => {
  for (const [what, args] of Object.entries(argumentLists)) {
    const inWindow = what.includes("window") ? withDefaultParserOnly("the client's MessagePack sends the whole buffer") : {};
    test(`S-003 ${what}, in an event and in an ack`, inWindow, async () => {
      const peer = await clients.connect();
      peer.emit("echo", ...args);
      assert.deepEqual(received(await peer.next("echo")), asReceived(args));
      assert.deepEqual(received(await peer.ask("echo-ack", ...args)), asReceived(args));
    });
  }

  test("S-003 the server reads the bytes, and finds them at any depth", async () => {
    const peer = await clients.connect();
    const reversed = (buffer) => Buffer.from(buffer).reverse();
    assert.deepEqual(await peer.ask1("reverse", allBytes), reversed(allBytes));
    const value = { first: bytes(1, 2, 3), list: [bytes(4, 5), "text", [bytes(6, 7)]], last: { deep: bytes(8, 9) } };
    assert.deepEqual(await peer.ask1("reverse", value), {
      first: bytes(3, 2, 1),
      list: [bytes(5, 4), "text", [bytes(7, 6)]],
      last: { deep: bytes(9, 8) },
    });
    assert.deepEqual(await peer.ask1("reverse", ["no", { binary: 1 }]), ["no", { binary: 1 }]);
  });

  test("S-060 the client's acks carry binary", async () => {
    const peer = await clients.connect();
    peer.answer("question", (value) => [value, { also: [Uint8Array.of(5, 6)] }]);
    assert.deepEqual(received(await peer.ask1("ask-me", 3000, { in: bytes(1, 2) })), {
      ok: true,
      answer: [{ in: bytes(1, 2) }, { also: [bytes(5, 6)] }],
    });
    assert.deepEqual(await peer.next("question"), [{ in: bytes(1, 2) }]);
  });

  test("text and binary events keep their order", async () => {
    const peer = await clients.connect();
    const sent = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? { i } : { i, parts: [bytes(i), Buffer.alloc(i, i)] }));
    for (const value of sent) peer.emit("echo", value);
    for (const value of sent) assert.deepEqual(await peer.next("echo"), [value]);
  });

  test("binary reaches a room", async () => {
    const [sender, member] = [await clients.connect(), await clients.connect()];
    await member.ask("join", "bytes");
    sender.emit("to-room", "bytes", "packet", { data: allBytes }, bytes(1));
    assert.deepEqual(await member.next("packet"), [{ data: allBytes }, bytes(1)]);
  });

  test("S-008 an eleventh attachment closes the connection", withDefaultParserOnly("others have no attachments"), async () => {
    const [peer, witness] = [await clients.connect(), await clients.connect()];
    const sid = peer.id;
    peer.emit("echo", Array.from({ length: 11 }, (_, i) => bytes(i)));
    // Over polling the rest of the packet may meet a session which is gone.
    const reason = await peer.disconnected();
    assert.ok(["transport close", ...(way.name === "polling" ? ["transport error"] : [])].includes(reason), reason);
    assert.equal(await witness.lastReason(sid), "forced close");
  });
});
