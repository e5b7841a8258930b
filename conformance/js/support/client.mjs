// The frame of the suites for a client under test, which is a program that obeys commands: CLIENT_DRIVER.

import { after, before, describe, test } from "node:test";
import { reasonToLeaveOut } from "./differences.mjs";
import { ways } from "./peer.mjs";
import { RawServer } from "./raw.mjs";
import { Driver } from "./remote.mjs";

export const transports = ["polling", "websocket"];

/** What a complete client has; the README of this package lists what each means. */
export const FEATURES = [
  "polling",
  "websocket",
  "upgrade",
  "msgpack",
  "reconnect-polling",
  "reconnect-websocket",
  "attempts",
  "recovery",
  "buffer",
  "volatile",
  "ack-timeout",
  "open-timeout",
  "query",
  "multiplex",
  "max-payload",
  "strict",
  "bad-handshake",
  "auth-refresh",
  "retries",
  "options",
];

export function commandLine() {
  const found = process.env.CLIENT_DRIVER;
  if (found) return found;
  throw new Error(
    "CLIENT_DRIVER is not set. Set it to the command line of the driver under test, " +
      "for example CLIENT_DRIVER='node reference/contract-driver.mjs' (this is what `npm run test:driver:reference` does).",
  );
}

/** The driver, for the cases inside the current `describe`. */
export function clientUnderTest() {
  const driver = new Driver();
  before(() => driver.start(commandLine()));
  after(() => driver.stop());
  after(() => driver.check());
  return driver;
}

/** Skips a case if the client lacks a feature which it needs; true if it did. */
export function skipped(context, driver, needs) {
  const missing = needs.filter((feature) => !driver.features.has(feature));
  if (missing.length > 0) context.skip(`the client has no ${missing.join(", ")}`);
  return missing.length > 0;
}

/** Sockets that one case opened, and the server which they are for: anything with a `url`. */
export class Scene {
  #driver;
  #opened = [];

  constructor(driver, server, transports) {
    Object.assign(this, { server, transports });
    this.#driver = driver;
  }

  /** That of the connection in the end. */
  get transport() {
    return this.transports.at(-1);
  }

  /** A new connection, not awaited. */
  open(options = {}, nsp = "/") {
    return this.openAt(this.server.url, options, nsp);
  }

  openAt(url, options = {}, nsp = "/") {
    const opts = { transports: this.transports, reconnection: false, ...options };
    if (opts.reconnection) opts.reconnectionDelay ??= 20;
    return this.#opens({ url, nsp, opts });
  }

  /** Another namespace over the connection of `remote`, not awaited. */
  join(remote, nsp, options = {}) {
    return this.#opens({ url: this.server.url, nsp, opts: { ...options, share: remote.name } });
  }

  #opens({ url, nsp, opts }) {
    const remote = this.#driver.remote(nsp);
    this.#opened.push(remote);
    remote.command("open", { url, nsp, opts });
    return remote;
  }

  /** A connection to a `RawServer`: both ends of it. */
  async meet(options = {}) {
    const remote = this.open(options);
    const session = await this.server.session();
    await session.admit();
    await remote.connected();
    return { remote, session };
  }

  /** A connection to a contract server, welcomed, and upgraded if there is an upgrade. */
  async connect(options = {}, nsp = "/") {
    return this.#welcomed(this.open(options, nsp));
  }

  async connectAt(url, options = {}, nsp = "/") {
    return this.#welcomed(this.openAt(url, options, nsp));
  }

  async #welcomed(remote) {
    await remote.connected();
    if (this.transports.length > 1) await remote.upgraded();
    await remote.next("welcome");
    return remote;
  }

  clear() {
    for (const remote of this.#opened.splice(0)) remote.command("disconnect");
  }
}

/**
 * Cases against servers written by hand, all at once. `cases` is given `play(title, options, body)`, which makes a
 * case for each of the `transports` in the options; `needs` are features, `behaviour` is that of the server.
 */
export function byHand(title, cases) {
  describe(title, { concurrency: true }, () => {
    const driver = clientUnderTest();
    cases((name, { needs = [], behaviour = {}, transports: these = transports }, body) => {
      for (const transport of these) {
        test(`${name}, over ${transport}`, async (context) => {
          if (skipped(context, driver, [transport, ...needs])) return;
          const server = await new RawServer(behaviour).listen();
          const scene = new Scene(driver, server, [transport]);
          try {
            await body(scene);
          } finally {
            scene.clear();
            await server.close();
          }
        });
      }
    });
  });
}

/**
 * Cases with the server under test, all at once unless told otherwise, each over every way to connect. `cases` is given
 * `play(title, options, body)`; `needs` are features, `these` are the ways.
 */
export function withServer(title, server, cases, { concurrency = true } = {}) {
  describe(title, { concurrency }, () => {
    const driver = clientUnderTest();
    const shared = server();
    cases((name, { needs = [], these = ways }, body) => {
      for (const way of these) {
        test(`${name}, over ${way.name}`, async (context) => {
          const reason = reasonToLeaveOut(name);
          if (reason) return context.skip(reason);
          const wanted = [...way.transports, ...(way.upgrades ? ["upgrade"] : []), ...needs];
          if (skipped(context, driver, wanted)) return;
          const scene = new Scene(driver, shared, way.transports);
          try {
            await body(scene);
          } finally {
            scene.clear();
          }
        });
      }
    });
  });
}

/** Time for what must not happen. */
export function aWhile(ms = 250) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
