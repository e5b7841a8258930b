import assert from "node:assert/strict";
import { aWhile, byHand } from "../../support/client.mjs";
import { freePort } from "../../support/process.mjs";
import { RawServer } from "../../support/raw.mjs";

/** Waits for so many failed attempts; gives the messages. */
async function failures(remote, count) {
  const messages = [];
  while (messages.length < count) messages.push((await remote.refused()).message);
  return messages;
}

byHand("opening", (play) => {
  for (const [what, behaviour] of Object.entries({ "accepts and says nothing": { silent: true }, "begins to answer": { mute: true } })) {
    play(`C-034 the client gives up on a server that ${what}`, { needs: ["open-timeout"], behaviour }, async (scene) => {
      const started = performance.now();
      const remote = scene.open({ timeout: 200 });
      const { message } = await remote.refused();
      const elapsed = performance.now() - started;
      assert.ok(typeof message === "string" && message !== "");
      assert.ok(elapsed >= 190 && elapsed < 3000, `${elapsed} ms`);
      await aWhile();
      assert.equal(remote.count("connect_error"), 1);
    });
  }

  play("C-034 it tries again after that", { needs: ["open-timeout"], behaviour: { silent: true } }, async (scene) => {
    const remote = scene.open({ timeout: 1000, reconnection: true });
    await failures(remote, 2);
    scene.server.behave({ silent: false });
    await (await scene.server.session()).admit();
    await remote.connected();
  });

  play("C-033 nobody listens: so many attempts, then it says that it gave up", { needs: ["attempts"] }, async (scene) => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const remote = scene.openAt(url, { reconnection: true, reconnectionAttempts: 3 });
    await failures(remote, 4);
    await remote.gaveUp();
    await aWhile();
    assert.deepEqual(
      remote.reports.map(({ ev }) => ev),
      ["connect_error", "connect_error", "connect_error", "connect_error", "reconnect_failed"],
    );
  });

  play("C-033 after it gave up it can be told to connect", { needs: ["attempts"] }, async (scene) => {
    const { server } = scene;
    await server.close();
    const remote = scene.open({ reconnection: true, reconnectionAttempts: 1 });
    await failures(remote, 2);
    await remote.gaveUp();
    await server.listen();
    remote.command("connect");
    await (await server.session()).admit();
    await remote.connected();
  });

  play("C-034 attempts are counted from each loss", { needs: ["attempts"] }, async (scene) => {
    const { server } = scene;
    await server.close();
    const remote = scene.open({ reconnection: true, reconnectionAttempts: 5 });
    await failures(remote, 1);
    await server.listen();
    await (await server.session()).admit();
    await remote.connected();
    const before = remote.count("connect_error");
    await server.close();
    await remote.disconnected();
    await remote.gaveUp();
    assert.equal(remote.count("connect_error") - before, 5);
    assert.equal(remote.count("reconnect_failed"), 1);
  });

  play("C-031 without reconnection there is one attempt", {}, async (scene) => {
    const remote = scene.openAt(`http://127.0.0.1:${await freePort()}`);
    await remote.refused();
    await aWhile();
    assert.deepEqual(remote.reports.map(({ ev }) => ev), ["connect_error"]);
  });

  play("C-032 attempts are further and further apart", { needs: ["attempts"], behaviour: { openingStatus: 503 } }, async (scene) => {
    const times = [];
    const remote = scene.open({ reconnection: true, reconnectionDelay: 100, reconnectionAttempts: 3 });
    for (let i = 0; i < 4; i++) {
      await remote.refused();
      times.push(performance.now());
    }
    await remote.gaveUp();
    const gaps = times.slice(1).map((time, i) => Math.round(time - times[i]));
    const bounds = [[50, 150], [100, 300], [200, 600]];
    bounds.forEach(([least, most], i) => assert.ok(gaps[i] >= least - 15 && gaps[i] < most + 1500, `gaps of ${gaps} ms`));
  });

  for (const openingStatus of [400, 403, 404, 500, 503]) {
    play(`C-030 status ${openingStatus} is a failure`, { behaviour: { openingStatus } }, async (scene) => {
      const remote = scene.open();
      const { message } = await remote.refused();
      assert.ok(typeof message === "string" && message !== "");
      await aWhile(50);
      assert.deepEqual(remote.reports.map(({ ev }) => ev), ["connect_error"]);
    });
  }

  const greetings = ["0no JSON", "0", "0[]", "0{", '0{"sid":', "0null", "hello", "<html>", "", "4early", "\x1e"];
  for (const greeting of greetings) {
    const options = { needs: ["bad-handshake"], behaviour: { greeting } };
    play(`a first packet ${JSON.stringify(greeting)} is a failure`, options, async (scene) => {
      const remote = scene.open({ timeout: 1000 });
      await remote.refused();
      assert.equal(remote.count("connect"), 0);
    });
  }

  play("a bad first packet is tried again", { needs: ["bad-handshake"], behaviour: { greeting: "0no JSON" } }, async (scene) => {
    const remote = scene.open({ reconnection: true });
    await failures(remote, 2);
    scene.server.behave({ greeting: null });
    await (await scene.server.session()).admit();
    await remote.connected();
  });

  play("C-009 C-018 C-019 all requests have the query, the headers and the session", { needs: ["query"] }, async (scene) => {
    const query = { color: "blue & green", word: "é€😀", empty: "" };
    const { remote, session } = await scene.meet({ query, headers: { "X-Custom": "Some Value" } });
    remote.emit("a");
    await session.nextLike("42");
    const { requests } = scene.server;
    for (const [i, request] of requests.entries()) {
      const { EIO, transport, sid, t, ...rest } = request.query;
      assert.deepEqual(rest, query);
      assert.deepEqual([EIO, transport, sid], ["4", scene.transport, i === 0 ? undefined : session.sid]);
      assert.equal(request.url.pathname, "/socket.io/");
      assert.equal(request.headers["x-custom"], "Some Value");
      // C-010: polling defeats caches.
      assert.equal(t === undefined, scene.transport === "websocket");
    }
    const stamps = requests.map(({ query: { t } }) => t).filter(Boolean);
    assert.equal(new Set(stamps).size, stamps.length);
    const posts = requests.filter(({ method }) => method === "POST");
    assert.equal(posts.length > 0, scene.transport === "polling");
    for (const { headers } of posts) assert.match(headers["content-type"], /^text\/plain;\s?charset=UTF-8$/i);
  });

  play("C-040 without auth the CONNECT packet has no payload, with it the payload", {}, async (scene) => {
    scene.open();
    assert.match(await (await scene.server.session()).admit(), /^40(\{\})?$/);
    const auth = { token: "é€😀", nested: [{ a: null }] };
    scene.open({ auth });
    assert.deepEqual(JSON.parse((await (await scene.server.session()).admit()).slice(2)), auth);
  });
});
