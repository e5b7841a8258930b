import assert from "node:assert/strict";

const tree = (a, b) => ({ list: [a, { deep: [[b]] }], name: "é€😀", none: null });

export const acks = [
  {
    title: "S-059 the server acks with any number of arguments",
    async play(stage) {
      const remote = await stage.connect();
      for (const args of [[], ["one"], [null], [1, "two", { three: [3] }, null, false, "é€😀\u2028"]]) {
        assert.deepEqual(await remote.ask("echo-ack", ...args), args);
      }
    },
  },
  {
    title: "S-059 an ack carries binary in any depth",
    async play(stage) {
      const remote = await stage.connect();
      const [one, two] = [Buffer.from([1, 2, 3]), Buffer.from([4, 5])];
      assert.deepEqual(await remote.ask("echo-ack", "text", one, { two }), ["text", one, { two }]);
      const reversed = await remote.ask1("reverse", tree(one, two));
      assert.deepEqual(reversed, tree(Buffer.from([3, 2, 1]), Buffer.from([5, 4])));
    },
  },
  {
    title: "S-059 delayed acks find their callers in any order",
    async play(stage) {
      const remote = await stage.connect();
      const finished = [];
      const answers = [450, 300, 150, 0].map(async (ms) => {
        assert.equal(await remote.ask1("delay-ack", ms, `after ${ms}`), `after ${ms}`);
        finished.push(ms);
      });
      await Promise.all(answers);
      assert.deepEqual(finished, [0, 150, 300, 450]);
    },
  },
  {
    title: "S-059 a hundred at once",
    async play(stage) {
      const remote = await stage.connect();
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      assert.deepEqual(await Promise.all(numbers.map((i) => remote.ask1("echo-ack", i))), numbers);
    },
  },
  {
    title: "C-046 the client gives up on a late ack, and ignores it when it comes",
    needs: ["ack-timeout"],
    async play(stage) {
      const remote = await stage.connect();
      assert.equal(await remote.askWithin(50, "delay-ack", 150, "too late"), "timeout");
      assert.deepEqual(await remote.askWithin(3000, "delay-ack", 200, "in time"), ["in time"]);
    },
  },
  {
    title: "an unknown event is ignored",
    async play(stage) {
      const remote = await stage.connect();
      remote.emit("no-such-event", 1, "é€😀");
      remote.emit("no-such-event", Buffer.from([1]));
      await remote.settled();
      assert.ok(remote.stayed);
    },
  },
  {
    title: "S-061 the server asks, the client answers",
    async play(stage) {
      const remote = await stage.connect();
      const args = [{ what: "é€😀" }, "and more", null, [1]];
      remote.answer("question", { args });
      assert.deepEqual(await remote.ask1("ask-me", 3000, "well?"), { ok: true, answer: args });
      assert.deepEqual(await remote.next("question"), ["well?"]);
    },
  },
  {
    title: "S-061 the server asks with binary, the client answers with it",
    async play(stage) {
      const remote = await stage.connect();
      const value = tree(Buffer.from([0, 255]), Buffer.from([7]));
      remote.answer("question", "echo");
      assert.deepEqual(await remote.ask1("ask-me", 3000, value), { ok: true, answer: [value] });
      assert.deepEqual(await remote.next("question"), [value]);
    },
  },
  {
    title: "S-061 an answer without arguments is an answer",
    async play(stage) {
      const remote = await stage.connect();
      remote.answer("question", { args: [] });
      assert.deepEqual(await remote.ask1("ask-me", 3000, null), { ok: true, answer: [] });
    },
  },
  {
    title: "S-061 the server gives up on a client that does not answer",
    async play(stage) {
      const remote = await stage.connect();
      remote.answer("question", "never");
      const started = performance.now();
      assert.deepEqual(await remote.ask1("ask-me", 150, "anybody?"), { ok: false });
      assert.ok(performance.now() - started >= 140);
      assert.deepEqual(await remote.next("question"), ["anybody?"]);
      assert.equal(await remote.ask1("echo-ack", "alive"), "alive");
    },
  },
  {
    title: "S-063 a room answers as one",
    async play(stage) {
      const [asker, other, outsider] = await stage.connectFew(3);
      await asker.ask("join", "jury");
      await other.ask("join", "jury");
      asker.answer("question", { args: ["the asker's", "cut off"] });
      other.answer("question", { args: ["the other's"] });
      outsider.answer("question", { args: ["not asked"] });
      await Promise.all([asker, other, outsider].map((remote) => remote.settled()));
      const { ok, answers } = await asker.ask1("ask-room", 3000, "jury", "yes?");
      assert.deepEqual({ ok, answers: answers.sort() }, { ok: true, answers: ["the asker's", "the other's"] });
      await outsider.settled();
      assert.deepEqual(outsider.unread("question"), []);
    },
  },
  {
    title: "S-063 a silent member makes the answer partial, an empty room an empty one",
    async play(stage) {
      const [asker, silent] = await stage.connectFew(2);
      await asker.ask("join", "panel");
      await silent.ask("join", "panel");
      asker.answer("question", { args: ["here"] });
      silent.answer("question", "never");
      assert.deepEqual(await asker.ask1("ask-room", 150, "panel", "?"), { ok: false, answers: ["here"] });
      assert.deepEqual(await asker.ask1("ask-room", 3000, "nobody here", "?"), { ok: true, answers: [] });
    },
  },
];
