import assert from "node:assert/strict";
import { aWhile, byHand } from "../../support/client.mjs";
import { eventually } from "../../support/wait.mjs";

/** The connection ends by what the client does. */
async function clientEnds(session) {
  if (session.transport === "websocket") await session.ended();
  else await session.nextLike("1");
}

const losses = {
  "transport close": {
    "C-029 the server closes": (session) => session.close(),
    "C-029 the server closes after a last event": (session) => session.send('42["last"]', "1"),
  },
  "transport error": {
    "C-027 a poll is refused": [["polling"], (session) => session.refusePoll(500)],
    "C-027 the session is unknown": [["polling"], (session) => session.refusePoll(400)],
    "C-027 what comes is no frame": [["websocket"], (session) => session.writeGarbage()],
  },
  "transport (close|error)": {
    "C-027 the connection breaks": (session) => session.break(),
    "C-027 the connection is reset": (session) => session.break({ reset: true }),
  },
};

byHand("closing", (play) => {
  for (const [reason, ways] of Object.entries(losses)) {
    for (const [what, way] of Object.entries(ways)) {
      const [transports, lose] = Array.isArray(way) ? way : [["polling", "websocket"], way];
      play(`${what}: ${reason}, and the client comes back`, { transports }, async (scene) => {
        // A WebSocket server does not say 1, it closes.
        if (scene.transport === "websocket" && what.endsWith("a last event")) return;
        const { remote, session } = await scene.meet({ reconnection: true });
        lose(session);
        assert.match(await remote.disconnected(), new RegExp(`^${reason}$`));
        await (await scene.server.session()).admit();
        await remote.connected();
        assert.equal(remote.count("disconnect"), 1);
      });
    }
  }

  play("C-027 a POST is refused: transport error, and the client comes back", { transports: ["polling"] }, async (scene) => {
    const { remote } = await scene.meet({ reconnection: true });
    scene.server.behave({ postStatus: () => 413 });
    remote.emit("a");
    assert.equal(await remote.disconnected(), "transport error");
    scene.server.behave({ postStatus: () => 200 });
    await (await scene.server.session()).admit();
    await remote.connected();
  });

  play("without reconnection it does not come back", {}, async (scene) => {
    const { remote, session } = await scene.meet({ reconnection: false });
    session.break();
    assert.match(await remote.disconnected(), /^transport (close|error)$/);
    await aWhile();
    assert.deepEqual(scene.server.unseen(), []);
    assert.equal(remote.count("reconnect_failed"), 0);
  });

  play("C-052 the server disconnects it: it closes and stays away until told", {}, async (scene) => {
    const { remote, session } = await scene.meet({ reconnection: true });
    session.send("41");
    assert.equal(await remote.disconnected(), "io server disconnect");
    await clientEnds(session);
    await aWhile();
    assert.deepEqual(scene.server.unseen(), []);
    remote.command("connect");
    await (await scene.server.session()).admit();
    await remote.connected();
  });

  play("C-036 C-052 it disconnects: it says so, closes, and stays away until told", {}, async (scene) => {
    const { remote, session } = await scene.meet({ reconnection: true });
    remote.command("disconnect");
    assert.equal(await remote.disconnected(), "io client disconnect");
    assert.equal(await session.nextLike("4"), "41");
    await clientEnds(session);
    await aWhile();
    assert.deepEqual(scene.server.unseen(), []);
    remote.command("connect");
    await (await scene.server.session()).admit();
    await remote.connected();
  });

  play("C-053 it disconnects and connects in one breath", {}, async (scene) => {
    const { remote, session } = await scene.meet();
    remote.command("disconnect");
    remote.command("connect");
    assert.equal(await remote.disconnected(), "io client disconnect");
    // Over a new connection, or again over the one it has.
    const asked = () => (session.all.filter((packet) => packet === "40").length > 1 ? session : scene.server.unseen()[0]);
    await (await eventually("another CONNECT", asked, Boolean)).admit();
    await remote.connected();
  });

  play("C-053 a disconnect before it is connected cancels the connection", {}, async (scene) => {
    const remote = scene.open({ reconnection: true });
    const session = await scene.server.session();
    await session.nextLike("40");
    remote.command("disconnect");
    await clientEnds(session);
    await aWhile();
    assert.equal(remote.count("connect"), 0);
    assert.deepEqual(scene.server.unseen(), []);
  });

  play("C-036 a disconnect ends the attempts to reconnect", {}, async (scene) => {
    await scene.server.close();
    const remote = scene.open({ reconnection: true, reconnectionDelay: 600 });
    await remote.refused();
    remote.command("disconnect");
    await scene.server.listen();
    await aWhile(1200);
    assert.deepEqual(scene.server.requests, []);
    assert.equal(remote.count("connect"), 0);
  });

  play("C-026 what was emitted before a disconnect is sent before it", { needs: ["buffer"] }, async (scene) => {
    const { remote, session } = await scene.meet();
    for (let i = 0; i < 50; i++) remote.emit("number", i, i % 2 ? "text" : Buffer.from([i]));
    remote.command("disconnect");
    const packets = [];
    while (packets.at(-1) !== "41") packets.push(await session.next());
    assert.equal(packets.length, 50 + 25 + 1);
    await clientEnds(session);
  });
});
