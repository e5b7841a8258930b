import assert from "node:assert/strict";

export const time = [
  {
    title: "E-076 the connection lives on heartbeats for more than three intervals",
    async play(stage) {
      const remote = await stage.connect();
      await new Promise((resolve) => setTimeout(resolve, 3600));
      assert.equal(await remote.ask1("echo-ack", "alive"), "alive");
      assert.ok(remote.stayed);
    },
  },
];
