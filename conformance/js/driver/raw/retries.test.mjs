import assert from "node:assert/strict";
import { aWhile, byHand } from "../../support/client.mjs";

const needs = ["retries"];
const thrice = { retries: 2, ackTimeout: 400 };

/** The next event with an acknowledgement: its id, its name and arguments. */
async function question(session) {
  const [, id, list] = /^42(\d+)(\[.*)$/.exec(await session.nextLike("42"));
  return { id, args: JSON.parse(list) };
}

const sure = (remote, ...args) => remote.askWith({ retry: true }, ...args);

byHand("retries", (play) => {
  play("C-049 one at a time, the next after the answer", { needs }, async (scene) => {
    const { remote, session } = await scene.meet({ ...thrice, ackTimeout: 3000 });
    const answers = [0, 1, 2, 3].map((i) => sure(remote, "number", i));
    for (let i = 0; i < 4; i++) {
      const { id, args } = await question(session);
      assert.deepEqual(args, ["number", i]);
      await aWhile(40);
      assert.deepEqual(session.unread(), []);
      session.send(`43${id}["got",${i}]`);
      assert.deepEqual(await answers[i], ["got", i]);
    }
  });

  play("C-049 it is sent again until it is answered", { needs }, async (scene) => {
    const { remote, session } = await scene.meet(thrice);
    const answer = sure(remote, "stubborn", { a: 1 });
    const started = performance.now();
    for (let i = 0; i < 2; i++) assert.deepEqual((await question(session)).args, ["stubborn", { a: 1 }]);
    const { id, args } = await question(session);
    assert.ok(performance.now() - started >= 790);
    assert.deepEqual(args, ["stubborn", { a: 1 }]);
    session.send(`43${id}["at last"]`);
    assert.deepEqual(await answer, ["at last"]);
  });

  play("C-049 it is given up after the last try, and the next has its turn", { needs }, async (scene) => {
    const { remote, session } = await scene.meet(thrice);
    const [lost, next] = [sure(remote, "lost"), sure(remote, "next")];
    for (let i = 0; i < 3; i++) assert.deepEqual((await question(session)).args, ["lost"]);
    assert.equal(await lost, "timeout");
    const { id, args } = await question(session);
    assert.deepEqual(args, ["next"]);
    session.send(`43${id}[]`);
    assert.deepEqual(await next, []);
  });

  play("C-049 what nobody waits for is sent again too", { needs }, async (scene) => {
    const { remote, session } = await scene.meet(thrice);
    remote.command("emit", { event: "quiet", args: [1], retry: true });
    remote.command("emit", { event: "quiet", args: [2], retry: true });
    assert.deepEqual((await question(session)).args, ["quiet", 1]);
    const { id, args } = await question(session);
    assert.deepEqual(args, ["quiet", 1]);
    session.send(`43${id}[]`);
    assert.deepEqual((await question(session)).args, ["quiet", 2]);
  });

  play("C-049 after a loss the one that was on its way is sent again, then the others", { needs }, async (scene) => {
    const { remote, session } = await scene.meet({ ...thrice, retries: 5, ackTimeout: 5000, reconnection: true });
    const answers = [0, 1, 2].map((i) => sure(remote, "number", i));
    assert.deepEqual((await question(session)).args, ["number", 0]);
    session.break();
    await remote.disconnected();
    answers.push(sure(remote, "number", 3));
    const next = await scene.server.session();
    await next.admit();
    for (let i = 0; i < 4; i++) {
      const { id, args } = await question(next);
      assert.deepEqual(args, ["number", i]);
      next.send(`43${id}[${i}]`);
      assert.deepEqual(await answers[i], [i]);
    }
  });

  play("C-049 before the first connection it waits", { needs }, async (scene) => {
    await scene.server.close();
    const remote = scene.open({ ...thrice, reconnection: true });
    const answer = sure(remote, "early");
    await remote.refused();
    await scene.server.listen();
    const session = await scene.server.session();
    await session.admit();
    const { id, args } = await question(session);
    assert.deepEqual(args, ["early"]);
    session.send(`43${id}["here"]`);
    assert.deepEqual(await answer, ["here"]);
  });

  play("C-049 nothing volatile waits in the queue", { needs: [...needs, "volatile"] }, async (scene) => {
    const { remote, session } = await scene.meet({ ...thrice, ackTimeout: 5000 });
    sure(remote, "first").catch(() => {});
    const { id } = await question(session);
    // Over polling it is dropped while a POST is on its way.
    const again = setInterval(() => remote.command("emit", { event: "volatile", args: [], volatile: true }), 20);
    try {
      assert.equal(await session.nextLike("42"), '42["volatile"]');
    } finally {
      clearInterval(again);
    }
    session.send(`43${id}[]`);
  });
});
