import assert from "node:assert/strict";

const SIZE = 300_000;

const numbered = (count) => Array.from({ length: count }, (_, i) => [i]);

export const flow = [
  {
    title: "a thousand events at once arrive in order",
    async play(stage) {
      const remote = await stage.connect();
      remote.emit("burst", 1000);
      assert.deepEqual(await remote.nextFew(1000, "burst"), numbered(1000));
    },
  },
  {
    title: "E-064 what is sent while the transport changes arrives in order, both ways",
    async play(stage) {
      const remote = await stage.open().connected();
      remote.emit("burst", 300);
      for (let i = 0; i < 300; i++) remote.emit("echo", i);
      assert.deepEqual(await remote.nextFew(300, "burst"), numbered(300));
      assert.deepEqual(await remote.nextFew(300, "echo"), numbered(300));
      if (stage.way.upgrades) await remote.upgraded();
      assert.equal((await remote.ask1("handshake")).transport, stage.way.transport);
    },
  },
  {
    title: "300 kB of text and of binary come from the server",
    async play(stage) {
      const remote = await stage.connect();
      const [text, binary] = await remote.ask("big", SIZE);
      assert.ok(text === "x".repeat(SIZE));
      assert.ok(binary.equals(Buffer.from(Array.from({ length: SIZE }, (_, i) => i % 256))));
    },
  },
  {
    title: "300 kB of text and of binary come back",
    async play(stage) {
      const remote = await stage.connect();
      const text = "é€😀".repeat(SIZE / 9);
      const binary = Buffer.from(Array.from({ length: SIZE }, (_, i) => (i * 7) % 256));
      remote.emit("echo", text);
      remote.emit("echo", binary);
      assert.ok((await remote.next("echo"))[0] === text);
      assert.ok((await remote.next("echo"))[0].equals(binary));
    },
  },
  {
    title: "S-055 volatile events of the server are a part of what was sent, in order, and block nothing",
    async play(stage) {
      const remote = await stage.connect();
      remote.emit("volatile", 50);
      await remote.next("tick-end");
      const ticks = remote.unread("tick").map(([i]) => i);
      assert.deepEqual(ticks, [...new Set(ticks)].sort((a, b) => a - b));
      assert.ok(ticks.every((i) => i >= 0 && i < 50));
    },
  },
  {
    title: "volatile events of the client arrive when nothing is in their way",
    needs: ["volatile"],
    async play(stage) {
      const remote = await stage.connect();
      for (let attempt = 0; attempt < 50 && remote.unread("echo").length === 0; attempt++) {
        remote.command("emit", { event: "echo", args: ["now or never"], volatile: true });
        await remote.settled();
        if (remote.unread("echo").length > 0) return;
      }
      assert.fail("50 volatile events, and none arrived");
    },
  },
];
