import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Scene, aWhile, clientUnderTest, skipped } from "../../support/client.mjs";
import { CuttingProxy } from "../../support/cutting.mjs";
import { reasonToLeaveOut } from "../../support/differences.mjs";
import { parsers } from "../../support/parser.mjs";
import { ways } from "../../support/peer.mjs";
import { Random } from "../../support/random.mjs";
import { contractServer } from "../../support/suite.mjs";
import { TIMEOUT } from "../../support/wait.mjs";

const SEED = Number(process.env.RECOVERY_SEED ?? Date.now() % 1_000_000);

/** How often the connection is lost in the middle of a stream. */
const ROUNDS = Number(process.env.RECOVERY_ROUNDS ?? 20);

/** The official server loses and repeats events: it is only watched. */
const ONLY_REPORT = Boolean(process.env.RECOVERY_ONLY_REPORT);

const title = "connection state recovery";

describe(title, { concurrency: true, skip: reasonToLeaveOut(title) }, () => {
  const driver = clientUnderTest();
  const server = contractServer(["--recovery"], parsers.default);

  for (const [i, way] of ways.entries()) {
    describe(`over ${way.name}`, { concurrency: true }, () => {
      const proxies = [];
      const scene = new Scene(driver, server, way.transports);
      after(() => scene.clear());
      after(() => proxies.forEach((proxy) => proxy.close()));
      before(() => (scene.server = server));

      function play(name, body) {
        test(name, async (context) => {
          if (skipped(context, driver, [...way.transports, ...(way.upgrades ? ["upgrade"] : []), "recovery"])) return;
          const proxy = new CuttingProxy(server.port);
          proxies.push(proxy);
          const url = `http://127.0.0.1:${await proxy.listen()}`;
          await body({ proxy, url, context });
        });
      }

      play("C-051 a client whose connection breaks goes on where it was", async ({ proxy, url }) => {
        const sender = await scene.connect();
        const remote = await scene.connectAt(url, { reconnection: true, reconnectionDelay: 200 });
        const { id } = remote;
        await remote.ask("join", id + " room");
        for (let round = 0; round < 5; round++) {
          sender.emit("to-room", `${id} room`, "news", round, "before");
          await remote.next("news");
          // The official server must miss the client: by its poll that is cut, and before it sends something there.
          await aWhile(100);
          const cutting = setInterval(() => proxy.cut({ reset: round % 2 === 1 }), 5);
          const reason = await remote.disconnected().finally(() => clearInterval(cutting));
          assert.match(reason, /^transport (close|error)$/);
          await aWhile(50);
          for (let i = 0; i < 5; i++) sender.emit("to-room", `${id} room`, "news", round, i, Buffer.from([i]));
          assert.equal(await remote.reconnected(), true);
          assert.equal(remote.id, id);
          for (let i = 0; i < 5; i++) {
            // The offset comes after the arguments, unless the client keeps it to itself.
            assert.deepEqual((await remote.next("news")).slice(0, 3), [round, i, Buffer.from([i])]);
          }
          assert.deepEqual(await remote.ask1("join", "another"), [`${id} room`, "another"].sort());
        }
        assert.deepEqual(remote.unread("news"), []);
      });

      play("C-051 a client that left comes back as another", async ({ url }) => {
        const remote = await scene.connectAt(url, { reconnection: true });
        const { id } = remote;
        for (const leave of [() => remote.command("disconnect"), () => remote.emit("disconnect-me", false)]) {
          leave();
          await remote.disconnected();
          remote.command("connect");
          assert.equal(await remote.reconnected(), false);
          assert.notEqual(remote.id, id);
        }
      });

      play("C-051 a network that breaks anywhere: no gap, no duplicate", async ({ proxy, url, context }) => {
        const random = new Random(SEED + i);
        const sender = await scene.connect();
        const remote = await scene.connectAt(url, { reconnection: true, reconnectionDelay: 10, timeout: 1000 });
        const room = `stream of ${remote.id}`;
        await remote.ask("join", room);
        let sent = 0;
        const timer = setInterval(() => sender.emit("to-room", room, "number", sent++, "x".repeat(random.between(0, 60))), 3);
        try {
          while (remote.count("disconnect") < ROUNDS) {
            const direction = random.chance(0.7) ? "down" : "up";
            await proxy.cutAfter({ bytes: random.between(1, 3000), direction, ms: random.between(20, 100), reset: random.chance(0.5) });
          }
        } finally {
          clearInterval(timer);
          proxy.disarm();
        }
        const stalled = await caughtUp(remote, sender, room).then(() => "", (error) => `; ${error.message}`);
        const numbers = remote.reports.filter(({ ev, name }) => ev === "event" && name === "number").map(({ args }) => args[0]);
        const anew = remote.reports.filter(({ ev, recovered }) => ev === "connect" && !recovered).length - 1;
        const wrong = numbers.filter((number, n) => n > 0 && number !== numbers[n - 1] + 1).length;
        const losses = remote.count("disconnect");
        context.diagnostic(`seed ${SEED}, ${way.name}: ${losses} losses, ${anew} not recovered, ${numbers.length} of ${sent} events, ${wrong} gaps and duplicates${stalled}`);
        if (ONLY_REPORT) return;
        assert.equal(stalled, "");
        assert.equal(anew, 0, "connections that were not recovered");
        assert.equal(wrong, 0, "gaps and duplicates");
        assert.deepEqual([numbers[0], numbers.length], [0, sent]);
      });
    });
  }
});

/** The network is whole again, and what was sent to the room has arrived. */
async function caughtUp(remote, sender, room) {
  for (let attempt = 0; attempt < (ONLY_REPORT ? 3 : 20); attempt++) {
    sender.emit("to-room", room, "last");
    const arrived = await remote.next("last", TIMEOUT / 5).then(() => true, () => false);
    if (arrived) return;
  }
  throw new Error("the client did not come back");
}
