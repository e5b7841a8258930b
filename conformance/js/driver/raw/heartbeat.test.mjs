import assert from "node:assert/strict";
import { aWhile, byHand } from "../../support/client.mjs";

const needs = ["strict"];
const quick = { opening: { pingInterval: 200, pingTimeout: 150 } };

/** Calls `action` every 50 ms until it is told to stop. */
function often(action) {
  const timer = setInterval(action, 50);
  return () => clearInterval(timer);
}

byHand("heartbeat", (play) => {
  play("C-023 a server that does not ping has gone", { needs, behaviour: quick }, async (scene) => {
    const started = performance.now();
    const { remote } = await scene.meet({ reconnection: true });
    assert.equal(await remote.disconnected(), "ping timeout");
    const elapsed = performance.now() - started;
    assert.ok(elapsed >= 340 && elapsed < 3000, `after ${elapsed} ms`);
    await (await scene.server.session()).admit();
    await remote.connected();
  });

  play("C-023 only pings count", { needs, behaviour: quick }, async (scene) => {
    const { remote, session } = await scene.meet();
    const stop = often(() => session.send('42["still here"]'));
    try {
      assert.equal(await remote.disconnected(3000), "ping timeout");
    } finally {
      stop();
    }
  });

  play("C-023 pings are answered, one by one, and keep the connection", { needs, behaviour: { opening: { pingInterval: 500, pingTimeout: 400 } } }, async (scene) => {
    const { remote, session } = await scene.meet();
    for (let i = 0; i < 12; i++) {
      session.send("2");
      await session.pong();
      await aWhile(100);
    }
    assert.ok(remote.stayed);
    assert.equal(session.all.filter((packet) => packet === "3").length, 12);
    assert.deepEqual(session.faults, []);
    assert.equal(await remote.disconnected(), "ping timeout");
  });

  play("E-077 a pong does not wait for what is emitted, nor overtake it", { needs }, async (scene) => {
    const { remote, session } = await scene.meet();
    for (let i = 0; i < 20; i++) remote.emit("number", i);
    session.send("2");
    await session.pong();
    for (let i = 0; i < 20; i++) assert.equal(await session.next(), `42["number",${i}]`);
    assert.ok(remote.stayed);
  });
});
