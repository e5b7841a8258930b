import assert from "node:assert/strict";
import msgpack from "socket.io-msgpack-parser";
import { byHand } from "../../support/client.mjs";

const bytes = Buffer.from([1, 2, 3]);

/** Messages that break the Socket.IO protocol. */
const bad = [
  ["4"],
  ["4abc"],
  ["47"],
  ["49[]"],
  ["42{}"],
  ['42"text"'],
  ["42[]"],
  ["42[{}]"],
  ["42[null]"],
  ['42["unfinished"'],
  ['42abc["a"]'],
  ["42[1,2"],
  ['42["connect"]'],
  ['42["connect_error"]'],
  ['42["disconnect"]'],
  ["43{}"],
  ['431"text"'],
  ["40[]"],
  ['40"text"'],
  ["40{"],
  ["41{}"],
  ['41["a"]'],
  ["44[]"],
  ["44null"],
  ['451["a",{"_placeholder":true,"num":0}]'],
  ['45-["a",{"_placeholder":true,"num":0}]'],
  ['45x-["a",{"_placeholder":true,"num":0}]'],
  ['450-["a"]'],
  ['45-1-["a",{"_placeholder":true,"num":0}]'],
  ["451-{}", bytes],
  ["461-{}", bytes],
  [bytes],
  ['42["a"]', bytes],
  ['451-["a",{"_placeholder":true,"num":0}]', '42["text before the bytes"]'],
  ['451-["a",{"_placeholder":true,"num":0}]', '451-["a",{"_placeholder":true,"num":0}]'],
  ['451-["a",{"_placeholder":true,"num":1}]', bytes],
  ['451-["a",{"_placeholder":true,"num":-1}]', bytes],
  ['451-["a",{"_placeholder":true,"num":"0"}]', bytes],
  [`4511-["a",${Array.from({ length: 11 }, (_, num) => `{"_placeholder":true,"num":${num}}`)}]`],
];

function shown(packet) {
  return Buffer.isBuffer(packet) ? `<${packet.toString("hex")}>` : packet;
}

const encoder = new msgpack.Encoder();
const packed = (packet) => encoder.encode(packet)[0];

/** The same for the MessagePack parser. */
const badPacked = {
  "text": '42["a"]',
  "no packet at all": Buffer.from([0xc1]),
  "an unfinished packet": packed({ type: 2, nsp: "/", data: ["a", "long enough"] }).subarray(0, 12),
  "a list": Buffer.from([0x91, 0x02]),
  "an unknown type": packed({ type: 7, nsp: "/", data: ["a"] }),
  "a type that is text": packed({ type: "2", nsp: "/", data: ["a"] }),
  "no namespace": packed({ type: 2, data: ["a"] }),
  "data that is no list": packed({ type: 2, nsp: "/", data: { a: 1 } }),
  "an id that is text": packed({ type: 2, nsp: "/", data: ["a"], id: "1" }),
  "a payload of DISCONNECT": packed({ type: 1, nsp: "/", data: {} }),
};

async function endsAndComesBack(scene, remote, session) {
  assert.equal(await remote.disconnected(), "parse error");
  const next = await scene.server.session();
  assert.notEqual(next.sid, session.sid);
  if (session.transport === "websocket") await session.ended();
  else await session.nextLike("1");
  return next;
}

byHand("strict", (play) => {
  const needs = ["strict"];

  for (const packets of bad) {
    play(`C-037 ${packets.map(shown).join(" ")} is a parse error`, { needs }, async (scene) => {
      const { remote, session } = await scene.meet({ reconnection: true });
      session.send(...packets);
      await (await endsAndComesBack(scene, remote, session)).admit();
      await remote.connected();
      assert.deepEqual(remote.unread("text before the bytes"), []);
    });
  }

  for (const [what, message] of Object.entries(badPacked)) {
    play(`C-037 ${what} is a parse error of the MessagePack parser`, { needs: [...needs, "msgpack"] }, async (scene) => {
      const remote = scene.open({ reconnection: true, parser: "msgpack" });
      const session = await scene.server.session();
      await session.next();
      session.send(packed({ type: 0, nsp: "/", data: { sid: "a" } }));
      await remote.connected();
      session.send(message);
      await endsAndComesBack(scene, remote, session);
    });
  }

  // The official client calls it "transport error": it is the transport that cannot read them.
  for (const packet of ["x", "7", "", "é€😀"]) {
    play(`C-029 ${JSON.stringify(packet)} is no packet of the transport`, { needs }, async (scene) => {
      const { remote, session } = await scene.meet({ reconnection: true });
      session.send(packet);
      assert.match(await remote.disconnected(), /^(transport|parse) error$/);
      await (await scene.server.session()).admit();
      await remote.connected();
    });
  }

  const harmless = ['42["a"]', '42[1,"numbers are names"]', "4399[]", '43[]', '42/other,["a"]', "41/other,", "40/other,{\"sid\":\"x\"}", '44/other,{"message":"no"}', '421["asks"]', "6"];
  play("what is strange but right is no error", { needs }, async (scene) => {
    const { remote, session } = await scene.meet();
    session.send(...harmless, '42["last"]');
    await remote.next("last");
    assert.ok(remote.stayed);
    assert.equal(remote.count("connect_error"), 0);
  });
});
