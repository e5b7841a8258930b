// The behaviours which every client must find, and the frame in which they run.

import { after, afterEach, before, describe, test } from "node:test";
import { reasonToLeaveOut } from "../../support/differences.mjs";
import { ways } from "../../support/peer.mjs";
import { Driver } from "../../support/remote.mjs";
import { contractServer } from "../../support/suite.mjs";
import { acks } from "./acks.mjs";
import { connecting } from "./connecting.mjs";
import { disconnecting } from "./disconnecting.mjs";
import { events } from "./events.mjs";
import { flow } from "./flow.mjs";
import { rooms } from "./rooms.mjs";
import { Stage } from "./stage.mjs";
import { time } from "./time.mjs";

export const chapters = { connecting, events, acks, flow, rooms, disconnecting };

/**
 * Runs the whole script with one client.
 *
 * `client`: `name`; `driver`, its command line; `revision`, that of the Engine.IO protocol; `flags` for the server;
 * `reasons`, where it differs from the official client of today: `left`, what the server may call its leaving, and
 * `dropped`, what itself calls the end of a connection which the server dropped.
 */
export function runScript(client) {
  describe(client.name, () => {
    const server = contractServer(client.flags);
    const driver = new Driver();
    before(() => driver.start(client.driver));
    after(() => driver.stop());

    for (const way of ways) {
      describe(`over ${way.name}`, () => {
        const stage = new Stage({ client, driver, server, way });
        afterEach(() => stage.clear());
        for (const [chapter, behaviours] of Object.entries(chapters)) {
          describe(chapter, () => behaviours.forEach((behaviour) => run(behaviour, stage)));
        }
        test("E-098 all sessions are gone when all have left", () => stage.empty());
      });
    }

    // These are about time that passes: all of them, over all the ways, wait together.
    describe("time", { concurrency: true }, () => {
      const stages = ways.map((way) => new Stage({ client, driver, server, way }));
      after(() => stages.forEach((stage) => stage.clear()));
      for (const stage of stages) time.forEach((behaviour) => run(behaviour, stage, ` over ${stage.way.name}`));
    });
  });
}

export function run({ title, needs = [], play }, stage, suffix = "") {
  test(title + suffix, async (context) => {
    const reason = reasonToLeaveOut(title, stage.options?.parser);
    if (reason) return context.skip(reason);
    const features = needs.map((feature) => feature.replace("{transport}", stage.way.transport));
    const missing = features.filter((feature) => !stage.has(feature));
    if (missing.length > 0) return context.skip(`the client has no ${missing.join(", ")}`);
    await play(stage);
    stage.driver.check();
  });
}
