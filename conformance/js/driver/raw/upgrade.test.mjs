import assert from "node:assert/strict";
import { aWhile, byHand } from "../../support/client.mjs";
import { eventually } from "../../support/wait.mjs";

const both = { transports: ["polling", "websocket"] };
const only = { transports: ["polling"] };
const needs = ["upgrade", "websocket"];

const webSocketRequests = ({ requests }) => requests.filter(({ headers }) => headers.upgrade?.toLowerCase() === "websocket");

/** Events both ways, more than once, still arrive. */
async function talks(remote, session) {
  for (let i = 0; i < 3; i++) {
    remote.emit("up", i);
    assert.equal(await session.nextLike("42"), `42["up",${i}]`);
    session.send(`42["down",${i}]`);
    assert.deepEqual(await remote.next("down"), [i]);
  }
}

byHand("upgrade", (play) => {
  play("C-021 the client probes, waits for its poll, and changes over", { ...only, needs }, async (scene) => {
    const { remote, session } = await scene.meet(both);
    await eventually("the upgrade", () => session.transport, (transport) => transport === "websocket");
    const [request] = webSocketRequests(scene.server);
    assert.deepEqual([request.query.EIO, request.query.transport, request.query.sid], ["4", "websocket", session.sid]);
    assert.deepEqual(session.all.filter((packet) => ["2probe", "5"].includes(packet)), ["2probe", "5"]);
    await talks(remote, session);
    assert.deepEqual(session.faults, []);
    assert.ok(remote.reports.every(({ ev, transport }) => ev !== "upgrade" || transport === "websocket"));
  });

  play("C-022 what goes both ways meanwhile keeps its order", { ...only, needs, behaviour: { postDelay: 10 } }, async (scene) => {
    const { remote, session } = await scene.meet(both);
    let sent = 0;
    while (session.transport === "polling" || sent < 100) {
      remote.emit("up", sent);
      session.send(`42["down",${sent++}]`);
      await aWhile(1);
    }
    for (let i = 0; i < sent; i++) assert.equal(await session.nextLike("42"), `42["up",${i}]`);
    for (let i = 0; i < sent; i++) assert.deepEqual(await remote.next("down"), [i]);
    assert.deepEqual(session.faults, []);
  });

  const refusals = {
    "is refused": { candidateStatus: 400 },
    "is answered with something else": { probeAnswer: "3nope" },
    "is answered with a message": { probeAnswer: "4probe" },
    "is not answered": { probeAnswer: null },
  };
  for (const [what, behaviour] of Object.entries(refusals)) {
    play(`C-021 a probe that ${what} changes nothing`, { ...only, needs, behaviour }, async (scene) => {
      const { remote, session } = await scene.meet(both);
      await eventually("the probe", () => webSocketRequests(scene.server).length, Boolean);
      await aWhile(100);
      await talks(remote, session);
      assert.equal(session.transport, "polling");
      assert.deepEqual(session.faults, []);
      assert.ok(remote.stayed);
    });
  }

  const unwanted = {
    "the server does not offer it": [both, { opening: { upgrades: [] } }],
    "the server offers something else": [both, { opening: { upgrades: ["pigeon"] } }],
    "it is turned off": [{ ...both, upgrade: false }, {}],
    "there is but one transport": [only, {}],
  };
  for (const [when, [options, behaviour]] of Object.entries(unwanted)) {
    play(`C-008 no probe when ${when}`, { ...only, needs, behaviour }, async (scene) => {
      const { remote, session } = await scene.meet(options);
      await talks(remote, session);
      await aWhile(100);
      assert.deepEqual(webSocketRequests(scene.server), []);
    });
  }

  play("C-008 after a loss it begins with polling again", { ...only, needs: [...needs, "reconnect-websocket"] }, async (scene) => {
    const { remote, session } = await scene.meet({ ...both, reconnection: true });
    await eventually("the upgrade", () => session.transport, (transport) => transport === "websocket");
    await talks(remote, session);
    session.break();
    assert.match(await remote.disconnected(), /^transport (close|error)$/);
    const next = await scene.server.session();
    assert.equal(next.query.transport, "polling");
    await next.admit();
    await remote.connected();
    await eventually("the upgrade", () => next.transport, (transport) => transport === "websocket");
    await talks(remote, next);
  });

  play("C-006 the order of the transports is that of the list", { transports: ["websocket"], needs: ["polling"] }, async (scene) => {
    const { remote, session } = await scene.meet({ transports: ["websocket", "polling"] });
    await talks(remote, session);
    assert.deepEqual(scene.server.requests.map(({ query }) => query.transport), ["websocket"]);
  });

  play("C-026 a disconnect during the probe says what was emitted before it", { ...only, needs, behaviour: { postDelay: 30 } }, async (scene) => {
    const remote = scene.open(both);
    const session = await scene.server.session();
    await session.admit();
    await remote.connected();
    for (let i = 0; i < 10; i++) remote.emit("up", i);
    remote.command("disconnect");
    for (let i = 0; i < 10; i++) assert.equal(await session.nextLike("4"), `42["up",${i}]`);
    assert.equal(await session.nextLike("4"), "41");
    assert.equal(await remote.disconnected(), "io client disconnect");
  });
});
