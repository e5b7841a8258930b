import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { ways } from "../support/peer.mjs";
import { Driver } from "../support/remote.mjs";
import { contractServer } from "../support/suite.mjs";
import { python, version2, version3, version4 } from "./all.mjs";
import { Stage } from "./script/stage.mjs";

/** Each client over each transport: one event, as many ways to write it. */
describe("all clients together", () => {
  const server = contractServer(["--eio3"]);
  const stages = [version4, version3, version2, python].flatMap((client) => {
    const driver = new Driver();
    before(() => driver.start(client.driver));
    after(() => driver.stop());
    return ways.map((way) => new Stage({ client, driver, server, way }));
  });
  afterEach(() => stages.forEach((stage) => stage.clear()));

  const events = {
    text: ["é€😀\u2028", { list: [1, null, true] }],
    binary: ["before", Buffer.from([0, 4, 255]), { deep: [Buffer.from("é")] }],
  };
  for (const [what, args] of Object.entries(events)) {
    test(`S-053 ${what} from anybody reaches everybody`, async () => {
      const remotes = await Promise.all(stages.map((stage) => stage.connect("/dyn-1")));
      for (const remote of remotes) remote.emit("broadcast", "news", remote.id, ...args);
      for (const remote of remotes) {
        const news = await remote.nextFew(remotes.length - 1, "news");
        const others = remotes.filter((other) => other !== remote).map(({ id }) => [id, ...args]);
        assert.deepEqual(news.sort(byId), others.sort(byId), remote.name);
      }
    });
  }

  test("S-063 all answer one question", async () => {
    const remotes = await Promise.all(stages.map((stage) => stage.connect("/")));
    for (const remote of remotes) {
      remote.answer("question", { args: [remote.id, "cut off"] });
      await remote.ask("join", "everybody");
    }
    const { ok, answers } = await remotes[0].ask1("ask-room", 3000, "everybody", Buffer.from([1]));
    assert.deepEqual({ ok, answers: answers.sort() }, { ok: true, answers: remotes.map(({ id }) => id).sort() });
  });
});

function byId([one], [other]) {
  return one < other ? -1 : 1;
}
