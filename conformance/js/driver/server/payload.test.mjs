import assert from "node:assert/strict";
import { withServer } from "../../support/client.mjs";
import { parsers } from "../../support/parser.mjs";
import { ways } from "../../support/peer.mjs";
import { contractServer } from "../../support/suite.mjs";

const SIZE = 900_000;

/** What a POST of at most a million bytes can hold, in base64. */
const POSTED = 740_000;

const pattern = (length) => Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 256));

const overWebSocket = ways.filter(({ transport }) => transport === "websocket");
const overPolling = ways.filter(({ transport }) => transport === "polling");

for (const parser of Object.values(parsers)) {
  const options = parser.name === "default" ? {} : { parser: parser.name };
  const needs = Object.values(options);

  withServer(`900 kB with the ${parser.name} parser`, () => contractServer([], parser), (play) => {
    play("text and binary come from the server", { needs }, async (scene) => {
      const remote = await scene.connect(options);
      const [text, binary] = await remote.ask("big", SIZE);
      assert.ok(text === "x".repeat(SIZE));
      assert.ok(binary.equals(Buffer.from(Array.from({ length: SIZE }, (_, i) => i % 256))));
    });

    play("text and binary go there and come back", { needs, these: overWebSocket }, async (scene) => {
      const remote = await scene.connect(options);
      const text = "é€😀".repeat(SIZE / 9);
      assert.ok((await remote.ask1("echo-ack", text)) === text);
      const binary = pattern(SIZE);
      assert.ok((await remote.ask1("echo-ack", binary)).equals(binary));
      assert.ok((await remote.ask1("reverse", { deep: [binary] })).deep[0].equals(Buffer.from(binary).reverse()));
      assert.ok(remote.stayed);
    });

    play("text and binary go there and come back, as much as a POST can hold", { needs, these: overPolling }, async (scene) => {
      const remote = await scene.connect(options);
      const text = "é€😀".repeat(Math.floor((parser.hasAttachments ? SIZE : POSTED) / 9));
      assert.ok((await remote.ask1("echo-ack", text)) === text);
      const binary = pattern(POSTED);
      assert.ok((await remote.ask1("echo-ack", binary)).equals(binary));
      assert.ok(remote.stayed);
    });

    play("many at once, more than one POST can hold", { needs: [...needs, "max-payload"] }, async (scene) => {
      const remote = await scene.connect(options);
      const texts = Array.from({ length: 15 }, (_, i) => String.fromCharCode(97 + i).repeat(120_000));
      const answers = await Promise.all(texts.map((text) => remote.ask1("echo-ack", text)));
      assert.ok(answers.every((answer, i) => answer === texts[i]));
      assert.ok(remote.stayed);
    });
    // One after the other: they keep the rig so busy that heartbeats of others would be late.
  }, { concurrency: 1 });
}
