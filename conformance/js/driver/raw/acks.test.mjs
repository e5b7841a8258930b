import assert from "node:assert/strict";
import { aWhile, byHand } from "../../support/client.mjs";

/** The id of a packet with an acknowledgement, and its arguments. */
function asked(packet) {
  const [, id, list] = /^4[25](?:\d+-)?(?:\/[^,]*,)?(\d+)(\[.*)$/.exec(packet);
  return { id, args: JSON.parse(list) };
}

/** The driver has carried out what it was told before. */
async function obeyed(remote, session) {
  remote.emit("obeyed");
  await session.nextLike('42["obeyed"]');
}

byHand("acknowledgements and what is buffered", (play) => {
  play("S-061 the client answers once, with any arguments", {}, async (scene) => {
    const { remote, session } = await scene.meet();
    remote.answer("question", "echo");
    await obeyed(remote, session);
    session.send('427["question",1,"é€😀",null]');
    assert.equal(await session.nextLike("43"), '437[1,"é€😀",null]');
    session.send('428["question"]');
    assert.equal(await session.nextLike("43"), "438[]");
    session.send('451-9["question",{"a":{"_placeholder":true,"num":0}}]', Buffer.from([1, 2]));
    assert.equal(await session.nextLike("46"), '461-9[{"a":{"_placeholder":true,"num":0}}]');
    assert.deepEqual(await session.next(), Buffer.from([1, 2]));
    remote.answer("question", "never");
    await obeyed(remote, session);
    session.send('4210["question"]', '42["last"]');
    await remote.next("last");
    await aWhile(50);
    assert.deepEqual(session.unread(), []);
  });

  play("answers come in any order, twice, and to nobody", {}, async (scene) => {
    const { remote, session } = await scene.meet();
    const answers = [remote.ask("a", 0), remote.ask("a", 1), remote.ask("a", 2)];
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(asked(await session.nextLike("42")).id);
    assert.equal(new Set(ids).size, 3);
    session.send(`43${ids[2]}["two"]`, "43999[]", `43${ids[0]}["zero",0]`, `43${ids[0]}["again"]`, `461-${ids[1]}[{"_placeholder":true,"num":0}]`, Buffer.from([1]));
    assert.deepEqual(await Promise.all(answers), [["zero", 0], [Buffer.from([1])], ["two"]]);
    session.send('42["last"]');
    await remote.next("last");
    assert.equal(remote.count("ack"), 3);
  });

  play("C-046 an answer that comes too late is none", { needs: ["ack-timeout"] }, async (scene) => {
    const { remote, session } = await scene.meet();
    const started = performance.now();
    assert.equal(await remote.askWithin(100, "a"), "timeout");
    assert.ok(performance.now() - started >= 95);
    session.send(`43${asked(await session.nextLike("42")).id}["late"]`, '42["last"]');
    await remote.next("last");
    assert.equal(remote.count("ack"), 1);
  });

  play("C-046 a loss answers what waits for an answer", { needs: ["ack-timeout"] }, async (scene) => {
    const { remote, session } = await scene.meet();
    const answers = Promise.all([remote.askWithin(30_000, "a"), remote.ask("b")]);
    await session.nextLike("42");
    await session.nextLike("42");
    session.break();
    assert.deepEqual(await answers, ["disconnected", "disconnected"]);
  });

  play("C-046 a disconnect answers what waits for an answer", { needs: ["ack-timeout"] }, async (scene) => {
    const { remote, session } = await scene.meet();
    const answer = remote.askWithin(30_000, "a");
    await session.nextLike("42");
    remote.command("disconnect");
    assert.equal(await answer, "disconnected");
  });

  play("C-043 C-045 what is emitted before the connection arrives in order, but nothing volatile", { needs: ["buffer", "volatile"] }, async (scene) => {
    await scene.server.close();
    const remote = scene.open({ reconnection: true, reconnectionDelay: 30 });
    await remote.refused();
    for (let i = 0; i < 30; i++) {
      remote.emit("number", i);
      remote.command("emit", { event: "number", args: ["volatile"], volatile: true });
      if (i % 3 === 0) remote.emit("bytes", Buffer.from([i]));
    }
    await scene.server.listen();
    const session = await scene.server.session();
    await session.admit();
    for (let i = 0; i < 30; i++) {
      assert.equal(await session.nextLike("4"), `42["number",${i}]`);
      if (i % 3 > 0) continue;
      assert.equal(await session.next(), '451-["bytes",{"_placeholder":true,"num":0}]');
      assert.deepEqual(await session.next(), Buffer.from([i]));
    }
    assert.deepEqual(session.unread(), []);
  });

  play("C-043 nothing goes out before CONNECT was answered", { needs: ["buffer"] }, async (scene) => {
    const remote = scene.open();
    const session = await scene.server.session();
    await session.nextLike("40");
    remote.emit("a");
    await aWhile(100);
    assert.deepEqual(session.unread(), []);
    session.send('40{"sid":"a"}');
    assert.equal(await session.next(), '42["a"]');
  });

  play("C-043 what is emitted between two connections arrives in order, before what comes after", { needs: ["buffer"] }, async (scene) => {
    const { remote } = await scene.meet({ reconnection: true });
    await scene.server.close();
    await remote.disconnected();
    for (let i = 0; i < 100; i++) remote.emit("number", i);
    await scene.server.listen();
    const session = await scene.server.session();
    const admitted = session.admit();
    for (let i = 100; i < 200; i++) remote.emit("number", i);
    await admitted;
    await remote.connected();
    for (let i = 200; i < 300; i++) remote.emit("number", i);
    for (let i = 0; i < 300; i++) assert.equal(await session.nextLike("42"), `42["number",${i}]`);
  });

  play("C-043 after a disconnect it is kept until it is told to connect", { needs: ["buffer"] }, async (scene) => {
    const { remote } = await scene.meet();
    remote.command("disconnect");
    await remote.disconnected();
    remote.emit("kept");
    remote.command("connect");
    const session = await scene.server.session();
    await session.admit();
    assert.equal(await session.nextLike("42"), '42["kept"]');
  });

  play("C-046 what is still buffered keeps its acknowledgement", { needs: ["buffer"] }, async (scene) => {
    const { remote } = await scene.meet({ reconnection: true });
    await scene.server.close();
    await remote.disconnected();
    const answer = remote.ask("a", "while away");
    await scene.server.listen();
    const session = await scene.server.session();
    await session.admit();
    session.send(`43${asked(await session.nextLike("42")).id}["here"]`);
    assert.deepEqual(await answer, ["here"]);
  });

  play("C-048 what timed out in the buffer is not sent", { needs: ["buffer", "ack-timeout"] }, async (scene) => {
    await scene.server.close();
    const remote = scene.open({ reconnection: true, reconnectionDelay: 30 });
    remote.emit("first");
    const answer = remote.askWithin(60, "given up");
    remote.emit("second");
    assert.equal(await answer, "timeout");
    await scene.server.listen();
    const session = await scene.server.session();
    await session.admit();
    assert.equal(await session.nextLike("42"), '42["first"]');
    assert.equal(await session.nextLike("42"), '42["second"]');
    await aWhile(50);
    assert.deepEqual(session.unread(), []);
  });
});
