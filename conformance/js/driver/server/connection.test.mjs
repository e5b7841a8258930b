import assert from "node:assert/strict";
import { aWhile, withServer } from "../../support/client.mjs";
import { contractServer } from "../../support/suite.mjs";
import { parsers } from "../../support/parser.mjs";

withServer("connections", () => contractServer([], parsers.default), (play) => {
  play("C-041 a refusal ends it, and the next connection has fresh auth", { needs: ["auth-refresh"] }, async (scene) => {
    const authSequence = [{ token: "guess" }, { token: "secret", n: 2 }, { token: "secret", n: 3 }];
    const remote = scene.open({ authSequence, reconnection: true }, "/auth");
    assert.deepEqual(await remote.refused(), { message: "unauthorized", data: { code: 401 } });
    await aWhile(200);
    assert.deepEqual([remote.count("connect"), remote.count("connect_error")], [0, 1]);
    remote.command("connect");
    await remote.connected();
    assert.deepEqual((await remote.next("welcome"))[0].auth, authSequence[1]);
    remote.emit("drop-me");
    await remote.disconnected();
    await remote.connected();
    assert.deepEqual((await remote.next("welcome"))[0].auth, authSequence[2]);
  });

  play("C-052 disconnected by the server it stays away until told", {}, async (scene) => {
    for (const close of [false, true]) {
      const remote = await scene.connect({ reconnection: true });
      const { id } = remote;
      remote.emit("disconnect-me", close);
      assert.equal(await remote.disconnected(), "io server disconnect");
      await aWhile(300);
      assert.equal(remote.count("connect"), 1);
      remote.command("connect");
      await remote.connected();
      assert.notEqual(remote.id, id);
      assert.deepEqual(await remote.ask("echo-ack", "back"), ["back"]);
    }
  });

  play("C-052 a dropped connection is a transport close", {}, async (scene) => {
    const remote = await scene.connect({ reconnection: true });
    for (let round = 0; round < 3; round++) {
      const { id } = remote;
      remote.emit("drop-me");
      assert.equal(await remote.disconnected(), "transport close");
      await remote.connected();
      assert.notEqual(remote.id, id);
      assert.deepEqual(await remote.ask("echo-ack", round), [round]);
    }
  });

  play("C-043 what is emitted while it is away arrives when it is back", { needs: ["buffer"] }, async (scene) => {
    const remote = await scene.connect();
    remote.command("disconnect");
    await remote.disconnected();
    for (let i = 0; i < 20; i++) remote.emit("echo", i, Buffer.from([i]));
    const answer = remote.ask("echo-ack", "asked while away");
    remote.command("connect");
    assert.deepEqual(await answer, ["asked while away"]);
    for (let i = 0; i < 20; i++) assert.deepEqual(await remote.next("echo"), [i, Buffer.from([i])]);
  });

  play("C-005 a namespace of its own and a shared one are told apart", { needs: ["multiplex"] }, async (scene) => {
    const one = await scene.connect();
    const [shared, own] = [scene.join(one, "/dyn-1"), scene.open({}, "/dyn-1")];
    await Promise.all([shared.connected(), own.connected()]);
    assert.notEqual(shared.id, own.id);
    one.command("disconnect");
    await one.disconnected();
    assert.deepEqual(await shared.ask("echo-ack", 1), [1]);
    shared.emit("broadcast", "news", "from the shared one");
    assert.deepEqual(await own.next("news"), ["from the shared one"]);
    own.command("disconnect");
    await own.disconnected();
    assert.deepEqual(await shared.ask("echo-ack", 2), [2]);
  });

  play("C-049 emits with retries arrive, in order, across a lost connection", { needs: ["retries"] }, async (scene) => {
    const remote = await scene.connect({ reconnection: true, retries: 10, ackTimeout: 2000 });
    const answers = [];
    for (let i = 0; i < 30; i++) {
      answers.push(remote.askWith({ retry: true }, "echo-ack", i));
      if (i === 10) remote.command("emit", { event: "drop-me", args: [], volatile: true });
    }
    assert.deepEqual(await Promise.all(answers), Array.from({ length: 30 }, (_, i) => [i]));
  });
});
