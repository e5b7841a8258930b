import assert from "node:assert/strict";
import { aWhile, byHand } from "../../support/client.mjs";
import { eventually } from "../../support/wait.mjs";

const needs = ["options"];
const polling = { transports: ["polling"] };
const both = { transports: ["polling", "websocket"] };

/** Over polling there is a POST after this, and a poll after that. */
async function talks({ remote, session }) {
  remote.emit("up");
  await session.nextLike('42["up"]');
  session.send('42["down"]');
  await remote.next("down");
}

byHand("options", (play) => {
  for (const [options, path] of [
    [{ path: "/elsewhere" }, "/elsewhere/"],
    [{ path: "/else/where/" }, "/else/where/"],
    [{ addTrailingSlash: false }, "/socket.io"],
    [{ path: "/elsewhere", addTrailingSlash: false }, "/elsewhere"],
  ]) {
    play(`C-002 C-017 with ${JSON.stringify(options)} the path is ${path}`, { needs }, async (scene) => {
      await talks(await scene.meet(options));
      for (const { url } of scene.server.requests) assert.equal(url.pathname, path);
    });
  }

  for (const [options, expected] of [
    [{ timestampRequests: false }, { polling: undefined, websocket: undefined }],
    [{ timestampRequests: true }, { polling: "t", websocket: "t" }],
    [{ timestampParam: "stamp" }, { polling: "stamp", websocket: undefined }],
    [{ timestampParam: "stamp", timestampRequests: true }, { polling: "stamp", websocket: "stamp" }],
  ]) {
    play(`C-010 with ${JSON.stringify(options)} requests are stamped accordingly`, { needs }, async (scene) => {
      await talks(await scene.meet(options));
      const name = expected[scene.transport];
      for (const { query } of scene.server.requests) {
        const { EIO, transport, sid, ...stamps } = query;
        assert.deepEqual(Object.keys(stamps), name === undefined ? [] : [name]);
      }
    });
  }

  play("C-011 binary goes as base64 if it must, over any transport", { needs }, async (scene) => {
    const { remote, session } = await scene.meet({ forceBase64: true });
    assert.equal(session.query.b64, "1");
    remote.emit("up", Buffer.from([1, 2, 3]));
    await session.nextLike("451-");
    const packet = await session.next();
    if (scene.transport === "polling") assert.deepEqual(packet, Buffer.from([1, 2, 3]));
    else assert.equal(packet, "bAQID");
    session.send('451-["down",{"_placeholder":true,"num":0}]', scene.transport === "polling" ? Buffer.from([4, 5]) : "bBAU=");
    assert.deepEqual(await remote.next("down"), [Buffer.from([4, 5])]);
  });

  play("C-007 the next transport is tried if the first cannot be had", { ...polling, needs: [...needs, "websocket"] }, async (scene) => {
    scene.server.behave({ openingStatus: { polling: 403, websocket: 200 } });
    const { session } = await scene.meet({ ...both, tryAllTransports: true });
    assert.equal(session.query.transport, "websocket");
    scene.server.behave({ openingStatus: { polling: 200, websocket: 403 } });
    const { session: other } = await scene.meet({ transports: ["websocket", "polling"], tryAllTransports: true });
    assert.equal(other.query.transport, "polling");
  });

  play("C-007 it is not tried unless it was asked for", { ...polling, needs: [...needs, "websocket"] }, async (scene) => {
    scene.server.behave({ openingStatus: { polling: 403, websocket: 200 } });
    const remote = scene.open(both);
    await remote.refused();
    await aWhile(100);
    assert.equal(scene.server.requests.length, 1);
  });

  play("C-007 if none can be had, it is told once", { ...polling, needs: [...needs, "websocket"], behaviour: { openingStatus: 403 } }, async (scene) => {
    const remote = scene.open({ ...both, tryAllTransports: true });
    await remote.refused();
    await aWhile(100);
    assert.equal(scene.server.requests.length, 2);
    assert.equal(remote.count("connect_error"), 1);
  });

  const cookies = ["kept=1", "gone=2; Max-Age=0", "old=3; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "young=4; Max-Age=60; Path=/; HttpOnly"];

  play("C-012 cookies of the server are sent back, also by the WebSocket", { ...polling, needs: [...needs, "upgrade"], behaviour: { openingHeaders: { "Set-Cookie": cookies } } }, async (scene) => {
    const met = await scene.meet({ ...both, withCredentials: true });
    await eventually("the upgrade", () => met.session.transport, (transport) => transport === "websocket");
    await talks(met);
    const [first, ...others] = scene.server.requests;
    assert.equal(first.headers.cookie, undefined);
    assert.ok(others.some(({ headers }) => headers.upgrade));
    for (const { headers } of others) assert.deepEqual(headers.cookie.split("; ").sort(), ["kept=1", "young=4"]);
  });

  play("C-012 cookies are forgotten unless they were asked for", { ...polling, needs, behaviour: { openingHeaders: { "Set-Cookie": cookies } } }, async (scene) => {
    await talks(await scene.meet());
    for (const { headers } of scene.server.requests) assert.equal(headers.cookie, undefined);
  });
});
