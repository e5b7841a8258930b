import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { FEATURES, commandLine } from "../support/client.mjs";
import { titlesLeftOut } from "../support/differences.mjs";
import { root } from "../support/process.mjs";
import { RawServer } from "../support/raw.mjs";
import { Driver } from "../support/remote.mjs";
import { eventually } from "../support/wait.mjs";

/** What the client under test is known to lack: names with commas between them, or `*` for anything. */
const LACKS = (process.env.CLIENT_LACKS ?? "").split(",").filter(Boolean);

async function started() {
  const driver = new Driver();
  await driver.start(commandLine());
  return driver;
}

test("the client has every feature but those it is known to lack", async () => {
  const driver = await started();
  await driver.stop();
  const missing = FEATURES.filter((feature) => !driver.features.has(feature));
  if (!LACKS.includes("*")) assert.deepEqual(missing, LACKS);
});

test("the driver ends with its stdin, and its connections with it", async () => {
  const driver = await started();
  const server = await new RawServer().listen();
  const remote = driver.remote("/");
  remote.command("open", { url: server.url, nsp: "/", opts: { transports: ["websocket"] } });
  const session = await server.session();
  await session.admit();
  await remote.connected();
  assert.equal(await driver.stop(), 0);
  await session.ended();
  await server.close();
});

test("the driver tells which commands it cannot carry out, and obeys the next", async () => {
  const driver = await started();
  driver.write("this is no command");
  driver.command({ op: "dance", s: "a" });
  driver.command({ op: "emit", s: "nobody", event: "a" });
  const errors = [];
  await eventually("three errors", () => errors.push(...driver.takeErrors()), () => errors.length >= 3);
  const server = await new RawServer().listen();
  const remote = driver.remote("/");
  remote.command("open", { url: server.url, nsp: "/", opts: {} });
  await (await server.session()).admit();
  await remote.connected();
  assert.equal(await driver.stop(), 0);
  await server.close();
});

test("the cases that are left out for a server exist", async () => {
  const files = await Promise.all(
    ["driver/server", "clients/script"].map(async (folder) => {
      const names = await readdir(join(root, folder));
      return Promise.all(names.map((name) => readFile(join(root, folder, name), "utf8")));
    }),
  );
  for (const title of titlesLeftOut) assert.ok(files.flat().some((text) => text.includes(`"${title}"`)), title);
});
