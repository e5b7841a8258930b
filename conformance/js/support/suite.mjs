// The frame of a suite: one server process, the cases once per way to connect.

import { after, afterEach, before, describe } from "node:test";
import { Clients, ways } from "./peer.mjs";
import { chosen } from "./parser.mjs";
import { ServerProcess, freePort } from "./process.mjs";

/** A contract server for the cases inside the current `describe`; `flags` are added to its command line. */
export function contractServer(flags = [], parser = chosen) {
  const server = { url: null, port: null, process: null };
  before(async () => {
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    server.process = new ServerProcess([commandLine(), "--port", server.port, ...parser.flags, ...flags].join(" "), { ready: /^ready\r?$/m });
    await server.process.start();
  });
  afterEach(() => server.process?.checkAlive());
  after(() => server.process?.kill());
  return server;
}

/** Runs the cases over polling, websocket, and an upgrade; what they opened is closed after each. */
export function overEachWay(title, cases, { parser = chosen } = {}) {
  describe(title, () => {
    const server = contractServer([], parser);
    for (const way of ways) {
      describe(`over ${way.name}`, () => {
        const clients = new Clients(null, way, parser);
        before(() => (clients.url = server.url));
        afterEach(() => clients.closeAll());
        cases({ clients, way, server });
      });
    }
  });
}

function commandLine() {
  const found = process.env.CONTRACT_SERVER;
  if (found) return found;
  throw new Error(
    "CONTRACT_SERVER is not set. Set it to the command line of the server under test, " +
      "for example CONTRACT_SERVER='node reference/contract-server.mjs' (this is what `npm run test:reference` does).",
  );
}
