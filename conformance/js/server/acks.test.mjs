import assert from "node:assert/strict";
import { test } from "node:test";
import { overEachWay } from "../support/suite.mjs";
import { TIMEOUT, within } from "../support/wait.mjs";

overEachWay("acknowledgements", ({ clients }) => {
  test("S-059 the server acks with any number of arguments", async () => {
    const peer = await clients.connect();
    for (const args of [[], ["one"], [null], [1, "two", { three: [3] }, null, false, "é€😀\u2028"]]) {
      assert.deepEqual(await peer.ask("echo-ack", ...args), args);
    }
  });

  test("emitWithAck resolves with the first argument", async () => {
    const peer = await clients.connect();
    const answer = within(TIMEOUT, "emitWithAck", peer.socket.emitWithAck("echo-ack", { first: 1 }, "second"));
    assert.deepEqual(await answer, { first: 1 });
  });

  test("S-059 acks find their callers in any order", async () => {
    const peer = await clients.connect();
    const finished = [];
    const delays = [120, 80, 40, 0];
    const answers = delays.map(async (ms) => {
      const value = await peer.ask1("delay-ack", ms, `after ${ms}`);
      finished.push(ms);
      return value;
    });
    assert.deepEqual(await Promise.all(answers), delays.map((ms) => `after ${ms}`));
    assert.deepEqual(finished, [0, 40, 80, 120]);
  });

  test("a hundred at once", async () => {
    const peer = await clients.connect();
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    assert.deepEqual(await Promise.all(numbers.map((i) => peer.ask1("echo-ack", i))), numbers);
  });

  test("C-046 timeout() gives the answer if it comes in time", async () => {
    const peer = await clients.connect();
    assert.equal(await peer.socket.timeout(3000).emitWithAck("delay-ack", 20, "in time"), "in time");
  });

  test("C-046 timeout() gives up, and the late ack is ignored", async () => {
    const peer = await clients.connect();
    const calls = [];
    const gaveUp = new Promise((resolve) => {
      peer.socket.timeout(50).emit("delay-ack", 200, "too late", (...args) => {
        calls.push(args);
        resolve();
      });
    });
    await within(TIMEOUT, "the time-out of the ack", gaveUp);
    assert.equal(calls[0][0].message, "operation has timed out");
    assert.equal(await peer.ask1("delay-ack", 250, "later"), "later");
    assert.equal(calls.length, 1);
  });

  test("S-061 the server asks, the client answers", async () => {
    const peer = await clients.connect();
    peer.answer("question", (value) => [value, "and more", { n: 1 }, null]);
    const reply = await peer.ask1("ask-me", 3000, { what: "é€😀" });
    assert.deepEqual(reply, { ok: true, answer: [{ what: "é€😀" }, "and more", { n: 1 }, null] });
    assert.deepEqual(await peer.next("question"), [{ what: "é€😀" }]);
  });

  test("S-061 an answer without arguments is an answer", async () => {
    const peer = await clients.connect();
    peer.answer("question", () => []);
    assert.deepEqual(await peer.ask1("ask-me", 3000, null), { ok: true, answer: [] });
  });

  test("S-061 the server gives up on a client that does not answer", async () => {
    const peer = await clients.connect();
    const started = performance.now();
    assert.deepEqual(await peer.ask1("ask-me", 150, "anybody?"), { ok: false });
    assert.ok(performance.now() - started >= 140);
    assert.deepEqual(await peer.next("question"), ["anybody?"]);
  });

  test("S-061 an answer after the time-out is ignored", async () => {
    const peer = await clients.connect();
    let lateAnswer;
    peer.socket.once("question", (_value, ack) => (lateAnswer = ack));
    assert.deepEqual(await peer.ask1("ask-me", 50, 1), { ok: false });
    lateAnswer("late");
    await peer.settled();
    peer.answer("question", () => ["prompt"]);
    assert.deepEqual(await peer.ask1("ask-me", 3000, 2), { ok: true, answer: ["prompt"] });
  });

  test("S-060 a second answer is ignored", async () => {
    const peer = await clients.connect();
    let question;
    peer.socket.io.decoder.on("decoded", (packet) => {
      if (packet.id !== undefined) question ??= packet;
    });
    peer.socket.on("question", (_value, ack) => {
      ack("first");
      peer.sendPacket({ type: 3, id: question.id, data: ["second"] });
    });
    assert.deepEqual(await peer.ask1("ask-me", 3000, 1), { ok: true, answer: ["first"] });
    assert.equal(await peer.ask1("echo-ack", "alive"), "alive");
  });

  test("S-060 an ack nobody asked for is ignored", async () => {
    const peer = await clients.connect();
    peer.sendPacket({ type: 3, id: 987654, data: ["?"] });
    assert.equal(await peer.ask1("echo-ack", "alive"), "alive");
  });

  test("S-063 a room answers as one", async () => {
    const [asker, other, outsider] = [await clients.connect(), await clients.connect(), await clients.connect()];
    await asker.ask("join", "jury");
    await other.ask("join", "jury");
    asker.answer("question", (value) => [`${value} from the asker`, "cut off"]);
    other.answer("question", (value) => [`${value} from the other`]);
    outsider.answer("question", () => ["not asked"]);
    const { ok, answers } = await asker.ask1("ask-room", 3000, "jury", "yes");
    assert.equal(ok, true);
    assert.deepEqual(answers.sort(), ["yes from the asker", "yes from the other"]);
    await outsider.settled();
    assert.deepEqual(outsider.unread("question"), []);
  });

  test("S-063 a silent member makes the answer partial", async () => {
    const [asker, silent] = [await clients.connect(), await clients.connect()];
    await asker.ask("join", "panel");
    await silent.ask("join", "panel");
    asker.answer("question", () => ["here"]);
    assert.deepEqual(await asker.ask1("ask-room", 150, "panel", "?"), { ok: false, answers: ["here"] });
  });

  test("S-063 an empty room answers at once, with nothing", async () => {
    const peer = await clients.connect();
    assert.deepEqual(await peer.ask1("ask-room", 3000, "nobody here", "?"), { ok: true, answers: [] });
  });

  test("C-046 a lost connection rejects what waits for an ack", async () => {
    const peer = await clients.connect();
    const waiting = peer.socket.emitWithAck("delay-ack", 4000, "never");
    const timed = peer.socket.timeout(4000).emitWithAck("delay-ack", 4000, "never");
    peer.emit("drop-me");
    await assert.rejects(within(TIMEOUT, "the rejection of emitWithAck", waiting), /socket has been disconnected/);
    await assert.rejects(within(TIMEOUT, "the rejection of emitWithAck", timed), /socket has been disconnected/);
  });
});
