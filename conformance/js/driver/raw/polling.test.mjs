import assert from "node:assert/strict";
import { byHand } from "../../support/client.mjs";

const LIMIT = 1000;
const polling = { transports: ["polling"] };
const limited = { opening: { maxPayload: LIMIT }, postStatus: (body) => (Buffer.byteLength(body) > LIMIT ? 413 : 200) };

byHand("polling", (play) => {
  const needs = ["max-payload", "buffer"];

  play("C-020 what does not fit into one POST goes into several, in order", { ...polling, needs, behaviour: limited }, async (scene) => {
    const remote = scene.open();
    const texts = Array.from({ length: 80 }, (_, i) => "é€😀x".repeat(i % 20));
    texts.forEach((text, i) => remote.emit("text", i, text));
    const session = await scene.server.session();
    await session.admit();
    for (const [i, text] of texts.entries()) assert.deepEqual(JSON.parse((await session.nextLike("42")).slice(2)), ["text", i, text]);
    assert.ok(session.bodies.every((body) => Buffer.byteLength(body) <= LIMIT));
    // Together they are more than 8000 bytes; one by one would be 80 requests.
    assert.ok(session.bodies.length < 30, `${session.bodies.length} requests`);
    assert.deepEqual(session.faults, []);
    assert.ok(remote.stayed);
  });

  play("C-020 a POST may be exactly as long as it may be", { ...polling, needs, behaviour: limited }, async (scene) => {
    const remote = scene.open();
    // 42["a","…"] is 10 bytes and the text, and there is a separator: the second and the third fit exactly.
    for (const length of [LIMIT - 10, 489, 490, 490, 490, LIMIT - 10]) remote.emit("a", "x".repeat(length));
    const session = await scene.server.session();
    await session.admit();
    for (let i = 0; i < 6; i++) await session.nextLike("42");
    const lengths = session.bodies.filter((body) => body.startsWith("42")).map((body) => body.length);
    assert.deepEqual(lengths, [LIMIT, LIMIT, 500, 500, LIMIT]);
  });

  play("C-020 binary counts as long as it is in base64", { ...polling, needs, behaviour: limited }, async (scene) => {
    const remote = scene.open();
    const all = Array.from({ length: 60 }, (_, i) => Buffer.alloc(3 + 3 * (i % 30), i));
    for (const bytes of all) remote.emit("bytes", bytes);
    const session = await scene.server.session();
    await session.admit();
    for (const bytes of all) {
      await session.nextLike("451-");
      assert.deepEqual(await session.next(), bytes);
    }
    assert.ok(session.bodies.length < 20, `${session.bodies.length} requests`);
    assert.ok(remote.stayed);
  });

  play("C-020 a packet that is too long goes alone", { ...polling, needs, behaviour: { opening: { maxPayload: LIMIT } } }, async (scene) => {
    const remote = scene.open();
    const texts = ["before", "x".repeat(3 * LIMIT), "after", "y".repeat(2 * LIMIT)];
    for (const text of texts) remote.emit("text", text);
    const session = await scene.server.session();
    await session.admit();
    for (const text of texts) assert.equal(await session.nextLike("42"), `42["text","${text}"]`);
    const events = session.bodies.filter((body) => body.startsWith("42")).map((body) => body.length);
    assert.deepEqual(events, texts.map((text) => text.length + '42["text",""]'.length));
  });

  play("a server without a limit gets all at once", { ...polling, needs: ["buffer"], behaviour: { opening: { maxPayload: undefined } } }, async (scene) => {
    const remote = scene.open();
    for (let i = 0; i < 100; i++) remote.emit("text", i, "x".repeat(100));
    const session = await scene.server.session();
    await session.admit();
    for (let i = 0; i < 100; i++) assert.ok((await session.nextLike("42")).startsWith(`42["text",${i},`));
    assert.ok(session.bodies.length <= 4, `${session.bodies.length} requests`);
  });

  play("C-019 there is one poll and one POST at a time, and all keeps its order", { ...polling, behaviour: { postDelay: 15 } }, async (scene) => {
    const { remote, session } = await scene.meet();
    for (let i = 0; i < 60; i++) {
      remote.emit("up", i, i % 3 ? "text" : Buffer.from([i]));
      session.send(`42["down",${i}]`);
      if (i % 10 === 0) await remote.next("down");
    }
    const numbers = [];
    while (numbers.length < 60) {
      const packet = await session.next();
      if (!Buffer.isBuffer(packet)) numbers.push(Number(/"up",(\d+)/.exec(packet)[1]));
    }
    assert.deepEqual(numbers, Array.from({ length: 60 }, (_, i) => i));
    for (let i = 6; i < 60; i++) await remote.next("down");
    assert.deepEqual(session.faults, []);
    assert.ok(remote.stayed);
  });

  play("a hundred packets in one answer", polling, async (scene) => {
    const { remote, session } = await scene.meet();
    const packets = Array.from({ length: 100 }, (_, i) => [`451-["down",${i},{"_placeholder":true,"num":0}]`, Buffer.from([i])]);
    session.send(...packets.flat());
    const expected = packets.map(([, bytes], i) => [i, bytes]);
    assert.deepEqual(await remote.nextFew(100, "down"), expected);
  });
});
