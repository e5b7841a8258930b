import assert from "node:assert/strict";
import { aWhile, byHand } from "../../support/client.mjs";

/** The payload of a CONNECT packet. */
const payload = (packet) => JSON.parse(/\{.*/.exec(packet)?.[0] ?? "{}");

byHand("namespaces", (play) => {
  play("C-043 C-044 what came before CONNECT is delivered before it is told", {}, async (scene) => {
    const remote = scene.open();
    const session = await scene.server.session();
    await session.nextLike("40");
    session.send('42["early",1]', '451-["early",{"_placeholder":true,"num":0}]', Buffer.from([2]), '40{"sid":"a"}', '42["late",3]');
    await remote.next("late");
    assert.deepEqual(
      remote.reports.map(({ ev, args }) => (ev === "event" ? args[0] : ev)),
      [1, { $bin: "Ag==" }, "connect", 3],
    );
  });

  play("C-041 a CONNECT without an id is one of Socket.IO 2", {}, async (scene) => {
    const remote = scene.open();
    const session = await scene.server.session();
    session.send("40");
    const { message } = await remote.refused();
    assert.match(message, /v2/);
    assert.equal(remote.count("connect"), 0);
  });

  const refusals = [
    [{ message: "no" }, null],
    [{ message: "no", data: { code: 7, "é€😀": [1, null] } }, { code: 7, "é€😀": [1, null] }],
    [{ message: "no", data: "text" }, "text"],
    [{ message: "no", data: 0 }, 0],
    [{ message: "no", data: false }, false],
  ];
  for (const [error, data] of refusals) {
    play(`C-041 it is refused with ${JSON.stringify(error)}, and stays away until told`, {}, async (scene) => {
      const remote = scene.open({ reconnection: true });
      const session = await scene.server.session();
      await session.nextLike("40");
      session.send(`44${JSON.stringify(error)}`);
      assert.deepEqual(await remote.refused(), { message: "no", data });
      await aWhile();
      assert.deepEqual(scene.server.unseen(), []);
      remote.command("connect");
      await (await scene.server.session()).admit();
      await remote.connected();
    });
  }

  play("several namespaces share a connection, and leave it one by one", { needs: ["multiplex"] }, async (scene) => {
    const { remote: main, session } = await scene.meet();
    const one = scene.join(main, "/one");
    await session.admit("/one");
    await one.connected();
    const auth = { token: 1 };
    const two = scene.join(main, "/two", { auth });
    assert.deepEqual(payload(await session.admit("/two", { sid: "of two" })), auth);
    await two.connected();
    assert.equal(two.id, "of two");
    session.send('42/one,["a",1]', '42/two,["a",2]', '42["a",0]', '42/three,["a",3]');
    assert.deepEqual([await main.next("a"), await one.next("a"), await two.next("a")], [[0], [1], [2]]);
    one.emit("b", 1);
    assert.equal(await session.nextLike("42"), '42/one,["b",1]');
    one.command("disconnect");
    assert.equal(await one.disconnected(), "io client disconnect");
    assert.equal(await session.nextLike("4"), "41/one,");
    main.command("disconnect");
    assert.equal(await session.nextLike("4"), "41");
    session.send('42/two,["a",4]');
    assert.deepEqual(await two.next("a"), [4]);
    session.send("41/two,");
    assert.equal(await two.disconnected(), "io server disconnect");
    if (session.transport === "websocket") await session.ended();
    else await session.nextLike("1");
  });

  play("a namespace that is refused leaves the others alone", { needs: ["multiplex"] }, async (scene) => {
    const { remote: main, session } = await scene.meet();
    const other = scene.join(main, "/other");
    await session.nextLike("40/other,");
    session.send('44/other,{"message":"no"}', '42["a"]');
    assert.deepEqual(await other.refused(), { message: "no", data: null });
    await main.next("a");
    assert.ok(main.stayed);
    other.command("connect");
    await session.admit("/other");
    await other.connected();
  });

  play("after a loss all namespaces are connected again, with their auth", { needs: ["multiplex"] }, async (scene) => {
    const { remote: main, session } = await scene.meet({ reconnection: true, auth: { of: "main" } });
    const other = scene.join(main, "/other", { auth: { of: "other" } });
    await session.admit("/other");
    await other.connected();
    const left = scene.join(main, "/left");
    await session.admit("/left");
    await left.connected();
    left.command("disconnect");
    await session.nextLike("41/left,");
    session.break();
    await Promise.all([main.disconnected(), other.disconnected()]);
    const next = await scene.server.session();
    const packets = [await next.nextLike("40"), await next.nextLike("40")].sort();
    assert.deepEqual(packets.map((packet) => payload(packet)), [{ of: "other" }, { of: "main" }]);
    next.send('40{"sid":"b"}', '40/other,{"sid":"c"}');
    await Promise.all([main.connected(), other.connected()]);
    assert.deepEqual([main.id, other.id], ["b", "c"]);
    assert.equal(left.count("connect"), 1);
  });

  play("C-040 each connection asks for its auth anew", { needs: ["auth-refresh"] }, async (scene) => {
    const remote = scene.open({ reconnection: true, authSequence: [{ n: 1 }, { n: 2 }, { n: 3 }] });
    for (const n of [1, 2, 3, 3]) {
      const session = await scene.server.session();
      assert.deepEqual(payload(await session.admit()), { n });
      await remote.connected();
      session.break();
      await remote.disconnected();
    }
  });

  play("C-051 it offers to go on, and knows whether it may", { needs: ["recovery"] }, async (scene) => {
    const remote = scene.open({ reconnection: true, auth: { token: 1 } });
    const first = await scene.server.session();
    assert.deepEqual(payload(await first.admit("/", { sid: "s1", pid: "p1" })), { token: 1 });
    assert.equal(await remote.reconnected(), false);
    first.send('42["a",1,"offset 1"]', '42["a",{"no":"offset"}]', '42["a","offset 2"]', '42["a",2]');
    await remote.nextFew(4, "a");
    first.break();
    const second = await scene.server.session();
    assert.deepEqual(payload(await second.admit("/", { sid: "s1", pid: "p1" })), { token: 1, pid: "p1", offset: "offset 2" });
    assert.equal(await remote.reconnected(), true);
    assert.equal(remote.id, "s1");
    second.send('42["a","missed","offset 3"]');
    await remote.next("a");
    second.break();
    const third = await scene.server.session();
    assert.deepEqual(payload(await third.admit("/", { sid: "s2", pid: "p2" })), { token: 1, pid: "p1", offset: "offset 3" });
    assert.equal(await remote.reconnected(), false);
    assert.equal(remote.id, "s2");
    third.send('42["a","anew","offset 4"]');
    await remote.next("a");
    third.break();
    assert.deepEqual(payload(await (await scene.server.session()).admit()), { token: 1, pid: "p2", offset: "offset 4" });
  });

  play("C-051 a loss before the first event has a pid and no offset", { needs: ["recovery"] }, async (scene) => {
    const remote = scene.open({ reconnection: true });
    const first = await scene.server.session();
    await first.admit("/", { pid: "p1" });
    await remote.connected();
    first.break();
    assert.deepEqual(payload(await (await scene.server.session()).admit()), { pid: "p1" });
  });

  play("C-044 missed events are delivered before it is told that it was recovered", { needs: ["recovery"] }, async (scene) => {
    const remote = scene.open({ reconnection: true });
    const first = await scene.server.session();
    await first.admit("/", { pid: "p1" });
    await remote.connected();
    first.send('42["a",0,"offset"]');
    await remote.next("a");
    first.break();
    const second = await scene.server.session();
    await second.nextLike("40");
    const before = remote.reports.length;
    second.send('42["a",1,"one"]', '42["a",2,"two"]', '40{"sid":"s","pid":"p1"}');
    assert.equal(await remote.reconnected(), true);
    const order = remote.reports.slice(before).filter(({ ev }) => ev !== "disconnect");
    assert.deepEqual(order.map(({ ev, args }) => args?.[0] ?? ev), [1, 2, "connect"]);
  });
});
