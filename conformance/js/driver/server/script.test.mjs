import { afterEach, after, describe } from "node:test";
import { chapters, run } from "../../clients/script/script.mjs";
import { time } from "../../clients/script/time.mjs";
import { clientUnderTest } from "../../support/client.mjs";
import { ContractStage } from "../../support/contract-stage.mjs";
import { parsers } from "../../support/parser.mjs";
import { ways } from "../../support/peer.mjs";
import { contractServer } from "../../support/suite.mjs";

describe("the script", () => {
  const driver = clientUnderTest();
  for (const parser of Object.values(parsers)) {
    // All the ways side by side, each with a server of its own.
    describe(`with the ${parser.name} parser`, { concurrency: true }, () => {
      for (const way of ways) {
        describe(`over ${way.name}`, { concurrency: 1 }, () => {
          const server = contractServer([], parser);
          const stage = new ContractStage({ driver, server, way, parser });
          afterEach(() => stage.clear());
          for (const [chapter, behaviours] of Object.entries(chapters)) {
            describe(chapter, { concurrency: 1 }, () => behaviours.forEach((behaviour) => run(needing(behaviour, stage), stage)));
          }
        });
      }
    });
  }

  describe("time", { concurrency: true }, () => {
    const server = contractServer([], parsers.default);
    const stages = ways.map((way) => new ContractStage({ driver, server, way, parser: parsers.default }));
    after(() => stages.forEach((stage) => stage.clear()));
    for (const stage of stages) time.forEach((behaviour) => run(needing(behaviour, stage), stage, ` over ${stage.way.name}`));
  });
});

function needing({ needs = [], ...behaviour }, stage) {
  return { ...behaviour, needs: [...needs, ...stage.needs] };
}
