import assert from "node:assert/strict";

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const bytes = (...values) => Buffer.from(values);

const argumentLists = {
  "no argument": [[]],
  "one to ten arguments": [["one"], [1, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
  "null, true and false": [[null, true, false], [null], [false]],
  numbers: [[0, -1, 1.5, -0.1, 5e-324, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
  "numbers beyond 64 bits": [[1e21, 1.7976931348623157e308]],
  strings: [["", " ", "0", "null", '42["x"]', "/dyn-1,"], ['"', "\\", "/", '\\"\\\\n', "</script>"]],
  "lists and objects": [
    [[], [[]], [1, [2, [3, [null]]]]],
    [{}, { a: { b: { c: [{ d: null }] } } }, { "": 0, " ": 1, "a.b": 2, "ключ é€😀": 3 }],
    [1, "2", [3], { four: 4 }, null, true],
    [Array.from({ length: 60 }).reduce((inner, _, i) => (i % 2 ? [inner] : { inner }), "bottom")],
  ],
  "unicode of every length": [
    ["é€😀", "é", "€", "😀"],
    ["中文 русский עברית", "👩‍👩‍👧‍👦", "e\u0301"],
    ["a\u2028b\u2029c", "\u0085\ufeff\uffff"],
    ["\b\f\n\r\t", "\u0000\u0001\u001e\u001f\u007f"],
  ],
  "what looks like a placeholder": [[{ _placeholder: true, num: 0 }, { _placeholder: true }]],
  "binary as an argument": [[bytes(0)], [bytes(1, 2, 3)], [everyByte], ["before", bytes(255, 254), "after"], [bytes(1), bytes(2), bytes(3)]],
  "empty binary": [[bytes()], [bytes(), "é€😀", bytes()]],
  "binary in any depth": [
    [{ file: { name: "é€😀", parts: [bytes(1), { inner: [[bytes(2, 3)]] }], size: 3 } }, null, bytes(4)],
    [[[[[[[[[[bytes(9)]]]]]]]]]],
    [Array.from({ length: 10 }, (_, i) => bytes(i))],
  ],
};

const echoes = Object.entries(argumentLists).map(([what, lists]) => ({
  title: `S-002 S-003 echo: ${what}`,
  needs: what.includes("beyond") ? ["numbers beyond 64 bits"] : [],
  async play(stage) {
    const remote = await stage.connect();
    for (const args of lists) {
      remote.emit("echo", ...args);
      assert.deepEqual(await remote.next("echo"), args);
    }
  },
}));

export const events = [
  ...echoes,
  {
    title: "event names are any text",
    async play(stage) {
      const remote = await stage.connect();
      for (const name of ["", " ", "naïve 😀", 'quoted "name"', "a,b", "with\nline", "0"]) {
        remote.emit("in-room", remote.id, name, "it is");
        assert.deepEqual(await remote.next(name), ["it is"]);
      }
    },
  },
  {
    title: "text and binary keep their order, both ways",
    async play(stage) {
      const remote = await stage.connect();
      const lists = Array.from({ length: 100 }, (_, i) => (i % 3 === 0 ? [i, bytes(i, i + 1)] : [i, "x".repeat(i % 7)]));
      for (const args of lists) remote.emit("echo", ...args);
      assert.deepEqual(await remote.nextFew(lists.length, "echo"), lists);
    },
  },
];
