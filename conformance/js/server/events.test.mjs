import assert from "node:assert/strict";
import { test } from "node:test";
import { withDefaultParserOnly } from "../support/parser.mjs";
import { overEachWay } from "../support/suite.mjs";

const argumentLists = {
  "no argument": [],
  "one argument": ["one"],
  "ten arguments": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  "null, true and false": [null, true, false],
  numbers: [0, -1, 1.5, -0.1, 5e-324, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  "numbers beyond 64 bits": [1e21, 1.7976931348623157e308],
  strings: ["", " ", "0", "null", "42[\"x\"]", "/dyn-1,"],
  lists: [[], [[]], [1, [2, [3, [null]]]]],
  objects: [{}, { a: { b: { c: { d: [{ e: null }] } } } }, { "": 0, " ": 1, "a.b": 2, "ключ": 3 }],
  "a mixture": [1, "2", [3], { four: 4 }, null, true],
  "unicode of every length": ["é€😀", "\u00e9\u20ac\u{1f600}", "中文 русский עברית", "👩‍👩‍👧‍👦", "e\u0301"],
  "line and paragraph separators": ["a\u2028b\u2029c", "\u0085\ufeff\uffff"],
  escapes: ['"', "\\", "/", "\b\f\n\r\t", "\u0000\u0001\u001e\u001f\u007f", '\\"\\\\n', "</script>"],
  "what looks like a placeholder": [{ _placeholder: true, num: 0 }, { _placeholder: true }],
  "deep nesting": [Array.from({ length: 60 }).reduce((inner, _, i) => (i % 2 ? [inner] : { inner }), "bottom")],
};

overEachWay("events", ({ clients }) => {
  for (const [what, args] of Object.entries(argumentLists)) {
    const beyond = what.includes("beyond") ? withDefaultParserOnly("the client's MessagePack writes them wrong") : {};
    test(`S-002 ${what}`, beyond, async () => {
      const peer = await clients.connect();
      peer.emit("echo", ...args);
      assert.deepEqual(await peer.next("echo"), args);
    });
  }

  test("undefined becomes null, a date its string, as JSON has it", async () => {
    const peer = await clients.connect();
    const date = new Date(0);
    peer.emit("echo", undefined, date, { gone: undefined, kept: 1 });
    // The official server keeps both in MessagePack; in JSON they are what they are here at the latest.
    const echoed = JSON.parse(JSON.stringify(await peer.next("echo")));
    assert.deepEqual(echoed, [null, "1970-01-01T00:00:00.000Z", { kept: 1 }]);
  });

  test("event names are any text", async () => {
    const peer = await clients.connect();
    for (const name of ["", " ", "naïve 😀", 'quoted "name"', "a,b", "with\nline", "0", "message"]) {
      peer.emit("in-room", peer.id, name, "it is");
      assert.deepEqual(await peer.next(name), ["it is"]);
    }
  });

  test("the order is kept, both ways", async () => {
    const peer = await clients.connect();
    for (let i = 0; i < 300; i++) peer.emit("echo", i, "x".repeat(i % 7));
    for (let i = 0; i < 300; i++) assert.deepEqual(await peer.next("echo"), [i, "x".repeat(i % 7)]);
  });

  test("an unknown event is ignored and not acknowledged", async () => {
    const peer = await clients.connect();
    let acked = false;
    peer.socket.emit("no-such-event", 1, () => (acked = true));
    peer.emit("no-such-event", Buffer.from([1]));
    await peer.settled();
    assert.equal(acked, false);
  });
});
